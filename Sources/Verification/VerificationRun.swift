import Clocks
import Correlation
import Deployment
import Observations
import Wire

/// One run of judging: takes groups of equal frames as they settle, and ends in a report.
public struct VerificationRun: Sendable {
  /// What the caller asks of the verdict.
  public struct Demands: Sendable {
    public var failOn = Severity.error
    /// `HOST/NETWORK` cells that must be exercised.
    public var require: [String] = []
    public init() {}
  }

  let survey: SurveyResult
  /// By host.
  let clocks: [HostClock]
  let installed: InstalledView
  let demands: Demands
  var judge: Judge
  private var waiting: [(time: Int64, start: Int, count: Int, isPiece: Bool)] = []
  private var waitingObservations: [Observation] = []
  private var group: [Observation] = []

  /// - Parameter clocks: of all hosts, as the survey's plan corrects them.
  public init(_ survey: SurveyResult, clocks: [HostClock] = [], demands: Demands) {
    self.survey = survey
    self.clocks = clocks
    self.demands = demands
    installed = InstalledView(survey.deployment, clocks: survey.plan.clocks)
    let topology = Topology(survey.deployment, survey.plan)
    var unmapped: Set<UInt64> = []
    for host in survey.deployment.hosts.indices where installed.hasFlows[host] {
      for network in survey.deployment.networks where network.isOverlay {
        guard let vni = network.segmentationID, installed.isUnmapped(host: host, vni: vni) else { continue }
        unmapped.insert(UInt64(host) << 32 | UInt64(vni))
      }
    }
    var learning: [UInt64: Bool] = [:]
    for host in survey.deployment.hosts.indices {
      for (vni, learns) in installed.learning[host] { learning[UInt64(host) << 32 | UInt64(vni)] = learns }
    }
    judge = Judge(
      topology, tunnelPorts: TunnelPortPlan(survey), unmapped: unmapped, learning: learning,
      reinstalls: installed.reinstalls)
  }

  /// Tells which time a point's captures cover; `last` is `max` while one of them is still being read.
  public mutating func setSpan(point: Int, first: Int64, last: Int64) {
    judge.spans[point] = LiveSpan(first: first, last: last)
  }

  /// Takes a group of equal frames, sorted by time; it is judged with `judgeWaiting`. `isPiece`: they were repeated
  /// without a pause, and this is a part.
  public mutating func add(_ group: [Observation], isPiece: Bool = false) {
    guard let first = group.first else { return }
    waiting.append((first.time, waitingObservations.count, group.count, isPiece))
    waitingObservations.append(contentsOf: group)
  }

  /// Judges what was added, in the order of time: what hosts know depends on what reached them before.
  public mutating func judgeWaiting() {
    var isSorted = true
    for index in waiting.indices.dropFirst() where waiting[index].time < waiting[index - 1].time { isSorted = false }
    if !isSorted { waiting.sort { ($0.time, $0.start) < ($1.time, $1.start) } }
    for (_, start, count, isPiece) in waiting {
      group.removeAll(keepingCapacity: true)
      group.append(contentsOf: waitingObservations[start..<(start + count)])
      judge.isPiece = isPiece
      judge.judge(group)
      follower?.note(group, judge.resolver)
    }
    waiting.removeAll(keepingCapacity: true)
    waitingObservations.removeAll(keepingCapacity: true)
  }

  /// Follows the frames between two ports as well.
  public var follower: PathFollower?

  /// The path of what was followed, explained by the run's report.
  public func pathReport(_ report: Report) -> PathReport {
    guard let follower else { return PathReport(conclusion: "no path was followed") }
    return PathReportBuilder(follower: follower, topology: judge.topology, report: report).build()
  }

  /// The points and frames that the run knows, for followers of single paths.
  public var topology: Topology { judge.topology }

  /// Makes the report. `captures` says how each capture file was read.
  public func finish(_ captures: [CaptureOutcome]) -> Report {
    ReportBuilder(run: self, captures: captures).report()
  }
}

/// How one capture file was read.
public struct CaptureOutcome: Sendable {
  public var counts: CaptureCounts
  public var unknown: VTEPTable
  public var anomalies: [EncapsulationAnomaly]
  /// Why reading ended early, with file, offset and reason.
  public var error: String?
  /// The file only ends within a record.
  public var isTruncated: Bool
  public var snapLength: UInt32

  public init(
    counts: CaptureCounts, unknown: VTEPTable, anomalies: [EncapsulationAnomaly], error: String?, isTruncated: Bool,
    snapLength: UInt32
  ) {
    self.counts = counts
    self.unknown = unknown
    self.anomalies = anomalies
    self.error = error
    self.isTruncated = isTruncated
    self.snapLength = snapLength
  }
}
