/// Guests that only the names of captured interfaces show.
extension Deployment {
  /// Adds a port for each guest whose interfaces were captured on a host and that no source names: `tapX`, `qvbX` and
  /// `qvoX` of one suffix are one port. For captures that name their interfaces inside (pcapng).
  public mutating func addPorts(capturedOn host: Int, interfaces names: [String]) {
    var groups: [String: Set<String>] = [:]
    for name in names where role(of: name, on: host).port == nil && hosts[host].interfaceKinds[name] == nil {
      let suffix = String(name.dropFirst(3))
      guard ["tap", "qvo", "qvb", "vhu"].contains(name.prefix(3)), !suffix.isEmpty else { continue }
      groups[suffix, default: []].insert(name)
    }
    for suffix in groups.keys.sorted() {
      let own = groups[suffix] ?? []
      func named(_ prefix: String) -> String? { own.contains(prefix + suffix) ? prefix + suffix : nil }
      let isHybrid = named("qvo") != nil || named("qvb") != nil
      let plug = isHybrid ? "qvo" + suffix : named("tap") ?? "vhu" + suffix
      var port = Port(host: host, network: nil, name: plug, source: .inferred)
      port.tap = named("tap") ?? named("vhu")
      port.qvb = named("qvb")
      port.qvo = isHybrid ? plug : nil
      port.bridgePort = plug
      ports.append(port)
    }
  }
}
