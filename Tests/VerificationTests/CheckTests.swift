import Foundation
import Testing
import Verification

@testable import Jobs

@Suite("Checking state without captures") struct CheckTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var bundle: String
    /// Rule, host, and what the cause must say.
    var expected: [[String]]
    var testDescription: String { bundle }
  }

  @Test(arguments: Bundles.clean + ["mac-move", "spoofed-vtep"])
  func healthyHostsPass(bundle: String) throws {
    let report = try check(VerifyOptions(paths: [Bundles.path(bundle)]))
    #expect(report.verdict == .pass)
    #expect(report.findings.map(\.message) == [])
  }

  @Test(arguments: [
    Case(bundle: "flood-missing-peer", expected: [["missing-flood-peer", "host1", "dl_vlan=1"]]),
    Case(bundle: "learn-disabled", expected: [["flooded-after-learned", "host1", "output:\"patch-int\""]]),
    Case(bundle: "missing-vni-in", expected: [["missing-mapping", "host2", "tun_id=0x39 → VLAN 2"]]),
    Case(bundle: "no-strip-vlan", expected: [["vlan-not-stripped", "host1", "set_field:0x39->tun_id"]]),
    Case(
      bundle: "one-way",
      expected: [["flooded-after-learned", "host2", "output:"], ["missing-mapping", "host2", "dl_vlan=2"]]),
    Case(bundle: "stale-learn", expected: [["stale-location", "host1", "dl_dst=fa:16:3e:39:00:12"]]),
    Case(bundle: "tunnel-loop", expected: [["tunnel-reflection", "host3", "output:"]]),
    Case(bundle: "wrong-qvo-tag", expected: [["port-tag-mismatch", "host2", "tag 1"]]),
    Case(bundle: "wrong-udp-port", expected: [["nonstandard-tunnel-port", "host1", "dst_port=8472"]]),
    Case(bundle: "wrong-vlan-in", expected: [["mapping-conflict", "host2", "tun_id=0x39"]]),
    Case(bundle: "wrong-vni-out", expected: [["mapping-conflict", "host1", "0x40->tun_id"]]),
  ])
  func faultsOfFlowsAndTagsAreNamed(_ fault: Case) throws {
    let report = try check(VerifyOptions(paths: [Bundles.path(fault.bundle)]))
    #expect(report.verdict == .fail)
    let found = report.findings.sorted { $0.rule < $1.rule }
    #expect(found.map(\.rule) == fault.expected.map { $0[0] })
    for (finding, expected) in zip(found, fault.expected) {
      #expect(finding.host == expected[1])
      #expect(finding.cause?.text.contains(expected[2]) == true)
    }
  }

  @Test func withoutDumpsNothingCanBeSaid() throws {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: copy) }
    try FileManager.default.createDirectory(at: copy.appendingPathComponent("c1"), withIntermediateDirectories: true)
    try Data("networks:\n  a: { vni: 5 }\nhosts:\n  c1:\n    vtep: 192.0.2.1\n    ports:\n      vm: { network: a }\n".utf8)
      .write(to: copy.appendingPathComponent("lanecheck.yaml"))
    let report = try check(VerifyOptions(paths: [copy.path]))
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.contains { $0.contains("flows") })
  }
}
