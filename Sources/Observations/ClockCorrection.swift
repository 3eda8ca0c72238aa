/// A stretch over which one host's clock runs evenly against the reference clock.
public struct ClockPiece: Sendable, Hashable, BitwiseCopyable {
  /// The own time at which `offset` holds, in nanoseconds since 1970.
  public var origin: Int64
  /// Own clock minus reference clock at `origin`, in nanoseconds.
  public var offset: Int64
  /// How much the offset grows per unit of own time; 1e-4 is a drift of 100 ppm.
  public var rate: Double
  /// First and last own time for which there is evidence.
  public var first: Int64
  public var last: Int64

  public init(origin: Int64, offset: Int64, rate: Double, first: Int64, last: Int64) {
    self.origin = origin
    self.offset = offset
    self.rate = rate
    self.first = first
    self.last = last
  }

  /// Own clock minus reference clock at an own time; held within 64 bits.
  @inlinable
  public func offset(at time: Int64) -> Int64 {
    guard rate != 0 else { return offset }
    return clamped(offset, plus: clamped(rate * Double(clamped(time, minus: origin))))
  }

  /// From what there is evidence for to an own time; 0 within, held within 64 bits.
  func distance(to time: Int64) -> Int64 { max(0, clamped(first, minus: time), clamped(time, minus: last)) }

  /// An own time in the reference clock; held within 64 bits.
  @inlinable
  public func toReference(_ time: Int64) -> Int64 { clamped(time, minus: offset(at: time)) }
}

/// How one host's clock becomes the reference clock: nothing to do, one even stretch, or several with
/// steps between them.
public struct ClockCorrection: Sendable, Hashable {
  /// In the order in which they happened. Where the clock was set back, their own times overlap.
  public private(set) var pieces: [ClockPiece] = []
  /// How far the clock jumped forward (or back, negative) after each piece but the last, in nanoseconds.
  public private(set) var jumps: [Int64] = []
  /// For each jump: the own time at which the clock was set forward, or the last that it showed before it was set
  /// back; nil where only the evidence before and after is known.
  public private(set) var ends: [Int64?] = []

  /// Less is no step: where two pieces meet, each is known only so well. In nanoseconds.
  public static var leastStep: Int64 { 1_000_000 }

  /// Whether the clock was set back after a piece.
  public func isSetBack(after index: Int) -> Bool { jumps[index] < -ClockCorrection.leastStep }

  public init() {}

  public init(_ pieces: [ClockPiece]) {
    self.pieces = pieces
    for (before, after) in zip(pieces, pieces.dropFirst()) {
      jumps.append(clamped(after.offset(at: after.first), minus: before.offset(at: before.last)))
    }
    ends = Array(repeating: nil, count: jumps.count)
  }

  /// Tells when the clock was set, as the host's own frames show it; one for each jump.
  public mutating func setEnds(_ ends: [Int64?]) {
    guard ends.count == jumps.count else { return }
    self.ends = ends
  }

  /// An own time in the reference clock. Of a time that the clock showed twice, the later; of one that nothing tells
  /// of, as the nearest evidence has it.
  public func toReference(_ time: Int64) -> Int64 {
    guard !pieces.isEmpty else { return time }
    var index = 0
    while index < jumps.count, time >= cut(after: index), !isNearer(index, than: index + 1, to: time) { index += 1 }
    return pieces[index].toReference(time)
  }

  /// The same, but of a time that the clock showed twice the first.
  public func toReferenceFirst(_ time: Int64) -> Int64 {
    guard let first = jumps.indices.first(where: { isSetBack(after: $0) && time <= ends[$0] ?? pieces[$0].last }),
      first == 0 || time >= cut(after: first - 1)
    else { return toReference(time) }
    return pieces[first].toReference(time)
  }

  /// The same, but of a time that the clock showed twice the last.
  public func toReferenceLast(_ time: Int64) -> Int64 {
    guard let last = jumps.indices.last(where: { isSetBack(after: $0) && time >= pieces[$0 + 1].first }),
      last == jumps.count - 1 || time < cut(after: last + 1)
    else { return toReference(time) }
    return pieces[last + 1].toReference(time)
  }

  /// Whether a piece before the clock was set back is nearer to a time than the piece after.
  private func isNearer(_ index: Int, than next: Int, to time: Int64) -> Bool {
    isSetBack(after: index) && pieces[index].distance(to: time) < pieces[next].distance(to: time)
  }

  /// The own time at which a piece ends, as well as evidence tells: the middle of what lies between it and the
  /// next, or, where the clock was set back, its first time after that.
  func cut(after index: Int) -> Int64 {
    if !isSetBack(after: index), let end = ends[index] { return end }
    let (last, next) = (pieces[index].last, pieces[index + 1].first)
    // The mean without overflow.
    return isSetBack(after: index) ? min(last, next) : (last & next) + ((last ^ next) >> 1)
  }
}

/// Reads the clock of one host along one capture: where the clock was set back, only the order of the
/// frames tells which of two equal times is meant.
public struct ClockCursor: Sendable, BitwiseCopyable {
  private var index = 0
  private var latest = Int64.min

  /// A capture that is in order by itself does not go back further than this, in nanoseconds.
  public static var disorder: Int64 { 300_000_000 }
  /// Nor does one of a single interface go back further than this; asked only where a clock is known to have been set
  /// back.
  public static var shortDisorder: Int64 { 50_000_000 }

  public init() {}

  /// The time of the capture's next frame in the reference clock.
  public mutating func toReference(_ time: Int64, _ correction: ClockCorrection) -> Int64 {
    guard index < correction.pieces.count else { return time }
    while index < correction.jumps.count, hasLeft(time, correction) {
      index += 1
      latest = time
    }
    latest = max(latest, time)
    // A frame written late, from before the clock was set forward.
    if index > 0, !correction.isSetBack(after: index - 1), time < correction.cut(after: index - 1) {
      return correction.pieces[index - 1].toReference(time)
    }
    return correction.pieces[index].toReference(time)
  }

  private func hasLeft(_ time: Int64, _ correction: ClockCorrection) -> Bool {
    let jump = correction.jumps[index]
    guard correction.isSetBack(after: index) else { return time >= correction.cut(after: index) }
    let back = Int64(clamping: jump.magnitude)
    if let end = correction.ends[index] {
      // Nothing before went beyond that; and what falls there was stamped after.
      if time > end { return true }
      let fall = min(back / 2, ClockCursor.shortDisorder)
      let least = clamped(clamped(end, minus: back), minus: fall)
      return latest != .min && latest >= least && time >= least && time < clamped(latest, minus: fall)
    }
    // A capture that was silent while the clock passed the same time again is past the end of the piece.
    return latest != .min && time < clamped(latest, minus: min(back / 2, ClockCursor.disorder))
      || time > clamped(correction.pieces[index].last, plus: back / 4)
  }
}

/// The sum, held within 64 bits.
@inlinable
public func clamped(_ a: Int64, plus b: Int64) -> Int64 {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? (a < 0 ? .min : .max) : sum
}

/// The difference, held within 64 bits.
@inlinable
public func clamped(_ a: Int64, minus b: Int64) -> Int64 {
  let (difference, overflow) = a.subtractingReportingOverflow(b)
  return overflow ? (a < 0 ? .min : .max) : difference
}

/// The nearest whole number, held within 64 bits; 0 for what is no number.
@inlinable
public func clamped(_ value: Double) -> Int64 {
  guard value > -9.2e18 else { return value.isNaN ? 0 : .min }
  return value < 9.2e18 ? Int64(value.rounded()) : .max
}
