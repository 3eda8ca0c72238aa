import Foundation
import Testing
import Verification

@testable import Jobs

/// `lanecheck test Captures`, and what it does with bundles and files that are not in order.
@Suite("Regression runs") struct CorpusTests {
  @Test(arguments: Bundles.all)
  func everyRecordedBundleIsAsExpected(bundle: String) throws {
    let tested = try test(TestOptions(paths: [Bundles.path(bundle)]))
    #expect(tested.count == 1)
    for failure in tested.flatMap(\.failures) {
      Issue.record("\(failure.name): expected \(failure.expected)\nactual \(failure.actual)")
    }
  }

  @Test func bundlesAreFoundHoweverDeepTheyLie() throws {
    let below = try test(TestOptions(paths: [Bundles.path("installed")])).map(\.bundle)
    #expect(below == Bundles.all.filter { $0.hasPrefix("installed/") }.map(Bundles.path))
    #expect(Bundles.all.count >= 23)
  }

  @Test func everyRecordedBundleHasExpectations() {
    let recorded = Bundles.below("truth.json")
    #expect(recorded == Bundles.all)
  }

  private func withCopy(of name: String, expecting text: String?, _ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    try FileManager.default.copyItem(at: Bundles.root.appendingPathComponent(name), to: directory)
    let file = directory.appendingPathComponent("expect.yaml")
    try? FileManager.default.removeItem(at: file)
    if let text { try Data(text.utf8).write(to: file) }
    try body(directory.path)
  }

  @Test func aBundleThatIsNotAsExpectedFails() throws {
    try withCopy(of: "wrong-vni-out", expecting: "verdict: pass\n") { path in
      let failures = try test(TestOptions(paths: [path])).flatMap(\.failures)
      #expect(failures.map(\.name) == ["verdict pass", "nothing else above info"])
    }
  }

  @Test func mistakesInExpectationsFailTheirBundleOnly() throws {
    try withCopy(of: "clean-gre", expecting: "verdict: perhaps\n") { path in
      let bundles = try test(TestOptions(paths: [path, Bundles.path("clean-vxlan")]))
      #expect(bundles.map { $0.failures.isEmpty } == [false, true])
      #expect(bundles.first?.failures.first?.actual.contains("expect.yaml:1:10") == true)
    }
  }

  @Test(arguments: [nil, "# Kept.\nverdict: pass\nrequire: [host1/net-fd290d1d]\n"])
  func updatedExpectationsAreMet(before: String?) throws {
    try withCopy(of: "wrong-vni-out", expecting: before) { path in
      let updated = try test(TestOptions(paths: [path], update: true))
      #expect(updated.map(\.isUpdated) == [true])
      let text = try String(contentsOfFile: path + "/expect.yaml", encoding: .utf8)
      #expect(text.contains("rule: wrong-vni"))
      #expect(before == nil || text.hasPrefix("# Kept.\n") && text.contains("require: [host1/net-fd290d1d]"))
      let again = try test(TestOptions(paths: [path], update: true))
      #expect(again.map(\.isUpdated) == [false])
      #expect(again.flatMap(\.failures).isEmpty)
    }
  }

  @Test func aBundleWithoutCapturesIsChecked() throws {
    try withCopy(of: "missing-vni-in", expecting: "verdict: fail\nfindings: [missing-mapping]\n") { path in
      for file in Bundles.files("missing-vni-in") where Bundles.isCapture(file) {
        try FileManager.default.removeItem(atPath: "\(path)/\(file)")
      }
      #expect(try test(TestOptions(paths: [path])).flatMap(\.failures) == [])
    }
  }

  @Test(arguments: ["/nonexistent", Bundles.path("clean-vxlan") + "/host1"])
  func whereThereIsNothingToTestTheRunSaysSo(path: String) {
    #expect(throws: JobError.self) { try test(TestOptions(paths: [path])) }
  }
}
