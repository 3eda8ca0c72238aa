import Observations

/// The hosts' clocks as a graph. A clock that was set is another one from then on: its nodes are the spans of time
/// between settings. Links are what the traffic between two hosts tells of two such spans.
///
/// A setting shows in pairs; which of the two hosts was set is told by the other pairs: that of several that show
/// the same at the same time. Where frames of two ways round contradict each other though no pair shows a setting, the
/// host was set whose frames the one way and the other come at different times.
struct ClockGraph {
  /// A host's clock was set, or changed its pace.
  struct Cut {
    /// Own times known to lie before and after.
    var range: ClosedRange<Int64>
    /// By pair: the stretch after which it comes, where the pair shows it.
    var shown: [Int: Int] = [:]
    /// The host's own captures show it.
    var isFold = false

    /// Whether a time lies behind; nil where that is not known.
    func isPast(_ time: Int64) -> Bool? {
      time >= range.upperBound ? true : time <= range.lowerBound ? false : nil
    }
  }
  /// What relates two nodes.
  struct Link {
    var pair: Int
    var first: Int
    var second: Int
    var stretch: PairEstimate.Stretch
  }
  /// A host's clock against the reference, between two cuts.
  struct Node {
    var host: Int
    var reference: Int
    var grade = ClockGrade.accurate
    var piece: ClockPiece
    var bound: Int64 = 0
    var rateBound = 0.0
    /// The link by which it was reached.
    var link = -1
    var parent = -1
    var depth = 0
    /// Number in the order in which nodes were reached.
    var order = 0

    /// Less is better.
    var standing: (ClockGrade, Int64, Int) { (grade, bound, depth) }
  }

  /// So many times are tried where one is looked for.
  private static var tried: Int { 64 }
  /// A link within this tells whether a clock was set, in nanoseconds.
  static var leastPrecision: Int64 { 5_000_000 }

  let hosts: Int
  let pairs: [PairEstimate]
  let leastDelay: Double
  let leastShown: [Int64]
  var cuts: [[Cut]]
  private(set) var links: [Link] = []
  /// By node; nil where it was not reached.
  private(set) var nodes: [Node?] = []
  /// The first node of each host.
  private(set) var base: [Int] = []
  /// Nodes of which ways round contradict each other, for no reason that is known.
  private(set) var contradicted: Set<Int> = []
  /// By number, of the links by which nodes were reached.
  private var halves: [Int: HalfBounds] = [:]

  /// - Parameters:
  ///   - folds: by host: own times between which its clock is known to have been set.
  ///   - leastShown: by host: a setting back by more than this would be known, in nanoseconds.
  init(hosts: Int, pairs: [PairEstimate], folds: [[ClosedRange<Int64>]], leastShown: [Int64] = [], leastDelay: Double) {
    self.hosts = hosts
    self.leastShown = leastShown
    self.pairs = pairs
    self.leastDelay = leastDelay
    cuts = (0..<hosts).map { host in host < folds.count ? folds[host].map { Cut(range: $0, isFold: true) } : [] }
    attribute()
    for round in 0...8 {
      build()
      guard !settleContradiction(isLast: round == 8) else { continue }
      break
    }
    for node in nodes {
      guard let node, node.link >= 0 else { continue }
      halves[node.link] = HalfBounds(links[node.link].stretch, leastDelay: leastDelay)
    }
  }

  func node(_ host: Int, _ span: Int) -> Int { base[host] + span }
  func spans(of host: Int) -> Int { cuts[host].count + 1 }
  func host(of node: Int) -> Int { base.lastIndex { $0 <= node } ?? 0 }

  // MARK: Links and nodes

  /// Which of a host's spans a sample of a pair lies in; nil where that is not known.
  private func span(_ host: Int, _ time: Int64, _ pair: Int, _ stretch: Int) -> Int? {
    var past = 0
    for cut in cuts[host] {
      if let shown = cut.shown[pair] {
        if stretch > shown { past += 1 }
      } else {
        guard let isPast = cut.isPast(time) else { return nil }
        if isPast { past += 1 }
      }
    }
    return past
  }

  private mutating func build() {
    base = []
    var count = 0
    for host in 0..<hosts {
      base.append(count)
      count += cuts[host].count + 1
    }
    links = []
    for (number, pair) in pairs.enumerated() where pair.grade < .none { addLinks(number, pair) }
    nodes = Array(repeating: nil, count: count)
    while let start = start() { reach(from: start) }
  }

  private mutating func addLinks(_ number: Int, _ pair: PairEstimate) {
    let estimator = PairEstimator(first: pair.first, second: pair.second, leastDelay: leastDelay)
    if cuts[pair.first].isEmpty, cuts[pair.second].isEmpty, pair.stretches.count == 1 {
      links.append(Link(pair: number, first: base[pair.first], second: base[pair.second], stretch: pair.stretches[0]))
      return
    }
    var cells: [[Int]: [PairPoint]] = [:]
    for (at, stretch) in pair.stretches.enumerated() {
      for point in stretch.points {
        guard let a = span(pair.first, point.first, number, at), let b = span(pair.second, point.second, number, at) else { continue }
        cells[[a, b], default: []].append(point)
      }
    }
    for key in cells.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      let stretch = estimator.stretch(cells[key] ?? [])
      guard stretch.grade < .none else { continue }
      links.append(Link(pair: number, first: node(pair.first, key[0]), second: node(pair.second, key[1]), stretch: stretch))
    }
  }

  /// The node to begin with: of the host that was set least often and is connected best, the one with most links.
  private func start() -> Int? {
    let left = (0..<hosts).filter { host in (0..<spans(of: host)).allSatisfy { nodes[node(host, $0)] == nil } }
    let host = left.min { a, b in
      if cuts[a].count != cuts[b].count { return cuts[a].count < cuts[b].count }
      let (x, y) = (standing(a), standing(b))
      return x == y ? a < b : x > y
    }
    guard let host else { return nil }
    return (0..<spans(of: host)).map { node(host, $0) }.max { (weight($0), $1) < (weight($1), $0) }
  }

  private func weight(_ node: Int) -> Int {
    links.reduce(0) { $1.first == node || $1.second == node ? $0 + $1.stretch.points.count : $0 }
  }

  private func standing(_ host: Int) -> Int {
    pairs.reduce(0) { sum, pair in
      guard pair.grade < .none, pair.first == host || pair.second == host else { return sum }
      switch pair.grade {
      case .accurate: return sum + 4
      case .approximate: return sum + 2
      default: return sum + 1
      }
    }
  }

  /// Sets all that can be reached, those with the best grade and bound first.
  private mutating func reach(from start: Int) {
    let reference = host(of: start)
    var candidates: [Int: Node] = [:]
    var next: (Int, Node)? = (
      start, Node(host: reference, reference: reference, piece: ClockPiece(origin: 0, offset: 0, rate: 0, first: 0, last: 0))
    )
    while let (number, reached) = next {
      var reached = reached
      reached.order = nodes.count { $0 != nil }
      nodes[number] = reached
      candidates[number] = nil
      for (index, link) in links.enumerated() where link.first == number || link.second == number {
        let other = link.first == number ? link.second : link.first
        guard nodes[other] == nil else { continue }
        let node = beside(number, reached, other, index)
        if let known = candidates[other], known.standing <= node.standing { continue }
        candidates[other] = node
      }
      // Of several the first.
      next = candidates.min { a, b in
        a.value.standing == b.value.standing ? a.key < b.key : a.value.standing < b.value.standing
      }.map { ($0.key, $0.value) }
    }
  }

  private func beside(_ number: Int, _ parent: Node, _ other: Int, _ index: Int) -> Node {
    let link = links[index]
    let isSecond = link.second == other
    let line = isSecond ? link.stretch.line.overSecond : link.stretch.line.ofFirst
    let there = link.stretch.range(!isSecond)
    var piece = line
    var bound = link.stretch.uncertainty
    if parent.link >= 0 {
      piece = line.composed(with: parent.piece)
      let outside = max(0, clamped(parent.piece.first, minus: there.lowerBound), clamped(there.upperBound, minus: parent.piece.last))
      bound = clamped(bound, plus: clamped(parent.bound, plus: clamped(parent.rateBound * Double(outside))))
    }
    let here = link.stretch.range(isSecond)
    piece.first = here.lowerBound
    piece.last = here.upperBound
    return Node(
      host: host(of: other), reference: parent.reference, grade: max(parent.grade, link.stretch.grade), piece: piece,
      bound: bound, rateBound: link.stretch.rateUncertainty + parent.rateBound, link: index, parent: number,
      depth: parent.depth + 1)
  }

  // MARK: Ways round

  /// How far a link is from what the tree tells of its ends, beyond all bounds; nil where it is not.
  private func contradiction(_ index: Int) -> Int64? {
    let link = links[index]
    guard let a = nodes[link.first], let b = nodes[link.second], a.reference == b.reference, a.link != index, b.link != index
    else { return nil }
    let time = middle(link.stretch.line.first, link.stretch.line.last)
    let offset = link.stretch.line.offset(at: time)
    let told = clamped(b.piece.offset(at: clamped(time, plus: offset)), minus: a.piece.offset(at: time))
    let off = clamped(offset, minus: told)
    func bound(_ node: Node, _ range: ClosedRange<Int64>) -> Int64 {
      guard node.link >= 0 else { return 0 }
      let outside = max(0, clamped(node.piece.first, minus: range.lowerBound), clamped(range.upperBound, minus: node.piece.last))
      return clamped(node.bound, plus: clamped(node.rateBound * Double(outside)))
    }
    let bounds = clamped(bound(a, link.stretch.range(false)), plus: bound(b, link.stretch.range(true)))
    let allowed = clamped(clamped(link.stretch.uncertainty, plus: bounds), plus: 1_000_000)
    return off.magnitude > allowed.magnitude ? off : nil
  }

  /// Looks for the worst link that contradicts the tree, and cuts a host's time where that resolves it.
  private mutating func settleContradiction(isLast: Bool) -> Bool {
    contradicted = []
    var all: [(index: Int, weight: Int)] = []
    for index in links.indices where contradiction(index) != nil { all.append((index, links[index].stretch.points.count)) }
    guard let worst = all.max(by: { ($0.weight, $1.index) < ($1.weight, $0.index) }) else { return false }
    if !isLast, let (host, range) = parting(worst.index) {
      cuts[host] = inOrder(cuts[host] + [Cut(range: range)])
      return true
    }
    for (index, weight) in all where weight >= PairEstimator.fewest {
      for end in [links[index].first, links[index].second] where nodes[end]?.link ?? -1 >= 0 { contradicted.insert(end) }
    }
    // What is known over them is as doubtful.
    for number in nodes.indices.sorted(by: { (nodes[$0]?.order ?? 0, $0) < (nodes[$1]?.order ?? 0, $1) }) {
      if let node = nodes[number], node.parent >= 0, contradicted.contains(node.parent) { contradicted.insert(number) }
    }
    return false
  }

  /// The host on the way round whose two links there come at different times.
  private func parting(_ index: Int) -> (Int, ClosedRange<Int64>)? {
    var (left, right) = ([links[index].first], [links[index].second])
    // Up the tree to where both ways meet.
    while let a = left.last, let b = right.last, a != b, let x = nodes[a], let y = nodes[b] {
      if x.depth >= y.depth, x.parent >= 0 { left.append(x.parent) } else if y.parent >= 0 { right.append(y.parent) } else { return nil }
    }
    let way = left + right.dropLast().reversed()
    func link(_ a: Int, _ b: Int) -> Int? {
      if nodes[a]?.parent == b { return nodes[a]?.link }
      return nodes[b]?.parent == a ? nodes[b]?.link : nil
    }
    func range(_ link: Int, _ node: Int) -> ClosedRange<Int64> { links[link].stretch.range(links[link].second == node) }
    var best: (host: Int, range: ClosedRange<Int64>, length: Int64)?
    for at in way.indices {
      let one = at == 0 ? index : link(way[at - 1], way[at])
      let two = at == way.count - 1 ? index : link(way[at], way[at + 1])
      guard let one, let two else { continue }
      let (a, b) = (range(one, way[at]), range(two, way[at]))
      guard !a.overlaps(b) else { continue }
      let gap = a.upperBound < b.lowerBound ? a.upperBound...b.lowerBound : b.upperBound...a.lowerBound
      let length = clamped(gap.upperBound, minus: gap.lowerBound)
      if length > best?.length ?? -1 { best = (host(of: way[at]), gap, length) }
    }
    return best.map { ($0.host, $0.range) }
  }

  // MARK: Evidence

  /// When there is evidence of how a node's clock relates to the reference, in its own clock: while links that agree
  /// with the tree lead to nodes that were reached before, and as long as there is evidence of those.
  func evidence(of node: Int) -> ClosedRange<Int64>? {
    var found: ClosedRange<Int64>?
    for index in links.indices where links[index].first == node || links[index].second == node {
      let (link, isSecond) = (links[index], links[index].second == node)
      guard contradiction(index) == nil else { continue }
      // What is known worse does not vouch for what is known well.
      guard index == nodes[node]?.link || link.stretch.uncertainty <= max(ClockGraph.leastPrecision, nodes[node]?.bound ?? 0) else { continue }
      var range = link.stretch.range(isSecond)
      let other = isSecond ? link.first : link.second
      if let own = nodes[node], own.link >= 0 {
        guard let before = nodes[other], before.order < own.order else { continue }
        if before.link >= 0 {
          guard let known = evidence(of: other) else { continue }
          let (from, to) = (link.stretch.across(known.lowerBound, toSecond: isSecond), link.stretch.across(known.upperBound, toSecond: isSecond))
          guard from <= to, range.lowerBound <= to, range.upperBound >= from else { continue }
          range = max(range.lowerBound, from)...min(range.upperBound, to)
        }
      }
      found = found.map { min($0.lowerBound, range.lowerBound)...max($0.upperBound, range.upperBound) } ?? range
    }
    return found
  }

  /// Bound of a node's offset at an own time, in nanoseconds, though a clock was set at another time and no frame shows
  /// it; nil where evidence of that time is missing.
  func bound(of number: Int, at time: Int64) -> Int64? {
    guard let node = nodes[number] else { return nil }
    guard node.link >= 0 else { return 0 }
    let link = links[node.link]
    let isSecond = link.second == number
    let there = link.stretch.across(time, toSecond: !isSecond)
    guard let own = halves[node.link]?.bound(at: isSecond ? there : time), let before = bound(of: node.parent, at: there) else { return nil }
    return clamped(before, plus: max(own, link.stretch.uncertainty))
  }

  /// Some of the own times at which a node was heard, from one to another.
  func times(of number: Int, _ from: Int64, _ to: Int64) -> [Int64] {
    guard let node = nodes[number], node.link >= 0 else { return [] }
    let isSecond = links[node.link].second == number
    let all = links[node.link].stretch.points.map { isSecond ? $0.second : $0.first }.filter { from <= $0 && $0 <= to }.sorted()
    return stride(from: 0, to: all.count, by: max(1, all.count / ClockGraph.tried)).map { all[$0] }
  }
}

extension PairEstimate.Stretch {
  /// What one of the two clocks shows when the other shows a time.
  func across(_ time: Int64, toSecond: Bool) -> Int64 {
    toSecond
      ? clamped(time, plus: line.offset(at: time))
      : clamped(time, minus: line.offset(at: clamped(time, minus: line.offset(at: time))))
  }
}

extension ClockPiece {
  // A pair's line runs over the first host's clock and tells the second's minus the first's.

  /// The second host's clock against the first's.
  fileprivate var overSecond: ClockPiece {
    ClockPiece(
      origin: clamped(origin, plus: offset), offset: offset, rate: rate / (1 + rate),
      first: clamped(first, plus: offset(at: first)), last: clamped(last, plus: offset(at: last)))
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
