import Correlation
import Deployment
import Observations
import Wire

/// Where frames pass and where they vanish: counted by stretch of the path, judged when all is read.
extension Judge {
  /// Counts where frames pass and where they vanish. A single missing sighting proves nothing; whole classes do, and
  /// what two points lack.
  mutating func countStretches(_ group: [Observation], _ base: UInt64) {
    for at in resolver.tunnels.indices {
      switch resolver.tunnels[at].direction {
      case .out:
        countUnderlay(at, group, base)
        countUnseenArrival(at, group, base)
      case .in: countArrival(at, group, base)
      default: break
      }
    }
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      guard entry.network >= 0, mustLeave(entry, group[Int(entry.first)]), !endsBeforeBridge(at) else { continue }
      if topology.hostHasTunnelPoint[Int(entry.host)] {
        countLeaving(at, group, base)
      } else {
        countOutward(at, group, base)
      }
      countFarPorts(at, group, base)
    }
  }

  private mutating func countUnderlay(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let tunnel = resolver.tunnels[at]
    let index = Int(tunnel.observation)
    let seen = group[index]
    guard tunnel.peer >= 0, topology.hostHasTunnelPoint[Int(tunnel.peer)] else { return }
    var arrived = false
    for other in resolver.tunnels where other.direction == .in && Int(other.sent) == at { arrived = true }
    // A port there that shows the frame proves that it arrived, whatever the tunnel's capture left out.
    if !arrived { arrived = isShownByPorts(of: tunnel.peer) || isShownByTunnelDevice(of: tunnel.peer, group) }
    if !arrived { arrived = isSentOn(by: tunnel.peer) || isWrittenTwice(at, group) }
    guard arrived || !isWrong else { return }
    let areRelated = trust.relates(tunnel.host, tunnel.peer)
    notePause(tunnel.host, tunnel.peer, at: seen.time, passed: arrived)
    if areRelated {
      // What arrived did, whatever is known of the time.
      guard arrived || isLive(tunnelOf: tunnel.peer, seen.time, seenOn: tunnel.host) else {
        noteUnsettled(tunnel.host, tunnel.peer, seen)
        return
      }
    } else {
      // Where nothing ever passes, nothing can relate the clocks: whether that is so is seen at the end.
      unrelated[.init(sender: tunnel.host, receiver: tunnel.peer), default: 0] += 1
      guard isRecording(tunnelOf: tunnel.peer, seen.time, within: ClockTrust.nominalSlack) else { return }
    }
    if areRelated { noteSize(seen, from: tunnel.host, to: tunnel.peer, arrived: arrived) }
    let key = StretchKey(stretch: .underlay, host: tunnel.host, peer: tunnel.peer, network: tunnel.network)
    var points = 0
    if !arrived, tunnelWouldShow(tunnel.peer, seen.time), seen.tagCount == 0 {
      points = 1
      if pointsOfPorts(on: tunnel.peer, tunnel.network, seen) > 0 || tapWouldShow(on: tunnel.peer, tunnel.network, seen) {
        points = 2
      }
    }
    count(key, arrived, base, group, index, points: points)
  }

  /// Whether a host sends a frame that none of its ports sent: then it received it, whatever its capture left out.
  private func isSentOn(by host: Int32) -> Bool {
    for tunnel in resolver.tunnels where tunnel.host == host && tunnel.direction == .out && tunnel.entry < 0 { return true }
    return false
  }

  /// Whether a copy that did not arrive lies so close to one that did, in the same capture, that more would have left
  /// than entered: the capture wrote it twice.
  private func isWrittenTwice(_ at: Int, _ group: [Observation]) -> Bool {
    let copy = resolver.tunnels[at]
    let seen = group[Int(copy.observation)]
    var isBeside = false
    var arrivals = 0
    for other in resolver.tunnels.indices where other != at && resolver.tunnels[other].direction == .out {
      let twin = resolver.tunnels[other]
      guard twin.host == copy.host, twin.peer == copy.peer, twin.vni == copy.vni,
        resolver.tunnels.contains(where: { $0.direction == .in && Int($0.sent) == other })
      else { continue }
      arrivals += 1
      if group[Int(twin.observation)].capture == seen.capture, abs(twin.time &- copy.time) < TrajectoryResolver.writtenTwice { isBeside = true }
    }
    guard isBeside else { return false }
    var entered = 0
    for passage in resolver.passages where passage.direction == .fromGuest && passage.host == copy.host { entered += 1 }
    return arrivals >= max(1, entered)
  }

  private mutating func countArrival(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let tunnel = resolver.tunnels[at]
    let index = Int(tunnel.observation)
    let seen = group[index]
    guard tunnel.network >= 0, seen.tagCount == 0 else { return }
    if tunnel.deliveries == 0, !isWrong, !trust.isOrdered(tunnel.host, at: seen.time) {
      unsettled[.init(sender: tunnel.host, receiver: tunnel.host), default: 0] += 1
    }
    for port in topology.ports(on: tunnel.host, of: tunnel.network) where expects(port, seen) {
      var delivered = false
      for passage in resolver.passages where passage.direction == .toGuest && Int(passage.port) == port {
        delivered = true
      }
      let key = StretchKey(
        stretch: .toPort, host: tunnel.host, peer: tunnel.peer, network: tunnel.network, port: Int32(port))
      count(key, delivered, base, group, index, points: delivered ? 0 : pointsOfPort(port, seen))
    }
    if !isWrong { countReached(tunnel, seen) }
  }

  /// Counts which frames for ports show there: that some do not may be policy, and how many do is known by those that
  /// the host's tunnel point shows.
  private mutating func countReached(_ tunnel: TunnelSighting, _ seen: Observation) {
    guard !isGuarded(seen), !isPruned(seen) else { return }
    for port in topology.ports(on: tunnel.host, of: tunnel.network) where isFor(port, seen) {
      var delivered = false
      for passage in resolver.passages where passage.direction == .toGuest && Int(passage.port) == port {
        delivered = true
      }
      if delivered { passing.reached[port] &+= 1 } else { passing.unreached[port] &+= 1 }
    }
  }

  /// Whether a port's only captures are on the guest's side of a Linux bridge.
  private func isTapOnly(_ port: Int) -> Bool { topology.portIsCaptured[port] && !topology.portIsCapturedAtBridge[port] }

  /// Whether a host has a port behind a Linux bridge whose tap would show a frame that reaches the host, policy permitting.
  private func tapWouldShow(on host: Int32, _ network: Int32, _ seen: Observation) -> Bool {
    guard network >= 0, !isPruned(seen) else { return false }
    for port in topology.ports(on: host, of: network) where isTapOnly(port) && isFor(port, seen) {
      let tap = Int(topology.pointOfRank[port * 4])
      if tap >= 0, wouldShow(tap, seen.time) { return true }
    }
    return false
  }

  private mutating func countLeaving(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let entry = resolver.passages[at]
    let seen = group[Int(entry.first)]
    var left = false
    for tunnel in resolver.tunnels where tunnel.direction == .out && Int(tunnel.entry) == at { left = true }
    guard left || !isWrong && !hasLeftBeside(at) else { return }
    notePause(entry.host, entry.host, at: entry.start, passed: left || isShown(beside: entry.host))
    guard left || isLive(tunnelOf: entry.host, entry.start) else {
      if !hasLeft(at), !trust.isOrdered(entry.host, at: entry.start) {
        unsettled[.init(sender: entry.host, receiver: entry.host), default: 0] += 1
      }
      return
    }
    // Another host that shows the frame proves that it left.
    if !left { left = isShown(beside: entry.host) }
    let key = StretchKey(stretch: .intoTunnel, host: entry.host, network: entry.network, port: entry.port)
    var points = 0
    if !left, tunnelWouldShow(entry.host, entry.start) {
      points = 1 + (pointsBeyond(entry, seen) > 0 ? 1 : 0)
    }
    count(
      key, left, base &+ UInt64(at) &+ 1, group, Int(entry.first), points: isGuarded(seen) ? 0 : points,
      isProof: !isPruned(seen))
    guard !left else { return }
    let record = stretches.index(of: key)
    let isWaiting = mustWait(key, seen.time)
    for other in group where topology.points[Int(other.point)].port == entry.port && other.time <= entry.end {
      if other.frame != seen.frame || other.capture != seen.capture {
        stretches.change(record, isWaiting: isWaiting) { $0.missed.frames.add(other) }
      }
    }
  }

  /// How many points of other hosts would show a frame that left its host.
  private func pointsBeyond(_ entry: Passage, _ seen: Observation) -> Int {
    var count = 0
    for host in topology.portsOn.indices where host != Int(entry.host) {
      guard isBound(for: Int32(host), entry, seen) else { continue }
      if tunnelWouldShow(Int32(host), seen.time) { count += 1 }
      if pointsOfPorts(on: Int32(host), entry.network, seen) > 0 { count += 1 }
    }
    return count
  }

  /// Whether a host has a port that a frame is for.
  private func isBound(for host: Int32, _ entry: Passage, _ seen: Observation) -> Bool {
    let ports = topology.ports(on: host, of: entry.network)
    if seen.destination.isGroup { return ports.contains { topology.portFacts[$0].isActive } }
    return ports.contains { topology.isOwn(seen.destination, of: $0) }
  }

  /// Frames of a host whose tunnel point was not captured: they must show at others.
  private mutating func countOutward(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let entry = resolver.passages[at]
    let seen = group[Int(entry.first)]
    var isExpected = false
    for host in topology.portsOn.indices where host != Int(entry.host) && topology.hostHasTunnelPoint[host] {
      if isBound(for: Int32(host), entry, seen), isLive(tunnelOf: Int32(host), seen.time, seenOn: entry.host) { isExpected = true }
    }
    guard isExpected else { return }
    let key = StretchKey(stretch: .outward, host: entry.host, network: entry.network, port: entry.port)
    let left = isShown(beside: entry.host)
    noteSizeOutward(entry, seen)
    count(
      key, left, base &+ UInt64(at) &+ 1, group, Int(entry.first),
      points: left || isGuarded(seen) ? 0 : pointsBeyond(entry, seen), isProof: !isPruned(seen))
    if left { countReach(of: entry.host, entry.network, group, Int(entry.first), base &+ UInt64(at) &+ 1) }
  }

  /// Counts which hosts a frame reaches that left one whose tunnel point was not captured: a flood must reach all that
  /// have such guests.
  mutating func countReach(
    of host: Int32, _ network: Int32, _ group: [Observation], _ index: Int, _ trajectory: UInt64
  ) {
    let seen = group[index]
    guard !isUnsettled(floodsOf: network, on: host, at: seen.time) else { return }
    for place in topology.portsOn.indices where place != Int(host) && topology.hostHasTunnelPoint[place] {
      let peer = Int32(truncatingIfNeeded: place)
      guard topology.ports(on: peer, of: network).contains(where: { topology.portFacts[$0].isActive }) else { continue }
      // Of a guest that moves, the peer itself may have sent it.
      var isReached = isShownByPorts(of: peer) || isShownByTunnelDevice(of: peer, group) || hasEntry(on: peer)
      for tunnel in resolver.tunnels where tunnel.host == peer && (tunnel.direction == .out || tunnel.peer == host) { isReached = true }
      guard isReached || seen.destination.isBroadcast && seen.tagCount == 0 && isLive(tunnelOf: peer, seen.time, seenOn: host) else { continue }
      let key = StretchKey(stretch: .outward, host: host, peer: peer, network: network)
      var points = 0
      if !isReached, tunnelWouldShow(peer, seen.time) { points = pointsOfPorts(on: peer, network, seen) > 0 ? 2 : 1 }
      count(key, isReached, trajectory, group, index, points: points)
    }
  }

  func isShownByPorts(of host: Int32) -> Bool {
    for passage in resolver.passages where passage.host == host && passage.direction == .toGuest { return true }
    return false
  }

  /// The device that opens tunnels shows what has come out of one: it arrived, whatever the NIC's capture left out.
  func isShownByTunnelDevice(of host: Int32, _ group: [Observation]) -> Bool {
    for index in resolver.witnesses {
      let point = topology.points[Int(group[Int(index)].point)]
      if point.isTunnelDevice, point.host == host { return true }
    }
    return false
  }

  func isShown(beside host: Int32) -> Bool {
    for tunnel in resolver.tunnels where tunnel.host != host && tunnel.direction == .in && tunnel.peer == host {
      return true
    }
    for passage in resolver.passages where passage.host != host && passage.direction == .toGuest { return true }
    return false
  }

  /// Frames for a port whose host's tunnel point was not captured: they must show at the port itself.
  private mutating func countFarPorts(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let entry = resolver.passages[at]
    let seen = group[Int(entry.first)]
    if !hasLeft(at), !isShown(beside: entry.host), isStrangeClaim(entry, seen) { return }
    for host in topology.portsOn.indices where host != Int(entry.host) && !topology.hostHasTunnelPoint[host] {
      guard trust.slack(Int32(host), entry.host, at: seen.time) != nil else { continue }
      // What its own host sent elsewhere, or not at all, is not lost on the way there.
      guard !topology.hostHasTunnelPoint[Int(entry.host)]
        || resolver.tunnels.contains(where: { Int($0.entry) == at && $0.direction == .out && Int($0.peer) == host })
      else { continue }
      countAtPorts(of: Int32(host), entry.host, entry.network, group, Int(entry.first), base &+ UInt64(at) &+ 1)
    }
  }

  /// What a host sent of guests whose ports were not captured, to one whose tunnel interface was not.
  private mutating func countUnseenArrival(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let tunnel = resolver.tunnels[at]
    let seen = group[Int(tunnel.observation)]
    guard tunnel.entry < 0, tunnel.peer >= 0, tunnel.network >= 0, seen.tagCount == 0, !topology.hostHasTunnelPoint[Int(tunnel.peer)],
      trust.slack(tunnel.peer, tunnel.host, at: seen.time) != nil, !mayHaveComeIn(tunnel, group)
    else { return }
    countAtPorts(of: tunnel.peer, tunnel.host, tunnel.network, group, Int(tunnel.observation), base)
  }

  private mutating func countAtPorts(
    of host: Int32, _ sender: Int32, _ network: Int32, _ group: [Observation], _ index: Int, _ trajectory: UInt64
  ) {
    let seen = group[index]
    for port in topology.ports(on: host, of: network) where expects(port, seen) {
      var delivered = false
      for passage in resolver.passages where passage.direction == .toGuest && Int(passage.port) == port {
        delivered = true
      }
      let points = delivered ? 0 : pointsOfPort(port, seen)
      if topology.isOwn(seen.destination, of: port), delivered || points > 0 {
        noteSize(seen, from: sender, to: host, arrived: delivered)
      }
      let key = StretchKey(stretch: .betweenPorts, host: sender, peer: host, network: network, port: Int32(port))
      count(key, delivered, trajectory, group, index, points: points)
    }
  }

  /// How many frames the tunnel points that a stretch leads to have shown so far.
  private func shownFrames(beyond key: StretchKey) -> UInt64 {
    let host = key.stretch == .intoTunnel ? key.host : key.peer
    // Out of a host whose own was not captured: those of all others.
    guard host >= 0 else { return topology.tunnelPoints.joined().reduce(0) { $0 &+ shownFrames[$1] } }
    return topology.tunnelPoints[Int(host)].reduce(0) { $0 &+ shownFrames[$1] }
  }

  /// The same of the points where a stretch ends.
  private func shownFrames(atEndOf key: StretchKey) -> UInt64 {
    guard key.stretch == .toPort || key.stretch == .betweenPorts else { return shownFrames(beyond: key) }
    return topology.guestPoints[Int(key.port)].reduce(0) { $0 &+ shownFrames[$1] }
  }

  /// - Parameters:
  ///   - points: how many points further on would have shown the frame, were it there.
  ///   - isProof: false for what switches may hold back.
  mutating func count(
    _ key: StretchKey, _ passed: Bool, _ trajectory: UInt64, _ group: [Observation], _ index: Int, points: Int = 0,
    isProof: Bool = true
  ) {
    guard passed || !isWrong else { return }
    let record = stretches.index(of: key)
    if shared.hasAny { settle(record) }
    if passed {
      stretches.passed[record] &+= 1
      stretches.firstPassed[record] = min(stretches.firstPassed[record], group[index].time)
      stretches.lastPassed[record] = max(stretches.lastPassed[record], group[index].time)
      stretches.flows.pass(record, group[index].flow)
    } else {
      let points = isProbative(group[index]) ? points : 0
      let shown = points > 0 ? shownFrames(atEndOf: key) : 0
      stretches.change(record, isWaiting: mustWait(key, group[index].time)) {
        $0.note(trajectory, group, index, points: points, shown: shown, isProof: isProof)
      }
      guard isProof else { return }
      stretches.flows.lose(record, trajectory, group, index, points: points, shown: shownFrames(beyond: key))
    }
  }

  /// A frame that only one of two hosts showed though the other was recording, at a time when their clocks are not
  /// known well enough against each other.
  mutating func noteUnsettled(_ sender: Int32, _ receiver: Int32, _ seen: Observation) {
    guard let recording = [sender, receiver].first(where: { $0 != topology.points[Int(seen.point)].host }),
      trust.slack(sender, receiver, at: seen.time) == nil || doubts.isOff(sender, receiver),
      isRecording(tunnelOf: recording, seen.time, within: 0)
    else { return }
    unsettled[.init(sender: sender, receiver: receiver), default: 0] += 1
  }

  /// Notes a frame that a host's tunnel point would have shown in a pause between two of its files: whether the capture
  /// was not running, or nothing came, other frames tell that are known to have passed then.
  private mutating func notePause(_ sender: Int32, _ receiver: Int32, at time: Int64, passed: Bool) {
    for point in topology.tunnelPoints[Int(receiver)] where spans[point].isHole(time) {
      if passed { busyInPauses.insert(receiver) } else { paused[.init(sender: sender, receiver: receiver), default: 0] += 1 }
      return
    }
  }
}
