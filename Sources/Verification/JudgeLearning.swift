import Correlation
import Deployment
import Observations
import Wire

/// Rules of the learning family: what a host should know from what reached it.
extension Judge {
  /// Frames within this of a MAC's first arrival may still be flooded: upcalls and revalidator rounds take
  /// their time (neutron-openvswitch: `learn` is refreshed by the revalidator). Nanoseconds.
  static var learningGrace: Int64 { 2_000_000_000 }
  /// `hard_timeout` of the flows that Neutron's learn, in nanoseconds.
  static var learningTimeout: Int64 { 300_000_000_000 }

  /// Judges copies against what their host had learned, and notes what arrivals teach.
  mutating func judgeLearning(_ group: [Observation], _ base: UInt64) -> Bool {
    var fault = false
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      guard entry.network >= 0, let vni = topology.vni(ofNetwork: Int(entry.network)) else { continue }
      if facts.watchesOut[cell(entry.host, entry.network)] { noteOutward(Int32(truncatingIfNeeded: at), entry.host, entry.network, vni, Int(entry.first), group, base &+ UInt64(at) &+ 1) }
      if judgeCopies(
        of: Int32(truncatingIfNeeded: at), host: entry.host, network: entry.network, vni: vni, group,
        base &+ UInt64(at) &+ 1)
      {
        fault = true
      }
    }
    for tunnel in resolver.tunnels where tunnel.direction == .out && (tunnel.entry < 0 || !makes(.guestsForward)) {
      if judgeReflection(tunnel, group, base) {
        fault = true
      }
    }
    if judgeUnseenEntries(group, base) { fault = true }
    noteInward(group, base)
    if !facts.leaks.isEmpty { noteLeaks(group, base) }
    noteMovers(group, base)
    noteArrivals(group, base)
    return fault
  }

  static var filteredOut: String { "left out by the filter" }

  /// Counts a group that no filter lets pass, and notes what its arrivals teach.
  mutating func noteFiltered(_ number: Int, _ group: [Observation], _ base: UInt64) {
    counts.unjudged += UInt64(number)
    let isUndecided = group.contains { $0.filter == .undecided }
    counts.unjudgedReasons[isUndecided ? "cut too short for the filter" : Judge.filteredOut, default: 0] +=
      UInt64(number)
    noteArrivals(group, base)
  }

  private mutating func noteArrivals(_ group: [Observation], _ base: UInt64) {
    for tunnel in resolver.tunnels where tunnel.direction == .in {
      let seen = group[Int(tunnel.observation)]
      // A VTEP that hosts have tunnels to teaches them, whether or not its host is known.
      if tunnel.peer >= 0 || Int(seen.outerFrom) < topology.vtepHost.count { noteArrival(tunnel, seen, base, group) }
      if tunnel.peer < 0, tunnel.network >= 0, Int(seen.outerFrom) < topology.vtepHost.count {
        strangers.hear(seen.outerFrom, in: cell(tunnel.host, tunnel.network), at: tunnel.time)
      }
    }
    for passage in resolver.passages where passage.direction == .toGuest && passage.network >= 0 {
      if !topology.hostHasTunnelPoint[Int(passage.host)] { noteUnseenArrival(passage, group) }
    }
  }

  /// What reached a port reached its host, whose tunnel interface was not captured, and taught it.
  private mutating func noteUnseenArrival(_ delivery: Passage, _ group: [Observation]) {
    let source = group[Int(delivery.first)].source
    guard let vni = topology.vni(ofNetwork: Int(delivery.network)), let owners = topology.portsOfMAC[source],
      !topology.livesInSeveralPlaces(source)
    else { return }
    var vtep: UInt16?
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.peer == delivery.host && topology.isLane(tunnel, of: delivery.network) {
      vtep = group[Int(tunnel.observation)].outerFrom
    }
    if vtep == nil {
      // The one other host where it lives, whose own tunnel interface was not captured either.
      guard owners.count == 1, topology.portNetwork[owners[0]] == delivery.network, topology.portHost[owners[0]] != delivery.host,
        !topology.hostHasTunnelPoint[Int(topology.portHost[owners[0]])]
      else { return }
      vtep = topology.plan.hostVTEPs[Int(topology.portHost[owners[0]])].first
    }
    guard let vtep else { return }
    let key = LearningLedger.Key(host: delivery.host, lane: learningLane(delivery.network, vni), mac: source)
    _ = ledger.note(key, from: vtep, at: delivery.start, grace: Judge.learningGrace)
    if hasStale { retractStale(delivery.host, delivery.network, source, from: vtep, at: delivery.start) }
  }

  /// - Parameter entry: -1 for what a host sent of a guest whose port was not captured.
  mutating func judgeCopies(
    of entry: Int32, host: Int32, network: Int32, vni: UInt32, _ group: [Observation], _ trajectory: UInt64
  ) -> Bool {
    var receivers: [UInt16] = []
    var first: Observation?
    for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) && topology.isLane(tunnel, of: network) {
      let seen = group[Int(tunnel.observation)]
      if first == nil { first = seen }
      if !receivers.contains(seen.outerTo) { receivers.append(seen.outerTo) }
    }
    if first == nil, entry >= 0, !makes(.floodsHeldBack) {
      let seen = group[Int(resolver.passages[Int(entry)].first)]
      if seen.destination.isGroup, seen.tagCount == 0 { countFloodCopies(entry, host, network, vni, seen, group, trajectory) }
    }
    guard var first, first.tagCount == 0 else { return false }
    // What the host knew is known in its own clock.
    if entry >= 0, !topology.hostHasTunnelPoint[Int(host)] { first.time = resolver.passages[Int(entry)].start }
    if first.destination.isGroup {
      countFloodCopies(entry, host, network, vni, first, group, trajectory)
      return false
    }
    let cell = cell(host, network)
    if !facts.unflooded[cell].isEmpty || facts.isMisplaced(cell, first.destination),
      judgeUnicast(entry, host, network, vni, receivers, first, group, trajectory)
    {
      return true
    }
    // Cooked captures have no destination; MACs that live in several places may be anywhere.
    guard first.destination != .zero, !topology.livesInSeveralPlaces(first.destination) || !makes(.severalLocations),
      let location = ledger.location(host, learningLane(network, vni), first.destination), location.since <= first.time
    else { return false }
    if receivers.count > 1 {
      // Flows that never learn need no time to.
      let grace = facts.learns[cell] == 0 || !makes(.learningGrace) ? 0 : Judge.learningGrace
      guard let proof = location.arrival(before: first.time &- grace),
        first.time &- proof < facts.learnedLifetime[Int(host)] &- grace || !makes(.learnedTimeout),
        !reinstalls[Int(host)].forgot(between: proof, and: first.time) || !makes(.forgottenByRestart),
        hasPassed(grace, on: host, from: proof, to: first.time)
      else { return false }
      let key = FaultKey(fault: .floodedAfterLearned, host: host, network: network)
      for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) && topology.isLane(tunnel, of: network) {
        let seen = group[Int(tunnel.observation)]
        if seen.outerTo == location.vtep { continue }
        record(key, trajectory, group, Int(tunnel.observation), isWeak: false)
      }
      return true
    }
    guard location.last <= first.time, !receivers.contains(location.vtep),
      location.since <= first.time &- (makes(.settlingLocation) ? Judge.learningGrace : 0),
      first.time &- location.last < facts.learnedLifetime[Int(host)] &- Judge.learningGrace,
      !reinstalls[Int(host)].forgot(between: location.last, and: first.time) || !makes(.movedMeanwhile)
        || livesBehind(receivers[0], first.destination) && isNamed(first.destination, cell, towards: receivers[0], at: first.time),
      !livesBehind(receivers[0], first.destination) || !makes(.severalLocations) || hasMoved(first.destination, network, from: receivers[0]),
      hasPassed(makes(.settlingLocation) ? Judge.learningGrace : 0, on: host, from: location.since, to: first.time),
      topology.hostHasTunnelPoint[Int(host)] || isMissed(behind: location.vtep, first, host)
    else { return false }
    let key = FaultKey(
      fault: .staleLocation, host: host, network: network, observed: UInt32(receivers[0]),
      detail: first.destination.rawValue)
    for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) {
      record(key, trajectory, group, Int(tunnel.observation), isWeak: false)
    }
    if faults[key]?.expectedVTEP == nil { faults[key]?.expectedVTEP = location.vtep }
    hasStale = true
    return true
  }

  /// Frames that were repeated are judged late: an arrival that had told a host where a MAC is shows after what it sent
  /// there. That was right then.
  private mutating func retractStale(_ host: Int32, _ network: Int32, _ mac: MACAddress, from vtep: UInt16, at time: Int64) {
    let key = FaultKey(fault: .staleLocation, host: host, network: network, observed: UInt32(vtep), detail: mac.rawValue)
    guard let stale = faults[key], time <= stale.first, clamped(stale.first, minus: time) <= Judge.learningGrace else { return }
    faults[key] = nil
  }

  /// Whether it is a flow for that MAC alone that sends it there: no matter then what the host has learned, or forgot.
  /// Where it was not known to live before, it may have moved to, unheard.
  private func isNamed(_ mac: MACAddress, _ cell: Int, towards vtep: UInt16, at time: Int64) -> Bool {
    Int(vtep) < topology.plan.vteps.addresses.count && facts.isNamed(cell, mac, towards: topology.plan.vteps.addresses[Int(vtep)], at: time)
  }

  /// Whether a host would show a copy that another sent it, and does not: where the sender's tunnel interface was not
  /// captured, one copy may be of several.
  private func isMissed(behind vtep: UInt16, _ seen: Observation, _ sender: Int32) -> Bool {
    let home = host(behind: vtep)
    guard home >= 0, !isShownByPorts(of: home) else { return false }
    if topology.hostHasTunnelPoint[Int(home)] { return isLive(tunnelOf: home, seen.time, seenOn: sender) }
    return topology.portsOfMAC[seen.destination]?.contains { topology.portHost[$0] == home && expects($0, seen) } ?? false
  }

  /// Whether at least so much time passed on a host, though its clock was set. What would be wrong but for that is counted.
  private mutating func hasPassed(_ grace: Int64, on host: Int32, from: Int64, to: Int64) -> Bool {
    let slip = trust.slip(host, from: from, to: to)
    guard slip > 0, clamped(to, minus: from) < clamped(grace, plus: slip) else { return true }
    slipped[host, default: 0] += 1
    return false
  }

  /// Unicast that flows are known to send wrongly: no host need have learned anything first.
  private mutating func judgeUnicast(
    _ entry: Int32, _ host: Int32, _ network: Int32, _ vni: UInt32, _ receivers: [UInt16], _ first: Observation,
    _ group: [Observation], _ trajectory: UInt64
  ) -> Bool {
    guard first.destination != .zero, !topology.livesInSeveralPlaces(first.destination) else { return false }
    let cell = cell(host, network)
    guard let owner = topology.portsOfMAC[first.destination]?.first(where: { topology.portNetwork[$0] == network }) else {
      // Unicast to a MAC that nobody has is flooded, and nobody answers it.
      guard ledger.location(host, learningLane(network, vni), first.destination) == nil else { return false }
      for peer in facts.unflooded[cell] {
        let isReached = receivers.contains { Int($0) < topology.vtepHost.count && topology.vtepHost[Int($0)] == peer }
        let key = StretchKey(stretch: .floodCopy, host: host, peer: peer, network: network)
        for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) && !isReached {
          count(key, false, trajectory, group, Int(tunnel.observation))
        }
      }
      return false
    }
    let home = topology.portHost[owner]
    guard home != host else { return false }
    let isReached = receivers.contains { Int($0) < topology.vtepHost.count && topology.vtepHost[Int($0)] == home }
    guard !isReached else { return false }
    if facts.isMisplaced(cell, first.destination), receivers.count == 1 {
      // It may have moved to where the flow says: then it was heard from there.
      let receiver = self.host(behind: receivers[0])
      if ledger.location(host, learningLane(network, vni), first.destination)?.vtep == receivers[0] { return false }
      if receiver >= 0, movers.host(network, first.destination) == receiver { return false }
      hasStale = true
      let key = FaultKey(
        fault: .staleLocation, host: host, network: network, observed: UInt32(receivers[0]),
        detail: first.destination.rawValue)
      for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) {
        record(key, trajectory, group, Int(tunnel.observation), isWeak: false)
      }
      if faults[key]?.expectedVTEP == nil { faults[key]?.expectedVTEP = topology.plan.hostVTEPs[Int(home)].first }
      return true
    }
    // Unicast to a MAC that was never heard is flooded.
    guard facts.unflooded[cell].contains(home), ledger.location(host, learningLane(network, vni), first.destination) == nil
    else { return false }
    for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) {
      let key = StretchKey(stretch: .floodCopy, host: host, peer: home, network: network)
      count(key, false, trajectory, group, Int(tunnel.observation))
    }
    return true
  }

  /// A flood must have a copy for every host with active ports of the network.
  private mutating func countFloodCopies(
    _ entry: Int32, _ host: Int32, _ network: Int32, _ vni: UInt32, _ first: Observation, _ group: [Observation],
    _ trajectory: UInt64
  ) {
    // A NIC that was not captured may show the others.
    guard !first.destination.isReservedBridgeGroup, isLive(tunnelOf: host, first.time) else { return }
    let isUnsettled = isUnsettled(floodsOf: network, on: host, at: first.time)
    if !isUnsettled { countCopiesForStrangers(entry, host, network, group, trajectory) }
    for peer in topology.portsOn.indices where peer != Int(host) {
      guard !topology.plan.hostVTEPs[peer].isEmpty, hasActivePort(Int32(peer), network) || !makes(.noPortsThere) else { continue }
      // Who is left out by what was put in, too, is not missing because it was being put in.
      if isUnsettled, !facts.unflooded[cell(host, network)].contains(Int32(peer)) { continue }
      var reached = false
      for tunnel in resolver.tunnels where tunnel.isCopy(of: entry, from: host) {
        if Int(tunnel.peer) == peer { reached = true }
      }
      // What arrived left, whatever the sender's capture shows.
      for tunnel in resolver.tunnels where tunnel.direction == .in && Int(tunnel.host) == peer && tunnel.peer == host {
        reached = true
      }
      // Floods rightly leave out a host whose ports went; when they did, dumps do not say.
      guard reached || hasStayingPort(Int32(peer), network) || !makes(.noPortsThere) else { continue }
      let key = StretchKey(stretch: .floodCopy, host: host, peer: Int32(peer), network: network)
      let index = resolver.tunnels.first { $0.isCopy(of: entry, from: host) }?.observation ?? 0
      count(key, reached, trajectory, group, Int(index))
    }
  }

  /// Whether a host's flows for a network's floods were being put in anew.
  func isUnsettled(floodsOf network: Int32, on host: Int32, at time: Int64) -> Bool {
    guard !reinstalls[Int(host)].floods.isEmpty, let vlan = topology.deployment.hosts[Int(host)].localVLANs[Int(network)] else {
      return false
    }
    return reinstalls[Int(host)].isUnsettled(flood: vlan, at: time) && makes(.floodsReinstalled)
  }

  /// A frame that came out of a tunnel and goes into one again: split horizon is broken.
  private mutating func judgeReflection(_ tunnel: TunnelSighting, _ group: [Observation], _ base: UInt64) -> Bool {
    let seen = group[Int(tunnel.observation)]
    guard cameIn(tunnel), !topology.lives(seen.source, on: tunnel.host) || !makes(.guestsForward), !mayHaveTurned(tunnel.host, group)
    else { return false }
    let key = FaultKey(
      fault: .tunnelReflection, host: tunnel.host, network: tunnel.network)
    record(key, base, group, Int(tunnel.observation), isWeak: hasUncapturedPort(tunnel.host))
    for other in resolver.tunnels where other.direction == .in && other.peer == tunnel.host {
      faults[key]?.frames.add(group[Int(other.observation)])
    }
    return true
  }

  /// Whether a port of a host shows the frame at one point more often than it came to the host: a guest may have sent it
  /// back, though other points of the port, which would tell, lack it.
  private func mayHaveTurned(_ host: Int32, _ group: [Observation]) -> Bool {
    guard makes(.guestsForward) else { return false }
    var arrivals = 0
    var last: (peer: Int32, time: Int64) = (-1, .min)
    for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == host {
      // A capture may write it twice.
      if tunnel.peer != last.peer || clamped(tunnel.time, minus: last.time) > TrajectoryResolver.writtenTwice { arrivals += 1 }
      last = (tunnel.peer, tunnel.time)
    }
    for (index, seen) in group.enumerated() {
      let point = topology.points[Int(seen.point)]
      guard point.isGuestSide, point.host == host else { continue }
      // A capture may write one twice here as well.
      var (times, latest) = (0, Int64.min)
      for other in group[...index] where other.point == seen.point && other.capture == seen.capture {
        if latest == .min || clamped(other.time, minus: latest) > TrajectoryResolver.writtenTwice { times += 1 }
        latest = other.time
      }
      if times > arrivals { return true }
    }
    return false
  }

  /// A guest that was not captured may forward frames.
  private func hasUncapturedPort(_ host: Int32) -> Bool {
    for port in topology.portHost.indices where topology.portHost[port] == host && !topology.portIsCaptured[port] {
      if topology.portFacts[port].isActive { return true }
    }
    return false
  }

  /// Whether the host's flows drop a tunnel's VNI, as far as dumps tell of that time.
  func isUnmapped(_ tunnel: TunnelSighting, at time: Int64) -> Bool {
    tunnel.network >= 0 && facts.unmapped[cell(tunnel.host, tunnel.network)]
      && !mayHaveBeenOtherwise(tunnel.host, at: time)
  }

  /// Whether a host's flows were put in anew after a time, and no dump shows what was there before.
  func mayHaveBeenOtherwise(_ host: Int32, at time: Int64) -> Bool {
    reinstalls[Int(host)].mayHaveDiffered(at: time) && makes(.mappedBefore)
  }

  private mutating func noteArrival(
    _ tunnel: TunnelSighting, _ seen: Observation, _ base: UInt64, _ group: [Observation]
  ) {
    // What the host does not take in teaches it nothing.
    let port = tunnelPorts.of(tunnel.host, towards: tunnel.peer, seen: seen.tunnelPort)
    if seen.tunnelPort != 0, let port, port != seen.tunnelPort { return }
    if isUnmapped(tunnel, at: seen.time) { return }
    if !visitors.isEmpty { visitors.remove(visitor(seen.source, tunnel.host)) }
    let key = LearningLedger.Key(host: tunnel.host, lane: learningLane(tunnel.network, tunnel.vni), mac: seen.source)
    let before = ledger.note(key, from: seen.outerFrom, at: seen.time, grace: Judge.learningGrace)
    if hasStale { retractStale(tunnel.host, tunnel.network, seen.source, from: seen.outerFrom, at: seen.time) }
    guard let before, !topology.livesInSeveralPlaces(seen.source) || !makes(.movesByDesign),
      tunnel.sent >= 0 || tunnel.peer < 0 || !topology.hostHasTunnelPoint[Int(tunnel.peer)]
    else { return }
    // A frame that the sender merely reflected tells nothing of where its MAC lives.
    let isReflection = makes(.reflectedMACs)
    if isReflection, tunnel.sent >= 0, resolver.tunnels[Int(tunnel.sent)].entry < 0, cameIn(resolver.tunnels[Int(tunnel.sent)]) { return }
    if isReflection, tunnel.sent < 0, faults[FaultKey(fault: .tunnelReflection, host: tunnel.peer, network: tunnel.network)] != nil { return }
    let move = FaultKey(
      fault: .macMoved, host: -1, network: tunnel.network, detail: seen.source.rawValue)
    record(move, base, group, Int(tunnel.observation), isWeak: false)
    if faults[move]?.expectedVTEP == nil { faults[move]?.expectedVTEP = before }
  }
}
