import Observations

/// Estimates one clock against another from the samples of a pair of hosts.
///
/// A lasting change of the local median, of frames both ways alike, is a step. Dropped as matched wrongly are: short
/// runs between stretches that agree; samples far before the local median of their direction (what is far behind it
/// bounds nothing anyway); and, near the hulls, whichever sample contradicts most others. A stretch that no line
/// separates is parted where both parts have one, else halved until they do.
struct PairEstimator {
  /// Samples of a pair beyond this are thinned out evenly.
  static var bound: Int { 32_768 }
  /// Fewer samples than this never make a stretch beside others.
  static var fewest: Int { 4 }
  /// Overlap of the hulls above which a stretch is halved, in nanoseconds.
  private static var tolerated: Double { 5_000_000 }
  /// Overlap above which a place is looked for where the clock was set, and below which a part is even.
  private static var even: Double { 300_000 }
  /// Samples among which such a place is looked for at once.
  private static var grain: Int { 48 }

  let first: Int
  let second: Int
  /// A frame takes no longer than this at its fastest, in nanoseconds.
  var leastDelay = LineFit.longestLeastDelay

  /// - Parameter points: of this pair, in any order.
  func estimate(_ points: [PairPoint]) -> PairEstimate {
    var result = PairEstimate(first: first, second: second, grade: .none)
    guard !points.isEmpty else { return result }
    let byFirst = fitted(points.sorted { ($0.first, $0.second) < ($1.first, $1.second) })
    let bySecond = fitted(points.sorted { ($0.second, $0.first) < ($1.second, $1.first) })
    // In the order of a clock that was set back, two stretches lie in one another.
    result = byFirst.disorder <= bySecond.disorder ? byFirst : bySecond
    for (before, after) in zip(result.stretches, result.stretches.dropFirst()) {
      guard let jump = before.jump(to: after) else { continue }
      for (host, end, start) in [
        (first, before.line.last, after.line.first), (second, before.lastOfSecond, after.firstOfSecond),
      ] where clamped(end, minus: start) > jump / 4 {
        result.setBack[host, default: 0] += 1
      }
    }
    guard !result.stretches.isEmpty else {
      result.grade = .failed
      return result
    }
    result.grade = result.stretches.map(\.grade).max() ?? .failed
    if result.rejected * 3 > points.count {
      result.grade = .failed
    } else if result.rejected * 10 > points.count, result.grade == .accurate {
      result.grade = .approximate
    }
    return result
  }

  /// The estimate where it is known from other pairs when the clocks of either host may have been set: between own
  /// times of the first, and of the second.
  func estimate(
    _ points: [PairPoint], partedAt first: [ClosedRange<Int64>], _ second: [ClosedRange<Int64>]
  ) -> PairEstimate {
    let whole = estimate(points)
    let sorted = points.sorted { ($0.first, $0.second) < ($1.first, $1.second) }
    var parts: [[PairPoint]] = []
    var start = 0
    func isBefore(_ point: PairPoint) -> [Bool] {
      first.map { point.first <= middle($0.lowerBound, $0.upperBound) }
        + second.map { point.second <= middle($0.lowerBound, $0.upperBound) }
    }
    for index in sorted.indices.dropFirst() where isBefore(sorted[index]) != isBefore(sorted[index - 1]) {
      parts.append(Array(sorted[start..<index]))
      start = index
    }
    parts.append(Array(sorted[start...]))
    // In the order of a clock that was set back parts lie in one another: nothing can be said of them.
    guard parts.count > 1, parts.count <= 1 + first.count + second.count else { return whole }
    var result = PairEstimate(first: self.first, second: self.second, grade: .none)
    for part in parts { fit(part, depth: 6, into: &result) }
    result.rejected = points.count - result.used
    result.grade = result.stretches.map(\.grade).max() ?? .failed
    // Only where it explains what is not else.
    return result.settings.isEmpty && result.grade > whole.grade ? whole : result
  }

  // MARK: Stretches

  /// The estimate from samples in one order.
  private func fitted(_ points: [PairPoint]) -> PairEstimate {
    var result = PairEstimate(first: first, second: second, grade: .none)
    for stretch in divided(points) { fit(stretch, depth: 0, into: &result) }
    result.rejected = points.count - result.used
    return result
  }

  private func divided(_ points: [PairPoint]) -> [[PairPoint]] {
    var division: [[PairPoint]] = []
    let series = PairSeries(points)
    let bounds = [0] + series.steps() + [points.count]
    var stretches = zip(bounds, bounds.dropFirst()).map { Array(points[$0..<$1]) }
    removeStrays(&stretches, series.width)
    for stretch in stretches {
      let kept = PairSeries(stretch).withoutEarly(series.width)
      guard kept.count >= PairEstimator.fewest || stretches.count == 1 else { continue }
      division.append(kept)
    }
    return division
  }

  /// Takes out short stretches between two that agree.
  private func removeStrays(_ stretches: inout [[PairPoint]], _ width: Int64) {
    var at = 1
    while at + 1 < stretches.count {
      let (left, right) = (stretches[at - 1], stretches[at + 1])
      guard stretches[at].count < 2 * PairSeries.reach else {
        at += 1
        continue
      }
      // Together they show no step.
      let joined = Array(left.suffix(4 * PairSeries.reach)) + right.prefix(4 * PairSeries.reach)
      if PairSeries(joined, width: width).steps().isEmpty {
        stretches.replaceSubrange((at - 1)...(at + 1), with: [left + right])
      } else {
        at += 1
      }
    }
  }

  // MARK: Fitting

  private func fit(_ points: [PairPoint], depth: Int, into result: inout PairEstimate) {
    guard !points.isEmpty else { return }
    if depth < 6, LineFit(points, leastDelay: leastDelay).overlap > PairEstimator.even, let place = parting(points) {
      self.fit(Array(points[..<place]), depth: depth + 1, into: &result)
      self.fit(Array(points[place...]), depth: depth + 1, into: &result)
      return
    }
    let kept = withoutContradictions(points)
    guard !kept.isEmpty else { return }
    let fit = LineFit(kept, leastDelay: leastDelay)
    if fit.overlap > PairEstimator.tolerated, kept.count >= 8 * PairEstimator.fewest, depth < 6 {
      self.fit(Array(kept[..<(kept.count / 2)]), depth: depth + 1, into: &result)
      self.fit(Array(kept[(kept.count / 2)...]), depth: depth + 1, into: &result)
      return
    }
    result.used += kept.count
    let grade: ClockGrade =
      if !fit.isTwoSided {
        .oneDirection
      } else if fit.overlap > 20 * PairEstimator.tolerated {
        .failed
      } else if fit.overlap > 0 || kept.count * 5 < points.count * 4 {
        .approximate
      } else {
        .accurate
      }
    result.stretches.append(
      PairEstimate.Stretch(
        line: fit.line, uncertainty: clamped(fit.uncertainty.rounded(.up)), rateUncertainty: fit.rateUncertainty,
        grade: grade))
  }

  /// Where samples that no line separates part in two that a line separates each: there a clock was set, though too
  /// few samples lie around for medians to tell. nil where no single place does it.
  private func parting(_ points: [PairPoint]) -> Int? {
    var (from, to) = (PairEstimator.fewest, points.count - PairEstimator.fewest)
    guard from <= to else { return nil }
    /// How far both parts together are from even.
    func excess(_ place: Int) -> Double {
      let (left, right) = (LineFit(points[..<place]), LineFit(points[place...]))
      // Frames one way only would fit anything.
      guard left.isTwoSided, right.isTwoSided else { return .infinity }
      return max(left.overlap, right.overlap)
    }
    while true {
      let pace = max(1, (to - from) / PairEstimator.grain)
      let places = Array(stride(from: from, through: to, by: pace))
      let values = places.map(excess)
      guard let least = values.min(), least < .infinity else { return nil }
      // Of several that do, the middle one.
      let good = values.indices.filter { values[$0] <= max(least, PairEstimator.even) }
      let best = places[good[good.count / 2]]
      if least <= PairEstimator.even { return best }
      guard pace > 1 else { return nil }
      (from, to) = (max(from, best - pace), min(to, best + pace))
    }
  }

  /// Drops whichever sample contradicts most others, until none does: an upper bound below a lower one near by
  /// cannot be, whatever the drift.
  private func withoutContradictions(_ points: [PairPoint]) -> [PairPoint] {
    let reach = 4 * PairSeries.reach
    var opponents: [[Int]] = Array(repeating: [], count: points.count)
    for index in points.indices {
      for other in (index + 1)..<max(index + 1, min(points.count, index + reach)) {
        let (a, b) = (points[index], points[other])
        guard a.isUpper != b.isUpper else { continue }
        let room = Double(a.isUpper ? clamped(a.gap, minus: b.gap) : clamped(b.gap, minus: a.gap))
        let drift = LineFit.steepest * Double(PairSeries.distance(a.first, b.first))
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
