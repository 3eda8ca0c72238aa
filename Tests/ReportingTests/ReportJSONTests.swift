import Foundation
import Reporting
import Testing
import Verification

@Suite struct ReportJSONTests {
  private func object(_ report: Report) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(renderJSON(report).utf8))
    return try #require(value as? [String: Any])
  }

  @Test("Every report is valid JSON with the contract's members")
  func members() throws {
    for report in [
      ReportFixtures.pass, ReportFixtures.fail, ReportFixtures.inconclusive, ReportFixtures.inferred,
      ReportFixtures.large, ReportFixtures.hostile, Report(),
    ] {
      let json = try object(report)
      #expect(json["schema"] as? String == "lanecheck-report/1")
      #expect(json["verdict"] as? String == report.verdict.rawValue)
      #expect((json["findings"] as? [Any])?.count == report.findings.count)
      #expect((json["coverage"] as? [Any])?.count == report.coverage.count)
      for name in ["captures", "clocks", "trajectories", "reasons", "notes", "inputErrors"] {
        #expect(json[name] != nil, "\(name)")
      }
    }
  }

  @Test("A finding has all members, in the documented order")
  func finding() throws {
    let text = renderJSON(ReportFixtures.fail)
    let names = [
      "id", "rule", "severity", "role", "causedBy", "certainty", "host", "network", "port", "point", "count",
      "copies", "first", "last", "expected", "observed", "cause", "message", "examples", "frames",
      "framesComplete", "path", "next",
    ]
    var rest = text[...]
    for name in names {
      let found = try #require(rest.range(of: "\n      \"\(name)\": "), "\(name)")
      rest = rest[found.upperBound...]
    }
    let findings = try #require(try object(ReportFixtures.fail)["findings"] as? [[String: Any]])
    let cause = try #require(findings.first)
    #expect(cause["first"] as? String == "2026-01-31T12:23:41.220000000Z")
    #expect(cause["causedBy"] is NSNull)
    #expect((cause["expected"] as? [String: Int]) == ["vni": 57])
    #expect((cause["cause"] as? [String: Any])?["table"] as? Int == 22)
    #expect((cause["examples"] as? [[String: Any]])?.first?["file"] as? String == "host1/eth1.pcap")
    #expect((cause["frames"] as? [[String: Any]])?.first?["numbers"] as? [Int] == [1, 2, 17])
    #expect(findings[1]["causedBy"] as? String == "f1")
  }

  @Test("Hostile text survives the round trip and is escaped on the wire")
  func hostile() throws {
    let text = renderJSON(ReportFixtures.hostile)
    #expect(
      text.unicodeScalars.allSatisfy {
        $0 == "\n" || ($0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) && $0.value != 0x202e)
      })
    let reasons = try object(ReportFixtures.hostile)["reasons"] as? [String]
    #expect(reasons == ReportFixtures.hostile.reasons)
    var report = Report()
    report.reasons = ["\"\\\u{0}\u{8}\u{1f}\u{2028}\u{e0041}ünï 🦆"]
    let kept = try object(report)["reasons"] as? [String]
    #expect(kept == report.reasons)
  }

  @Test("The same report gives the same bytes")
  func deterministic() {
    var report = ReportFixtures.large
    for index in 0..<100 { report.trajectories.unjudgedReasons["reason \(index)"] = UInt64(index % 3) }
    var other = ReportFixtures.large
    for index in (0..<100).reversed() { other.trajectories.unjudgedReasons["reason \(index)"] = UInt64(index % 3) }
    #expect(renderJSON(report) == renderJSON(other))
    let text = renderText(report, color: true, width: 100, verbose: true)
    #expect(text == renderText(other, color: true, width: 100, verbose: true))
  }

  @Test("A path report has its members")
  func path() throws {
    let report = PathReport(
      conclusion: "it is lost on the underlay",
      directions: [
        PathDirection(
          from: "a", to: "b",
          stages: [
            PathStage(
              what: "ARP",
              points: [
                PathPoint(place: "a tap", requests: 4, answers: 0, mark: .passed),
                PathPoint(place: "b tap", requests: 0, answers: 0, note: "none\u{1b}", mark: .missing),
              ])
          ])
      ])
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(renderJSON(report).utf8)) as? [String: Any])
    #expect(json["schema"] as? String == "lanecheck-path/1")
    #expect(
      renderText(report, color: false, width: 80) == """
        it is lost on the underlay

        a → b
          ARP    requests  answers
            a tap       4        0  ✓
            b tap       0        0  ✗  none\\x1b

        """)
  }
}
