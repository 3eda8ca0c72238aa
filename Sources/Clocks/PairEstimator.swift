import Observations

/// Estimates one clock against another from the samples of a pair of hosts.
///
/// A lasting change of the local median, of frames both ways alike, is a step. Dropped as matched wrongly are: short
/// runs between stretches that agree; samples far before the local median of their direction (what is far behind it
/// bounds nothing anyway); and, near the hulls, whichever sample contradicts most others. A stretch that no line
/// separates is halved until one does.
struct PairEstimator {
  /// Samples of a pair beyond this are thinned out evenly.
  static var bound: Int { 32_768 }
  /// Fewer samples than this never make a stretch beside others.
  static var fewest: Int { 4 }
  /// Overlap of the hulls above which a stretch is halved, in nanoseconds.
  private static var tolerated: Double { 5_000_000 }

  let first: Int
  let second: Int

  /// - Parameter points: of this pair, in any order.
  func estimate(_ points: [PairPoint]) -> PairEstimate {
    var result = PairEstimate(first: first, second: second, grade: .none)
    guard !points.isEmpty else { return result }
    let byFirst = divided(points.sorted { ($0.first, $0.second) < ($1.first, $1.second) })
    let bySecond = divided(points.sorted { ($0.second, $0.first) < ($1.second, $1.first) })
    // In the order of a clock that was set back, two stretches lie in one another.
    let chosen = byFirst.disorder <= bySecond.disorder ? byFirst : bySecond
    for (before, after) in zip(chosen.stretches, chosen.stretches.dropFirst()) {
      let jump = PairSeries.distance(PairSeries.median(before[...]), PairSeries.median(after[...]))
      for (host, time) in [(first, \PairPoint.first), (second, \PairPoint.second)] {
        let (end, start) = (before.map { $0[keyPath: time] }.max() ?? 0, after.map { $0[keyPath: time] }.min() ?? 0)
        if clamped(end, minus: start) > jump / 4 { result.setBack[host, default: 0] += 1 }
      }
    }
    for stretch in chosen.stretches { fit(stretch, depth: 0, into: &result) }
    result.rejected = points.count - result.used
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

  // MARK: Stretches

  private struct Division {
    var stretches: [[PairPoint]] = []
    var dropped = 0
    /// Less is better: what an order of the samples makes hard to explain.
    var disorder: Int { dropped + 16 * stretches.count }
  }

  private func divided(_ points: [PairPoint]) -> Division {
    var division = Division()
    let series = PairSeries(points)
    let bounds = [0] + series.steps() + [points.count]
    var stretches = zip(bounds, bounds.dropFirst()).map { Array(points[$0..<$1]) }
    removeStrays(&stretches, series.width)
    for stretch in stretches {
      let kept = PairSeries(stretch).withoutEarly(series.width)
      guard kept.count >= PairEstimator.fewest || stretches.count == 1 else { continue }
      division.stretches.append(kept)
    }
    division.dropped = points.count - division.stretches.reduce(0) { $0 + $1.count }
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
    let kept = withoutContradictions(points)
    guard !kept.isEmpty else { return }
    let fit = LineFit(kept)
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
