import CaptureFiles
import Correlation
import Deployment
import Foundation
import Observations
import Testing
import Verification
import Wire

/// Frames of every recorded capture, cut and with bytes flipped, through the whole way from decoding to
/// judging. The promise is that nothing traps or hangs, and that every frame is accounted for.
@Suite("Mutated frames") struct MutatedFramesTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  static let bundles = ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? [])
    .filter { FileManager.default.fileExists(atPath: root.appendingPathComponent("\($0)/truth.json").path) }.sorted()

  /// How often each frame of the corpus is mutated; 24 makes more than a million inputs.
  static let rounds = ProcessInfo.processInfo.environment["LANECHECK_MUTATION_ROUNDS"].flatMap { Int($0) } ?? 24

  /// SplitMix64: the same inputs in every run.
  struct Random {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
      return z ^ z >> 31
    }
    mutating func below(_ bound: Int) -> Int { bound > 0 ? Int(next() % UInt64(bound)) : 0 }
  }

  @Test func areAllAccountedFor() async throws {
    var inputs: UInt64 = 0
    try await withThrowingTaskGroup(of: UInt64.self) { group in
      for (number, bundle) in Self.bundles.enumerated() {
        group.addTask { try Self.run(bundle, seed: UInt64(number)) }
      }
      for try await count in group { inputs += count }
    }
    if Self.rounds >= 24 { #expect(inputs >= 1_000_000) }
  }

  static func run(_ bundle: String, seed: UInt64) throws -> UInt64 {
    let survey = survey(try loadBundle(path: root.appendingPathComponent(bundle).path), seed: seed)
    var run = VerificationRun(survey, demands: VerificationRun.Demands())
    var correlator = Correlator()
    var random = Random(state: seed)
    var inputs: UInt64 = 0
    var outcomes: [CaptureOutcome] = []
    for (index, capture) in survey.deployment.captures.enumerated() {
      var builder = ObservationBuilder(capture: index, plan: survey.plan)
      var reader = try CaptureReader(path: capture.path)
      var batch = FrameBatch()
      while try reader.next(into: &batch) {
        for _ in 0..<rounds {
          let mutated = mutate(batch, &random)
          var seen: [Observation] = []
          builder.add(
            mutated, interfaces: reader.interfaces, host: capture.host, direction: capture.direction, to: &seen)
          correlator.add(seen)
          inputs += UInt64(mutated.frames.count)
        }
      }
      let counts = builder.counts
      outcomes.append(
        CaptureOutcome(
          counts: counts, unknown: builder.unknown, anomalies: builder.anomalies, error: nil, isTruncated: false,
          snapLength: 0))
    }
    var groups = GroupBatch()
    correlator.close(before: .max) { groups.add($0, isPiece: $1) }
    groups.sort()
    run.judge(groups)
    let report = run.finish(outcomes)
    #expect(report.framesRead == inputs)
    return inputs
  }

  /// A copy in which every frame has up to four bytes flipped, or is cut, or claims another length.
  static func mutate(_ batch: FrameBatch, _ random: inout Random) -> FrameBatch {
    var copy = batch
    for index in copy.frames.indices {
      let record = copy.frames[index]
      switch random.below(4) {
      case 0: copy.frames[index].capturedLength = random.below(record.capturedLength + 1)
      case 1: copy.frames[index].wireLength = record.capturedLength + random.below(70_000)
      default: break
      }
      for _ in 0..<random.below(5) where record.capturedLength > 0 {
        let at = record.start + random.below(min(record.capturedLength, 160))
        copy.bytes[at] ^= UInt8(truncatingIfNeeded: random.next() | 1)
      }
    }
    return copy
  }
}
