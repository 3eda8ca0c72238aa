import CaptureFiles
import Correlation
import Deployment
import Dispatch
import Observations
import Synchronization
import Verification
import Wire

/// What was read in one go, in the order in which it is judged.
private struct Portion: Sendable {
  var observations: [Observation] = []
  /// Of the same capture, where superframes are about.
  var segments: [SegmentRecord] = []
  var hasSuperframes = false
  /// New times that points cover, by point.
  var spans: [PointSpan] = []
  /// No capture will show a frame from before.
  var watermark: Int64?
  var bytesRead: UInt64 = 0
  var frames: UInt64 = 0
  /// At the end of all captures.
  var outcomes: [CaptureOutcome]?
}

/// What is judged in one go.
private struct Settled: Sendable {
  var groups = GroupBatch()
  var spans: [PointSpan] = []
  var bytesRead: UInt64 = 0
  var frames: UInt64 = 0
  /// At the end of all captures.
  var outcomes: [CaptureOutcome]?
}

/// Reads all captures of a run side by side in the order of their time, and hands on the sightings of each
/// frame once they are complete.
///
/// One thread reads and decodes, one correlates, the caller's judges. What is judged, and in which order, does not
/// depend on how they are scheduled.
enum Replay {
  /// How far frames of one file may be out of order, in nanoseconds.
  static var disorder: Int64 { 500_000_000 }
  /// How far captures are read beyond the one that has come least far, in nanoseconds.
  private static var lead: Int64 { 1_000_000_000 }
  /// How many portions are read ahead.
  private static var ahead: Int { 8 }

  /// Most frames that are read of a capture at a time, and that are read ahead of all captures together.
  private static var batch: Int { 4096 }
  private static var mostAhead: Int { 1 << 16 }

  /// Runs to the end of all captures.
  static func run(
    _ survey: SurveyResult, filter: FrameFilter?, progress: ((_ bytes: UInt64, _ frames: UInt64) -> Void)?,
    run: inout VerificationRun
  ) -> [CaptureOutcome] {
    let portions = Handover<Portion>(capacity: ahead)
    let settled = Handover<Settled>(capacity: ahead)
    let spare = Spares<[Observation]>()
    let spareGroups = Spares<GroupBatch>()
    // Threads of their own: the caller's may belong to a pool that has no other.
    DispatchQueue(label: "lanecheck.reading").async { read(survey, filter, portions, spare) }
    DispatchQueue(label: "lanecheck.correlating").async { correlate(survey, portions, spare, settled, spareGroups) }
    while true {
      var next = settled.take()
      for span in next.spans {
        run.setSpan(point: span.point, first: span.first, last: span.last, holes: span.holes)
      }
      run.judge(next.groups)
      next.groups.removeAll()
      spareGroups.put(next.groups)
      progress?(next.bytesRead, next.frames)
      if let outcomes = next.outcomes { return outcomes }
    }
  }

  private static func correlate(
    _ survey: SurveyResult, _ portions: Handover<Portion>, _ spare: Spares<[Observation]>,
    _ results: Handover<Settled>, _ spareGroups: Spares<GroupBatch>
  ) {
    // A frame shows at most twice at a guest's point; a flood shows at its sender once for each peer.
    var correlator = Correlator(largest: max(256, 8 * survey.plan.points.count))
    var joiner = SegmentJoiner(longestFrame: survey.plan.longestFrame)
    var isOver = false
    while !isOver {
      var portion = portions.take()
      correlator.add(portion.observations)
      portion.observations.removeAll(keepingCapacity: true)
      spare.put(portion.observations)
      if portion.hasSuperframes { joiner.activate() }
      joiner.add(portion.segments)
      isOver = portion.outcomes != nil
      var result = Settled(groups: spareGroups.take() ?? GroupBatch())
      if let watermark = isOver ? .max : portion.watermark {
        correlator.close(before: watermark) {
          if joiner.isActive { joiner.add($0, isPiece: $1) } else { result.groups.add($0, isPiece: $1) }
        }
        joiner.settle(before: watermark) { result.groups.add($0, isPiece: $1) }
        result.groups.sort()
      }
      result.spans = portion.spans
      result.bytesRead = portion.bytesRead
      result.frames = portion.frames
      result.outcomes = portion.outcomes
      results.give(result)
    }
  }

  private static func read(
    _ survey: SurveyResult, _ filter: FrameFilter?, _ portions: Handover<Portion>, _ spare: Spares<[Observation]>
  ) {
    var streams: [Box] = []
    for index in survey.deployment.captures.indices {
      streams.append(Box(CaptureStream(index, survey, filter: filter)))
    }
    var repeats = RepeatedSightings(points: survey.plan.points.count)
    var isMarked = Array(repeating: false, count: streams.count)
    var buffer = FrameBatch()
    var begun = 0
    var bytesRead: UInt64 = 0
    var frames: UInt64 = 0
    var hasSuperframes = survey.plan.hasSuperframes
    func portion(of index: Int, until horizon: Int64) -> Portion {
      let stream = streams[index]
      var portion = Portion()
      portion.observations = spare.take() ?? []
      let before = (stream.value.bytesRead, stream.value.builder.counts.frames, stream.value.hasBegun)
      for other in streams.indices where !isMarked[other] && streams[other].value.reached <= horizon {
        isMarked[other] = true
        repeats.begin(streams[other].value.points)
      }
      let limit = max(256, min(batch, mostAhead / max(1, begun)))
      stream.value.read(until: horizon, limit: limit, into: &portion.observations, using: &buffer)
      if stream.value.hasBegun, !before.2 { begun += 1 }
      if !hasSuperframes, stream.value.builder.metSuperframe {
        hasSuperframes = true
        for other in streams { other.value.keepSegments() }
      }
      portion.hasSuperframes = hasSuperframes
      if hasSuperframes { portion.segments = stream.value.takeSegments() }
      let repeated = repeats.remove(from: &portion.observations, of: index)
      if repeated > 0 { stream.value.noteRepeated(repeated) }
      if !stream.value.isOpen {
        begun -= 1
        repeats.end(stream.value.points, at: stream.value.last ?? .min)
      }
      bytesRead &+= stream.value.bytesRead - before.0
      frames &+= stream.value.builder.counts.frames - before.1
      portion.bytesRead = bytesRead
      portion.frames = frames
      return portion
    }
    // Captures whose beginning is not known are read first.
    for index in streams.indices where streams[index].value.reached == .min {
      portions.give(portion(of: index, until: .min))
    }
    var changed = PointSpan.all(streams)
    while let next = furthestBehind(streams) {
      var horizon = Int64.max
      for (index, stream) in streams.enumerated() where index != next && stream.value.isOpen {
        let (time, isBeyond) = stream.value.reached.addingReportingOverflow(lead)
        if !isBeyond { horizon = min(horizon, time) }
      }
      let wasFresh = !streams[next].value.hasBegun
      var portion = portion(of: next, until: horizon)
      if !streams[next].value.isOpen || wasFresh { changed = PointSpan.all(streams) }
      swap(&portion.spans, &changed)
      changed.removeAll()
      let watermark = streams.reduce(Int64.max) { $1.value.isOpen ? min($0, $1.value.reached) : $0 }
      if watermark > .min + disorder * 2 { portion.watermark = watermark &- disorder }
      portions.give(portion)
    }
    var end = Portion()
    end.spans = changed
    end.bytesRead = bytesRead
    end.frames = frames
    end.outcomes = streams.map { $0.value.outcome }
    portions.give(end)
  }

  /// The open capture that has come least far.
  private static func furthestBehind(_ streams: [Box]) -> Int? {
    var best: Int?
    for index in streams.indices where streams[index].value.isOpen {
      if let chosen = best, streams[chosen].value.reached <= streams[index].value.reached { continue }
      best = index
    }
    return best
  }

  /// A capture stream that lies in an array.
  final class Box {
    var value: CaptureStream
    init(_ value: consuming CaptureStream) { self.value = value }
  }
}

/// Emptied storage on its way back to be filled again.
private final class Spares<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])

  func put(_ value: Value) { values.withLock { $0.append(value) } }

  func take() -> Value? { values.withLock { $0.popLast() } }
}
