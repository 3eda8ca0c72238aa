import Observations
import Wire

/// A class of frames that either pass a stretch of the path or vanish on it.
struct StretchKey: Hashable, Sendable {
  enum Stretch: UInt8, Sendable {
    /// From a port into its host's tunnel point.
    case intoTunnel
    case underlay
    /// From a host's tunnel point to a port, by the host that sent.
    case toPort
    /// To a port on a host whose tunnel point was not captured.
    case betweenPorts
    /// From a port on such a host, to others.
    case outward
    case floodCopy
  }
  var stretch: Stretch
  var host: Int32
  /// The far host of `underlay`, `betweenPorts`, `floodCopy` and `toPort`; -1 for all of them.
  var peer: Int32 = -1
  var network: Int32
  var port: Int32 = -1
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

  mutating func note(
    _ trajectory: UInt64, _ group: [Observation], _ index: Int, points: Int, isProof: Bool
  ) {
    missed.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    missed.frames.add(group[index])
    guard isProof else { return }
    missedKinds[group[index].frameClass.kindBit, default: 0] += 1
    guard points > 0 else { return }
    visible.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    visible.frames.add(group[index])
    guard points > 1 else { return }
    proven.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    proven.frames.add(group[index])
  }

  mutating func merge(_ other: StretchRecord) {
    missed.merge(other.missed)
    visible.merge(other.visible)
    proven.merge(other.proven)
    missedKinds.merge(other.missedKinds, uniquingKeysWith: +)
  }
}

/// Counts by stretch: flat records, found by open addressing. Nearly every frame passes, and costs one look-up.
struct StretchTable: Sendable {
  private(set) var keys: [StretchKey] = []
  var passed: [UInt64] = []
  /// When the last frame passed.
  var lastPassed: [Int64] = []
  var records: [StretchRecord] = []
  private var slots: [Int32]
  private var mask: Int

  init() {
    slots = Array(repeating: -1, count: 256)
    mask = 255
  }

  private static func hash(_ key: StretchKey) -> Int {
    let ends = UInt64(UInt32(bitPattern: key.host)) << 32 | UInt64(UInt32(bitPattern: key.peer))
    let where_ = UInt64(UInt32(bitPattern: key.network)) << 32 | UInt64(UInt32(bitPattern: key.port))
    let product = (ends ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(
      by: where_ ^ 0xa076_1d64_78bd_642f &+ UInt64(key.stretch.rawValue) &* 0xe703_7ed1_a0b4_28db)
    return Int(truncatingIfNeeded: product.high ^ product.low)
  }

  /// The number of a stretch's record, made where there is none.
  mutating func index(of key: StretchKey) -> Int {
    var at = StretchTable.hash(key) & mask
    while slots[at] >= 0 {
      if keys[Int(slots[at])] == key { return Int(slots[at]) }
      at = (at &+ 1) & mask
    }
    slots[at] = Int32(truncatingIfNeeded: keys.count)
    keys.append(key)
    passed.append(0)
    lastPassed.append(.min)
    records.append(StretchRecord())
    if keys.count * 2 > mask { grow() }
    return keys.count - 1
  }

  private mutating func grow() {
    mask = slots.count * 2 - 1
    slots = Array(repeating: -1, count: mask + 1)
    for (number, key) in keys.enumerated() {
      var at = StretchTable.hash(key) & mask
      while slots[at] >= 0 { at = (at &+ 1) & mask }
      slots[at] = Int32(truncatingIfNeeded: number)
    }
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
