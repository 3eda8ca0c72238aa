import ArgumentParser
import Jobs
import Reporting
import Verification

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Hold what should be against what the hosts have installed; no captures needed.",
    discussion: """
      Reads the state of a bundle (flows, ports, tunnels, the agents' records) and its intent (lanecheck.yaml, \
      Neutron's lists), runs probes through the hosts' own flows, and reports what is mapped wrongly, missing, or \
      sent where nobody lives.

      EXAMPLES
        lanecheck check bundle/
        lanecheck check bundle/ --format json

      \(ExitStatus.help)
      """)

  @Argument(
    help: ArgumentHelp("A bundle's directory, or state files.", valueName: "bundle|files"), completion: .file())
  var paths: [String]

  @OptionGroup var intent: ManifestOption

  @OptionGroup var ending: VerdictOptions

  @OptionGroup var form: FormOptions

  @Flag(name: [.short, .long], help: "Only the verdict's line.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Everything: all networks, all findings.")
  var verbose = false

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Name a bundle's directory or state files.") }
  }

  func run() throws {
    var options = VerifyOptions(paths: paths)
    options.manifest = intent.manifest
    options.failOn = ending.failOn
    let report = try runJob(nil) { () throws(JobError) in try check(options) }
    try print(report, form, to: ending.output, quiet: quiet, verbose: verbose)
    throw ExitStatus(report, allowInconclusive: ending.allowInconclusive)
  }
}
