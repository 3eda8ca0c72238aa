import Observations

/// Flows of which stretches lost frames, and which flows have passed there: one that vanishes while others pass took
/// another path (ECMP, a bond's member), or something drops just that one.
///
/// Bounded: what has passed is a set of hashes, in which a lost flow may be taken for one that passed, never the other
/// way round; and of so many lost flows the rest is not looked at.
struct FlowLosses: Sendable {
  struct Loss: Sendable {
    var flow: UInt16
    var record = StretchRecord()
    /// Lost frames that the next point would have shown, and those that a second one would have, too; those between which
    /// it showed nothing count once: captures lose frames in bursts.
    var visibleTimes: UInt64 = 0
    var provenTimes: UInt64 = 0
    /// How many frames the point beyond had shown when one was lost.
    fileprivate var shown = UInt64.max
  }

  static let bound = 4096
  private static let words = 32

  private var hasPassed: [UInt64] = []
  /// By stretch.
  private var losses: [[Loss]] = []
  private(set) var count = 0
  private var places: [UInt64: Int] = [:]

  mutating func addStretch() {
    hasPassed.append(contentsOf: repeatElement(0, count: FlowLosses.words))
    losses.append([])
  }

  @inline(__always)
  private static func place(_ stretch: Int, _ flow: UInt16) -> (word: Int, bit: UInt64) {
    // The lowest bit of a flow's hash is always set.
    let hash = Int(flow >> 1) & (words * 64 - 1)
    return (stretch * words + hash >> 6, 1 << UInt64(hash & 63))
  }

  mutating func pass(_ stretch: Int, _ flow: UInt16) {
    let (word, bit) = FlowLosses.place(stretch, flow)
    hasPassed[word] |= bit
  }

  /// - Parameters:
  ///   - points: how many points further on would have shown the frame.
  ///   - shown: how many frames the point beyond has shown before.
  mutating func lose(
    _ stretch: Int, _ trajectory: UInt64, _ group: [Observation], _ index: Int, points: Int, shown: UInt64
  ) {
    let flow = group[index].flow
    guard flow != 0, points > 0 else { return }
    let key = UInt64(stretch) << 16 | UInt64(flow)
    let place: Int
    if let known = places[key] {
      place = known
    } else {
      guard count < FlowLosses.bound else { return }
      count += 1
      place = losses[stretch].count
      places[key] = place
      losses[stretch].append(Loss(flow: flow))
    }
    losses[stretch][place].record.note(trajectory, group, index, points: points, shown: shown, isProof: true)
    guard losses[stretch][place].shown != shown else { return }
    losses[stretch][place].shown = shown
    losses[stretch][place].visibleTimes += 1
    if points > 1 { losses[stretch][place].provenTimes += 1 }
  }

  /// The lost flows of a stretch of which no frame passed.
  func whole(on stretch: Int) -> [Loss] {
    losses[stretch].filter {
      let (word, bit) = FlowLosses.place(stretch, $0.flow)
      return hasPassed[word] & bit == 0
    }
  }
}
