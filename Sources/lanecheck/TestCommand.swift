import ArgumentParser
import Jobs
import Reporting
import Verification

struct TestCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, tap, junit }

  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Hold bundles against their expectations: a regression run for CI.",
    discussion: """
      Every bundle in or below the directories that has an expect.yaml is verified (or checked, where it has no \
      captures), and the report is held against it: the verdict, each finding with its cause, nothing else above \
      info, the coverage. What fails is shown with both sides.

        verdict: fail
        findings:                     # each must be there, as a cause
          - { rule: wrong-vni, host: compute1, network: net-a, count: 40..44, cause: "table=22" }
        allow: [cross-network-delivery]    # consequences that may be there; anything else above info fails
        never: [mac-moved]                 # must not be there, not even as a remark
        coverage:
          - { host: compute1, network: net-a, out: ">0", in: 398 }

      Also: require and failOn as the options of verify, inputErrors (a number).

      EXAMPLES
        lanecheck test Captures
        lanecheck test bundles/ --format junit --output results.xml
        lanecheck test bundles/today --update

      EXIT STATUS
        0  all as expected
        1  something is not
        2  could not run: wrong usage, no bundle with an expect.yaml
      """)

  @Argument(
    help: ArgumentHelp("Bundles, or directories of bundles.", valueName: "dir"), completion: .directory)
  var paths: [String]

  @Option(help: "What to print.")
  var format = Format.text

  @Option(
    name: [.short, .long], help: ArgumentHelp("Write the results to a file; text is still printed.", valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(help: "Write expect.yaml anew where it does not agree or is not there, for review.")
  var update = false

  @Option(
    help: ArgumentHelp(
      "Do without a rule (wrong-vni) or one of its exceptions (see explain): a corpus that proves it then fails.",
      valueName: "name"))
  var without: [String] = []

  @Option(help: "When to use colour.")
  var color = ColorChoice.auto

  @Flag(name: [.short, .long], help: "Only the last line.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Every expectation, also those that are met.")
  var verbose = false

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Name bundles, or a directory of bundles.") }
    guard !update || without.isEmpty else { throw ValidationError("--update and --without exclude each other.") }
    guard !(quiet && verbose) else { throw ValidationError("--quiet and --verbose exclude each other.") }
  }

  func run() throws {
    var options = TestOptions(paths: paths)
    options.update = update
    for name in without where !options.omissions.add(name) {
      throw ValidationError("No rule or exception is named \(name); `lanecheck explain RULE` tells a rule's exceptions.")
    }
    // With a file for the machine, people still see how it goes.
    let terminal = Terminal(color)
    let speaks = format == .text || output != nil
    let results = try runJob(nil) { () throws(JobError) in
      try test(options) { result in
        guard speaks, !quiet else { return }
        _ = StandardOutput().write(
          renderTest(result, color: terminal.color, verbose: verbose, unicode: terminal.unicode))
      }
    }
    switch format {
    case .tap: try emit(renderTAP(results), to: output)
    case .junit: try emit(renderJUnit(results), to: output)
    case .text where output != nil:
      let text = results.map { renderTest($0, color: false, verbose: verbose) }.joined()
      try emit(text + renderTestSummary(results, color: false), to: output)
    case .text: break
    }
    if speaks { _ = StandardOutput().write(renderTestSummary(results, color: terminal.color)) }
    throw results.allSatisfy({ $0.failures.isEmpty || $0.isUpdated }) ? ExitStatus.pass : ExitStatus.findings
  }
}
