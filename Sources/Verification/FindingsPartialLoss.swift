import Correlation
import Deployment
import Observations
import Wire

/// Findings about frames of which some pass a stretch and others are lost on it.
extension FindingBuilder {
  mutating func addPartialLoss(_ key: StretchKey, _ record: StretchRecord, passed: UInt64) {
    // What the receiver shows at another time is not lost.
    if key.stretch == .underlay,
      max(judge.doubted(key.host, key.peer), judge.shownApart(from: key.host, to: key.peer)) * 2 > record.visible.count
    {
      return
    }
    // What a host sends on is judged as that: of the frames that reached it, those are left of which it lacks a part.
    let reflection = FaultKey(fault: .tunnelReflection, host: key.peer, network: key.network)
    if key.stretch == .underlay, judge.faults[reflection] != nil { return }
    // Of what the host drops no port shows the rest: a lossy capture of its tunnel interface is not found out by them.
    if key.stretch == .underlay, judge.faults.keys.contains(where: { $0.fault == .unmappedVNI && $0.host == key.peer && $0.network == key.network }) {
      return
    }
    let isOneEnough = !judge.makes(.fewMisses) && record.proven.count > 0
    guard record.visible.count >= 3 || isOneEnough, tooShort(at: witnesses(key)) * 3 <= record.visible.count,
      !isAdmitted(record.visible.count, at: witnesses(key))
    else { return }
    let total = Double(passed + record.missed.count)
    let odds = missRates(key)
    // Captures that share a host may lose frames at the same moments.
    let both = max(odds.near * odds.far, min(odds.near, odds.far) / 10)
    // Of many stretches one or another misses more than usual.
    let rarity = 0.05 / Double(judge.stretches.keys.count)
    let isProven = record.proven.count >= 3 && Double(record.proven.count) > 3 * both * total + 2
      && Chance.ofAtLeast(record.proven.count, expected: both * total) < rarity || isOneEnough
    let isLikely = odds.isKnown && Double(record.visible.count) > 3 * odds.near * total + 3
      && Chance.ofAtLeast(record.visible.count, of: total, reference: (odds.missed, Double(odds.passed))) < rarity
    // Where the next point showed others meanwhile, it did not stop recording.
    let change = change(of: key, record)
    let isSevered = change != nil && passed >= 5 && record.shownBetween >= max(5, record.visible.count / 2)
      && Chance.ofOneEnd(record.visible.count, of: passed) < rarity / 1000
    guard isProven || isLikely || isSevered else { return }
    if addHeldBack(key, record, passed: passed) { return }
    if isPolicy(key) || isByPeer(key, record) || isByFlow(key, record) || !isProven && isBesideTwin(key) { return }
    // Where all are gone from some time on, so are those that the next point need not have shown.
    let isWhole = change != nil && record.missedKinds.values.reduce(0, +) == record.missed.count
    let lost = isWhole ? record.missed : isProven ? record.proven : record.visible
    let host = hostName(key.host)
    let peer = hostName(key.peer)
    let share = "\(lost.count) of \(passed + record.missed.count)"
    let message: String
    switch key.stretch {
    case .underlay:
      message = "\(share) tunnel frames of \(networkName(key.network)) from \(host) to \(peer) are lost on the underlay"
    case .intoTunnel:
      message = "\(share) frames of \(portName(key.port)) that must leave \(host) are lost inside \(host)"
    case .toPort:
      message =
        "\(share) frames of \(networkName(key.network)) that reached \(host) for \(portName(key.port)) are lost inside \(host)"
    case .betweenPorts:
      message =
        "\(share) frames of \(networkName(key.network)) from \(host) for \(portName(key.port)) on \(peer) are lost on "
        + "the way, whose tunnel interface was not captured"
    case .outward where key.peer >= 0:
      message = "\(share) floods of \(networkName(key.network)) that left \(host) do not reach \(peer)"
    case .outward:
      message =
        "\(share) frames of \(portName(key.port)) that must leave \(host), whose tunnel interface was not captured, are "
        + "lost on the way"
    case .floodCopy: return
    }
    var draft = draft(
      nil, lost, rule: Fault.frameLost.rule, severity: change == nil ? .warning : .error, host: key.host,
      network: key.network, message: message + (change ?? ""))
    if key.port >= 0 { draft.finding.port = portName(key.port) }
    draft.finding.certainty = isProven ? .proven : .likely
    draft.finding.expected = [("arrived", .number(Int64(clamping: passed + record.missed.count)))]
    draft.finding.observed = [
      ("arrived", .number(Int64(clamping: passed))), ("lost", .number(Int64(clamping: lost.count))),
    ]
    draft.parent = tagDraft(key.port, key.network) ?? untaggedDraft(key.port) ?? modification(on: key.stretch, key.host, key.peer)
    if draft.parent == nil, key.stretch == .toPort { draft.parent = mistranslation(at: key.host, key.network) }
    if key.stretch == .underlay { draft.way = way(key.host, key.peer) }
    if key.stretch == .intoTunnel { draft.leaving = key.host }
    var loss = Loss(stretch: key.stretch, host: key.host, peer: key.peer)
    loss.add(key, record, passed: passed)
    addCounters(&draft, loss)
    drafts.append(draft)
  }

  /// Where all frames were lost from some time on, or until then, and all the others passed: something changed there.
  private func change(of key: StretchKey, _ record: StretchRecord) -> String? {
    guard record.visible.count >= 5 else { return nil }
    var (first, last) = (Int64.max, Int64.min)
    for number in judge.stretches.keys.indices where judge.stretches.passed[number] > 0 {
      var other = judge.stretches.keys[number]
      if key.stretch == .toPort { other.peer = key.peer }
      guard other == key else { continue }
      first = min(first, judge.stretches.firstPassed[number])
      last = max(last, judge.stretches.lastPassed[number])
    }
    if record.missed.first > last { return ": all that were sent after the last one that arrived" }
    if record.missed.last < first { return ": all that were sent before the first one that arrived" }
    return nil
  }

  /// Whether a guest with the same MAC in another network of the host sends in the port's lane, or the port in that
  /// one's: which of them a capture missed cannot be told then, nor how often it misses frames.
  private func isBesideTwin(_ key: StretchKey) -> Bool {
    guard key.port >= 0, let mac = deployment.ports[Int(key.port)].macs.first, let owners = topology.portsOfMAC[mac] else {
      return false
    }
    let host = topology.portHost[Int(key.port)]
    let networks = Set(owners.filter { topology.portHost[$0] == host }.map { topology.portNetwork[$0] })
    guard networks.count > 1 else { return false }
    return drafts.contains {
      guard let other = $0.key, other.fault == .wrongVNI || other.fault == .wrongLocalVLAN else { return false }
      return other.host == host && networks.contains(other.network)
    }
  }

  /// The points that would show what passes a stretch.
  func witnesses(_ key: StretchKey) -> [Int] {
    topology.points.indices.filter { index in
      let point = topology.points[index]
      switch key.stretch {
      case .intoTunnel: return point.isTunnel && point.host == key.host
      case .underlay, .floodCopy: return point.isTunnel && point.host == key.peer
      case .outward: return point.isTunnel && (key.peer < 0 ? point.host != key.host : point.host == key.peer)
      case .toPort, .betweenPorts: return point.isGuestSide && point.port == key.port
      }
    }
  }

  /// Whether captures themselves account for so many misses: by their counters they lost as many, or they show frames
  /// too late to be judged.
  func isAdmitted(_ misses: UInt64, at points: [Int]) -> Bool {
    outcomes(at: points).contains { $0.facts.late > 0 || ($0.facts.dropped ?? 0) >= misses }
  }

  /// How often points miss what passes them.
  struct MissRates {
    /// The next point, and the best of those behind it.
    var near: Double
    var far: Double
    /// Of frames that are known to have passed the next point, how many it lacks, and how many there are.
    var missed: UInt64 = 0
    var passed: UInt64 = 0

    var isKnown: Bool { passed >= 30 }
  }

  func missRates(_ key: StretchKey) -> MissRates {
    let passing = judge.passing
    func ports(_ host: Int32) -> Double {
      guard key.network >= 0 else { return 1 }
      return topology.ports(on: host, of: key.network).reduce(judge.missRate(ofPortsOn: host, key.network)) {
        max($0, passing.unreachedRate(ofPort: $1))
      }
    }
    switch key.stretch {
    case _ where key.stretch == .underlay || key.stretch == .outward && key.peer >= 0:
      let missed = passing.receivedMissed[Int(key.peer)]
      return MissRates(
        near: judge.receivingMissRate(key.peer), far: ports(key.peer), missed: missed,
        passed: missed + passing.received[Int(key.peer)])
    case .intoTunnel:
      let missed = passing.sentMissed[Int(key.host)]
      let far = topology.portsOn.indices.filter { $0 != Int(key.host) }.map { judge.receivingMissRate(Int32($0)) }.max()
      return MissRates(
        near: judge.sendingMissRate(key.host), far: far ?? 1, missed: missed, passed: missed + passing.sent[Int(key.host)])
    case .outward:
      let rates = topology.portsOn.indices.filter { $0 != Int(key.host) && topology.hostHasTunnelPoint[$0] }
      return MissRates(near: rates.map { judge.receivingMissRate(Int32($0)) }.max() ?? 1, far: 1)
    case .toPort, .betweenPorts:
      var rates = MissRates(near: 1, far: 1)
      for rank in (0..<4).reversed() {
        let point = Int(topology.pointOfRank[Int(key.port) * 4 + rank])
        guard point >= 0 else { continue }
        if rates.near == 1 {
          rates.near = passing.rate(ofPoint: point)
          rates.missed = passing.missed[point]
          rates.passed = passing.shown[point] + passing.missed[point]
        } else {
          rates.far = min(rates.far, passing.rate(ofPoint: point))
        }
      }
      return rates
    case .underlay, .floodCopy: return MissRates(near: 1, far: 1)
    }
  }

  /// Whether security groups or address protection may have dropped the frames on this stretch: in br-int, or in the
  /// Linux bridge.
  func isPolicy(_ key: StretchKey) -> Bool {
    // Behind a tap, the Linux bridge may.
    if key.stretch == .intoTunnel || key.stretch == .outward, judge.makes(.securityGroups), isHybrid(key.port),
      !topology.portIsCapturedAtBridge[Int(key.port)]
    {
      return true
    }
    guard judge.makes(.bridgeFirewall) else { return false }
    return switch key.stretch {
    case .underlay, .floodCopy: false
    case .intoTunnel, .outward, .toPort: installed.mayFilter(host: Int(key.host)) ?? !isHybrid(key.port)
    case .betweenPorts: installed.mayFilter(host: Int(key.peer)) ?? !isHybrid(key.port)
    }
  }

  private func isHybrid(_ port: Int32) -> Bool { port >= 0 && topology.portFacts[Int(port)].isHybrid }
}
