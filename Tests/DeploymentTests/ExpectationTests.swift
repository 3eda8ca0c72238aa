import Deployment
import Testing

@Suite("Expectations") struct ExpectationTests {
  static let rules = ["wrong-vni", "cross-network-delivery", "mac-moved"]

  private func read(_ text: String) throws -> Expectations {
    try Expectations.read(text, file: "expect.yaml", rules: ExpectationTests.rules)
  }

  @Test func allMembersAreRead() throws {
    let expectations = try read(
      """
      verdict: fail
      failOn: warning
      require: [compute1/net-a]
      inputErrors: 1
      findings:
        - { rule: wrong-vni, host: compute1, network: net-a, port: vm1, point: compute1/eth1, severity: error,
            certainty: proven, count: 40..44, copies: ">0", cause: "table=22", message: VNI 64 }
      allow: [cross-network-delivery]
      never: [{ rule: mac-moved, role: cause }]
      coverage:
        - { host: compute1, network: net-a, out: ">0", in: 398, outWrong: "<=3", inWrong: 0, vlan: 1, vni: 0x39 }
      """)
    #expect(expectations.verdict == "fail")
    #expect(expectations.failOn == "warning")
    #expect(expectations.require == ["compute1/net-a"])
    #expect(expectations.inputErrors == Amount("1"))
    let finding = try #require(expectations.findings.first)
    #expect(finding.rule == "wrong-vni" && finding.host == "compute1" && finding.network == "net-a")
    #expect(finding.port == "vm1" && finding.point == "compute1/eth1")
    #expect(finding.severity == "error" && finding.certainty == "proven" && finding.role == nil)
    #expect(finding.count == Amount(40...44) && finding.copies == Amount(1...UInt64.max))
    #expect(finding.cause == "table=22" && finding.message == "VNI 64")
    #expect(expectations.allow.map(\.rule) == ["cross-network-delivery"])
    #expect(expectations.never.map(\.role) == ["cause"])
    let cell = try #require(expectations.coverage.first)
    #expect(cell.out == Amount(">0") && cell.in == Amount("398") && cell.outWrong == Amount("<=3"))
    #expect(cell.inWrong == Amount("0") && cell.vlan == Amount("1") && cell.vni == Amount("57"))
  }

  static let amounts: [(String, ClosedRange<UInt64>?)] = [
    ("42", 42...42), ("0x2a", 42...42), ("40..44", 40...44), (" 40 .. 44 ", 40...44), (">0", 1...UInt64.max),
    (">=3", 3...UInt64.max), ("<9", 0...8), ("<=9", 0...9), ("<0", nil), (">18446744073709551615", nil),
    ("44..40", nil), ("some", nil), ("-1", nil), ("", nil), ("..", nil), ("1..", nil),
  ]

  @Test(arguments: amounts)
  func amountsAreExactOrWithinBounds(text: String, bounds: ClosedRange<UInt64>?) {
    #expect(Amount(text)?.bounds == bounds)
  }

  @Test(arguments: amounts)
  func amountsAreWrittenAsTheyAreRead(text: String, bounds: ClosedRange<UInt64>?) {
    guard let amount = Amount(text) else { return }
    #expect(Amount(amount.description) == amount)
  }

  static let mistakes: [(text: String, reason: String)] = [
    ("", "is empty"),
    ("findings: []", "the expectations have no verdict"),
    ("verdict: green", "expect.yaml:1:10: verdict green"),
    ("verdict: pass\nfinding: []", "expect.yaml:2:1: unknown key of the expectations: finding (did you mean findings?)"),
    ("verdict: fail\nfindings: [wrong-vnis]", "expect.yaml:2:12: no rule of this name: wrong-vnis (did you mean wrong-vni?)"),
    ("verdict: fail\nfindings: [{ host: a }]", "a finding has no rule"),
    ("verdict: fail\nfindings: [{ rule: wrong-vni, count: many }]", "count must be a number, a range"),
    ("verdict: pass\ncoverage: [{ host: a }]", "a cell of coverage needs host and network"),
    ("verdict: pass\nrequire: [a]", "require takes HOST/NETWORK: a"),
    ("verdict: pass\nfailOn: [", "no valid YAML"),
  ]

  @Test(arguments: mistakes)
  func mistakesAreNamedWithTheirPlace(text: String, reason: String) {
    let error = #expect(throws: BundleError.self) { try read(text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }
}
