import Deployment
import Observations
import Wire

/// Which arrival or entry each delivery came of.
extension TrajectoryResolver {
  mutating func assignDeliveries(_ group: [Observation]) {
    var left = false
    for at in passages.indices where passages[at].direction == .toGuest {
      if !assignDelivery(at, group, isLawful: true) { left = true }
    }
    guard left else { return }
    for at in passages.indices where passages[at].direction == .toGuest && !passages[at].laneMatches {
      switch unseenSource(of: at) {
      case .sent: passages[at].laneMatches = true
      case .entered:
        // Neither sent nor received, says each of two captures: then rather what else is not accounted for, best what
        // its own ports lack. As many come out of a lane as go in.
        if !assignDelivery(at, group, isLawful: false, of: .missed),
          !assignDelivery(at, group, isLawful: false, of: .unaccounted)
        {
          passages[at].laneMatches = true
        }
      case .none: _ = assignDelivery(at, group, isLawful: false)
      }
    }
  }

  /// Which arrivals a delivery may have come of: any; those that led to none yet; those that should have led to one
  /// at a captured port of their own lane.
  private enum Candidates { case any, unaccounted, missed }

  /// Finds what a delivery came of, in the port's own lane or in any.
  private mutating func assignDelivery(
    _ at: Int, _ group: [Observation], isLawful: Bool, of candidates: Candidates = .any
  ) -> Bool {
    let delivery = passages[at]
    if isLawful, delivery.network < 0 { return false }
    if candidates != .any, !isTwin(group[Int(delivery.first)].source, of: delivery.network) { return false }
    var best: (tunnel: Int32, entry: Int32, time: Int64)?
    for candidate in tunnels.indices {
      let arrival = tunnels[candidate]
      guard arrival.direction == .in, arrival.host == delivery.host,
        arrival.time <= delivery.start &+ TrajectoryResolver.stampSlack, !isLawful || topology.isLane(arrival, of: delivery.network)
      else { continue }
      if let best, best.time > arrival.time { continue }
      if candidates != .any, arrival.deliveries > 0 { continue }
      if candidates == .missed, !isMissedByOwnPorts(arrival, group) { continue }
      if isTaken(port: delivery.port, tunnel: Int32(truncatingIfNeeded: candidate), but: at) { continue }
      best = (Int32(truncatingIfNeeded: candidate), -1, arrival.time)
    }
    for candidate in passages.indices where candidate != at && candidates == .any {
      let entry = passages[candidate]
      guard entry.direction == .fromGuest, entry.host == delivery.host, entry.port != delivery.port,
        entry.start <= delivery.start &+ TrajectoryResolver.stampSlack, !isLawful || entry.network == delivery.network
      else { continue }
      if let best, best.time > entry.start { continue }
      if isTaken(port: delivery.port, entry: Int32(truncatingIfNeeded: candidate), but: at) { continue }
      best = (-1, Int32(truncatingIfNeeded: candidate), entry.start)
    }
    guard let best else { return false }
    if !isLawful, best.tunnel >= 0, tunnels[Int(best.tunnel)].deliveries > 0, isRepeated(at, of: best.time) {
      passages[at].laneMatches = true
      return true
    }
    passages[at].fromTunnel = best.tunnel
    passages[at].fromEntry = best.entry
    passages[at].laneMatches = isLawful
    if best.tunnel >= 0 { tunnels[Int(best.tunnel)].deliveries += 1 }
    return true
  }

  /// Whether a port showed the same just before, lawfully and of a later arrival than this: then its capture wrote that
  /// twice, sooner than the port got what had arrived before.
  private func isRepeated(_ at: Int, of source: Int64) -> Bool {
    let delivery = passages[at]
    for other in passages where other.direction == .toGuest && other.port == delivery.port && other.laneMatches {
      guard other.start <= delivery.start, delivery.start &- other.start < TrajectoryResolver.writtenTwice else { continue }
      if other.fromTunnel >= 0, tunnels[Int(other.fromTunnel)].time > source { return true }
      if other.fromEntry >= 0, passages[Int(other.fromEntry)].start > source { return true }
    }
    return false
  }

  /// Whether several ports may send from a MAC, one of them in a network: then its frames may have come from there.
  private func isTwin(_ mac: MACAddress, of network: Int32) -> Bool {
    guard let owners = topology.portsOfMAC[mac], owners.count > 1 else { return false }
    return owners.contains { topology.portNetwork[$0] == network }
  }

  /// Whether an arrival's own lane has a captured port on its host that should show the frame, and none does.
  private func isMissedByOwnPorts(_ arrival: TunnelSighting, _ group: [Observation]) -> Bool {
    guard arrival.network >= 0 else { return false }
    let destination = group[Int(arrival.observation)].destination
    var isExpected = false
    for port in topology.ports(on: arrival.host, of: arrival.network) where topology.portIsCaptured[port] {
      guard destination.isBroadcast || topology.isOwn(destination, of: port) else { continue }
      isExpected = true
      for passage in passages where passage.direction == .toGuest && Int(passage.port) == port { return false }
    }
    return isExpected
  }

  private enum UnseenSource {
    case none
    /// A frame of the lane was sent to the host, or may have been: no capture would show it.
    case sent
    /// A frame of the lane entered on a host whose tunnel point shows none to this host.
    case entered
  }

  /// Whether more frames of a delivery's lane were sent towards its host than its port is known to have got.
  private func unseenSource(of at: Int) -> UnseenSource {
    let delivery = passages[at]
    guard delivery.network >= 0, topology.vni(ofNetwork: Int(delivery.network)) != nil else { return .none }
    var entered = 0
    var hidden = 0
    var known = 0
    for passage in passages {
      if passage.direction == .fromGuest, passage.network == delivery.network, passage.port != delivery.port {
        entered += 1
        if passage.host == delivery.host || !topology.hostHasTunnelPoint[Int(passage.host)] { hidden += 1 }
      }
      if passage.direction == .toGuest, passage.port == delivery.port, passage.laneMatches { known += 1 }
    }
    var sent = 0
    for tunnel in tunnels where tunnel.direction == .out && tunnel.peer == delivery.host && topology.isLane(tunnel, of: delivery.network) {
      sent += 1
    }
    if known < max(hidden, sent) || (known < entered && !topology.hostHasTunnelPoint[Int(delivery.host)]) {
      return .sent
    }
    return known < entered ? .entered : .none
  }

  private func isTaken(port: Int32, tunnel: Int32 = -1, entry: Int32 = -1, but own: Int) -> Bool {
    for other in passages.indices
    where other != own && passages[other].direction == .toGuest && passages[other].port == port
      && (tunnel >= 0 ? passages[other].fromTunnel == tunnel : passages[other].fromEntry == entry)
    {
      return true
    }
    return false
  }
}
