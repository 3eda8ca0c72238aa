import Observations

/// A sample of one pair of hosts: how far the second clock was ahead of the first, and from which side that
/// bounds the offset. Frames only take time: those sent by the first host show too much, the others too little.
struct PairPoint: Sendable, Hashable, BitwiseCopyable {
  /// Time in the first host's clock, and in the second's.
  var first: Int64
  var second: Int64
  /// `second - first`.
  var gap: Int64
  /// The offset is at most `gap`; else at least.
  var isUpper: Bool
}

/// The line between the lower hull of the upper bounds and the upper hull of the lower bounds, after Moon, Skelly,
/// Towsley (INFOCOM 1999) and Zhang, Liu, Xia (INFOCOM 2002).
///
/// The slope is bounded by what clocks do. For a given slope the room between the hulls is a minimum minus a
/// maximum of linear functions, hence concave in the slope: the best slope and the range of possible ones are
/// found by halving.
struct LineFit {
  /// No clock is further off than this against another: 1000 ppm.
  static var steepest: Double { 1e-3 }
  /// Nor is one that nobody adjusts further off than this: 120 ppm.
  static var steady: Double { 1.2e-4 }
  /// Time stamps are cut down to microseconds, on both sides.
  static var stampSlack: Double { 1000 }
  /// A frame takes no longer than this between hosts at its fastest, in nanoseconds.
  static var longestLeastDelay: Double { 100_000_000 }

  /// The same for what is fitted. Used only where nothing was seen the other way.
  private let leastDelay: Double
  /// Steepest slope that is tried.
  private let steepest: Double

  private(set) var line = ClockPiece(origin: 0, offset: 0, rate: 0, first: 0, last: 0)
  /// The offset is within this over the whole stretch.
  private(set) var uncertainty = 0.0
  private(set) var rateUncertainty = 0.0
  /// How far the hulls overlap; 0 where a line separates them.
  private(set) var overlap = 0.0
  private(set) var isTwoSided = false

  /// Between two samples, in nanoseconds.
  private let longestPause: Double
  private var upper: [Corner] = []
  private var lower: [Corner] = []
  private struct Corner {
    var x: Double
    var y: Double
  }

  /// - Parameter points: at least one, in any order.
  init(
    _ points: some Collection<PairPoint>, leastDelay: Double = LineFit.longestLeastDelay,
    steepest: Double = LineFit.steepest, onlyOverlap: Bool = false
  ) {
    self.leastDelay = leastDelay
    self.steepest = steepest
    let times = points.map(\.first).sorted()
    line.first = times.first ?? 0
    line.last = times.last ?? 0
    longestPause = zip(times, times.dropFirst()).reduce(0) { max($0, Double(clamped($1.1, minus: $1.0))) }
    line.origin = middle(line.first, line.last)
    let gaps = points.map(\.gap).sorted()
    let base = gaps.isEmpty ? 0 : gaps[gaps.count / 2]
    var above: [Corner] = []
    var below: [Corner] = []
    for point in points {
      let x = Double(clamped(point.first, minus: line.origin))
      let y = Double(clamped(point.gap, minus: base))
      if point.isUpper {
        above.append(Corner(x: x, y: y + LineFit.stampSlack))
      } else {
        // Turned over, so that one hull serves both.
        below.append(Corner(x: x, y: LineFit.stampSlack - y))
      }
    }
    isTwoSided = !above.isEmpty && !below.isEmpty
    upper = LineFit.hull(above)
    lower = LineFit.hull(below)
    guard !onlyOverlap else {
      if isTwoSided, room(0) < 0 { overlap = max(0, -room(LineFit.highest(-steepest, steepest, room))) }
      return
    }
    // Zero offset and zero drift, seen from `base`.
    let zero = -Double(base)
    let height: Double
    if isTwoSided {
      height = fitBetween(zero: zero)
    } else {
      let mean = (above.isEmpty ? below : above).reduce(0) { $0 + $1.x / Double(points.count) }
      height = fitBeside(zero: zero, mean: mean)
    }
    line.offset = clamped(base, plus: clamped(height))
  }

  // MARK: Fitting

  /// Returns the height at the origin.
  private mutating func fitBetween(zero: Double) -> Double {
    var slope = LineFit.highest(-steepest, steepest, room)
    overlap = max(0, -room(slope))
    let slack = overlap / 2
    var slopes = (slope, slope)
    if overlap == 0 {
      slopes = (border(from: slope, to: -steepest), border(from: slope, to: steepest))
      // The middle of what is possible; no drift where none is needed.
      slope = room(0) >= 0 ? 0 : (slopes.0 + slopes.1) / 2
    }
    var height = (ceiling(slope, 0) + ground(slope, 0)) / 2
    // Clocks that may agree do.
    if slope == 0, ceiling(0, 0) >= zero, ground(0, 0) <= zero { height = zero }
    line.rate = slope
    rateUncertainty = max(slopes.1 - slope, slope - slopes.0)
    for time in [line.first, line.last] {
      let x = Double(clamped(time, minus: line.origin))
      let high = LineFit.highest(slopes.0, slopes.1) { ceiling($0, x) }
      let low = LineFit.highest(slopes.0, slopes.1) { -ground($0, x) }
      let here = height + slope * x
      uncertainty = max(uncertainty, ceiling(high, x) - here + slack, here - ground(low, x) + slack)
    }
    // No clock drifts like this for long: it may have been set a little somewhere in between.
    let steep = max(0, abs(slope) - LineFit.steady)
    uncertainty += steep * longestPause
    if overlap > 0 {
      // No even clock explains this: the line may be off by as much as the samples contradict it.
      uncertainty += overlap
      let span = Double(clamped(line.last, minus: line.first))
      rateUncertainty = min(steepest, max(rateUncertainty, 2 * uncertainty / max(span, 1)))
    }
    return height
  }

  /// One direction only: the line that touches the hull nearest to most samples.
  private mutating func fitBeside(zero: Double, mean: Double) -> Double {
    let isUpper = !upper.isEmpty
    func touch(_ slope: Double) -> Double { isUpper ? ceiling(slope, mean) : -ground(slope, mean) }
    var slope = LineFit.highest(-steepest, steepest, touch)
    // No drift where that lies as near.
    if touch(0) >= touch(slope) - LineFit.stampSlack { slope = 0 }
    var height = isUpper ? ceiling(slope, 0) : ground(slope, 0)
    let flat = isUpper ? ceiling(0, 0) - zero : zero - ground(0, 0)
    if flat >= 0, flat <= leastDelay { (slope, height) = (0, zero) }
    line.rate = slope
    let span = Double(clamped(line.last, minus: line.first))
    rateUncertainty = min(steepest, leastDelay / max(span, 1))
    uncertainty = leastDelay + 2 * LineFit.stampSlack
    return height
  }

  /// Room between the hulls for lines of a slope.
  private func room(_ slope: Double) -> Double { ceiling(slope, 0) - ground(slope, 0) }

  /// Highest line of a slope that all upper bounds allow, and lowest that the lower ones do: its height at `x`.
  private func ceiling(_ slope: Double, _ x: Double) -> Double { LineFit.least(upper, slope, x) }
  private func ground(_ slope: Double, _ x: Double) -> Double { -LineFit.least(lower, -slope, x) }

  private static func least(_ hull: [Corner], _ slope: Double, _ x: Double) -> Double {
    hull.reduce(.infinity) { min($0, $1.y - slope * ($1.x - x)) }
  }

  /// Where the room ends between a slope that has some and one that may have none.
  private func border(from inside: Double, to outside: Double) -> Double {
    if room(outside) >= 0 { return outside }
    var (inside, outside) = (inside, outside)
    for _ in 0..<60 {
      let half = (inside + outside) / 2
      if room(half) >= 0 { inside = half } else { outside = half }
    }
    return outside
  }

  /// The place of the maximum of a concave function.
  private static func highest(_ from: Double, _ to: Double, _ value: (Double) -> Double) -> Double {
    var (low, high) = (from, to)
    for _ in 0..<64 where low < high {
      let third = (high - low) / 3
      if value(low + third) < value(high - third) { low += third } else { high -= third }
    }
    return (low + high) / 2
  }

  /// Lower convex hull, from left to right.
  private static func hull(_ points: [Corner]) -> [Corner] {
    let sorted = points.sorted { ($0.x, $0.y) < ($1.x, $1.y) }
    var hull: [Corner] = []
    for point in sorted {
      if let last = hull.last, last.x == point.x { continue }
      while hull.count >= 2 {
        let (a, b) = (hull[hull.count - 2], hull[hull.count - 1])
        // b lies on or above the line from a to the point.
        guard (b.y - a.y) * (point.x - a.x) >= (point.y - a.y) * (b.x - a.x) else { break }
        hull.removeLast()
      }
      hull.append(point)
    }
    return hull
  }
}
