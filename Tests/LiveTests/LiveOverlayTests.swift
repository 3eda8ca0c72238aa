import Foundation
import Testing
import Verification

@testable import Jobs

/// Overlays that are built, recorded and verified now: names, addresses, VNIs and local VLANs are new at every run.
@Suite(
  "Live overlays", .serialized,
  .enabled(if: Recorder.obstacle == nil, "not recorded here: \(Recorder.obstacle ?? "")"))
struct LiveOverlayTests {
  struct Truth: Decodable {
    struct Fault: Decodable { var host: String? }
    struct Network: Decodable {
      var name: String
      var vni: UInt32
      var uuid: String
    }
    var fault: Fault?
    var networks: [Network]
  }

  /// Records a scenario, hands its bundle to the body, and takes it away again.
  private func record(
    _ scenario: String, _ options: [String] = [], _ body: (String, Truth) throws -> Void
  ) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-live-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let seed = Int.random(in: 0...Int(Int32.max))
    let ended = try Recorder.run([scenario, "--seed", "\(seed)", "--output", directory.path] + options)
    try #require(ended.status == 0, "\(scenario) --seed \(seed): \(ended.output)")
    let bundle = directory.appendingPathComponent(scenario).path
    let truth = try JSONDecoder().decode(Truth.self, from: Data(contentsOf: URL(fileURLWithPath: bundle + "/truth.json")))
    // What the recorder itself expects: verdict, rule, host, network, flow at fault, coverage.
    for failure in try test(TestOptions(paths: [bundle])).flatMap(\.failures) {
      Issue.record("\(scenario) --seed \(seed): \(failure.name): expected \(failure.expected)\nactual \(failure.actual)")
    }
    try body(bundle, truth)
  }

  @Test func aFreshOverlayPasses() throws {
    try record("clean-vxlan", ["--hosts", "\(Int.random(in: 3...4))"]) { bundle, truth in
      let report = try verify(VerifyOptions(paths: [bundle]))
      #expect(report.verdict == .pass)
      #expect(report.findings.allSatisfy { $0.severity == .info })
      #expect(Set(report.coverage.compactMap(\.vni)) == Set(truth.networks.map(\.vni)))
      #expect(report.coverage.filter { $0.out > 0 && $0.in > 0 }.count == 3)
    }
  }

  @Test(arguments: [
    ("wrong-key-gre", "wrong-vni"), ("wrong-vlan-geneve", "wrong-local-vlan"), ("unmapped-vni", "unmapped-vni"),
  ])
  func aFaultIsFoundWithItsHostAndCause(scenario: String, rule: String) throws {
    try record(scenario) { bundle, truth in
      let report = try verify(VerifyOptions(paths: [bundle]))
      #expect(report.verdict == .fail)
      let cause = try #require(report.findings.first { $0.role == .cause && $0.rule == rule })
      #expect(cause.host == truth.fault?.host)
      #expect(truth.networks.contains { "net-\($0.uuid.prefix(8))" == cause.network })
      #expect(cause.cause?.bridge == "br-tun")
    }
  }

  /// Interrupted as soon as something is there, and later, while namespaces, switches or captures are being made.
  @Test(arguments: [0, 20, 70, 150, 400, 900])
  func anInterruptedRecorderLeavesNothing(milliseconds: UInt32) throws {
    let (process, log) = try Recorder.start(["clean-vxlan", "--output", NSTemporaryDirectory()])
    defer { try? FileManager.default.removeItem(at: log) }
    let patience = Date(timeIntervalSinceNow: 30)
    while Recorder.leftovers(of: process).isEmpty, process.isRunning, Date() < patience { usleep(5_000) }
    #expect(!Recorder.leftovers(of: process).isEmpty)
    usleep(milliseconds * 1000)
    process.terminate()
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    #expect(Recorder.leftovers(of: process).isEmpty)
  }
}
