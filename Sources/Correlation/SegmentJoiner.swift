import Observations
import Wire

/// Makes superframes and their segments trajectories again.
///
/// A digest knows a frame by its bytes, so a superframe at one point and its segments at another are different
/// frames to the correlator. Here the sightings of a flow are cut at every place of the stream where one of them
/// begins or ends: each piece between two cuts was on the way as a whole, and the sightings that cover it are its
/// group. Where nothing was joined or cut, the groups come out as they came in.
///
/// Only runs that met superframes pay for it (`activate`). Everything is then held back for a little more than
/// `gap`, so that what is judged still comes in the order of time. Memory depends on that window.
public struct SegmentJoiner: Sendable {
  /// Sightings of the same data are no further apart than this, in nanoseconds; further apart it was sent again.
  public let gap: Int64
  /// Pieces count as no longer than this: a superframe of which nothing else is known.
  public let longestFrame: UInt32
  public private(set) var isActive = false

  struct Entry: Sendable {
    var observation: Observation
    /// Where its data lies in the stream, relative to the flow's first.
    var start: Int64
    var end: Int64
    /// Octets of the frame before its payload.
    var header: UInt32
    var payload: UInt32
    /// `SegmentRecord.content`; nil where not all of the payload was captured.
    var content: UInt64?
    var isPiece: Bool
  }
  /// What was handed to `add` last, and its records.
  private struct Held: Sendable {
    var time: Int64
    var start: Int
    var count: Int
    var isPiece: Bool
  }
  struct Flow: Sendable {
    var origin: UInt32
    var isDatagram: Bool
    var first: Int64
    var entries: [Entry] = []

    /// Counts from what is left: sequence numbers wrap.
    mutating func rebase() {
      guard let shift = entries.map(\.start).min(), shift > (isDatagram ? 1 << 12 : 1 << 24) else { return }
      origin = isDatagram ? (origin &+ UInt32(truncatingIfNeeded: shift)) & 0xffff : origin &+ UInt32(truncatingIfNeeded: shift)
      for index in entries.indices {
        entries[index].start -= shift
        entries[index].end -= shift
      }
    }
  }
  /// Of one capture, in the order of its file.
  private struct Ledger: Sendable {
    var records: [SegmentRecord] = []
    var head = 0
  }

  private var ledgers: [Ledger] = []
  private var held: [Held] = []
  private var heldObservations: [Observation] = []
  private var flows: [UInt64: Flow] = [:]
  /// In the order of their first sighting: what comes out must not depend on hashes.
  private var order: [UInt64] = []
  private var settled = Int64.min
  private var sweep = StreamSweep()
  private var found: [SegmentRecord] = []
  /// Length of a flow's TCP headers, for points whose captures cut it off.
  private var headers: [UInt64: UInt8] = [:]
  private static var mostHeaders: Int { 65_536 }

  public init(gap: Int64 = Correlator.sightingGap, longestFrame: UInt32) {
    self.gap = gap
    self.longestFrame = longestFrame
  }

  public mutating func activate() { isActive = true }

  /// Takes what a capture recorded of its segments, in the order of the file.
  public mutating func add(_ records: [SegmentRecord]) {
    guard let first = records.first else { return }
    let capture = Int(first.capture)
    while ledgers.count <= capture { ledgers.append(Ledger()) }
    ledgers[capture].records.append(contentsOf: records)
  }

  /// Takes a group of equal frames as the correlator handed it on.
  public mutating func add(_ group: [Observation], isPiece: Bool) {
    guard let first = group.first else { return }
    guard first.frameClass == .tcp || first.frameClass == .udp, let length = findRecords(of: group) else {
      held.append(Held(time: first.time, start: heldObservations.count, count: group.count, isPiece: isPiece))
      heldObservations.append(contentsOf: group)
      return
    }
    let key = found[0].flow
    let isDatagram = found[0].isDatagram
    var flow = flows[key] ?? Flow(origin: found[0].sequence, isDatagram: isDatagram, first: first.time)
    if flow.entries.isEmpty { order.append(key) }
    flow.first = min(flow.first, first.time)
    let distance = Int64(found[0].sequence) - Int64(flow.origin)
    let start = Int64(isDatagram ? Int32(Int16(truncatingIfNeeded: distance)) : Int32(truncatingIfNeeded: distance))
    let end = start + (isDatagram ? 1 : Int64(length))
    for (observation, record) in zip(group, found) {
      flow.entries.append(
        Entry(
          observation: observation, start: start, end: end,
          header: observation.length > length ? observation.length - length : 0, payload: length,
          content: record.hasContent && !isDatagram ? record.content : nil, isPiece: isPiece))
    }
    flows[key] = flow
  }

  /// Finds the records of a group's sightings, all of one flow, and the length of their payload.
  private mutating func findRecords(of group: [Observation]) -> UInt32? {
    found.removeAll(keepingCapacity: true)
    var header: UInt8 = 0
    for observation in group {
      guard let record = record(of: observation), found.first.map({ $0.flow == record.flow }) ?? true else { return nil }
      if record.header > 0 { header = record.header }
      found.append(record)
    }
    guard let first = found.first else { return nil }
    if header > 0, !first.isDatagram {
      if headers.count >= SegmentJoiner.mostHeaders { headers.removeAll(keepingCapacity: true) }
      headers[first.flow] = header
    }
    return first.payload(header: header > 0 ? header : headers[first.flow] ?? 0)
  }

  private func record(of observation: Observation) -> SegmentRecord? {
    guard Int(observation.capture) < ledgers.count else { return nil }
    let ledger = ledgers[Int(observation.capture)]
    var low = ledger.head
    var high = ledger.records.count
    while low < high {
      let middle = (low + high) / 2
      if ledger.records[middle].frame < observation.frame { low = middle + 1 } else { high = middle }
    }
    guard low < ledger.records.count, ledger.records[low].frame == observation.frame else { return nil }
    return ledger.records[low]
  }

  /// Hands on what no frame at or behind `watermark` can still belong to.
  public mutating func settle(before watermark: Int64, _ body: ([Observation], _ isPiece: Bool) -> Void) {
    guard isActive else { return }
    // The correlator keeps a group until `gap` and a quarter have passed; what overlaps it follows within `gap`.
    let horizon = watermark == .max ? .max : watermark &- gap &* 9 / 4
    guard watermark == .max || horizon &- settled >= gap / 4 || settled == .min else { return }
    settled = horizon
    releaseHeld(horizon, body)
    var waiting: [UInt64] = []
    for key in order {
      guard var flow = flows[key] else { continue }
      if flow.first <= horizon {
        flow.entries =
          flow.isDatagram
          ? sweep.cutDatagrams(flow.entries, horizon: horizon, gap: gap, longest: longestFrame, body)
          : sweep.cut(flow.entries, horizon: horizon, gap: gap, longest: longestFrame, body)
        flow.first = flow.entries.reduce(Int64.max) { min($0, $1.observation.time) }
        flow.rebase()
      }
      if flow.entries.isEmpty {
        flows[key] = nil
      } else {
        flows[key] = flow
        waiting.append(key)
      }
    }
    order = waiting
    forgetRecords(before: horizon == .max ? .max : horizon &- gap)
  }

  private mutating func releaseHeld(_ horizon: Int64, _ body: ([Observation], _ isPiece: Bool) -> Void) {
    var kept: [Held] = []
    var observations: [Observation] = []
    for group in held {
      let range = group.start..<(group.start + group.count)
      if group.time <= horizon {
        body(Array(heldObservations[range]), group.isPiece)
      } else {
        kept.append(Held(time: group.time, start: observations.count, count: group.count, isPiece: group.isPiece))
        observations.append(contentsOf: heldObservations[range])
      }
    }
    held = kept
    heldObservations = observations
  }

  /// Records of frames whose groups have all been handed on.
  private mutating func forgetRecords(before time: Int64) {
    for index in ledgers.indices {
      var head = ledgers[index].head
      let records = ledgers[index].records
      while head < records.count, records[head].time < time { head += 1 }
      ledgers[index].head = head
      if head > 4096, head * 2 > records.count {
        ledgers[index].records.removeFirst(head)
        ledgers[index].head = 0
      }
    }
  }
}
