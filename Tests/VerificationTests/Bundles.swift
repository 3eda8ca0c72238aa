import Foundation
import Testing
import Verification

@testable import Jobs

/// The recorded bundles that the tests run on.
enum Bundles {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  static func path(_ name: String) -> String { root.appendingPathComponent(name).path }

  static let clean = names("clean-")

  /// Every bundle that has expectations: in the bundles' directory, or in a family's below it.
  static let all = below("expect.yaml")

  /// Bundles, by name, that have this file.
  static func below(_ file: String) -> [String] {
    let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix("/" + file) }.map { String($0.dropLast(file.count + 1)) }.sorted()
  }

  static func names(_ prefix: String) -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    return all.filter { $0.hasPrefix(prefix) }.sorted()
  }

  static func isCapture(_ name: String) -> Bool { name.contains(".pcap") }

  /// Paths of all files of a bundle, below it.
  static func files(_ name: String) -> [String] {
    let paths = FileManager.default.enumerator(atPath: path(name))?.compactMap { $0 as? String } ?? []
    return paths.filter { file in
      var isDirectory: ObjCBool = false
      // SAFETY: the pointer is used only during the call.
      let exists = unsafe FileManager.default.fileExists(
        atPath: root.appendingPathComponent(name).appendingPathComponent(file).path, isDirectory: &isDirectory)
      return exists && !isDirectory.boolValue
    }.sorted()
  }

  /// Verifies a copy of a bundle that has only the files chosen; files may be replaced.
  static func verify(
    _ name: String, keeping isKept: (String) -> Bool = { _ in true }, adding: [String: Data] = [:]
  ) throws -> Report {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: copy) }
    for file in files(name) where isKept(file) && adding[file] == nil {
      let target = copy.appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: root.appendingPathComponent(name).appendingPathComponent(file), to: target)
    }
    for (file, data) in adding {
      let target = copy.appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: target)
    }
    return try Jobs.verify(VerifyOptions(paths: [copy.path]))
  }

  static func truth(_ name: String) throws -> Truth {
    try JSONDecoder().decode(Truth.self, from: Data(contentsOf: root.appendingPathComponent("\(name)/truth.json")))
  }

  /// What was really sent, and what the fault hit.
  struct Truth: Decodable {
    struct Network: Decodable {
      var vni: UInt32
      var local_vlans: [String: UInt16]
      var uuid: String
      var name: String
    }
    struct Port: Decodable {
      var vm: String
      var host: String
      var network: String
    }
    struct Measured: Decodable {
      struct Sent: Decodable {
        var sent_at_qvo: UInt64?
        var sent_at_tap: UInt64?
        var sent: UInt64 { sent_at_qvo ?? sent_at_tap ?? 0 }
      }
      var path: [String: Sent]?
      var affected_frame_numbers: [String: [UInt64]]
    }
    var networks: [Network]
    var ports: [Port]
    var measured: Measured

    /// The name that lanecheck gives a network of which only the agent's record is known.
    func reportName(of network: String) -> String? {
      networks.first { $0.name == network }.map { "net-\($0.uuid.prefix(8))" }
    }
  }
}

/// Findings that say something of the network, not of the captures.
func faults(_ report: Report) -> [Finding] {
  let capture: Set = [
    "capture-gap", "capture-truncated", "clock-uncertain", "point-not-covered", "direction-unknown",
    "unsupported-mode",
  ]
  return report.findings.filter { $0.severity > .info && !capture.contains($0.rule) }
}
