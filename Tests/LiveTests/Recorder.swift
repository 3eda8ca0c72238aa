import Foundation

/// `Captures/lab/record`, run as users run it.
enum Recorder {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static let program = root.appendingPathComponent("Captures/lab/record").path

  struct Ended {
    var status: Int32
    var output: String
  }

  /// Runs it to its end; what it writes to both streams is the output.
  static func run(_ arguments: [String]) throws -> Ended {
    let (process, log) = try start(arguments)
    process.waitUntilExit()
    defer { try? FileManager.default.removeItem(at: log) }
    return Ended(status: process.terminationStatus, output: (try? String(contentsOf: log, encoding: .utf8)) ?? "")
  }

  static func start(_ arguments: [String]) throws -> (Process, log: URL) {
    let log = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-record-\(UUID().uuidString).log")
    try Data().write(to: log)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = try FileHandle(forWritingTo: log)
    process.standardError = process.standardOutput
    try process.run()
    return (process, log)
  }

  /// Why this machine cannot record; nil where it can.
  static let obstacle: String? = {
    guard let ended = try? run(["--check"]) else { return "Captures/lab/record cannot be run (Python 3?)" }
    return ended.status == 0 ? nil : ended.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }()

  /// Whether it runs at all.
  static let canList = (try? run(["--list"]))?.status == 0

  /// Network namespaces and scratch directories that a recorder has now.
  static func leftovers(of process: Process) -> [String] {
    ["/run/netns", NSTemporaryDirectory()].flatMap { directory in
      ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
        .filter { $0.hasPrefix("lanelab-\(process.processIdentifier)-") }
    }
  }
}
