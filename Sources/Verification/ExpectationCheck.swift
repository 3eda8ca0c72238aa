import Deployment

/// One expectation about a bundle, and what was found there.
public struct CheckedExpectation: Sendable, Hashable {
  /// What is expected, in words that are the same from run to run: names the test.
  public var name: String
  public var hasPassed: Bool
  /// Side by side for people, where it failed.
  public var expected: String
  public var actual: String

  public init(name: String, hasPassed: Bool, expected: String, actual: String) {
    self.name = name
    self.hasPassed = hasPassed
    self.expected = expected
    self.actual = actual
  }
}

/// Every expectation about one bundle.
public struct BundleTest: Sendable {
  /// As it was named, or below the directory that was named.
  public var bundle: String
  public var checks: [CheckedExpectation]
  /// Nanoseconds that it took.
  public var duration: Int64 = 0
  /// `expect.yaml` was written anew.
  public var isUpdated = false

  public init(bundle: String, checks: [CheckedExpectation]) {
    self.bundle = bundle
    self.checks = checks
  }

  public var failures: [CheckedExpectation] { checks.filter { !$0.hasPassed } }
}

extension Report {
  /// Holds the report against what must be found.
  public func checked(against expectations: Expectations) -> [CheckedExpectation] {
    var checks: [CheckedExpectation] = []
    if let verdict = expectations.verdict {
      let reasons = reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))"
      checks.append(
        CheckedExpectation(
          name: "verdict \(verdict)", hasPassed: self.verdict.rawValue == verdict, expected: "verdict \(verdict)",
          actual: "verdict \(self.verdict.rawValue)\(reasons)"))
    }
    let unreadable = UInt64(inputErrors.count)
    let errors = expectations.inputErrors ?? Amount(0...0)
    checks.append(
      CheckedExpectation(
        name: errors.bounds == 0...0 ? "all input is read" : "inputs that cannot be read \(errors)",
        hasPassed: errors.contains(unreadable), expected: "\(errors) inputs that cannot be read",
        actual: unreadable == 0 ? "0" : "\(unreadable): \(inputErrors.joined(separator: "; "))"))
    var matched: Set<Int> = []
    // The most particular first: none must take what another needs.
    let order = expectations.findings.indices.sorted {
      (expectations.findings[$1].particulars, $0) < (expectations.findings[$0].particulars, $1)
    }
    var found: [Int: CheckedExpectation] = [:]
    for index in order { found[index] = checkedFinding(expectations.findings[index], &matched) }
    checks += expectations.findings.indices.compactMap { found[$0] }
    checks.append(checkedRest(expectations, matched))
    for absent in expectations.never {
      let there = findings.filter { absent.describes($0, role: absent.role) }
      checks.append(
        CheckedExpectation(
          name: "no \(absent.words)", hasPassed: there.isEmpty, expected: "no \(absent.words)",
          actual: there.isEmpty ? "none" : there.map(\.words).joined(separator: "\n")))
    }
    for cell in expectations.coverage { checks.append(checkedCell(cell)) }
    return checks
  }

  private func checkedFinding(
    _ expected: Expectations.Finding, _ matched: inout Set<Int>
  ) -> CheckedExpectation {
    let role = expected.role ?? "cause"
    let free = findings.indices.filter { !matched.contains($0) }
    if let index = free.first(where: { expected.describes(findings[$0], role: role) }) {
      matched.insert(index)
      return CheckedExpectation(
        name: expected.words, hasPassed: true, expected: expected.words, actual: findings[index].words)
    }
    // The nearest: the same rule, with as much as fits.
    let near = free.filter { findings[$0].rule == expected.rule }
      .max { expected.likeness(findings[$0]) < expected.likeness(findings[$1]) }
    if let near { matched.insert(near) }
    return CheckedExpectation(
      name: expected.words, hasPassed: false, expected: expected.words,
      actual: near.map { findings[$0].words } ?? "no such finding")
  }

  private func checkedRest(_ expectations: Expectations, _ matched: Set<Int>) -> CheckedExpectation {
    let rest = findings.indices.filter { index in
      guard !matched.contains(index), findings[index].severity > .info else { return false }
      return !expectations.allow.contains { $0.describes(findings[index], role: $0.role ?? "consequence") }
    }
    return CheckedExpectation(
      name: "nothing else above info", hasPassed: rest.isEmpty, expected: "nothing else above info",
      actual: rest.isEmpty ? "nothing else" : rest.map { findings[$0].words }.joined(separator: "\n"))
  }

  private func checkedCell(_ cell: Expectations.Cell) -> CheckedExpectation {
    var facts: [(name: String, amount: Amount, value: UInt64?)] = []
    let row = coverage.first { $0.host == cell.host && $0.network == cell.network }
    func add(_ name: String, _ amount: Amount?, _ value: UInt64?) {
      if let amount { facts.append((name, amount, value)) }
    }
    add("out", cell.out, row?.out)
    add("in", cell.in, row?.in)
    add("outWrong", cell.outWrong, row?.outWrong)
    add("inWrong", cell.inWrong, row?.inWrong)
    add("vlan", cell.vlan, row?.localVLAN.map { UInt64($0) })
    add("vni", cell.vni, row?.vni.map { UInt64($0) })
    let place = "coverage of \(cell.host)/\(cell.network)"
    let expected = facts.map { "\($0.name) \($0.amount)" }.joined(separator: ", ")
    let actual = facts.map { "\($0.name) \($0.value.map { "\($0)" } ?? "none")" }.joined(separator: ", ")
    let known = coverage.map { "\($0.host)/\($0.network)" }.sorted().joined(separator: ", ")
    return CheckedExpectation(
      name: expected.isEmpty ? place : "\(place): \(expected)",
      hasPassed: row != nil && facts.allSatisfy { fact in fact.value.map(fact.amount.contains) ?? false },
      expected: "\(place): \(expected)",
      actual: row == nil ? "no such cell; there are \(known.isEmpty ? "none" : known)" : actual)
  }
}

extension Expectations.Finding {
  /// How much is said of it.
  fileprivate var particulars: Int {
    [host, network, port, point, severity, certainty, cause, message].count { $0 != nil } + (count == nil ? 0 : 1)
      + (copies == nil ? 0 : 1)
  }

  /// Whether a finding is what is meant; `role` nil takes both.
  fileprivate func describes(_ finding: Finding, role: String?) -> Bool {
    finding.rule == rule && likeness(finding) == particulars && (role == nil || finding.role.rawValue == role)
  }

  /// How many of the particulars fit.
  fileprivate func likeness(_ finding: Finding) -> Int {
    func fits<T: Equatable>(_ wanted: T?, _ value: T?) -> Int { wanted != nil && wanted == value ? 1 : 0 }
    func fits(_ wanted: Amount?, _ value: UInt64) -> Int { wanted?.contains(value) == true ? 1 : 0 }
    func contains(_ part: String?, _ whole: String) -> Int { part.map(whole.contains) == true ? 1 : 0 }
    return fits(host, finding.host) + fits(network, finding.network) + fits(port, finding.port)
      + fits(point, finding.point) + fits(severity, finding.severity.rawValue)
      + fits(certainty, finding.certainty.rawValue) + fits(count, finding.count) + fits(copies, finding.copies)
      + contains(cause, finding.cause?.oneLine ?? "") + contains(message, finding.message)
  }

  /// In one line, as it is named in a test's output.
  fileprivate var words: String {
    var words = [role.map { "\($0) \(rule)" } ?? rule]
    if let host { words.append("on \(host)") }
    if let network { words.append("in \(network)") }
    if let port { words.append("port \(port)") }
    if let point { words.append("at \(point)") }
    if let severity { words.append("(\(severity))") }
    if let certainty { words.append("(\(certainty))") }
    if let count { words.append("count \(count)") }
    if let copies { words.append("copies \(copies)") }
    if let cause { words.append("by “\(cause)”") }
    if let message { words.append("saying “\(message)”") }
    return words.joined(separator: " ")
  }
}

extension Finding {
  /// In one line, with what an expectation can name.
  fileprivate var words: String {
    var words = [role == .cause ? rule : "consequence \(rule)"]
    if let host { words.append("on \(host)") }
    if let network { words.append("in \(network)") }
    if let port { words.append("port \(port)") }
    if let point { words.append("at \(point)") }
    words.append("(\(severity.rawValue)) (\(certainty.rawValue)) count \(count) copies \(copies)")
    if let cause { words.append("by “\(cause.oneLine)”") }
    return words.joined(separator: " ") + ": \(message)"
  }
}

extension Cause {
  /// What did it in one line: `host1 br-tun table=22 priority=1,…`.
  public var oneLine: String {
    ([host, bridge, table.map { "table=\($0)" }].compactMap { $0 } + [text]).joined(separator: " ")
  }
}
