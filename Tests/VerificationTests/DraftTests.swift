import Foundation
import Testing
import Verification

@testable import Jobs

/// What `init` writes is read again, and changes nothing.
@Suite("Drafted manifests") struct DraftTests {
  private func words(_ report: Report) -> [String] {
    report.findings.filter { $0.severity > .info }.map { "\($0.rule) \($0.severity) \($0.host ?? "-") \($0.count)" }
  }

  @Test(arguments: Bundles.names("").filter { FileManager.default.fileExists(atPath: Bundles.path($0) + "/truth.json") })
  func aDraftGivesTheSameVerdict(_ bundle: String) throws {
    let draft = try draftManifest(VerifyOptions(paths: [Bundles.path(bundle)]))
    let drafted = try Bundles.verify(bundle, adding: ["lanecheck.yaml": Data(draft.utf8)])
    let plain = try verify(VerifyOptions(paths: [Bundles.path(bundle)]))
    #expect(drafted.verdict == plain.verdict)
    #expect(words(drafted) == words(plain))
    #expect(drafted.coverage.map(\.out) == plain.coverage.map(\.out))
  }

  @Test func aDraftOfADraftIsTheSame() throws {
    let state = try EditedState("clean-two-tenants")
    let first = try draftManifest(VerifyOptions(paths: [state.root.path]))
    try state.write("lanecheck.yaml", first)
    #expect(try draftManifest(VerifyOptions(paths: [state.root.path])) == first)
  }
}
