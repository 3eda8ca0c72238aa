import ArgumentParser
import Foundation
import Scenario

@main
struct Benchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generates captures of a large overlay, and measures lanecheck on them.",
    subcommands: [Run.self, Generate.self])
}

extension ScenarioParameters.Fault: ExpressibleByArgument {}

struct ScenarioOptions: ParsableArguments {
  @Option(help: "About how many frames the captures hold together.")
  var frames: UInt64 = 10_000_000

  @Option(help: "The same seed gives the same bundle.")
  var seed: UInt64 = 1

  @Option(help: "A fault that the overlay has.")
  var fault: ScenarioParameters.Fault?

  @Option(parsing: .unconditional, help: "How far compute2's clock is ahead, in seconds.")
  var skew = 0.0

  @Option(parsing: .unconditional, help: "How much faster compute2's clock runs, in parts per million.")
  var drift = 0.0

  @Flag(help: "Guests send superframes, too.")
  var superframes = false

  var parameters: ScenarioParameters {
    ScenarioParameters(frames: frames, seed: seed, fault: fault, skew: skew, drift: drift, superframes: superframes)
  }
}

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Generates a bundle.")

  @OptionGroup var scenario: ScenarioOptions
  @Argument(help: "The directory to write it to.") var directory: String

  func run() throws {
    let expected = try generateBundle(scenario.parameters, at: URL(filePath: directory))
    print("\(directory): \(expected.frames) frames, \(expected.trajectories.sent) trajectories")
  }
}
