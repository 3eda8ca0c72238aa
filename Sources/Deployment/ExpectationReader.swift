import Yams

extension Expectations {
  /// Reads the text of an `expect.yaml`; the error holds everything that is wrong with it. `rules` are the names that
  /// findings may have.
  public static func read(_ text: String, file: String, rules: [String]) throws(BundleError) -> Expectations {
    var reader = ExpectationReader(file: file, rules: rules)
    guard let root = try composeYAML(text, file: file) else {
      throw BundleError(file: file, reason: "is empty: it says nothing that could fail")
    }
    let expectations = reader.expectations(root)
    guard reader.problems.isEmpty else { throw BundleError(reader.problemsInOrder) }
    return expectations
  }
}

private struct ExpectationReader: YAMLReader {
  let file: String
  let rules: [String]
  var problems: [BundleError.Problem] = []

  init(file: String, rules: [String]) {
    self.file = file
    self.rules = rules
  }

  mutating func expectations(_ root: Node) -> Expectations {
    var result = Expectations(file: file)
    let known = [
      "verdict", "findings", "allow", "never", "coverage", "require", "failOn", "inputErrors",
    ]
    for (key, value) in fields(root, of: "the expectations", known: known) {
      switch key.text {
      case "verdict": result.verdict = word(value, "verdict", of: ["pass", "fail", "inconclusive"])
      case "findings": result.findings = list(value) { $0.finding($1) }
      case "allow": result.allow = list(value) { $0.finding($1) }
      case "never": result.never = list(value) { $0.finding($1) }
      case "coverage": result.coverage = list(value) { $0.cell($1) }
      case "require": result.require = list(value) { $0.requirement($1) }
      case "failOn": result.failOn = word(value, "failOn", of: ["info", "warning", "error"])
      default: result.inputErrors = amount(value, "inputErrors")
      }
    }
    if result.verdict == nil, problems.isEmpty { fail(root, "the expectations have no verdict") }
    return result
  }

  /// A rule's name, or a mapping.
  private mutating func finding(_ node: Node) -> Expectations.Finding? {
    if node.mapping == nil { return rule(node).map { Expectations.Finding(rule: $0) } }
    var result = Expectations.Finding(rule: "")
    let known = [
      "rule", "host", "network", "port", "point", "severity", "certainty", "role", "count", "copies", "cause",
      "message",
    ]
    for (key, value) in fields(node, of: "a finding", known: known) {
      switch key.text {
      case "rule": result.rule = rule(value) ?? ""
      case "host": result.host = string(value, key.text)
      case "network": result.network = string(value, key.text)
      case "port": result.port = string(value, key.text)
      case "point": result.point = string(value, key.text)
      case "severity": result.severity = word(value, key.text, of: ["info", "warning", "error"])
      case "certainty": result.certainty = word(value, key.text, of: ["proven", "likely", "suspected"])
      case "role": result.role = word(value, key.text, of: ["cause", "consequence"])
      case "count": result.count = amount(value, key.text)
      case "copies": result.copies = amount(value, key.text)
      case "cause": result.cause = string(value, key.text)
      default: result.message = string(value, key.text)
      }
    }
    guard !result.rule.isEmpty else {
      if problems.isEmpty { fail(node, "a finding has no rule") }
      return nil
    }
    return result
  }

  private mutating func cell(_ node: Node) -> Expectations.Cell? {
    var result = Expectations.Cell(host: "", network: "")
    let known = ["host", "network", "out", "in", "outWrong", "inWrong", "vlan", "vni"]
    for (key, value) in fields(node, of: "a cell of coverage", known: known) {
      switch key.text {
      case "host": result.host = string(value, key.text) ?? ""
      case "network": result.network = string(value, key.text) ?? ""
      case "out": result.out = amount(value, key.text)
      case "in": result.in = amount(value, key.text)
      case "outWrong": result.outWrong = amount(value, key.text)
      case "inWrong": result.inWrong = amount(value, key.text)
      case "vlan": result.vlan = amount(value, key.text)
      default: result.vni = amount(value, key.text)
      }
    }
    guard !result.host.isEmpty, !result.network.isEmpty else {
      if problems.isEmpty { fail(node, "a cell of coverage needs host and network") }
      return nil
    }
    return result
  }

  private mutating func requirement(_ node: Node) -> String? {
    guard let text = string(node, "require") else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
      fail(node, "require takes HOST/NETWORK: \(text)")
      return nil
    }
    return text
  }

  private mutating func rule(_ node: Node) -> String? {
    guard let text = string(node, "rule") else { return nil }
    guard rules.contains(text) else {
      fail(node, "no rule of this name: \(text)\(hint(text, rules))")
      return nil
    }
    return text
  }

  private mutating func word(_ node: Node, _ what: String, of words: [String]) -> String? {
    guard let text = string(node, what) else { return nil }
    guard words.contains(text) else {
      fail(node, "\(what) \(text)\(hint(text, words)): it is one of \(words.joined(separator: ", "))")
      return nil
    }
    return text
  }

  private mutating func amount(_ node: Node, _ what: String) -> Amount? {
    guard let text = string(node, what) else { return nil }
    guard let amount = Amount(text) else {
      fail(node, "\(what) must be a number, a range as in 40..44, or a bound as in \">0\": \(text)")
      return nil
    }
    return amount
  }
}
