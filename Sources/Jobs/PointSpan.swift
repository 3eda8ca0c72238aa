import Deployment
import Observations

/// The time that the captures of one point cover, in the reference clock.
struct PointSpan: Sendable {
  var point: Int
  var first: Int64
  /// `max` while a capture of the point is still being read.
  var last: Int64
  /// Between captures that follow each other with a pause, in order: a file may be missing there.
  var holes: [ClosedRange<Int64>] = []

  /// A pause between two files that are not numbered one after the other, from which on one may be missing.
  private static var longestPause: Int64 { 1_000_000_000 }

  /// Of all points that were captured.
  static func all(_ streams: [Replay.Box]) -> [PointSpan] {
    var pieces: [Int: [(first: Int64, last: Int64, sequence: Int?)]] = [:]
    for stream in streams {
      guard let first = stream.value.first else { continue }
      let last = stream.value.isOpen ? Int64.max : stream.value.last ?? first
      for point in stream.value.points {
        // Of a file that has not begun the end is not known, and no other begins after it without a hole.
        pieces[point, default: []].append((first, stream.value.hasBegun ? last : .max, stream.value.source.sequence))
      }
    }
    return pieces.keys.sorted().compactMap { point in
      let sorted = (pieces[point] ?? []).sorted { ($0.first, $0.last) < ($1.first, $1.last) }
      guard var latest = sorted.first else { return nil }
      let interval = interval(sorted.map(\.first), isNumbered: sorted.contains { $0.sequence != nil })
      var span = PointSpan(point: point, first: latest.first, last: latest.last)
      for piece in sorted.dropFirst() {
        if piece.first > latest.last, clamped(piece.first, minus: latest.last) > longestPause,
          !follows(piece.sequence, after: latest.sequence),
          interval.map({ clamped(piece.first, minus: latest.first) >= $0 / 2 * 3 }) ?? true
        {
          span.holes.append(latest.last...piece.first)
        }
        if piece.last >= latest.last { latest = piece }
      }
      span.last = latest.last
      return span
    }
  }

  /// How long each of several files lasts at least that were rotated by time (`tcpdump -G`): a next one begins with the
  /// first frame after that. Where one begins sooner than two would take, none lay in between. nil where that is not
  /// known.
  private static func interval(_ starts: [Int64], isNumbered: Bool) -> Int64? {
    guard !isNumbered, starts.count > 2 else { return nil }
    return zip(starts, starts.dropFirst()).map { clamped($1, minus: $0) }.min()
  }

  /// Whether the number of a rotated file is the next; a ring begins anew.
  private static func follows(_ next: Int?, after number: Int?) -> Bool {
    guard let next, let number else { return false }
    return next == 0 || next == 1 && number > 1 || next - 1 == number
  }
}
