import Verification

/// Bundles held against their expectations, for people: a line a bundle, and of what failed both sides.
public func renderTest(_ test: BundleTest, color: Bool, verbose: Bool, unicode: Bool = true) -> String {
  let style = TextStyle(color: color, width: 0, unicode: unicode)
  let failures = test.failures
  let mark = failures.isEmpty ? style.paint("ok  ", .boldGreen) : style.paint("FAIL", .boldRed)
  let seconds = spokenDuration(nanoseconds: test.duration)
  var text = "\(mark)  \(style.plain(test.bundle))  \(counted(UInt64(test.checks.count), "expectation")), \(style.own(seconds))\n"
  for check in test.checks where verbose || !check.hasPassed {
    if check.hasPassed {
      text += "      \(style.paint(style.passed, .green)) \(style.plain(check.name))\n"
      continue
    }
    text += "      \(style.paint(style.wrong, .boldRed)) expected  \(style.plain(check.expected))\n"
    for (index, line) in check.actual.split(separator: "\n").enumerated() {
      text += "        \(index == 0 ? "actual  " : "        ")  \(style.plain(String(line)))\n"
    }
  }
  if test.isUpdated { text += "      expect.yaml was written anew: review it\n" }
  return text
}

/// The last line.
public func renderTestSummary(_ tests: [BundleTest], color: Bool) -> String {
  let style = TextStyle(color: color, width: 0)
  let failed = UInt64(tests.count { !$0.failures.isEmpty })
  let all = counted(UInt64(tests.count), "bundle")
  return failed == 0
    ? style.paint("\(all): all as expected", .boldGreen) + "\n"
    : style.paint("\(all): \(failed) not as expected", .boldRed) + "\n"
}

/// Test Anything Protocol, version 14 (https://testanything.org/tap-version-14-specification.html): one test point a
/// bundle and expectation, with both sides of what failed as YAML.
public func renderTAP(_ tests: [BundleTest]) -> String {
  var text = "TAP version 14\n1..\(tests.reduce(0) { $0 + $1.checks.count })\n"
  var number = 0
  for test in tests {
    for check in test.checks {
      number += 1
      let name = escapedForTAP("\(test.bundle): \(check.name)")
      text += "\(check.hasPassed ? "ok" : "not ok") \(number) - \(name)\n"
      guard !check.hasPassed else { continue }
      text += "  ---\n  expected: \(quotedYAML(check.expected))\n  actual: \(quotedYAML(check.actual))\n  ...\n"
    }
  }
  return text
}

/// A description must not begin a directive, nor a new line.
private func escapedForTAP(_ text: String) -> String {
  terminalText(text).replacing("\\", with: "\\\\").replacing("#", with: "\\#")
}

/// JSON's strings are YAML's, too.
private func quotedYAML(_ text: String) -> String {
  var json = JSONWriter(pretty: false)
  json.string(text)
  return json.out.string
}
