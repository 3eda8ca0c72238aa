import Foundation
import Testing
import Verification

@Suite("Clean recordings") struct CleanBundlesTests {
  enum State: CaseIterable {
    case all, none, before, after

    func keeps(_ file: String) -> Bool {
      if Bundles.isCapture(file) { return true }
      switch self {
      case .all: return true
      case .none: return false
      case .before: return !file.contains("/after/")
      case .after: return file.contains("/after/")
      }
    }
  }

  @Test(arguments: Bundles.clean, State.allCases)
  func passWhateverStateThereIs(bundle: String, state: State) throws {
    let report = try Bundles.verify(bundle, keeping: state.keeps)
    #expect(report.verdict == .pass)
    #expect(faults(report).map(\.message) == [])
    #expect(report.trajectories.asExpected > 0)
    #expect(report.inferred == (state == .none))
  }

  @Test(arguments: Bundles.clean)
  func withAnyCaptureMissingNothingIsAccused(bundle: String) throws {
    for left in Bundles.files(bundle) where Bundles.isCapture(left) {
      let report = try Bundles.verify(bundle, keeping: { $0 != left })
      #expect(report.verdict != .fail, "without \(left)")
      #expect(faults(report).map(\.message) == [], "without \(left)")
    }
  }

  @Test(arguments: Bundles.clean)
  func coverageIsWhatTheGuestsSent(bundle: String) throws {
    let truth = try Bundles.truth(bundle)
    guard let sent = truth.measured.path else { return }
    let report = try Bundles.verify(bundle)
    var expected: [String: UInt64] = [:]
    for port in truth.ports {
      let name = try #require(truth.reportName(of: port.network))
      expected["\(port.host)/\(name)", default: 0] += sent[port.vm]?.sent ?? 0
    }
    for row in report.coverage {
      #expect(row.out == expected["\(row.host)/\(row.network)"], "\(row.host)/\(row.network)")
      #expect(row.outWrong == 0 && row.inWrong == 0)
      let network = try #require(truth.networks.first { "net-\($0.uuid.prefix(8))" == row.network })
      #expect(row.vni == network.vni)
      #expect(row.localVLAN == network.local_vlans[row.host])
    }
    #expect(report.coverage.count == Set(truth.ports.map { $0.host + $0.network }).count)
  }

  @Test(arguments: Bundles.clean)
  func everyFrameOfEveryCaptureIsRead(bundle: String) throws {
    struct Captures: Decodable {
      struct Capture: Decodable {
        var file: String
        var packets: UInt64
      }
      var captures: [Capture]
    }
    let truth = try JSONDecoder().decode(
      Captures.self, from: Data(contentsOf: Bundles.root.appendingPathComponent("\(bundle)/truth.json")))
    let report = try Bundles.verify(bundle)
    let read = Dictionary(uniqueKeysWithValues: report.captures.map { ($0.file, $0.frames) })
    let written = Dictionary(uniqueKeysWithValues: truth.captures.map { ($0.file, $0.packets) })
    #expect(read == written)
  }

  @Test func theSameBundleGivesTheSameReport() throws {
    let first = try Bundles.verify("clean-three-hosts")
    let second = try Bundles.verify("clean-three-hosts")
    #expect(first.trajectories == second.trajectories)
    #expect(first.coverage == second.coverage)
  }
}
