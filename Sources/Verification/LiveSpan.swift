import Observations

/// When a point's captures began and ended, in the reference clock; frames outside prove nothing.
struct LiveSpan: Sendable {
  var first = Int64.max
  /// `max` while a capture of the point is still being read.
  var last = Int64.min
  /// In order: what lies strictly within one is not covered.
  var holes: [ClosedRange<Int64>] = []

  /// `slack`: how far the time may be off, in nanoseconds.
  func contains(_ time: Int64, within slack: Int64) -> Bool {
    slack == 0
      ? contains(time)
      : contains(clamped(time, minus: slack)) && (last == .max || clamped(time, plus: slack) <= last) && contains(time)
  }

  /// Whether a time lies between two captures of the point, and not near an end of the pause.
  func isHole(_ time: Int64) -> Bool {
    guard !holes.isEmpty else { return false }
    let margin: Int64 = 100_000_000
    return holes.contains { clamped($0.lowerBound, plus: margin) < time && time < clamped($0.upperBound, minus: margin) }
  }

  func contains(_ time: Int64) -> Bool {
    guard first <= time, time <= last else { return false }
    guard !holes.isEmpty else { return true }
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].upperBound <= time { low = middle + 1 } else { high = middle }
    }
    return low == holes.count || holes[low].lowerBound >= time
  }
}
