import Observations
import Verification

/// The offsets between hosts' clocks under noise. The recorded hosts are one machine with one clock.
struct ClockTruth {
  /// What a host's clock shows at a true time, in nanoseconds.
  typealias Clock = (Int64) -> Int64

  private let span: ClosedRange<Int64>
  private let clocks: [String: Clock]?

  init(_ noise: Noise, _ plain: RecordedBundle) { self.init(span: plain.span, clocks: noise.clocks(of: plain)) }

  /// - Parameter clocks: by host; those that are not named show the true time. nil where noise leaves all clocks alone.
  init(span: ClosedRange<Int64>, clocks: [String: Clock]?) {
    self.span = span
    self.clocks = clocks
  }

  private func shown(_ host: String, at time: Int64) -> Int64 { clocks?[host]?(time) ?? time }

  /// How far a host's clock is ahead at a true time.
  private func ahead(_ host: String, at time: Int64) -> Int64 { shown(host, at: time) - time }

  /// The true times at which a host's clock shows a time: one that was set back shows some twice. Of a time that a
  /// clock never showed because it was set forward past it, the moments before and after.
  private func times(_ host: String, showing time: Int64) -> [Int64] {
    let guesses = [span.lowerBound, (span.lowerBound + span.upperBound) / 2, span.upperBound].map {
      let guess = time - ahead(host, at: $0)
      return time - ahead(host, at: guess)
    }
    let found = guesses.filter { abs(shown(host, at: $0) - time) < 1_000_000 }
    guard found.isEmpty else { return found }
    var (before, after) = (span.lowerBound, span.upperBound)
    guard shown(host, at: before) < time, shown(host, at: after) > time else { return [] }
    while after - before > 1 {
      let half = before + (after - before) / 2
      if shown(host, at: half) < time { before = half } else { after = half }
    }
    return [before, after]
  }

  /// How far a host's clock may be ahead of another when it shows a time.
  private func offsets(_ clock: ClockSummary, at time: Int64) -> [Int64] {
    times(clock.host, showing: time).map { at in
      // Of the reference itself some time is told against the rest.
      ahead(clock.host, at: at) - (clock.host == clock.reference ? 0 : ahead(clock.reference, at: at))
    }
  }

  /// What is stated and not so, in words.
  func wrong(_ report: Report) -> [String] { clocks == nil ? [] : report.clocks.flatMap(wrong) }

  func wrong(_ clock: ClockSummary) -> [String] { wrongOffset(clock) + wrongSteps(clock) }

  private func wrongOffset(_ clock: ClockSummary) -> [String] {
    guard clock.reference != clock.host, clock.uncertainty < .max, let at = clock.at else { return [] }
    let truths = offsets(clock, at: at)
    // Recorded stamps are whole microseconds.
    guard !truths.contains(where: { clamped(abs($0 - clock.offset), minus: 2000) <= clock.uncertainty }) else { return [] }
    let steps = clock.steps.map { "\($0.size)" }.joined(separator: ", ")
    return [
      "\(clock.host) against \(clock.reference) \(clock.offset) ± \(clock.uncertainty) \(clock.grade), steps [\(steps)], truly \(truths)"
    ]
  }

  /// How far a host's clock was set in all, where it says that it was: not of those whose reference was set as well,
  /// for that is told of the reference. Of two hosts that nothing else tells of, either may be said to have been set.
  private func wrongSteps(_ clock: ClockSummary) -> [String] {
    func jump(_ host: String) -> Int64 { ahead(host, at: span.upperBound) - ahead(host, at: span.lowerBound) }
    guard !clock.steps.isEmpty, clock.host == clock.reference || abs(jump(clock.reference)) < 1_000_000 else { return [] }
    let stated = clock.steps.reduce(0) { $0 + $1.size }
    let bound = clock.steps.reduce(0) { clamped($0, plus: clamped($1.uncertainty, plus: 2000)) }
    let truth = jump(clock.host)
    let truths = [truth] + (clocks ?? [:]).keys.filter { $0 != clock.host }.map { -jump($0) }
    let isRight =
      clock.steps.contains(where: \.isLeast)
      ? truths.contains { clamped(abs(stated), minus: bound) <= abs($0) } : truths.contains { abs(stated - $0) <= bound }
    guard !isRight else { return [] }
    let steps = clock.steps.map { "\($0.isLeast ? "at least " : "")\($0.size) ± \($0.uncertainty)" }
    return ["\(clock.host) was set by \(truth) in all, not by \(steps)"]
  }
}
