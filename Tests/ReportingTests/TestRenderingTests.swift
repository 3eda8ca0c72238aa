import Reporting
import Testing
import Verification

@Suite("Results of regression runs") struct TestRenderingTests {
  private var tests: [BundleTest] {
    let passed = CheckedExpectation(name: "verdict pass", hasPassed: true, expected: "verdict pass", actual: "verdict pass")
    let failed = CheckedExpectation(
      name: "no <b> & \"c\" # TODO", hasPassed: false, expected: "one\u{1b}[31m", actual: "first\nsecond")
    var good = BundleTest(bundle: "a/good", checks: [passed])
    good.duration = 1_234_000_000
    return [good, BundleTest(bundle: "a/bad", checks: [passed, failed])]
  }

  @Test func peopleSeeBothSides() {
    let text = tests.map { renderTest($0, color: false, verbose: false) }.joined() + renderTestSummary(tests, color: false)
    #expect(text.contains("ok    a/good"))
    #expect(text.contains("FAIL  a/bad"))
    #expect(text.contains("✗ expected  one"))
    #expect(text.contains("        actual    first\n                  second\n"))
    #expect(text.hasSuffix("2 bundles: 1 not as expected\n"))
    #expect(!text.contains("\u{1b}"))
    #expect(!text.contains("verdict pass"))
  }

  @Test func metExpectationsAreShownWhereAskedFor() {
    #expect(renderTest(tests[0], color: false, verbose: true).contains("✓ verdict pass"))
  }

  @Test func tapHasAPointForEachExpectation() {
    let lines = renderTAP(tests).split(separator: "\n").map(String.init)
    #expect(lines.prefix(4) == [
      "TAP version 14", "1..3", "ok 1 - a/good: verdict pass", "ok 2 - a/bad: verdict pass",
    ])
    #expect(lines[4] == "not ok 3 - a/bad: no <b> & \"c\" \\# TODO")
    #expect(lines[5...].contains("  actual: \"first\\nsecond\""))
    #expect(lines.last == "  ...")
  }

  @Test func junitHasACaseForEachExpectation() {
    let xml = renderJUnit(tests)
    #expect(xml.hasPrefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))
    #expect(xml.contains("<testsuites name=\"lanecheck\" tests=\"3\" failures=\"1\">"))
    #expect(xml.contains("<testsuite name=\"a/good\" tests=\"1\" failures=\"0\" time=\"1.234\">"))
    #expect(xml.contains("<testcase classname=\"a/bad\" name=\"verdict pass\" />"))
    #expect(xml.contains("no &lt;b"))
    #expect(xml.contains("&amp; &quot;c&quot;"))
    #expect(xml.contains("actual: first\nsecond</failure>"))
    #expect(!xml.contains("\u{1b}"))
  }
}
