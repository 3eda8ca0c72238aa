import Foundation
import Reporting
import Testing
import Verification

@testable import Jobs

@Suite("Recordings with clocks apart") struct ClockBundlesTests {
  struct Skew: CustomTestStringConvertible, Sendable {
    var offset: Int64
    /// Parts per billion.
    var drift: Int64 = 0
    var host = "host2"
    /// Set by so much in the middle of the recording.
    var step: Int64 = 0
    var testDescription: String { "\(host) \(offset) ns, \(drift) ppb, set by \(step) ns" }

    func clock(_ duration: Int64) -> (Int64) -> Int64 {
      { elapsed in
        elapsed + offset + elapsed / 1000 * drift / 1_000_000 + (elapsed >= duration / 2 ? step : 0)
      }
    }
  }

  static let bundles = ["clean-three-hosts", "clean-two-tenants", "wrong-vni-out", "missing-vni-in", "wrong-udp-port"]

  static let even = [
    Skew(offset: 50_000_000), Skew(offset: 2_000_000_000), Skew(offset: 10_000_000_000, drift: 100_000),
    Skew(offset: -10_000_000_000, drift: -100_000), Skew(offset: 10_000_000_000, host: "host1"),
  ]

  static let stepped = [
    Skew(offset: 0, step: 3_000_000_000), Skew(offset: 0, step: -3_000_000_000),
  ]

  @Test(arguments: bundles, even)
  func giveTheSameReport(bundle: String, skew: Skew) throws {
    let plain = try Bundles.verify(bundle)
    let span = try Rewriting.span(bundle)
    let duration = span.upperBound - span.lowerBound
    let rewritten = try Rewriting.captures(bundle, of: skew.host, clock: skew.clock(duration))
    let report = try Bundles.verify(bundle, adding: rewritten)
    compare(report, plain)
    let (clock, sign) = try skewed(report, skew.host)
    let other = try #require(plain.clocks.first { $0.host == clock.host })
    #expect(clock.steps.isEmpty)
    #expect(clock.grade == other.grade)
    // The recordings' own clocks are one and the same; the offset is told in the middle of what was seen.
    let least = min(0, skew.drift * duration / 1_000_000_000)
    let most = max(0, skew.drift * duration / 1_000_000_000)
    #expect(sign * clock.offset >= skew.offset + least - clock.uncertainty)
    #expect(sign * clock.offset <= skew.offset + most + clock.uncertainty)
    #expect(clock.uncertainty < 20_000_000)
    #expect(abs(sign * clock.drift - skew.drift) <= clock.driftUncertainty + 100)
  }

  @Test(arguments: ["clean-three-hosts", "clean-two-tenants"], stepped)
  func giveTheSameReportWhereAClockWasSet(bundle: String, skew: Skew) throws {
    let plain = try Bundles.verify(bundle)
    let span = try Rewriting.span(bundle)
    let rewritten = try Rewriting.captures(
      bundle, of: skew.host, clock: skew.clock(span.upperBound - span.lowerBound))
    let report = try Bundles.verify(bundle, adding: rewritten)
    let steps = report.clocks.flatMap(\.steps)
    #expect(!steps.isEmpty)
    compare(report, plain)
    for step in steps {
      #expect(abs(Int64(step.size.magnitude) - Int64(skew.step.magnitude)) < 2_000_000)
    }
    // A clock that was set back is no reference.
    if skew.step < 0 { #expect(report.clocks.allSatisfy { $0.host != skew.host || $0.steps.count == 1 }) }
  }

  /// Of a file whose second half lies an hour before its first nothing is concluded, also not that others forged it.
  @Test(arguments: ["clean-gre", "clean-vxlan"], ["host1", "host2"])
  func forgeNothingWhereAFileGoesFarBack(bundle: String, host: String) throws {
    let skew = Skew(offset: 0, step: -3_600_000_000_000)
    let span = try Rewriting.span(bundle)
    let rewritten = try Rewriting.captures(bundle, of: host, clock: skew.clock(span.upperBound - span.lowerBound))
    let report = try Bundles.verify(bundle, adding: rewritten)
    #expect(report.findings.filter { $0.severity != .info }.map(\.message) == [])
  }

  /// The underlay NIC of a host stamps frames itself, in a clock that nobody set.
  @Test(arguments: bundles, [37_000_000_000, -37_000_000_000, 800_000_000, -20_000_000] as [Int64])
  func giveTheSameReportWhereANICStampsItself(bundle: String, ahead: Int64) throws {
    let plain = try Bundles.verify(bundle)
    let rewritten = try Rewriting.captures(bundle, of: "host2") { $0 + ahead }
    let report = try Bundles.verify(bundle, adding: rewritten.filter { $0.key == "host2/eth1.pcap" })
    compare(report, plain)
    let said = report.findings.first { $0.rule == "clock-uncertain" && $0.host == "host2" }
    #expect(said?.severity == .info)
    #expect(said?.message.contains(ahead > 0 ? "ahead of those at its ports" : "behind those at its ports") == true)
  }

  /// Captures of another day: no clock can be aligned, and nothing can be missed.
  @Test func captureOfAnotherTimeAccuseNobody() throws {
    let other = try Data(contentsOf: URL(fileURLWithPath: Bundles.path("clean-three-hosts") + "/host2/eth1.pcap"))
    let report = try Bundles.verify("clean-vxlan", adding: ["host2/eth1.pcap": other])
    #expect(report.verdict != .fail)
    #expect(report.findings.contains { $0.rule == "clock-uncertain" })
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.contains { $0.contains("clocks could not be aligned") })
  }

  @Test(arguments: bundles)
  func theSameFiguresEveryTime(bundle: String) throws {
    let span = try Rewriting.span(bundle)
    let skew = Skew(offset: 1_000_000_000, drift: 50_000, step: 700_000_000)
    let rewritten = try Rewriting.captures(bundle, of: "host2", clock: skew.clock(span.upperBound - span.lowerBound))
    let reports = try (0..<2).map { _ in
      var report = try Bundles.verify(bundle, adding: rewritten)
      report.bundle = ""
      return renderJSON(report)
    }
    #expect(reports[0] == reports[1])
  }

  /// The clock that differs: the skewed host's, or, where that is the reference, any other's, seen from there.
  private func skewed(_ report: Report, _ host: String) throws -> (ClockSummary, Int64) {
    let own = try #require(report.clocks.first { $0.host == host })
    if own.reference != host { return (own, 1) }
    return (try #require(report.clocks.first { $0.reference == host && $0.host != host }), -1)
  }

  private func compare(_ report: Report, _ plain: Report) {
    #expect(report.verdict == plain.verdict)
    #expect(report.coverage == plain.coverage)
    func causes(_ report: Report) -> [String] {
      report.findings.filter { $0.severity > .info }.map {
        "\($0.severity) \($0.rule) \($0.role) \($0.host ?? "") \($0.network ?? "") \($0.count) \($0.cause?.text ?? "")"
      }
    }
    #expect(causes(report) == causes(plain))
    #expect(report.trajectories == plain.trajectories)
  }
}
