import Deployment
import Dispatch
import Foundation
import Jobs
import Synchronization
import Verification

/// Every bundle of the corpus under every noise.
struct NoiseMatrix: Sendable {
  struct Cell: Sendable {
    var bundle: Int
    var noise: Noise
  }

  struct Result: Sendable, CustomStringConvertible {
    var bundle: String
    var noise: Noise
    var isFaulty: Bool
    var outcome: Expectation.Outcome
    var detail: String
    /// Clocks of which the stated bound does not hold the truth.
    var wrongClocks: [String] = []

    var description: String {
      var line = "\(bundle) | \(noise) | \(outcome.rawValue) | \(detail)"
      for clock in wrongClocks { line += " | CLOCK \(clock)" }
      return line
    }
  }

  let bundles: [RecordedBundle]
  let cells: [Cell]

  /// - Parameters:
  ///   - share: of the cells of each kind of noise, one in so many; every kind comes up, on clean bundles and on
  ///     faulty ones.
  ///   - most: so many bundles of each verdict at most.
  ///   - only: the kinds of noise that are looked at, or a part of `bundle | noise` as results print it; all where it is nil.
  init(share: Int, most: Int = .max, only: String? = nil) throws {
    var verdicts: [String: [String]] = [:]
    for name in RecordedBundle.names() {
      verdicts[try Expectation.written(name)?.verdict ?? RecordedTruth(name)?.kind ?? "", default: []].append(name)
    }
    let bundle = only.flatMap { $0.contains(" | ") ? $0.prefix { $0 != " " } : nil } ?? ""
    let names = verdicts.keys.sorted().flatMap { verdict -> ArraySlice<String> in
      var chance = Chance(verdict)
      return (verdicts[verdict] ?? []).shuffled(using: &chance).prefix(most)
    }.filter { $0.hasSuffix(bundle) }
    bundles = try NoiseMatrix.parallel(names.count) { try RecordedBundle(names[$0]) }.filter { !$0.recordings.isEmpty }
    var cells: [Cell] = []
    var kinds: [String: [Cell]] = [:]
    for (index, bundle) in bundles.enumerated() {
      let kind = try Expectation.written(bundle.name)?.verdict ?? RecordedTruth(bundle.name)?.kind ?? ""
      for noise in Noise.all(for: bundle) {
        guard only.map({ noise.kind.hasPrefix($0) || "\(bundle.name) | \(noise)".contains($0) }) ?? true else { continue }
        kinds["\(noise.kind) \(kind)", default: []].append(Cell(bundle: index, noise: noise))
      }
    }
    for kind in kinds.keys.sorted() {
      guard let all = kinds[kind] else { continue }
      var chance = Chance(kind)
      let count = max(1, all.count / share)
      cells += all.shuffled(using: &chance).prefix(count)
    }
    self.cells = cells
  }

  init(bundles: [RecordedBundle], cells: [Cell]) {
    self.bundles = bundles
    self.cells = cells
  }

  /// Runs all cells, in as many threads as there are processors.
  func run() throws -> [Result] {
    let names = Set(cells.map(\.bundle)).sorted()
    let expectations = try NoiseMatrix.parallel(names.count) { index in
      let bundle = bundles[names[index]]
      return try Expectation(bundle.name) { try NoiseMatrix.verify(bundle) }
    }
    return try NoiseMatrix.parallel(cells.count) { index in
      let cell = cells[index]
      let expectation = expectations[names.firstIndex(of: cell.bundle) ?? 0]
      var bundle = bundles[cell.bundle]
      cell.noise.apply(to: &bundle)
      let report = try NoiseMatrix.verify(bundle, keptAs: "\(bundle.name) \(cell.noise)")
      let (outcome, detail) = expectation.outcome(of: report, isShown: expectation.shows(bundle, bundles[cell.bundle]))
      return Result(
        bundle: bundle.name, noise: cell.noise, isFaulty: expectation.isFaulty, outcome: outcome, detail: detail,
        wrongClocks: RecordedTruth.hasMovedClocks(bundle.name) ? [] : ClockTruth(cell.noise, bundles[cell.bundle]).wrong(report))
    }
  }

  /// How many cells of each kind of noise came out how.
  static func table(_ results: [Result]) -> String {
    func row(_ cells: [String]) -> String {
      cells.enumerated().map { $1.padding(toLength: $0 == 0 ? 12 : 14, withPad: " ", startingAt: 0) }.joined()
    }
    var lines = results.filter { $0.outcome != .kept || !$0.wrongClocks.isEmpty }.map(\.description).sorted()
    for isFaulty in [false, true] {
      lines.append(isFaulty ? "faulty:" : "clean:")
      lines.append(row(["noise", "cells", "kept", "inconclusive", "false alarm", "false calm", "misled", "unexplained", "clocks wrong"]))
      let own = results.filter { $0.isFaulty == isFaulty }
      for kind in Set(own.map(\.noise.kind)).sorted() + ["all"] {
        let cells = own.filter { kind == "all" || $0.noise.kind == kind }
        let outcomes: [Expectation.Outcome] = [.kept, .inconclusive, .falseAlarm, .falseCalm, .misled, .unexplained]
        let counts = outcomes.map { outcome in cells.count { $0.outcome == outcome } }
        let clocks = cells.count { !$0.wrongClocks.isEmpty }
        lines.append(row([kind, "\(cells.count)"] + counts.map(String.init) + ["\(clocks)"]))
      }
    }
    return lines.joined(separator: "\n")
  }

  /// Where `LANECHECK_KEEP` names a directory, the bundle stays there under the name.
  static func verify(_ bundle: RecordedBundle, keptAs name: String? = nil) throws -> Report {
    try bundle.written {
      if let name, let directory = ProcessInfo.processInfo.environment["LANECHECK_KEEP"] {
        let place = URL(fileURLWithPath: directory).appendingPathComponent(name.replacing("/", with: "_"))
        try FileManager.default.copyItem(at: URL(fileURLWithPath: $0), to: place)
      }
      return try Jobs.verify(VerifyOptions(paths: [$0]))
    }
  }

  private static func parallel<Value: Sendable>(_ count: Int, _ work: @Sendable (Int) throws -> Value) throws -> [Value] {
    let results = Mutex<[Int: Swift.Result<Value, any Error>]>([:])
    DispatchQueue.concurrentPerform(iterations: count) { index in
      let result = Swift.Result { try work(index) }
      results.withLock { $0[index] = result }
    }
    return try results.withLock { all in try all.keys.sorted().compactMap { try all[$0]?.get() } }
  }
}
