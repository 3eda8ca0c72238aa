import Deployment
import Testing
import Verification

@Suite("Expectations held against a report") struct ExpectationCheckTests {
  /// One fault with a consequence and a remark.
  private var report: Report {
    var report = Report()
    report.verdict = .fail
    var cause = Finding(rule: "wrong-vni", severity: .error, message: "a sends on VNI 64")
    cause.host = "a"
    cause.network = "net"
    cause.count = 36
    cause.copies = 42
    cause.cause = Cause(kind: .flow, host: "a", bridge: "br-tun", table: 22, text: "priority=1,dl_vlan=1 actions=drop")
    var consequence = Finding(rule: "cross-network-delivery", severity: .error, message: "frames reached another")
    consequence.role = .consequence
    consequence.host = "b"
    let remark = Finding(rule: "capture-gap", severity: .info, message: "a capture lacks frames")
    report.findings = [cause, consequence, remark]
    var row = CoverageRow(host: "a", network: "net", localVLAN: 1, vni: 57)
    row.out = 36
    report.coverage = [row]
    return report
  }

  private func failures(_ text: String, _ change: (inout Report) -> Void = { _ in }) throws -> [CheckedExpectation] {
    var report = report
    change(&report)
    let expectations = try Expectations.read(
      text, file: "expect.yaml", rules: RuleCatalogue.rules.map(\.name))
    return report.checked(against: expectations).filter { !$0.hasPassed }
  }

  static let met = [
    "verdict: fail\nfindings: [{ rule: wrong-vni, host: a, network: net, count: 36, copies: 42, cause: table=22 }]\n"
      + "allow: [cross-network-delivery]\ncoverage: [{ host: a, network: net, out: \">0\", in: 0, vlan: 1, vni: 57 }]",
    "verdict: fail\nfindings: [wrong-vni, { rule: cross-network-delivery, role: consequence, host: b }]",
    "verdict: fail\nfindings: [{ rule: wrong-vni, severity: error, certainty: proven, message: VNI 64 }, capture-gap]\n"
      + "allow: [{ rule: cross-network-delivery, host: b }]\nnever: [mac-moved]",
    // The general expectation leaves to the particular one what only that can take.
    "verdict: fail\nallow: [cross-network-delivery, { rule: wrong-vni, role: cause }]",
  ]

  @Test(arguments: met)
  func whatTheReportHasIsMet(text: String) throws {
    #expect(try failures(text).isEmpty)
  }

  static let notMet: [(text: String, name: String, actual: String)] = [
    ("verdict: pass\nallow: [cross-network-delivery]\nfindings: [wrong-vni]", "verdict pass", "verdict fail"),
    (
      "verdict: fail\nallow: [cross-network-delivery]\nfindings: [{ rule: wrong-vni, count: 40..44 }]",
      "wrong-vni count 40..44", "count 36"
    ),
    (
      "verdict: fail\nallow: [cross-network-delivery]\nfindings: [{ rule: wrong-vni, cause: table=20 }]",
      "wrong-vni by “table=20”", "by “a br-tun table=22 priority=1"
    ),
    (
      "verdict: fail\nallow: [cross-network-delivery]\nfindings: [wrong-vni, frame-lost]", "frame-lost",
      "no such finding"
    ),
    // One finding meets one expectation.
    (
      "verdict: fail\nallow: [cross-network-delivery]\nfindings: [wrong-vni, wrong-vni]", "wrong-vni",
      "no such finding"
    ),
    ("verdict: fail\nfindings: [wrong-vni]", "nothing else above info", "consequence cross-network-delivery on b"),
    // A cause is not allowed as a consequence is.
    ("verdict: fail\nallow: [wrong-vni, cross-network-delivery]", "nothing else above info", "wrong-vni on a"),
    (
      "verdict: fail\nfindings: [wrong-vni]\nallow: [cross-network-delivery]\nnever: [capture-gap]",
      "no capture-gap", "capture-gap"
    ),
    (
      "verdict: fail\nfindings: [wrong-vni]\nallow: [cross-network-delivery]\n"
        + "coverage: [{ host: a, network: net, out: 37 }]", "coverage of a/net: out 37", "out 36"
    ),
    (
      "verdict: fail\nfindings: [wrong-vni]\nallow: [cross-network-delivery]\ncoverage: [{ host: b, network: net }]",
      "coverage of b/net", "no such cell; there are a/net"
    ),
    (
      "verdict: fail\nfindings: [wrong-vni]\nallow: [cross-network-delivery]\ninputErrors: 1",
      "inputs that cannot be read 1", "0"
    ),
  ]

  @Test(arguments: notMet)
  func whatTheReportLacksIsShownWithBothSides(text: String, name: String, actual: String) throws {
    let failures = try failures(text)
    #expect(failures.map(\.name) == [name])
    #expect(failures.first?.actual.contains(actual) == true, "\(failures.first?.actual ?? "")")
  }

  @Test func inputThatCannotBeReadIsNeverPassedOver() throws {
    let text = "verdict: fail\nfindings: [wrong-vni]\nallow: [cross-network-delivery]"
    #expect(try failures(text) { $0.inputErrors = ["a/eth1.pcap: offset 24: cut"] }.map(\.name) == ["all input is read"])
  }
}
