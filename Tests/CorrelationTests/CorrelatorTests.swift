import Testing
import Wire

@testable import Correlation
@testable import Observations

@Suite("Grouping of equal frames") struct CorrelatorTests {
  private func seen(_ digest: UInt64, by capture: UInt16, at milliseconds: Int64) -> Observation {
    Observation(
      digest: digest, time: milliseconds * 1_000_000, source: MACAddress(rawValue: 2), destination: MACAddress(rawValue: 4),
      outer: 0, frame: UInt32(truncatingIfNeeded: milliseconds), capture: capture, point: capture, vni: 0, outerFrom: 0, outerTo: 0,
      tunnelPort: 0, bits: 0, target: 0, length: 60, tagCount: 0, direction: .unknown, basis: .none, frameClass: .udp)
  }

  /// Captures are read one after the other, each further than the slowest: what one of them shows alone settles when
  /// its time has come, not behind the younger frames of another.
  @Test(arguments: [[0, 1], [1, 0]] as [[UInt16]])
  func whatIsOldEnoughSettlesWhicheverCaptureCameFirst(order: [UInt16]) {
    var correlator = Correlator()
    for capture in order {
      let times = stride(from: Int64(0), to: 2000, by: 20).map { $0 + Int64(capture) * 10 }
      correlator.add(times.map { seen(UInt64($0 + 1), by: capture, at: $0) })
    }
    var settled: [Int64] = []
    correlator.close(before: 1_500_000_000) { group, _ in settled.append(group[0].time / 1_000_000) }
    #expect(settled.sorted() == Array(stride(from: Int64(0), through: 1000, by: 10)))
    correlator.close(before: 1_600_000_000) { group, _ in settled.append(group[0].time / 1_000_000) }
    #expect(settled.suffix(10).allSatisfy { $0 > 1000 })
    correlator.close(before: .max) { group, _ in settled.append(group[0].time / 1_000_000) }
    #expect(settled.count == 200 && correlator.waiting == 0)
  }

  /// The same bytes again and again without a pause: handed on in pieces, nothing kept but what is young.
  @Test func framesRepeatedWithoutAPauseGoOn() {
    var correlator = Correlator(largest: 16)
    var count = 0
    for second in 0..<20 {
      correlator.add((0..<50).map { seen(7, by: 0, at: Int64(second * 1000 + $0 * 20)) })
      correlator.close(before: Int64(second) * 1_000_000_000) { group, _ in count += group.count }
    }
    #expect(count > 800 && correlator.waiting == 1)
    correlator.close(before: .max) { group, _ in count += group.count }
    #expect(count == 1000 && correlator.waiting == 0)
  }
}
