import OpenFlow
import Wire

@testable import Datapath

/// Makes bridges with ports of every VLAN mode and flow tables over all matches and actions that the reference
/// datapath models. The same seed makes the same ones.
struct RandomFlows {
  private var random: SplitMix

  static let macs = ["fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:00:01:01", "fa:16:3f:00:00:77"]
  static let addresses = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.7.9"]
  static let targets = ["fd00:39::1", "fd00:39::2", "fe80::5"]

  init(seed: UInt64) { random = SplitMix(state: seed) }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
  private mutating func pick<Element>(_ list: [Element]) -> Element {
    list[Int.random(in: 0..<list.count, using: &random)]
  }
  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  private mutating func hex(_ range: ClosedRange<Int>) -> String { "0x" + String(number(range), radix: 16) }

  /// Two bridges joined by a patch, one of them with tunnels.
  mutating func bridges(lines: Int) -> [BridgeState] {
    let first = [
      PortState(name: "br-one", number: nil, kind: .local),
      PortState(name: "patch-two", number: 1, kind: .patch(peer: "patch-one")),
      PortState(name: "access1", number: 2, vlans: VLANPolicy(tag: 1)),
      PortState(name: "access2", number: 3, vlans: VLANPolicy(tag: 2)),
      PortState(name: "trunk", number: 4, vlans: VLANPolicy(trunks: chance(50) ? [] : [0, 1, 3])),
      PortState(name: "tagged", number: 5, vlans: VLANPolicy(mode: .nativeTagged, tag: 1, trunks: [2, 3])),
      PortState(name: "untagged", number: 6, vlans: VLANPolicy(mode: .nativeUntagged, tag: 2, trunks: [1])),
      PortState(
        name: "tunnelled", number: 7,
        vlans: VLANPolicy(
          mode: .dot1qTunnel, tag: 3, customerVLANs: chance(50) ? [] : [0, 1, 5],
          tunnelTPID: chance(50) ? 0x8100 : 0x88a8)),
    ]
    let second = [
      PortState(name: "br-two", number: nil, kind: .local),
      PortState(name: "patch-one", number: 1, kind: .patch(peer: "patch-two")),
      PortState(
        name: "vxlan-a", number: 2, kind: .tunnel(.init(kind: .vxlan, remote: .fixed(IPAddress(v4: 0xc612_0102))))),
      PortState(
        name: "geneve-b", number: 3, kind: .tunnel(.init(kind: .geneve, remote: .fixed(IPAddress(v4: 0xc612_0103))))),
      PortState(name: "gre-a", number: 4, kind: .tunnel(.init(kind: .gre, remote: .fixed(IPAddress(v4: 0xc612_0102))))),
      PortState(name: "device", number: 5),
    ]
    return [
      BridgeState(name: "br-one", ports: first, flows: FlowDump(text: table(lines, ports: 1...7))),
      BridgeState(name: "br-two", ports: second, flows: FlowDump(text: table(lines, ports: 1...5))),
    ]
  }

  private mutating func table(_ count: Int, ports: ClosedRange<Int>) -> String {
    var lines = ["table=0,priority=0 actions=NORMAL"]
    for number in 1...7 where chance(70) {
      lines.append(
        "table=\(number),priority=0 actions=" + pick(["NORMAL", "output:\(self.number(ports))", "FLOOD", "resubmit(,8)"]))
    }
    for _ in 0..<count { lines.append(flow(ports)) }
    return lines.joined(separator: "\n")
  }

  private mutating func flow(_ ports: ClosedRange<Int>) -> String {
    let table = chance(45) ? 0 : number(1...8)
    var match = ["table=\(table)", "priority=\(number(1...40))"]
    if chance(20) { match.append("cookie=\(hex(1...5))") }
    if chance(6) { match.append("idle_timeout=\(number(20...90))") }
    if chance(6) { match.append("hard_timeout=\(number(20...90))") }
    if chance(35) { match.append("in_port=\(chance(10) ? "LOCAL" : "\(number(ports))")") }
    if chance(35) { match.append(vlanCondition()) }
    if chance(15) { match.append("dl_src=" + mac()) }
    if chance(30) { match.append("dl_dst=" + mac()) }
    let kind = pick(Kind.allCases)
    match += conditions(kind)
    if chance(15) {
      match.append(
        pick([
          "reg0=\(hex(0...3))", "reg1=\(hex(0...3))/0x3", "metadata=\(hex(0...3))/0x3", "reg7=0", "xreg1=0",
          "pkt_mark=0x1/0x1",
        ]))
    }
    if chance(15) {
      match.append(pick(["tun_id=0x39", "tun_id=0x40", "tun_id=0/0xf", "tun_src=198.18.1.2", "tun_dst=198.18.0.1"]))
    }
    return match.joined(separator: ",") + " actions=" + list(kind, table, ports)
  }

  private enum Kind: CaseIterable {
    case any, any2, other, arp, ip, tcp, udp, icmp, ip6, icmp6
    var isIP: Bool { [.ip, .tcp, .udp, .icmp, .ip6, .icmp6].contains(self) }
    var isIPv4: Bool { [.ip, .tcp, .udp, .icmp].contains(self) }
    var hasPorts: Bool { self == .tcp || self == .udp }
  }

  private mutating func vlanCondition() -> String {
    let vid = number(0...5)
    return pick([
      "dl_vlan=\(vid)", "dl_vlan=\(vid)", "vlan_tci=0x0000/0x1fff", "vlan_tci=0x1000/0x1000",
      "vlan_tci=0x000\(vid)/0x0fff", "dl_vlan_pcp=3", "vlan_vid=0x100\(vid)", "vlan_vid=0x1000/0x1000", "vlan_vid=0",
      "vlan_tci=0x700\(vid)", "vlan_tci=0x0000/0xe000", "vlan_tci=0x0001/0x0001", "dl_vlan=0xffff", "vlan_tci=0",
    ])
  }

  private mutating func mac() -> String {
    pick(
      RandomFlows.macs + [
        "01:00:00:00:00:00/01:00:00:00:00:00", "00:00:00:00:00:00/01:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
        "fa:16:3e:00:00:00/ff:ff:ff:ff:00:00", "00:00:00:00:00:01/00:00:00:00:00:03",
      ])
  }

  private mutating func address() -> String {
    pick(RandomFlows.addresses + ["10.0.0.0/24", "10.0.0.0/8", "0.0.0.1/0.0.0.1", "192.168.0.0/16"])
  }

  private mutating func conditions(_ kind: Kind) -> [String] {
    var result: [String] = []
    switch kind {
    case .any, .any2: return []
    case .other: return ["dl_type=0x88b5"]
    case .arp:
      result.append("arp")
      if chance(40) { result.append("arp_op=\(number(1...2))") }
      if chance(30) { result.append("arp_spa=" + address()) }
      if chance(40) { result.append("arp_tpa=" + address()) }
      if chance(15) { result.append("arp_sha=" + pick(RandomFlows.macs)) }
      if chance(15) { result.append("arp_tha=" + pick(["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])) }
    case .ip, .tcp, .udp, .icmp:
      result.append("\(kind)")
      if chance(40) { result.append("nw_src=" + address()) }
      if chance(40) { result.append("nw_dst=" + address()) }
      if chance(8) { result.append("nw_tos=\(pick([0, 32, 184]))") }
      if chance(5) { result.append("nw_ecn=\(number(0...2))") }
      if chance(8) { result.append("nw_ttl=\(pick([1, 2, 64]))") }
      if chance(5) { result.append("ip_frag=" + pick(["no", "not_later", "later", "first"])) }
      if kind.hasPorts {
        if chance(30) { result.append("tp_src=" + pick(["53", "67", "0x40/0xffc0"])) }
        if chance(40) { result.append("tp_dst=" + pick(["80", "67", "0x50/0xfff0", "53"])) }
      }
      if kind == .tcp, chance(30) { result.append("tcp_flags=" + pick(["+syn-ack", "0x2/0x2", "+syn", "-fin"])) }
      if kind == .icmp, chance(50) { result.append("icmp_type=\(pick([0, 8]))") }
    case .ip6, .icmp6:
      result.append(kind == .ip6 ? "ipv6" : "icmp6")
      if chance(40) { result.append("ipv6_dst=" + pick(RandomFlows.targets + ["fd00:39::/64", "::1/::1"])) }
      if chance(20) { result.append("ipv6_src=fe80::/10") }
      if kind == .icmp6, chance(60) {
        let type = pick([133, 134, 135, 136])
        result.append("icmp_type=\(type)")
        if type >= 135, chance(50) { result.append("nd_target=" + pick(RandomFlows.targets)) }
      }
    }
    return result
  }

  private mutating func list(_ kind: Kind, _ table: Int, _ ports: ClosedRange<Int>) -> String {
    if chance(5) { return "drop" }
    var actions: [String] = []
    for _ in 0..<number(0...3) { actions.append(change(kind)) }
    if chance(25) { actions.append(learn()) }
    if chance(8) { actions.append("clone(\(change(kind)),\(way(table, ports)))") }
    for _ in 0..<(chance(25) ? 2 : 1) {
      actions.append(way(table, ports))
      if chance(30) { actions.append(change(kind)) }
    }
    if chance(20) { actions.append(way(table, ports)) }
    if chance(8) {
      // Out of a tunnel, an action set that is not the end of all spoils what comes after it (see
      // Documentation/datapath.md).
      let ends = ports.upperBound == 5 ? [1, 5] : Array(ports)
      actions.append(
        "write_actions(\(change(kind)),\(pick(["output:\(pick(ends))", "pop_vlan", "push_vlan:0x8100"])))")
    }
    if chance(4) { actions.append("clear_actions") }
    if chance(12), table < 8 { actions.append("goto_table:\(number((table + 1)...8))") }
    return actions.joined(separator: ",")
  }

  /// An action that sends the frame somewhere.
  private mutating func way(_ table: Int, _ ports: ClosedRange<Int>) -> String {
    switch number(0...19) {
    case 0...5: return "output:\(number(ports))"
    case 6: return "IN_PORT"
    case 7: return "LOCAL"
    case 8, 9: return "NORMAL"
    case 10: return pick(["FLOOD", "ALL"])
    case 11: return "load:\(hex(1...7))->NXM_NX_REG2[],output:NXM_NX_REG2[]"
    case 12...15: return "resubmit(,\(number(min(table + 1, 8)...8)))"
    case 16: return "resubmit(\(number(ports)),\(number(0...8)))"
    case 17: return pick(["resubmit(,\(number(0...8)))", "resubmit:\(number(ports))", "note:01.02", "exit"])
    case 18: return "load:\(hex(0...8))->NXM_OF_IN_PORT[],resubmit(,8)"
    default: return "check_pkt_larger(\(pick([60, 90, 1500])))->NXM_NX_REG0[\(number(0...3))],resubmit(,8)"
    }
  }

  /// An action that changes the frame or what is noted beside it.
  private mutating func change(_ kind: Kind) -> String {
    let vid = number(0...5)
    var list = [
      "mod_vlan_vid:\(vid)", "mod_vlan_pcp:\(number(0...7))", "push_vlan:\(pick(["0x8100", "0x88a8"]))",
      "push_vlan:0x8100,set_field:\(4096 + vid)->vlan_vid", "pop_vlan", "strip_vlan", "load:0->NXM_OF_VLAN_TCI[]",
      "load:0x\(pick(["1", "7", "0"]))00\(vid)->NXM_OF_VLAN_TCI[]", "load:\(vid)->NXM_OF_VLAN_TCI[0..11]",
      "load:0x1->NXM_OF_VLAN_TCI[12]", "load:0x5->NXM_OF_VLAN_TCI[13..15]", "set_field:\(4096 + vid)->vlan_vid",
      "set_field:3->vlan_pcp", "mod_dl_src:" + pick(RandomFlows.macs), "mod_dl_dst:" + pick(RandomFlows.macs),
      "set_field:00:00:00:00:00:0\(vid)/00:00:00:00:00:0f->eth_dst", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
      "move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG1[0..11]", "move:NXM_NX_REG1[0..11]->NXM_OF_VLAN_TCI[0..11]",
      "set_field:\(hex(0x38...0x41))->tun_id", "load:\(hex(0...0xf))->NXM_NX_TUN_ID[0..3]",
      "move:NXM_NX_TUN_ID[0..15]->NXM_NX_REG3[8..23]", "move:NXM_NX_REG3[8..23]->NXM_NX_TUN_ID[0..15]",
      "load:\(hex(0...3))->NXM_NX_REG0[]", "load:\(hex(0...3))->NXM_NX_REG1[\(number(0...3))..\(number(5...9))]",
      "set_field:\(hex(0...3))/0x3->reg1", "set_field:\(hex(0...99))->xreg1", "set_field:0x1->metadata",
      "set_field:0x2/0x6->metadata", "push:NXM_NX_REG0[]", "pop:NXM_NX_REG1[]", "push:NXM_OF_ETH_SRC[0..31]",
      "load:0x1->NXM_NX_PKT_MARK[]", "note:aa", "set_queue:1", "pop_queue", "write_metadata:0x3/0x1",
      "load:\(hex(1...3))->NXM_NX_XXREG0[64..95]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15]",
    ]
    if kind == .arp {
      list += [
        "load:0x2->NXM_OF_ARP_OP[]", "set_field:\(pick(RandomFlows.macs))->arp_sha",
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]", "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        "load:0xa000063->NXM_OF_ARP_SPA[]", "move:NXM_OF_ETH_SRC[]->NXM_NX_ARP_THA[]",
      ]
    }
    if kind.isIP {
      list += ["dec_ttl", "dec_ttl", "mod_nw_ttl:9", "mod_nw_tos:\(pick([32, 184]))", "mod_nw_ecn:1"]
    }
    if kind.isIPv4 {
      list += [
        "mod_nw_dst:" + pick(RandomFlows.addresses), "mod_nw_src:10.9.9.9", "load:0x7->NXM_OF_IP_DST[0..7]",
        "move:NXM_OF_IP_SRC[]->NXM_NX_REG4[]", "set_field:10.0.0.0/255.0.0.0->ip_src",
      ]
    }
    if kind == .ip6 || kind == .icmp6 { list += ["set_field:fd00::7->ipv6_dst", "set_field:fd00::8->ipv6_src"] }
    if kind.hasPorts {
      list += ["mod_tp_dst:8080", "mod_tp_src:99", "fin_timeout(idle_timeout=5,hard_timeout=9)"]
      list.append("move:NXM_OF_\(kind == .tcp ? "TCP" : "UDP")_SRC[]->NXM_NX_REG5[0..15]")
    }
    return pick(list)
  }

  private mutating func learn() -> String {
    var parts = ["table=\(number(6...8))", "priority=\(number(1...60))"]
    if chance(80) { parts.append("hard_timeout=\(number(30...300))") }
    if chance(30) { parts.append("idle_timeout=\(number(20...200))") }
    if chance(10) { parts.append("fin_idle_timeout=5") }
    if chance(10) { parts.append("fin_hard_timeout=9") }
    if chance(40) { parts.append("cookie=\(hex(1...5))") }
    if chance(15) { parts.append("limit=\(number(1...6))") }
    if chance(15) { parts.append("result_dst=NXM_NX_REG0[\(number(0...3))]") }
    if chance(10) { parts.append("delete_learned") }
    if chance(10) { parts.append("send_flow_rem") }
    var specs = [
      "NXM_OF_VLAN_TCI[0..11]", "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]", "NXM_OF_ETH_SRC[]", "NXM_OF_IN_PORT[]",
      "NXM_NX_REG1[0..7]", "NXM_NX_REG1[0..3]=0x2", "NXM_NX_REG3[0..15]=NXM_NX_TUN_ID[0..15]", "NXM_NX_TUN_ID[]",
      "vlan_tci=0x1001", "NXM_OF_VLAN_TCI[]", "NXM_OF_VLAN_TCI[12]", "eth_dst=fa:16:3e:00:00:01",
    ]
    var count = number(1...3)
    while count > 0, let index = specs.indices.randomElement(using: &random) {
      parts.append(specs.remove(at: index))
      count -= 1
    }
    if chance(20) {
      parts.append("eth_type=0x800")
      parts.append(pick(["NXM_OF_IP_DST[]=NXM_OF_IP_SRC[]", "NXM_OF_IP_SRC[0..7]", "ip_dst=10.0.0.1"]))
    }
    let loads = [
      "load:0->NXM_OF_VLAN_TCI[]", "load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[]", "load:0x5->NXM_NX_REG4[8..15]",
      "load:NXM_OF_IN_PORT[]->NXM_NX_REG4[0..15]", "load:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG1[0..11]",
      "load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", "load:0x40->NXM_NX_TUN_ID[]",
      "load:NXM_OF_VLAN_TCI[0..11]->NXM_OF_VLAN_TCI[0..11]",
    ]
    for _ in 0..<number(0...2) { parts.append(pick(loads)) }
    if chance(85) { parts.append(pick(["output:NXM_OF_IN_PORT[]", "output:OXM_OF_IN_PORT[]", "output:NXM_NX_REG2[0..15]"])) }
    return "learn(" + parts.joined(separator: ",") + ")"
  }
}
