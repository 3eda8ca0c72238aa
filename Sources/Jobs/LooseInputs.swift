import CaptureFiles
import Deployment
import Foundation

/// The loose files that a user names: paths, `-` for standard input, and `NAME=PATH` where a name is to stand for
/// what the path leads to (`compute1/eth1.pcap=-`). What can be read only once is copied to a temporary file first,
/// since a run reads every capture several times.
struct LooseInputs {
  private(set) var files: [LooseFile] = []
  private(set) var spooled: [SpooledFile] = []

  init(_ arguments: [String]) throws(JobError) {
    let directory = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var hasStandardInput = false
    for argument in arguments {
      let (name, path) = LooseInputs.parts(of: argument)
      guard path == "-" || isReadOnce(path) else {
        files.append(LooseFile(path: path, name: name))
        continue
      }
      if path == "-", hasStandardInput { throw JobError("standard input is named twice") }
      if path == "-" { hasStandardInput = true }
      do throws(CaptureFileError) {
        let file =
          path == "-"
          ? try SpooledFile.standardInput(name: name == "-" ? "standard input" : name, in: directory)
          : try SpooledFile.copying(path, name: name, in: directory)
        spooled.append(file)
        files.append(LooseFile(path: file.path, name: name))
      } catch {
        throw JobError("\(error.path): \(error.reason)")
      }
    }
  }

  /// A file of the whole name goes before a name that stands for another.
  private static func parts(of argument: String) -> (name: String, path: String) {
    guard argument != "-", !exists(argument), let mark = argument.firstIndex(of: "="), mark != argument.startIndex else {
      return (argument, argument)
    }
    let path = String(argument[argument.index(after: mark)...])
    return path == "-" || exists(path) ? (String(argument[..<mark]), path) : (argument, argument)
  }
}
