import Correlation
import Deployment
import Observations
import Wire

/// Frames that end in the Linux bridge between a guest's tap and br-int, where security groups are applied.
struct PolicyCounts: Sendable {
  /// One way through a port's bridge.
  struct Way: Sendable {
    /// Seen on both sides.
    var passed: UInt64 = 0
    /// Ended between them.
    var ended: FaultRecord?
    /// Of those, what waits until it is known that the point beyond was still recording.
    var waiting: FaultRecord?
  }

  /// By port: what was handed to it, and what it sent.
  var inbound: [Way]
  var outbound: [Way]

  init(ports: Int) {
    inbound = Array(repeating: Way(), count: ports)
    outbound = inbound
  }
}

extension Judge {
  mutating func countPolicy(_ group: [Observation], _ base: UInt64) {
    for at in resolver.passages.indices {
      let passage = resolver.passages[at]
      let port = Int(passage.port)
      guard topology.portFacts[port].isHybrid, passage.sightings < 2 || passage.ranks & 9 == 9 else { continue }
      let tap = Int(topology.pointOfRank[port * 4])
      let bridge = Int(topology.pointOfRank[port * 4 + 3])
      guard tap >= 0, bridge >= 0 else { continue }
      let seen = group[Int(passage.first)]
      // Linux bridges hold multicast back where nobody listens.
      // Devices cut and join segments between the two.
      guard seen.frameClass != .fragment, seen.frameClass != .tcp || seen.length <= 90 else { continue }
      guard seen.destination != .zero, !seen.destination.isGroup || seen.destination.isBroadcast || !makes(.bridgedMulticast) else { continue }
      if passage.ranks & 9 == 9 {
        if passage.direction == .toGuest { policy.inbound[port].passed &+= 1 } else { policy.outbound[port].passed &+= 1 }
      } else if passage.ranks == 8, passage.direction == .toGuest, isRecording(tap, passage.start),
        !isShown(passage, at: 1),
        seen.destination.isGroup || topology.isOwn(seen.destination, of: port)
      {
        let isKnown = shared.isKnown(until: passage.start, at: [tap]) || !makes(.notRecording)
        policy.inbound[port].settle { shared.isKnown(until: $0, at: [tap]) }
        policy.inbound[port].end(group, Int(passage.first), base &+ UInt64(at) &+ 1, isKnown: isKnown)
      } else if passage.ranks == 1, passage.direction == .fromGuest, isRecording(bridge, passage.start),
        !isShown(passage, at: 8), topology.isOwn(seen.source, of: port), !hasLeft(at), !isShown(beside: passage.host)
      {
        let isKnown = shared.isKnown(until: passage.start, at: [bridge]) || !makes(.notRecording)
        policy.outbound[port].settle { shared.isKnown(until: $0, at: [bridge]) }
        policy.outbound[port].end(group, Int(passage.first), base &+ UInt64(at) &+ 1, isKnown: isKnown)
      }
    }
  }

  /// Counts what waited for a later frame at the point beyond.
  mutating func settlePolicy(_ port: Int) {
    let (tap, bridge) = (Int(topology.pointOfRank[port * 4]), Int(topology.pointOfRank[port * 4 + 3]))
    policy.inbound[port].settle { shared.isKnown(until: $0, at: [tap]) }
    policy.outbound[port].settle { shared.isKnown(until: $0, at: [bridge]) }
  }

  /// Whether another sighting of the frame at the same port has what this one lacks: captures may write twice.
  private func isShown(_ passage: Passage, at rank: UInt16) -> Bool {
    for other in resolver.passages
    where other.port == passage.port && other.direction == passage.direction && other.ranks & rank != 0 {
      return true
    }
    return false
  }
}

extension PolicyCounts.Way {
  /// Counts what waited, where the point beyond is known to have recorded until then.
  mutating func settle(_ isKnown: (_ last: Int64) -> Bool) {
    guard let record = waiting, isKnown(record.last) else { return }
    waiting = nil
    ended = ended.map {
      var both = $0
      both.merge(record)
      return both
    } ?? record
  }

  mutating func end(_ group: [Observation], _ index: Int, _ trajectory: UInt64, isKnown: Bool) {
    var record = (isKnown ? ended : waiting) ?? FaultRecord()
    // One owner: nothing is copied.
    if isKnown { ended = nil } else { waiting = nil }
    record.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    record.frames.add(group[index])
    if isKnown { ended = record } else { waiting = record }
  }
}

extension FindingBuilder {
  mutating func addPolicyDrops() {
    for port in deployment.ports.indices {
      let tap = Int(topology.pointOfRank[port * 4])
      let bridge = Int(topology.pointOfRank[port * 4 + 3])
      guard tap >= 0, bridge >= 0 else { continue }
      add(judge.policy.inbound[port], of: port, missedBy: tap, isInbound: true)
      add(judge.policy.outbound[port], of: port, missedBy: bridge, isInbound: false)
    }
  }

  private mutating func add(_ way: PolicyCounts.Way, of port: Int, missedBy point: Int, isInbound: Bool) {
    guard let record = way.ended else { return }
    let total = record.count + way.passed
    // What its capture lost ends there, too.
    let rate = judge.passing.shown[point] + judge.passing.missed[point] > 0 ? judge.passing.rate(ofPoint: point) : 0.1
    guard record.count >= 3 && Double(record.count) > 3 * rate * Double(total) + 2 || !judge.makes(.fewHeldBack) else { return }
    let name = portName(Int32(port))
    let host = Int32(deployment.ports[port].host)
    let message =
      "\(record.count) of \(total) frames \(isInbound ? "for" : "from") \(name) on \(hostName(host)) end between its tap and "
      + "br-int, where security groups are applied"
    var draft = draft(
      nil, record, rule: "dropped-by-policy", severity: .info, host: host, network: topology.portNetwork[port],
      message: message)
    draft.finding.port = name
    draft.finding.certainty = .likely
    draft.finding.next = ["on \(hostName(host)): iptables-save -c | grep \(name.dropFirst(3).prefix(9))"]
    drafts.append(draft)
  }

  /// Frames of one kind that the hosts' own flows hold back, while they carry others.
  mutating func addHeldBack(_ key: StretchKey, _ record: StretchRecord, passed: UInt64) -> Bool {
    let isInbound = key.stretch == .toPort || key.stretch == .betweenPorts
    let host = key.stretch == .betweenPorts ? key.peer : key.host
    guard judge.makes(.droppedByFlows), key.port >= 0, key.stretch != .underlay, record.missedKinds.count == 1,
      // What is answered on the spot, or protected, is not policy.
      record.missedKinds.keys.allSatisfy({ $0 & 6 == 0 }),
      record.missed.example.indices.contains(record.missed.wrong), let vni = topology.vni(ofNetwork: Int(key.network)),
      let name = deployment.ports[Int(key.port)].bridgePort,
      let holding = installed.holdingBack(
        host: Int(host), port: name, isInbound: isInbound, vni: vni, like: record.missed.example[record.missed.wrong],
        deployment.tunnels(of: Int(host)))
    else { return false }
    addBridgeDrop(
      key, host, record, passed: passed, "in the host's switch, whose flows hold frames of their kind back",
      next: "ovs-ofctl -O OpenFlow13 dump-flows \(holding.flow?.bridge ?? "br-int") table=\(holding.flow?.table ?? 60)")
    if let flow = holding.flow { drafts[drafts.count - 1].finding.cause = flowCause(flow) }
    return true
  }

  private mutating func addBridgeDrop(
    _ key: StretchKey, _ host: Int32, _ record: StretchRecord, passed: UInt64, _ place: String, next: String
  ) {
    let name = portName(key.port)
    let isInbound = key.stretch == .toPort || key.stretch == .betweenPorts
    let message =
      "\(record.missed.count) of \(record.missed.count + passed) frames \(isInbound ? "for" : "from") \(name) on "
      + "\(hostName(host)) end \(place)"
    var draft = draft(
      nil, record.missed, rule: "dropped-by-policy", severity: .info, host: host, network: key.network, message: message)
    draft.finding.port = name
    draft.finding.certainty = .likely
    draft.finding.next = ["on \(hostName(host)): \(next)"]
    drafts.append(draft)
  }

  /// Whole classes that security groups of br-int may have dropped: not what they let pass (ARP, ND).
  mutating func addBridgePolicy(_ key: StretchKey, _ record: StretchRecord, passed: UInt64) -> Bool {
    guard judge.makes(.bridgeFirewall), key.stretch == .toPort || key.stretch == .intoTunnel, installed.mayFilter(host: Int(key.host)) == true,
      record.missedKinds.keys.allSatisfy({ $0 & 6 == 0 }), !record.missedKinds.isEmpty, record.visible.count >= 3
    else { return false }
    addBridgeDrop(
      key, key.host, record, passed: passed, "in br-int, whose flows apply security groups",
      next: "ovs-ofctl -O OpenFlow13 dump-flows br-int table=\(key.stretch == .toPort ? 82 : 72)")
    return true
  }
}
