import Observations

/// One frame seen leaving one host and arriving at another, each in the host's own clock.
public struct ClockSample: Sendable, Hashable, BitwiseCopyable {
  /// Indices of the hosts.
  public var sender: Int
  public var receiver: Int
  /// Nanoseconds since 1970.
  public var sent: Int64
  public var received: Int64

  public init(sender: Int, receiver: Int, sent: Int64, received: Int64) {
    self.sender = sender
    self.receiver = receiver
    self.sent = sent
    self.received = received
  }
}

/// How well two clocks are known against each other, best first.
public enum ClockGrade: Int, Sendable, Comparable, CaseIterable, CustomStringConvertible {
  /// Frames both ways bound the offset from both sides, and nearly all agree.
  case accurate
  /// Both ways, but a straight line fits only with some tolerance, or many samples had to be dropped.
  case approximate
  /// Frames one way only: the bound rests on how long a frame may take at most.
  case oneDirection
  /// No frame was seen on both.
  case none
  /// What was seen contradicts itself.
  case failed

  public static func < (a: ClockGrade, b: ClockGrade) -> Bool { a.rawValue < b.rawValue }

  public var description: String {
    switch self {
    case .accurate: "accurate"
    case .approximate: "approximate"
    case .oneDirection: "one direction only"
    case .none: "none"
    case .failed: "failed"
    }
  }
}

/// A clock that was set while it was watched.
public struct ClockStep: Sendable, Hashable {
  /// Last own time known to lie before the step and first known to lie after it, in nanoseconds since 1970.
  public var before: Int64
  public var after: Int64
  /// How far the clock jumped forward (back: negative), and the bound of that either way, in nanoseconds.
  public var size: Int64
  public var uncertainty: Int64
  /// It was more: how long nothing was captured about then is not known.
  public var isLeast = false

  public init(before: Int64, after: Int64, size: Int64, uncertainty: Int64, isLeast: Bool = false) {
    self.before = before
    self.after = after
    self.size = size
    self.uncertainty = uncertainty
    self.isLeast = isLeast
  }
}

/// What the traffic between two hosts tells of their clocks.
public struct PairEstimate: Sendable, Hashable {
  /// Hosts; `first` < `second`.
  public var first: Int
  public var second: Int
  public var grade: ClockGrade
  /// Samples of both directions that were used, and those that contradicted the majority.
  public var used = 0
  public var rejected = 0
  /// The even stretches, in order of time.
  public var stretches: [Stretch] = []
  /// Whether a few samples before the first stretch, or after the last, fit nothing: a clock may have been set there.
  var isOpenBefore = false
  var isOpenAfter = false

  public init(first: Int, second: Int, grade: ClockGrade) {
    self.first = first
    self.second = second
    self.grade = grade
  }

  /// Whether so many frames both ways lie on one line that they cannot have been matched by chance.
  public var isUnmistakable: Bool { grade == .accurate && stretches.count == 1 && used >= 16 }

  /// From the first to the last sample, in either clock; used or not.
  private var seenByFirst: ClosedRange<Int64> = 0...0
  private var seenBySecond: ClosedRange<Int64> = 0...0

  /// Whether a time of the second host, or the first, lies among the samples.
  public func covers(_ time: Int64, ofSecond: Bool) -> Bool { (ofSecond ? seenBySecond : seenByFirst).contains(time) }

  /// Notes all samples of the pair; at least one.
  mutating func note(_ points: [PairPoint]) {
    let (firsts, seconds) = (points.map(\.first), points.map(\.second))
    seenByFirst = (firsts.min() ?? 0)...(firsts.max() ?? 0)
    seenBySecond = (seconds.min() ?? 0)...(seconds.max() ?? 0)
  }

  /// Less is better: what an order of the samples makes hard to explain.
  var disorder: Int {
    grade == .failed ? .max : rejected + max(PairEstimator.fewest, (used + rejected) / 16) * stretches.count
  }

  /// The second host's clock minus the first's, as a line over the first's.
  public struct Stretch: Sendable, Hashable {
    /// In the first host's clock.
    public var line: ClockPiece
    /// The offset is within this, in nanoseconds, at any time from `line.first` to `line.last`.
    public var uncertainty: Int64
    /// The drift is within this, as a fraction.
    public var rateUncertainty: Double
    public var grade: ClockGrade
    var points: [PairPoint]

    /// The offset where evidence begins and ends.
    var startOffset: Int64 { line.offset(at: line.first) }
    var endOffset: Int64 { line.offset(at: line.last) }

    /// When there is evidence, in one of the two clocks.
    func range(_ ofSecond: Bool) -> ClosedRange<Int64> { ofSecond ? second : first }
    private var first: ClosedRange<Int64>
    private var second: ClosedRange<Int64>

    /// - Parameter points: at least one.
    init(_ fit: LineFit, grade: ClockGrade, points: [PairPoint]) {
      line = fit.line
      uncertainty = clamped(fit.uncertainty.rounded(.up))
      rateUncertainty = fit.rateUncertainty
      self.grade = grade
      self.points = points
      let (a, b) = (points.first?.first ?? 0, points.first?.second ?? 0)
      first = points.reduce(a...a) { $0.contains($1.first) ? $0 : min($0.lowerBound, $1.first)...max($0.upperBound, $1.first) }
      second = points.reduce(b...b) { $0.contains($1.second) ? $0 : min($0.lowerBound, $1.second)...max($0.upperBound, $1.second) }
    }

    /// How long evidence lasts, in nanoseconds of the first host's clock.
    public var span: Int64 { clamped(line.last, minus: line.first) }
  }
}

/// How one host's clock relates to that of the reference host.
public struct HostClock: Sendable, Hashable {
  public var host: Int
  /// The host whose clock is the reference: of the whole run, or, for hosts out of reach, of those that see each
  /// other.
  public var reference: Int
  /// The worst on the way to the reference host; `accurate` for that one itself.
  public var grade: ClockGrade = .accurate
  public var correction = ClockCorrection()
  /// For each piece of the correction: bound of the offset either way, in nanoseconds.
  public var bounds: [Int64] = []
  /// For each piece: bound of the drift either way, as a fraction.
  public var rateBounds: [Double] = []
  public var steps: [ClockStep] = []
  /// Pieces of the correction of which only the order of frames tells.
  var guessed: Set<Int> = []
  /// Own times at which nothing tells how the clock relates to others.
  public var doubts: [ClosedRange<Int64>] = []
  /// The clock was set back, and not all captures of the host show when.
  public var isVague = true

  public init(host: Int, reference: Int) {
    self.host = host
    self.reference = reference
  }

  /// A time of this host in the reference clock; held within 64 bits.
  public func toReference(_ time: Int64) -> Int64 { correction.toReference(time) }

  /// Where the clock is known best, as a piece of the correction, an own time, and the bound of the offset then, though
  /// a clock was set at another time that no frame shows; nil where that is not known.
  var best: (piece: Int, time: Int64, bound: Int64)? {
    get { bestPiece >= 0 ? (bestPiece, bestTime, bestBound) : nil }
    set { (bestPiece, bestTime, bestBound) = newValue ?? (-1, 0, 0) }
  }
  private var bestPiece = -1
  private var bestTime: Int64 = 0
  private var bestBound: Int64 = 0

  /// This host's clock minus the reference's at `offsetTime`, in nanoseconds.
  public var offset: Int64 { offsetTime.map { time in main.map { correction.pieces[$0].offset(at: time) } ?? 0 } ?? 0 }

  /// When frames around tell the offset best, else the middle of the longest stretch, in the own clock; nil where there
  /// is none.
  public var offsetTime: Int64? {
    main.map { $0 == bestPiece ? bestTime : middle(correction.pieces[$0].first, correction.pieces[$0].last) }
  }

  /// Bound of the offset at `offsetTime` and of all stretches, in nanoseconds; `max` where nothing is known.
  public var offsetUncertainty: Int64 { max(uncertainty, bestBound) }

  /// Drift over the stretch of `offsetTime`, in parts per billion, and its bound either way.
  public var drift: Int64 { main.map { clamped(correction.pieces[$0].rate * 1e9) } ?? 0 }
  public var driftUncertainty: Int64 { main.map { clamped(rateBounds[$0] * 1e9) } ?? 0 }

  /// Bound of the offset either way, in nanoseconds, over all stretches; `max` where nothing is known.
  public var uncertainty: Int64 { grade >= .none ? .max : bounds.max() ?? 0 }

  /// The same at one own time; it grows with the distance from the evidence.
  public func uncertainty(at time: Int64) -> Int64 {
    guard grade < .none else { return .max }
    guard let index = bounds.indices.min(by: { distance($0, time) < distance($1, time) }) else { return 0 }
    return clamped(bounds[index], plus: clamped(rateBounds[index] * Double(distance(index, time))))
  }

  private func distance(_ index: Int, _ time: Int64) -> Int64 {
    let piece = correction.pieces[index]
    return max(0, clamped(piece.first, minus: time), clamped(time, minus: piece.last))
  }

  private var main: Int? {
    let pieces = correction.pieces
    if pieces.indices.contains(bestPiece) { return bestPiece }
    func length(_ index: Int) -> Int64 { clamped(pieces[index].last, minus: pieces[index].first) }
    return pieces.indices.max { (length($0), $1) < (length($1), $0) }
  }
}

/// The mean without overflow.
public func middle(_ a: Int64, _ b: Int64) -> Int64 { (a & b) + ((a ^ b) >> 1) }
