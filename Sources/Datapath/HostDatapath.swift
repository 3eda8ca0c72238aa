import OpenFlow
import Wire

/// The switches of one host, run as Open vSwitch runs them. A value: a copy goes its own way.
///
/// Semantics: ofproto/ofproto-dpif-xlate.c. Time is in nanoseconds since the epoch and only moves what has a
/// timeout.
///
/// Documentation/datapath.md says what is not modelled.
public struct HostDatapath: Sendable {
  var bridges: [BridgeRuntime]
  private var bridgeByName: [String: Int] = [:]

  public init(bridges states: [BridgeState]) {
    bridges = states.map(BridgeRuntime.init)
    for (index, bridge) in bridges.enumerated() where bridgeByName[bridge.name] == nil {
      bridgeByName[bridge.name] = index
    }
    connectPatches()
  }

  private mutating func connectPatches() {
    var owner: [String: BridgeRuntime.Place] = [:]
    for (bridge, runtime) in bridges.enumerated() {
      for (port, state) in runtime.ports.enumerated() where !runtime.strangers.contains(port) {
        owner[state.name] = .init(bridge: bridge, port: port)
      }
    }
    for bridge in bridges.indices {
      for port in bridges[bridge].ports.indices {
        guard case .patch(let peer) = bridges[bridge].ports[port].kind, let place = owner[peer] else { continue }
        // Both ends must name each other.
        if case .patch(let back) = bridges[place.bridge].ports[place.port].kind,
          back == bridges[bridge].ports[port].name
        {
          bridges[bridge].peers[port] = place
        }
      }
    }
  }

  public var bridgeNames: [String] { bridges.map(\.name) }

  /// Whether the flows of a bridge are known.
  public func hasFlows(_ bridge: String) -> Bool { index(of: bridge).map { bridges[$0].hasFlows } ?? false }

  func index(of bridge: String) -> Int? { bridgeByName[bridge] }

  func place(_ bridge: String, _ port: String) -> BridgeRuntime.Place? {
    guard let bridge = index(of: bridge), let port = bridges[bridge].portByName[port] else { return nil }
    return .init(bridge: bridge, port: port)
  }

  /// The place of a port by name, on whichever bridge it is.
  public func bridge(ofPort port: String) -> String? {
    bridges.first { runtime in
      runtime.portByName[port].map { !runtime.strangers.contains($0) } ?? false
    }?.name
  }

  /// Sends a frame in at a port.
  /// - Parameters:
  ///   - time: when, in nanoseconds since the epoch.
  ///   - learning: whether what the frame teaches is kept.
  ///   - trace: whether the outcome tells the steps.
  /// - Returns: nil where there is no such port.
  public mutating func send(
    _ packet: Packet, bridge: String, port: String, at time: Int64, learning: Bool = true, trace: Bool = false
  ) -> Outcome? {
    guard let place = place(bridge, port) else { return nil }
    var packet = packet
    packet.inPort = bridges[place.bridge].ports[place.port].number ?? 0
    return run(packet, place.bridge, at: time, learning: learning, trace: trace)
  }

  /// Sends in a frame that came out of a tunnel, at the port that Open vSwitch would choose for it.
  /// - Parameters:
  ///   - remote: the outer source; `local` the outer destination.
  ///   - tunnelID: VNI or key.
  /// - Returns: nil where no tunnel port takes it: the host drops the frame before any bridge.
  public mutating func receive(
    _ packet: Packet, kind: TunnelSettings.Kind, remote: IPAddress, local: IPAddress, tunnelID: UInt64,
    destinationPort: UInt16? = nil, at time: Int64, learning: Bool = true, trace: Bool = false
  ) -> Outcome? {
    guard
      let place = tunnelPort(
        kind: kind, remote: remote, local: local, tunnelID: tunnelID, destinationPort: destinationPort)
    else { return nil }
    var packet = packet
    packet.inPort = bridges[place.bridge].ports[place.port].number ?? 0
    packet.tunnelID = tunnelID
    packet.tunnelSource = remote
    packet.tunnelDestination = local
    return run(packet, place.bridge, at: time, learning: learning, trace: trace)
  }

  /// Bridge and port that receive from a tunnel, by name.
  public func receiver(
    kind: TunnelSettings.Kind, remote: IPAddress, local: IPAddress, tunnelID: UInt64, destinationPort: UInt16? = nil
  ) -> (bridge: String, port: String)? {
    tunnelPort(kind: kind, remote: remote, local: local, tunnelID: tunnelID, destinationPort: destinationPort)
      .map { (bridges[$0.bridge].name, bridges[$0.bridge].ports[$0.port].name) }
  }

  /// The most exact port first, as ofproto/tunnel.c's `tnl_find` does: by key, remote, then local address.
  func tunnelPort(
    kind: TunnelSettings.Kind, remote: IPAddress, local: IPAddress, tunnelID: UInt64, destinationPort: UInt16?
  ) -> BridgeRuntime.Place? {
    var best: (rank: Int, place: BridgeRuntime.Place)?
    for bridge in bridges.indices {
      for port in bridges[bridge].ports.indices {
        guard case .tunnel(let settings) = bridges[bridge].ports[port].kind, settings.kind == kind else { continue }
        if let destinationPort, kind != .gre, settings.destinationPort != destinationPort { continue }
        var rank = 0
        switch settings.inKey {
        case .fixed(let key): if key != tunnelID { continue }
        case .flow: rank += 6
        }
        switch settings.remote {
        case .fixed(let address): if address != remote { continue }
        case .flow: rank += 3
        }
        if let own = settings.local {
          if own != local, local.family != .none { continue }
        } else {
          rank += 1
        }
        if best.map({ rank < $0.rank }) ?? true { best = (rank, .init(bridge: bridge, port: port)) }
      }
    }
    return best?.place
  }

  // MARK: Running

  mutating func run(
    _ packet: Packet, _ bridge: Int, at time: Int64, learning: Bool, trace: Bool
  ) -> Outcome {
    let (runs, isIncomplete) = passages(packet, bridge, at: time, trace: trace)
    let result = outcome(of: runs, isIncomplete: isIncomplete)
    if learning { apply(runs, isUncertain: isIncomplete) }
    return result
  }

  /// What would become of a frame; nothing is learned.
  /// - Returns: nil where there is no such port.
  public func preview(
    _ packet: Packet, bridge: String, port: String, at time: Int64, trace: Bool = false
  ) -> Outcome? {
    guard let place = place(bridge, port) else { return nil }
    var packet = packet
    packet.inPort = bridges[place.bridge].ports[place.port].number ?? 0
    let (runs, isIncomplete) = passages(packet, place.bridge, at: time, trace: trace)
    return outcome(of: runs, isIncomplete: isIncomplete)
  }

  /// Every way through the pipeline that what is not known leaves open.
  func passages(
    _ packet: Packet, _ bridge: Int, at time: Int64, trace: Bool
  ) -> (runs: [Run], isIncomplete: Bool) {
    var choices = Choices()
    var runs: [Run] = []
    repeat {
      if choices.runs >= Choices.mostRuns { return (runs, true) }
      var run = Run(packet: packet, now: time, wantsSteps: trace && runs.isEmpty)
      var copy = packet
      enter(bridge, isCrossing: false, &copy, &run, &choices)
      work(&copy, &run, &choices)
      if run.failed { run.drop(exits: 0, passages: 0) }
      run.tasks = []
      run.saved = []
      run.stepsTaken = choices.steps
      runs.append(run)
      if run.isCut { return (runs, true) }
      choices.finish(exits: run.exits.count)
    } while choices.advance()
    return (runs, false)
  }

  /// Keeps what the frame taught.
  /// - Parameter isUncertain: all of it may be, or not.
  mutating func apply(_ runs: [Run], isUncertain: Bool) {
    guard let first = runs.first else { return }
    if runs.count == 1 {
      for effect in first.effects { apply(effect, now: first.now, isUncertain: isUncertain) }
      return
    }
    var counts: [Run.Effect: Int] = [:]
    var order: [Run.Effect] = []
    for run in runs {
      for effect in Set(run.effects) {
        if counts.updateValue((counts[effect] ?? 0) + 1, forKey: effect) == nil { order.append(effect) }
      }
    }
    for effect in order { apply(effect, now: first.now, isUncertain: isUncertain || counts[effect] != runs.count) }
  }

  private mutating func apply(_ effect: Run.Effect, now: Int64, isUncertain: Bool) {
    switch effect {
    case .learn(let bridge, var flow):
      flow.isUncertain = flow.isUncertain || isUncertain
      bridges[bridge].learn(flow, now: now)
    case .see(let bridge, let key, let port):
      bridges[bridge].see(key, port: port, now: now, isUncertain: isUncertain)
    case .use(let flow):
      if !isUncertain { bridges[Int(flow.bridge)].noteUse(flow.flow, now: now) }
    case .reduce(let flow, let idle, let hard):
      if !isUncertain { bridges[Int(flow.bridge)].reduce(flow.flow, idle: idle, hard: hard) }
    }
  }

  /// How often something changed that decides ways.
  var changes: UInt64 { bridges.reduce(0) { $0 &+ $1.changes } }

  /// Takes out of the state what has timed out by `time`. Nothing depends on it but memory.
  public mutating func expire(at time: Int64) {
    for bridge in bridges.indices { bridges[bridge].expire(now: time) }
  }
}
