import Observations

/// Notices sightings that two captures of one point show: the same file twice, rotated files that overlap, two
/// programs that captured at one interface. Each then counts once.
///
/// Two captures give one frame the same time, which the system stamps. Only what was read within the last seconds is
/// remembered, and only at points of which several captures are being read.
struct RepeatedSightings {
  private struct Key: Hashable {
    var digest: UInt64
    var time: Int64
    var point: UInt16
  }
  /// How long a sighting is remembered at least, in nanoseconds: captures are read side by side within less.
  private static var memory: Int64 { 4_000_000_000 }

  /// Captures of each point that are being read, or are about to be.
  private var live: [Int]
  /// Up to when captures of each point that have ended went.
  private var ended: [Int64]
  /// The capture that showed a sighting first.
  private var recent: [Key: UInt16] = [:]
  private var older: [Key: UInt16] = [:]
  private var turned = Int64.min

  init(points: Int) {
    live = Array(repeating: 0, count: points)
    ended = Array(repeating: .min, count: points)
  }

  /// Must come before any capture of the points is read as far as this one begins.
  mutating func begin(_ points: [Int]) {
    for point in points { live[point] += 1 }
  }

  mutating func end(_ points: [Int], at time: Int64) {
    for point in points {
      live[point] -= 1
      ended[point] = max(ended[point], time)
    }
  }

  /// Removes what another capture has shown already. Returns how much that was.
  mutating func remove(from observations: inout [Observation], of capture: Int) -> Int {
    guard observations.contains(where: { live[Int($0.point)] > 1 || $0.time <= ended[Int($0.point)] }) else { return 0 }
    let before = observations.count
    let own = UInt16(truncatingIfNeeded: capture)
    observations.removeAll { seen in
      let isShared = live[Int(seen.point)] > 1
      guard isShared || seen.time <= ended[Int(seen.point)] else { return false }
      let key = Key(digest: seen.digest, time: seen.time, point: seen.point)
      if let first = recent[key] ?? older[key] { return first != own }
      guard isShared else { return false }
      if turned == .min || clamped(seen.time, minus: turned) > Self.memory {
        swap(&recent, &older)
        recent.removeAll(keepingCapacity: true)
        turned = seen.time
      }
      recent[key] = own
      return false
    }
    return before - observations.count
  }
}
