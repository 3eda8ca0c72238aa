import CaptureFiles
import Correlation
import Deployment
import Observations
import Verification

/// One capture being read: its frames come out as observations, batch by batch.
struct CaptureStream: ~Copyable {
  private var reader: CaptureReader?
  private var batch = FrameBatch()
  private(set) var builder: ObservationBuilder
  let source: CaptureSource
  /// Points that frames of this capture may belong to.
  let points: [Int]
  private(set) var error: CaptureFileError?
  /// Latest time seen, in the reference clock.
  private(set) var reached = Int64.min
  private(set) var isOpen = true
  private(set) var snapLength: UInt32 = 0

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

  /// Appends the observations of the next batch. Closes itself at the end of the file, and at damage.
  mutating func read(into observations: inout [Observation]) {
    guard isOpen else { return }
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
    if snapLength == 0 { snapLength = interfaces.first?.snapLength ?? 0 }
    builder.add(
      batch, interfaces: interfaces, host: source.host, direction: source.direction, to: &observations)
    if let last = builder.counts.last { reached = max(reached, last &- builder.plan.clockOffsets[source.host]) }
  }

  /// Bytes of frames read so far, with their record headers.
  private(set) var bytesRead: UInt64 = 0

  private mutating func close() {
    isOpen = false
    reader = nil
    batch = FrameBatch()
  }

  var first: Int64? { builder.counts.first.map { $0 &- builder.plan.clockOffsets[source.host] } }

  var outcome: CaptureOutcome {
    CaptureOutcome(
      counts: builder.counts, unknown: builder.unknown, anomalies: builder.anomalies,
      error: error.map { describe($0) }, isTruncated: error?.kind == .truncated, snapLength: snapLength)
  }

  private func describe(_ error: CaptureFileError) -> String {
    "\(source.name): offset \(error.offset): \(error.reason)"
  }
}

/// Reads all captures of a run side by side in the order of their time, and hands on the sightings of each
/// frame once they are complete.
struct Replay: ~Copyable {
  /// How far frames of one file may be out of order, in nanoseconds.
  static var disorder: Int64 { 500_000_000 }

  /// Runs to the end of all captures.
  static func run(
    _ survey: SurveyResult, progress: ((_ bytes: UInt64, _ frames: UInt64) -> Void)?, run: inout VerificationRun
  ) -> [CaptureOutcome] {
    var streams: [Box] = []
    for index in survey.deployment.captures.indices { streams.append(Box(CaptureStream(index, survey))) }
    var correlator = Correlator()
    var observations: [Observation] = []
    var frames: UInt64 = 0
    for stream in streams {
      stream.read(into: &observations)
      correlator.add(observations)
      observations.removeAll(keepingCapacity: true)
    }
    tellSpans(streams, &run)
    while let next = furthestBehind(streams) {
      let stream = streams[next]
      let before = stream.value.builder.counts.frames
      stream.read(into: &observations)
      frames &+= stream.value.builder.counts.frames - before
      correlator.add(observations)
      observations.removeAll(keepingCapacity: true)
      if !stream.value.isOpen { tellSpans(streams, &run) }
      let watermark = streams.reduce(Int64.max) { $1.value.isOpen ? min($0, $1.value.reached) : $0 }
      if watermark > .min + disorder * 2 {
        correlator.close(before: watermark &- disorder) { run.add($0) }
        run.judgeWaiting()
      }
      progress?(streams.reduce(0) { $0 &+ $1.value.bytesRead }, frames)
    }
    correlator.finish { run.add($0) }
    run.judgeWaiting()
    return streams.map { $0.value.outcome }
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

  private static func tellSpans(_ streams: [Box], _ run: inout VerificationRun) {
    var spans: [Int: (Int64, Int64)] = [:]
    for stream in streams {
      guard let first = stream.value.first else { continue }
      let last = stream.value.isOpen ? Int64.max : stream.value.reached
      for point in stream.value.points {
        let known = spans[point] ?? (.max, .min)
        spans[point] = (min(known.0, first), max(known.1, last))
      }
    }
    for (point, times) in spans { run.setSpan(point: point, first: times.0, last: times.1) }
  }

  /// A capture stream that lies in an array.
  final class Box {
    var value: CaptureStream
    init(_ value: consuming CaptureStream) { self.value = value }
    func read(into observations: inout [Observation]) { value.read(into: &observations) }
  }
}
