import Correlation
import Observations
import Wire

/// A rule as the judge raises it.
enum Fault: UInt8, Sendable {
  case wrongVNI, wrongLocalVLAN, vlanNotStripped, unexpectedVLANTag, unknownVNI, unmappedVNI
  case crossNetworkDelivery, unknownVTEP, forgedTunnelFrame, spoofedSourceMAC
  case nonstandardTunnelPort, malformedEncapsulation
  case frameLost, changedVNI
  case floodedAfterLearned, staleLocation, tunnelReflection, macMoved
  case spoofBlocked, untaggedPort, duplicateAddress
  /// No fault by themselves: frames that met what is installed wrongly.
  case metInbound, metOutbound, metLeak
  /// Frames in a host's name, at times at which no capture shows whether it sent them.
  case doubtfulSender

  /// Whether senders choose how many kinds of it there are.
  var isVaried: Bool {
    switch self {
    case .unknownVNI, .unknownVTEP, .forgedTunnelFrame, .doubtfulSender, .staleLocation, .macMoved, .duplicateAddress: true
    default: false
    }
  }

  var rule: String {
    switch self {
    case .wrongVNI: "wrong-vni"
    case .wrongLocalVLAN: "wrong-local-vlan"
    case .vlanNotStripped: "vlan-not-stripped"
    case .unexpectedVLANTag: "unexpected-vlan-tag"
    case .unknownVNI: "unknown-vni"
    case .unmappedVNI: "unmapped-vni"
    case .crossNetworkDelivery: "cross-network-delivery"
    case .unknownVTEP: "unknown-vtep"
    case .forgedTunnelFrame, .doubtfulSender: "forged-tunnel-frame"
    case .spoofedSourceMAC: "spoofed-source-mac"
    case .nonstandardTunnelPort: "nonstandard-tunnel-port"
    case .malformedEncapsulation: "malformed-encapsulation"
    case .frameLost: "frame-lost"
    case .changedVNI: "frame-modified"
    case .floodedAfterLearned: "flooded-after-learned"
    case .staleLocation: "stale-location"
    case .tunnelReflection: "tunnel-reflection"
    case .macMoved: "mac-moved"
    case .spoofBlocked: "spoof-blocked"
    case .untaggedPort: "untagged-port"
    case .duplicateAddress: "duplicate-address"
    case .metInbound, .metOutbound, .metLeak: ""
    }
  }
}

/// What makes two wrong frames the same fault. Indices; -1 where a part does not apply.
struct FaultKey: Hashable, Sendable {
  var fault: Fault
  /// Host at fault, or where it shows.
  var host: Int32
  var network: Int32 = -1
  var port: Int32 = -1
  /// Observed VNI, VLAN, UDP port, VTEP, or the network delivered to.
  var observed: UInt32 = 0
  /// Outer source MAC of forged frames, the other host of a tunnel.
  var detail: UInt64 = 0
  /// The fault that this one follows from, and the host where that happened.
  var via: Fault?
  var viaHost: Int32 = -1
}

/// How many kinds of one fault a host has. Some are kept apart, all are counted up to a bound.
struct Variants: Sendable {
  static let kept = 32
  static let bound = 4096
  /// `observed` and `detail` of the key that the others share.
  static let others: (observed: UInt32, detail: UInt64) = (.max, .max)
  var keptCount = 0
  private var seen: Set<UInt64> = []

  var count: Int { seen.count }
  var isComplete: Bool { seen.count < Variants.bound }

  /// Notes one. Returns whether it is to be kept apart.
  mutating func note(_ key: FaultKey) -> Bool {
    if seen.count < Variants.bound { seen.insert(key.detail ^ UInt64(key.observed) &* 0x9e37_79b9_7f4a_7c15) }
    guard keptCount < Variants.kept else { return false }
    keptCount += 1
    return true
  }
}

/// Frame numbers by capture, bounded.
struct FrameList: Sendable {
  static let bound = 20_000
  var numbers: [UInt16: [UInt32]] = [:]
  var total = 0
  var isComplete: Bool { total <= FrameList.bound }

  mutating func add(_ observation: Observation) { add(capture: observation.capture, frame: observation.frame) }

  mutating func add(capture: UInt16, frame: UInt32) {
    total += 1
    guard total <= FrameList.bound else { return }
    numbers[capture, default: []].append(frame)
  }

  mutating func merge(_ other: FrameList) {
    total += other.total
    for (capture, list) in other.numbers { numbers[capture, default: []].append(contentsOf: list) }
  }
}

/// All frames of one fault.
struct FaultRecord: Sendable {
  var count: UInt64 = 0
  var copies: UInt64 = 0
  var first = Int64.max
  var last = Int64.min
  /// Where it shows.
  var point: UInt16?
  var frames = FrameList()
  /// The sightings of the first such frame, and which of them is the wrong one.
  var example: [Observation] = []
  var wrong = 0
  /// Destinations, to find the flow that did it: a few of them.
  var destinations: [MACAddress: UInt64] = [:]
  var groupDestinations: UInt64 = 0
  /// Of `count`: those known only by the owner of the source MAC.
  var weak: UInt64 = 0
  /// Of `count`: those whose source MAC a port of the network that got them has, too.
  var clones: UInt64 = 0
  /// Of `count`: those that guests may have handed on, by their ports.
  var forwarded: [ForwarderPair: UInt64] = [:]
  /// Such guests are known to do that, and explain it all.
  var isForwarded = false
  /// Of frames that went astray: those that ports of their own lane got as well.
  var alsoRight: UInt64 = 0
  /// Where a MAC was proven to be, or was before.
  var expectedVTEP: UInt16?
  /// The MACs or hosts that are in dispute, or that were spoofed: a few of them.
  private(set) var rivals: [UInt64] = []
  /// Of `count`: those that did not follow another at once. Captures lose frames in bursts.
  private(set) var moments: UInt64 = 0
  private static var burst: Int64 { 10_000_000 }
  /// Number of the last trajectory counted.
  var lastTrajectory = UInt64.max

  /// From the first to the last of its frames, in the reference clock.
  var stretch: ClosedRange<Int64>? { first <= last ? first...last : nil }

  /// Adds another record's frames.
  mutating func merge(_ other: FaultRecord) {
    guard other.count > 0 else { return }
    count += other.count
    copies += other.copies
    if example.isEmpty || other.first < first {
      example = other.example
      wrong = other.wrong
      point = other.point
    }
    first = min(first, other.first)
    last = max(last, other.last)
    frames.merge(other.frames)
    for (mac, number) in other.destinations { destinations[mac, default: 0] += number }
    groupDestinations += other.groupDestinations
    weak += other.weak
    clones += other.clones
    for (pair, number) in other.forwarded { forwarded[pair, default: 0] += number }
    moments += other.moments
    alsoRight += other.alsoRight
    if expectedVTEP == nil { expectedVTEP = other.expectedVTEP }
    for rival in other.rivals { note(rival: rival) }
  }

  mutating func note(rival: UInt64) {
    if rivals.count < 8, !rivals.contains(rival) { rivals.append(rival) }
  }

  mutating func add(
    trajectory: UInt64, _ observation: Observation, copies: UInt64 = 1, isWeak: Bool, isClone: Bool = false,
    forwarders: [ForwarderPair] = [], group: [Observation], index: Int
  ) {
    if trajectory != lastTrajectory {
      lastTrajectory = trajectory
      count += 1
      if observation.time > clamped(last, plus: FaultRecord.burst) { moments += 1 }
      if isWeak { weak += 1 }
      if isClone { clones += 1 }
      for pair in forwarders { forwarded[pair, default: 0] += 1 }
      if observation.destination.isGroup {
        groupDestinations += 1
      } else if destinations.count < 16 || destinations[observation.destination] != nil {
        destinations[observation.destination, default: 0] += 1
      }
    }
    self.copies += copies
    first = min(first, observation.time)
    last = max(last, observation.time)
    if point == nil { point = observation.point }
    if example.isEmpty {
      example = Array(group.prefix(64))
      wrong = min(index, 63)
    }
  }
}

extension Observation.Class {
  /// A bit for what a capture filter would tell apart: questions and answers are one kind.
  var kindBit: UInt16 {
    switch self {
    case .other: 1
    case .arpRequest, .arpReply: 2
    case .neighborSolicitation, .neighborAdvertisement: 4
    case .icmpRequest, .icmpReply: 8
    case .tcp: 16
    case .udp: 32
    case .fragment: 64
    case .rarp: 128
    }
  }
}
