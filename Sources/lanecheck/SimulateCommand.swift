import ArgumentParser
import Jobs
import Reporting

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Write the captures that every point would have seen, had the hosts done what their flows say.",
    discussion: """
      Takes the frames that guests sent (from their tap captures, else qvo or qvb) in the order of time, runs them \
      through the dumped flows of all hosts with learning and timeouts, and writes what taps, qvos and tunnel \
      interfaces would have shown: HOST/INTERFACE.pcap below the output directory. Hold them against the real \
      captures to see where the network did otherwise. The network between the hosts is taken to be perfect; a \
      host without dumps counts as Neutron would set it up.

      EXAMPLES
        lanecheck simulate bundle/ --output simulated/
        lanecheck simulate bundle/ --output simulated/ --format json

      EXIT STATUS
        0  the captures were written
        2  could not run: wrong usage, nothing to send, no flows, or an input or output that failed
      """)

  @Argument(help: "A bundle's directory.", completion: .directory)
  var bundle: String

  @Option(
    name: [.short, .long], help: ArgumentHelp("Directory for the captures; made if need be.", valueName: "directory"),
    completion: .directory)
  var output: String

  @Flag(help: ArgumentHelp("Keep no decided flows: every frame is looked up anew.", visibility: .hidden))
  var decideAnew = false

  @Flag(help: "Leave out copies that may be or not.")
  var certain = false

  @OptionGroup var population: PopulationOption

  @OptionGroup var intent: ManifestOption

  @OptionGroup var form: FormOptions

  @Flag(name: [.short, .long], help: "No progress.")
  var quiet = false

  func run() throws {
    var options = SimulateOptions(paths: [bundle], output: output)
    options.manifest = intent.manifest
    options.populatesTables = population.populates
    options.onlyCertain = certain
    options.caching = !decideAnew
    let progress = ProgressLine(quiet: quiet)
    let report = try runJob(progress) { () throws(JobError) in
      try simulate(options, progress: progress.handler)
    }
    try form.emit(json: { renderJSON(report) }, text: { renderText(report, color: $0.color, unicode: $0.unicode) })
  }
}
