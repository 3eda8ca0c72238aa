import ArgumentParser
import Foundation
import Jobs
import Reporting
import Verification

extension Severity: ExpressibleByArgument {}

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verify that the overlay carried every captured frame as it should.",
    discussion: """
      A bundle is a directory with one directory per host, which holds captures (named after the interface) and, \
      where there is any, state: ovs-vsctl show, dump-flows, OVSDB lists, ip addr. Loose capture files need a \
      manifest that says which hosts and networks there are; without state the translation is inferred.

      EXAMPLES
        lanecheck verify bundle/
        lanecheck verify bundle/ --format json --output report.json
        lanecheck verify bundle/ --require compute1/net-a --fail-on warning
        lanecheck verify --manifest lanes.yaml compute1/*.pcap
        lanecheck verify bundle/ --filter 'host 10.0.0.11 and icmp'
        ssh compute1 cat eth1.pcap | lanecheck verify --manifest lanes.yaml compute1/eth1.pcap=- compute2/*.pcap

      \(ExitStatus.help)
      """)

  @Argument(
    help: ArgumentHelp(
      "A bundle's directory, or capture files; - for standard input, NAME=PATH to read a path under another name.",
      valueName: "bundle|files"),
    completion: .file())
  var paths: [String]

  @OptionGroup var intent: ManifestOption

  @Option(
    name: .customLong("require"), parsing: .singleValue,
    help: ArgumentHelp("A cell that must be exercised for a pass; repeatable.", valueName: "host/network"))
  var requirements: [String] = []

  @Option(
    help: ArgumentHelp(
      "A tcpdump expression: only frames of guests that match it are judged (inside the tunnels, too).",
      valueName: "expression"))
  var filter: String?

  @OptionGroup var ending: VerdictOptions

  @OptionGroup var form: FormOptions

  @Flag(name: [.short, .long], help: "Only the verdict's line, and no progress.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Everything: all networks, findings, captures and clocks.")
  var verbose = false

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Name a bundle's directory or capture files.") }
    for requirement in requirements {
      let parts = requirement.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw ValidationError("--require takes HOST/NETWORK, not '\(requirement)'.")
      }
    }
    guard !(quiet && verbose) else { throw ValidationError("--quiet and --verbose exclude each other.") }
  }

  func run() throws {
    var options = VerifyOptions(paths: paths)
    options.manifest = intent.manifest
    options.failOn = ending.failOn
    options.require = requirements
    options.filter = filter
    let progress = ProgressLine(quiet: quiet)
    let report = try runJob(progress) { () throws(JobError) in
      try verify(options, progress: progress.handler)
    }
    try print(report, form, to: ending.output, quiet: quiet, verbose: verbose)
    for error in report.inputErrors where form.format == .json || quiet { complain(terminalText(error)) }
    throw ExitStatus(report, allowInconclusive: ending.allowInconclusive)
  }
}

/// Writes a report in the form that was asked for.
func print(
  _ report: Report, _ form: FormOptions, to output: String?, quiet: Bool, verbose: Bool
) throws(ExitStatus) {
  let terminal = Terminal(form.color, toFile: output != nil)
  let text =
    switch form.format {
    case .json: renderJSON(report)
    case .text where quiet:
      renderVerdictLine(report, color: terminal.color, unicode: terminal.unicode)
    case .text:
      renderText(report, color: terminal.color, width: terminal.width, verbose: verbose, unicode: terminal.unicode)
    }
  try emit(text, to: output)
}

/// Runs a job; why it could not be done goes to standard error, and the status is 2.
func runJob<Result>(_ progress: ProgressLine?, _ job: () throws(JobError) -> Result) throws(ExitStatus) -> Result {
  do throws(JobError) {
    let result = try job()
    progress?.finish()
    return result
  } catch {
    progress?.finish()
    complain(terminalText(error.message))
    throw .failure
  }
}

/// Writes a result to a file where one is named, else to standard output.
func emit(_ text: String, to path: String?) throws(ExitStatus) {
  guard let path else {
    _ = StandardOutput().write(text)
    return
  }
  do {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  } catch {
    complain("cannot write '\(terminalText(path))': \(reason(error))")
    throw .failure
  }
}
