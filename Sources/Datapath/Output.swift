import OpenFlow
import Wire

/// Frames leaving a bridge: ports, tunnels, patches.
extension HostDatapath {
  func output(
    _ reference: PortReference, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet,
    _ run: inout Run, _ choices: inout Choices
  ) {
    switch reference {
    case .inPort: emit(packet.inPort, bridge, table, flow, packet, &packet, &run, &choices)
    case .normal: normal(bridge, table, &packet, flow, &run, &choices)
    case .flood, .all:
      let copies = bridges[bridge].floodOrder.compactMap { port -> Run.Copy? in
        guard let number = bridges[bridge].ports[port].number, number != packet.inPort else { return nil }
        return Run.Copy(port: number, tag0: packet.tag0, tag1: packet.tag1, isUncertain: packet.isUncertain)
      }
      run.put(copies: copies, bridge, table, flow)
    case .table: lookUp(bridge, table: 0, port: packet.inPort, .goto(from: table), &packet, &run, &choices)
    case .controller: run.wentToController = true
    case .local: outputTo(PortState.localNumber, bridge, table, flow, &packet, &run, &choices)
    case .number(let number): outputTo(number, bridge, table, flow, &packet, &run, &choices)
    case .name, .none: break
    }
  }

  /// A frame never leaves by the port it came in by, unless it is told to with IN_PORT.
  private func outputTo(
    _ number: UInt32, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    if number == packet.inPort {
      run.note("skipped: output to the input port")
    } else {
      emit(number, bridge, table, flow, packet, &packet, &run, &choices)
    }
  }

  /// Sends a copy of the packet out of a port. The packet itself is as before when all that the copy leads to
  /// is done.
  func emit(
    _ number: UInt32, _ bridge: Int, _ table: UInt8, _ flow: FlowIndex, _ copy: Packet, _ packet: inout Packet,
    _ run: inout Run, _ choices: inout Choices
  ) {
    guard let port = bridges[bridge].portByNumber[number] else {
      run.note("no port \(number)")
      return
    }
    var exit = Run.Exit(bridge: bridge, port: port, packet: copy.bare, outputFlow: flow, vlanFlow: copy.vlanFlow)
    exit.isRewritten =
      copy.source != run.original.source || copy.destination != run.original.destination
      || copy.ttl != run.original.ttl
    switch bridges[bridge].ports[port].kind {
    case .patch:
      if let peer = bridges[bridge].peers[port] {
        run.set(aside: packet, for: .patch, bridge, table, flow)
        packet = copy
        cross(from: .init(bridge: bridge, port: port), to: peer, flow, &packet, &run, &choices)
        return
      }
      // A patch port without its other end swallows the frame.
      run.note("dropped: the patch port has no peer")
      return
    case .tunnel(let settings):
      guard address(&exit, settings, copy, &run) else { return }
    case .device, .local: break
    }
    run.note(leaving: exit, by: bridges[bridge].ports[port])
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

  /// Takes the packet over a patch port.
  private func cross(
    from: BridgeRuntime.Place, to: BridgeRuntime.Place, _ flow: FlowIndex, _ packet: inout Packet, _ run: inout Run,
    _ choices: inout Choices
  ) {
    run.passages.append(
      .init(
        from: from, to: to, tags: packet.tags, isUncertain: packet.isUncertain, outputFlow: flow,
        vlanFlow: packet.vlanFlow))
    guard let number = bridges[to.bridge].ports[to.port].number else { return }
    packet.enterBridge(port: number)
    run.stack = []
    run.actionSet = []
    enter(to.bridge, isCrossing: true, &packet, &run, &choices)
  }
}
