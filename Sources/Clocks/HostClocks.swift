import Observations

/// Offset and drift of all hosts' clocks against that of one of them, from frames seen on two hosts each.
///
/// Every pair of hosts is estimated for itself. From the reference host, the best connected one whose clock was set
/// least often, the others are reached over the best pairs; bounds add up on the way. The order of the samples makes no
/// difference.
public func estimateClocks(hosts: Int, samples: [ClockSample]) -> [HostClock] {
  estimateClocks(hosts: hosts, pairs: estimatePairs(hosts: hosts, samples: samples))
}

/// The same from what is known of the pairs.
///
/// - Parameters:
///   - folds: by host: own times between which its clock is known to have been set.
///   - leastShown: by host: a setting back by more than this would be known, in nanoseconds.
public func estimateClocks(
  hosts: Int, pairs: [PairEstimate], folds: [[ClosedRange<Int64>]] = [], leastShown: [Int64] = []
) -> [HostClock] {
  let graph = ClockGraph(hosts: hosts, pairs: pairs, folds: folds, leastShown: leastShown, leastDelay: LineFit.longestLeastDelay)
  let failed = Set(pairs.filter { $0.grade == .failed }.flatMap { [$0.first, $0.second] })
  var clocks = (0..<hosts).map { HostClock($0, graph, failed.contains($0)) }
  for pair in pairs where pair.grade < .none { noteOpenEnds(of: pair, graph, &clocks) }
  return clocks
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
  return points.keys.sorted().map { pair in
    var list = points[pair] ?? []
    if list.count > PairEstimator.bound {
      let sorted = list.sorted { ($0.first, $0.second) < ($1.first, $1.second) }
      let pace = (list.count + PairEstimator.bound - 1) / PairEstimator.bound
      list = stride(from: 0, to: list.count, by: pace).map { sorted[$0] }
    }
    return PairEstimator(first: pair / hosts, second: pair % hosts, leastDelay: leastDelay).estimate(list)
  }
}

/// Where a few samples at an end of a pair's evidence fit nothing, one of the two clocks may have been set: it is the
/// one that no other pair tells of by then.
private func noteOpenEnds(of pair: PairEstimate, _ graph: ClockGraph, _ clocks: inout [HostClock]) {
  guard let first = pair.stretches.first, let last = pair.stretches.last else { return }
  func note(_ isAfter: Bool, _ stretch: PairEstimate.Stretch) {
    func edge(_ host: Int) -> Int64 {
      let range = stretch.range(host == pair.second)
      return isAfter ? range.upperBound : range.lowerBound
    }
    func isVouched(_ host: Int) -> Bool {
      graph.links.contains { link in
        let other = graph.pairs[link.pair]
        guard other.first == host || other.second == host, other.first != pair.first || other.second != pair.second,
          link.stretch.uncertainty <= ClockGraph.leastPrecision
        else { return false }
        let range = link.stretch.range(other.second == host)
        return isAfter ? range.upperBound > edge(host) : range.lowerBound < edge(host)
      }
    }
    let vouched = [pair.first, pair.second].filter(isVouched)
    guard vouched.count < 2 else { return }
    for host in [pair.first, pair.second] where !vouched.contains(host) {
      // Of two that nothing vouches for, one is enough: the reference's clock is what others are held against.
      if vouched.isEmpty, clocks[host].reference == host { continue }
      clocks[host].doubts.append(isAfter ? edge(host)...Int64.max : Int64.min...edge(host))
    }
  }
  if pair.isOpenBefore { note(false, first) }
  if pair.isOpenAfter { note(true, last) }
}

/// What is known of a host's clock between two settings.
private struct Found {
  var piece: ClockPiece
  var bound: Int64
  var rateBound: Double

  /// nil for a part of the reference's own clock that nothing tells of.
  init?(_ node: ClockGraph.Node, _ evidence: ClosedRange<Int64>?) {
    piece = node.piece
    bound = node.bound
    rateBound = node.rateBound
    if node.link < 0 {
      guard let evidence else { return nil }
      let (first, last) = (evidence.lowerBound, evidence.upperBound)
      piece = ClockPiece(origin: middle(first, last), offset: 0, rate: 0, first: first, last: last)
    } else if let evidence {
      let more = max(0, clamped(piece.first, minus: evidence.lowerBound), clamped(evidence.upperBound, minus: piece.last))
      bound = clamped(bound, plus: clamped(rateBound * Double(more)))
      piece.first = evidence.lowerBound
      piece.last = evidence.upperBound
    }
  }

  /// As if the clock had run on, at one time.
  func moved(to time: Int64) -> Found {
    var other = self
    other.piece.first = time
    other.piece.last = time
    return other
  }
}

extension HostClock {
  fileprivate init(_ host: Int, _ graph: ClockGraph, _ hasFailed: Bool) {
    let spans = (0..<graph.spans(of: host)).map { graph.node(host, $0) }
    let known = spans.compactMap { graph.nodes[$0] }
    // Spans that are known among others only say nothing of the rest.
    let reference = known.min { $0.depth < $1.depth }?.reference ?? host
    self.init(host: host, reference: reference)
    grade = known.filter { $0.reference == reference }.map(\.grade).max() ?? .accurate
    let isLinked = graph.links.contains { spans.contains($0.first) || spans.contains($0.second) }
    if !isLinked, graph.hosts > 1 { grade = hasFailed ? .failed : .none }
    // The reference's own clock needs nothing done to it.
    guard spans.count > 1 || known.first?.link ?? -1 >= 0 else { return }
    var found: [Found?] = []
    for (number, node) in spans.enumerated() {
      let from = number == 0 ? Int64.min : graph.cuts[host][number - 1].range.lowerBound
      let to = number == spans.count - 1 ? Int64.max : graph.cuts[host][number].range.upperBound
      if let known = graph.nodes[node], known.reference == reference, !graph.contradicted.contains(node),
        let own = Found(known, graph.evidence(of: node))
      {
        found.append(own)
      } else {
        found.append(nil)
        doubts.append(min(from, to)...max(from, to))
      }
    }
    // A clock that was set back by a known size is at least told in order.
    let isKnown = found.map { $0 != nil }
    for number in found.indices where found[number] == nil {
      let (before, after) = (number > 0 ? found[number - 1] : nil, number + 1 < found.count ? found[number + 1] : nil)
      if let before, graph.cuts[host][number - 1].isFold {
        found[number] = before.moved(to: graph.cuts[host][number - 1].range.upperBound)
      } else if let after, graph.cuts[host][number].isFold {
        found[number] = after.moved(to: graph.cuts[host][number].range.lowerBound)
      }
    }
    guessed = Set(zip(found, isKnown).filter { $0.0 != nil }.enumerated().filter { !$0.element.1 }.map(\.offset))
    let pieces = found.compactMap { $0?.piece }
    bounds = found.compactMap { $0?.bound }
    rateBounds = found.compactMap { $0?.rateBound }
    correction = ClockCorrection(pieces)
    noteBest(zip(spans, found).filter { $0.1 != nil }.map(\.0), graph)
    noteSteps()
  }

  /// Looks for the time at which the frames before alone and those after alone tell the clock best: in the longest
  /// stretch, unless that rests on frames that are far apart.
  private mutating func noteBest(_ nodes: [Int], _ graph: ClockGraph) {
    var all: [(piece: Int, time: Int64, bound: Int64)] = []
    for (index, node) in nodes.enumerated() where index < correction.pieces.count {
      let piece = correction.pieces[index]
      let (from, to) = (piece.first, piece.last)
      let mean = middle(from, to)
      let known = graph.times(of: node, from, to).compactMap { time in
        graph.bound(of: node, at: time).map { (index, time, max($0, bounds[index])) }
      }
      let best = known.min { a, b in
        let (x, y) = (clamped(a.1, minus: mean).magnitude, clamped(b.1, minus: mean).magnitude)
        return (a.2, x, a.1) < (b.2, y, b.1)
      }
      if let best { all.append(best) }
    }
    func length(_ index: Int) -> Int64 { clamped(correction.pieces[index].last, minus: correction.pieces[index].first) }
    let good = all.filter { $0.bound <= clamped(bounds[$0.piece], plus: bounds[$0.piece]) }
    best =
      good.min { (length($1.piece), $0.piece) < (length($0.piece), $1.piece) }
      ?? all.min { ($0.bound, $0.piece) < ($1.bound, $1.piece) }
  }

  /// The same clock where its times were put one behind the other: `back` tells by how much a time was moved, and
  /// `ends` for two times in order whether the clock was set back between them, and what it showed last before.
  public mutating func fold(_ back: (Int64) -> Int64, end: (Int64, Int64) -> Int64?) {
    let unfolded = correction.pieces
    guard !unfolded.isEmpty || !doubts.isEmpty else { return }
    correction = ClockCorrection(
      unfolded.map { piece in
        let shift = back(piece.first)
        return ClockPiece(
          origin: clamped(piece.origin, minus: shift), offset: clamped(piece.offset, minus: shift), rate: piece.rate,
          first: clamped(piece.first, minus: shift), last: clamped(piece.last, minus: shift))
      })
    correction.setEnds(zip(unfolded, unfolded.dropFirst()).map { end($0.last, $1.first) })
    best = best.map { ($0.piece, clamped($0.time, minus: back(unfolded[$0.piece].first)), $0.bound) }
    doubts = doubts.map { range in
      let (from, to) = (clamped(range.lowerBound, minus: back(range.lowerBound)), clamped(range.upperBound, minus: back(range.upperBound)))
      return min(from, to)...max(from, to)
    }
    noteSteps()
  }

  /// Jumps that bounds do not explain are steps. How large they were is told of the middle between the evidence before
  /// and after: until then both clocks run on at their own pace.
  mutating func noteSteps() {
    steps = []
    let pieces = correction.pieces
    for index in correction.jumps.indices {
      let (before, after) = (pieces[index], pieces[index + 1])
      let silence = max(0, clamped(after.toReference(after.first), minus: before.toReference(before.last)))
      let size = clamped(
        after.offset(at: clamped(after.first, minus: silence / 2)), minus: before.offset(at: clamped(before.last, plus: silence / 2)))
      let rates = clamped((rateBounds[index] + rateBounds[index + 1]) * Double(silence / 2))
      let bound = clamped(clamped(bounds[index], plus: bounds[index + 1]), plus: rates)
      guard size.magnitude > clamped(bound, plus: ClockCorrection.leastStep).magnitude else { continue }
      steps.append(
        ClockStep(
          before: before.last, after: after.first, size: size, uncertainty: bound,
          isLeast: guessed.contains(index) || guessed.contains(index + 1)))
    }
  }

  /// A clock beside this one, by the longest stretch of a pair, whichever of the two it is.
  public func beside(_ pair: PairEstimate) -> HostClock? {
    guard let stretch = pair.stretches.max(by: { $0.span < $1.span }) else { return nil }
    let isSecond = pair.first == host
    var clock = self
    clock.host = isSecond ? pair.second : pair.first
    let ahead = stretch.line.offset(at: middle(stretch.line.first, stretch.line.last))
    clock.shift(by: isSecond ? ahead : clamped(0, minus: ahead), within: stretch.uncertainty)
    return clock
  }

  /// The clock ahead by so much.
  private mutating func shift(by ahead: Int64, within bound: Int64) {
    if correction.pieces.isEmpty {
      bounds = [0]
      rateBounds = [0]
    }
    let pieces = correction.pieces.isEmpty ? [ClockPiece(origin: 0, offset: 0, rate: 0, first: 0, last: 0)] : correction.pieces
    correction = ClockCorrection(
      pieces.map {
        ClockPiece(
          origin: clamped($0.origin, plus: ahead), offset: clamped($0.offset, plus: ahead), rate: $0.rate,
          first: clamped($0.first, plus: ahead), last: clamped($0.last, plus: ahead))
      })
    bounds = bounds.map { clamped($0, plus: bound) }
  }
}
