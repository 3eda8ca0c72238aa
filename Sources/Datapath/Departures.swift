import OpenFlow
import Wire

/// A frame on its way out of a host's switches.
struct Departure: Sendable {
  var bridge: Int
  var port: Int
  /// Of tunnels.
  var tunnelID: UInt64?
  var remote = IPAddress.none
  /// The frame as it leaves; nil: as it came in.
  var changed: Packet?
  var certainty: Certainty
}

extension HostDatapath {
  /// Sends a frame through the switches, by a decided flow if there is one.
  /// - Parameters:
  ///   - packet: with its input port, and what is known of the tunnel it came from.
  ///   - arrival: whether the frame comes in at all; what a frame teaches that may not come in is uncertain.
  mutating func carry(
    _ packet: Packet, into bridge: Int, at time: Int64, arrival: Certainty, _ decided: inout DecidedFlows
  ) -> [Departure] {
    guard arrival == .certain, !packet.hasUnknowns, decided.isOn else {
      let (runs, isIncomplete) = passages(packet, bridge, at: time, trace: false)
      apply(runs, isUncertain: isIncomplete || arrival == .may)
      return departures(of: runs, isIncomplete: isIncomplete, packet)
    }
    let generation = changes
    if let place = decided.find(packet, bridge, generation: generation, at: time) {
      for effect in decided.decisions[place].refreshes { refresh(effect, at: time) }
      return decided.decisions[place].departures(of: packet)
    }
    let (runs, isIncomplete) = passages(packet, bridge, at: time, trace: false)
    apply(runs, isUncertain: isIncomplete)
    let departures = departures(of: runs, isIncomplete: isIncomplete, packet)
    // What changed the tables is not yet settled: the next frame of its kind decides.
    if let run = runs.first, runs.count == 1, !isIncomplete, !run.dependence.isWhole, changes == generation {
      let refreshes = run.effects.compactMap(refresh)
      if refreshes.count == run.effects.count {
        decided.add(
          packet, bridge, dependence: run.dependence, generation: generation, departures, refreshes: refreshes)
      }
    }
    return departures
  }

  /// The same, told step by step.
  mutating func carryTelling(
    _ packet: Packet, into bridge: Int, at time: Int64, arrival: Certainty
  ) -> (departures: [Departure], outcome: Outcome) {
    let (runs, isIncomplete) = passages(packet, bridge, at: time, trace: true)
    let outcome = outcome(of: runs, isIncomplete: isIncomplete)
    apply(runs, isUncertain: isIncomplete || arrival == .may)
    return (departures(of: runs, isIncomplete: isIncomplete, packet), outcome)
  }

  /// In the order of an outcome's deliveries.
  private func departures(of runs: [Run], isIncomplete: Bool, _ packet: Packet) -> [Departure] {
    let bare = packet.bare
    return merge(runs.map(\.exits), isIncomplete, by: \.effect, isUncertain: \.packet.isUncertain).map { exit, certainty in
      var frame = exit.packet
      frame.isUncertain = false
      return Departure(
        bridge: exit.bridge, port: exit.port, tunnelID: exit.tunnelID, remote: exit.remote,
        changed: frame == bare ? nil : frame, certainty: certainty)
    }
  }

  /// How an effect is had again by a later frame; nil where it is more than a refresh.
  private func refresh(_ effect: Run.Effect) -> DecidedFlows.Refresh? {
    switch effect {
    case .learn(let bridge, let flow):
      return bridges[bridge].tables[Int(flow.table)].find(flow, in: bridges[bridge].flows)
        .map { .flow(bridge: bridge, $0) }
    case .see(let bridge, let key, let port): return .mac(bridge: bridge, key, port: port)
    case .use(let flow): return .use(bridge: Int(flow.bridge), flow.flow)
    case .reduce: return nil
    }
  }

  private mutating func refresh(_ effect: DecidedFlows.Refresh, at time: Int64) {
    switch effect {
    case .flow(let bridge, let index): bridges[bridge].refresh(index, now: time)
    case .mac(let bridge, let key, let port):
      bridges[bridge].see(key, port: port, now: time, isUncertain: false)
    case .use(let bridge, let index): bridges[bridge].noteUse(index, now: time)
    }
  }
}
