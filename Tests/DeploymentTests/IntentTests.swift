import Deployment
import Testing
import Wire

@Suite struct IntentTests {
  private let a = "aaaaaaaa-1111-2222-3333-444444444444"
  private let b = "bbbbbbbb-1111-2222-3333-444444444444"

  private func host(_ name: String, _ bound: [(port: [String: String], interface: [String: String])]) -> [String:
    String]
  {
    let names = bound.map { String($0.port["name"]?.dropFirst().dropLast() ?? "") }
    let tags = bound.map { $0.port["tag"].flatMap { Int($0) } }
    return [
      "\(name)/ovs-vsctl-show.txt": vsctlShow(ports: Dictionary(zip(names, tags)) { first, _ in first }),
      "\(name)/ovsdb-port.json": ovsdbList(bound.map(\.port)),
      "\(name)/ovsdb-interface.json": ovsdbList(bound.map(\.interface)),
    ]
  }

  private func mac(_ last: UInt64) -> MACAddress { MACAddress(rawValue: 0xfa16_3e00_0000 + last) }

  @Test func neutronNamesNetworksAndPortsAndMakesIntentComplete() throws {
    let networks = """
      {"networks": [
        {"id": "\(a)", "name": "blue", "provider:network_type": "vxlan", "provider:segmentation_id": 57},
        {"id": "\(b)", "name": "blue", "provider:network_type": "geneve", "provider:segmentation_id": 58},
        {"id": "cccccccc-1", "name": "", "provider:network_type": "flat", "provider:segmentation_id": null}]}
      """
    let ports = """
      {"ports": [
        {"id": "60820963-9a03-55ca-9bcb-a8f97e067361", "name": "web", "network_id": "\(a)", "status": "ACTIVE",
         "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [{"ip_address": "10.0.0.4"}], "port_security_enabled": false,
         "allowed_address_pairs": [{"mac_address": "00:00:5e:00:01:01", "ip_address": "10.0.0.100"}],
         "binding:host_id": "h1.example.org", "device_owner": "compute:nova",
         "trunk_details": {"sub_ports": [{"segmentation_id": 7, "port_id": "sub", "mac_address": "x"}]}},
        {"id": "sub", "network_id": "\(b)", "mac_address": "fa:16:3e:00:00:09", "binding:host_id": "h1"},
        {"id": "f270e0c2-76", "name": "", "network_id": "\(b)", "mac_address": "fa:16:3e:00:00:02",
         "binding:host_id": "h9"},
        {"id": "unbound", "network_id": "\(b)", "mac_address": "fa:16:3e:00:00:03", "binding:host_id": ""}]}
      """
    var files = host(
      "h1",
      [
        boundPort(
          "qvo60820963-9a", tag: 1, network: a, segment: 57, recorded: 1, mac: "fa:16:3e:00:00:01",
          uuid: "60820963-9a03-55ca-9bcb-a8f97e067361")
      ])
    files["neutron-networks.json"] = networks
    files["neutron-ports.json"] = ports
    let deployment = try Scratch(files).load()
    #expect(deployment.complete)
    #expect(deployment.networks.map(\.name) == ["blue", "blue-bbbbbbbb", "net-cccccccc"])
    #expect(deployment.networks.map(\.kind) == [.vxlan, .geneve, .flat])
    #expect(deployment.networks.allSatisfy { $0.source == .neutron })
    #expect(deployment.hosts.map(\.name) == ["h1", "h9"])
    #expect(deployment.ports.map(\.name) == ["web", "tapf270e0c2-76"])
    let web = deployment.ports[0]
    #expect((web.network, web.source, web.deviceOwner, web.portSecurity) == (0, .neutron, "compute:nova", false))
    #expect(web.bridgePort == "qvo60820963-9a")
    #expect(web.addresses == [IPAddress(v4: 0x0a00_0004)])
    #expect(web.allowedMACs == [MACAddress(rawValue: 0x5e00_0101), mac(9)])
    #expect(web.allowedAddresses == ["10.0.0.100"])
    #expect(web.subports == [Subport(vlan: 7, network: 1)])
    #expect(deployment.port(withMAC: mac(2)) == 1)
    #expect(deployment.port(withMAC: mac(2), on: 0) == nil)
    #expect(deployment.portsByMAC()[mac(9)] == [0])
    #expect(deployment.notes.isEmpty, "\(deployment.notes)")
  }

  @Test func theManifestOutranksNeutronAndTheRecord() throws {
    var files = host(
      "h1", [boundPort("qvo1", tag: 4, network: a, segment: 57, recorded: 4, mac: "fa:16:3e:00:00:01", uuid: "u1")])
    files["lanecheck.yaml"] = """
      networks: { red: { vni: 57 }, green: { vni: 58 } }
      hosts: { h1: { vlans: { red: 9 }, ports: { db: { network: green, mac: "fa:16:3e:00:00:01" } } } }
      """
    files["neutron-networks.json"] =
      #"{"networks":[{"id":"\#(a)","name":"blue","provider:network_type":"vxlan","provider:segmentation_id":57}]}"#
    let deployment = try Scratch(files).load()
    #expect(deployment.networks.map(\.name) == ["red", "green"])
    #expect(deployment.networks.map(\.uuid) == [a, nil])
    #expect(deployment.hosts[0].localVLANs == [0: 9])
    #expect(deployment.ports.map(\.name) == ["db"])
    #expect(deployment.ports.map(\.network) == [1])
    #expect(deployment.ports.map(\.source) == [.manifest])
    let texts = deployment.notes.map(\.text)
    #expect(texts.contains("port db is on network green in the manifest, and on red by the record on h1"))
    #expect(texts.contains("h1: the record of qvo1 has VLAN 4 for network red, whose local VLAN there is 9"))
    #expect(deployment.notes.allSatisfy { $0.kind == .contradiction })
  }

  @Test func recordsThatDisagreeAreNoted() throws {
    var files = host(
      "h1",
      [
        boundPort("qvo1", tag: 1, network: a, segment: 57, recorded: 1, mac: "fa:16:3e:00:00:01", uuid: "u1"),
        boundPort("qvo2", tag: 1, network: b, segment: 57, recorded: 1, mac: "fa:16:3e:00:00:02", uuid: "u2"),
        boundPort("qvo3", tag: 3, network: a, segment: 57, recorded: 3, mac: "fa:16:3e:00:00:03", uuid: "u3"),
        boundPort("qvo4", tag: 4095, network: a, segment: 57, recorded: 1, mac: "fa:16:3e:00:00:04", uuid: "u4"),
        boundPort("qvo5", tag: nil, network: a, segment: 57, recorded: 1, mac: "fa:16:3e:00:00:05", uuid: "u5"),
      ])
    files.merge(
      host(
        "h2", [boundPort("qvo6", tag: 2, network: a, segment: 99, recorded: 2, mac: "fa:16:3e:00:00:06", uuid: "u6")])
    ) { first, _ in first }
    let deployment = try Scratch(files).load()
    #expect(deployment.networks.map(\.name) == ["net-aaaaaaaa", "net-bbbbbbbb"])
    #expect(deployment.networkIndex(vni: 57) == nil)
    #expect(
      Set(deployment.notes.map(\.text)) == [
        "networks net-aaaaaaaa and net-bbbbbbbb have the same vxlan ID 57",
        "h1 has VLAN 1 for both net-aaaaaaaa and net-bbbbbbbb",
        "h1: the record of qvo3 has VLAN 3 for network net-aaaaaaaa, whose local VLAN there is 1",
        "h1: port qvo4 has the dead VLAN 4095, the agent's record says tag 1",
        "h1: port qvo5 has no tag, the agent's record says tag 1",
        "h2: the record of qvo6 has network net-aaaaaaaa as vxlan 99; it is vxlan 57 in another port's record",
      ])
  }

  @Test func aCompleteManifestMakesStrangersContradictions() throws {
    var files = host("h1", [boundPort("qvo1", tag: 1, network: a, segment: 57, recorded: 1, mac: "", uuid: "u1")])
    files["h1/ovs-vsctl-show.txt"] = vsctlShow(
      ports: ["qvo1": 1], remotes: ["vxlan-7": "192.0.2.7", "vxlan-2": "192.0.2.2"], local: "192.0.2.1")
    files["h3/eth1.pcap"] = Scratch.pcap
    files["lanecheck.yaml"] = """
      networks: { red: { vni: 58 } }
      hosts: { h1: { vtep: 192.0.2.1 }, h2: { vtep: 192.0.2.2 } }
      complete: true
      """
    let open = files.merging(["lanecheck.yaml": "networks: { red: { vni: 58 } }"]) { $1 }
    #expect(try Scratch(open).load().notes.filter { $0.text.contains("intent does not know") }.isEmpty)
    var texts = Set(try Scratch(files).load().notes.map(\.text))
    #expect(texts.contains("h1 has ports on a network that the intent does not know: vxlan 57"))
    #expect(texts.contains("h3 is not among the hosts of the manifest, which says it is complete"))
    files["h3/eth1.pcap"] = nil
    texts = Set(try Scratch(files).load().notes.map(\.text))
    #expect(texts.contains("h1: tunnel port vxlan-7 leads to 192.0.2.7, which no host has"))
    #expect(!texts.contains { $0.contains("vxlan-2 leads") })
  }

  @Test func recordsWrittenAsNoneAreNoRecords() throws {
    var bound = boundPort("qvo1", tag: 1, network: "None", type: "None", segment: 0, recorded: 1, mac: "", uuid: "u1")
    bound.port["other_config"] = ovsdbMap([
      "net_uuid": a, "network_type": "flat", "segmentation_id": "None", "tag": "1",
    ])
    let deployment = try Scratch(host("h1", [bound])).load()
    #expect(deployment.networks.map(\.kind) == [.flat])
    #expect(deployment.networks.map(\.segmentationID) == [nil])
    #expect(deployment.hosts[0].localVLANs == [0: 1])
  }

  @Test func guestsMACIsReadFromItsTapWhereNoRecordSaysIt() throws {
    let deployment = try Scratch([
      "h/ovs-vsctl-show.txt": vsctlShow(ports: ["qvoab": 3, "qvocd": 4]),
      "h/ip-link.json":
        #"[{"ifname":"tapab","address":"fe:16:3e:01:02:03"},{"ifname":"tapcd","address":"fe:54:00:01:02:03"}]"#,
    ]).load()
    #expect(deployment.ports.map(\.macs) == [[MACAddress(rawValue: 0xfa16_3e01_0203)], []])
    #expect(deployment.ports.map(\.tap) == ["tapab", "tapcd"])
    #expect(deployment.ports.map(\.qbr) == [nil, nil])
  }

  @Test(
    arguments: [
      ("eth2", .tunnel), ("eth3", .tunnel), ("bond0", .tunnel), ("bond0.100", .tunnel), ("eth0", .unknown),
      ("eth5", .provider), ("int-br-ex", .provider), ("br-ex", .bridge), ("br-int", .bridge), ("virbr0", .bridge),
      ("vxlan_sys_4789", .tunnelDevice), ("gre_sys", .tunnelDevice), ("genev_sys_6081", .tunnelDevice), ("any", .any),
      ("qr-1", .router), ("qg-1", .router), ("ha-1", .router), ("sg-1", .router), ("fg-1", .router), ("tbr-1", .trunk),
      ("tpi-1", .trunk), ("spt-1", .trunk), ("vhu1", .tap), ("patch-tun", .patch), ("to-x", .patch), ("gw7", .unknown),
      ("qbrab", .qbr),
    ] as [(String, PointKind)])
  func rolesFollowNamesAndState(interface: String, kind: PointKind) throws {
    let show = """
      u
          Bridge br-int
              Port int-br-ex
                  Interface int-br-ex
                      type: patch
                      options: {peer=phy-br-ex}
              Port to-x
                  Interface to-x
                      type: patch
                      options: {peer=from-x}
              Port gw7
                  Interface gw7
                      type: internal
          Bridge br-ex
              Port phy-br-ex
                  Interface phy-br-ex
                      type: patch
                      options: {peer=int-br-ex}
              Port eth5
                  Interface eth5
          Bridge br-tun
              Port vx
                  Interface vx
                      type: vxlan
                      options: {local_ip="192.0.2.1", remote_ip="192.0.2.2"}
      """
    let devices = """
      [{"ifname":"lo"},{"ifname":"eth0","addr_info":[{"local":"10.1.1.1"}]},{"ifname":"eth2","master":"bond0"},
       {"ifname":"eth3","master":"bond0"},{"ifname":"bond0","linkinfo":{"info_kind":"bond"}},{"ifname":"eth5"},
       {"ifname":"bond0.100","link":"bond0","linkinfo":{"info_kind":"vlan"},"addr_info":[{"local":"192.0.2.1"}]},
       {"ifname":"virbr0","linkinfo":{"info_kind":"bridge"}}]
      """
    let deployment = try Scratch(["h/ovs-vsctl-show.txt": show, "h/ip-addr.json": devices]).load()
    #expect(deployment.role(of: interface, on: 0).kind == kind)
    #expect(deployment.role(of: interface, on: 5).kind == .unknown)
  }

  @Test func theUnderlayBelowABridgeIsFound() throws {
    let show = """
      u
          Bridge br-phy
              Port br-phy
                  Interface br-phy
                      type: internal
              Port bond7
                  Interface p1
                  Interface p2
          Bridge br-tun
              Port vx
                  Interface vx
                      type: vxlan
                      options: {local_ip="192.0.2.1", remote_ip="192.0.2.2"}
      """
    let devices =
      #"[{"ifname":"br-phy","addr_info":[{"local":"192.0.2.1"}]},{"ifname":"p1"},{"ifname":"p2"},{"ifname":"p3"}]"#
    let deployment = try Scratch(["h/ovs-vsctl-show.txt": show, "h/ip-addr.json": devices]).load()
    #expect(deployment.underlayInterfaces(of: 0) == ["br-phy", "p1", "p2"])
    #expect(deployment.role(of: "p2", on: 0).kind == .tunnel)
    #expect(deployment.role(of: "p3", on: 0).kind == .unknown)
  }
}
