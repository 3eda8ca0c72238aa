import Correlation
import Observations
import Wire

/// A rule as the judge raises it.
enum Fault: UInt8, Sendable {
  case wrongVNI, wrongLocalVLAN, vlanNotStripped, unexpectedVLANTag, unknownVNI, unmappedVNI
  case crossNetworkDelivery, unknownVTEP, forgedTunnelFrame, spoofedSourceMAC
  case nonstandardTunnelPort, malformedEncapsulation
  case frameLost
  case floodedAfterLearned, staleLocation, tunnelReflection, macMoved
  case spoofBlocked, untaggedPort, duplicateAddress

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
    case .forgedTunnelFrame: "forged-tunnel-frame"
    case .spoofedSourceMAC: "spoofed-source-mac"
    case .nonstandardTunnelPort: "nonstandard-tunnel-port"
    case .malformedEncapsulation: "malformed-encapsulation"
    case .frameLost: "frame-lost"
    case .floodedAfterLearned: "flooded-after-learned"
    case .staleLocation: "stale-location"
    case .tunnelReflection: "tunnel-reflection"
    case .macMoved: "mac-moved"
    case .spoofBlocked: "spoof-blocked"
    case .untaggedPort: "untagged-port"
    case .duplicateAddress: "duplicate-address"
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
  /// Where a MAC was proven to be, or was before.
  var expectedVTEP: UInt16?
  /// The MACs or hosts that are in dispute, or that were spoofed: a few of them.
  private(set) var rivals: [UInt64] = []
  /// Number of the last trajectory counted.
  var lastTrajectory = UInt64.max

  /// From the first to the last of its frames, in the reference clock.
  var stretch: ClosedRange<Int64>? { first <= last ? first...last : nil }

  mutating func note(rival: UInt64) {
    if rivals.count < 8, !rivals.contains(rival) { rivals.append(rival) }
  }

  mutating func add(
    trajectory: UInt64, _ observation: Observation, copies: UInt64 = 1, isWeak: Bool, isClone: Bool = false,
    group: [Observation], index: Int
  ) {
    if trajectory != lastTrajectory {
      lastTrajectory = trajectory
      count += 1
      if isWeak || isClone { weak += 1 }
      if isClone { clones += 1 }
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

/// A class of frames that either pass a stretch of the path or vanish on it.
struct StretchKey: Hashable, Sendable {
  enum Stretch: UInt8, Sendable { case intoTunnel, underlay, toPort, betweenPorts, floodCopy }
  var stretch: Stretch
  var host: Int32
  /// The far host of `underlay`, `betweenPorts` and `floodCopy`.
  var peer: Int32 = -1
  var network: Int32
  var port: Int32 = -1
}

struct StretchRecord: Sendable {
  var passed: UInt64 = 0
  /// Evidence of the frames that vanished, and how many there were of each kind.
  var missed = FaultRecord()
  var missedKinds: [UInt16: UInt64] = [:]

  mutating func note(_ trajectory: UInt64, _ group: [Observation], _ index: Int) {
    missed.add(trajectory: trajectory, group[index], isWeak: false, group: group, index: index)
    missed.frames.add(group[index])
    missedKinds[group[index].frameClass.kindBit, default: 0] += 1
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
