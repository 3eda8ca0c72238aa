import Observations

/// What the frames before a time alone, and those after it alone, tell of two clocks.
///
/// A line between all frames of a stretch tells the offset only if no clock was set meanwhile. Where one was and no
/// frame shows it, those before or those after any other time still tell of the same clocks.
struct HalfBounds {
  private let stretch: PairEstimate.Stretch
  private let leastDelay: Double
  /// How fast the line may be wrong.
  private let rate: Double
  /// In the first host's clock, in order.
  private let times: [Int64]
  /// By number of samples from the start, and from the end: least distance from the line of the upper bounds, and
  /// greatest of the lower ones, each as if at the line's origin.
  private var before: [(upper: Double, lower: Double)] = [(.infinity, -.infinity)]
  private var after: [(upper: Double, lower: Double)] = [(.infinity, -.infinity)]

  init(_ stretch: PairEstimate.Stretch, leastDelay: Double) {
    self.stretch = stretch
    self.leastDelay = leastDelay
    let (line, points) = (stretch.line, stretch.points.sorted { ($0.first, $0.second) < ($1.first, $1.second) })
    rate = stretch.rateUncertainty + max(0, abs(line.rate) - LineFit.steady)
    times = points.map(\.first)
    func add(_ point: PairPoint, _ rate: Double, to bounds: inout [(upper: Double, lower: Double)]) {
      let off = Double(clamped(point.gap, minus: line.offset(at: point.first)))
      let far = rate * Double(clamped(point.first, minus: line.origin))
      var next = bounds.last ?? (.infinity, -.infinity)
      if point.isUpper { next.upper = min(next.upper, off - far) } else { next.lower = max(next.lower, off + far) }
      bounds.append(next)
    }
    for point in points { add(point, rate, to: &before) }
    for point in points.reversed() { add(point, -rate, to: &after) }
  }

  /// How far the offset may be from the line at a time of the first host's clock, in nanoseconds; nil where there are
  /// no frames before or none after.
  func bound(at time: Int64) -> Int64? {
    var (low, high) = (0, times.count)
    while low < high {
      let half = (low + high) / 2
      if times[half] <= time { low = half + 1 } else { high = half }
    }
    let far = rate * Double(clamped(time, minus: stretch.line.origin))
    let (early, late) = (before[low], after[times.count - low])
    guard let a = bound(early.upper + far, early.lower - far), let b = bound(late.upper - far, late.lower + far) else { return nil }
    return clamped((max(a, b) + 2 * LineFit.stampSlack).rounded(.up))
  }

  private func bound(_ upper: Double, _ lower: Double) -> Double? {
    guard upper < .infinity || lower > -.infinity else { return nil }
    // Frames one way only: they take no longer than this at their fastest.
    let (upper, lower) = PairEstimate.Stretch.completed(upper, lower, leastDelay)
    return max(abs(upper), abs(lower))
  }
}

extension PairEstimate.Stretch {
  /// Whether the second clock may have been set forward by `size` against the first, as far as the frames before and
  /// after tell.
  ///
  /// - Parameters:
  ///   - range: when it was set, in one of the two clocks.
  ///   - bound: how well the size is known, in nanoseconds.
  func allows(_ size: Int64, within bound: Int64, around range: ClosedRange<Int64>, _ ofSecond: Bool, _ leastDelay: Double) -> Bool {
    var early = (upper: Double.infinity, lower: -Double.infinity)
    var late = early
    for point in points {
      let time = ofSecond ? point.second : point.first
      let off = Double(clamped(point.gap, minus: line.offset(at: point.first)))
      func add(to bounds: inout (upper: Double, lower: Double)) {
        if point.isUpper { bounds.upper = min(bounds.upper, off) } else { bounds.lower = max(bounds.lower, off) }
      }
      if time <= range.lowerBound { add(to: &early) } else if time >= range.upperBound { add(to: &late) }
    }
    for bounds in [early, late] where bounds.upper == .infinity && bounds.lower == -.infinity { return true }
    let a = PairEstimate.Stretch.completed(early.upper, early.lower, leastDelay)
    let b = PairEstimate.Stretch.completed(late.upper, late.lower, leastDelay)
    let slack = Double(bound)
    return Double(size) <= b.upper - a.lower + slack && Double(size) >= b.lower - a.upper - slack
  }

  /// Bounds of which one may be infinite, where a frame takes no longer than `leastDelay` at its fastest.
  fileprivate static func completed(_ upper: Double, _ lower: Double, _ leastDelay: Double) -> (upper: Double, lower: Double) {
    (lower > -.infinity ? min(upper, lower + leastDelay) : upper, upper < .infinity ? max(lower, upper - leastDelay) : lower)
  }
}
