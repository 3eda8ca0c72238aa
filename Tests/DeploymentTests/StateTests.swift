import Deployment
import Foundation
import Testing
import Wire

@Suite struct StateTests {
  @Test func oldAndNewSpellingsOfShowReadAlike() throws {
    let old = """
      a1b2c3d4-0000-0000-0000-000000000000
          Manager "ptcp:6640:127.0.0.1"
              is_connected: true
          Bridge br-int
              Controller "tcp:127.0.0.1:6633"
                  is_connected: true
              fail_mode: secure
              Port "qvo60820963-9a"
                  tag: 4095
                  Interface "qvo60820963-9a"
              Port patch-tun
                  trunks: [1, 2, 300]
                  Interface patch-tun
                      type: patch
                      options: {peer=patch-int}
              Port "bond0"
                  Interface "eth2"
                  Interface "eth3"
          Bridge br-tun
              Port "vxlan-c0000202"
                  Interface "vxlan-c0000202"
                      type: vxlan
                      options: {df_default="true", dst_port="8472", in_key=flow, local_ip="192.0.2.1", \
      out_key=flow, remote_ip="192.0.2.2"}
                      error: "could not add network device: \\"busy, {x}\\""
          ovs_version: "2.5.0"

      """
    let new = old.replacingOccurrences(of: #"Port "([^"]+)""#, with: "Port $1", options: .regularExpression)
      .replacingOccurrences(of: #"Interface "([^"]+)""#, with: "Interface $1", options: .regularExpression)
    #expect(old != new)
    for text in [
      old, new, old.replacingOccurrences(of: "\n", with: "\r\n"), new.replacingOccurrences(of: "    ", with: "\t"),
    ] {
      let deployment = try Scratch(["h/ovs-vsctl-show.txt": text]).load()
      #expect(deployment.notes.isEmpty, "\(deployment.notes)")
      let state = try #require(deployment.hosts[0].state)
      #expect(state.ovsVersion == "2.5.0")
      #expect(state.bridges.map(\.name) == ["br-int", "br-tun"])
      let ports = state.bridges[0].ports
      #expect(state.bridges[0].failMode == "secure")
      #expect(ports.map(\.name) == ["bond0", "patch-tun", "qvo60820963-9a"])
      #expect(ports.map(\.tag) == [nil, nil, 4095])
      #expect(ports[0].members == ["eth2", "eth3"])
      #expect(ports[1].trunks == [1, 2, 300])
      #expect(ports[1].patchPeer == "patch-int")
      #expect(state.bridges[1].ports.first?.error == "could not add network device: \"busy, {x}\"")
      let tunnel = try #require(deployment.tunnels(of: 0).first)
      #expect((tunnel.kind, tunnel.destinationPort, tunnel.key) == (.vxlan, 8472, nil))
      #expect(tunnel.remote == IPAddress(v4: 0xc000_0202))
      #expect(deployment.hosts[0].vteps == [IPAddress(v4: 0xc000_0201)])
      // A tag alone names no network.
      #expect(deployment.ports.map(\.network) == [nil])
      #expect(deployment.ports.map(\.source) == [.installed])
    }
  }

  @Test func linesThatAreNotOfShowAreNotedAndTheRestIsKept() throws {
    let text = """
      uuid
          Port early
          Bridge br-int
              Port a
                  tag: 70000
                  Interface a
                      options: {peer
              nonsense here and there
              Port b
                  tag: 7
      """
    let deployment = try Scratch(["h/ovs-vsctl-show.txt": text]).load()
    #expect(deployment.notes.map(\.line) == [2, 5, 7, 8])
    #expect(deployment.notes.allSatisfy { $0.kind == .unreadable && $0.host == 0 })
    #expect(deployment.hosts[0].state?.bridges.first?.ports.map(\.tag) == [nil, 7])
  }

  @Test func tunnelOptionsOfEveryKindAreRead() throws {
    let text = """
      u
          Bridge br-tun
              Port g6
                  Interface g6
                      type: geneve
                      options: {key=flow, remote_ip="2001:db8::2"}
              Port gre-1
                  Interface gre-1
                      type: gre
                      options: {in_key="57", out_key="57", dst_port="9", remote_ip=flow}
              Port vx
                  Interface vx
                      type: vxlan
                      options: {key="0x40", dst_port="bad", remote_ip="nonsense"}
              Port st
                  Interface st
                      type: stt
      """
    let deployment = try Scratch(["h/ovs-vsctl-show.txt": text]).load()
    let tunnels = deployment.tunnels(of: 0)
    #expect(tunnels.map(\.name) == ["g6", "gre-1", "vx"])
    #expect(tunnels.map(\.destinationPort) == [6081, 0, 4789])
    #expect(tunnels.map(\.key) == [nil, 57, 64])
    #expect(tunnels.map { $0.remote.map(String.init(describing:)) } == ["2001:db8::2", nil, nil])
    #expect(deployment.role(of: "vx", on: 0).kind == .tunnelDevice)
    #expect(deployment.tunnels(of: 7).isEmpty)
  }

  @Test func endpointsAreFoundByOwnAddressAndByElimination() throws {
    let remotes = [1: [2, 3], 2: [1, 3], 3: [1, 2]]
    var files: [String: String] = [:]
    for (host, others) in remotes {
      let ports = Dictionary(uniqueKeysWithValues: others.map { ("vxlan-\($0)", "192.0.2.\($0)") })
      files["h\(host)/ovs-vsctl-show.txt"] = vsctlShow(remotes: ports)
    }
    let eliminated = try Scratch(files).load()
    #expect(eliminated.hosts.map { $0.vteps.map { $0.low & 0xff } } == [[1], [2], [3]])
    files["h3"] = nil
    files["h3/ovs-vsctl-show.txt"] = nil
    files["h2/ovs-vsctl-show.txt"] = vsctlShow(remotes: ["vxlan-1": "192.0.2.1", "vxlan-3": "192.0.2.3"])
    files["h2/ip-addr.json"] =
      #"[{"ifname":"lo"},{"ifname":"bond0","addr_info":[{"local":"192.0.2.2"},{"local":"10.9.9.9"}]}]"#
    let owned = try Scratch(files).load()
    #expect(owned.hosts.map(\.name) == ["h1", "h2"])
    #expect(owned.hosts[1].vteps.map { $0.low & 0xff } == [2])
  }

  @Test func ovsdbWinsAndDifferencesAreNoted() throws {
    let bound = boundPort("qvo1", tag: 5, network: "N", segment: 9, recorded: 5, mac: "fa:16:3e:00:00:01", uuid: "U")
    let deployment = try Scratch([
      "h/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 6, "qvo2": 7]), "h/ovsdb-port.json": ovsdbList([bound.port]),
      "h/ovsdb-interface.json": ovsdbList([bound.interface]),
    ]).load()
    #expect(deployment.ports.map(\.installedTag) == [5, 7])
    let texts = deployment.notes.map(\.text)
    #expect(texts.count == 2)
    #expect(texts.contains("port qvo1 has tag 6 here and tag 5 in OVSDB, which counts"))
    #expect(texts.contains("port qvo2 of br-int is not in OVSDB's list"))
  }

  @Test func mirrorsBelongToTheirBridge() throws {
    let port: (String, String) -> [String: String] = { name, uuid in
      ["_uuid": "[\"uuid\",\"\(uuid)\"]", "name": "\"\(name)\"", "tag": #"["set",[]]"#]
    }
    let deployment = try Scratch([
      "h/ovsdb-bridge.json": ovsdbList([
        [
          "name": "\"br-int\"", "ports": #"["set",[["uuid","a"],["uuid","b"]]]"#, "mirrors": #"["uuid","m"]"#,
          "datapath_type": "\"\"", "mcast_snooping_enable": "true", "other_config": ovsdbMap(["mac-aging-time": "20"]),
        ]
      ]),
      "h/ovsdb-port.json": ovsdbList([port("span", "a"), port("qvo1", "b")]),
      "h/ovsdb-mirror.json": ovsdbList([
        [
          "_uuid": #"["uuid","m"]"#, "name": "\"m0\"", "output_port": #"["uuid","a"]"#, "select_all": "false",
          "select_src_port": #"["set",[["uuid","b"]]]"#, "output_vlan": #"["set",[]]"#,
        ]
      ]),
    ]).load()
    let bridge = try #require(deployment.hosts[0].state?.bridges.first)
    #expect(bridge.mcastSnooping == true)
    #expect(bridge.otherConfig == ["mac-aging-time": "20"])
    #expect(bridge.mirrors.map(\.outputPort) == ["span"])
    #expect(bridge.mirrors.map(\.sourcePorts) == [["qvo1"]])
    #expect(deployment.role(of: "span", on: 0).kind == .mirror)
  }

  @Test func aTrunkIsOnePortWithSubports() throws {
    let interface: (String, String, [String: String], [String: String]) -> [String: String] = {
      name, type, options, ids in
      [
        "_uuid": "[\"uuid\",\"i-\(name)\"]", "name": "\"\(name)\"", "type": "\"\(type)\"", "ofport": "1",
        "options": ovsdbMap(options), "external_ids": ovsdbMap(ids),
      ]
    }
    var ports = ["tap1", "tpt-1", "spt-2"].map { name in
      ["_uuid": "[\"uuid\",\"p-\(name)\"]", "name": "\"\(name)\"", "interfaces": "[\"uuid\",\"i-\(name)\"]"]
    }
    ports[2]["tag"] = "100"
    for (name, network, segment, tag) in [("tpi-1", "A", 57, 1), ("spi-2", "B", 64, 2)] {
      ports.append(
        boundPort(name, tag: tag, network: network, segment: segment, recorded: tag, mac: "", uuid: "").port)
    }
    let parent = ["iface-id": "P", "attached-mac": "fa:16:3e:00:00:01"]
    let deployment = try Scratch([
      "h/ovsdb-bridge.json": ovsdbList([
        [
          "name": "\"br-int\"", "ports": #"["set",[["uuid","p-tpi-1"],["uuid","p-spi-2"]]]"#, "fail_mode": "\"secure\"",
        ],
        ["name": "\"tbr-x\"", "ports": #"["set",[["uuid","p-tap1"],["uuid","p-tpt-1"],["uuid","p-spt-2"]]]"#],
      ]),
      "h/ovsdb-port.json": ovsdbList(ports),
      "h/ovsdb-interface.json": ovsdbList([
        interface("tap1", "", [:], parent), interface("tpt-1", "patch", ["peer": "tpi-1"], [:]),
        interface("spt-2", "patch", ["peer": "spi-2"], [:]), interface("tpi-1", "patch", ["peer": "tpt-1"], parent),
        interface("spi-2", "patch", ["peer": "spt-2"], ["iface-id": "S", "attached-mac": "fa:16:3e:00:00:02"]),
      ]),
    ]).load()
    #expect(deployment.networks.map(\.segmentationID) == [57, 64])
    #expect(deployment.ports.count == 1)
    let port = try #require(deployment.ports.first)
    #expect((port.name, port.tap, port.bridgePort, port.network) == ("tap1", "tap1", "tpi-1", 0))
    #expect(port.installedTag == 1)
    #expect(port.subports == [Subport(vlan: 100, network: 1)])
    #expect(port.allowedMACs == [MACAddress(rawValue: 0xfa16_3e00_0002)])
    #expect(deployment.role(of: "tap1", on: 0) == InterfaceRole(kind: .tap, port: 0))
    #expect(deployment.role(of: "tpi-1", on: 0) == InterfaceRole(kind: .trunk, port: 0))
    #expect(deployment.hosts[0].localVLANs == [0: 1, 1: 2])
  }

  /// Nested, mistyped, huge, doubled: nothing of it may stop the loading of what is sound.
  @Test(arguments: [
    "", "{", "nul", "[]", "{}", "[[]]", "\"text\"", "1e999", "[1e999]", "{\"headings\":1,\"data\":2}",
    "{\"headings\":[\"name\"],\"data\":[[\"a\",\"b\"],[],7,null]}", "{\"headings\":[],\"data\":[]}",
    "{\"headings\":[\"name\",\"name\"],\"data\":[[\"a\",\"b\"]]}",
    "{\"headings\":[\"name\",\"tag\"],\"data\":[[\"a\",1e300],[\"a\",-1],[[\"set\",[\"x\",\"y\"]],[\"set\"]]]}",
    "{\"headings\":[\"name\",\"tag\",\"other_config\",\"interfaces\"],"
      + "\"data\":[[\"a\",99999999999999999999999,[\"map\",[[1],[],[\"k\",[\"map\",[]]],7]],[\"uuid\",7]]]}",
    String(repeating: "[", count: 200_000), String(repeating: "{\"a\":", count: 200_000),
    String(repeating: "[", count: 400) + String(repeating: "]", count: 400),
    "{\"taken\":{\"a\":\"x\",\"b\":-1,\"c\":1e400}}",
    "{\"networks\":[{\"id\":7},null,{\"id\":\"x\",\"provider:segmentation_id\":1e99}]}",
    "{\"ports\":[{\"id\":\"p\",\"fixed_ips\":7,\"trunk_details\":{\"sub_ports\":[{\"segmentation_id\":-4}]}}]}",
    "[{\"ifname\":7},{\"ifname\":\"e\",\"mtu\":1e99,\"ifindex\":-1,\"addr_info\":{},\"linkinfo\":[]}]",
    "[{\"ifname\":\"e\",\"master\":\"e\",\"link\":\"e\"}]", "{\"a\":1,\"a\":2}", "\u{feff}{}",
    "{\"headings\":[\"ofport\"],\"data\":[[[\"set\",[]]]]}",
  ])
  func hostileJSONIsNotedOrPassedOver(text: String) throws {
    for name in [
      "ovsdb-port.json", "ovsdb-interface.json", "ovsdb-bridge.json", "ip-addr.json", "collected.json", "x.json",
    ] {
      let deployment = try Scratch([
        "h/eth1.pcap": Scratch.pcap, "h/\(name)": text, "h/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 3]),
      ]).load()
      #expect(deployment.ports.map(\.installedTag) == [3])
      #expect(deployment.captures.count == 1)
      _ = deployment.role(of: "e", on: 0)
    }
  }

  @Test func unreadableJSONIsNoted() throws {
    let scratch = try Scratch(["h/eth1.pcap": Scratch.pcap, "h/ovsdb-port.json": "{\"headings\": [", "h/b.json": "{}"])
    try scratch.write(
      "h/ip-addr.json",
      Data([0x5b, 0x7b, 0x22, 0x69, 0x66, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d, 0x5d]))
    let deployment = try scratch.load()
    #expect(deployment.notes.map(\.file).sorted() == ["h/b.json", "h/ovsdb-port.json"])
    #expect(deployment.notes.first { $0.file == "h/ovsdb-port.json" }?.kind == .unreadable)
    #expect(deployment.hosts[0].interfaces.map(\.name) == ["\u{fffd}"])
  }

  @Test func octetsOfAnyKindInEveryFileDoNotStopTheLoading() throws {
    let names = [
      "ovs-vsctl-show.txt", "br-tun.flows", "br-int.fdb", "br-int.ports", "ovsdb-port.json", "ip-link.json", "x.pcap",
      "collected.json",
    ]
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      let scratch = try Scratch(["g/eth1.pcap": Scratch.pcap])
      for name in names {
        let octets = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        try scratch.write("h/\(name)", Data(octets))
      }
      #expect(try scratch.load().hosts.map(\.name) == ["g", "h"])
    }
  }
}
