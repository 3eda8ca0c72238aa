import Observations

/// Estimates one clock against another from the samples of a pair of hosts.
struct PairEstimator {
  /// Samples of a pair beyond this are thinned out evenly.
  static var bound: Int { 32_768 }
  /// Fewer samples than this beside many others are no stretch of their own.
  static var fewest: Int { 3 }
  /// Overlap of the hulls above which nothing is known, in nanoseconds.
  private static var tolerated: Double { 100_000_000 }
  /// Samples around one that may contradict it.
  private static var reach: Int { 32 }

  let first: Int
  let second: Int
  /// A frame takes no longer than this at its fastest, in nanoseconds.
  var leastDelay = LineFit.longestLeastDelay

  /// - Parameter points: of this pair, in any order.
  func estimate(_ points: [PairPoint]) -> PairEstimate {
    let byFirst = points.sorted { ($0.first, $0.second, $0.isUpper ? 1 : 0) < ($1.first, $1.second, $1.isUpper ? 1 : 0) }
    let bySecond = points.sorted { ($0.second, $0.first, $0.isUpper ? 1 : 0) < ($1.second, $1.first, $1.isUpper ? 1 : 0) }
    let one = estimate(inOrder: byFirst)
    // In the order of a clock that was set back, two stretches lie in one another.
    guard one.rejected > 0 || one.stretches.count != 1 else { return one }
    let other = estimate(inOrder: bySecond)
    return other.disorder < one.disorder ? other : one
  }

  private func estimate(inOrder points: [PairPoint]) -> PairEstimate {
    var result = PairEstimate(first: first, second: second, grade: .none)
    guard !points.isEmpty else { return result }
    result.note(points)
    guard let parts = PairSegments(leastDelay: leastDelay).parts(points) else {
      result.grade = .failed
      result.rejected = points.count
      return result
    }
    let largest = parts.map(\.count).max() ?? 0
    func isWeak(_ part: [PairPoint]) -> Bool { part.count < PairEstimator.fewest && part.count * 4 <= largest }
    for part in parts where !isWeak(part) { result.stretches.append(stretch(part)) }
    result.isOpenBefore = parts.first.map(isWeak) ?? false
    result.isOpenAfter = parts.last.map(isWeak) ?? false
    let kept = result.stretches.reduce(0) { $0 + $1.points.count }
    trim(&result)
    result.used = result.stretches.reduce(0) { $0 + $1.points.count }
    result.rejected = points.count - kept
    result.grade = result.stretches.map(\.grade).max() ?? .failed
    if result.rejected * 3 > points.count {
      result.grade = .failed
    } else if result.rejected * 10 > points.count, result.grade == .accurate {
      result.grade = .approximate
    }
    return result
  }

  /// Parts samples at the ends that were under way for far longer than others: where no frame shows better, a clock may
  /// have been set. Where several took the same time, it was.
  private func trim(_ result: inout PairEstimate) {
    guard let first = result.stretches.first else { return }
    let head = PairEstimator.heldUp(first.points[...], first.line)
    if head > 0, head < first.points.count {
      let early = Array(first.points.prefix(head))
      result.stretches[0] = stretch(Array(first.points.dropFirst(head)))
      if PairEstimator.areAlike(early) { result.stretches.insert(stretch(early), at: 0) } else { result.isOpenBefore = true }
    }
    guard let last = result.stretches.last else { return }
    let tail = PairEstimator.heldUp(last.points.reversed()[...], last.line)
    if tail > 0, tail < last.points.count {
      let late = Array(last.points.suffix(tail))
      result.stretches[result.stretches.count - 1] = stretch(last.points.dropLast(tail))
      if PairEstimator.areAlike(late) { result.stretches.append(stretch(late)) } else { result.isOpenAfter = true }
    }
  }

  /// Whether several samples show the same.
  private static func areAlike(_ points: [PairPoint]) -> Bool {
    let gaps = points.map(\.gap).sorted()
    guard gaps.count >= fewest else { return false }
    // The quickest, whichever way they went.
    let quickest = (points.first?.isUpper ?? true) ? Array(gaps.prefix(fewest)) : Array(gaps.suffix(fewest))
    return clamped(quickest.last ?? 0, minus: quickest.first ?? 0) < longestUsual / 2
  }

  /// How many of the first samples were under way for far longer than most.
  private static func heldUp(_ points: ArraySlice<PairPoint>, _ line: ClockPiece) -> Int {
    func delay(_ point: PairPoint) -> Int64 {
      let off = clamped(point.gap, minus: line.offset(at: point.first))
      return point.isUpper ? off : clamped(0, minus: off)
    }
    let delays = points.map(delay)
    let median = delays.sorted()[delays.count / 2]
    let most = max(longestUsual, median > .max / 20 ? .max : 20 * median)
    return delays.prefix { $0 > most }.count
  }

  /// Frames that take no longer than this are not held up, in nanoseconds.
  private static var longestUsual: Int64 { 2_000_000 }

  /// A stretch of which the samples are taken to belong together.
  func stretch(_ points: [PairPoint]) -> PairEstimate.Stretch {
    var kept = points
    var fit = LineFit(kept, leastDelay: leastDelay)
    if fit.overlap > PairSegments.even {
      kept = PairEstimator.withoutContradictions(points)
      fit = LineFit(kept, leastDelay: leastDelay)
    }
    let grade: ClockGrade =
      if !fit.isTwoSided {
        .oneDirection
      } else if fit.overlap > PairEstimator.tolerated {
        .failed
      } else if fit.overlap > 0 || kept.count * 5 < points.count * 4 {
        .approximate
      } else {
        .accurate
      }
    return PairEstimate.Stretch(fit, grade: grade, points: kept)
  }

  /// Drops whichever sample contradicts most others, until none does: an upper bound below a lower one near by
  /// cannot be, whatever the drift.
  static func withoutContradictions(_ points: [PairPoint]) -> [PairPoint] {
    var opponents: [[Int]] = Array(repeating: [], count: points.count)
    for index in points.indices {
      for other in (index + 1)..<max(index + 1, min(points.count, index + reach)) {
        let (a, b) = (points[index], points[other])
        guard a.isUpper != b.isUpper else { continue }
        let room = Double(a.isUpper ? clamped(a.gap, minus: b.gap) : clamped(b.gap, minus: a.gap))
        let drift = LineFit.steepest * Double(Int64(clamping: clamped(a.first, minus: b.first).magnitude))
        if room + 2 * LineFit.stampSlack + drift < 0 {
          opponents[index].append(other)
          opponents[other].append(index)
        }
      }
    }
    var counts = opponents.map(\.count)
    // Each round drops the worst.
    var isDropped = Array(repeating: false, count: points.count)
    var order = points.indices.filter { counts[$0] > 0 }
    while let worst = order.map({ counts[$0] }).max(), worst > 0 {
      for index in order where counts[index] == worst && !isDropped[index] {
        isDropped[index] = true
        for other in opponents[index] { counts[other] -= 1 }
        counts[index] = 0
      }
      order.removeAll { counts[$0] <= 0 || isDropped[$0] }
    }
    return points.indices.filter { !isDropped[$0] }.map { points[$0] }
  }
}
