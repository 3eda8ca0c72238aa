import Wire

extension Deployment {
  /// The tunnel ports of a host's state, in the order of bridges and port names. Default
  /// destination ports: 4789 (VXLAN), 6081 (Geneve).
  public func tunnels(of host: Int) -> [Tunnel] {
    guard hosts.indices.contains(host), let state = hosts[host].state else { return [] }
    return state.bridges.flatMap { bridge in bridge.ports.compactMap { Tunnel($0, bridge: bridge.name) } }
  }

  /// Where a host's tunnels led at any time that its state tells of: agents make and remove tunnels as they go.
  public func tunnelRemotes(of host: Int) -> Set<IPAddress> {
    guard hosts.indices.contains(host) else { return [] }
    let bridges = [hosts[host].before, hosts[host].after].compactMap { $0 }.flatMap(\.bridges)
    return Set(bridges.flatMap { bridge in bridge.ports.compactMap { Tunnel($0, bridge: bridge.name)?.remote } })
  }

  /// Whether anything tells where a host's tunnels lead.
  public func hasTunnelList(_ host: Int) -> Bool {
    guard hosts.indices.contains(host) else { return false }
    return [hosts[host].before, hosts[host].after].compactMap { $0 }.flatMap(\.bridges)
      .contains { bridge in bridge.ports.contains { Tunnel($0, bridge: bridge.name) != nil } }
  }
}

extension Tunnel {
  /// nil where the port is no tunnel of a known kind.
  public init?(_ port: BridgePort, bridge: String) {
    let kind: Kind
    switch port.type {
    case "vxlan": kind = .vxlan
    case "gre", "ip6gre", "gre_system": kind = .gre
    case "geneve": kind = .geneve
    default: return nil
    }
    let standard: UInt16 =
      switch kind {
      case .vxlan: 4789
      case .geneve: 6081
      case .gre: 0
      }
    let chosen = kind == .gre ? nil : port.options["dst_port"].flatMap { UInt16($0) }
    self.init(name: port.name, bridge: bridge, kind: kind, destinationPort: chosen ?? standard)
    ofport = port.ofport
    local = port.options["local_ip"].flatMap { ipAddress($0) }
    remote = port.options["remote_ip"].flatMap { ipAddress($0) }
    func number(_ names: String...) -> UInt32? {
      let text = names.lazy.compactMap { port.options[$0] }.first
      return text.flatMap { unsignedNumber($0) }.flatMap { UInt32(exactly: $0) }
    }
    key = number("key", "out_key", "in_key")
    inKey = number("in_key", "key")
  }
}
