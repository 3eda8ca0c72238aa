import Observations

/// Which host's clock was set, where pairs of hosts show that one of two was.
extension ClockGraph {
  private struct Break {
    var pair: Int
    var stretch: Int
    /// How far the second host's clock jumps against the first's.
    var jump: Int64
    var bound: Int64
  }

  /// Between which own times of a host a pair's stretches change, and whether its clock shows that time twice.
  private func range(_ place: Break, of host: Int) -> (range: ClosedRange<Int64>, isBack: Bool) {
    let ofSecond = pairs[place.pair].second == host
    let stretches = pairs[place.pair].stretches
    let (before, after) = (stretches[place.stretch].range(ofSecond), stretches[place.stretch + 1].range(ofSecond))
    let (from, to) = (before.upperBound, after.lowerBound)
    return (min(from, to)...max(from, to), to < from)
  }

  mutating func attribute() {
    var breaks: [Break] = []
    for (number, pair) in pairs.enumerated() where pair.grade < .none {
      for at in pair.stretches.indices.dropLast() {
        let (before, after) = (pair.stretches[at], pair.stretches[at + 1])
        breaks.append(
          Break(
            pair: number, stretch: at, jump: clamped(after.startOffset, minus: before.endOffset),
            bound: clamped(clamped(before.uncertainty, plus: after.uncertainty), plus: 2_000_000)))
      }
    }
    // What is known of a host already explains what its pairs show then.
    for host in 0..<hosts {
      for cut in cuts[host].indices {
        breaks.removeAll { place in
          guard pairs[place.pair].first == host || pairs[place.pair].second == host else { return false }
          let seen = range(place, of: host)
          guard seen.range.overlaps(cuts[host][cut].range) else { return false }
          cuts[host][cut].shown[place.pair] = place.stretch
          return true
        }
      }
    }
    while !breaks.isEmpty {
      var best: (host: Int, cluster: [Int], range: ClosedRange<Int64>, score: Int)?
      for seed in breaks.indices {
        for host in [pairs[breaks[seed].pair].second, pairs[breaks[seed].pair].first] {
          let (cluster, range) = cluster(around: seed, host, breaks)
          var score = 2 * cluster.count - 2 * opposed(host, range, cluster.map { breaks[$0].pair }, breaks[seed])
          score += (cuts[host].isEmpty ? 0 : 1) - (wouldBeKnown(breaks[seed], host) ? 2 : 0)
          if score > best?.score ?? .min { best = (host, cluster, range, score) }
        }
      }
      guard let best else { break }
      var cut = Cut(range: best.range)
      for index in best.cluster { cut.shown[breaks[index].pair] = breaks[index].stretch }
      cuts[best.host].append(cut)
      for index in best.cluster.sorted(by: >) { breaks.remove(at: index) }
    }
    for host in 0..<hosts { cuts[host] = inOrder(cuts[host]) }
  }

  /// A host's cuts in order of time; where a clock showed the same time twice, as the pairs have it.
  func inOrder(_ list: [Cut]) -> [Cut] {
    list.sorted { a, b in
      for (pair, stretch) in a.shown.sorted(by: { $0.key < $1.key }) {
        if let other = b.shown[pair], other != stretch { return stretch < other }
      }
      return (a.range.lowerBound, a.range.upperBound) < (b.range.lowerBound, b.range.upperBound)
    }
  }

  /// How far a host's clock was set forward, if it was that one.
  private func jump(_ place: Break, of host: Int) -> Int64 {
    pairs[place.pair].second == host ? place.jump : clamped(0, minus: place.jump)
  }

  /// Whether a host's clock would have been set back, and its captures do not show that.
  private func wouldBeKnown(_ place: Break, _ host: Int) -> Bool {
    host < leastShown.count && clamped(jump(place, of: host), plus: place.bound) < clamped(0, minus: leastShown[host])
  }

  /// The breaks of a host's pairs that one setting of its clock explains.
  private func cluster(around seed: Int, _ host: Int, _ breaks: [Break]) -> ([Int], ClosedRange<Int64>) {
    var (range, isBack) = range(breaks[seed], of: host)
    var members = [seed]
    for index in breaks.indices where index != seed {
      let other = breaks[index]
      guard pairs[other.pair].first == host || pairs[other.pair].second == host,
        !members.contains(where: { breaks[$0].pair == other.pair })
      else { continue }
      let off = Int64(clamping: clamped(jump(other, of: host), minus: jump(breaks[seed], of: host)).magnitude)
      guard off <= clamped(other.bound, plus: breaks[seed].bound) else { continue }
      let (next, nextIsBack) = self.range(other, of: host)
      guard next.overlaps(range) else { continue }
      // What a clock shows twice is not narrowed.
      range =
        isBack || nextIsBack
        ? min(range.lowerBound, next.lowerBound)...max(range.upperBound, next.upperBound)
        : max(range.lowerBound, next.lowerBound)...min(range.upperBound, next.upperBound)
      isBack = isBack || nextIsBack
      members.append(index)
    }
    return (members, range)
  }

  /// How many other pairs of a host show that nothing happened then.
  private func opposed(_ host: Int, _ range: ClosedRange<Int64>, _ own: [Int], _ place: Break) -> Int {
    pairs.indices.count { index in
      let pair = pairs[index]
      guard pair.first == host || pair.second == host, !own.contains(index) else { return false }
      let (ofSecond, size) = (pair.second == host, jump(place, of: host))
      return pair.stretches.contains { stretch in
        let seen = stretch.range(ofSecond)
        guard seen.lowerBound < range.lowerBound, seen.upperBound > range.upperBound else { return false }
        return !stretch.allows(ofSecond ? size : clamped(0, minus: size), within: place.bound, around: range, ofSecond, leastDelay)
      }
    }
  }
}
