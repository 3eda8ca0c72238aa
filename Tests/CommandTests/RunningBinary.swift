import Foundation
import Testing

/// The built `lanecheck`, run as users run it.
struct Lanecheck {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// Beside the test bundle, where SwiftPM puts every product of the build.
  static func executable() throws -> URL {
    var places = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
    places.append(Bundle.main.bundleURL)
    places.append(Bundle.main.bundleURL.deletingLastPathComponent())
    let found = places.map { $0.appendingPathComponent("lanecheck") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    return try #require(found, "lanecheck was not built beside the tests")
  }

  /// Runs with an environment of its own: no colour settings of the caller's.
  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    // Files, not pipes: what a process writes can be more than a pipe holds.
    let output = directory.appendingPathComponent("output")
    let errors = directory.appendingPathComponent("errors")
    for file in [output, errors] { try Data().write(to: file) }
    let process = Process()
    process.executableURL = try executable()
    process.arguments = arguments
    process.environment = ["LANG": "C.UTF-8"].merging(environment) { $1 }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Result(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }

  /// Runs a line of shell in which `$LANECHECK` is the executable.
  static func shell(_ line: String, environment: [String: String] = [:]) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-o", "pipefail", "-c", line]
    process.environment = ["LANECHECK": try executable().path, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"]
      .merging(environment) { $1 }
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let complaints = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: complaints, as: UTF8.self))
  }
}
