import ArgumentParser
import Verification

/// Options that several commands have.
struct ManifestOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("Intent and names, instead of the bundle's lanecheck.yaml.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var manifest: String?
}

struct FormOptions: ParsableArguments {
  @Option(help: "What to print.")
  var format = OutputFormat.text

  @Option(help: "When to use colour.")
  var color = ColorChoice.auto

  /// Prints an answer in the form that was asked for.
  func emit(json: () -> String, text: (Terminal) -> String) throws(ExitStatus) {
    try lanecheck.emit(format == .json ? json() : text(Terminal(color)), to: nil)
  }
}

/// Of commands that end in a verdict.
struct VerdictOptions: ParsableArguments {
  @Option(
    name: [.short, .long], help: ArgumentHelp("Write the report to a file.", valueName: "file"), completion: .file())
  var output: String?

  @Option(help: "The least severity of a finding that fails the run.")
  var failOn = Severity.error

  @Flag(help: "An inconclusive verdict ends with status 0.")
  var allowInconclusive = false
}

struct PopulationOption: ParsableArguments {
  @Flag(
    name: .customLong("l2population"),
    help: "Hosts without dumps are set up with l2population and ARP responder; else they flood and learn.")
  var populates = false
}
