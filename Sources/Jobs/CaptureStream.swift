import CaptureFiles
import Deployment
import Observations
import Verification
import Wire

/// One capture being read: its frames come out as observations, batch by batch. The file is opened when its first
/// frame is due, and closed after its last: of a hundred rotated files, few are open at a time.
struct CaptureStream: ~Copyable {
  private var reader: CaptureReader?
  private(set) var builder: ObservationBuilder
  let source: CaptureSource
  /// Points that frames of this capture may belong to.
  let points: [Int]
  private(set) var error: CaptureFileError?
  /// Up to when its observations were handed on, in the reference clock; those that come may be `disorder` older.
  private(set) var reached = Int64.min
  /// Whether more is to come.
  private(set) var isOpen = true
  /// Whether the file has been opened.
  private(set) var hasBegun = false
  /// Time of the first frame, as the survey saw it, in the reference clock.
  private let expected: Int64?
  /// Observations that were read and not handed on, in the order of time, and the first of them.
  private var ahead: [Observation] = []
  private var next = 0
  /// How far the file was read.
  private var position = Int64.min
  /// The furthest that `reached` ever was: what is older by more than `disorder` comes too late.
  private var promised = Int64.min
  private var facts = CaptureFacts()
  /// Of the file's interfaces.
  private var linkTypes: [UInt16] = []
  /// Bytes of the file, as it is stored, that were read.
  private(set) var bytesRead: UInt64 = 0

  init(_ index: Int, _ survey: SurveyResult, filter: FrameFilter?) {
    source = survey.deployment.captures[index]
    builder = ObservationBuilder(capture: index, plan: survey.plan)
    builder.filter = filter.map(InnerFilter.init)
    points = survey.plan.points.indices.filter { survey.plan.points[$0].captures.contains(index) }
    let start = index < survey.starts.count ? survey.starts[index] : nil
    let clocks = survey.plan.clocks
    let host = source.host
    let clock = survey.plan.captureClocks[index] ?? (host < clocks.count ? clocks[host] : ClockCorrection())
    // Of a clock that was set back the earliest time need not be that of the first frame.
    let isOrdered = clock.jumps.indices.allSatisfy { !clock.isSetBack(after: $0) }
    let expected = isOrdered ? start.map { clock.toReference($0) } : nil
    self.expected = expected
    if let expected { reached = clamped(expected, minus: Replay.disorder) }
  }

  /// Appends what comes next, up to a time, one batch of at most `limit` frames. Captures of many frames a second
  /// and of few then stay side by side, and what is judged comes in the order of time. `batch` is for use meanwhile.
  mutating func read(
    until horizon: Int64, limit: Int, into observations: inout [Observation], using batch: inout FrameBatch
  ) {
    guard isOpen else { return }
    if !hasBegun {
      guard reached <= horizon else { return }
      begin()
    }
    if position <= horizon, reader != nil { readBatch(limit, &batch) }
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
    promised = max(promised, reached)
    isOpen = reader != nil || next < ahead.count
  }

  private mutating func begin() {
    hasBegun = true
    promised = reached
    do throws(CaptureFileError) {
      reader = try CaptureReader(path: source.path)
    } catch {
      self.error = error
      close()
    }
  }

  private mutating func readBatch(_ limit: Int, _ batch: inout FrameBatch) {
    do throws(CaptureFileError) {
      guard try reader?.next(into: &batch, limit: limit) ?? false else {
        close()
        return
      }
    } catch {
      self.error = error
      close()
      return
    }
    bytesRead = reader?.bytesRead ?? bytesRead
    let interfaces = reader?.interfaces ?? []
    if linkTypes.count != interfaces.count { linkTypes = interfaces.map(\.linkType) }
    if facts.snapLength == 0 { facts.snapLength = interfaces.first?.snapLength ?? 0 }
    ahead.removeFirst(next)
    next = 0
    let known = ahead.count
    builder.add(batch, interfaces: interfaces, host: source.host, direction: source.direction, to: &ahead)
    setAsideLate(from: known)
    // A single wild time stamp says nothing of how far the file is.
    position = ahead[known...].suffix(16).reduce(Int64.max) { min($0, $1.time) }
    if position == .max { position = builder.counts.end ?? .min }
    for index in ahead.indices.dropFirst() where ahead[index].time < ahead[index - 1].time {
      ahead.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
      break
    }
  }

  /// Takes out what is so far out of order that its time has been judged.
  private mutating func setAsideLate(from known: Int) {
    let edge = clamped(promised, minus: Replay.disorder)
    guard promised > .min, ahead[known...].contains(where: { $0.time < edge }) else { return }
    for observation in ahead[known...] where observation.time < edge {
      facts.late += 1
      facts.lateBy = max(facts.lateBy, clamped(promised, minus: observation.time))
    }
    let inTime = ahead[known...].filter { $0.time >= edge }
    ahead.replaceSubrange(known..., with: inTime)
  }

  /// Records of segments are kept from now on.
  mutating func keepSegments() { builder.keepsSegments = true }

  mutating func takeSegments() -> [SegmentRecord] { builder.takeSegments() }

  /// Counts sightings that another capture of the point had shown already.
  mutating func noteRepeated(_ count: Int) { facts.repeated += UInt64(count) }

  private mutating func close() {
    let interfaces = reader?.interfaces ?? []
    facts.received = total(interfaces.compactMap(\.received))
    facts.dropped = total(interfaces.compactMap(\.lost))
    bytesRead = reader?.bytesRead ?? bytesRead
    position = .max
    reader = nil
  }

  private func total(_ counts: [UInt64]) -> UInt64? {
    counts.isEmpty ? nil : counts.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
  }

  /// Earliest and latest time seen or expected, in the reference clock.
  var first: Int64? { builder.counts.start ?? (hasBegun ? nil : expected) }
  var last: Int64? { builder.counts.end }

  var outcome: CaptureOutcome {
    var outcome = CaptureOutcome(
      counts: builder.allCounts, unknown: builder.unknown, anomalies: builder.anomalies,
      error: error.map { describe($0) } ?? undecoded, isTruncated: error?.kind == .truncated,
      snapLength: facts.snapLength)
    outcome.facts = facts
    return outcome
  }

  /// Why frames of the file were passed over: nil where all interfaces are of a link type that is decoded.
  private var undecoded: String? {
    let types = Set(linkTypes.filter { !isDecoded(linkType: $0) }).sorted()
    if !types.isEmpty {
      return "\(source.name): \(linkTypeList(types)) cannot be decoded (Ethernet, Linux cooked and raw IP can): "
        + "frames of it are counted, not judged"
    }
    let bare = Set(linkTypes.filter { LinkType.isBareIP($0) }).sorted()
    guard !bare.isEmpty, builder.counts.withoutAddresses + builder.counts.unrouted > 0 else { return nil }
    return "\(source.name): frames of \(linkTypeList(bare)) have no MAC addresses: they are counted, not judged"
  }

  private func linkTypeList(_ types: [UInt16]) -> String {
    let names = types.map { type in "\(type)" + (LinkType.name(type).map { " (\($0))" } ?? "") }
    return (types.count == 1 ? "link type " : "link types ") + names.joined(separator: ", ")
  }

  private func describe(_ error: CaptureFileError) -> String {
    "\(source.name): offset \(error.offset): \(error.reason)"
  }
}
