import Deployment
import Foundation
import OpenFlow
import Testing
import Wire

/// State as commands print it for people, and as support reports keep it.
@Suite struct PrintedStateTests {
  private static let ports = """
    _uuid               : 5e2f1a34-8f0e-4c6d-9d68-0f0a5d1f7a01
    cvlans              : []
    external_ids        : {}
    interfaces          : [0b7b9a2c-11aa-4f3e-8c7d-2f5f8a1c0d11]
    name                : "qvo1b2c3d4e-5f"
    other_config        : {net_uuid="7f1c2a90-3b55-4e0a-9a43-1f0b2c3d4e5f", network_type=vxlan, physical_network=None, \
    segmentation_id="1095", tag="3"}
    statistics          : {}
    tag                 : 3
    trunks              : []
    vlan_mode           : []

    _uuid               : 5e2f1a34-8f0e-4c6d-9d68-0f0a5d1f7a02
    cvlans              : [10, 20]
    external_ids        : {}
    interfaces          : [0b7b9a2c-11aa-4f3e-8c7d-2f5f8a1c0d12]
    name                : "eth, \\"q\\""
    other_config        : {}
    statistics          : {}
    tag                 : 100
    trunks              : []
    vlan_mode           : dot1q-tunnel

    """

  private static let interfaces = """
    _uuid               : 0b7b9a2c-11aa-4f3e-8c7d-2f5f8a1c0d11
    error               : []
    external_ids        : {attached-mac="fa:16:3e:11:22:33", iface-id="1b2c3d4e-5f60-4711-8822-33445566aabb", \
    iface-status=active}
    name                : "qvo1b2c3d4e-5f"
    ofport              : 12
    options             : {}
    statistics          : {rx_bytes=123456, rx_packets=789}
    type                : ""

    _uuid               : 0b7b9a2c-11aa-4f3e-8c7d-2f5f8a1c0d12
    error               : []
    external_ids        : {}
    name                : "eth, \\"q\\""
    ofport              : 13
    options             : {}
    statistics          : {}
    type                : ""

    """

  private static let bridges = """
    _uuid               : 9c1d0a10-7a3c-4b50-8f4e-5c3b2a190807
    datapath_type       : system
    fail_mode           : secure
    mirrors             : []
    name                : br-int
    other_config        : {mac-table-size="50000"}
    ports               : [5e2f1a34-8f0e-4c6d-9d68-0f0a5d1f7a01, 5e2f1a34-8f0e-4c6d-9d68-0f0a5d1f7a02]

    """

  private static let root = """
    _uuid               : 11111111-2222-4333-8444-555555555555
    bridges             : [9c1d0a10-7a3c-4b50-8f4e-5c3b2a190807]
    other_config        : {hw-offload="true", vlan-limit="2"}
    ovs_version         : "2.9.0"

    """

  private func expectPorts(_ deployment: Deployment) throws {
    #expect(deployment.notes.isEmpty, "\(deployment.notes)")
    let bridge = try #require(deployment.hosts[0].state?.bridges.first)
    #expect(bridge.otherConfig == ["mac-table-size": "50000"])
    #expect(bridge.ports.map(\.name) == ["eth, \"q\"", "qvo1b2c3d4e-5f"])
    #expect(bridge.ports.map(\.tag) == [100, 3])
    #expect(bridge.ports[0].vlanMode == "dot1q-tunnel")
    #expect(bridge.ports[0].customerVLANs == [10, 20])
    #expect(bridge.ports[1].statistics["rx_packets"] == 789)
    #expect(bridge.ports[1].ofport == 12)
    #expect(deployment.hosts[0].state?.vlanLimit == 2)
    #expect(deployment.hosts[0].captureLimits == [.hardwareOffload(isInUse: true)])
    #expect(deployment.hosts[0].state?.ovsVersion == "2.9.0")
    let port = try #require(deployment.ports.first)
    #expect(port.uuid == "1b2c3d4e-5f60-4711-8822-33445566aabb")
    #expect(port.macs.map { "\($0)" } == ["fa:16:3e:11:22:33"])
    #expect(deployment.networks.map(\.segmentationID) == [1095])
    #expect(deployment.hosts[0].localVLANs == [0: 3])
  }

  @Test func listsWithoutFormatJSON() throws {
    try expectPorts(
      try Scratch([
        "h/ports.txt": Self.ports, "h/list-interface": Self.interfaces, "h/bridge.out": Self.bridges,
        "h/root.txt": Self.root,
      ]).load())
  }

  @Test func aDumpOfTheWholeDatabase() throws {
    let dump = [
      ("Port", Self.ports), ("Interface", Self.interfaces), ("Bridge", Self.bridges), ("Open_vSwitch", Self.root),
      ("Controller", "_uuid               : 11111111-2222-4333-8444-555555555556\ntarget              : \"tcp:127.0.0.1:6633\"\n"),
    ].map { "\($0.0) table\n\($0.1)" }.joined(separator: "\n")
    try expectPorts(try Scratch(["h/ovsdb-client_-f_list_dump": dump]).load())
  }

  @Test func listsAsCSV() throws {
    let ports = """
      _uuid,cvlans,external_ids,interfaces,name,other_config,tag,trunks,vlan_mode
      5e2f1a34-8f0e-4c6d-9d68-0f0a5d1f7a01,[],{},[0b7b9a2c-11aa-4f3e-8c7d-2f5f8a1c0d11],"\"qvo1b2c3d4e-5f\"",\
      "{net_uuid=""7f1c2a90-3b55-4e0a-9a43-1f0b2c3d4e5f"", network_type=vxlan, segmentation_id=""1095"", tag=""3""}",3,[],[]
      """.replacingOccurrences(of: "\"\"qvo1b2c3d4e-5f\"\"", with: "\"\"\"qvo1b2c3d4e-5f\"\"\"")
    let deployment = try Scratch(["h/ports.csv": ports, "h/show": vsctlShow(ports: ["qvo1b2c3d4e-5f": 3])]).load()
    #expect(deployment.notes.isEmpty, "\(deployment.notes)")
    #expect(deployment.networks.map(\.segmentationID) == [1095])
    #expect(deployment.hosts[0].localVLANs == [0: 3])
  }

  @Test func damagedListsSayWhereAndKeepTheRest() throws {
    let text = Self.ports.replacingOccurrences(of: "tag                 : 100", with: "tag                 : {100")
      + "\n!! what is this\n"
    let deployment = try Scratch(["h/ports.txt": text, "h/i.txt": Self.interfaces, "h/b.txt": Self.bridges]).load()
    #expect(deployment.notes.filter { $0.kind == .unreadable }.map(\.line).sorted() == [19, 23])
    #expect(deployment.networks.map(\.segmentationID) == [1095])
  }

  // MARK: ip

  private static let addresses = """
    1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
        link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0 
        inet 127.0.0.1/8 scope host lo
           valid_lft forever preferred_lft forever
    4: bond0.320@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1600 qdisc noqueue state UP group default qlen 1000
        link/ether 0c:c4:7a:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0 
        vlan protocol 802.1Q id 320 <REORDER_HDR> numtxqueues 1 numrxqueues 1 gso_max_size 65536 
        inet 172.17.2.11/24 brd 172.17.2.255 scope global bond0.320
           valid_lft forever preferred_lft forever
        inet6 fe80::ec4:7aff:feaa:bbcc/64 scope link 
           valid_lft forever preferred_lft forever
    9: qvo1b2c3d4e-5f@qvb1b2c3d4e-5f: <BROADCAST,MULTICAST,PROMISC,UP> mtu 1450 qdisc noqueue master ovs-system state UP
        link/ether 5e:00:11:22:33:44 brd ff:ff:ff:ff:ff:ff promiscuity 2 
        veth 
        openvswitch_slave numtxqueues 2 numrxqueues 2 gso_max_size 65536 gso_max_segs 65535 
        RX: bytes  packets  errors  dropped overrun mcast   
        123456     789      0       0       0       0       
    11: tap1b2c3d4e-5f: <BROADCAST,MULTICAST,UP> mtu 1450 qdisc fq master qbr1b2c3d4e-5f state UNKNOWN
        link/ether fe:16:3e:11:22:33 brd ff:ff:ff:ff:ff:ff promiscuity 1 
        tun 

    """

  @Test func devicesAsIPPrintsThem() throws {
    let deployment = try Scratch(["h/ip-d-address.txt": Self.addresses, "h/eth0.pcap": Scratch.pcap]).load()
    #expect(deployment.notes.isEmpty, "\(deployment.notes)")
    let devices = deployment.hosts[0].interfaces
    #expect(devices.map(\.name) == ["lo", "bond0.320", "qvo1b2c3d4e-5f", "tap1b2c3d4e-5f"])
    #expect(devices.map(\.index) == [1, 4, 9, 11])
    #expect(devices.map(\.mtu) == [65536, 1600, 1450, 1450])
    #expect(devices.map(\.kind) == [nil, "vlan", "veth", "tun"])
    #expect(devices[1].link == "bond0")
    #expect(devices[1].addresses.map { "\($0)" } == ["172.17.2.11", "fe80::ec4:7aff:feaa:bbcc"])
    #expect(devices[2].master == "ovs-system")
    #expect(devices[3].mac.map { "\($0)" } == "fe:16:3e:11:22:33")
  }

  @Test func devicesOnOneLineEach() throws {
    let text = """
      1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
      2: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever
      2: eth0    inet6 2001:db8::7/64 scope global \\       valid_lft forever preferred_lft forever
      """
    let devices = try Scratch(["h/ip-o-addr": text, "h/eth0.pcap": Scratch.pcap]).load().hosts[0].interfaces
    #expect(devices.map(\.name) == ["lo", "eth0"])
    #expect(devices[1].addresses.map { "\($0)" } == ["192.0.2.7", "2001:db8::7"])
  }

  // MARK: Support reports

  private static func report(_ prefix: String) -> [String: String] {
    let show = vsctlShow(
      ports: ["qvo1b2c3d4e-5f": 3], remotes: ["vxlan-ac11020c": "172.17.2.12"], local: "172.17.2.11")
    let flows = " cookie=0x1, duration=9.1s, table=0, n_packets=0, n_bytes=0, idle_age=1, priority=0 actions=drop\n"
    return [
      "sos_commands/openvswitch/ovs-vsctl_-t_5_show": show,
      "sos_commands/openvswitch/ovsdb-client_-f_list_dump":
        "Port table\n\(ports)\nInterface table\n\(interfaces)\nBridge table\n\(bridges)\nOpen_vSwitch table\n\(root)",
      "sos_commands/openvswitch/ovs-ofctl_dump-flows_br-tun": "NXST_FLOW reply (xid=0x4):\n" + flows,
      "sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow13_dump-flows_br-tun":
        "OFPST_FLOW reply (OF1.3) (xid=0x2):\n cookie=0x1, duration=9.1s, table=4, n_packets=0, n_bytes=0, "
        + "priority=1,tun_id=0x447 actions=push_vlan:0x8100,set_field:4099->vlan_vid,goto_table:10\n",
      "sos_commands/openvswitch/ovs-appctl_fdb.show_br-int": " port  VLAN  MAC                Age\n   12     3  fa:16:3e:11:22:33   10\n",
      "sos_commands/openvswitch/ovs-ofctl_dump-ports_br-int": "OFPST_PORT reply (xid=0x2): 1 ports\n",
      "sos_commands/networking/ip_-d_address": addresses,
      "sos_commands/networking/netstat_-s": "Ip:\n    1 total packets received\n",
      "sos_commands/host/hostname": "compute-11.example.org\n",
      "etc/neutron/neutron.conf": "[DEFAULT]\n", "version.txt": "sosreport: 3.9\n",
    ].reduce(into: [:]) { $0[prefix + $1.key] = $1.value }
  }

  @Test(
    "a support report is a host: as the bundle, in it, or in a host's directory",
    arguments: ["", "sosreport-compute-11-2024-01-31-abcdefg/", "compute-11/sosreport-compute-11-x/"])
  func supportReports(_ prefix: String) throws {
    var files = Self.report(prefix)
    if prefix.hasPrefix("compute-11/") { files["compute-11/bond0.pcap"] = Scratch.pcap }
    let deployment = try Scratch(files).load()
    let host = try #require(deployment.hosts.first)
    #expect(deployment.hosts.count == 1)
    #expect(host.name == (prefix.hasPrefix("compute-11/") ? "compute-11" : "compute-11.example.org"))
    #expect(host.vteps == [IPAddress(v4: 0xac11_020b)])
    #expect(deployment.networks.map(\.segmentationID) == [1095])
    let bridges = host.state?.bridges ?? []
    #expect(bridges.first { $0.name == "br-tun" }?.flows?.flows.first?.table == 4)
    #expect(bridges.first { $0.name == "br-int" }?.fdb.count == 1)
    #expect(deployment.underlayInterfaces(of: 0) == ["bond0.320", "bond0"])
  }

  @Test func reportsOfSeveralHostsAreABundle() throws {
    var files = Self.report("sosreport-a/")
    for (file, text) in Self.report("sosreport-b/") {
      files[file] = text.replacingOccurrences(of: "compute-11", with: "compute-12")
        .replacingOccurrences(of: "172.17.2.11", with: "172.17.2.99")
        .replacingOccurrences(of: "1b2c3d4e-5f", with: "2b2c3d4e-5f")
    }
    let deployment = try Scratch(files).load()
    #expect(deployment.hosts.map(\.name) == ["compute-11.example.org", "compute-12.example.org"])
  }
}
