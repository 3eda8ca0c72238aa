import Foundation
import Verification
import XMLCoder

/// JUnit's XML as CI systems read it: a suite a bundle, a case an expectation, and of what failed both sides.
///
/// Jenkins and GitLab know a case by class name and name together: they are the same from run to run.
public func renderJUnit(_ tests: [BundleTest]) -> String {
  let suites = Suites(
    name: "lanecheck", tests: tests.reduce(0) { $0 + $1.checks.count },
    failures: tests.reduce(0) { $0 + $1.failures.count }, testsuite: tests.map(Suite.init))
  let encoder = XMLEncoder()
  encoder.outputFormatting = [.prettyPrinted]
  let header = XMLHeader(version: 1, encoding: "UTF-8")
  // Only strings and numbers are encoded: that cannot fail.
  guard let data = try? encoder.encode(suites, withRootKey: "testsuites", header: header) else { return "" }
  return String(decoding: data, as: UTF8.self) + "\n"
}

private struct Suites: Encodable, DynamicNodeEncoding {
  var name: String
  var tests: Int
  var failures: Int
  var testsuite: [Suite]

  static func nodeEncoding(for key: any CodingKey) -> XMLEncoder.NodeEncoding {
    key.stringValue == "testsuite" ? .element : .attribute
  }
}

private struct Suite: Encodable, DynamicNodeEncoding {
  var name: String
  var tests: Int
  var failures: Int
  var time: String
  var testcase: [Case]

  init(_ test: BundleTest) {
    name = xmlText(test.bundle)
    tests = test.checks.count
    failures = test.failures.count
    let milliseconds = max(0, test.duration) / 1_000_000
    let fraction = "\(1000 + milliseconds % 1000)".dropFirst()
    time = "\(milliseconds / 1000).\(fraction)"
    testcase = test.checks.map { Case(test.bundle, $0) }
  }

  static func nodeEncoding(for key: any CodingKey) -> XMLEncoder.NodeEncoding {
    key.stringValue == "testcase" ? .element : .attribute
  }
}

private struct Case: Encodable, DynamicNodeEncoding {
  struct Failure: Encodable, DynamicNodeEncoding {
    var message: String
    var text: String

    enum CodingKeys: String, CodingKey {
      case message
      case text = ""
    }

    static func nodeEncoding(for key: any CodingKey) -> XMLEncoder.NodeEncoding {
      key.stringValue == "message" ? .attribute : .element
    }
  }

  var classname: String
  var name: String
  var failure: Failure?

  init(_ bundle: String, _ check: CheckedExpectation) {
    classname = xmlText(bundle)
    name = xmlText(check.name)
    guard !check.hasPassed else { return }
    failure = Failure(
      message: xmlText("expected \(check.expected)"),
      text: xmlText("expected: \(check.expected)\nactual: \(check.actual)"))
  }

  static func nodeEncoding(for key: any CodingKey) -> XMLEncoder.NodeEncoding {
    key.stringValue == "failure" ? .element : .attribute
  }
}

/// Without the characters that XML 1.0 cannot hold (section 2.2), nor those that terminals act upon.
private func xmlText(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { terminalText(String($0)) }.joined(separator: "\n")
}
