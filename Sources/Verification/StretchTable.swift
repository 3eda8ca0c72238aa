import Correlation
import Observations
import Wire

/// A class of frames that either pass a stretch of the path or vanish on it.
struct StretchKey: FlatKey, Hashable {
  enum Stretch: UInt8, Sendable, BitwiseCopyable {
    /// From a port into its host's tunnel point.
    case intoTunnel
    case underlay
    /// From a host's tunnel point to a port, by the host that sent.
    case toPort
    /// To a port on a host whose tunnel point was not captured.
    case betweenPorts
    /// From a port on such a host, to any other; of floods that left, to one other.
    case outward
    case floodCopy
  }
  var stretch: Stretch
  var host: Int32
  /// The far host of `underlay`, `betweenPorts`, `floodCopy`, `outward` and `toPort`; -1 for all of them.
  var peer: Int32 = -1
  var network: Int32
  var port: Int32 = -1

  var words: (UInt64, UInt64) {
    // Hosts are no more than capture points, which are numbered in 16 bits.
    (
      UInt64(stretch.rawValue) << 56 ^ UInt64(UInt32(bitPattern: host)) << 32 | UInt64(UInt32(bitPattern: peer)),
      UInt64(UInt32(bitPattern: network)) << 32 | UInt64(UInt32(bitPattern: port))
    )
  }
}

/// Frames that vanished on a stretch.
struct StretchRecord: Sendable {
  /// Evidence of them, and how many there were of each kind.
  var missed = FaultRecord()
  var missedKinds: [UInt16: UInt64] = [:]
  /// Of them: those that the next point would have shown, for it shows others between the same stations.
  var visible = FaultRecord()
  /// Of those: where a second point further on would have, too.
  var proven = FaultRecord()
  /// How many frames the next point had shown in all, at the first and the last visible one.
  private var shownBefore = UInt64.max
  private var shownAfter: UInt64 = 0
  /// How many others it showed between them.
  var shownBetween: UInt64 { shownAfter > shownBefore ? shownAfter - shownBefore : 0 }

  /// - Parameter shown: how many frames the next point has shown so far.
  mutating func note(
    _ trajectory: UInt64, _ group: [Observation], _ index: Int, points: Int, shown: UInt64, isProof: Bool
  ) {
    missed.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    missed.frames.add(group[index])
    guard isProof else { return }
    missedKinds[group[index].frameClass.kindBit, default: 0] += 1
    guard points > 0 else { return }
    visible.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    visible.frames.add(group[index])
    shownBefore = min(shownBefore, shown)
    shownAfter = max(shownAfter, shown)
    guard points > 1 else { return }
    proven.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    proven.frames.add(group[index])
  }

  mutating func merge(_ other: StretchRecord) {
    missed.merge(other.missed)
    visible.merge(other.visible)
    proven.merge(other.proven)
    missedKinds.merge(other.missedKinds, uniquingKeysWith: +)
    shownBefore = min(shownBefore, other.shownBefore)
    shownAfter = max(shownAfter, other.shownAfter)
  }
}

/// Counts by stretch. Nearly every frame passes, and costs one look-up.
struct StretchTable: Sendable {
  private var table = FlatTable<StretchKey, StretchRecord>()
  var passed: [UInt64] = []
  /// What waits until it is known that the stretch's end was still recording.
  var waiting: [StretchRecord?] = []
  /// When the first and the last frame passed.
  var firstPassed: [Int64] = []
  var lastPassed: [Int64] = []
  var flows = FlowLosses()

  var keys: [StretchKey] { table.keys }
  var records: [StretchRecord] {
    get { table.values }
    _modify { yield &table.values }
  }

  /// The number of a stretch's record, made where there is none.
  mutating func index(of key: StretchKey) -> Int {
    if let known = table.index(of: key) { return known }
    passed.append(0)
    waiting.append(nil)
    firstPassed.append(.max)
    lastPassed.append(.min)
    flows.addStretch()
    return table.insert(key, StretchRecord())
  }

  mutating func settle(_ number: Int) {
    guard let record = waiting[number] else { return }
    waiting[number] = nil
    records[number].merge(record)
  }

  /// The record of what a stretch lacks.
  mutating func change(_ number: Int, isWaiting: Bool, _ change: (inout StretchRecord) -> Void) {
    guard isWaiting else { return change(&records[number]) }
    var record = waiting[number] ?? StretchRecord()
    waiting[number] = nil
    change(&record)
    waiting[number] = record
  }

  /// All stretches in a fixed order.
  var sorted: [Int] {
    keys.indices.sorted {
      let (a, b) = (keys[$0], keys[$1])
      return (a.stretch.rawValue, a.host, a.peer, a.network, a.port)
        < (b.stretch.rawValue, b.host, b.peer, b.network, b.port)
    }
  }
}

/// Which stations a frame is between, whichever way it goes, and its kind: a bit of a point's memory of what it has
/// shown. What a capture's filter keeps out never shows.
struct PairMark: Sendable {
  static var words: Int { 256 }
  var word = 0
  var bit: UInt64 = 1

  init() {}

  init(_ group: [Observation]) {
    guard let head = group.first else { return }
    var destination = head.destination
    if destination == .zero { destination = group.first { $0.destination != .zero }?.destination ?? .zero }
    let pair = (head.source.rawValue ^ destination.rawValue) &+ UInt64(head.frameClass.kindBit) << 48
    let product = (pair ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    let hash = Int(truncatingIfNeeded: (product.high ^ product.low) & 0x3fff)
    word = hash >> 6
    bit = 1 << UInt64(hash & 63)
  }
}
