import Deployment
import Verification

/// The text of an `expect.yaml` that a report fulfils, for people to review: its causes above info with their counts
/// and what did them, the consequences as allowed, and the coverage.
func expectationDraft(of report: Report, keeping old: Expectations?, comment: String) -> String {
  var text = comment + "verdict: \(report.verdict.rawValue)\n"
  if let failOn = old?.failOn { text += "failOn: \(failOn)\n" }
  if let require = old?.require, !require.isEmpty {
    text += "require: [\(require.map(quoted).joined(separator: ", "))]\n"
  }
  if !report.inputErrors.isEmpty { text += "inputErrors: \(report.inputErrors.count)\n" }
  let wanted = Set(old?.findings.map(\.rule) ?? [])
  let causes = report.findings.filter { finding in
    // A remark is expected where it was before.
    finding.role == .cause && (finding.severity > .info || wanted.contains(finding.rule))
  }
  if !causes.isEmpty {
    text += "findings:\n"
    for finding in causes { text += "  - { \(members(finding).joined(separator: ", ")) }\n" }
  }
  let allowed = Set(report.findings.filter { $0.role == .consequence && $0.severity > .info }.map(\.rule))
  if !allowed.isEmpty { text += "allow: [\(allowed.sorted().joined(separator: ", "))]\n" }
  if let never = old?.never, !never.isEmpty {
    text += "never: [\(Set(never.map(\.rule)).sorted().joined(separator: ", "))]\n"
  }
  if !report.coverage.isEmpty, !report.isStatic {
    text += "coverage:\n"
    for row in report.coverage where row.expected || row.out > 0 || row.in > 0 {
      text += "  - { host: \(quoted(row.host)), network: \(quoted(row.network)), out: \(row.out), in: \(row.in) }\n"
    }
  }
  return text
}

private func members(_ finding: Finding) -> [String] {
  var members = ["rule: \(finding.rule)"]
  if let host = finding.host { members.append("host: \(quoted(host))") }
  if let network = finding.network { members.append("network: \(quoted(network))") }
  if finding.count > 0 { members.append("count: \(finding.count)") }
  if finding.certainty != .proven { members.append("certainty: \(finding.certainty.rawValue)") }
  if let cause = finding.cause { members.append("cause: \(quoted(cause.oneLine))") }
  return members
}

/// A YAML scalar: plain where it is a simple word, else in double quotes (YAML 1.2, 7.3.1).
private func quoted(_ text: String) -> String {
  let isWord = text.utf8.allSatisfy { byte in
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "/")
  }
  let first = text.utf8.first.map { (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) } ?? false
  if isWord, first, !["true", "false", "yes", "no", "on", "off", "null"].contains(text.lowercased()) { return text }
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case _ where scalar.value < 0x20 || scalar.value == 0x7f:
      let digits = String(scalar.value, radix: 16)
      result += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
