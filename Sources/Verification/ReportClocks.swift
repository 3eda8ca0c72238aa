import Clocks
import Correlation
import Deployment
import Observations

extension ReportBuilder {
  /// The clocks of all hosts that were captured, the reference first among equals by order; none where only one was.
  func clockSummaries() -> [ClockSummary] {
    let captured = run.clocks.filter { isCaptured($0.host) }
    guard captured.count > 1 else { return [] }
    return captured.map { clock in
      var summary = ClockSummary(
        host: run.survey.deployment.hosts[clock.host].name,
        reference: run.survey.deployment.hosts[clock.reference].name,
        offset: clock.offset, uncertainty: clock.offsetUncertainty, grade: clock.grade.description)
      summary.at = clock.offsetTime
      summary.drift = clock.drift
      summary.driftUncertainty = clock.driftUncertainty
      summary.steps = clock.steps.map {
        ClockSummary.Step(before: $0.before, after: $0.after, size: $0.size, uncertainty: $0.uncertainty, isLeast: $0.isLeast)
      }
      return summary
    }
  }

  /// A host whose tunnel point is stamped in another clock than its ports: by the NIC itself.
  func strayPointClock(_ host: Int) -> Finding? {
    guard let ahead = run.portsAhead[host] else { return nil }
    let name = run.survey.deployment.hosts[host].name
    let size = Double(Int64(clamping: ahead.magnitude) / 1000) / 1e6
    var finding = Finding(
      rule: "clock-uncertain", severity: .info,
      message: "frames at the tunnel point of \(name) are stamped \(size) s \(ahead > 0 ? "behind" : "ahead of") those "
        + "at its ports, in a clock of their own; that is allowed for")
    finding.host = name
    finding.observed = [("portsAheadNanoseconds", .number(ahead))]
    finding.next = ["on \(name): tcpdump -j host, or hwstamp_ctl for the underlay NIC"]
    return finding
  }

  /// What is not known of a host's clock, where frames of it have to be matched with those of others.
  func uncertainClock(_ host: Int) -> Finding? {
    let deployment = run.survey.deployment
    guard host < run.clocks.count, judge.topology.hostHasTunnelPoint[host],
      let main = mainReference, main != host, judge.topology.hostHasTunnelPoint[main]
    else { return nil }
    let clock = run.clocks[host]
    let (name, other) = (deployment.hosts[host].name, deployment.hosts[main].name)
    let reason: String
    if clock.reference != main || clock.grade >= .none {
      reason =
        clock.grade == .failed
        ? "the frames seen on it and on others contradict each other" : "no frame was seen on both, or too few agree"
    } else if clock.uncertainty > ClockTrust.widest {
      reason = "the frames seen on both leave more room than sightings of one frame may lie apart"
    } else if let doubted = most(judge.doubts.apart, host) {
      reason = "\(doubted) tunnel frames were seen on it and on another host too far apart in time"
    } else if let early = most(judge.doubts.early, host) {
      reason =
        "\(early) tunnel frames show on the host that received them before the one that sent them, as if a clock had "
        + "been set where it was not followed"
    } else {
      return nil
    }
    let isCutOff = judge.stretches.keys.indices.contains {
      let key = judge.stretches.keys[$0]
      return key.stretch == .underlay && (Int(key.host) == host || Int(key.peer) == host)
        && judge.isNominal(key.host, key.peer)
        && judge.isCutOff(key, judge.stretches.records[$0], passed: judge.stretches.passed[$0])
    }
    var finding = Finding(
      rule: "clock-uncertain", severity: .info,
      message: "the clock of \(name) could not be aligned with that of \(other): \(reason)"
        + (isCutOff ? "" : "; what one of them lacks of the other's frames is not taken for lost or forged"))
    finding.host = name
    finding.observed = [("grade", .text(clock.reference == main ? clock.grade.description : "none"))]
    // From then on it does not hold.
    var since = Int64.max
    for tallies in [judge.doubts.apart, judge.doubts.early] {
      for (pair, tally) in tallies where Int(pair.sender) == host || Int(pair.receiver) == host {
        if tally.longestRun >= ClockDoubts.fewest { since = min(since, tally.since) }
      }
    }
    if since < .max { finding.first = since }
    finding.next = ["chronyc tracking on \(name) and \(other)"]
    return finding
  }

  /// Frames between a host and one other, of the pair that has most; nil where they are but strays.
  private func most(_ tallies: [ClockDoubts.Pair: ClockDoubts.Tally], _ host: Int) -> UInt64? {
    let all = tallies.filter {
      (Int($0.key.sender) == host || Int($0.key.receiver) == host) && $0.value.longestRun >= ClockDoubts.fewest
    }
    return all.values.map(\.count).max()
  }

  /// Why frames that a host sent to another say nothing: none was seen there, and the clocks do not relate.
  func unrelatedClocks() -> [String] {
    let names = run.survey.deployment.hosts.map(\.name)
    /// Pairs of which there are so many, in a fixed order.
    func pairs(_ counts: [ClockDoubts.Pair: UInt64], _ least: UInt64) -> [(UInt64, String, String)] {
      counts.sorted { ($0.key.sender, $0.key.receiver) < ($1.key.sender, $1.key.receiver) }.compactMap {
        guard $0.value >= least, Int(max($0.key.sender, $0.key.receiver)) < names.count else { return nil }
        return ($0.value, names[Int($0.key.sender)], names[Int($0.key.receiver)])
      }
    }
    let unsettled = pairs(judge.unsettled, 3).map { count, sender, receiver in
      if sender == receiver {
        return "\(count) frames were seen at one point of \(sender) only, while its clock was set back and its captures "
          + "do not all show when"
      }
      return "\(count) tunnel frames from \(sender) to \(receiver) were seen on one of them only, while a clock was being "
        + "set or was not known well enough to miss them on the other"
    }
    let apart = judge.doubts.apart.filter { $0.value.longestRun >= ClockDoubts.fewest }.mapValues(\.count)
    let doubted = pairs(apart, ClockDoubts.fewest).map { count, sender, receiver in
      "\(count) tunnel frames from \(sender) to \(receiver) were seen on both too far apart in time to be judged"
    }
    return unsettled + doubted + judge.unrelated.sorted { ($0.key.sender, $0.key.receiver) < ($1.key.sender, $1.key.receiver) }.compactMap {
      guard $0.value >= 3, Int($0.key.receiver) < names.count else { return nil }
      let (sender, receiver) = (names[Int($0.key.sender)], names[Int($0.key.receiver)])
      return "\($0.value) tunnel frames that \(sender) sent to \(receiver) could not be looked for there: their clocks "
        + "could not be aligned (capture while traffic passes both ways, with synchronised clocks)"
    }
  }

  /// Why frames that went astray say nothing: how long their host had known better is not known.
  func slippedClocks() -> [String] {
    judge.slipped.sorted { $0.key < $1.key }.compactMap { host, count in
      guard count >= 3 else { return nil }
      let name = run.survey.deployment.hosts[Int(host)].name
      return "\(count) frames that \(name) sent went where they should not if it had known better for long enough, and its "
        + "clock was set about then"
    }
  }

  /// Why frames that a tunnel interface lacks say nothing: it lacks all of a pause between two files of its capture.
  func pausedCaptures() -> [String] {
    let names = run.survey.deployment.hosts.map(\.name)
    return judge.paused.sorted { ($0.key.sender, $0.key.receiver) < ($1.key.sender, $1.key.receiver) }.compactMap { pair, count in
      guard count >= 3, !judge.busyInPauses.contains(pair.receiver) else { return nil }
      let (sender, receiver) = (names[Int(pair.sender)], names[Int(pair.receiver)])
      let what = pair.sender == pair.receiver ? "\(count) frames of guests of \(sender)" : "\(count) tunnel frames from \(sender) to \(receiver)"
      return "\(what) fall into a pause between two capture files of \(receiver)'s tunnel interface, and nothing tells whether "
        + "it was not captured then or they were lost"
    }
  }

  private func isCaptured(_ host: Int) -> Bool {
    run.survey.plan.points.contains { $0.host == host && !$0.captures.isEmpty }
  }

  /// The reference of most hosts.
  private var mainReference: Int? {
    var counts: [Int: Int] = [:]
    for clock in run.clocks { counts[clock.reference, default: 0] += 1 }
    return counts.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key
  }
}
