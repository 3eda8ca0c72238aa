import Deployment
import Observations

/// Remarks about single captures: what they could not show, and why.
extension ReportBuilder {
  func captureRemarks(_ index: Int) -> [Finding] {
    let source = run.survey.deployment.captures[index]
    let outcome = captures[index]
    let facts = outcome.facts
    var list: [Finding] = []
    func add(_ rule: String, _ message: String, count: UInt64 = 0, next: [String] = []) {
      var finding = Finding(rule: rule, severity: .info, message: message)
      finding.host = run.survey.deployment.hosts[source.host].name
      finding.count = count
      finding.next = next
      list.append(finding)
    }
    if outcome.isTruncated {
      let error = outcome.error ?? source.name
      add(
        "capture-truncated",
        outcome.counts.frames == 0
          ? "\(error): it holds no frame, and proves nothing" : "\(error); all frames before it were read")
    } else if outcome.error == nil, outcome.counts.frames == 0 {
      add("point-not-covered", "\(source.name) holds no frame: it does not even prove that there was none")
    }
    if let dropped = facts.dropped, dropped > 0 {
      let received = facts.received.map { " (it received \($0))" } ?? ""
      add(
        "capture-gap",
        "\(source.name): by its own counters the capture lost \(dropped) frames\(received)", count: dropped,
        next: ["capture with a larger buffer (tcpdump -B 65536), a smaller snap length or a filter"])
    }
    if facts.late > 0 {
      let seconds = Double(facts.lateBy / 1_000_000) / 1000
      add(
        "capture-gap",
        "\(source.name): \(facts.late) frames are out of order by more than half a second, by up to \(seconds) s: they "
          + "were not judged, and nothing is concluded from what this capture lacks",
        count: facts.late, next: ["put the file in order first: reordercap \(source.name) ORDERED.pcapng"])
    }
    if facts.repeated > 0 {
      add(
        "capture-gap",
        "\(source.name): \(facts.repeated) of its \(outcome.counts.frames) frames are in another capture of the same "
          + "point too, with the same time (a copy, or files that overlap): they count once",
        count: facts.repeated)
    }
    if outcome.counts.untimed > 0 {
      add(
        "capture-gap",
        "\(source.name): \(outcome.counts.untimed) frames have no time (pcapng simple packets): they were not judged",
        count: outcome.counts.untimed)
    }
    return list
  }
}
