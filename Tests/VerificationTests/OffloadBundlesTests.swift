import Foundation
import Testing
import Verification

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
}
