import CaptureFiles
import Clocks
import Deployment
import Observations
import Wire

/// Aligns the hosts' clocks by the frames that were seen on two of them, before the run.
///
/// Of a host whose underlay was captured the tunnel points are read, else the ports: all of a small capture, since a
/// clock may drift or be set at any time, and the beginning of a large one. Within a host, the ports are held against
/// the tunnel point: a NIC may stamp frames in a clock of its own.
struct ClockAlignment {
  /// Bytes of frames read of each capture at most, and of all together.
  static var reach: Int { 64 << 20 }
  static var reachOfAll: Int { 4 << 30 }
  /// Of captures that only tell whether their host's points share a clock.
  static var reachBeside: Int { 8 << 20 }

  /// A frame takes no longer than this inside a host at its fastest, in nanoseconds.
  private static var leastDelayWithin: Double { 1_000_000 }

  /// What alignment tells of all hosts.
  struct Result {
    /// By host: of its tunnel point, or of its ports where only they were captured.
    var clocks: [HostClock]
    /// Captures that are stamped in another clock than their host's, and how that becomes the reference clock.
    var captures: [Int: ClockCorrection] = [:]
    /// By host: how far the clock of its ports is ahead of that of its tunnel point, where they differ.
    var portsAhead: [Int: Int64] = [:]
  }

  private let survey: SurveyResult
  private let reach: Int
  private var sightings: ClockSightings
  private var folds: ClockFolds

  static func align(_ survey: SurveyResult) -> Result {
    var alignment = ClockAlignment(survey)
    if alignment.isNeeded { alignment.read() }
    return alignment.result()
  }

  private init(_ survey: SurveyResult) {
    self.survey = survey
    reach = min(ClockAlignment.reach, ClockAlignment.reachOfAll / max(1, survey.deployment.captures.count))
    sightings = ClockSightings(survey)
    folds = ClockFolds(survey)
  }

  /// Two hosts at least were captured, or two points of one.
  private var isNeeded: Bool { survey.plan.points.filter { !$0.captures.isEmpty }.count > 1 }

  // MARK: Reading

  private mutating func read() {
    for (index, source) in survey.deployment.captures.enumerated() {
      let points = survey.plan.points.filter { $0.captures.contains(index) }
      let uses = points.map { sightings.use(of: $0) }
      guard let use = uses.max(by: { $0.rawValue < $1.rawValue }), use != .none else { continue }
      let limit = use == .beside ? min(ClockAlignment.reachBeside, reach) : reach
      var builder = ObservationBuilder(capture: index, plan: survey.plan)
      var observations: [Observation] = []
      // What cannot be read is reported by the run itself.
      guard var reader = try? CaptureReader(path: source.path) else { continue }
      var batch = FrameBatch()
      var read = 0
      while read < limit, (try? reader.next(into: &batch)) ?? false {
        for frame in batch.frames { read += frame.capturedLength }
        observations.removeAll(keepingCapacity: true)
        builder.add(
          batch, interfaces: reader.interfaces, host: source.host, direction: source.direction, to: &observations)
        let falls = folds.read(batch, of: index)
        let origin = batch.frames.first?.number ?? 0
        for observation in observations where observation.digest <= sightings.largest {
          // Frames are numbered in 32 bits.
          let place = Int(UInt32(truncatingIfNeeded: observation.frame) &- UInt32(truncatingIfNeeded: origin))
          sightings.add(observation, fold: falls.indices.contains(place) ? falls[place] : folds.count(of: index))
        }
      }
    }
    folds.settle(leading: leading)
    sightings.unfold(folds)
  }

  /// Points that hold hosts against each other.
  private var leading: [Int] {
    survey.plan.points.indices.filter { sightings.use(of: survey.plan.points[$0]) == .between }
  }

  // MARK: Estimates

  private mutating func result() -> Result {
    let hosts = survey.deployment.hosts.count
    let samples = sightings.samples()
    var result = Result(
      clocks: estimateClocks(
        hosts: hosts, pairs: borneOut(estimatePairs(hosts: hosts, samples: samples.between)), folds: folds.cuts,
        leastShown: folds.leastShown(leading: leading)))
    for host in result.clocks.indices { folds.fold(&result.clocks[host]) }
    for host in result.clocks.indices where !result.clocks[host].correction.jumps.isEmpty {
      let turns = ClockTurns(of: host, result.clocks[host].correction, survey, reach: reach)
      result.clocks[host].correction.setEnds(zip(result.clocks[host].correction.ends, turns.ends).map { $0 ?? $1 })
    }
    let within = estimatePairs(hosts: 2 * hosts, samples: samples.within, leastDelay: ClockAlignment.leastDelayWithin)
    for pair in borneOut(within) {
      // One clock shows where a capture does not tell that it was set, and where it does: that is no clock of its own.
      guard pair.stretches.count == 1, let stretch = pair.stretches.first, pair.grade < .none else { continue }
      let ahead = stretch.line.offset(at: middle(stretch.line.first, stretch.line.last))
      // Frames take their time inside a host, too.
      guard ahead.magnitude > stretch.uncertainty.magnitude + 2_000_000 else { continue }
      guard let clock = result.clocks[pair.first].beside(pair) else { continue }
      result.portsAhead[pair.first] = ahead
      for capture in survey.deployment.captures.indices where isOfPortsOnly(capture, pair.first) {
        result.captures[capture] = clock.correction
      }
    }
    return result
  }

  /// The pairs without those whose frames are the same by chance: frames that repeat, such as ARP requests, relate
  /// captures of two days as well; but then nearly all else that one received the other never sent.
  private func borneOut(_ pairs: [PairEstimate]) -> [PairEstimate] {
    let doubtful = pairs.indices.filter { !pairs[$0].isUnmistakable }
    guard !doubtful.isEmpty else { return pairs }
    let support = sightings.support(of: doubtful.map { pairs[$0] })
    var result = pairs
    for (index, support) in zip(doubtful, support)
    where support.received >= ClockAlignment.fewestReceived && support.sent * 4 < support.received {
      result[index] = PairEstimate(first: pairs[index].first, second: pairs[index].second, grade: .none)
    }
    return result
  }

  /// Of fewer frames nothing is concluded.
  private static var fewestReceived: Int { 8 }

  /// Whether a capture of a host holds no tunnel point: then one clock stamped all of it, and that is the ports'.
  private func isOfPortsOnly(_ capture: Int, _ host: Int) -> Bool {
    let points = survey.plan.points.filter { $0.captures.contains(capture) }
    return survey.deployment.captures[capture].host == host && !points.isEmpty
      && points.allSatisfy { $0.kind != .tunnel }
  }
}
