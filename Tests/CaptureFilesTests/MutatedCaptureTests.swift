import CaptureFiles
import Foundation
import Testing

/// SplitMix64: the same mutations on every run and machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

@Suite struct MutatedCaptureTests {
  /// Mutations of each sample; LANECHECK_FUZZ_COUNT asks for more.
  static let count = ProcessInfo.processInfo.environment["LANECHECK_FUZZ_COUNT"].flatMap { Int($0) } ?? 3000

  @Test(arguments: Array(CutCaptureTests.samples.enumerated()))
  func mutated_file_is_read_up_to_the_mutation_and_never_beyond_its_end(
    seed: Int, sample: CutCaptureTests.Sample
  ) throws {
    let original = try read(sample.bytes)
    let framesBefore = { (offset: Int) in sample.ends.filter { $0.isFrame && $0.offset <= offset }.count }
    var generator = SeededGenerator(state: UInt64(seed))
    for number in 0..<Self.count {
      var bytes = sample.bytes
      var first = bytes.count
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let at = Int.random(in: bytes.indices, using: &generator)
        first = min(first, at)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[at] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0
        case 2: bytes.remove(at: at)
        default: bytes.insert(.random(in: 0...255, using: &generator), at: at)
        }
      }
      let capture = try read(bytes)
      let untouched = framesBefore(first)
      var faults: [String] = []
      if capture.frames.prefix(untouched) != original.frames.prefix(untouched) { faults.append("a frame was changed") }
      var length = 0
      for frame in capture.frames {
        length += frame.bytes.count
        if frame.wireLength < frame.bytes.count { faults.append("more captured than on the wire") }
        if !capture.interfaces.indices.contains(frame.interface) { faults.append("no such interface") }
      }
      if length > bytes.count { faults.append("more bytes than the file has") }
      if let failure = capture.failure, failure.kind == .unreadable || failure.offset > UInt64(bytes.count) {
        faults.append("\(failure)")
      }
      // How many frames are asked for at a time changes nothing, the error included.
      if number % 10 == 0, try read(bytes, limit: 1) != capture { faults.append("the limit makes a difference") }
      if !faults.isEmpty { Issue.record("seed \(seed), mutation \(number): \(faults.joined(separator: ", "))") }
    }
  }
}
