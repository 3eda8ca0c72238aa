import CaptureFiles
import Foundation

/// Captures recorded in the repository: those of the bundles that lie in no family, which are all whole.
enum RecordedCaptures {
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Captures").resolvingSymlinksInPath().path

  static let files: [String] = {
    let below = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return below.filter { path in
      path.contains(".pcap")
        && FileManager.default.fileExists(atPath: "\(root)/\(path.prefix { $0 != "/" })/truth.json")
    }.sorted()
  }()
}

extension RecordedCaptures {
  /// One of seven, for tests that run a program on each; LANECHECK_EVERY_CAPTURE asks for all.
  static let selection: [String] = {
    if ProcessInfo.processInfo.environment["LANECHECK_EVERY_CAPTURE"] != nil { return files }
    return files.enumerated().filter { $0.offset % 7 == 0 || $0.element.hasSuffix("any.pcap") }.map(\.element)
  }()
}

/// One frame as a test sees it, with its bytes.
struct ReadFrame: Hashable {
  var number: UInt64
  var time: Int64
  var bytes: [UInt8]
  var wireLength: Int
  var interface: Int
  var direction: FrameRecord.Direction
  var hasTime = true
}

/// All that could be read of a file, and why there was no more.
struct ReadCapture: Equatable {
  var interfaces: [CaptureInterface] = []
  var anomalies = CaptureAnomalies()
  var frames: [ReadFrame] = []
  var failure: CaptureFileError?

  init(path: String, limit: Int = 4096) {
    take(limit) { () throws(CaptureFileError) in try CaptureReader(path: path) }
  }

  init(bytes: [UInt8], limit: Int = 4096) {
    take(limit) { () throws(CaptureFileError) in try CaptureReader(bytes: bytes, name: "memory") }
  }

  private mutating func take(_ limit: Int, _ open: () throws(CaptureFileError) -> CaptureReader) {
    do throws(CaptureFileError) {
      var reader = try open()
      interfaces = reader.interfaces
      do throws(CaptureFileError) {
        var batch = FrameBatch()
        while try reader.next(into: &batch, limit: limit) {
          for frame in batch.frames {
            frames.append(
              ReadFrame(
                number: frame.number, time: frame.time,
                bytes: Array(batch.bytes[frame.start..<frame.start + frame.capturedLength]),
                wireLength: frame.wireLength, interface: frame.interface, direction: frame.direction,
                hasTime: frame.hasTime))
          }
        }
      } catch {
        failure = error
      }
      interfaces = reader.interfaces
      anomalies = reader.anomalies
    } catch {
      failure = error
    }
  }
}

/// Runs a program that is on the PATH; nil where it is not, or where it fails.
func output(of program: String, _ arguments: [String]) -> String? {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = [program] + arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  process.standardError = FileHandle.nullDevice
  guard (try? process.run()) != nil else { return nil }
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
}

func isInstalled(_ program: String) -> Bool { output(of: program, ["--version"]) != nil }
