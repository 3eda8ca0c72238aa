import CaptureFiles
import Clocks
import Deployment
import Observations
import Wire

/// Aligns the hosts' clocks by the frames that were seen on two of them, before the run.
///
/// Of a host whose underlay was captured the tunnel points are read, else the ports: all of a small capture, since a
/// clock may drift or be set at any time, and the first `reach` bytes of a large one. What is kept is a sample chosen by digest, the same
/// frames at every point, so memory is bounded whatever their size. Frames are matched by digest alone: nothing is
/// known yet of the clocks. Only frames that passed each point once count.
struct ClockAlignment {
  /// Bytes of frames read of each capture.
  static var reach: Int { 64 << 20 }
  /// Sightings kept at most.
  static var bound: Int { 1 << 18 }

  private let survey: SurveyResult
  private let hasTunnelPoint: [Bool]
  private let ownerOfMAC: [MACAddress: Int]
  private var sightings: [Sighting] = []
  /// Frames with a larger digest are not in the sample.
  private var largest = UInt64.max
  private var compacted = 0

  private struct Sighting: BitwiseCopyable {
    var digest: UInt64
    var time: Int64
    var point: Int32
    var host: Int32
    /// The other end: the receiver's host for what is sent (-1 for any), the sender's for what is received.
    var peer: Int32
    var isSent: Bool

    func precedes(_ other: Sighting) -> Bool {
      (digest, host, peer, isSent ? 1 : 0, point, time)
        < (other.digest, other.host, other.peer, other.isSent ? 1 : 0, other.point, other.time)
    }

    func isSame(as other: Sighting) -> Bool {
      digest == other.digest && host == other.host && peer == other.peer && isSent == other.isSent
        && point == other.point
    }
  }

  /// The clocks of all hosts of a survey.
  static func clocks(_ survey: SurveyResult) -> [HostClock] {
    let hosts = survey.deployment.hosts.count
    var alignment = ClockAlignment(survey)
    if alignment.isNeeded { alignment.read() }
    return estimateClocks(hosts: hosts, samples: alignment.samples())
  }

  private init(_ survey: SurveyResult) {
    self.survey = survey
    var tunnels = Array(repeating: false, count: survey.deployment.hosts.count)
    for point in survey.plan.points where point.kind == .tunnel && !point.captures.isEmpty {
      tunnels[point.host] = true
    }
    hasTunnelPoint = tunnels
    var owners: [MACAddress: Int] = [:]
    for port in survey.deployment.ports {
      for mac in port.macs {
        // A MAC on several hosts tells nothing.
        if let host = owners[mac], host != port.host { owners[mac] = -1 } else { owners[mac] = port.host }
      }
    }
    ownerOfMAC = owners
  }

  /// Two hosts at least were captured.
  private var isNeeded: Bool {
    Set(survey.plan.points.filter { !$0.captures.isEmpty }.map(\.host)).count > 1
  }

  // MARK: Reading

  private mutating func read() {
    for (index, source) in survey.deployment.captures.enumerated() {
      let points = survey.plan.points.filter { $0.captures.contains(index) }
      guard points.contains(where: { isOfUse($0) }) else { continue }
      var builder = ObservationBuilder(capture: index, plan: survey.plan)
      var observations: [Observation] = []
      // What cannot be read is reported by the run itself.
      guard var reader = try? CaptureReader(path: source.path) else { continue }
      var batch = FrameBatch()
      var read = 0
      while read < ClockAlignment.reach, (try? reader.next(into: &batch)) ?? false {
        for frame in batch.frames { read += frame.capturedLength }
        observations.removeAll(keepingCapacity: true)
        builder.add(
          batch, interfaces: reader.interfaces, host: source.host, direction: source.direction, to: &observations)
        for observation in observations where observation.digest <= largest { add(observation) }
      }
    }
  }

  private func isOfUse(_ point: CapturePoint) -> Bool {
    hasTunnelPoint[point.host] ? point.kind == .tunnel : point.kind.isGuestSide
  }

  private mutating func add(_ seen: Observation) {
    let point = survey.plan.points[Int(seen.point)]
    guard isOfUse(point) else { return }
    let isSent: Bool
    let peer: Int
    if point.kind == .tunnel {
      guard seen.direction == .out || seen.direction == .in else { return }
      isSent = seen.direction == .out
      let far = Int(isSent ? seen.outerTo : seen.outerFrom)
      guard far < survey.plan.vteps.hosts.count, let host = survey.plan.vteps.hosts[far] else { return }
      peer = host
    } else {
      guard let owner = ownerOfMAC[seen.source], owner >= 0 else { return }
      isSent = owner == point.host
      peer = isSent ? -1 : owner
    }
    guard peer != point.host else { return }
    sightings.append(
      Sighting(
        digest: seen.digest, time: seen.time, point: Int32(seen.point), host: Int32(point.host), peer: Int32(peer),
        isSent: isSent))
    if sightings.count >= compacted + ClockAlignment.bound { compact() }
  }

  /// Sorts the sightings, keeps two of each kind (as good as many: not unique), and narrows the sample where it is
  /// still too large.
  private mutating func compact() {
    sightings.sort { $0.precedes($1) }
    var kept: [Sighting] = []
    for sighting in sightings {
      // Two captures of one point show the same sighting.
      if let before = kept.last, before.isSame(as: sighting), before.time == sighting.time { continue }
      if kept.count > 1, kept[kept.count - 1].isSame(as: sighting), kept[kept.count - 2].isSame(as: sighting) {
        continue
      }
      kept.append(sighting)
    }
    if kept.count > ClockAlignment.bound {
      largest = kept[ClockAlignment.bound / 2].digest
      kept.removeAll { $0.digest > largest }
    }
    sightings = kept
    compacted = kept.count
  }

  // MARK: Matching

  /// Frames that left one host once and reached another once. Of several points in series, the one nearest to the
  /// underlay counts: the last to send, the first to receive.
  private mutating func samples() -> [ClockSample] {
    compact()
    var samples: [ClockSample] = []
    var from = 0
    while from < sightings.count {
      var to = from + 1
      while to < sightings.count, sightings[to].digest == sightings[from].digest { to += 1 }
      addSamples(of: sightings[from..<to], to: &samples)
      from = to
    }
    return samples
  }

  private func addSamples(of frame: ArraySlice<Sighting>, to samples: inout [ClockSample]) {
    guard frame.count > 1 else { return }
    for arrival in passages(frame.filter { !$0.isSent }) {
      let departures = passages(frame.filter { $0.isSent && $0.host == arrival.peer })
      // A copy for that receiver; where only ports were captured, any.
      guard let departure = departures.first(where: { $0.peer == arrival.host || $0.peer < 0 }),
        let sent = departure.time, let received = arrival.time
      else { continue }
      samples.append(
        ClockSample(sender: Int(departure.host), receiver: Int(arrival.host), sent: sent, received: received))
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
