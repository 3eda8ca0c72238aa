import Foundation

/// What a finished program cost.
struct Usage {
  var status: Int
  /// Seconds.
  var wall: Double
  var cpu: Double
  /// The most memory that was resident, in bytes.
  var peakMemory: Double
}

struct MeasuringError: Error, CustomStringConvertible {
  var description: String
}

/// Programs that lie beside this one.
func tool(_ name: String) -> URL {
  URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name)
}

/// Runs a program to its end, with its standard output in a file.
func measure(_ program: String, _ arguments: [String], output: String) throws -> Usage {
  let process = Process()
  process.executableURL = tool("measure")
  process.arguments = [output, program] + arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  let numbers = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
  guard process.terminationStatus == 0, numbers.count == 4 else {
    throw MeasuringError(description: "\(program) could not be measured")
  }
  return Usage(status: Int(numbers[0]), wall: numbers[1], cpu: numbers[2], peakMemory: numbers[3])
}
