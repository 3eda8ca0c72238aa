import OpenFlow
import Wire

/// Frames leaving a bridge: ports, tunnels, patches.
extension HostDatapath {
  func output(
    _ reference: PortReference, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet,
    _ run: inout Run, _ choices: inout Choices
  ) {
    switch reference {
    case .inPort: emit(packet.inPort, bridge, flow, packet, &run, &choices)
    case .normal: normal(bridge, &packet, flow, &run, &choices)
    case .flood, .all:
      for port in bridges[bridge].floodOrder {
        guard let number = bridges[bridge].ports[port].number, number != packet.inPort else { continue }
        emit(number, bridge, flow, packet, &run, &choices)
      }
    case .table: lookUp(bridge, table: 0, port: packet.inPort, from: table, &packet, &run, &choices)
    case .controller: run.wentToController = true
    case .local: outputTo(PortState.localNumber, bridge, flow, packet, &run, &choices)
    case .number(let number): outputTo(number, bridge, flow, packet, &run, &choices)
    case .name, .none: break
    }
  }

  /// A frame never leaves by the port it came in by, unless it is told to with IN_PORT.
  private func outputTo(
    _ number: UInt32, _ bridge: Int, _ flow: FlowIndex, _ packet: Packet, _ run: inout Run, _ choices: inout Choices
  ) {
    if number == packet.inPort {
      run.note("skipped: output to the input port")
    } else {
      emit(number, bridge, flow, packet, &run, &choices)
    }
  }

  /// Sends the packet out of a port. The packet itself is unchanged for what follows.
  func emit(
    _ number: UInt32, _ bridge: Int, _ flow: FlowIndex, _ packet: Packet, _ run: inout Run, _ choices: inout Choices
  ) {
    guard let port = bridges[bridge].portByNumber[number] else {
      run.note("no port \(number)")
      return
    }
    var exit = Run.Exit(
      bridge: bridge, port: port, packet: packet.bare, outputFlow: flow, vlanFlow: packet.vlanFlow)
    exit.isRewritten =
      packet.source != run.original.source || packet.destination != run.original.destination
      || packet.ttl != run.original.ttl
    switch bridges[bridge].ports[port].kind {
    case .patch:
      if let peer = bridges[bridge].peers[port] {
        cross(from: .init(bridge: bridge, port: port), to: peer, flow, packet, &run, &choices)
        return
      }
      // A patch port without its other end swallows the frame.
      run.note("dropped: the patch port has no peer")
      return
    case .tunnel(let settings):
      guard address(&exit, settings, packet, &run) else { return }
    case .device, .local: break
    }
    run.exits.append(exit)
  }

  /// Remote and key of a tunnel (`tnl_port_send`).
  private func address(
    _ exit: inout Run.Exit, _ settings: TunnelSettings, _ packet: Packet, _ run: inout Run
  ) -> Bool {
    switch settings.remote {
    case .fixed(let remote): exit.remote = remote
    case .flow: exit.remote = packet.tunnelDestination
    }
    if exit.remote.family == .none {
      run.note("dropped: the tunnel has no destination")
      return false
    }
    if exit.remote == run.original.tunnelDestination {
      run.note("dropped: the tunnel's destination is the host itself")
      return false
    }
    switch settings.outKey {
    case .flow:
      exit.tunnelID = packet.tunnelID
      exit.tunnelIDFlow = packet.tunnelIDFlow
    case .fixed(let key):
      exit.tunnelID = settings.kind == .gre && key == 0 ? nil : key
    }
    return true
  }

  private func cross(
    from: BridgeRuntime.Place, to: BridgeRuntime.Place, _ flow: FlowIndex, _ packet: Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    run.passages.append(
      .init(
        from: from, to: to, tags: packet.tags, isUncertain: packet.isUncertain, outputFlow: flow,
        vlanFlow: packet.vlanFlow))
    // Every crossing counts against the same limits as resubmits, so that a ring of bridges ends.
    guard run.level < 64, let number = bridges[to.bridge].ports[to.port].number else {
      run.failed = true
      return
    }
    var inner = packet
    inner.enterBridge(port: number)
    let stack = run.stack
    let set = run.actionSet
    let last = run.lastFlow
    let stopped = run.stopped
    run.stack = []
    run.actionSet = []
    run.level += 1
    enter(to.bridge, &inner, &run, &choices)
    run.level -= 1
    run.stack = stack
    run.actionSet = set
    run.stopped = stopped
    // Errors of the other bridge do not stop this one.
    run.failed = false
    // What became of the frame was decided over there; without an exit, that is where it ended.
    if !run.exits.isEmpty { run.lastFlow = last }
  }
}
