import Foundation
import Scenario

/// The parts of lanecheck's JSON report that are compared.
struct ReportedRun: Decodable {
  struct Cell: Decodable {
    var host: String
    var network: String
    var localVLAN: UInt16?
    var vni: UInt32?
    var out: UInt64
    var `in`: UInt64
  }
  struct Finding: Decodable {
    var rule: String
    var severity: String
    var role: String
    var host: String?
    var network: String?
    var count: UInt64
    var message: String
  }
  struct Capture: Decodable {
    var file: String
    var frames: UInt64
  }
  struct Trajectories: Decodable {
    var total: UInt64
    var asExpected: UInt64
    var unjudged: UInt64
  }
  var verdict: String
  var framesRead: UInt64
  var reasons: [String]
  var findings: [Finding]
  var coverage: [Cell]
  var captures: [Capture]
  var trajectories: Trajectories
}

/// What a report says otherwise than the generator knows, in sentences; empty where it is right.
func differences(_ report: ReportedRun, _ expected: ExpectedReport) -> [String] {
  var list: [String] = []
  if report.verdict != expected.verdict {
    list.append("the verdict is \(report.verdict) instead of \(expected.verdict)")
    list += report.reasons
  }
  if report.framesRead != expected.frames {
    list.append("\(report.framesRead) frames were read of \(expected.frames)")
  }
  for file in expected.files {
    let read = report.captures.first { $0.file == file.path }?.frames ?? 0
    if read != file.frames { list.append("\(read) frames of \(file.path) were read of \(file.frames)") }
  }
  if let text = excess(report.trajectories.total, expected.trajectories) { list.append("trajectories: \(text)") }
  for cell in expected.cells {
    let name = "\(cell.host)/\(cell.network)"
    guard let row = report.coverage.first(where: { $0.host == cell.host && $0.network == cell.network }) else {
      list.append("\(name) is missing from the coverage")
      continue
    }
    if row.localVLAN != cell.localVLAN || row.vni != cell.vni {
      list.append(
        "\(name) has VLAN \(text(row.localVLAN)) and VNI \(text(row.vni)) instead of \(cell.localVLAN) and \(cell.vni)")
    }
    if let text = excess(row.out, cell.out) { list.append("\(name) out: \(text)") }
    if let text = excess(row.in, cell.in) { list.append("\(name) in: \(text)") }
  }
  if report.coverage.count != expected.cells.count {
    list.append("\(report.coverage.count) cells instead of \(expected.cells.count)")
  }
  var causes: [UInt64] = []
  for finding in report.findings where finding.severity != "info" && finding.role == "cause" {
    if let fault = expected.fault, finding.rule == fault.rule, finding.host == fault.host,
      finding.network == fault.network
    {
      causes.append(finding.count)
    } else {
      list.append("a finding that is not true: \(finding.rule), \(finding.count) times: \(finding.message)")
    }
  }
  if let fault = expected.fault {
    let name = "\(fault.rule) of \(fault.host) and \(fault.network)"
    if causes.count != 1 { list.append("\(name) is one cause, and \(causes.count) findings") }
    if let text = excess(causes.reduce(0, +), fault.count) { list.append("\(name): \(text)") }
  }
  return list
}

private func excess(_ got: UInt64, _ count: ExpectedReport.Count) -> String? {
  let least = count.seen - min(count.seen, count.unsure)
  let most = min(count.sent, count.seen + count.unsure)
  guard got < least || got > most else { return nil }
  return "\(got) instead of \(least == most ? "\(least)" : "\(least) to \(most)")"
}

private func text(_ number: (some BinaryInteger)?) -> String { number.map { "\($0)" } ?? "none" }
