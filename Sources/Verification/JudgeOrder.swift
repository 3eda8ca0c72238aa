import Correlation
import Observations
import Wire

/// Frames of one flow that overtook others between two hosts.
///
/// The order at either end is that of one capture, by its own times: no clock of one host is held against another's.
/// Bounded: flows share a table of fixed size, and one that loses its place begins anew.
struct OrderLedger: Sendable {
  /// What is excused at the start of a flow: its first frames go through upcalls and may be overtaken.
  static var excusedFrames: UInt32 { 10 }
  static var excusedTime: Int64 { 50_000_000 }
  /// A flow that paused for so long may begin with upcalls again. Nanoseconds.
  static var longestPause: Int64 { 5_000_000_000 }
  /// Times of one capture that lie closer tell no order, in nanoseconds.
  static var leastDistance: Int64 { 100_000 }

  private struct Flow: Sendable {
    var id: UInt64 = 0
    var began: Int64 = 0
    var frames: UInt32 = 0
    var overtaken: UInt32 = 0
    /// Of the frame that arrived last so far, and whether it was counted as overtaken.
    var isCounted = false
    var sent: Int64 = 0
    var arrived: Int64 = 0
    var sender: UInt32 = 0
    var receiver: UInt32 = 0
  }
  private var flows: [Flow] = []
  /// By sender and receiver: frames that overtook others, one for each that was overtaken.
  private(set) var records: [UInt64: FaultRecord] = [:]
  /// By sender and receiver: frames of which the order was known.
  private(set) var compared: [UInt64: UInt64] = [:]
  /// By sender and receiver: whether it happened again and again in one flow. A clock that was set shows once in each.
  private(set) var isRepeated: Set<UInt64> = []

  private static func place(_ seen: Observation) -> UInt32 { UInt32(seen.capture) << 16 | UInt32(seen.point) }

  /// Notes a frame that was sent and arrived; returns whether a frame is known to be overtaken by it now.
  /// - Parameter isStartExcused: whether the start of a flow does not count.
  mutating func note(_ sent: Observation, _ arrived: Observation, way: UInt64, isStartExcused: Bool) -> Bool {
    if flows.isEmpty { flows = Array(repeating: Flow(), count: 4096) }
    let ends = (sent.source.rawValue ^ way &* 0x9e37_79b9_7f4a_7c15) &+ UInt64(sent.flow) << 48
    let id = (ends ^ sent.destination.rawValue &* 0xa076_1d64_78bd_642f) | 1
    let slot = Int(truncatingIfNeeded: (id &* 0xe703_7ed1_a0b4_28db) >> 52)
    var flow = flows[slot]
    let isSame =
      flow.id == id && flow.sender == OrderLedger.place(sent) && flow.receiver == OrderLedger.place(arrived)
      && abs(sent.time &- flow.sent) < OrderLedger.longestPause
    guard isSame else {
      flows[slot] = Flow(
        id: id, began: sent.time, frames: 1, sent: sent.time, arrived: arrived.time, sender: OrderLedger.place(sent),
        receiver: OrderLedger.place(arrived))
      return false
    }
    // Frames are told in the order of their first sightings, or nearly.
    let (sentAfter, arrivedAfter) = (sent.time &- flow.sent, arrived.time &- flow.arrived)
    let changedPlaces =
      (flow.frames > OrderLedger.excusedFrames && abs(sent.time &- flow.began) > OrderLedger.excusedTime || !isStartExcused)
      && (sentAfter > 0) != (arrivedAfter > 0)
      && min(abs(sentAfter), abs(arrivedAfter)) > OrderLedger.leastDistance
    // A late frame counts once, however many overtake it.
    let overtook = changedPlaces && (arrivedAfter > 0 || !flow.isCounted)
    if flow.frames > OrderLedger.excusedFrames { compared[way, default: 0] += 1 }
    flow.frames = flow.frames &+ 1
    if overtook {
      flow.overtaken &+= 1
      if flow.overtaken == 3 { isRepeated.insert(way) }
    }
    if arrivedAfter > 0 {
      flow.sent = sent.time
      flow.arrived = arrived.time
      flow.isCounted = overtook
    } else if overtook {
      flow.isCounted = true
    }
    flows[slot] = flow
    return overtook
  }

  mutating func record(_ way: UInt64, _ trajectory: UInt64, _ group: [Observation], _ index: Int) {
    records[way, default: FaultRecord()].add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    records[way]?.frames.add(group[index])
  }
}

extension Judge {
  /// Holds the order of a flow's frames where they were sent against that where they arrived.
  mutating func noteOrder(_ group: [Observation], _ base: UInt64) {
    guard let head = group.first, !head.destination.isGroup, resolver.tunnels.count == 2 else { return }
    for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.sent >= 0 {
      let arrived = group[Int(tunnel.observation)]
      let sent = group[Int(resolver.tunnels[Int(tunnel.sent)].observation)]
      guard sent.flow != 0, tunnel.peer >= 0, !hidesStamps(tunnel) else { continue }
      let way = UInt64(UInt32(bitPattern: tunnel.peer)) << 32 | UInt64(UInt32(bitPattern: tunnel.host))
      if order.note(sent, arrived, way: way, isStartExcused: makes(.startOfFlow)) { order.record(way, base, group, Int(tunnel.observation)) }
    }
  }

  /// Whether a host's clock was being set: its times tell no order then.
  private func hidesStamps(_ tunnel: TunnelSighting) -> Bool {
    trust.relates(tunnel.host, tunnel.peer) && trust.slack(tunnel.host, tunnel.peer, at: tunnel.time) == nil
  }
}

extension FindingBuilder {
  mutating func addReordered() {
    for way in judge.order.records.keys.sorted() {
      guard let record = judge.order.records[way], judge.order.isRepeated.contains(way) || !judge.makes(.fewOvertaken) else { continue }
      let (sender, receiver) = (Int32(truncatingIfNeeded: way >> 32), Int32(truncatingIfNeeded: way))
      let compared = judge.order.compared[way] ?? record.count
      let draft = draft(
        nil, record, rule: "frame-reordered", severity: .info, host: sender, network: -1,
        message: "\(record.count) of \(compared) frames from \(hostName(sender)) to \(hostName(receiver)) arrive there after others of "
          + "their flow that were sent later")
      drafts.append(draft)
    }
  }
}
