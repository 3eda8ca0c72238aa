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
    public var omissions = Omissions()
    public init() {}
  }

  let survey: SurveyResult
  /// By host.
  let clocks: [HostClock]
  /// By host: how far the clock of its ports is ahead of that of its tunnel point, in nanoseconds, where they differ.
  public var portsAhead: [Int: Int64] = [:]
  let installed: InstalledView
  let contradictions: [InstalledCheck.Contradiction]
  let demands: Demands
  var judge: Judge
  private var group: [Observation] = []

  /// - Parameter clocks: of all hosts, as the survey's plan corrects them.
  public init(_ survey: SurveyResult, clocks: [HostClock] = [], demands: Demands) {
    var survey = survey
    let omitted = demands.omissions.exceptions
    if omitted.contains(.incompleteIntent) { survey.deployment.complete = true }
    if omitted.contains(.providerNetworks) {
      for index in survey.deployment.networks.indices { survey.deployment.networks[index].kind = .vxlan }
    }
    if omitted.contains(.pluggedMeanwhile) {
      for index in survey.deployment.ports.indices { survey.deployment.ports[index].installedTagAfter = nil }
    }
    if omitted.contains(.renumberedTags) {
      for index in survey.deployment.ports.indices { survey.deployment.ports[index].recordedTagAfter = nil }
    }
    self.survey = survey
    self.clocks = clocks
    self.demands = demands
    installed = InstalledView(survey.deployment, clocks: survey.plan.clocks)
    let topology = Topology(survey.deployment, survey.plan)
    contradictions = InstalledCheck.contradictions(
      survey.deployment, installed, topology, without: omitted)
    judge = Judge(
      topology, trust: ClockTrust(clocks), tunnelPorts: TunnelPortPlan(survey), facts: InstalledFacts(topology, installed, contradictions, leaks: InstalledPaths.unseenLeaks(survey.deployment, topology, installed)),
      reinstalls: installed.reinstalls, without: omitted)
  }

  /// Tells which time a point's captures cover; `last` is `max` while one of them is still being read, `holes` lie
  /// between them, in order.
  public mutating func setSpan(point: Int, first: Int64, last: Int64, holes: [ClosedRange<Int64>] = []) {
    judge.spans[point] = LiveSpan(first: first, last: last, holes: holes)
  }

  /// Judges groups of equal frames, sorted.
  public mutating func judge(_ batch: GroupBatch) {
    for entry in batch.entries {
      group.removeAll(keepingCapacity: true)
      group.append(contentsOf: batch.observations[entry.start..<(entry.start + entry.count)])
      judge.isPiece = entry.isPiece
      judge.judge(group)
      follower?.note(group, judge.resolver)
    }
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
    var run = self
    run.judge.settleAll()
    return ReportBuilder(run: run, captures: captures).report()
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
  public var facts = CaptureFacts()

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

/// What a capture itself says of how it was taken, and what was odd about the order of its frames.
public struct CaptureFacts: Sendable, Hashable {
  public var snapLength: UInt32 = 0
  /// By the file's own counters, of all its interfaces; nil where it has none.
  public var received: UInt64?
  /// Frames that the capture itself lost, by the file's own counters.
  public var dropped: UInt64?
  /// Frames so far behind others of the file that they came too late to be judged, and by how much at most, in
  /// nanoseconds.
  public var late: UInt64 = 0
  public var lateBy: Int64 = 0
  /// Frames that another capture of the same point shows too; they count once.
  public var repeated: UInt64 = 0

  public init() {}
}
