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
        offset: clock.offset, uncertainty: clock.uncertainty, grade: clock.grade.description)
      summary.drift = clock.drift
      summary.driftUncertainty = clock.driftUncertainty
      summary.steps = clock.steps.map { ClockSummary.Step(before: $0.before, after: $0.after, size: $0.size) }
      return summary
    }
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
    if clock.reference != main {
      reason =
        clock.grade == .failed
        ? "the frames seen on it and on others contradict each other" : "no frame was seen on both, or too few agree"
    } else if clock.uncertainty > Correlator.sightingGap {
      reason = "the frames seen on both leave more room than sightings of one frame may lie apart"
    } else {
      return nil
    }
    var finding = Finding(
      rule: "clock-uncertain", severity: .info,
      message: "the clock of \(name) could not be aligned with that of \(other): \(reason)")
    finding.host = name
    finding.observed = [("grade", .text(clock.reference == main ? clock.grade.description : "none"))]
    finding.next = ["chronyc tracking on \(name) and \(other)"]
    return finding
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
