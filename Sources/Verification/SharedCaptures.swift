import Correlation
import Observations

/// Points whose captures hold other interfaces, too (one pcapng of several, `any`). Where the file begins and ends says
/// nothing of when such an interface came, or went: a point is known to record from its first frame to its last.
struct SharedCaptures: Sendable {
  /// By point.
  let isShared: [Bool]
  let hasAny: Bool
  /// In the reference clock.
  private(set) var first: [Int64]
  private(set) var last: [Int64]

  init(_ points: [CapturePoint]) {
    var counts: [Int: Int] = [:]
    for capture in points.flatMap(\.captures) { counts[capture, default: 0] += 1 }
    isShared = points.map { point in !point.captures.isEmpty && point.captures.allSatisfy { counts[$0, default: 0] > 1 } }
    hasAny = isShared.contains(true)
    first = Array(repeating: .max, count: points.count)
    last = Array(repeating: .min, count: points.count)
  }

  mutating func note(_ group: [Observation]) {
    for seen in group {
      let point = Int(seen.point)
      first[point] = min(first[point], seen.time)
      last[point] = max(last[point], seen.time)
    }
  }

  /// Whether a point of those is known to have recorded until a time at least.
  func isKnown(until time: Int64, at points: [Int]) -> Bool {
    for point in points where !isShared[point] || last[point] >= time { return true }
    return points.isEmpty
  }
}

extension Judge {
  /// Whether a point recorded all that passed it at a time, as far as is known by now.
  func isRecording(_ point: Int, _ time: Int64, within slack: Int64 = 0) -> Bool {
    !topology.showsOneWay[point] && spans[point].contains(time, within: slack) && (!shared.isShared[point] || shared.first[point] <= time)
  }

  /// The points that must show what passes a stretch.
  private func ends(of key: StretchKey) -> [Int] {
    switch key.stretch {
    case .toPort, .betweenPorts: topology.guestPoints[Int(key.port)]
    case .intoTunnel: topology.tunnelPoints[Int(key.host)]
    case .underlay: topology.tunnelPoints[Int(key.peer)]
    default: []
    }
  }

  /// Whether what a stretch lacks at a time has to wait for a later frame, to show that its end still recorded.
  func mustWait(_ key: StretchKey, _ time: Int64) -> Bool {
    shared.hasAny && makes(.notRecording) && !shared.isKnown(until: time, at: ends(of: key))
  }

  /// Counts what waited, once a later frame has shown.
  mutating func settle(_ number: Int) {
    guard let last = stretches.waiting[number]?.missed.last,
      shared.isKnown(until: last, at: ends(of: stretches.keys[number]))
    else { return }
    stretches.settle(number)
  }

  mutating func settleAll() {
    for number in stretches.keys.indices { settle(number) }
    for port in policy.inbound.indices { settlePolicy(port) }
  }
}
