import Observations

/// Parts the samples of a pair where no clock that only drifts explains them.
///
/// From the first sample on, as many as one line separates belong together; the first that does not fit either is
/// matched wrongly, or a clock was set before it: what follows tells. Then the same backwards, since frames one way
/// only show a setting from one side. Parts that one line explains after all are joined again, also across a few
/// samples between them that contradict both.
struct PairSegments {
  /// Hulls may overlap by this, in nanoseconds: stamps of one frame are not exact.
  static var even: Double { 300_000 }
  /// Clocks that nobody adjusts are not further off against each other than this.
  static var gentle: Double { 1.5e-4 }
  /// More parts than this are no steps.
  static var most: Int { 48 }
  /// Samples around one that tell whether it is matched wrongly.
  private static var witnesses: Int { 4 }
  /// Frames one way only tell of a setting by so many at least on either side.
  private static var fewestOneWay: Int { 3 }
  /// What lasts no longer is no pair of settings, in nanoseconds.
  private static var shortest: Int64 { 2_000_000_000 }

  let leastDelay: Double

  /// The parts in order; samples that are matched wrongly are left out. nil where nothing explains them.
  func parts(_ sorted: [PairPoint]) -> [[PairPoint]]? {
    let points = withoutStrays(withoutStrays(sorted))
    guard !points.isEmpty else { return nil }
    if isEven(points[...], LineFit.steepest, .both) { return [points] }
    guard var parts = parted(points, PairSegments.gentle) ?? parted(points, LineFit.steepest) else { return nil }
    join(&parts)
    for index in parts.indices.dropFirst() { sharpen(&parts, index) }
    return parts.filter { !$0.isEmpty }
  }

  // MARK: Evenness

  private enum Way { case forward, backward, both }

  /// Whether a clock that drifts by no more than `steepest` explains the samples.
  private func isEven(_ points: ArraySlice<PairPoint>, _ steepest: Double, _ way: Way) -> Bool {
    guard points.count > 1 else { return true }
    let fit = LineFit(points, leastDelay: leastDelay, steepest: steepest, onlyOverlap: true)
    if fit.isTwoSided { return fit.overlap <= PairSegments.even }
    return (way == .backward || !falls(points, steepest)) && (way == .forward || !falls(points.reversed()[...], steepest))
  }

  /// Whether frames one way are faster from some place on than all before it, by more than their fastest may differ.
  private func falls(_ points: ArraySlice<PairPoint>, _ steepest: Double) -> Bool {
    var best: PairPoint?
    for (number, point) in points.enumerated() {
      guard let least = best else {
        best = point
        continue
      }
      let gain = Double(point.isUpper ? clamped(least.gap, minus: point.gap) : clamped(point.gap, minus: least.gap))
      let far = leastDelay + steepest * Double(distance(point.first, least.first))
      if gain > far, number >= PairSegments.fewestOneWay, points.count - number >= PairSegments.fewestOneWay { return true }
      if gain > 0 { best = point }
    }
    return false
  }

  /// Whether an upper and a lower bound cannot both hold, whatever the drift.
  private func contradict(_ a: PairPoint, _ b: PairPoint) -> Bool {
    guard a.isUpper != b.isUpper else { return false }
    let room = Double(a.isUpper ? clamped(a.gap, minus: b.gap) : clamped(b.gap, minus: a.gap))
    return room + PairSegments.even + LineFit.steepest * Double(distance(a.first, b.first)) < 0
  }

  private func distance(_ a: Int64, _ b: Int64) -> Int64 { Int64(clamping: clamped(a, minus: b).magnitude) }

  /// Without samples that those before and those after contradict: no setting explains them.
  private func withoutStrays(_ points: [PairPoint]) -> [PairPoint] {
    let reach = PairSegments.witnesses
    let upper = points.indices.filter { points[$0].isUpper }
    let lower = points.indices.filter { !points[$0].isUpper }
    var (uppers, lowers) = (0, 0)
    return points.filter { point in
      let others = point.isUpper ? lower : upper
      let at = point.isUpper ? lowers : uppers
      if point.isUpper { uppers += 1 } else { lowers += 1 }
      let before = others[max(0, at - reach)..<at]
      let after = others[at..<min(others.count, at + reach)]
      guard before.count > 1, after.count > 1 else { return true }
      let isOff = before.count { contradict(point, points[$0]) } * 2 > before.count
      return !(isOff && after.count { contradict(point, points[$0]) } * 2 > after.count)
    }
  }

  // MARK: Parting

  private func parted(_ points: [PairPoint], _ steepest: Double) -> [[PairPoint]]? {
    guard let forward = cut(points, steepest, .forward) else { return nil }
    var parts: [[PairPoint]] = []
    for part in forward {
      guard let backward = cut(part.reversed(), steepest, .backward) else { return nil }
      parts += backward.reversed().map { $0.reversed() }
      guard parts.count <= PairSegments.most else { return nil }
    }
    return parts
  }

  /// Parts as long as possible, in the order given.
  private func cut(_ points: [PairPoint], _ steepest: Double, _ way: Way) -> [[PairPoint]]? {
    var list = points
    var parts: [[PairPoint]] = []
    var start = 0
    var known = 1
    var dropped = 0
    while start < list.count {
      let end = evenEnd(list, from: start, atLeast: known, steepest, way)
      guard end < list.count else { break }
      if isStray(end, list, from: start) {
        list.remove(at: end)
        dropped += 1
        known = end - start
        guard dropped <= 64 else { return nil }
        continue
      }
      parts.append(Array(list[start..<end]))
      guard parts.count <= PairSegments.most else { return nil }
      start = end
      known = 1
    }
    if start < list.count { parts.append(Array(list[start...])) }
    return parts
  }

  /// The first sample that does not fit those from `start` on.
  private func evenEnd(_ list: [PairPoint], from start: Int, atLeast known: Int, _ steepest: Double, _ way: Way) -> Int {
    var low = min(list.count, start + max(1, known))
    var pace = 8
    var high = low
    while low < list.count {
      high = min(list.count, low + pace)
      guard isEven(list[start..<high], steepest, way) else { break }
      low = high
      pace *= 2
    }
    guard low < list.count else { return list.count }
    while high - low > 1 {
      let half = (low + high) / 2
      if isEven(list[start..<half], steepest, way) { low = half } else { high = half }
    }
    return high - 1
  }

  /// Whether a sample that does not fit those before it does not fit those after it either.
  private func isStray(_ at: Int, _ list: [PairPoint], from start: Int) -> Bool {
    let point = list[at]
    let opponents = list[(at + 1)...].lazy.filter { $0.isUpper != point.isUpper }.prefix(PairSegments.witnesses)
    let count = opponents.count { _ in true }
    if count > 0 { return opponents.count { contradict(point, $0) } * 2 > count }
    let alike = list[(at + 1)...].lazy.filter { $0.isUpper == point.isUpper }.prefix(PairSegments.witnesses)
    guard alike.count(where: { _ in true }) > 1 else { return false }
    let line = LineFit(list[start..<at], leastDelay: leastDelay).line
    let own = distance(point.gap, line.offset(at: point.first))
    return alike.count { distance($0.gap, point.gap) < own / 2 } * 2 < alike.count { _ in true }
  }

  // MARK: Joining

  private func join(_ parts: inout [[PairPoint]]) {
    var isChanged = true
    while isChanged, parts.count > 1 {
      isChanged = false
      for index in parts.indices.dropLast() {
        let joined = parts[index] + parts[index + 1]
        guard isEven(joined[...], LineFit.steepest, .both) else { continue }
        parts.replaceSubrange(index...(index + 1), with: [joined])
        isChanged = true
        break
      }
      if isChanged { continue }
      for index in parts.indices.dropLast(2) {
        guard isPassing(parts[index + 1], between: parts[index], parts[index + 2]),
          let joined = joined(parts[index], parts[index + 2])
        else { continue }
        parts.replaceSubrange(index...(index + 2), with: [joined])
        isChanged = true
        break
      }
    }
  }

  /// Whether what lies between two parts is so little that a clock was rather not set twice.
  private func isPassing(_ part: [PairPoint], between before: [PairPoint], _ after: [PairPoint]) -> Bool {
    guard let first = part.first, let last = part.last else { return true }
    let isFew = part.count < 32 && part.count * 8 < before.count + after.count
    return isFew && (part.count < PairEstimator.fewest || distance(first.first, last.first) < PairSegments.shortest)
  }

  /// Two parts as one, without a few samples; nil where one line does not explain them.
  private func joined(_ a: [PairPoint], _ b: [PairPoint]) -> [PairPoint]? {
    let all = a + b
    if isEven(all[...], LineFit.steepest, .both) { return all }
    let most = min(max(1, all.count / 33), (min(a.count, b.count) - 1) / 2)
    guard most > 0 else { return nil }
    let kept = PairEstimator.withoutContradictions(all)
    return kept.count + most >= all.count && isEven(kept[...], LineFit.steepest, .both) ? kept : nil
  }

  /// Moves the border between two parts to where the samples around it lie best: a frame that would have been held up
  /// for just as long as a clock was set by came after the setting.
  private func sharpen(_ parts: inout [[PairPoint]], _ index: Int) {
    let reach = 32
    let (before, after) = (parts[index - 1], parts[index])
    let left = LineFit(before, leastDelay: leastDelay).line
    let right = LineFit(after, leastDelay: leastDelay).line
    let jump = Double(distance(left.offset(at: left.last), right.offset(at: right.first)))
    let near = Array(before.suffix(reach)) + after.prefix(reach)
    func cost(_ point: PairPoint, _ line: ClockPiece) -> Double {
      let off = Double(clamped(point.gap, minus: line.offset(at: point.first))) * (point.isUpper ? 1 : -1)
      return off < 0 ? min(-4 * off, 4 * jump) : min(off, jump)
    }
    let from = min(reach, before.count)
    var place = from
    var (sum, best) = (0.0, 0.0)
    for at in stride(from: from - 1, to: 0, by: -1) {
      sum += cost(near[at], right) - cost(near[at], left)
      if sum < best { (place, best) = (at, sum) }
    }
    sum = 0
    for at in from..<max(from, near.count - 1) {
      sum += cost(near[at], left) - cost(near[at], right)
      if sum < best { (place, best) = (at + 1, sum) }
    }
    guard place != from else { return }
    parts[index - 1] = Array(before.dropLast(min(reach, before.count))) + near[..<place]
    parts[index] = Array(near[place...]) + after.dropFirst(reach)
  }
}
