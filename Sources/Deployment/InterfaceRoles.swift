import Wire

extension Deployment {
  /// What an interface of a host is: by the manifest, else as part of a port's path, else by
  /// state, else by the kind of its name. Where no device is known to hold a tunnel endpoint, a name that
  /// network cards have (`eth1`, `ens3f0`, `bond0`) is taken for the underlay's.
  public func role(of interface: String, on host: Int) -> InterfaceRole {
    guard hosts.indices.contains(host) else { return InterfaceRole(kind: .unknown) }
    let port = ports.firstIndex { $0.host == host && $0.path.contains(interface) }
    if let kind = hosts[host].interfaceKinds[interface] { return InterfaceRole(kind: kind, port: port) }
    // Open vSwitch keeps the output of a mirror for that: whoever is plugged in there takes part in no network.
    if port.map({ isMirrorOutput(ports[$0], on: host) }) ?? isMirrorOutput(interface, on: host) {
      return InterfaceRole(kind: .mirror, port: port)
    }
    if let port {
      let kind = ports[port].kind(of: interface)
      // A distributed router's frames change on their way.
      return InterfaceRole(kind: kind, port: kind == .router && isDistributed(port: port) ? nil : port)
    }
    return InterfaceRole(kind: kindFromState(interface, host) ?? kindFromName(interface, host))
  }

  private func kindFromState(_ name: String, _ host: Int) -> PointKind? {
    let bridges = bridges(of: host)
    if underlayInterfaces(of: host).contains(name) { return .tunnel }
    if bridges.contains(where: { $0.name == name }) { return name.hasPrefix("tbr-") ? .trunk : .bridge }
    for bridge in bridges {
      guard let port = bridge.ports.first(where: { $0.name == name || $0.members.contains(name) }) else { continue }
      if Tunnel(port, bridge: bridge.name) != nil { return .tunnelDevice }
      if let named = namedKind(name) { return named }
      if port.type == "patch" { return .patch }
      if port.isPhysical, isProviderBridge(bridge, among: bridges) { return .provider }
    }
    if namedKind(name) == nil, hosts[host].interfaces.first(where: { $0.name == name })?.kind == "bridge" {
      return .bridge
    }
    return nil
  }

  private func bridges(of host: Int) -> [Bridge] { [hosts[host].before, hosts[host].after].compactMap { $0 }.flatMap(\.bridges) }

  private func isMirrorOutput(_ name: String, on host: Int) -> Bool {
    bridges(of: host).contains { $0.mirrors.contains { $0.outputPort == name } }
  }

  private func isMirrorOutput(_ port: Port, on host: Int) -> Bool {
    port.bridgePort.map { isMirrorOutput($0, on: host) } ?? false
  }

  private func kindFromName(_ name: String, _ host: Int) -> PointKind {
    if let kind = namedKind(name) { return kind }
    return isPhysicalName(name) && underlayInterfaces(of: host).isEmpty ? .tunnel : .unknown
  }

  /// Kinds that names alone tell (Neutron's and Open vSwitch's prefixes).
  private func namedKind(_ name: String) -> PointKind? {
    if name == "any" { return .any }
    let kinds: [(String, PointKind)] = [
      ("vxlan_sys_", .tunnelDevice), ("gre_sys", .tunnelDevice), ("genev_sys_", .tunnelDevice), ("tap", .tap),
      ("vhu", .tap), ("qvo", .qvo), ("qvb", .qvb), ("qbr", .qbr), ("qr-", .router), ("qg-", .router),
      ("ha-", .router), ("sg-", .router), ("fg-", .router), ("fpr-", .router), ("rfp-", .router), ("tbr-", .trunk),
      ("tpi-", .trunk), ("tpt-", .trunk), ("spi-", .trunk), ("spt-", .trunk), ("int-br-", .provider),
      ("phy-br-", .provider), ("patch-", .patch), ("br-", .bridge), ("ovs-system", .bridge), ("ovs-netdev", .bridge),
    ]
    return kinds.first { name.hasPrefix($0.0) }?.1
  }

  /// Whether a patch joins it to br-int as provider bridges are joined.
  private func isProviderBridge(_ bridge: Bridge, among bridges: [Bridge]) -> Bool {
    bridge.ports.contains { port in
      if port.name.hasPrefix("phy-br-") { return true }
      guard let peer = port.patchPeer else { return false }
      return bridges.contains { $0.name == "br-int" && $0.ports.contains { $0.name == peer } }
    }
  }

  /// Interfaces on which the host's encapsulated frames travel: the holder of a tunnel endpoint
  /// address and all devices beneath it (bridge, bond and its members, VLAN sub-interface).
  public func underlayInterfaces(of host: Int) -> Set<String> {
    guard hosts.indices.contains(host) else { return [] }
    let devices = hosts[host].interfaces
    let vteps = Set(hosts[host].vteps)
    var found: Set<String> = []
    var pending = devices.filter { device in device.name != "lo" && device.addresses.contains(where: vteps.contains) }
      .map(\.name)
    let bridges = hosts[host].state?.bridges ?? []
    while let name = pending.popLast() {
      guard found.insert(name).inserted else { continue }
      // Open vSwitch: the physical ports of the bridge whose internal port it is.
      for bridge in bridges where bridge.ports.contains(where: { $0.name == name && $0.type == "internal" }) {
        for port in bridge.ports where port.isPhysical { pending += port.members.isEmpty ? [port.name] : port.members }
      }
      pending += devices.filter { $0.master == name && !$0.name.hasPrefix("tap") && !$0.name.hasPrefix("vnet") }.map(
        \.name)
      if let device = devices.first(where: { $0.name == name }), let link = device.link,
        ["vlan", "macvlan", "ipvlan", "bond", "team"].contains(device.kind ?? "vlan")
      {
        pending.append(link)
      } else if let dot = name.lastIndex(of: "."), UInt16(name[name.index(after: dot)...]) != nil {
        pending.append(String(name[..<dot]))
      }
    }
    return found
  }
}

extension BridgePort {
  /// A real device: neither internal, patch nor tunnel, and no guest's.
  fileprivate var isPhysical: Bool {
    ["", "system", "dpdk", "afxdp", "netdev"].contains(type) && externalIDs["iface-id"] == nil
      && otherConfig["net_uuid"] == nil && !["qvo", "tap", "vhu"].contains(String(name.prefix(3)))
      && !name.hasPrefix("int-br-") && !name.hasPrefix("phy-br-")
  }
}

extension Port {
  /// Names of the interfaces on its path.
  fileprivate var path: [String] { [tap, qbr, qvb, qvo, bridgePort].compactMap { $0 } }

  fileprivate func kind(of interface: String) -> PointKind {
    switch interface {
    case qvo: .qvo
    case qvb: .qvb
    case qbr: .qbr
    case tap: .tap
    default:
      switch interface.prefix(3) {
      case "qr-", "qg-", "ha-", "sg-", "fg-": .router
      case "tpi", "spi": .trunk
      case "qvo": .qvo
      default: .tap
      }
    }
  }
}
