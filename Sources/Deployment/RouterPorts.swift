import OpenFlow
import Wire

/// Ports of Neutron's routers.
extension Deployment {
  /// Whether a port is one of a distributed router. Every host has it, with the same MAC; what it sends travels under a
  /// MAC of the host (`dvr_base_mac`), so that the frames at the port are not those in the tunnels.
  func isDistributed(port number: Int) -> Bool {
    let port = ports[number]
    let owner = port.deviceOwner ?? ""
    if owner.contains("distributed") { return true }
    if owner.contains("ha_router") { return false }
    for mac in port.macs {
      if ports.contains(where: { $0.host != port.host && $0.macs.contains(mac) }) { return true }
      for state in [hosts[port.host].before, hosts[port.host].after] {
        if state?.bridges.contains(where: { $0.replaces(mac) }) ?? false { return true }
      }
    }
    return false
  }

  /// Whether the guest, or the router, lies on the transmitting side of an interface: a capture's "outgoing" is what it
  /// sends. So it is at qvb, and at the ports of the switch that are devices of a namespace.
  public func isFarEnd(_ interface: String, _ kind: PointKind, on host: Int) -> Bool {
    if kind == .qvb { return true }
    guard kind == .tap || kind == .router else { return false }
    let ports = hosts[host].state?.bridges.flatMap(\.ports) ?? []
    if let port = ports.first(where: { $0.name == interface }) { return port.type == "internal" }
    return kind == .router
  }
}

extension Bridge {
  /// Whether its flows give frames from a MAC another source.
  fileprivate func replaces(_ mac: MACAddress) -> Bool {
    flows?.flows.contains { flow in
      flow.match.exact(.ethernetSource) == UInt128(mac.rawValue)
        && flow.actions.contains { if case .set(.ethernetSource, _, _) = $0 { true } else { false } }
    } ?? false
  }
}
