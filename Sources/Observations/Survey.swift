import CaptureFiles
import Deployment
import Wire

/// What the survey learned before the run.
public struct SurveyResult: Sendable {
  public var plan = ObservationPlan()
  /// The deployment with what had to be inferred from the captures.
  public var deployment = Deployment()
  /// Captures that could not be opened; the others have nil.
  public var errors: [CaptureFileError?] = []
  /// Interfaces of each capture as far as the sample reached.
  public var interfaces: [[CaptureInterface]] = []
  /// Ports whose network was inferred from the VNIs of their frames.
  public var inferredPorts: Set<Int> = []
  /// Hosts whose VTEP was inferred.
  public var inferredVTEPs: Set<Int> = []
  /// No source names any network: the translation as a whole is inferred.
  public var inferredNetworks = false
  /// Earliest time among the first frames of each capture, in its host's own clock; nil where there are none.
  public var starts: [Int64?] = []
  /// Observations of the sample, in the hosts' own clocks.
  public var sample: [Observation] = []

  public init() {}
}

/// Reads the head of every capture: points, tunnel addresses, the depth that all have, and, where
/// there is no state, the translation itself. Bounded: `limit` frames a capture are kept (fewer where there are many
/// captures), and a capture that starts early is passed over for at most `reach` frames until all points have begun.
public func survey(
  _ deployment: Deployment, seed: UInt64, limit: Int = 16_384, reach: Int = 1_000_000
) -> SurveyResult {
  var run = Survey(deployment, seed: seed, limit: limit, reach: reach)
  run.openCaptures()
  run.assignPoints()
  run.takeCensus()
  run.settleVTEPs()
  run.settleDepth()
  run.observe()
  run.inferOwnAddresses()
  run.inferNetworks()
  return run.result
}

struct Survey {
  var result = SurveyResult()
  let limit: Int
  let reach: Int
  /// Frames that all samples together hold about at most.
  private static var mostKept: Int { 1 << 18 }
  var census = Census()
  /// Hosts with several addresses that could be their own.
  var ambiguousVTEPs: [Int: [IPAddress]] = [:]

  init(_ deployment: Deployment, seed: UInt64, limit: Int, reach: Int) {
    result.deployment = deployment
    result.plan.seed = seed
    self.limit = min(limit, max(256, Survey.mostKept / max(1, deployment.captures.count)))
    self.reach = reach
  }

  mutating func openCaptures() {
    for capture in result.deployment.captures {
      var interfaces: [CaptureInterface] = []
      var failure: CaptureFileError?
      var start: Int64?
      do throws(CaptureFileError) {
        var reader = try CaptureReader(path: capture.path)
        var batch = FrameBatch()
        // Interfaces of a pcapng file may be described behind the first frames.
        for _ in 0..<8 {
          guard try reader.next(into: &batch, limit: 512) else { break }
          for record in batch.frames where record.hasTime { start = min(start ?? record.time, record.time) }
        }
        interfaces = reader.interfaces
      } catch {
        failure = error
      }
      result.errors.append(failure)
      result.interfaces.append(interfaces)
      result.starts.append(start)
    }
    for host in result.deployment.hosts.indices {
      let own = result.deployment.captures.indices.filter { result.deployment.captures[$0].host == host }
      result.deployment.addPorts(
        capturedOn: host, interfaces: own.flatMap { result.interfaces[$0].compactMap(\.name) })
    }
  }

  /// When the last point of a host had begun; of a point that was captured to several files, the first counts.
  private func commonStart(of host: Int) -> Int64 {
    var common = Int64.min
    for point in result.plan.points where point.host == host {
      if let start = point.captures.compactMap({ result.starts[$0] }).min() { common = max(common, start) }
    }
    return common
  }

  /// Calls `body` with the frames of a capture's sample.
  func sample(
    _ capture: Int, _ body: (borrowing FrameBatch, [CaptureInterface]) -> Void
  ) {
    guard result.errors[capture]?.kind != .unreadable, result.errors[capture]?.kind != .notACapture else { return }
    // Clocks of other hosts may be anything.
    let host = result.deployment.captures[capture].host
    let from = clamped(commonStart(of: host), minus: 2_000_000_000)
    var kept = 0
    var passed = 0
    do throws(CaptureFileError) {
      var reader = try CaptureReader(path: result.deployment.captures[capture].path)
      var batch = FrameBatch()
      while kept < limit, try reader.next(into: &batch, limit: 4096) {
        if passed < reach, let last = batch.frames.last, last.time < from {
          passed += batch.frames.count
          continue
        }
        kept += batch.frames.count
        body(batch, reader.interfaces)
      }
    } catch {
      // The run itself reports what cannot be read.
    }
  }

  mutating func settleDepth() {
    var depth = result.plan.depth
    for (index, interfaces) in result.interfaces.enumerated() {
      for interface in interfaces where interface.snapLength > 0 && interface.snapLength < 300 {
        // Headers before the inner network packet: Ethernet, or that with IPv4, UDP and VXLAN before.
        let tunnel: Bool
        if case .point(let point) = result.plan.routes[index] {
          tunnel = result.plan.points[point].kind == .tunnel
        } else {
          tunnel = true
        }
        depth = min(depth, Int(interface.snapLength) - (tunnel ? 64 : 20))
      }
    }
    if census.leastDepth < depth { depth = census.leastDepth }
    // Room for one tag that a fault may have left on a frame.
    if depth < result.plan.depth { depth -= 4 }
    result.plan.depth = max(20, depth)
  }

  mutating func observe() {
    for (index, source) in result.deployment.captures.enumerated() {
      var builder = ObservationBuilder(capture: index, plan: result.plan)
      var observations: [Observation] = []
      sample(index) { batch, interfaces in
        builder.add(batch, interfaces: interfaces, host: source.host, direction: source.direction, to: &observations)
      }
      result.sample.append(contentsOf: observations)
    }
  }

  /// Sightings of each frame of the sample, in order of time within a host.
  func sightings() -> [[Observation]] {
    var groups: [UInt64: [Observation]] = [:]
    for observation in result.sample { groups[observation.digest, default: []].append(observation) }
    return groups.keys.sorted().compactMap { digest in
      guard let group = groups[digest], group.count > 1, group.count < 64 else { return nil }
      return group.sorted { ($0.time, $0.capture, $0.frame) < ($1.time, $1.capture, $1.frame) }
    }
  }
}
