import Deployment
import OpenFlow
import Wire

/// br-tun as br_tun.py sets it up.
extension NeutronPlan {
  static let patchInt = "patch-int"
  static let patchTun = "patch-tun"

  /// Table by kind of tunnel: GRE_TUN_TO_LV, VXLAN_TUN_TO_LV, GENEVE_TUN_TO_LV.
  private static func table(_ kind: String) -> Int {
    switch kind {
    case "gre": 3
    case "vxlan": 4
    default: 6
    }
  }

  /// Table LEARN_FROM_TUN's action: where a frame came from is where answers go.
  private static let learn =
    "learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
    + "load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[])"

  /// nil where no network travels in tunnels.
  func tunnelBridge(_ mode: NeutronMode) -> BridgeState? {
    guard deployment.networks.contains(where: \.isOverlay) else { return nil }
    var numbers = numbers("br-tun")
    var ports = [
      PortState(
        name: Self.patchInt, number: numbers.number(of: Self.patchInt), kind: .patch(peer: Self.patchTun))
    ]
    let wanted = mode.populatesTables ? tunnels.filter(isShared) : tunnels
    for tunnel in wanted {
      ports.append(
        PortState(name: tunnel.name, number: numbers.number(of: tunnel.name), kind: .tunnel(tunnel.settings)))
    }
    return Self.bridge("br-tun", ports, tunnelLines(mode, wanted))
  }

  /// l2population makes a tunnel only where two hosts have a network in common.
  private func isShared(_ tunnel: Tunnel) -> Bool {
    overlayNetworks.contains {
      $0.network.kind.rawValue == tunnel.kind.rawValue && peers[$0.index]?.contains(tunnel.peer) ?? false
    }
  }

  private func tunnelLines(_ mode: NeutronMode, _ tunnels: [Tunnel]) -> [String] {
    let patch = Self.quoted(Self.patchInt)
    var lines = ["table=0,priority=1,in_port=\(patch) actions=goto_table:2"]
    lines += tunnels.map {
      "table=0,priority=1,in_port=\(Self.quoted($0.name)) actions=goto_table:\(Self.table($0.kind.rawValue))"
    }
    lines.append("table=0,priority=0 actions=drop")
    if mode.answersARP { lines.append("table=2,priority=1,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21") }
    lines += [
      "table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20",
      "table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22",
    ]
    for kind in ["gre", "vxlan", "geneve"] {
      for item in overlayNetworks where item.network.kind.rawValue == kind {
        lines.append(
          "table=\(Self.table(kind)),priority=1,tun_id=\(Self.hex(item.id)) actions=push_vlan:0x8100,"
            + "set_field:\(4096 + Int(item.vlan))->vlan_vid,goto_table:10")
      }
      lines.append("table=\(Self.table(kind)),priority=0 actions=drop")
    }
    for kind in ["arp,arp_tha=ff:ff:ff:ff:ff:ff", "icmp6,icmp_type=134", "icmp6,icmp_type=136"] {
      lines.append("table=10,priority=2,\(kind) actions=\(Self.learn),output:\(patch)")
    }
    lines.append("table=10,priority=1 actions=\(Self.learn),output:\(patch)")
    if mode.populatesTables { lines += populated(mode, tunnels) }
    lines.append("table=20,priority=0 actions=goto_table:22")
    if mode.answersARP { lines.append("table=21,priority=0 actions=goto_table:22") }
    for item in overlayNetworks {
      let outputs = tunnels.filter {
        $0.kind.rawValue == item.network.kind.rawValue
          && (!mode.populatesTables || peers[item.index]?.contains($0.peer) ?? false)
      }
      if outputs.isEmpty { continue }
      lines.append(
        "table=22,priority=1,dl_vlan=\(item.vlan) actions=pop_vlan,set_field:\(Self.hex(item.id))->tun_id,"
          + outputs.map { "output:\(Self.quoted($0.name))" }.joined(separator: ","))
    }
    lines.append("table=22,priority=0 actions=drop")
    return lines
  }

  /// What l2population installs for every port of other hosts: its MAC's place, and answers for its addresses.
  private func populated(_ mode: NeutronMode, _ tunnels: [Tunnel]) -> [String] {
    var unicast: [String] = []
    var answers: [String] = []
    for item in overlayNetworks {
      var seen: Set<MACAddress> = []
      for port in deployment.ports where port.host != host && port.active && port.network == item.index {
        guard let mac = port.macs.first, seen.insert(mac).inserted,
          let tunnel = tunnels.first(where: {
            $0.peer == port.host && $0.kind.rawValue == item.network.kind.rawValue
          })
        else { continue }
        unicast.append(
          "table=20,priority=2,dl_vlan=\(item.vlan),dl_dst=\(mac) actions=pop_vlan,"
            + "set_field:\(Self.hex(item.id))->tun_id,output:\(Self.quoted(tunnel.name))")
        guard mode.answersARP else { continue }
        for address in port.addresses where address.family == .v4 {
          answers.append(
            "table=21,priority=1,arp,dl_vlan=\(item.vlan),arp_tpa=\(address) actions=set_field:2->arp_op,"
              + "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
              + "set_field:\(mac)->arp_sha,set_field:\(address)->arp_spa,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
              + "set_field:\(mac)->eth_src,in_port")
        }
      }
    }
    return unicast + answers
  }
}
