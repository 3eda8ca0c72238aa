import Foundation
import Testing
import Verification

@testable import Jobs

/// Parts of a bundle that cannot be used, or that contradict each other: never a silent pass.
@Suite("Input that cannot be used") struct UnusableInputTests {
  private func copy(of bundle: String) throws -> URL {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: Bundles.root.appendingPathComponent(bundle), to: copy)
    return copy
  }

  /// Gives a file or directory a name that is not UTF-8.
  private func spoil(_ path: String, in root: URL) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "cd \"$1\" && mv \"$2\" \"$(printf '%s\\377\\n' \"$2\")\"", "sh", root.path, path]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test(
    "names that are not UTF-8 are named, and the verdict is no pass",
    arguments: [("host2", "host2\\xff"), ("host1/eth1.pcap", "host1/eth1.pcap\\xff")])
  func undecodableNames(_ path: String, _ shown: String) throws {
    let root = try copy(of: "clean-vxlan")
    defer { try? FileManager.default.removeItem(at: root) }
    try spoil(path, in: root)
    let report = try verify(VerifyOptions(paths: [root.path]))
    #expect(report.verdict == .inconclusive)
    #expect(report.inputErrors.contains { $0.hasPrefix(shown + ":") }, "\(report.inputErrors)")
    #expect(report.framesRead > 0)
    #expect(faults(report).isEmpty)
    #expect(try check(VerifyOptions(paths: [root.path])).verdict == .inconclusive)
  }

  @Test("a copied host directory is one message, not accusations", arguments: [true, false])
  func copiedHosts(withState: Bool) throws {
    let root = try copy(of: "clean-vxlan")
    defer { try? FileManager.default.removeItem(at: root) }
    if !withState {
      for host in ["host1", "host2", "host3"] {
        let directory = root.appendingPathComponent(host)
        for file in try FileManager.default.contentsOfDirectory(atPath: directory.path) where !Bundles.isCapture(file) {
          try FileManager.default.removeItem(at: directory.appendingPathComponent(file))
        }
      }
    }
    try FileManager.default.copyItem(
      at: root.appendingPathComponent("host1"), to: root.appendingPathComponent("host1 copy"))
    let report = try verify(VerifyOptions(paths: [root.path]))
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.count { $0.contains("host1 and host1 copy describe one host") } == 1)
    #expect(faults(report).map(\.message) == [])
    #expect(!report.hosts.contains("host1 copy"))
  }

  @Test("of a directory with a host's state alone and one with its captures, the captures are read")
  func stateLiesBesideItsHost() throws {
    let root = try copy(of: "clean-vxlan")
    defer { try? FileManager.default.removeItem(at: root) }
    let host = root.appendingPathComponent("host1")
    let state = root.appendingPathComponent("a-state")
    try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: host.path) where !Bundles.isCapture(file) {
      try FileManager.default.copyItem(at: host.appendingPathComponent(file), to: state.appendingPathComponent(file))
    }
    let report = try verify(VerifyOptions(paths: [root.path]))
    #expect(report.hosts == ["host1", "host2", "host3"])
    #expect(report.reasons.count { $0.contains("a-state and host1 describe one host") } == 1)
    #expect(report.captures.contains { $0.host == "host1" })
  }

  @Test("a capture that lies under the names of two ports accuses neither")
  func oneCaptureOfTwoPorts() throws {
    let root = try copy(of: "clean-two-tenants")
    defer { try? FileManager.default.removeItem(at: root) }
    let host = root.appendingPathComponent("host1")
    let taps = try FileManager.default.contentsOfDirectory(atPath: host.path).filter { $0.hasPrefix("tap") }.sorted()
    try #require(taps.count == 2)
    try FileManager.default.removeItem(at: host.appendingPathComponent(taps[1]))
    try FileManager.default.copyItem(at: host.appendingPathComponent(taps[0]), to: host.appendingPathComponent(taps[1]))
    let report = try verify(VerifyOptions(paths: [root.path]))
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.contains { $0.contains("the names are those of two interfaces") })
    #expect(faults(report).map(\.message) == [])
  }

  @Test func aFaultIsStillFoundBesideACopiedHost() throws {
    let root = try copy(of: "wrong-vni-out")
    defer { try? FileManager.default.removeItem(at: root) }
    try FileManager.default.copyItem(
      at: root.appendingPathComponent("host1"), to: root.appendingPathComponent("host1-old"))
    let report = try verify(VerifyOptions(paths: [root.path]))
    #expect(report.verdict == .fail)
    #expect(report.findings.filter { $0.role == .cause && $0.severity == .error }.map(\.rule) == ["wrong-vni"])
  }

  @Test(
    "a manifest that names some hosts makes no strangers of the others",
    arguments: ["all state", "no state", "one host"])
  func partialManifest(_ kind: String) throws {
    let manifest = "hosts:\n  host1:\n    vtep: 192.0.2.1\n"
    let report = try Bundles.verify(
      "clean-three-hosts",
      keeping: { file in
        switch kind {
        case "all state": true
        case "no state": Bundles.isCapture(file)
        default: Bundles.isCapture(file) && file.hasPrefix("host1/")
        }
      }, adding: ["lanecheck.yaml": Data(manifest.utf8)])
    #expect(faults(report).map(\.message) == [])
  }

  @Test("hosts that are not in the bundle raise nothing", arguments: Bundles.clean)
  func partialBundles(_ bundle: String) throws {
    let hosts = Set(Bundles.files(bundle).compactMap { $0.split(separator: "/").first.map(String.init) })
      .filter { $0.hasPrefix("host") }.sorted()
    let out = hosts[bundle.utf8.count % hosts.count]
    let report = try Bundles.verify(bundle, keeping: { !$0.hasPrefix(out + "/") })
    #expect(faults(report).map(\.message) == [], "without \(out)")
  }
}
