import Correlation
import Observations

/// Frames of one kind from one host to another.
struct SizeKey: Hashable, Sendable {
  var host: Int32
  var peer: Int32
  /// As `Observation.Class.kindBit`: a firewall or a filter tells kinds apart, an MTU does not.
  var kind: UInt16
}

/// Which sizes pass the underlay, and which vanish.
struct SizeRecord: Sendable {
  var passed: UInt64 = 0
  /// Length of the longest inner frame that passed, in octets.
  var largestPassed: UInt32 = 0
  var lastPassed = Int64.min
  /// Frames that vanished though longer ones pass.
  var missedBelow: UInt64 = 0
  /// Frames longer than any that passed, and the first of them.
  var missedAbove: UInt64 = 0
  var missed: [Observation] = []
  static var mostMissed: Int { 256 }

  mutating func pass(_ seen: Observation) {
    passed += 1
    lastPassed = max(lastPassed, seen.time)
    guard seen.length > largestPassed else { return }
    largestPassed = seen.length
    guard missedAbove > 0 else { return }
    let before = missedAbove
    missed.removeAll { $0.length <= largestPassed }
    missedAbove = UInt64(missed.count)
    missedBelow += before - missedAbove
  }

  mutating func miss(_ seen: Observation) {
    guard seen.length > largestPassed else {
      missedBelow += 1
      return
    }
    missedAbove += 1
    if missed.count < SizeRecord.mostMissed { missed.append(seen) }
  }

  /// Whether a limit of size explains it and chance does not: several vanished, frames of any kind passed while they did,
  /// and at the rate at which shorter ones vanish this would not happen.
  /// - Parameter lastPassed: when the last frame of any kind passed the same way.
  func isLimit(lastPassed: Int64) -> Bool {
    guard missedAbove >= 3, passed >= 3, let first = missed.map(\.time).min(), lastPassed > first,
      Set(missed.map(\.digest)).count >= 3
    else { return false }
    let rate = Double(missedBelow + 1) / Double(missedBelow + passed + 2)
    return Chance.ofAll(UInt64(min(missedAbove, 64)), at: rate) < 1e-3
  }
}

extension Judge {
  /// Notes whether unicast of a port whose host's tunnel interface was not captured arrived at the host that it is for.
  mutating func noteSizeOutward(_ entry: Passage, _ seen: Observation) {
    for place in topology.portsOn.indices where place != Int(entry.host) && topology.hostHasTunnelPoint[place] {
      let host = Int32(truncatingIfNeeded: place)
      guard topology.ports(on: host, of: entry.network).contains(where: { topology.isOwn(seen.destination, of: $0) }) else { continue }
      var arrived = isShownByPorts(of: host)
      for tunnel in resolver.tunnels where tunnel.host == host && tunnel.direction == .in { arrived = true }
      if arrived || isLive(tunnelOf: host, seen.time, seenOn: entry.host) {
        noteSize(seen, from: entry.host, to: host, arrived: arrived)
      }
    }
  }

  /// Notes whether a frame that a host sent over the underlay arrived.
  mutating func noteSize(_ seen: Observation, from host: Int32, to peer: Int32, arrived: Bool) {
    let key = SizeKey(host: host, peer: peer, kind: seen.frameClass.kindBit)
    if arrived {
      sizes[key, default: SizeRecord()].pass(seen)
    } else if seen.length <= topology.longestFrame, !isWrong {
      sizes[key, default: SizeRecord()].miss(seen)
    }
  }
}
