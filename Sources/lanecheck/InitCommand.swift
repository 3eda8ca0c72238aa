import ArgumentParser
import Foundation
import Jobs
import Reporting

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Draft a lanecheck.yaml from what the hosts and Neutron say.",
    discussion: """
      Networks, hosts, tunnel endpoints, local VLANs and ports are taken from the bundle's state (OVSDB lists, \
      ovs-vsctl show, ip) and from Neutron's answers (neutron-networks.json, neutron-ports.json: the API's GET \
      /v2.0/networks and /v2.0/ports). Comments mark what is not known and where sources disagree. The draft says what \
      is there; correct it to what should be.

      EXAMPLES
        lanecheck init bundle/
        lanecheck init bundle/ --output bundle/lanecheck.yaml
      """)

  @Argument(
    help: ArgumentHelp("A bundle's directory, or state files.", valueName: "bundle|files"), completion: .file())
  var paths: [String]

  @Option(
    help: ArgumentHelp("A manifest to begin with, instead of the bundle's own.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var manifest: String?

  @Option(
    name: [.short, .long], help: ArgumentHelp("Write the draft to a file, which must not be there yet.", valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(help: "Overwrite the output file.")
  var force = false

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Name a bundle's directory or state files.") }
    guard !force || output != nil else { throw ValidationError("--force goes with --output.") }
  }

  func run() throws {
    var options = VerifyOptions(paths: paths)
    options.manifest = manifest
    let text = try runJob(nil) { () throws(JobError) in try draftManifest(options) }
    guard let output else {
      _ = StandardOutput().write(text)
      return
    }
    do {
      // Not overwriting is left to the system: nothing can come in between.
      try Data(text.utf8).write(
        to: URL(fileURLWithPath: output), options: force ? [.atomic] : [.withoutOverwriting])
    } catch CocoaError.fileWriteFileExists {
      complain("'\(terminalText(output))' is there already; --force overwrites it")
      throw ExitStatus.failure
    } catch {
      complain("cannot write '\(terminalText(output))': \(reason(error))")
      throw ExitStatus.failure
    }
  }
}
