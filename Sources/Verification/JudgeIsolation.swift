import Correlation
import Deployment
import Observations
import Wire

/// Rules of the isolation family that look at who sends: source MACs and addresses.
extension Judge {
  /// Claims of the same MAC or address further apart than this are changes, not disputes. Nanoseconds.
  static var disputeWindow: Int64 { 10_000_000_000 }

  mutating func judgeSenders(_ group: [Observation], _ base: UInt64) {
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      let seen = group[Int(entry.first)]
      judgeSource(at, seen, group, base)
      guard entry.network >= 0, !seen.source.isVirtualRouter else { continue }
      let trajectory = base &+ UInt64(at) &+ 1
      if hasLeft(at), isSharedByMistake(seen.source, entry),
        let rival = senders.note(
          .init(network: entry.network, subject: seen.source.rawValue), holder: UInt64(UInt32(bitPattern: entry.host)),
          on: entry.host, at: seen.time, window: Judge.disputeWindow, trust, isChangeAllowed: makes(.handedOver))
      {
        let key = FaultKey(
          fault: .duplicateAddress, host: -1, network: entry.network, observed: 1, detail: seen.source.rawValue)
        record(key, trajectory, group, Int(entry.first), isWeak: false)
        faults[key]?.note(rival: UInt64(UInt32(bitPattern: entry.host)))
        faults[key]?.note(rival: rival)
      }
      if seen.frameClass == .arpReply || seen.frameClass == .neighborAdvertisement, seen.target != 0,
        speaksForItself(seen.source, entry), !isHeldBack(at, seen),
        let rival = answers.note(
          .init(network: entry.network, subject: UInt64(seen.target)), holder: seen.source.rawValue,
          on: entry.host, at: seen.time, window: Judge.disputeWindow, trust, isChangeAllowed: makes(.handedOver))
      {
        let key = FaultKey(fault: .duplicateAddress, host: -1, network: entry.network, detail: UInt64(seen.target))
        record(key, trajectory, group, Int(entry.first), isWeak: false)
        faults[key]?.note(rival: seen.source.rawValue)
        faults[key]?.note(rival: rival)
      }
    }
  }

  /// Whether two guests of a network have one MAC. A guest that hands on others' frames, as nested virtualisation does,
  /// has none of them; router, HA and allowed MACs live in several places by design.
  private func isSharedByMistake(_ mac: MACAddress, _ entry: Passage) -> Bool {
    guard topology.isOwn(mac, of: Int(entry.port)), let owners = topology.portsOfMAC[mac], owners.count > 1,
      !isRouters(mac) || !makes(.routersAddresses)
    else { return false }
    let own = topology.deployment.ports[Int(entry.port)]
    return owners.contains { other in
      let port = topology.deployment.ports[other]
      return topology.portNetwork[other] == entry.network && topology.portHost[other] != entry.host
        && topology.isOwn(mac, of: other) && port.source != .inferred
        && (port.uuid == nil || port.uuid != own.uuid || !makes(.handedOver) || isRouters(mac))
    }
  }

  /// Whether a guest answers by its own MAC, and nothing lets it speak for others.
  private func speaksForItself(_ mac: MACAddress, _ entry: Passage) -> Bool {
    let port = topology.deployment.ports[Int(entry.port)]
    return topology.isOwn(mac, of: Int(entry.port)) && port.portSecurity != false
      && (port.allowedMACs.isEmpty && port.allowedAddresses.isEmpty || !makes(.sharedAddresses))
      && (!isRouters(mac) || !makes(.routersAddresses))
  }

  /// Whether a frame that is for other hosts was stopped on its own: protection of br-int does that to false answers.
  private func isHeldBack(_ at: Int, _ seen: Observation) -> Bool {
    let entry = resolver.passages[at]
    guard makes(.heldBackAnswers), !hasLeft(at), mustLeave(entry, seen) else { return false }
    guard topology.hostHasTunnelPoint[Int(entry.host)] else {
      // Without its tunnel interface, ports elsewhere tell.
      return !isShown(beside: entry.host)
        && topology.portsOn.indices.contains { host in
          host != Int(entry.host) && topology.ports(on: Int32(host), of: entry.network).contains { expects($0, seen) }
        }
    }
    // Where that was not recording, what shows elsewhere has left.
    return isLive(tunnelOf: entry.host, entry.start) || !isShown(beside: entry.host)
  }

  /// A source MAC that its port may not use.
  private mutating func judgeSource(_ at: Int, _ seen: Observation, _ group: [Observation], _ base: UInt64) {
    let entry = resolver.passages[at]
    // Nearly all frames come from their port's own MAC.
    if topology.isOwn(seen.source, of: Int(entry.port)) { return }
    let port = topology.deployment.ports[Int(entry.port)]
    guard port.source != .inferred, !port.macs.isEmpty, port.subports.isEmpty, port.portSecurity != false || !makes(.noPortSecurity),
      !port.macs.contains(seen.source), !topology.deviceMACs.contains(seen.source) || !makes(.hostsDevices),
      !mayBeUsed(seen.source, at: port)
    else { return }
    let isPast = hasLeft(at) || hasLeftBeside(at) || !makes(.stoppedInTime)
    guard isPast || topology.hostHasTunnelPoint[Int(entry.host)] else { return }
    let key = FaultKey(
      fault: isPast ? .spoofedSourceMAC : .spoofBlocked, host: entry.host, network: entry.network, port: entry.port)
    // Another guest may have come to this host after the state was read, and its floods show here, too.
    let isWeak = makes(.floodsOfNewcomers) && entry.basis == .ownership && !isSwitched(seen, entry) && !isHeardElsewhere(seen, entry, since: faults[key]?.first)
    record(key, base &+ UInt64(at) &+ 1, group, Int(entry.first), isWeak: isWeak)
    faults[key]?.note(rival: seen.source.rawValue)
  }

  /// Where a host has heard a MAC in a port's network.
  private func heard(_ mac: MACAddress, _ entry: Passage) -> LearningLedger.Location? {
    topology.vni(ofNetwork: Int(entry.network)).flatMap { ledger.location(entry.host, learningLane(entry.network, $0), mac) }
  }

  /// Whether the switch knows where a unicast frame goes: then it shows at no port but the one that it came from.
  private func isSwitched(_ seen: Observation, _ entry: Passage) -> Bool {
    guard !seen.destination.isGroup, seen.destination != .zero, let location = heard(seen.destination, entry) else { return false }
    return location.since < clamped(seen.time, minus: Judge.learningGrace / 2)
      && seen.time &- location.last < Judge.learningTimeout / 2
  }

  /// Whether the owner of a MAC was still heard from elsewhere after frames with it had shown at this port: then it has
  /// not moved here.
  private func isHeardElsewhere(_ seen: Observation, _ entry: Passage, since first: Int64?) -> Bool {
    guard let first, let location = heard(seen.source, entry) else { return false }
    return location.last > clamped(first, plus: Judge.learningGrace)
  }

  /// Whether a port may send from a MAC that is not its own: an allowed address pair, or a router's.
  private func mayBeUsed(_ mac: MACAddress, at port: Port) -> Bool {
    if port.allowedMACs.contains(mac), makes(.allowedPairs) { return true }
    return (isRouters(mac) || mac.isVirtualRouter || mac.isDistributedRouterHost) && makes(.routersMACs)
  }

  private func isRouters(_ mac: MACAddress) -> Bool {
    (topology.portsOfMAC[mac] ?? []).contains { topology.isRouters(port: $0) }
  }

  /// Whether the same frame of the port left by what its captures show beside this: one may have written it twice.
  func hasLeftBeside(_ at: Int) -> Bool {
    let entry = resolver.passages[at]
    for other in resolver.passages.indices where other != at && resolver.passages[other].port == entry.port {
      let beside = resolver.passages[other]
      if beside.direction == .fromGuest, abs(beside.start &- entry.start) < TrajectoryResolver.writtenTwice, hasLeft(other) { return true }
    }
    return false
  }

  /// Whether an entry was seen beyond its host's enforcement: in a tunnel, or at another port.
  func hasLeft(_ at: Int) -> Bool {
    for tunnel in resolver.tunnels where Int(tunnel.entry) == at { return true }
    for passage in resolver.passages where passage.direction == .toGuest && Int(passage.fromEntry) == at { return true }
    return false
  }
}
