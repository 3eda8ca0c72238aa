import Deployment
import Foundation
import Verification

/// What a bundle must still say under noise: from its `expect.yaml`, or, where it has none, what it says without noise.
/// Counts are not held against it: noise changes them.
struct Expectation: Sendable {
  /// The network is at fault, and the verdict says so.
  var isFaulty: Bool
  /// Causes above info, each with what it must name.
  var roots = Expectations(file: "")
  /// Rules that are no false alarm here, in any role.
  var allowed: Set<String> = []
  /// Numbers of the frames that the fault touched, by file: where noise takes all of them, it is not in the bundle.
  var touched: [String: Set<UInt64>] = [:]
  /// Where the fault is that frames do not arrive at ports: what the names of all captures of those ports have in common.
  var lostAt: Set<String> = []

  /// Rules that speak of the captures, not of the network.
  static let captureFamily: Set = [
    "capture-gap", "capture-truncated", "clock-uncertain", "point-not-covered", "direction-unknown",
    "unsupported-mode",
  ]

  /// - Parameter plain: makes the bundle's report without noise.
  init(_ bundle: String, plain: () throws -> Report) throws {
    let plain = try plain()
    for finding in plain.findings where finding.severity > .info {
      for (file, numbers) in finding.frames { touched[file, default: []].formUnion(numbers) }
    }
    let causes = plain.findings.filter { $0.role == .cause && $0.severity == .error }
    let ends = causes.compactMap { $0.rule == "frame-lost" && $0.path.last?.place.contains($0.port ?? "-") == false ? $0.port : nil }
    if ends.count == causes.count { lostAt = Set(ends.map { String($0.dropFirst(3)) }) }
    if let written = try Expectation.written(bundle) {
      isFaulty = written.verdict == "fail"
      allowed.formUnion((written.findings + written.allow).map(\.rule))
      roots.findings = written.findings.filter { $0.role ?? "cause" == "cause" && $0.severity != "info" }
    } else {
      allowed = Set(plain.findings.filter { $0.severity > .info }.map(\.rule))
      isFaulty = plain.verdict == .fail
      roots.findings = plain.findings.filter { $0.role == .cause && $0.severity == .error }.map {
        var root = Expectations.Finding(rule: $0.rule)
        root.host = $0.host
        root.network = $0.network
        root.cause = $0.cause?.text
        return root
      }
    }
    for index in roots.findings.indices {
      roots.findings[index].count = nil
      roots.findings[index].copies = nil
      roots.findings[index].message = nil
      roots.findings[index].certainty = nil
      // A part of the frames may do for host and cause and not for the network.
      roots.findings[index].network = nil
    }
  }

  /// The `expect.yaml` of a bundle.
  static func written(_ bundle: String) throws -> Expectations? {
    let file = RecordedBundle.root.appendingPathComponent("\(bundle)/expect.yaml")
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
    return try Expectations.read(text, file: file.path, rules: RuleCatalogue.rules.map(\.name))
  }

  enum Outcome: String, Sendable {
    /// Clean, and nothing was said; or faulty, and the root was named with its cause.
    case kept
    /// Inconclusive, with a reason.
    case inconclusive
    /// Something was said that is not so.
    case falseAlarm = "FALSE ALARM"
    /// A fault that is there was passed.
    case falseCalm = "FALSE CALM"
    /// The verdict is *fail*, and the root or its cause is not named.
    case misled = "MISLED"
    /// Inconclusive, and nobody knows why.
    case unexplained = "UNEXPLAINED"
  }

  /// Whether a noisy bundle still shows the fault: a frame that it touched; of what was changed inside frames, one that
  /// is whole; of what did not arrive at a port, a capture of that port.
  func shows(_ bundle: RecordedBundle, _ plain: RecordedBundle) -> Bool {
    let isInside = !roots.findings.isEmpty && roots.findings.allSatisfy { $0.rule == "frame-modified" || $0.rule == "bad-checksum-on-wire" }
    let lacking = lostAt.filter { end in !bundle.recordings.contains { $0.file.contains(end) } }
    guard lostAt.isEmpty || lacking.count < lostAt.count else { return false }
    guard !touched.isEmpty else { return true }
    return bundle.recordings.contains { recording in
      guard let numbers = touched[recording.file] else { return false }
      let whole = isInside ? plain.lengths(of: recording.file) : [:]
      return recording.frames.contains { numbers.contains($0.origin) && (!isInside || $0.bytes.count >= whole[$0.origin] ?? 0) }
    }
  }

  /// - Parameter isShown: false where noise took all frames that the fault touched: then a pass is right.
  func outcome(of report: Report, isShown: Bool = true) -> (outcome: Outcome, detail: String) {
    // What follows from a cause is told with it; that the cause is the right one is looked at below.
    let strange = report.findings.filter {
      $0.severity > .info && !Expectation.captureFamily.contains($0.rule) && !allowed.contains($0.rule)
        && !(isFaulty && $0.role == .consequence)
    }
    if let first = strange.first {
      return (.falseAlarm, "\(first.severity) \(first.rule) \(first.certainty) \(first.count): \(first.message)")
    }
    if !isFaulty {
      // What is allowed here may be an error, seen from some points alone.
      let hasError = report.findings.contains { $0.severity == .error }
      if report.verdict == .fail, !hasError { return (.falseAlarm, "verdict fail") }
      return (report.verdict == .inconclusive ? Outcome.inconclusive : Outcome.kept, report.reasons.first ?? "")
    }
    switch report.verdict {
    case .pass:
      guard isShown else { return (.kept, "the fault is not in the captures") }
      let isTold = !roots.findings.isEmpty && report.checked(against: roots).prefix(1 + roots.findings.count).dropFirst().allSatisfy(\.hasPassed)
      return isTold ? (.kept, "named, below an error") : (.falseCalm, "")
    case .inconclusive:
      return report.reasons.isEmpty ? (.unexplained, "") : (.inconclusive, report.reasons.joined(separator: "; "))
    case .fail:
      let missing = report.checked(against: roots).prefix(1 + roots.findings.count).dropFirst().filter { !$0.hasPassed }
      guard let first = missing.first else { return (.kept, "") }
      if roots.findings.allSatisfy({ isNamed($0, in: report) }) { return (.kept, "named from beside") }
      let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
      return (
        .misled,
        "no \(first.expected); said: "
          + causes.map { "\($0.rule) \($0.host ?? "") \($0.network ?? "") \($0.cause?.text ?? "")" }.joined(separator: "; ")
      )
    }
  }
}

extension Expectation {
  /// Whether a cause is named as far as is seen from beside it: by the same flow under a neighbouring rule, or by the same
  /// rule at the far end, in words that name the host.
  private func isNamed(_ root: Expectations.Finding, in report: Report) -> Bool {
    report.findings.contains { finding in
      guard finding.role == .cause, finding.severity == .error else { return false }
      if finding.host == root.host, let cause = finding.cause, cause.host == root.host {
        guard let words = root.cause else { return true }
        return cause.table.map { words.contains("table=\($0)") } ?? cause.text.contains(words)
      }
      return finding.rule == root.rule && root.host.map { finding.message.contains($0) } ?? false
    }
  }
}

/// What was really done to the network when a bundle was recorded.
struct RecordedTruth: Decodable {
  struct Fault: Decodable { var host: String }
  struct Measured: Decodable { var affected_frame_numbers: [String: [UInt64]] }
  var kind: String
  var fault: Fault?
  var measured: Measured

  /// nil where the recording does not say.
  init?(_ bundle: String) {
    let file = RecordedBundle.root.appendingPathComponent("\(bundle)/truth.json")
    guard let data = try? Data(contentsOf: file), let truth = try? JSONDecoder().decode(RecordedTruth.self, from: data)
    else { return nil }
    self = truth
  }

  /// Whether frames of some captures were moved after the recording, as if a clock had been another: how its stated
  /// offset is to be under noise is not known then.
  static func hasMovedClocks(_ bundle: String) -> Bool {
    let file = RecordedBundle.root.appendingPathComponent("\(bundle)/truth.json")
    return (try? String(contentsOf: file, encoding: .utf8))?.contains("were moved") ?? false
  }
}
