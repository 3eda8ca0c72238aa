import CaptureFiles
import Deployment
import Observations

/// Where in a host's captures its clock was set.
///
/// Frames seen on two hosts tell that it was, and between which of them; the host's own frames tell when. A clock set
/// forward leaves a pause of that length in all that was stamped; one set back goes back in the files.
struct ClockTurns {
  /// For each jump of the correction: the own time at which the clock was set forward, or the last that it showed
  /// before it was set back. nil where the captures do not tell.
  private(set) var ends: [Int64?]

  init(of host: Int, _ correction: ClockCorrection, _ survey: SurveyResult, reach: Int) {
    ends = Array(repeating: nil, count: correction.jumps.count)
    var times: [[Int64]] = Array(repeating: [], count: correction.jumps.count)
    for source in survey.deployment.captures where source.host == host {
      guard var reader = try? CaptureReader(path: source.path) else { continue }
      var batch = FrameBatch()
      var read = 0
      /// By interface: the latest time so far.
      var latest: [Int: Int64] = [:]
      while read < reach, (try? reader.next(into: &batch)) ?? false {
        for frame in batch.frames {
          read += frame.capturedLength
          let before = latest[frame.interface]
          for index in ends.indices {
            let range = ClockTurns.doubtful(correction, index)
            if !correction.isSetBack(after: index) {
              if range.contains(frame.time), times[index].count < 1 << 20 { times[index].append(frame.time) }
            } else if let before, clamped(before, minus: frame.time) > ClockTurns.leastFall(correction.jumps[index]),
              range.contains(before)
            {
              ends[index] = max(ends[index] ?? .min, before)
            }
          }
          latest[frame.interface] = max(before ?? .min, frame.time)
        }
      }
    }
    for index in ends.indices where !correction.isSetBack(after: index) {
      ends[index] = ClockTurns.pause(times[index], correction.jumps[index])
    }
  }

  /// Own times between which the clock was set.
  private static func doubtful(_ correction: ClockCorrection, _ index: Int) -> ClosedRange<Int64> {
    let (last, next) = (correction.pieces[index].last, correction.pieces[index + 1].first)
    let size = Int64(clamping: correction.jumps[index].magnitude)
    // Evidence ends before the clock was set, and begins after it; set back, it shows the time in between twice.
    let far = !correction.isSetBack(after: index) ? max(last, next) : clamped(max(last, next), plus: clamped(size, plus: size))
    return min(last, far)...far
  }

  /// How far a file goes back at least where its clock did.
  private static func leastFall(_ jump: Int64) -> Int64 {
    min(Int64(clamping: jump.magnitude) / 2, ClockCursor.disorder)
  }

  /// The end of the one pause that is as long as the clock was set forward by; nil where there are several.
  private static func pause(_ times: [Int64], _ jump: Int64) -> Int64? {
    let sorted = times.sorted()
    // Drift and the bounds of the jump.
    let least = clamped(jump, minus: clamped(jump / 50, plus: 1_000_000))
    let ends = zip(sorted, sorted.dropFirst()).filter { clamped($1, minus: $0) >= least }.map(\.1)
    return ends.count == 1 ? ends.first : nil
  }
}
