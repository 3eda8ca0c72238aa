import Deployment

extension Deployment {
  /// Whether a port was there when captures began and is not there any more, by its host's dumps.
  func isUnplugged(_ number: Int) -> Bool {
    let host = hosts[ports[number].host]
    guard let before = host.before, let after = host.after, !after.bridges.isEmpty,
      let name = [ports[number].bridgePort, ports[number].qvo, ports[number].tap].compactMap({ $0 }).first
    else { return false }
    func has(_ state: HostState) -> Bool { state.bridges.contains { $0.ports.contains { $0.name == name } } }
    return has(before) && !has(after)
  }

  /// Whether a port is one that the dumps of its host have, as far as they list ports: one that only captures know of
  /// had gone, or had not come, when the flows were dumped.
  func isPlugged(_ number: Int) -> Bool {
    let port = ports[number]
    guard port.source == .inferred else { return true }
    let states = [hosts[port.host].before, hosts[port.host].after].compactMap { $0 }
    let known = states.flatMap(\.bridges).flatMap(\.ports).filter { $0.type.isEmpty || $0.type == "system" }
    // tap, qvb and qvo of a port differ in their first three letters.
    let ends = [port.bridgePort, port.qvo, port.tap, port.name].compactMap { $0?.dropFirst(3) }
    return known.isEmpty || known.contains { ends.contains($0.name.dropFirst(3)) }
  }
}
