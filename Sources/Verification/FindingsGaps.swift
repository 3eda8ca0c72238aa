import Correlation
import Deployment
import Observations

/// Frames that other points prove to have passed, and a point's captures lack.
struct Gap {
  var host: Int
  var point: String
  var missed: UInt64
  var shown: UInt64

  var share: Double { Double(missed) / Double(max(1, missed + shown)) }
  /// In percent, to one decimal.
  var percent: String { "\((share * 1000).rounded() / 10)" }
}

extension ReportBuilder {
  func gaps(_ host: Int) -> [Gap] {
    let passing = judge.passing
    let tunnels = judge.topology.tunnelPoints[host].filter { !run.survey.plan.points[$0].captures.isEmpty }
    var gaps = [
      Gap(
        host: host, point: tunnels.map { judge.topology.name(ofPoint: $0) }.joined(separator: ", "),
        missed: passing.sentMissed[host] + passing.receivedMissed[host],
        shown: passing.sent[host] + passing.received[host])
    ]
    for (index, point) in run.survey.plan.points.enumerated() where point.host == host && point.kind != .tunnel {
      gaps.append(
        Gap(
          host: host, point: judge.topology.name(ofPoint: index), missed: passing.missed[index],
          shown: passing.shown[index]))
    }
    return gaps.filter { $0.missed > 0 }
  }

  /// A remark for each point whose loss stands out; where many points lost a little, one for all of them.
  func gapFindings(_ gaps: [Gap]) -> [Finding] {
    let fewest = 4
    guard gaps.count > fewest else { return gaps.map(finding) }
    let order = gaps.indices.sorted { a, b in
      gaps[a].share != gaps[b].share ? gaps[a].share > gaps[b].share : a < b
    }
    let missed = gaps.reduce(UInt64(0)) { $0 + $1.missed }
    let all = Gap(host: -1, point: "", missed: missed, shown: gaps.reduce(UInt64(0)) { $0 + $1.shown })
    // What stands out is a trouble of its own.
    let single = order.prefix(fewest).filter { gaps[$0].missed >= 5 && gaps[$0].share > max(0.05, 3 * all.share) }
    let rest = order.filter { !single.contains($0) }
    guard rest.count > fewest else { return gaps.map(finding) }
    return gaps.indices.filter(single.contains).map { finding(gaps[$0]) } + [finding(rest.map { gaps[$0] })]
  }

  private func finding(_ gap: Gap) -> Finding {
    var finding = Finding(
      rule: "capture-gap", severity: .info,
      message: "the capture of \(gap.point) lacks \(gap.missed) of \(gap.missed + gap.shown) frames that other points "
        + "prove to have passed it (\(gap.percent) %)")
    finding.host = deployment.hosts[gap.host].name
    finding.point = gap.point
    finding.count = gap.missed
    finding.observed = [("captureLossPercent", .text(gap.percent))]
    return finding
  }

  /// - Parameter gaps: the worst first.
  private func finding(_ gaps: [Gap]) -> Finding {
    let missed = gaps.reduce(UInt64(0)) { $0 + $1.missed }
    let sum = Gap(host: -1, point: "", missed: missed, shown: gaps.reduce(UInt64(0)) { $0 + $1.shown })
    let worst = gaps.prefix(3).map { "\($0.point) (\($0.percent) %)" }.joined(separator: ", ")
    var finding = Finding(
      rule: "capture-gap", severity: .info,
      message: "the captures of \(gaps.count) points lack \(missed) of \(missed + sum.shown) frames that other points prove "
        + "to have passed them (\(sum.percent) %); most at \(worst)")
    let hosts = Set(gaps.map(\.host))
    if hosts.count == 1, let host = hosts.first { finding.host = deployment.hosts[host].name }
    finding.count = missed
    finding.observed = [
      ("captureLossPercent", .text(sum.percent)),
      ("points", .list(gaps.map { "\($0.point): \($0.missed) of \($0.missed + $0.shown) (\($0.percent) %)" })),
    ]
    return finding
  }
}
