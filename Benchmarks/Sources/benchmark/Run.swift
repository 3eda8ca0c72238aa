import ArgumentParser
import Foundation
import Scenario

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures lanecheck against a plain libpcap loop, and checks verdict and coverage.",
    discussion: """
      Ends with status 1 where the verdict, the coverage or a finding is not what the generator knows, whatever \
      the time it took.
      """)

  @OptionGroup var scenario: ScenarioOptions
  @Option(help: "Path of lanecheck.") var lanecheck: String
  @Option(help: "How often each is measured; the medians count.") var rounds = 3
  @Option(help: "Where bundles are kept and found again; a temporary directory otherwise.") var keep: String?

  func validate() throws {
    guard rounds > 0 else { throw ValidationError("--rounds: at least one") }
  }

  func run() throws {
    let place =
      keep.map { URL(filePath: $0) }
      ?? FileManager.default.temporaryDirectory.appending(
        path: "lanecheck-benchmark-\(ProcessInfo.processInfo.processIdentifier)")
    defer { if keep == nil { try? FileManager.default.removeItem(at: place) } }
    let full = try measure(scenario.parameters, rounds: rounds, simulates: false, in: place)
    var tenth = scenario.parameters
    tenth.frames /= 10
    // What is simulated is written as well, as large as what is read.
    let small = try measure(tenth, rounds: 1, simulates: true, in: place)
    show(full, small)
    if !full.differences.isEmpty || !small.differences.isEmpty { throw ExitCode(1) }
  }

  /// The runs over one bundle.
  private struct Measurement {
    var expected: ExpectedReport
    var bytes: UInt64
    var libpcap: Usage
    var verify: Usage
    /// The same captures without the dumps of flows: no reference datapath.
    var bare: Usage
    /// Every frame that guests sent, through the flows of all hosts.
    var simulate: Usage?
    /// The same without the cache of decided flows.
    var simulateAnew: Usage?
    var verdict: String
    var differences: [String]
  }

  private func measure(_ parameters: ScenarioParameters, rounds: Int, simulates: Bool, in place: URL) throws -> Measurement {
    let name = parameters.name
    let bundle = place.appending(path: name)
    let expected = try prepare(parameters, at: bundle)
    let files = expected.files.map { bundle.appending(path: $0.path).path }
    let report = place.appending(path: "\(name).json").path
    let counts = place.appending(path: "\(name).txt").path
    // Once unmeasured: what is compared is the work, not the disk.
    _ = try readWithLibpcap(files, expected, counts)
    var libpcap: [Usage] = []
    var verify: [Usage] = []
    var bare: [Usage] = []
    let withoutFlows = place.appending(path: "\(name)-without-flows")
    try bundleWithoutFlows(bundle, at: withoutFlows)
    defer { try? FileManager.default.removeItem(at: withoutFlows) }
    var verdict = ""
    var wrong: [String] = []
    for _ in 0..<rounds {
      libpcap.append(try readWithLibpcap(files, expected, counts))
      verify.append(try benchmark.measure(lanecheck, ["verify", "--format", "json", bundle.path], output: report))
      verdict = try check(report, expected, &wrong)
      bare.append(try benchmark.measure(lanecheck, ["verify", "--format", "json", withoutFlows.path], output: report))
      _ = try check(report, expected, &wrong)
    }
    func simulate(_ options: [String]) throws -> Usage {
      let simulated = place.appending(path: "\(name)-simulated")
      defer { try? FileManager.default.removeItem(at: simulated) }
      let arguments = ["simulate", "--quiet", bundle.path, "--output", simulated.path] + options
      return try benchmark.measure(lanecheck, arguments, output: counts)
    }
    let bytes = try files.reduce(UInt64(0)) {
      $0 + UInt64(try URL(filePath: $1).resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
    }
    return Measurement(
      expected: expected, bytes: bytes, libpcap: median(libpcap), verify: median(verify), bare: median(bare),
      simulate: try simulates ? simulate([]) : nil, simulateAnew: try simulates ? simulate(["--decide-anew"]) : nil,
      verdict: verdict, differences: wrong)
  }

  /// Notes where a report is not what it should be. Returns its verdict.
  private func check(_ report: String, _ expected: ExpectedReport, _ wrong: inout [String]) throws -> String {
    let reported = try JSONDecoder().decode(ReportedRun.self, from: Data(contentsOf: URL(filePath: report)))
    for difference in differences(reported, expected) where !wrong.contains(difference) { wrong.append(difference) }
    return reported.verdict
  }

  /// Generates the bundle unless it is there.
  private func prepare(_ parameters: ScenarioParameters, at bundle: URL) throws -> ExpectedReport {
    if let expected = generatedBundle(at: bundle), expected.parameters == parameters { return expected }
    let start = ContinuousClock.now
    let expected = try generateBundle(parameters, at: bundle)
    note("generated \(bundle.path) in \(fixed((ContinuousClock.now - start) / .seconds(1), 1)) s")
    return expected
  }

  private func readWithLibpcap(_ files: [String], _ expected: ExpectedReport, _ output: String) throws -> Usage {
    let usage = try benchmark.measure(tool("read-with-libpcap").path, files, output: output)
    let text = try String(contentsOfFile: output, encoding: .utf8)
    guard usage.status == 0, text.split(separator: " ").first.map({ String($0) }) == "\(expected.frames)" else {
      throw MeasuringError(description: "libpcap read \(text) instead of \(expected.frames) frames")
    }
    return usage
  }

  private func median(_ runs: [Usage]) -> Usage {
    func middle(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    return Usage(
      status: runs[0].status, wall: middle(runs.map(\.wall)), cpu: middle(runs.map(\.cpu)),
      peakMemory: runs.map(\.peakMemory).max() ?? 0)
  }

  // MARK: Output

  private func show(_ full: Measurement, _ small: Measurement) {
    let expected = full.expected
    print(
      """
      \(expected.frames) frames at 4 points, \(expected.trajectories.sent) trajectories, \
      \(fixed(Double(full.bytes) / 1e9, 2)) GB; \(ProcessInfo.processInfo.activeProcessorCount) processors, \
      medians of \(rounds)

                            wall s     CPU s   million frames/s   peak MiB
      """)
    row("libpcap loop", full.libpcap, expected.frames)
    row("lanecheck verify", full.verify, expected.frames)
    print(column("ratio", full.verify.wall / full.libpcap.wall, full.verify.cpu / full.libpcap.cpu))
    row("  without flows", full.bare, expected.frames)
    print(column("with / without flows", full.verify.wall / full.bare.wall, full.verify.cpu / full.bare.cpu))
    print("")
    row("libpcap, a tenth", small.libpcap, small.expected.frames)
    row("verify, a tenth", small.verify, small.expected.frames)
    print(column("ratio", small.verify.wall / small.libpcap.wall, small.verify.cpu / small.libpcap.cpu))
    if let simulate = small.simulate { row("simulate, a tenth", simulate, small.expected.trajectories.sent) }
    if let simulate = small.simulateAnew { row("  no decision kept", simulate, small.expected.trajectories.sent) }
    print("")
    for run in [full, small] {
      guard run.differences.isEmpty else {
        print("WRONG on \(run.expected.frames) frames:")
        for difference in run.differences { print("  \(difference)") }
        continue
      }
      let lost = run.expected.files.reduce(0) { $0 + $1.lost }
      print(
        "\(run.expected.frames) frames: verdict \(run.verdict), coverage of \(run.expected.cells.count) cells as "
          + "generated (\(run.expected.floods) floods, \(run.expected.repeated) repeated, "
          + "\(run.expected.superframes) superframes, \(lost) sightings lost)")
    }
  }

  private func row(_ name: String, _ usage: Usage, _ frames: UInt64) {
    print(
      column(name, usage.wall, usage.cpu) + right(fixed(Double(frames) / usage.wall / 1e6, 2), 19)
        + right(fixed(usage.peakMemory / 1_048_576, 1), 11))
  }

  private func column(_ name: String, _ wall: Double, _ cpu: Double) -> String {
    name + right(fixed(wall, 2), 28 - name.count) + right(fixed(cpu, 2), 10)
  }

  private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - text.count)) + text
  }

  private func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  private func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
