import CaptureFiles
import Clocks
import Deployment
import Foundation
import Observations
import Verification
import Wire

/// What `verify` and `path` are asked to do.
public struct VerifyOptions: Sendable {
  /// A bundle's directory, or capture files; `-` is standard input, and `NAME=PATH` reads a path under another name.
  public var paths: [String]
  /// Path of a manifest to use instead of the bundle's own.
  public var manifest: String?
  public var failOn = Severity.error
  /// `HOST/NETWORK` cells that must be exercised for a pass.
  public var require: [String] = []
  /// A tcpdump expression: only inner frames that match it are judged.
  public var filter: String?
  /// Rules and exceptions that the run is to do without, to see whether expectations notice.
  public var omissions = Omissions()

  public init(paths: [String]) { self.paths = paths }
}

/// Why a job could not be done; a sentence for the user.
public struct JobError: Error, CustomStringConvertible {
  public var message: String
  public var description: String { message }
  public init(_ message: String) { self.message = message }
}

/// How far a job has come.
public struct Progress: Sendable {
  public var bytesRead: UInt64
  public var bytesTotal: UInt64
  public var frames: UInt64
  /// What is being done now.
  public var stage: String

  public init(bytesRead: UInt64, bytesTotal: UInt64, frames: UInt64, stage: String) {
    self.bytesRead = bytesRead
    self.bytesTotal = bytesTotal
    self.frames = frames
    self.stage = stage
  }
}

/// Verifies the captures of a bundle against its state.
public func verify(
  _ options: VerifyOptions, progress: (@Sendable (Progress) -> Void)? = nil
) throws(JobError) -> Report {
  // A wrong expression is told before anything is read.
  if let expression = options.filter { _ = try compiled(expression, LinkType.ethernet) }
  var (survey, clocks) = try prepare(options)
  let omitted = options.demands.omissions.exceptions
  if !omitted.isEmpty {
    survey.plan.takes = TakenForFaults(without: omitted)
    if omitted.contains(.snapLengths) { survey.plan.depth = ObservationPlan().depth }
  }
  var run = VerificationRun(survey, clocks: clocks.clocks, demands: options.demands)
  run.portsAhead = clocks.portsAhead
  return try replay(survey, &run, options, progress)
}

/// Where the captures lie further below: in several bundles, of which one is to be named.
private func bundlesBelow(_ paths: [String]) -> String {
  let manager = FileManager.default
  for path in paths {
    let below = (try? manager.contentsOfDirectory(atPath: path))?.sorted() ?? []
    let bundles = below.prefix(1000).filter { name in
      let hosts = (try? manager.contentsOfDirectory(atPath: "\(path)/\(name)")) ?? []
      return hosts.contains { host in
        ((try? manager.contentsOfDirectory(atPath: "\(path)/\(name)/\(host)")) ?? []).contains { $0.contains(".pcap") }
      }
    }
    guard let first = bundles.first else { continue }
    return bundles.count == 1
      ? "; there are some in \(path)/\(first)" : "; \(bundles.count) directories below hold bundles of their own: name one, such as \(path)/\(first)"
  }
  return ""
}

/// Loads a bundle, surveys its captures, and aligns the clocks of its hosts.
func prepare(_ options: VerifyOptions) throws(JobError) -> (SurveyResult, ClockAlignment.Result) {
  let deployment = try load(options)
  guard !deployment.captures.isEmpty else {
    throw JobError("\(options.paths.joined(separator: ", ")): no capture file found\(bundlesBelow(options.paths))")
  }
  // Observations number captures and points in 16 bits.
  guard deployment.captures.count < 65_000 else {
    throw JobError("\(deployment.captures.count) capture files are more than one run can take (65,000)")
  }
  raiseFileLimit()
  // What the survey keeps in memory is bounded whatever the number of captures.
  let limit = max(256, min(16_384, (1 << 20) / deployment.captures.count))
  var result = survey(deployment, seed: seed(deployment), limit: limit)
  guard result.plan.points.count < 65_000 else {
    throw JobError("\(result.plan.points.count) captured interfaces are more than one run can take (65,000)")
  }
  let alignment = ClockAlignment.align(result)
  result.plan.clocks = alignment.clocks.map(\.correction)
  result.plan.captureClocks = alignment.captures
  return (result, alignment)
}

/// Seeds the digests by which frames are known. What is sampled, and with it every figure of the report, is the same
/// in every run; and nobody who sends frames can know it, since the sizes of all captures go in.
private func seed(_ deployment: Deployment) -> UInt64 {
  deployment.captures.reduce(0x6c61_6e65) { ($0 ^ fileSize($1.path)) &* 0x0000_0100_0000_01b3 }
}

func load(_ options: VerifyOptions) throws(JobError) -> Deployment {
  let isBundle = options.paths.count == 1 && isDirectory(options.paths[0])
  let inputs = try LooseInputs(isBundle ? [] : options.paths)
  do throws(BundleError) {
    var deployment =
      isBundle
      ? try loadBundle(path: options.paths[0], manifest: options.manifest)
      : try loadFiles(inputs.files, manifest: options.manifest)
    deployment.spooled = inputs.spooled
    deployment.nameNetworksByFlows()
    return deployment
  } catch {
    throw JobError("\(error)")
  }
}

/// Replays all captures through a run and makes its report.
func replay(
  _ survey: SurveyResult, _ run: inout VerificationRun, _ options: VerifyOptions,
  _ progress: (@Sendable (Progress) -> Void)?
) throws(JobError) -> Report {
  let filter = try options.filter.map { expression throws(JobError) in try innerFilter(expression, survey) }
  let total = survey.deployment.captures.reduce(UInt64(0)) { $0 &+ fileSize($1.path) }
  let outcomes = Replay.run(
    survey, filter: filter,
    progress: progress.map { tell in
      { read, frames in
        tell(Progress(bytesRead: read, bytesTotal: total, frames: frames, stage: "reading"))
      }
    }, run: &run)
  var report = run.finish(outcomes)
  report.bundle = options.paths.joined(separator: " ")
  report.filter = options.filter
  return report
}

/// Compiles an expression for the frames that guests exchange. Cooked captures have no Ethernet header: what asks for
/// one cannot be applied at all points alike.
private func innerFilter(_ expression: String, _ survey: SurveyResult) throws(JobError) -> FrameFilter {
  let filter = try compiled(expression, LinkType.ethernet)
  for (index, interfaces) in survey.interfaces.enumerated() {
    let name = survey.deployment.captures[index].name
    for type in [LinkType.cookedV1, LinkType.cookedV2] where interfaces.contains(where: { $0.linkType == type }) {
      _ = try compiled(expression, type, "; \(name) is a cooked capture, which has no Ethernet header")
    }
  }
  return filter
}

private func compiled(
  _ expression: String, _ linkType: UInt16, _ remark: String = ""
) throws(JobError) -> FrameFilter {
  do throws(FrameFilter.SyntaxError) {
    return try FrameFilter(expression: expression, linkType: linkType)
  } catch {
    throw JobError(error.description + remark)
  }
}

extension TakenForFaults {
  /// What observing takes for faults where these exceptions are not made.
  fileprivate init(without omitted: Set<RuleException>) {
    self = []
    let pairs: [(RuleException, TakenForFaults)] = [
      (.unfinishedAtSenders, .unfinishedAtSenders), (.cutBySnap, .cutHeaders), (.errorsForOthers, .othersErrors),
      (.foreignGRE, .foreignGRE), (.guestsOverlays, .guestsOverlays), (.guestsFragments, .guestsFragments),
      (.othersFragments, .othersFragments), (.unfinishedChecksums, .checksums), (.padding, .padding),
    ]
    for (exception, taken) in pairs where omitted.contains(exception) { insert(taken) }
  }
}

extension VerifyOptions {
  var demands: VerificationRun.Demands {
    var demands = VerificationRun.Demands()
    demands.failOn = failOn
    demands.require = require
    demands.omissions = omissions
    return demands
  }
}
