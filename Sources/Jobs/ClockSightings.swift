import Clocks
import Deployment
import Observations
import Wire

/// Sightings of frames that tell of clocks: a sample chosen by digest, the same frames at every point, so memory is
/// bounded whatever is read. Frames are matched by digest alone: nothing is known yet of the clocks. Only frames that
/// passed each point once count.
struct ClockSightings {
  /// Sightings kept at most.
  static var bound: Int { 1 << 18 }

  /// What a point is good for.
  enum Use: Int {
    case none
    /// To hold a host's ports against its tunnel point.
    case beside
    /// To hold hosts against each other.
    case between
  }

  /// Frames with a larger digest are not in the sample.
  private(set) var largest = UInt64.max
  private let points: [CapturePoint]
  private let vtepHosts: [Int?]
  private let hosts: Int
  private let hasTunnelPoint: [Bool]
  private let ownerOfMAC: [MACAddress: Int]
  private var sightings: [Sighting] = []
  private var compacted = 0

  private struct Sighting: BitwiseCopyable {
    var digest: UInt64
    var time: Int64
    var point: UInt16
    var capture: UInt16
    /// How often the capture's time had fallen far back.
    var fold: UInt8
    /// Ports of a host whose tunnel point was captured count as a host of their own: `hosts` + its number.
    var host: Int32
    /// The other end: the receiver's host for what is sent (-1 for any), the sender's for what is received.
    var peer: Int32
    var isSent: Bool
    /// NICs may cut and join such frames on the way.
    var isMutable: Bool

    func precedes(_ other: Sighting) -> Bool {
      (digest, host, peer, isSent ? 1 : 0, point, time)
        < (other.digest, other.host, other.peer, other.isSent ? 1 : 0, other.point, other.time)
    }

    func isSame(as other: Sighting) -> Bool {
      digest == other.digest && host == other.host && peer == other.peer && isSent == other.isSent
        && point == other.point
    }
  }

  init(_ survey: SurveyResult) {
    points = survey.plan.points
    vtepHosts = survey.plan.vteps.hosts
    hosts = survey.deployment.hosts.count
    var tunnels = Array(repeating: false, count: hosts)
    for point in points where point.kind == .tunnel && !point.captures.isEmpty { tunnels[point.host] = true }
    hasTunnelPoint = tunnels
    var owners: [MACAddress: Int] = [:]
    for port in survey.deployment.ports {
      for mac in port.macs {
        // A MAC on several hosts tells nothing.
        if let host = owners[mac], host != port.host { owners[mac] = -1 } else { owners[mac] = port.host }
      }
    }
    ownerOfMAC = owners
    macs = survey.deployment.ports.map { Set($0.macs) }
  }

  /// By port.
  private let macs: [Set<MACAddress>]

  func use(of point: CapturePoint) -> Use {
    if point.kind == .tunnel { return .between }
    guard point.kind.isGuestSide, point.port != nil else { return .none }
    return hasTunnelPoint[point.host] ? .beside : .between
  }

  /// - Parameter fold: how often the capture's time had fallen far back by then.
  mutating func add(_ seen: Observation, fold: UInt8) {
    let point = points[Int(seen.point)]
    let isSent: Bool
    let peer: Int
    var host = point.host
    if point.kind == .tunnel {
      guard seen.direction == .out || seen.direction == .in else { return }
      isSent = seen.direction == .out
      let far = Int(isSent ? seen.outerTo : seen.outerFrom)
      guard far < vtepHosts.count, let end = vtepHosts[far] else { return }
      peer = end
    } else {
      guard point.kind.isGuestSide, let owner = ownerOfMAC[seen.source], owner >= 0 else { return }
      isSent = owner == point.host
      if hasTunnelPoint[point.host] {
        // What another guest of the host sent did not come by the tunnel.
        guard !isSent || point.port.map({ macs[$0].contains(seen.source) }) ?? false else { return }
        host = hosts + point.host
        peer = point.host
      } else {
        peer = isSent ? -1 : owner
      }
    }
    guard peer != host else { return }
    sightings.append(
      Sighting(
        digest: seen.digest, time: seen.time, point: seen.point, capture: seen.capture, fold: fold, host: Int32(host),
        peer: Int32(peer),
        isSent: isSent, isMutable: seen.frameClass == .tcp || seen.frameClass == .fragment))
    if sightings.count >= compacted + ClockSightings.bound { compact() }
  }

  /// Two captures of one point stamp a frame no further apart than this, in nanoseconds.
  private static var recordedTwice: Int64 { 1_000_000 }

  /// Sorts the sightings, keeps two of each kind (as good as many: not unique), and narrows the sample where it is
  /// still too large.
  private mutating func compact() {
    sightings.sort { $0.precedes($1) }
    var kept: [Sighting] = []
    for sighting in sightings {
      // Two captures of one point show the same sighting.
      if let before = kept.last, before.isSame(as: sighting),
        clamped(sighting.time, minus: before.time) < ClockSightings.recordedTwice
      {
        continue
      }
      if kept.count > 1, kept[kept.count - 1].isSame(as: sighting), kept[kept.count - 2].isSame(as: sighting) {
        continue
      }
      kept.append(sighting)
    }
    if kept.count > ClockSightings.bound {
      largest = kept[ClockSightings.bound / 2].digest
      kept.removeAll { $0.digest > largest }
    }
    sightings = kept
    compacted = kept.count
  }

  /// Puts all sightings on clocks that were never set far back.
  mutating func unfold(_ folds: ClockFolds) {
    for index in sightings.indices {
      let (capture, fold) = (Int(sightings[index].capture), Int(sightings[index].fold))
      sightings[index].time = folds.unfolded(sightings[index].time, capture: capture, fold: fold)
    }
  }

  // MARK: Support

  /// How many frames the hosts of a pair received from each other while it is said to be known how their clocks
  /// relate, and how many of those the other sent at all.
  func support(of pairs: [PairEstimate]) -> [(received: Int, sent: Int)] {
    var result = Array(repeating: (received: 0, sent: 0), count: pairs.count)
    var numbers: [[Int32]: Int] = [:]
    for (number, pair) in pairs.enumerated() { numbers[[Int32(pair.first), Int32(pair.second)]] = number }
    var from = 0
    while from < sightings.count {
      var to = from + 1
      while to < sightings.count, sightings[to].digest == sightings[from].digest { to += 1 }
      for seen in sightings[from..<to] where !seen.isSent && !seen.isMutable {
        // What a port received passed its host's tunnel point; whether it was sent by there is told by its arrival.
        let isPort = Int(seen.host) >= hosts
        let (low, high) = (min(seen.host, seen.peer), max(seen.host, seen.peer))
        guard let number = numbers[[low, high]], pairs[number].covers(seen.time, ofSecond: seen.host == high) else {
          continue
        }
        result[number].received += 1
        let isBorneOut = sightings[from..<to].contains {
          $0.host == seen.peer && $0.isSent != isPort && (isPort || $0.peer == seen.host || $0.peer < 0)
        }
        if isBorneOut { result[number].sent += 1 }
      }
      from = to
    }
    return result
  }

  // MARK: Matching

  /// Frames that left one host once and reached another once, and those that passed between a host's tunnel point
  /// and its ports. Of several points in series, the one nearest to the other end counts: the last to send, the first
  /// to receive.
  mutating func samples() -> (between: [ClockSample], within: [ClockSample]) {
    compact()
    var between: [ClockSample] = []
    var within: [ClockSample] = []
    var from = 0
    while from < sightings.count {
      var to = from + 1
      while to < sightings.count, sightings[to].digest == sightings[from].digest { to += 1 }
      if to - from > 1 {
        let sent = passages(sightings[from..<to].filter(\.isSent))
        let received = passages(sightings[from..<to].filter { !$0.isSent })
        addBetween(sent, received, to: &between)
        addWithin(sent, received, to: &within)
      }
      from = to
    }
    return (between, within)
  }

  private func addBetween(_ sent: [Passage], _ received: [Passage], to samples: inout [ClockSample]) {
    for arrival in received where Int(arrival.host) < hosts {
      // A copy for that receiver; where only ports were captured, any.
      let departure = sent.first {
        $0.host == arrival.peer && Int($0.host) < hosts && ($0.peer == arrival.host || $0.peer < 0)
      }
      guard let departure, let start = departure.time, let end = arrival.time else { continue }
      samples.append(
        ClockSample(sender: Int(departure.host), receiver: Int(arrival.host), sent: start, received: end))
    }
  }

  private func addWithin(_ sent: [Passage], _ received: [Passage], to samples: inout [ClockSample]) {
    for port in sent where Int(port.host) >= hosts {
      // The first copy that left.
      let copies = sent.filter { Int($0.host) == Int(port.host) - hosts }
      guard let start = port.time, !copies.isEmpty, copies.allSatisfy({ $0.time != nil }),
        let end = copies.compactMap(\.time).min()
      else { continue }
      samples.append(
        ClockSample(sender: Int(port.host), receiver: Int(port.host) - hosts, sent: start, received: end))
    }
    for port in received where Int(port.host) >= hosts {
      let arrivals = received.filter { Int($0.host) == Int(port.host) - hosts }
      guard arrivals.count == 1, let start = arrivals[0].time, let end = port.time else { continue }
      samples.append(
        ClockSample(sender: Int(port.host) - hosts, receiver: Int(port.host), sent: start, received: end))
    }
  }

  private struct Passage {
    var host: Int32
    var peer: Int32
    /// nil where a point saw the frame more than once.
    var time: Int64?
  }

  /// One for each host, peer and direction among sorted sightings of one direction.
  private func passages(_ sorted: some Collection<Sighting>) -> [Passage] {
    var passages: [Passage] = []
    var last: Sighting?
    for sighting in sorted {
      defer { last = sighting }
      guard let before = last, before.host == sighting.host, before.peer == sighting.peer,
        let index = passages.indices.last
      else {
        passages.append(Passage(host: sighting.host, peer: sighting.peer, time: sighting.time))
        continue
      }
      if before.point == sighting.point {
        passages[index].time = nil
      } else if let time = passages[index].time {
        passages[index].time = sighting.isSent ? max(time, sighting.time) : min(time, sighting.time)
      }
    }
    return passages
  }
}
