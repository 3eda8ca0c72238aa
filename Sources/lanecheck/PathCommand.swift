import ArgumentParser
import Jobs
import Reporting

struct PathCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "path",
    abstract: "Find where traffic between two guests vanishes, and why.",
    discussion: """
      Follows both directions through every captured point: ARP or neighbour discovery first, then the traffic. \
      Guests are named by guest name, MAC, address or port name.

      EXAMPLES
        lanecheck path bundle/ vm1 vm2
        lanecheck path bundle/ fa:16:3e:39:00:01 10.0.0.12
        lanecheck path bundle/ tap60820963-9a vm2 --format json

      EXIT STATUS
        0  an answer was given, whatever it is
        2  could not run: wrong usage, a guest that is not known, or an input that cannot be read
      """)

  @Argument(help: "A bundle's directory.", completion: .directory)
  var bundle: String

  @Argument(help: ArgumentHelp("Guest, MAC, address or port.", valueName: "a"))
  var from: String

  @Argument(help: ArgumentHelp("Guest, MAC, address or port.", valueName: "b"))
  var to: String

  @OptionGroup var intent: ManifestOption

  @OptionGroup var form: FormOptions

  @Flag(name: [.short, .long], help: "No progress.")
  var quiet = false

  func run() throws {
    var options = VerifyOptions(paths: [bundle])
    options.manifest = intent.manifest
    let progress = ProgressLine(quiet: quiet)
    let report = try runJob(progress) { () throws(JobError) in
      try path(options, from: from, to: to, progress: progress.handler)
    }
    try form.emit(json: { renderJSON(report) }, text: { renderText(report, color: $0.color, width: $0.width, unicode: $0.unicode) })
  }
}
