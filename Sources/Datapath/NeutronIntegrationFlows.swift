import Deployment
import OpenFlow
import Wire

/// br-int as br_int.py sets it up, the bridges of trunks (services/trunk), and a bridge for provider
/// networks (br_phys.py).
extension NeutronPlan {
  private static let provider = "br-provider"
  private static let providerSide = "phy-br-provider"
  private static let integrationSide = "int-br-provider"

  func integrationBridge(_ mode: NeutronMode) -> BridgeState {
    var numbers = numbers("br-int")
    var ports: [PortState] = []
    if deployment.networks.contains(where: \.isOverlay) {
      ports.append(
        PortState(
          name: Self.patchTun, number: numbers.number(of: Self.patchTun), kind: .patch(peer: Self.patchInt)))
    }
    if !providerNetworks.isEmpty {
      ports.append(
        PortState(
          name: Self.integrationSide, number: numbers.number(of: Self.integrationSide),
          kind: .patch(peer: Self.providerSide)))
    }
    var names: Set<String> = []
    for index in self.ports where names.insert(bridgePort(index)).inserted {
      let port = deployment.ports[index]
      let name = bridgePort(index)
      let isTrunk = !port.subports.isEmpty
      ports.append(
        PortState(
          name: name, number: numbers.number(of: name),
          kind: isTrunk ? .patch(peer: "tpt-" + Self.suffix(port)) : .device,
          vlans: VLANPolicy(tag: port.network.flatMap { localVLANs[$0] })))
      for subport in port.subports {
        let name = Self.subportName("spi-", port, subport)
        ports.append(
          PortState(
            name: name, number: numbers.number(of: name), kind: .patch(peer: Self.subportName("spt-", port, subport)),
            vlans: VLANPolicy(tag: localVLANs[subport.network])))
      }
    }
    return Self.bridge("br-int", ports, integrationLines(mode))
  }

  private static func subportName(_ prefix: String, _ port: Port, _ subport: Subport) -> String {
    "\(prefix)\(suffix(port))-\(subport.vlan)"
  }

  private func integrationLines(_ mode: NeutronMode) -> [String] {
    var lines = ["table=0,priority=65535,dl_vlan=4095 actions=drop"]
    let protected = mode.preventsSpoofing ? ports.filter(isProtected) : []
    for index in protected {
      let name = Self.quoted(bridgePort(index))
      lines += [
        "table=0,priority=10,icmp6,in_port=\(name),icmp_type=136 actions=resubmit(,24)",
        "table=0,priority=10,arp,in_port=\(name) actions=resubmit(,24)",
        "table=0,priority=9,in_port=\(name) actions=resubmit(,25)",
      ]
    }
    if !providerNetworks.isEmpty {
      let side = Self.quoted(Self.integrationSide)
      for network in providerNetworks {
        lines.append(
          network.segment.map {
            "table=0,priority=3,in_port=\(side),dl_vlan=\($0) actions=set_field:\(4096 + Int(network.vlan))->vlan_vid,"
              + "resubmit(,58)"
          }
            ?? "table=0,priority=3,in_port=\(side),vlan_tci=0x0000/0x1fff actions=push_vlan:0x8100,"
            + "set_field:\(4096 + Int(network.vlan))->vlan_vid,resubmit(,58)")
      }
      lines.append("table=0,priority=2,in_port=\(side) actions=drop")
    }
    lines += ["table=0,priority=0 actions=resubmit(,58)", "table=23,priority=0 actions=drop"]
    for index in protected { lines += spoofingLines(index) }
    lines += [
      "table=24,priority=0 actions=drop", "table=30,priority=0 actions=resubmit(,58)",
      "table=31,priority=0 actions=resubmit(,58)", "table=58,priority=0 actions=resubmit(,59)",
      "table=59,priority=0 actions=resubmit(,60)", "table=60,priority=3 actions=NORMAL",
      "table=62,priority=3 actions=NORMAL",
    ]
    return lines
  }

  /// Neutron's own ports, and those without port security, send what they like (ovs_neutron_agent.py,
  /// `setup_arp_spoofing_protection`). Of a port whose addresses or MACs the intent leaves out, nothing can be said.
  private func isProtected(_ index: Int) -> Bool {
    let port = deployment.ports[index]
    guard port.portSecurity ?? true, !port.macs.isEmpty, !port.addresses.isEmpty, port.subports.isEmpty else {
      return false
    }
    return !(port.deviceOwner?.hasPrefix("network:") ?? false)
  }

  private func spoofingLines(_ index: Int) -> [String] {
    let port = deployment.ports[index]
    let name = Self.quoted(bridgePort(index))
    let macs = Array(Set(port.macs + port.allowedMACs)).sorted { $0.rawValue < $1.rawValue }
    let linkLocal = macs.map { "\(IPAddress.linkLocal(of: $0))" }
    let six = port.addresses.filter { $0.family == .v6 }.map { "\($0)" }
    let four = port.addresses.filter { $0.family == .v4 }.map { "\($0)" }
    let allowedSix = port.allowedAddresses.filter { $0.contains(":") }
    let allowedFour = port.allowedAddresses.filter { !$0.contains(":") }
    var lines: [String] = []
    for address in Self.unique(six + allowedSix + linkLocal) {
      lines.append(
        "table=24,priority=2,icmp6,in_port=\(name),icmp_type=136,nd_target=\(address) actions=resubmit(,58)")
    }
    for address in Self.unique(four + allowedFour) {
      lines.append("table=24,priority=2,arp,in_port=\(name),arp_spa=\(address) actions=resubmit(,25)")
    }
    for mac in macs { lines.append("table=25,priority=2,in_port=\(name),dl_src=\(mac) actions=resubmit(,30)") }
    return lines
  }

  private static func unique(_ items: [String]) -> [String] {
    var seen: Set<String> = []
    return items.filter { seen.insert($0).inserted }
  }

  // MARK: Trunks

  /// One bridge for each trunk: the guest's port, and patches for untagged frames and for each subport.
  func trunkBridges() -> [BridgeState] {
    ports.filter { !deployment.ports[$0].subports.isEmpty }.map { index in
      let port = deployment.ports[index]
      let suffix = Self.suffix(port)
      let name = String("tbr-\(suffix)".prefix(15))
      let device = port.tap ?? port.qvo ?? port.name
      var states = [
        PortState(name: device, number: 1),
        PortState(name: "tpt-" + suffix, number: 2, kind: .patch(peer: bridgePort(index))),
      ]
      for (place, subport) in port.subports.enumerated() {
        states.append(
          PortState(
            name: Self.subportName("spt-", port, subport), number: UInt32(3 + place),
            kind: .patch(peer: Self.subportName("spi-", port, subport)), vlans: VLANPolicy(tag: subport.vlan)))
      }
      // The agent leaves it as it was made: it switches by itself.
      return Self.bridge(name, states, nil)
    }
  }

  // MARK: Provider networks

  /// nil where the host has no network of type vlan or flat.
  func providerBridge() -> BridgeState? {
    guard !providerNetworks.isEmpty else { return nil }
    let side = Self.quoted(Self.providerSide)
    var lines = providerNetworks.map { network in
      "table=0,priority=4,in_port=\(side),dl_vlan=\(network.vlan) actions="
        + (network.segment.map { "set_field:\(4096 + Int($0))->vlan_vid,NORMAL" } ?? "pop_vlan,NORMAL")
    }
    lines += ["table=0,priority=2,in_port=\(side) actions=drop", "table=0,priority=0 actions=NORMAL"]
    let ports = [
      PortState(name: Self.providerSide, number: 1, kind: .patch(peer: Self.integrationSide)),
      PortState(name: "provider", number: 2),
    ]
    return Self.bridge(Self.provider, ports, lines)
  }
}

extension IPAddress {
  /// fe80::/64 with the interface identifier that RFC 4291, appendix A, makes of a MAC.
  fileprivate static func linkLocal(of mac: MACAddress) -> IPAddress {
    let flipped = mac.rawValue ^ 0x0200_0000_0000
    return IPAddress(
      v6High: 0xfe80 << 48, low: (flipped >> 24) << 40 | 0xff_fe00_0000 | flipped & 0xff_ffff)
  }
}
