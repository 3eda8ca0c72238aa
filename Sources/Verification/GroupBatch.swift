import Observations

/// Groups of equal frames that settled together, to be judged in the order of their time: what hosts know depends on
/// what reached them before.
public struct GroupBatch: Sendable {
  struct Entry: Sendable {
    var time: Int64
    var start: Int
    var count: Int
    var isPiece: Bool
  }

  private(set) var entries: [Entry] = []
  private(set) var observations: [Observation] = []
  private var isSorted = true

  public init() {}

  /// Takes a group of equal frames, sorted by time. `isPiece`: they were repeated without a pause, and this is a part.
  public mutating func add(_ group: [Observation], isPiece: Bool = false) {
    guard let first = group.first else { return }
    if let last = entries.last, first.time < last.time { isSorted = false }
    entries.append(Entry(time: first.time, start: observations.count, count: group.count, isPiece: isPiece))
    observations.append(contentsOf: group)
  }

  /// Puts the groups in the order of time; those of one time keep theirs.
  public mutating func sort() {
    guard !isSorted else { return }
    entries.sort { ($0.time, $0.start) < ($1.time, $1.start) }
    isSorted = true
  }

  public mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    observations.removeAll(keepingCapacity: true)
    isSorted = true
  }
}
