import Foundation
import Testing
import Verification
import Wire

/// Bundles as hosts with offloads record them: superframes that are joined differently at each point.
@Suite("Superframes and their segments") struct OffloadBundlesTests {
  /// How many segments each point joins: NICs and ports of both sides, each in its own way.
  static let mergings: [(name: String, most: @Sendable (String) -> Int)] = [
    ("sender's tap", { $0.contains("tap") ? 16 : 1 }),
    ("receiving side", { $0.contains("host2/") ? 5 : 1 }),
    ("everywhere", { file in file.contains("tap") ? 40 : file.contains("host1/eth1") ? 16 : file.contains("eth1") ? 3 : 7 }),
  ]

  @Test(arguments: Bundles.clean, [0, 1, 2])
  func cleanBundlesStayClean(_ bundle: String, _ merging: Int) throws {
    let plain = try Bundles.verify(bundle)
    let (files, joined) = try OffloadRewriting.captures(bundle, most: Self.mergings[merging].most)
    guard joined > 0 else { return }
    let report = try Bundles.verify(bundle, adding: files)
    #expect(report.verdict == .pass)
    #expect(faults(report).isEmpty)
    // Where every point joins them, nothing shows how many segments there were.
    let isExact = merging < 2
    for (row, before) in zip(report.coverage, plain.coverage) {
      #expect(isExact ? row.out == before.out : row.out <= before.out && row.out * 2 >= before.out, "\(row)")
      #expect(isExact ? row.in == before.in : row.in <= before.in && row.in * 2 >= before.in, "\(row)")
    }
    #expect(report.trajectories.unjudged <= plain.trajectories.unjudged)
  }

  /// Whatever is wrong with a lane is wrong with superframes in it.
  @Test(arguments: FaultBundlesTests.cases + FaultBundlesTests.learning, [0, 1, 2])
  func faultsKeepTheirCause(_ fault: FaultBundlesTests.Case, _ merging: Int) throws {
    let (files, joined) = try OffloadRewriting.captures(fault.bundle, most: Self.mergings[merging].most)
    guard joined > 0 else { return }
    let report = try Bundles.verify(fault.bundle, adding: files)
    #expect(report.verdict == .fail)
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(causes.map(\.rule) == [fault.rule])
    #expect(causes.first?.host == fault.host)
    #expect(causes.first?.cause?.kind == fault.cause)
  }

  /// The sender's port shows superframes only; its segments leave in another lane.
  @Test func segmentsInAnotherLaneAreFound() throws {
    let rewritten = try OffloadRewriting.captures("clean-two-tenants", most: Self.mergings[0].most)
    #expect(rewritten.joined > 0)
    var files = rewritten.files
    var wrong: UInt64 = 0
    for host in ["host1", "host2", "host3"] {
      files["\(host)/eth1.pcap"] = try UnderlayRulesTests.rewrite("clean-two-tenants", "\(host)/eth1.pcap") { bytes, frame in
        let isSegment =
          frame.hasInner && frame.outer.sourceAddress == UnderlayRulesTests.host2 && frame.inner.transport == .tcp
          && frame.tunnel.id == 0x39 && bytes.count - Int(frame.inner.start) > 100
        guard isSegment else { return [bytes] }
        if host == "host2" { wrong += 1 }
        var changed = bytes
        changed[Int(frame.inner.start) - 2] = 0x40
        return [changed]
      }
    }
    let report = try Bundles.verify("clean-two-tenants", adding: files)
    let finding = try #require(report.findings.first { $0.rule == "wrong-vni" })
    #expect(finding.host == "host2")
    #expect(finding.count == wrong)
    #expect(wrong > 5)
  }
}
