import Clocks
import Correlation
import Observations

/// How far the times of two hosts may be held against each other.
///
/// What one host shows says nothing of what another lacks unless their clocks are known: aligned with one reference,
/// within a bound that leaves sightings of one frame together, and not being set just then.
struct ClockTrust: Sendable {
  /// Bounds wider than this could part the sightings of a frame, in nanoseconds.
  static var widest: Int64 { Correlator.sightingGap * 4 / 5 }

  /// How far clocks may be apart that nothing relates and that are taken as they are, in nanoseconds; and how long
  /// frames must be missed then.
  static var nominalSlack: Int64 { 250_000_000 }
  static var nominalSpan: Int64 { 2_000_000_000 }

  /// Around a setting of which the host's own frames tell, in nanoseconds.
  private static var leastMargin: Int64 { 50_000_000 }

  private struct Stretch: Sendable {
    /// In the reference clock.
    var first: Int64
    var last: Int64
    var bound: Int64
    var rateBound: Double

    /// The bound at a time, where no other stretch is nearer.
    func tell(_ time: Int64, _ nearest: inout (distance: Int64, bound: Int64)) {
      let distance = max(0, clamped(first, minus: time), clamped(time, minus: last))
      guard distance < nearest.distance else { return }
      nearest = (distance, clamped(bound, plus: clamped(rateBound * Double(distance))))
    }
  }
  private struct Host: Sendable {
    var reference: Int
    var isAligned: Bool
    var stretches: [Stretch]
    /// While the clock was set, or nothing tells of it, in the reference clock.
    var settings: [ClosedRange<Int64>]
    /// For each of the first of them: how far times about it may be off.
    var slips: [Int64]
  }
  private let hosts: [Host]
  /// By host: while its clock was set back, in the reference clock: of its own captures some may show that later than
  /// others.
  private let turns: [[ClosedRange<Int64>]]
  private let hasTurns: Bool
  private let hasJumps: Bool

  /// - Parameter clocks: of all hosts; empty where all are taken to agree.
  init(_ clocks: [HostClock]) {
    let hosts = clocks.map { clock in
      let pieces = clock.correction.pieces
      let stretches = pieces.indices.map { index in
        Stretch(
          first: pieces[index].toReference(pieces[index].first), last: pieces[index].toReference(pieces[index].last),
          bound: clock.bounds[index], rateBound: clock.rateBounds[index])
      }
      let settings = clock.correction.jumps.indices.map { index in
        let jump = Int64(clamping: clock.correction.jumps[index].magnitude)
        var (from, to) = (stretches[index].last, stretches[index + 1].first)
        // What the jump moves may come to lie on either side, where the host's own frames do not tell when it was.
        var margin = min(jump, 2 * Correlator.sightingGap)
        if let end = clock.correction.ends[index] {
          margin = min(jump, ClockTrust.leastMargin)
          if clock.correction.isSetBack(after: index) {
            from = max(from, min(pieces[index].toReference(end), to))
          } else {
            to = min(to, max(pieces[index + 1].toReference(end), from))
          }
        }
        return clamped(min(from, to), minus: margin)...clamped(max(from, to), plus: margin)
      }
      func known(_ time: Int64) -> Int64 {
        time == .min || time == .max ? time : clock.correction.toReference(time)
      }
      let doubts = clock.doubts.map { range in
        let (from, to) = (known(range.lowerBound), known(range.upperBound))
        return min(from, to)...max(from, to)
      }
      return Host(
        reference: clock.reference, isAligned: clock.grade < .none, stretches: stretches, settings: settings + doubts,
        slips: clock.correction.jumps.indices.map { index in
          let jump = Int64(clamping: clock.correction.jumps[index].magnitude)
          // Where it was set by more than the time that it may have been in, each time tells on which side it lies, unless
          // it was shown twice.
          let isTwice = clock.correction.isSetBack(after: index) && clock.correction.ends[index] == nil
          return isTwice || jump <= clamped(settings[index].upperBound, minus: settings[index].lowerBound) ? jump : 0
        })
    }
    self.hosts = hosts
    turns = clocks.enumerated().map { number, clock in
      clock.correction.jumps.indices.filter {
        clock.correction.isSetBack(after: $0) && (clock.isVague || clock.correction.ends[$0] == nil)
      }.map {
        let (setting, margin) = (hosts[number].settings[$0], 2 * Correlator.sightingGap)
        var (from, to) = (setting.lowerBound, setting.upperBound)
        // A capture that does not go back may lie on either side where the clock showed the same times twice.
        let (before, after) = (clock.correction.pieces[$0], clock.correction.pieces[$0 + 1])
        let (first, last) = (max(before.first, after.first), min(before.last, after.last))
        if clock.isVague, first < last {
          from = min(from, before.toReference(first))
          to = max(to, after.toReference(last))
        }
        return clamped(from, minus: margin)...clamped(to, plus: margin)
      }
    }
    hasTurns = turns.contains { !$0.isEmpty }
    hasJumps = hosts.contains { !$0.slips.isEmpty }
  }

  /// How far the time between two moments of one host may be off, for its clock was set about one of them, in
  /// nanoseconds. In the reference clock.
  func slip(_ host: Int32, from: Int64, to: Int64) -> Int64 {
    guard hasJumps, host >= 0, Int(host) < hosts.count else { return 0 }
    var sum: Int64 = 0
    for (setting, slip) in zip(hosts[Int(host)].settings, hosts[Int(host)].slips) {
      if setting.contains(from) || setting.contains(to) { sum = clamped(sum, plus: slip) }
    }
    return sum
  }

  /// Whether a host's captures are sure to agree on a time: not while its clock was set back.
  func isOrdered(_ host: Int32, at time: Int64) -> Bool {
    guard hasTurns, host >= 0, Int(host) < turns.count else { return true }
    for turn in turns[Int(host)] where turn.contains(time) { return false }
    return true
  }

  /// Whether frames of both hosts are stamped in clocks that relate to each other.
  func relates(_ a: Int32, _ b: Int32) -> Bool {
    guard a != b, min(a, b) >= 0, Int(max(a, b)) < hosts.count else { return true }
    let (x, y) = (hosts[Int(a)], hosts[Int(b)])
    return x.reference == y.reference && x.isAligned && y.isAligned
  }

  /// How far a time of one host may be off in the clock of another, in nanoseconds; nil where that is not known well
  /// enough to miss a frame there. `time`: in the reference clock.
  func slack(_ a: Int32, _ b: Int32, at time: Int64) -> Int64? {
    guard a != b, min(a, b) >= 0, Int(max(a, b)) < hosts.count else { return 0 }
    guard relates(a, b), let x = bound(Int(a), at: time), let y = bound(Int(b), at: time) else { return nil }
    let both = clamped(x, plus: y)
    return both <= ClockTrust.widest ? both : nil
  }

  private func bound(_ host: Int, at time: Int64) -> Int64? {
    for setting in hosts[host].settings where setting.contains(time) { return nil }
    var nearest: (distance: Int64, bound: Int64) = (.max, 0)
    for stretch in hosts[host].stretches { stretch.tell(time, &nearest) }
    return nearest.bound
  }
}
