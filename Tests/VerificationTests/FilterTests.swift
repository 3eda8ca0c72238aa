import Foundation
import Testing
import Verification

@testable import Jobs

@Suite("Filters of verify") struct FilterTests {
  private func verify(_ bundle: String, _ filter: String) throws -> Report {
    var options = VerifyOptions(paths: [Bundles.path(bundle)])
    options.filter = filter
    return try Jobs.verify(options)
  }

  @Test(
    "A filter accuses nobody",
    arguments: ["clean-vxlan", "clean-guest-vlan", "clean-snap96", "clean-sll2-any", "mac-move"],
    ["icmp", "not arp and not icmp6", "udp[8] = 0"])
  func clean(bundle: String, filter: String) throws {
    let report = try verify(bundle, filter)
    #expect(report.verdict != .fail)
    let known = bundle.hasPrefix("clean") ? [] : faults(try verify(bundle, "")).map(\.rule)
    #expect(Set(faults(report).map(\.rule)).isSubset(of: known))
    let left = report.trajectories.unjudgedReasons
    #expect((left["left out by the filter"] ?? 0) + (left["cut too short for the filter"] ?? 0) > 0)
    #expect(report.filter == filter)
  }

  @Test("An empty filter changes nothing", arguments: ["clean-vxlan", "wrong-vlan-in"])
  func everything(bundle: String) throws {
    let whole = try Jobs.verify(VerifyOptions(paths: [Bundles.path(bundle)]))
    let report = try verify(bundle, "")
    #expect(report.coverage == whole.coverage)
    #expect(report.trajectories == whole.trajectories)
    #expect(report.findings.map(\.message) == whole.findings.map(\.message))
  }

  @Test(
    "A fault is found in the frames that match, and only there",
    arguments: [
      ("wrong-vni-out", "arp", "wrong-vni"), ("wrong-vlan-in", "arp", "wrong-local-vlan"),
      ("no-strip-vlan", "arp", "vlan-not-stripped"),
    ])
  func faulty(bundle: String, filter: String, rule: String) throws {
    let whole = try verify(bundle, "")
    let report = try verify(bundle, filter)
    #expect(report.verdict == .fail)
    let all = whole.findings.first { $0.rule == rule }?.count ?? 0
    let found = report.findings.first { $0.rule == rule }?.count ?? 0
    #expect(found > 0 && found <= all)
    let none = try verify(bundle, "udp port 9 and host 203.0.113.77")
    #expect(none.verdict == .inconclusive)
    #expect(none.reasons.contains("the filter lets no frame pass that could be judged"))
  }

  @Test("A wrong expression is told in libpcap's words")
  func wrong() throws {
    let error = #expect(throws: JobError.self) { try verify("clean-vxlan", "udp porto 53") }
    #expect(error?.message.hasPrefix("filter 'udp porto 53': ") == true)
    let cooked = #expect(throws: JobError.self) { try verify("clean-sll2-any", "ether dst ff:ff:ff:ff:ff:ff") }
    #expect(cooked?.message.contains("any.pcap is a cooked capture") == true)
  }
}
