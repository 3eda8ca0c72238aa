import Observations

/// Offset and drift of all hosts' clocks against that of one of them, from frames seen on two hosts each.
///
/// Every pair of hosts is estimated for itself. From the reference host, the best connected one that was not set
/// back while it was watched, the others are reached over the best pairs; bounds add up on the way. The order of the
/// samples makes no difference.
public func estimateClocks(hosts: Int, samples: [ClockSample]) -> [HostClock] {
  estimateClocks(hosts: hosts, pairs: estimatePairs(hosts: hosts, samples: samples))
}

/// The same from what is known of the pairs.
public func estimateClocks(hosts: Int, pairs: [PairEstimate]) -> [HostClock] {
  ClockTree(hosts: hosts, pairs: pairs).clocks()
}

/// What the traffic tells of each pair of hosts, in the order of the pairs. Samples that name no host, or the same
/// twice, are passed over.
///
/// - Parameter leastDelay: a frame takes no longer than this at its fastest, in nanoseconds.
public func estimatePairs(
  hosts: Int, samples: [ClockSample], leastDelay: Double = 100_000_000
) -> [PairEstimate] {
  var points: [Int: [PairPoint]] = [:]
  for sample in samples {
    let (sender, receiver) = (sample.sender, sample.receiver)
    guard sender != receiver, (0..<hosts).contains(sender), (0..<hosts).contains(receiver) else { continue }
    let isUpper = sender < receiver
    let first = isUpper ? sample.sent : sample.received
    let second = isUpper ? sample.received : sample.sent
    let (gap, overflow) = second.subtractingReportingOverflow(first)
    // Clocks three centuries apart cannot be told in 64 bits.
    guard !overflow else { continue }
    let pair = min(sender, receiver) * hosts + max(sender, receiver)
    points[pair, default: []].append(PairPoint(first: first, second: second, gap: gap, isUpper: isUpper))
  }
  for pair in points.keys {
    guard let list = points[pair], list.count > PairEstimator.bound else { continue }
    let sorted = list.sorted { ($0.first, $0.second) < ($1.first, $1.second) }
    let pace = (list.count + PairEstimator.bound - 1) / PairEstimator.bound
    points[pair] = stride(from: 0, to: list.count, by: pace).map { sorted[$0] }
  }
  let pairs = points.keys.sorted().map { pair in
    PairEstimator(first: pair / hosts, second: pair % hosts, leastDelay: leastDelay).estimate(points[pair] ?? [])
  }
  // A clock that was set shows in all pairs of its host: where one tells, the others are parted there, too.
  var settings: [Int: [ClosedRange<Int64>]] = [:]
  for pair in pairs {
    for (first, second) in pair.settings {
      settings[pair.first, default: []].append(first)
      settings[pair.second, default: []].append(second)
    }
  }
  guard !settings.isEmpty else { return pairs }
  return pairs.map { pair in
    guard pair.settings.isEmpty, pair.grade < .none else { return pair }
    let estimator = PairEstimator(first: pair.first, second: pair.second, leastDelay: leastDelay)
    return estimator.estimate(
      points[pair.first * hosts + pair.second] ?? [], partedAt: settings[pair.first] ?? [], settings[pair.second] ?? [])
  }
}

/// Reaches every host from a reference host over the best pairs.
struct ClockTree {
  let hosts: Int
  private let links: [[PairEstimate]]
  private let setBack: [Int]
  /// How often each host's clock was set against others'.
  private let jumps: [Int]

  init(hosts: Int, pairs: [PairEstimate]) {
    self.hosts = hosts
    var links: [[PairEstimate]] = Array(repeating: [], count: hosts)
    var setBack = Array(repeating: 0, count: hosts)
    var jumps = setBack
    for pair in pairs {
      for (host, times) in pair.setBack { setBack[host] += times }
      for host in [pair.first, pair.second] { jumps[host] += pair.settings.count }
      guard pair.grade < .none else { continue }
      links[pair.first].append(pair)
      links[pair.second].append(pair)
    }
    self.links = links
    self.setBack = setBack
    self.jumps = jumps
    failed = Set(pairs.filter { $0.grade == .failed }.flatMap { [$0.first, $0.second] })
  }

  /// Hosts of pairs whose samples contradict themselves.
  private let failed: Set<Int>

  func clocks() -> [HostClock] {
    var clocks: [HostClock?] = Array(repeating: nil, count: hosts)
    while let reference = reference(among: (0..<hosts).filter { clocks[$0] == nil }) {
      // Later ones are out of reach of the first: their hosts are known only among themselves.
      reach(from: reference, &clocks)
    }
    return clocks.enumerated().map { host, clock in
      var clock = clock ?? HostClock(host: host, reference: host)
      if links[host].isEmpty, hosts > 1 { clock.grade = failed.contains(host) ? .failed : .none }
      return clock
    }
  }

  /// The best connected host, of several the first.
  private func reference(among left: [Int]) -> Int? {
    left.min { a, b in
      if setBack[a] != setBack[b] { return setBack[a] < setBack[b] }
      if jumps[a] != jumps[b] { return jumps[a] < jumps[b] }
      let (x, y) = (standing(a), standing(b))
      return x == y ? a < b : x > y
    }
  }

  private func standing(_ host: Int) -> Int {
    links[host].reduce(0) { sum, pair in
      switch pair.grade {
      case .accurate: sum + 4
      case .approximate: sum + 2
      default: sum + 1
      }
    }
  }

  /// Sets the clocks of all that can be reached, those with the best grade and bound first.
  private func reach(from reference: Int, _ clocks: inout [HostClock?]) {
    var candidates: [HostClock?] = Array(repeating: nil, count: hosts)
    var next: HostClock? = HostClock(host: reference, reference: reference)
    while let reached = next {
      clocks[reached.host] = reached
      candidates[reached.host] = nil
      for pair in links[reached.host] {
        let host = pair.first == reached.host ? pair.second : pair.first
        guard clocks[host] == nil else { continue }
        let clock = HostClock(host, beside: reached, pair)
        if let known = candidates[host], known.standing <= clock.standing { continue }
        candidates[host] = clock
      }
      // Of several the first.
      next = candidates.compactMap { $0 }.min { $0.standing < $1.standing }
    }
  }
}

extension HostClock {
  /// Less is better.
  fileprivate var standing: (ClockGrade, Int, Int64) { (grade, correction.pieces.count, uncertainty) }

  /// A clock beside this one: the other of a pair, whichever that is called.
  public func beside(_ pair: PairEstimate) -> HostClock {
    HostClock(pair.first == host ? pair.second : pair.first, beside: self, pair)
  }

  /// The clock of a host whose relation to another, known one is known.
  fileprivate init(_ host: Int, beside parent: HostClock, _ pair: PairEstimate) {
    self.init(host: host, reference: parent.reference)
    grade = max(parent.grade, pair.grade)
    var pieces: [ClockPiece] = []
    let reachable = parent.piecesInOrder(of: pair)
    for (stretch, range) in zip(pair.stretches, reachable) {
      let line = host == pair.second ? stretch.line.overSecond : stretch.line.ofFirst
      // Where the other host's clock was on that stretch.
      let (from, to) =
        host == pair.second
        ? (stretch.line.first, stretch.line.last)
        : (stretch.line.ontoSecond(stretch.line.first), stretch.line.ontoSecond(stretch.line.last))
      // Where the other's clock was set, this one is, too, against the reference.
      var parts = range.filter { parent.overlap($0, from, to) > 0 }
      if parts.isEmpty, let nearest = parent.piece(covering: from, to, among: range) { parts = [nearest] }
      for part in parts {
        let other = parent.correction.pieces[part]
        var own = line
        // The ends of a part in this clock.
        if part != parts.first { own.first = stretch.line.across(other.first, toSecond: host == pair.second) }
        if part != parts.last { own.last = stretch.line.across(other.last, toSecond: host == pair.second) }
        pieces.append(own.composed(with: other))
        let (start, end) = parts.count == 1 ? (from, to) : (other.first, other.last)
        bounds.append(clamped(stretch.uncertainty, plus: parent.uncertainty(at: start, end, part)))
        rateBounds.append(stretch.rateUncertainty + parent.rateBounds[part])
      }
      if parts.isEmpty {
        pieces.append(line)
        bounds.append(stretch.uncertainty)
        rateBounds.append(stretch.rateUncertainty)
      }
    }
    correction = ClockCorrection(pieces)
    for (index, jump) in correction.jumps.enumerated() {
      let noise = clamped(bounds[index], plus: clamped(bounds[index + 1], plus: 1_000_000))
      guard jump.magnitude > noise.magnitude else { continue }
      steps.append(ClockStep(before: pieces[index].last, after: pieces[index + 1].first, size: jump))
    }
  }

  /// For each stretch of a pair with another host, the pieces of this clock that it may lie on. Where this clock was
  /// set back it showed the same time twice; but then the pair shows the same jump.
  private func piecesInOrder(of pair: PairEstimate) -> [Range<Int>] {
    let count = correction.pieces.count
    var ranges = Array(repeating: 0..<count, count: pair.stretches.count)
    var at = 0
    for (index, (before, after)) in zip(pair.stretches, pair.stretches.dropFirst()).enumerated() {
      let jump = clamped(after.startOffset, minus: before.endOffset)
      let own = pair.second == host ? jump : clamped(0, minus: jump)
      let noise = clamped(before.uncertainty, plus: clamped(after.uncertainty, plus: ClockCorrection.leastStep))
      let same = (at..<count).dropLast().first {
        let bound = clamped(noise, plus: clamped(bounds[$0], plus: bounds[$0 + 1]))
        return correction.isSetBack(after: $0)
          && clamped(own, minus: correction.jumps[$0]).magnitude <= bound.magnitude
      }
      if let same {
        ranges[index] = ranges[index].lowerBound..<(same + 1)
        at = same + 1
      }
      ranges[index + 1] = at..<count
    }
    return ranges
  }

  /// Of some pieces the one that has most of a stretch of own time, and of several the nearest.
  private func piece(covering from: Int64, _ to: Int64, among range: Range<Int>) -> Int? {
    range.max {
      let (a, b) = (overlap($0, from, to), overlap($1, from, to))
      return a < b
    }
  }

  /// How long a piece and a stretch run together; negative: the distance between them.
  private func overlap(_ index: Int, _ from: Int64, _ to: Int64) -> Int64 {
    let piece = correction.pieces[index]
    return clamped(min(piece.last, to), minus: max(piece.first, from))
  }

  /// The bound over a stretch of own time on one piece.
  private func uncertainty(at from: Int64, _ to: Int64, _ index: Int) -> Int64 {
    let piece = correction.pieces[index]
    let outside = max(0, clamped(piece.first, minus: from), clamped(to, minus: piece.last))
    return clamped(bounds[index], plus: clamped(rateBounds[index] * Double(outside)))
  }
}

extension ClockPiece {
  // A pair's line runs over the first host's clock and tells the second's minus the first's.

  /// A time of the first host's in the second's clock.
  fileprivate func ontoSecond(_ time: Int64) -> Int64 { clamped(time, plus: offset(at: time)) }

  /// What one of the two clocks shows when the other shows a time.
  fileprivate func across(_ time: Int64, toSecond: Bool) -> Int64 {
    toSecond ? ontoSecond(time) : clamped(time, minus: offset(at: time))
  }

  /// The second host's clock against the first's.
  fileprivate var overSecond: ClockPiece {
    ClockPiece(
      origin: ontoSecond(origin), offset: offset, rate: rate / (1 + rate), first: ontoSecond(first),
      last: ontoSecond(last))
  }

  /// The first host's clock against the second's.
  fileprivate var ofFirst: ClockPiece {
    ClockPiece(origin: origin, offset: clamped(0, minus: offset), rate: -rate, first: first, last: last)
  }

  /// This clock against the reference, given how the clock that it is held against relates to it.
  fileprivate func composed(with other: ClockPiece) -> ClockPiece {
    ClockPiece(
      origin: origin, offset: clamped(offset, plus: other.offset(at: toReference(origin))),
      rate: rate + other.rate * (1 - rate), first: first, last: last)
  }
}
