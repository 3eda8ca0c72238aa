import CaptureFiles
import Clocks
import Deployment
import Observations

/// Where the times of captures fall far back and stay there: their host's clock was set back.
///
/// The order of a capture's frames tells before and after, though both show the same times. All captures of a host were
/// stamped by one clock; what they show of it is put together, and each time is moved so far that all lie in the order
/// in which they happened.
struct ClockFolds {
  /// What is out of order in a capture of one interface lies no further back, and in one of several or of all, in
  /// nanoseconds.
  private static var leastFall: Int64 { ClockCursor.shortDisorder }
  private static var leastFallAmongSeveral: Int64 { 400_000_000 }
  /// A capture that falls back more often is in no order.
  private static var most: Int { 8 }
  /// A block of frames that was written late is no longer than this.
  private static var latestBlock: Int { 64 }
  /// Of a capture so many of the longest pauses are kept.
  private static var longestPauses: Int { 1024 }

  private struct Fall {
    /// The latest time before, and the first after.
    var before: Int64
    var after: Int64
  }
  private struct Capture {
    var host = 0
    var points: [Int] = []
    var leastFall = ClockFolds.leastFall
    var falls: [Fall] = []
    var latest = Int64.min
    var first = Int64.max
    /// Number of its host's turns before each of its stretches.
    var turns: [Int] = [0]
    /// The longest between frames, in no order.
    var pauses: [Int64] = []

    mutating func note(pause: Int64) {
      pauses.append(pause)
      if pauses.count >= 2 * ClockFolds.longestPauses { pauses = Array(pauses.sorted(by: >).prefix(ClockFolds.longestPauses)) }
    }

    var span: Int64 { latest > .min ? falls.reduce(clamped(latest, minus: first)) { clamped($0, plus: clamped($1.before, minus: $1.after)) } : 0 }

    /// A setting back of more than this is not likely to have passed while nothing was captured.
    var leastShown: Int64 {
      var left = span / 4
      for pause in pauses.sorted(by: >).prefix(ClockFolds.longestPauses) {
        left = clamped(left, minus: pause)
        if left < 0 { return clamped(leastFall, plus: pause) }
      }
      return clamped(leastFall, plus: pauses.min() ?? 0)
    }
  }
  private var captures: [Capture] = []
  /// By host, in order.
  private var turns: [[Fall]]
  /// Hosts of which some capture does not show when its clock was set back.
  private var vague: Set<Int> = []

  init(_ survey: SurveyResult) {
    turns = Array(repeating: [], count: survey.deployment.hosts.count)
    captures = survey.deployment.captures.indices.map { index in
      var capture = Capture()
      capture.host = survey.deployment.captures[index].host
      capture.points = survey.plan.points.indices.filter { survey.plan.points[$0].captures.contains(index) }
      if capture.points.count != 1 || capture.points.contains(where: { survey.plan.points[$0].kind == .any }) {
        capture.leastFall = ClockFolds.leastFallAmongSeveral
      }
      return capture
    }
  }

  /// How often a capture's time has fallen.
  func count(of capture: Int) -> UInt8 { UInt8(clamping: captures[capture].falls.count) }

  /// Reads on in a capture. For each frame, how often time had fallen before it.
  mutating func read(_ batch: FrameBatch, of index: Int) -> [UInt8] {
    var capture = captures[index]
    defer { captures[index] = capture }
    var result: [UInt8] = []
    result.reserveCapacity(batch.frames.count)
    var lateUntil = 0
    for (at, frame) in batch.frames.enumerated() {
      capture.first = min(capture.first, frame.time)
      if at >= lateUntil, capture.latest > .min, clamped(capture.latest, minus: frame.time) > capture.leastFall {
        if let end = ClockFolds.endOfLateBlock(batch, at, capture.latest, capture.leastFall) {
          lateUntil = end
        } else if capture.falls.count < ClockFolds.most {
          capture.falls.append(Fall(before: capture.latest, after: frame.time))
          capture.latest = frame.time
        }
      }
      if at >= lateUntil, frame.time > capture.latest {
        if capture.latest > .min { capture.note(pause: clamped(frame.time, minus: capture.latest)) }
        capture.latest = frame.time
      }
      result.append(UInt8(clamping: capture.falls.count))
    }
    return result
  }

  /// Where time is as late again as before, at a stroke.
  private static func endOfLateBlock(_ batch: FrameBatch, _ at: Int, _ latest: Int64, _ leastFall: Int64) -> Int? {
    let fall = clamped(latest, minus: batch.frames[at].time)
    let end = min(batch.frames.count, at + latestBlock)
    for index in (at + 1)..<max(at + 1, end) {
      let rise = clamped(batch.frames[index].time, minus: batch.frames[index - 1].time)
      if rise > fall / 4 * 3, clamped(latest, minus: batch.frames[index].time) < leastFall / 2 { return index }
    }
    return nil
  }

  // MARK: Turns

  /// Puts together what the captures of each host show. `leading`: points that are asked first.
  mutating func settle(leading: [Int]) {
    for host in turns.indices {
      let own = captures.indices.filter { captures[$0].host == host && captures[$0].latest > .min }
      let lead = own.filter { !captures[$0].points.allSatisfy { !leading.contains($0) } }
      let counts = (lead.isEmpty ? own : lead).map { captures[$0].falls.count == ClockFolds.most ? 0 : captures[$0].falls.count }
      guard let most = counts.max(), most > 0,
        let model = (lead.isEmpty ? own : lead).first(where: { captures[$0].falls.count == most })
      else { continue }
      var turns = captures[model].falls
      // Stretches of the host's time between its turns.
      var spans: [ClosedRange<Int64>] = []
      for number in 0...most {
        let from = number == 0 ? captures[model].first : turns[number - 1].after
        let to = number == most ? captures[model].latest : turns[number].before
        spans.append(min(from, to)...max(from, to))
      }
      for capture in own {
        if captures[capture].falls.count != most { vague.insert(host) }
        captures[capture].turns = ClockFolds.matched(captures[capture].falls, turns)
          ?? [ClockFolds.nearest(captures[capture].first, captures[capture].latest, spans)]
        for (number, fall) in captures[capture].falls.enumerated() where number + 1 < captures[capture].turns.count {
          let turn = captures[capture].turns[number + 1] - 1
          guard turns.indices.contains(turn) else { continue }
          turns[turn].before = max(turns[turn].before, fall.before)
          turns[turn].after = min(turns[turn].after, fall.after)
        }
      }
      self.turns[host] = turns
    }
  }

  /// Which turns a capture's falls are: for each of its stretches, how many turns came before; nil where it shows none.
  private static func matched(_ falls: [Fall], _ turns: [Fall]) -> [Int]? {
    guard !falls.isEmpty, falls.count <= turns.count else { return nil }
    var result: [Int] = []
    var next = 0
    for (number, fall) in falls.enumerated() {
      let last = turns.count - (falls.count - number)
      func overlap(_ turn: Fall) -> Int64 { clamped(min(turn.before, fall.before), minus: max(turn.after, fall.after)) }
      guard next <= last, let best = (next...last).max(by: { (overlap(turns[$0]), $1) < (overlap(turns[$1]), $0) }) else { return nil }
      if number == 0 { result.append(best) }
      result.append(best + 1)
      next = best + 1
    }
    return result
  }

  /// The stretch of a host's time that a capture without a fall lies in.
  private static func nearest(_ first: Int64, _ last: Int64, _ spans: [ClosedRange<Int64>]) -> Int {
    func overlap(_ span: ClosedRange<Int64>) -> Int64 {
      clamped(min(span.upperBound, last), minus: max(span.lowerBound, first))
    }
    return spans.indices.max { (overlap(spans[$0]), $1) < (overlap(spans[$1]), $0) } ?? 0
  }

  // MARK: Times

  private func size(_ turn: Fall) -> Int64 { clamped(clamped(turn.before, minus: turn.after), plus: 1) }

  /// A time of a capture as its host's clock would show it, had it never been set far back.
  func unfolded(_ time: Int64, capture: Int, fold: Int) -> Int64 {
    let own = captures[capture]
    let turns = turns[own.host]
    guard !turns.isEmpty else { return time }
    let count = own.turns[min(fold, own.turns.count - 1)]
    return turns.prefix(count).reduce(time) { clamped($0, plus: size($1)) }
  }

  /// By host: captures show that its clock was set back where it was by more than this, in nanoseconds.
  func leastShown(leading: [Int]) -> [Int64] {
    turns.indices.map { host in
      let own = captures.filter { $0.host == host && $0.latest > .min }
      let lead = own.filter { $0.points.contains(where: leading.contains) }
      let longest = lead.map(\.span).max() ?? 0
      // A capture in no order shows nothing.
      let telling = lead.filter { $0.span >= longest / 2 && $0.falls.count < ClockFolds.most }
      return telling.map(\.leastShown).min() ?? .max
    }
  }

  /// By host: unfolded times between which its clock was set back.
  var cuts: [[ClosedRange<Int64>]] {
    turns.map { turns in
      var moved: Int64 = 0
      return turns.map { turn in
        let from = clamped(turn.before, plus: moved)
        moved = clamped(moved, plus: size(turn))
        let to = clamped(turn.after, plus: moved)
        return min(from, to)...max(from, to)
      }
    }
  }

  /// Takes a clock that was estimated from unfolded times back to what the host's captures show.
  func fold(_ clock: inout HostClock) {
    let turns = turns[clock.host]
    guard !turns.isEmpty else { return }
    let cuts = cuts[clock.host]
    clock.isVague = vague.contains(clock.host)
    clock.fold(
      { time in
        guard time != .min, time != .max else { return 0 }
        return zip(cuts, turns).reduce(0) { time >= $1.0.upperBound ? clamped($0, plus: size($1.1)) : $0 }
      },
      end: { before, after in
        cuts.indices.first { before <= cuts[$0].lowerBound && after >= cuts[$0].upperBound }.map { turns[$0].before }
      })
  }
}
