import Wire

extension Deployment {
  /// The network with this VNI, GRE key or VLAN; nil where none or more than one has it. Without
  /// `kind`, among overlay networks of any kind.
  public func networkIndex(vni: UInt32, kind: Network.Kind? = nil) -> Int? {
    let found = networks.indices.filter { index in
      let network = networks[index]
      return network.segmentationID == vni && (kind.map { $0 == network.kind } ?? network.isOverlay)
    }
    return found.count == 1 ? found[0] : nil
  }

  /// The network that a host's local VLAN stands for by intent or record; nil where none or more than one has it.
  public func networkIndex(localVLAN vlan: UInt16, on host: Int) -> Int? {
    guard hosts.indices.contains(host) else { return nil }
    let found = hosts[host].localVLANs.filter { $0.value == vlan }
    return found.count == 1 ? found.first?.key : nil
  }

  /// Longest frame that a guest's device sends in one piece, in octets, by the MTUs of the hosts' devices; longer ones
  /// are superframes.
  public var longestFrame: UInt32 {
    let mtus = hosts.flatMap(\.interfaces).filter { device in
      ["tap", "qvo", "qvb", "vhu"].contains { device.name.hasPrefix($0) }
    }.compactMap(\.mtu)
    // Ethernet header and two tags; 1600 where no MTU is known.
    return UInt32(clamping: mtus.max().map { min($0, 65_535) + 22 } ?? 1600)
  }

  public func hostIndex(named name: String) -> Int? { hosts.firstIndex { $0.name == name } }

  /// The host that has this tunnel endpoint.
  public func hostIndex(withVTEP address: IPAddress) -> Int? { hosts.firstIndex { $0.vteps.contains(address) } }

  /// The port with this MAC as its own, on one host or on any (`host` nil): the first where several have it.
  public func port(withMAC mac: MACAddress, on host: Int? = nil) -> Int? {
    ports.firstIndex { port in (host.map { $0 == port.host } ?? true) && port.macs.contains(mac) }
  }

  /// MAC → ports that have it as their own or may send from it. For use per frame.
  public func portsByMAC() -> [MACAddress: [Int]] {
    var result: [MACAddress: [Int]] = [:]
    for (index, port) in ports.enumerated() {
      for mac in Set(port.macs + port.allowedMACs) { result[mac, default: []].append(index) }
    }
    return result
  }
}
