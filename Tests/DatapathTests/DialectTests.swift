import Foundation
import OpenFlow
import Testing

@testable import Datapath

/// Flows go into Open vSwitch and come out in every dialect; all say the same.
@Suite("Dialects of a real dump", .enabled(if: OpenVSwitch.isInstalled))
struct DialectTests {
  /// Flows that every version of OpenFlow can express.
  static let common = """
    table=0,priority=65535,dl_vlan=4095 actions=drop
    table=0,priority=10,icmp6,in_port=p1,icmp_type=136 actions=resubmit(,24)
    table=0,priority=9,in_port=p2 actions=resubmit(,25)
    table=0,priority=8,in_port=LOCAL actions=NORMAL
    table=0,cookie=0x1234,idle_timeout=50,hard_timeout=60,priority=7,\
    vlan_tci=0x0000/0x1fff actions=push_vlan:0x8100,set_field:4099->vlan_vid,goto_table:10
    table=0,priority=6,dl_vlan_pcp=3 actions=FLOOD
    table=0,priority=5,vlan_tci=0x1000/0x1000 actions=ALL,IN_PORT
    table=0,send_flow_rem,priority=4,arp,arp_op=1,arp_spa=10.0.0.0/8 actions=CONTROLLER:128
    table=1,priority=3,dl_vlan=3,tun_id=0x39 actions=pop_vlan,set_field:0x40->tun_id,output:p1,output:p2
    table=1,priority=2,tun_id=0x100/0xff00 actions=load:0->NXM_OF_VLAN_TCI[],output:p1
    table=1,reg0=0x5,reg1=0x1/0x3,metadata=0x7 actions=load:0x3->NXM_NX_REG2[4..7],\
    move:NXM_NX_REG2[0..11]->NXM_OF_VLAN_TCI[0..11],output:NXM_NX_REG2[]
    table=2,tcp,nw_src=10.0.0.0/24,tp_dst=0x50/0xfff0 actions=mod_nw_dst:10.0.0.9,mod_tp_dst:8080,mod_nw_tos:184,\
    output:p1
    table=2,udp6,ipv6_dst=2001:db8::/32,tp_src=53 actions=mod_dl_src:fa:16:3e:00:00:01,mod_dl_dst:fa:16:3e:00:00:02,\
    output:p2
    table=2,tcp,tcp_flags=+syn-ack actions=dec_ttl,output:p1
    table=2,ip,nw_frag=later actions=drop
    table=2,ip,nw_tos=64,nw_ecn=2,nw_ttl=9 actions=drop
    table=3,icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=fa:16:3e:00:00:05 actions=output:p1
    table=3,ct_state=+trk+est-rel,ip,ct_mark=0x1/0x1,ct_zone=7,ct_label=0x1/0x3 actions=output:p1
    table=3,ct_state=-trk,ip actions=ct(table=4,zone=NXM_NX_REG6[0..15])
    table=3,priority=3,ct_state=+new+trk,ip actions=ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9),\
    exec(load:0x1->NXM_NX_CT_MARK[])),output:p2
    table=4,conj_id=9,ip actions=output:p1
    table=4,ip,nw_src=10.1.0.1 actions=conjunction(9,1/2),conjunction(10,1/3)
    table=10,priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0xa1,NXM_OF_VLAN_TCI[0..11],\
    NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],\
    output:OXM_OF_IN_PORT[]),output:p1
    table=10,priority=2,arp actions=learn(table=21,idle_timeout=5,fin_idle_timeout=2,delete_learned,limit=9,\
    result_dst=NXM_NX_REG0[8],eth_type=0x806,NXM_NX_REG1[0..7]=0x5,in_port=p2,load:0x5->NXM_NX_REG3[])
    table=21,arp,dl_vlan=1,arp_tpa=10.0.0.1 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],\
    mod_dl_src:fa:16:3e:00:00:09,load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],\
    move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:0xfa163e000009->NXM_NX_ARP_SHA[],load:0xa000001->NXM_OF_ARP_SPA[],\
    IN_PORT
    table=22,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(p1,5),resubmit:p2,resubmit(,6)
    table=23,dl_type=0x88cc actions=output(port=p1,max_len=100),note:01.02.03,clone(set_tunnel:0x5,output:p1),\
    output:p2
    table=24,tun_src=192.0.2.1,tun_dst=192.0.2.2,tun_flags=+oam,pkt_mark=0x3 actions=set_field:192.0.2.9->tun_dst,\
    output:p1
    table=25,tun_ipv6_src=2001:db8::1 actions=set_field:2001:db8::9->tun_ipv6_dst,push:NXM_NX_REG0[],\
    pop:NXM_NX_REG1[],output:p1
    table=26,in_port=p3 actions=check_pkt_larger(1500)->NXM_NX_REG0[0],enqueue:p1:7,exit
    table=27,ip actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[]),ct_clear,output:p1
    """

  /// Flows that only OpenFlow 1.3 and later can express.
  static let later = """
    table=40,priority=1 actions=clear_actions,write_actions(output:p1),write_metadata:0x5/0xff,goto_table:41
    table=41,dl_vlan=1 actions=meter:1,group:1
    """

  static let ports = """
     1(p1): addr:00:00:00:00:00:01
     2("odd port"): addr:00:00:00:00:00:02
     3(p3): addr:00:00:00:00:00:03
    """

  /// Flows as the datapath installs them, spelled as OpenFlow 1.0 would.
  private func flows(_ text: String, _ ports: PortList) -> Set<InstalledFlow> {
    let dump = FlowDump(text: text)
    #expect(dump.errors.isEmpty)
    let states = ports.ports.compactMap { port -> PortState? in
      guard case .number(let number) = port.port else { return nil }
      return PortState(name: port.name, number: number)
    }
    let bridge = BridgeRuntime(BridgeState(name: "br", ports: states, flows: dump))
    return Set(
      bridge.flows.map { flow in
        var plain = flow
        plain.text = ""
        plain.line = 0
        plain.actions = DialectTests.reduced(flow.actions)
        return plain
      })
  }

  private static func reduced(_ actions: [Action]) -> [Action] {
    var result: [Action] = []
    for action in actions {
      switch action {
      case .pushVLAN: continue
      case .set(.vlanVID, let value, _): result.append(.modVLANVID(UInt16(value)))
      case .set(let field, let value, let mask):
        // OpenFlow 1.0 loads at most 64 bits at once.
        if case .set(field, let old, let bits)? = result.last, bits & mask == 0 {
          result[result.count - 1] = .set(field, value: old | value, mask: bits | mask)
        } else {
          result.append(action)
        }
      case .gotoTable(let table): result.append(.resubmit(port: nil, table: table, connectionTracking: false))
      case .clone(let nested): result.append(.clone(reduced(nested)))
      default: result.append(action)
      }
    }
    return result
  }

  @Test("OpenFlow 1.0 to 1.5, with names and without, with statistics and without")
  func dialects() throws {
    let ovs = try OpenVSwitch()
    var commands = ["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail-mode=secure"]
    for (number, name) in ["p1", "odd port", "p3"].enumerated() {
      commands += [
        "--", "add-port", "br", name, "--", "set", "interface", name, "type=dummy", "ofport_request=\(number + 1)",
      ]
    }
    commands += ["--", "set", "bridge", "br", "protocols=" + DialectTests.versions.joined(separator: ",")]
    try ovs.vsctl(commands)
    let ports = PortList(text: try ovs.ofctl(["-O", "OpenFlow13"], "show", "br"))
    #expect(Set(ports.ports.map(\.name)).isSuperset(of: ["p1", "odd port", "p3"]))
    let file = ovs.directory + "/flows"
    try DialectTests.common.replacingOccurrences(of: "p2", with: "2").write(
      toFile: file, atomically: true, encoding: .utf8)
    _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-flows", "br", [file])
    try compare(
      ovs, ports, versions: DialectTests.versions,
      count: DialectTests.common.split(separator: "\n").count)
    _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-meter", "br", ["meter=1,kbps,band=type=drop,rate=1000"])
    _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-group", "br", ["group_id=1,type=all,bucket=output:1"])
    _ = try ovs.ofctl(["-O", "OpenFlow13"], "del-flows", "br")
    try DialectTests.later.write(toFile: file, atomically: true, encoding: .utf8)
    _ = try ovs.ofctl(["-O", "OpenFlow13"], "add-flows", "br", [file])
    try compare(ovs, ports, versions: DialectTests.versions.filter { $0 >= "OpenFlow13" }, count: 2)
  }

  private static let versions = ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]

  private func compare(_ ovs: OpenVSwitch, _ ports: PortList, versions: [String], count: Int) throws {
    var first: Set<InstalledFlow>?
    for version in versions {
      for names in ["--names", "--no-names"] {
        for statistics in ["--stats", "--no-stats"] {
          let text = try ovs.ofctl(["-O", version, names, statistics], "dump-flows", "br")
          let found = flows(text, ports)
          #expect(found.count == count, "\(version) \(names) \(statistics)")
          let expected = first ?? found
          first = expected
          let missing = expected.subtracting(found).map { "\($0.table) \($0.terms) \($0.actions)" }
          let added = found.subtracting(expected).map { "\($0.table) \($0.terms) \($0.actions)" }
          #expect(missing == [], "\(version) \(names) \(statistics)")
          #expect(added == [], "\(version) \(names) \(statistics)")
        }
      }
    }
  }
}
