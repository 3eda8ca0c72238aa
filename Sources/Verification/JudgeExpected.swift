import Correlation
import Deployment
import Observations
import Wire

/// What a point would have shown, were the frame there: whether it was recording, shows such frames, and must get this one.
extension Judge {
  /// Whether a host's tunnel point must have shown what another host (-1: the same) showed at a time.
  func isLive(tunnelOf host: Int32, _ time: Int64, seenOn other: Int32 = -1) -> Bool {
    guard let slack = trust.slack(host, other, at: time), !doubts.isFollowed || !doubts.isOff(host, other) else { return false }
    // Within a host, its captures have to agree.
    guard other >= 0 && other != host || trust.isOrdered(host, at: time) else { return false }
    return isRecording(tunnelOf: host, time, within: slack)
  }

  func isRecording(tunnelOf host: Int32, _ time: Int64, within slack: Int64) -> Bool {
    guard !topology.hidesFrames[Int(host)] || !makes(.hiddenFrames) else { return false }
    for view in topology.tunnelProofs[Int(host)] where areLive(view, time, within: slack) { return true }
    return false
  }

  private func areLive(_ points: [Int], _ time: Int64, within slack: Int64) -> Bool {
    for point in points where !isRecording(point, time, within: slack) && makes(.notRecording) { return false }
    return true
  }

  func isLive(port: Int32, _ time: Int64) -> Bool {
    let host = topology.portHost[Int(port)]
    guard !topology.hidesFrames[Int(host)] || !makes(.hiddenFrames), trust.isOrdered(Int32(truncatingIfNeeded: host), at: time) else { return false }
    for index in topology.guestPoints[Int(port)] {
      if isRecording(index, time) || !makes(.notRecording) { return true }
    }
    return false
  }

  /// Whether a point shows frames of that kind between the same stations, and was recording.
  func wouldShow(_ point: Int, _ time: Int64) -> Bool {
    (isRecording(point, time) || !makes(.notRecording)) && shownPairs[point * PairMark.words + mark.word] & mark.bit != 0
  }

  func tunnelWouldShow(_ host: Int32, _ time: Int64) -> Bool {
    guard !topology.hidesFrames[Int(host)] || !makes(.hiddenFrames) else { return false }
    for point in topology.tunnelPoints[Int(host)] {
      if wouldShow(point, time) { return true }
    }
    return false
  }

  /// How many points of a port would show a frame that br-int hands to it: behind qbr, security groups may drop what
  /// is not ARP.
  func pointsOfPort(_ port: Int, _ seen: Observation) -> Int {
    guard !topology.hidesFrames[Int(topology.portHost[port])] || !makes(.hiddenFrames) else { return 0 }
    var count = 0
    let isHybrid = topology.pointOfRank[port * 4 + 3] >= 0 || topology.portFacts[port].isHybrid
    for rank in 0..<4 {
      let point = Int(topology.pointOfRank[port * 4 + rank])
      guard point >= 0, wouldShow(point, seen.time) else { continue }
      let isBehind = isHybrid && rank < 2 && makes(.securityGroups)
      if !isBehind || seen.frameClass == .arpRequest || seen.frameClass == .arpReply { count += 1 }
    }
    return count
  }

  /// How many points of a host's ports would show a frame that reaches it, at best.
  func pointsOfPorts(on host: Int32, _ network: Int32, _ seen: Observation) -> Int {
    guard network >= 0 else { return 0 }
    var most = 0
    for port in topology.ports(on: host, of: network) where expects(port, seen) {
      most = max(most, pointsOfPort(port, seen))
    }
    return most
  }

  /// Whether a single missing sighting of a frame counts. NICs cut and join segments, large frames may be fragmented.
  /// Segments without payload, or with next to none, are neither cut nor joined.
  func isProbative(_ seen: Observation) -> Bool {
    seen.frameClass != .fragment && seen.length <= (seen.frameClass == .tcp ? 90 : 1400) || !makes(.cutAndJoined)
  }

  /// Whether a switch may hold the frame back where nobody listens (IGMP snooping).
  func isPruned(_ seen: Observation) -> Bool {
    seen.destination.isGroup && !seen.destination.isBroadcast && !seen.destination.isReservedBridgeGroup
      && makes(.prunedMulticast)
  }

  /// Whether address protection of br-int may drop the frame: it looks at what ARP and ND say.
  func isGuarded(_ seen: Observation) -> Bool {
    switch seen.frameClass {
    case .arpRequest, .neighborSolicitation: makes(.answeredLocally)
    case .arpReply, .neighborAdvertisement, .rarp: makes(.guardedAddresses)
    default: false
    }
  }

  /// Whether a guest answers for an address that is not known to be its own: address protection of its host drops that,
  /// and where the frame shows nowhere else, it may have.
  func isStrangeClaim(_ entry: Passage, _ seen: Observation) -> Bool {
    guard seen.frameClass == .arpReply || seen.frameClass == .neighborAdvertisement, makes(.guardedAddresses) else { return false }
    let ports = topology.deployment.ports
    guard !ports[Int(entry.port)].addresses.isEmpty else { return seen.destination.isGroup }
    // Of guests that captures alone tell of, what one claims is its own as well.
    let owners = ports.indices.filter { port in
      topology.portNetwork[port] == entry.network && ports[port].addresses.contains { $0.shortHash == seen.target }
    }
    return owners != [Int(entry.port)]
  }

  /// Whether a frame that reached the host must show at this port: it is for its MAC, or for all.
  func expects(_ port: Int, _ seen: Observation) -> Bool {
    // At a tap behind qbr, security groups drop what is not ARP.
    isFor(port, seen)
      && (topology.portIsCapturedAtBridge[port] || seen.frameClass == .arpRequest || seen.frameClass == .arpReply
        || !makes(.securityGroups))
  }

  func isFor(_ port: Int, _ seen: Observation) -> Bool {
    let isForIt = seen.destination.isBroadcast || topology.isOwn(seen.destination, of: port)
    return isForIt && topology.portIsCaptured[port] && topology.portFacts[port].isActive
      && !topology.isOwn(seen.source, of: port) && seen.tagCount == 0 && isLive(port: Int32(port), seen.time)
  }

  /// Whether a frame was seen at the guest's tap only, though a point on br-int's side of qbr was recording: what a
  /// Linux bridge holds back is a matter of policy.
  func endsBeforeBridge(_ at: Int) -> Bool {
    let entry = resolver.passages[at]
    let bridge = Int(topology.pointOfRank[Int(entry.port) * 4 + 3])
    return entry.ranks == 1 && topology.portFacts[Int(entry.port)].isHybrid && bridge >= 0
      && isRecording(bridge, entry.start) && !hasLeft(at) && !isShown(beside: entry.host) && makes(.securityGroups)
  }

  /// Notes guests of other hosts that were heard on this one and did not come by a tunnel: they have moved here,
  /// whatever the state says of them, until a tunnel brings their frames again.
  mutating func noteVisitors(_ group: [Observation]) {
    for passage in resolver.passages
    where passage.direction == .toGuest && passage.fromTunnel < 0 && passage.fromEntry < 0 {
      let source = group[Int(passage.first)].source
      guard topology.portsOfMAC[source] != nil, isLive(tunnelOf: passage.host, passage.start) else { continue }
      if !topology.lives(source, on: passage.host) { visitors.insert(visitor(source, passage.host)) }
    }
  }

  func visitor(_ mac: MACAddress, _ host: Int32) -> UInt64 { mac.rawValue << 16 | UInt64(UInt16(truncatingIfNeeded: host)) }

  /// Whether a frame of a guest must leave its host: the destination lives on another one, or on all. Multicast must
  /// where no switch holds it back.
  func mustLeave(_ entry: Passage, _ seen: Observation) -> Bool {
    guard topology.isOwn(seen.source, of: Int(entry.port)), seen.tagCount == 0,
      topology.vni(ofNetwork: Int(entry.network)) != nil, !seen.destination.isReservedBridgeGroup || !makes(.reservedMulticast),
      seen.length <= topology.longestFrame
    else { return false }
    if seen.destination.isGroup {
      for host in topology.tunnelPoints.indices where host != Int(entry.host) {
        if !topology.ports(on: Int32(host), of: entry.network).isEmpty { return true }
      }
      return false
    }
    guard let owners = topology.portsOfMAC[seen.destination], !visitors.contains(visitor(seen.destination, entry.host))
    else { return false }
    var elsewhere = false
    for owner in owners where topology.portNetwork[owner] == entry.network {
      if topology.portHost[owner] == entry.host { return false }
      elsewhere = true
    }
    return elsewhere
  }
}
