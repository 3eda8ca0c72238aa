import Observations

/// The samples of a pair in one order, looked at locally: medians of each direction for itself, since frames one
/// way show more than the offset and those the other way less.
struct PairSeries {
  /// Samples of a direction looked at on either side of a place.
  static var reach: Int { 8 }
  /// Samples closer than this to the median are never far, in nanoseconds.
  private static var leastWidth: Int64 { 1_000_000 }
  /// With frames one way only, a change of less than this may be a queue, in nanoseconds.
  private static var longestQueue: Int64 { 1_000_000_000 }

  private let points: [PairPoint]
  private let upper: [PairPoint]
  private let lower: [PairPoint]
  /// How many upper bounds come before each place.
  private let upperBefore: [Int]
  /// A distance from the local median within which nearly all samples lie.
  private(set) var width: Int64

  init(_ points: [PairPoint], width: Int64? = nil) {
    self.points = points
    upper = points.filter(\.isUpper)
    lower = points.filter { !$0.isUpper }
    var count = 0
    var before: [Int] = []
    for point in points {
      before.append(count)
      if point.isUpper { count += 1 }
    }
    upperBefore = before + [count]
    self.width = width ?? PairSeries.leastWidth
    guard width == nil else { return }
    let distances = (PairSeries.distances(upper) + PairSeries.distances(lower)).map { Int64(clamping: $0.magnitude) }
      .sorted()
    guard !distances.isEmpty else { return }
    let (scaled, overflow) = distances[distances.count / 2].multipliedReportingOverflow(by: 10)
    self.width = max(PairSeries.leastWidth, overflow ? .max : scaled)
  }

  /// The samples that are not far on the side where they would do harm: before the local median of their direction.
  /// Those held up on the way bound nothing, and stay.
  func withoutEarly(_ width: Int64) -> [PairPoint] {
    var early = PairSeries.distances(upper).map { $0 < -width }[...]
    var earlyBack = PairSeries.distances(lower).map { $0 > width }[...]
    return points.filter { !(($0.isUpper ? early.popFirst() : earlyBack.popFirst()) ?? false) }
  }

  /// From the local median to each sample, less what drift explains.
  private static func distances(_ points: [PairPoint]) -> [Int64] {
    // Of a few there is no majority.
    guard points.count > 4 else { return Array(repeating: 0, count: points.count) }
    return points.indices.map { index in
      let (from, to) = (max(0, index - reach), min(points.count, index + reach + 1))
      let off = clamped(points[index].gap, minus: median(points[from..<to]))
      let drift = drift(points[from].first, points[to - 1].first) / 2
      return off < 0 ? min(0, off + drift) : max(0, off - drift)
    }
  }

  /// How far the offset may drift between two times; bounded.
  private static func drift(_ from: Int64, _ to: Int64) -> Int64 {
    clamped(min(LineFit.steepest * Double(distance(from, to)), 1e9))
  }

  // MARK: Steps

  /// Places where the medians before differ lastingly from those after.
  func steps() -> [Int] {
    var places: [Int] = []
    var at = 1
    while at < points.count {
      guard jump(at) != 0 else {
        at += 1
        continue
      }
      // The jump is seen from some places before it to some places after.
      var end = at
      while end + 1 < points.count, end < at + 4 * PairSeries.reach, jump(end + 1) != 0 { end += 1 }
      let from = max(at - 2 * PairSeries.reach, (places.last ?? 0) + 1)
      let place = sharpest(from: from, to: min(end + 2 * PairSeries.reach, points.count - 1))
      if let place { places.append(place) }
      at = max(end, place ?? 0) + 1
    }
    return places
  }

  /// By how much the medians before and after a place differ beyond what noise and drift explain; 0 where the
  /// directions disagree about it.
  private func jump(_ at: Int) -> Int64 {
    let u = upperBefore[at]
    let (above, below) = (change(upper, u), change(lower, at - u))
    switch (above, below) {
    case (let above?, let below?):
      guard above.signum() == below.signum() else { return 0 }
      return above.magnitude < below.magnitude ? above : below
    case (let one?, nil), (nil, let one?):
      return one.magnitude > PairSeries.longestQueue.magnitude ? one : 0
    case (nil, nil): return 0
    }
  }

  /// nil where there are too few samples on a side.
  private func change(_ points: [PairPoint], _ at: Int) -> Int64? {
    let left = points[max(0, at - PairSeries.reach)..<at]
    let right = points[at..<min(points.count, at + PairSeries.reach)]
    guard left.count >= PairEstimator.fewest, right.count >= PairEstimator.fewest, let start = left.first,
      let end = right.last
    else { return nil }
    let difference = clamped(PairSeries.median(right), minus: PairSeries.median(left))
    let allowed = clamped(width, plus: PairSeries.drift(start.first, end.first))
    guard difference.magnitude > allowed.magnitude else { return 0 }
    return clamped(difference, minus: difference < 0 ? -allowed : allowed)
  }

  /// The place in a range that parts the medians on either side with the fewest samples on the wrong one.
  private func sharpest(from: Int, to: Int) -> Int? {
    guard from < to else { return nil }
    let (low, high) = (upperBefore[from], upperBefore[to])
    let reach = PairSeries.reach
    func sides(_ points: [PairPoint], _ from: Int, _ to: Int) -> (Int64, Int64)? {
      let (left, right) = (points[max(0, from - reach)..<from], points[to..<min(points.count, to + reach)])
      guard !left.isEmpty, !right.isEmpty else { return nil }
      return (PairSeries.median(left), PairSeries.median(right))
    }
    let above = sides(upper, low, high)
    let below = sides(lower, from - low, to - high)
    /// 1 nearer to the left side, -1 to the right, 0 unknown.
    func side(_ point: PairPoint) -> Int {
      guard let (left, right) = point.isUpper ? above : below else { return 0 }
      return PairSeries.distance(point.gap, left) < PairSeries.distance(point.gap, right) ? 1 : -1
    }
    var score = 0
    var best = (place: from, score: 0)
    for index in from..<to {
      score += side(points[index])
      if score > best.score { best = (index + 1, score) }
    }
    return best.place
  }

  static func median(_ points: ArraySlice<PairPoint>) -> Int64 {
    let gaps = points.map(\.gap).sorted()
    return gaps.isEmpty ? 0 : gaps[gaps.count / 2]
  }

  static func distance(_ a: Int64, _ b: Int64) -> Int64 {
    Int64(clamping: clamped(a, minus: b).magnitude)
  }
}
