/// The points at which one run through the pipeline could have gone several ways. A run is repeated with each
/// combination: what all runs have in common is certain, the rest may be.
struct Choices {
  /// More combinations than these are not followed.
  static let mostRuns = 64
  /// Actions and copies of one frame, in all runs together; and those of its copies that leave.
  static let mostSteps = 1 << 18
  static let mostExits = 1 << 16

  private var taken: [UInt8] = []
  private var widths: [UInt8] = []
  private var position = 0
  private(set) var runs = 0
  private(set) var steps = 0
  private var exitsBefore = 0

  /// The way to take at the next point, below `count`.
  mutating func choose(_ count: UInt8) -> UInt8 {
    if position == taken.count {
      taken.append(0)
      widths.append(count)
    }
    defer { position += 1 }
    return taken[position]
  }

  /// Counts a step of a run that has led to so many exits yet.
  /// - Returns: false where the frame has taken more than is followed.
  mutating func affordStep(exits: Int) -> Bool {
    steps += 1
    return steps <= Choices.mostSteps && exitsBefore + exits <= Choices.mostExits
  }

  mutating func finish(exits: Int) { exitsBefore += exits }

  /// Sets out on the next combination.
  /// - Returns: false where there is none left.
  mutating func advance() -> Bool {
    runs += 1
    position = 0
    while let last = taken.last, last + 1 >= widths[taken.count - 1] {
      taken.removeLast()
      widths.removeLast()
    }
    guard !taken.isEmpty else { return false }
    taken[taken.count - 1] += 1
    return true
  }
}
