import Correlation
import Deployment
import Observations
import Wire

/// Frames of which a point shows more copies than entered: as many come out of a stretch as went in, or somebody
/// made more of them.
struct DuplicateKey: Hashable, Sendable {
  enum Stage: UInt8, Sendable { case sender, underlay, receiver }
  var stage: Stage
  var host: Int32
  /// The far host; -1 within the receiver.
  var peer: Int32 = -1
  var network: Int32
  var port: Int32 = -1
}

struct DuplicateRecord: Sendable {
  /// Where the next point shows the copies, too.
  var confirmed = FaultRecord()
  /// Where it shows fewer: a capture wrote a frame twice.
  var refuted: UInt64 = 0
}

extension Judge {
  mutating func countDuplicates(_ group: [Observation], _ base: UInt64) {
    // Nearly all frames show once at each place.
    guard let head = group.first, group.count > 1, hasRepeats(group) else { return }
    // Tenants with the same MACs send the same bytes: a copy more in one lane may be the other's.
    if topology.livesInSeveralPlaces(head.source) { return }
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      guard tunnel.network >= 0, tunnel.peer >= 0, isFirst(at) else { continue }
      let seen = group[Int(tunnel.observation)]
      if tunnel.direction == .out {
        let copies = count(from: tunnel.host, to: tunnel.peer, .out, tunnel.network, seen, group)
        let entered = entries(on: tunnel.host, tunnel.network)
        guard copies > 1, entered > 0, copies > excused(entered), showsAllEntries(of: at) else { continue }
        let beyond = makes(.floodCopies) && makes(.devicesInSeries) ? shownBeyond(from: tunnel.host, to: tunnel.peer, tunnel.network, group) : copies
        let key = DuplicateKey(stage: .sender, host: tunnel.host, peer: tunnel.peer, network: tunnel.network)
        note(key, shown: beyond, expected: copies, base, group, Int(tunnel.observation))
      } else if tunnel.direction == .in {
        let copies = count(from: tunnel.peer, to: tunnel.host, .in, tunnel.network, seen, group)
        let sent = count(from: tunnel.peer, to: tunnel.host, .out, tunnel.network, nil, group)
        guard copies > 1, sent > 0, copies > excused(sent), showsAllSent(of: at) else { continue }
        let key = DuplicateKey(stage: .underlay, host: tunnel.peer, peer: tunnel.host, network: tunnel.network)
        note(
          key, shown: deliveries(on: tunnel.host, tunnel.network, beside: seen.capture, group), expected: copies, base, group,
          Int(tunnel.observation))
      }
    }
    for at in resolver.passages.indices where resolver.passages[at].direction == .toGuest {
      let delivery = resolver.passages[at]
      guard delivery.network >= 0, !resolver.passages[..<at].contains(where: { $0.port == delivery.port && $0.direction == .toGuest })
      else { continue }
      var copies = 0
      var whole = 0
      for other in resolver.passages where other.direction == .toGuest && other.port == delivery.port {
        copies += 1
        if other.sightings > 1 { whole += 1 }
      }
      if !makes(.mirroredCopies) {
        let mirrored = mirroredCopies(on: delivery.host, group)
        copies += mirrored
        whole += mirrored
      }
      var sources = 0
      for tunnel in resolver.tunnels
      where tunnel.direction == .in && tunnel.host == delivery.host && tunnel.network == delivery.network {
        sources += 1
      }
      for entry in resolver.passages
      where entry.direction == .fromGuest && entry.host == delivery.host && entry.port != delivery.port
        && entry.network == delivery.network
      {
        sources += 1
      }
      guard copies > 1, sources > 0, copies > excused(sources), showsAllSources(of: delivery) else { continue }
      let key = DuplicateKey(stage: .receiver, host: delivery.host, network: delivery.network, port: delivery.port)
      note(key, shown: whole, expected: copies, base, group, Int(delivery.first))
    }
  }

  // MARK: What the point before shows

  /// Whether a port of the network was recording when each copy that a host sent entered. Where its capture began, or
  /// ended, between two, the guest may have sent the frame twice.
  private func showsAllEntries(of at: Int) -> Bool {
    let first = resolver.tunnels[at]
    let ports = resolver.passages.filter { $0.direction == .fromGuest && $0.host == first.host && $0.network == first.network }.map(\.port)
    return resolver.tunnels.allSatisfy { copy in
      copy.direction != .out || copy.host != first.host || copy.network != first.network
        || ports.allSatisfy { wasLive(port: $0, before: copy.time) }
    }
  }

  /// The same of the tunnel interface of the sender, for what arrives.
  private func showsAllSent(of at: Int) -> Bool {
    let first = resolver.tunnels[at]
    return resolver.tunnels.allSatisfy { arrival in
      arrival.direction != .in || arrival.host != first.host || arrival.peer != first.peer || arrival.network != first.network
        || wasLive(tunnelOf: first.peer, before: arrival.time, seenOn: first.host)
    }
  }

  /// The same of what a host hands to a port: that came out of a tunnel, or entered at another port.
  private func showsAllSources(of first: Passage) -> Bool {
    let isTunnel = resolver.tunnels.contains { $0.direction == .in && $0.host == first.host && $0.network == first.network }
    let ports = resolver.passages.filter {
      $0.direction == .fromGuest && $0.host == first.host && $0.port != first.port && $0.network == first.network
    }.map(\.port)
    return resolver.passages.allSatisfy { copy in
      copy.direction != .toGuest || copy.port != first.port
        || (!isTunnel || wasLive(tunnelOf: first.host, before: copy.start, seenOn: -1))
          && ports.allSatisfy { wasLive(port: $0, before: copy.start) }
    }
  }

  /// Longest way of a frame from one point to the next, in nanoseconds.
  private var longestStep: Int64 { 50_000_000 }

  private func wasLive(port: Int32, before time: Int64) -> Bool {
    isLive(port: port, time) && isLive(port: port, clamped(time, minus: longestStep))
  }

  private func wasLive(tunnelOf host: Int32, before time: Int64, seenOn other: Int32) -> Bool {
    isLive(tunnelOf: host, time, seenOn: other) && isLive(tunnelOf: host, clamped(time, minus: longestStep), seenOn: other)
  }

  /// As many copies as entered are in order.
  private func excused(_ entered: Int) -> Int { makes(.repeatedByGuests) ? entered : min(entered, 1) }

  /// Sightings at a host's mirrors: what shows there was copied to be looked at.
  private func mirroredCopies(on host: Int32, _ group: [Observation]) -> Int {
    resolver.witnesses.count { index in
      let point = topology.points[Int(group[Int(index)].point)]
      return point.isMirror && point.host == host
    }
  }

  /// Whether a point shows a frame twice in one file and direction.
  private func hasRepeats(_ group: [Observation]) -> Bool {
    if !makes(.floodCopies) || !makes(.devicesInSeries) || !makes(.mirroredCopies) { return true }
    for index in group.indices.dropFirst() {
      let seen = group[index]
      for other in group[..<index]
      where other.capture == seen.capture && other.point == seen.point && other.outerTo == seen.outerTo
        && other.outerFrom == seen.outerFrom
      {
        return true
      }
    }
    return false
  }

  /// Whether no earlier sighting is of the same host, far host and way.
  private func isFirst(_ at: Int) -> Bool {
    let tunnel = resolver.tunnels[at]
    for other in resolver.tunnels[..<at]
    where other.host == tunnel.host && other.peer == tunnel.peer && other.direction == tunnel.direction
      && other.network == tunnel.network
    {
      return false
    }
    return true
  }

  /// Copies that one capture of a host shows on their way between two hosts. `like`: of that capture; nil: of the one
  /// that shows most.
  private func count(
    from: Int32, to: Int32, _ direction: Observation.Direction, _ network: Int32, _ like: Observation?,
    _ group: [Observation]
  ) -> Int {
    var most = 0
    for tunnel in resolver.tunnels where tunnel.direction == direction && tunnel.network == network {
      guard direction == .out ? tunnel.host == from && tunnel.peer == to : tunnel.host == to && tunnel.peer == from else {
        continue
      }
      let seen = group[Int(tunnel.observation)]
      if let like, (like.capture, like.point) != (seen.capture, seen.point) { continue }
      var own = 0
      for at in resolver.tunnels.indices {
        let other = resolver.tunnels[at]
        guard other.direction == direction, other.network == network, other.host == tunnel.host,
          other.peer == tunnel.peer || !makes(.floodCopies)
        else { continue }
        let same = group[Int(other.observation)]
        if (same.capture, same.point) == (seen.capture, seen.point) { own += 1 }
        if !makes(.devicesInSeries) { own += resolver.series.count { Int($0.tunnel) == at } }
      }
      most = max(most, own)
      if like != nil { break }
    }
    return most
  }

  private func entries(on host: Int32, _ network: Int32) -> Int {
    var count = 0
    for entry in resolver.passages
    where entry.direction == .fromGuest && entry.host == host && entry.network == network {
      count += 1
    }
    return count
  }

  /// The fewest copies that a place behind the sender shows; nil where none does.
  private func shownBeyond(from: Int32, to: Int32, _ network: Int32, _ group: [Observation]) -> Int? {
    let delivered = deliveries(on: to, network, beside: .max, group)
    guard topology.hostHasTunnelPoint[Int(to)] else { return delivered }
    let arrived = count(from: from, to: to, .in, network, nil, group)
    return min(arrived, delivered ?? arrived)
  }

  /// The most copies that a port of the host shows; nil where no port shows the frame.
  /// A capture is no witness of its own copies.
  private func deliveries(on host: Int32, _ network: Int32, beside capture: UInt16, _ group: [Observation]) -> Int? {
    var most = 0
    for delivery in resolver.passages
    where delivery.direction == .toGuest && delivery.host == host && delivery.network == network
      && group[Int(delivery.first)].capture != capture
    {
      most = max(most, copies(at: delivery.port, group))
    }
    return most > 0 ? most : nil
  }

  /// How often a port was given the frame: as often as that of its points shows which shows it least.
  private func copies(at port: Int32, _ group: [Observation]) -> Int {
    var (delivered, sent) = (0, 0)
    for other in resolver.passages where other.port == port {
      if other.direction == .toGuest { delivered += 1 } else { sent += 1 }
    }
    guard sent == 0 else { return delivered }
    for index in group.indices {
      let point = group[index].point
      guard topology.points[Int(point)].port == port, !group[..<index].contains(where: { $0.point == point }) else { continue }
      delivered = min(delivered, group.count { $0.point == point })
    }
    return delivered
  }

  private mutating func note(
    _ key: DuplicateKey, shown: Int?, expected: Int, _ base: UInt64, _ group: [Observation], _ index: Int
  ) {
    guard let shown else { return }
    if shown >= expected || !makes(.writtenTwice) {
      duplicates[key, default: DuplicateRecord()].confirmed.add(
        trajectory: base, group[index], isWeak: false, group: group, index: index)
      duplicates[key]?.confirmed.frames.add(group[index])
    } else {
      duplicates[key, default: DuplicateRecord()].refuted += 1
    }
  }
}

extension FindingBuilder {
  mutating func addDuplicates() {
    let keys = judge.duplicates.keys.sorted {
      ($0.stage.rawValue, $0.host, $0.peer, $0.network, $0.port) < ($1.stage.rawValue, $1.host, $1.peer, $1.network, $1.port)
    }
    for key in keys {
      guard let duplicate = judge.duplicates[key] else { continue }
      let record = duplicate.confirmed
      // Captures that write frames twice do so here and there; a first sighting that a capture lost looks alike.
      let lost: Double =
        switch key.stage {
        case .sender: judge.missRate(ofPortsOn: key.host, key.network)
        case .underlay: judge.sendingMissRate(key.host)
        case .receiver: judge.receivingMissRate(key.host)
        }
      let cell = judge.cell(key.host, key.network)
      let frames = key.stage == .receiver ? judge.in[cell] : judge.out[cell]
      guard record.count >= 3,
        Double(record.count) > 2 + Double(duplicate.refuted) / 4 + 3 * lost * Double(frames)
      else { continue }
      let (host, peer) = (hostName(key.host), hostName(key.peer))
      let message: String
      switch key.stage {
      case .sender:
        message =
          "\(host) sends frames of \(networkName(key.network)) to \(peer) more than once, that its guests sent once"
      case .underlay:
        message = "tunnel frames of \(networkName(key.network)) that \(host) sent to \(peer) once arrive there more than once"
      case .receiver:
        message =
          "\(host) hands frames of \(networkName(key.network)) to \(portName(key.port)) more than once, that it received once"
      }
      var draft = draft(
        nil, record, rule: "frame-duplicated", severity: .warning, host: key.stage == .underlay ? key.peer : key.host,
        network: key.network, message: message)
      if key.port >= 0 { draft.finding.port = portName(key.port) }
      if key.stage == .sender { addDoubleTunnel(&draft, key) }
      drafts.append(draft)
    }
  }

  /// Two tunnels to one host, both in the flood list, are what mostly does it.
  private func addDoubleTunnel(_ draft: inout Draft, _ key: DuplicateKey) {
    let vteps = deployment.hosts[Int(key.peer)].vteps
    let tunnels = deployment.tunnels(of: Int(key.host)).filter { $0.remote.map(vteps.contains) ?? false }
    guard tunnels.count > 1 else {
      // Or one, that the list names twice.
      guard let vlan = localVLAN(key.host, key.network), let flood = installed.flood(host: Int(key.host), vlan: vlan),
        flood.remotes.count(where: vteps.contains) > 1, let flow = flood.flow
      else { return }
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
      return
    }
    draft.finding.cause = Cause(
      kind: .tunnel, host: hostName(key.host), bridge: tunnels[0].bridge,
      text: "Interfaces \(tunnels.map(\.name).sorted().joined(separator: ", ")): all lead to \(hostName(key.peer))")
    draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl --columns=name,type,options find Interface type!=patch")
  }
}
