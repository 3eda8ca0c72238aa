import CaptureFiles
import Correlation
import Deployment
import Dispatch
import Observations
import Synchronization
import Verification
import Wire

/// One capture being read: its frames come out as observations, batch by batch.
struct CaptureStream: ~Copyable {
  private var reader: CaptureReader?
  private var batch = FrameBatch()
  private(set) var builder: ObservationBuilder
  let source: CaptureSource
  /// Points that frames of this capture may belong to.
  let points: [Int]
  private(set) var error: CaptureFileError?
  /// Up to when its observations were handed on, in the reference clock; those that come may be `disorder` older.
  private(set) var reached = Int64.min
  /// Whether more is to come.
  private(set) var isOpen = true
  /// Observations that were read and not handed on, in the order of time, and the first of them.
  private var ahead: [Observation] = []
  private var next = 0
  /// How far the file was read.
  private var position = Int64.min
  private(set) var snapLength: UInt32 = 0
  /// Of the file's interfaces.
  private var linkTypes: [UInt16] = []

  init(_ index: Int, _ survey: SurveyResult) {
    source = survey.deployment.captures[index]
    builder = ObservationBuilder(capture: index, plan: survey.plan)
    points = survey.plan.points.indices.filter { survey.plan.points[$0].captures.contains(index) }
    do throws(CaptureFileError) {
      reader = try CaptureReader(path: source.path)
    } catch {
      self.error = error
      isOpen = false
    }
  }

  /// Appends what comes next, up to a time, one batch at most. Captures of many frames a second and of few then
  /// stay side by side, and what is judged comes in the order of time.
  mutating func read(until horizon: Int64, into observations: inout [Observation]) {
    guard isOpen else { return }
    if position <= horizon, reader != nil { readBatch() }
    var end = next
    if let last = ahead.last, last.time <= horizon { end = ahead.count }
    while end < ahead.count, ahead[end].time <= horizon { end += 1 }
    if next == 0, end == ahead.count, observations.isEmpty {
      swap(&ahead, &observations)
      ahead.removeAll(keepingCapacity: true)
    } else {
      observations.append(contentsOf: ahead[next..<end])
      next = end
    }
    reached = min(position, next < ahead.count ? ahead[next].time : .max)
    isOpen = reader != nil || next < ahead.count
  }

  private mutating func readBatch() {
    do throws(CaptureFileError) {
      guard try reader?.next(into: &batch, limit: 4096) ?? false else {
        close()
        return
      }
    } catch {
      self.error = error
      close()
      return
    }
    if let last = batch.frames.last { bytesRead &+= UInt64(last.start + last.capturedLength) }
    let interfaces = reader?.interfaces ?? []
    if linkTypes.count != interfaces.count { linkTypes = interfaces.map(\.linkType) }
    if snapLength == 0 { snapLength = interfaces.first?.snapLength ?? 0 }
    ahead.removeFirst(next)
    next = 0
    let known = ahead.count
    builder.add(batch, interfaces: interfaces, host: source.host, direction: source.direction, to: &ahead)
    // A single wild time stamp says nothing of how far the file is.
    position = ahead[known...].suffix(16).reduce(Int64.max) { min($0, $1.time) }
    if position == .max { position = builder.counts.end ?? .min }
    for index in ahead.indices.dropFirst() where ahead[index].time < ahead[index - 1].time {
      ahead.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
      break
    }
  }

  /// Records of segments are kept from now on.
  mutating func keepSegments() { builder.keepsSegments = true }

  mutating func takeSegments() -> [SegmentRecord] { builder.takeSegments() }

  /// Bytes of frames read so far, with their record headers.
  private(set) var bytesRead: UInt64 = 0

  private mutating func close() {
    position = .max
    reader = nil
    batch = FrameBatch()
  }

  /// Earliest and latest time seen, in the reference clock.
  var first: Int64? { builder.counts.start }
  var last: Int64? { builder.counts.end }

  var outcome: CaptureOutcome {
    CaptureOutcome(
      counts: builder.counts, unknown: builder.unknown, anomalies: builder.anomalies,
      error: error.map { describe($0) } ?? undecoded, isTruncated: error?.kind == .truncated,
      snapLength: snapLength)
  }

  /// Why frames of the file were passed over: nil where all interfaces are of a link type that is decoded.
  private var undecoded: String? {
    let types = Set(linkTypes.filter { !isDecoded(linkType: $0) }).sorted()
    guard let first = types.first else { return nil }
    let list = types.count == 1 ? "link type \(first)" : "link types \(types.map { "\($0)" }.joined(separator: ", "))"
    return "\(source.name): \(list) cannot be decoded (Ethernet, 1, and Linux cooked, 113 and 276, can): "
      + "frames of it are counted, not judged"
  }

  private func describe(_ error: CaptureFileError) -> String {
    "\(source.name): offset \(error.offset): \(error.reason)"
  }
}

/// What was read in one go, in the order in which it is judged.
private struct Portion: Sendable {
  var observations: [Observation] = []
  /// Of the same capture, where superframes are about.
  var segments: [SegmentRecord] = []
  var hasSuperframes = false
  /// New times that points cover, by point.
  var spans: [(point: Int, first: Int64, last: Int64)] = []
  /// No capture will show a frame from before.
  var watermark: Int64?
  var bytesRead: UInt64 = 0
  var frames: UInt64 = 0
  /// At the end of all captures.
  var outcomes: [CaptureOutcome]?
}

/// Reads all captures of a run side by side in the order of their time, and hands on the sightings of each
/// frame once they are complete.
///
/// One thread reads and decodes, the caller's correlates and judges. What is judged, and in which order, does not
/// depend on how they are scheduled.
enum Replay {
  /// How far frames of one file may be out of order, in nanoseconds.
  static var disorder: Int64 { 500_000_000 }
  /// How far captures are read beyond the one that has come least far, in nanoseconds.
  private static var lead: Int64 { 1_000_000_000 }
  /// How many portions are read ahead.
  private static var ahead: Int { 8 }

  /// Runs to the end of all captures.
  static func run(
    _ survey: SurveyResult, progress: ((_ bytes: UInt64, _ frames: UInt64) -> Void)?, run: inout VerificationRun
  ) -> [CaptureOutcome] {
    let portions = Handover<Portion>(capacity: ahead)
    let spare = SpareArrays()
    // A thread of its own: the caller's may belong to a pool that has no other.
    DispatchQueue(label: "lanecheck.reading").async { read(survey, portions, spare) }
    // A frame shows at most twice at a guest's point; a flood shows at its sender once for each peer.
    var correlator = Correlator(largest: max(256, 8 * survey.plan.points.count))
    var joiner = SegmentJoiner(longestFrame: survey.plan.longestFrame)
    while true {
      var portion = portions.take()
      correlator.add(portion.observations)
      portion.observations.removeAll(keepingCapacity: true)
      spare.put(portion.observations)
      if portion.hasSuperframes { joiner.activate() }
      joiner.add(portion.segments)
      for span in portion.spans { run.setSpan(point: span.point, first: span.first, last: span.last) }
      if let watermark = portion.watermark {
        correlator.close(before: watermark) {
          if joiner.isActive { joiner.add($0, isPiece: $1) } else { run.add($0, isPiece: $1) }
        }
        joiner.settle(before: watermark) { run.add($0, isPiece: $1) }
        run.judgeWaiting()
      }
      progress?(portion.bytesRead, portion.frames)
      guard let outcomes = portion.outcomes else { continue }
      correlator.finish {
        if joiner.isActive { joiner.add($0, isPiece: $1) } else { run.add($0, isPiece: $1) }
      }
      joiner.settle(before: .max) { run.add($0, isPiece: $1) }
      run.judgeWaiting()
      return outcomes
    }
  }

  private static func read(_ survey: SurveyResult, _ portions: Handover<Portion>, _ spare: SpareArrays) {
    var streams: [Box] = []
    for index in survey.deployment.captures.indices { streams.append(Box(CaptureStream(index, survey))) }
    var bytesRead: UInt64 = 0
    var frames: UInt64 = 0
    var hasSuperframes = survey.plan.hasSuperframes
    func portion(of stream: Box, until horizon: Int64) -> Portion {
      var portion = Portion()
      portion.observations = spare.take()
      let before = (stream.value.bytesRead, stream.value.builder.counts.frames)
      stream.read(until: horizon, into: &portion.observations)
      if !hasSuperframes, stream.value.builder.metSuperframe {
        hasSuperframes = true
        for other in streams { other.value.keepSegments() }
      }
      portion.hasSuperframes = hasSuperframes
      if hasSuperframes { portion.segments = stream.value.takeSegments() }
      bytesRead &+= stream.value.bytesRead - before.0
      frames &+= stream.value.builder.counts.frames - before.1
      portion.bytesRead = bytesRead
      portion.frames = frames
      return portion
    }
    for stream in streams { portions.give(portion(of: stream, until: .min)) }
    var changed = spans(streams)
    while let next = furthestBehind(streams) {
      var horizon = Int64.max
      for (index, stream) in streams.enumerated() where index != next && stream.value.isOpen {
        let (time, isBeyond) = stream.value.reached.addingReportingOverflow(lead)
        if !isBeyond { horizon = min(horizon, time) }
      }
      var portion = portion(of: streams[next], until: horizon)
      if !streams[next].value.isOpen { changed = spans(streams) }
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

  private static func spans(_ streams: [Box]) -> [(point: Int, first: Int64, last: Int64)] {
    var spans: [Int: (Int64, Int64)] = [:]
    for stream in streams {
      guard let first = stream.value.first else { continue }
      let last = stream.value.isOpen ? Int64.max : stream.value.last ?? first
      for point in stream.value.points {
        let known = spans[point] ?? (.max, .min)
        spans[point] = (min(known.0, first), max(known.1, last))
      }
    }
    return spans.keys.sorted().compactMap { point in
      spans[point].map { (point: point, first: $0.0, last: $0.1) }
    }
  }

  /// A capture stream that lies in an array.
  final class Box {
    var value: CaptureStream
    init(_ value: consuming CaptureStream) { self.value = value }
    func read(until horizon: Int64, into observations: inout [Observation]) {
      value.read(until: horizon, into: &observations)
    }
  }
}

/// Emptied arrays on their way back to be filled again.
private final class SpareArrays: Sendable {
  private let arrays = Mutex<[[Observation]]>([])

  func put(_ array: [Observation]) { arrays.withLock { $0.append(array) } }

  func take() -> [Observation] { arrays.withLock { $0.popLast() } ?? [] }
}
