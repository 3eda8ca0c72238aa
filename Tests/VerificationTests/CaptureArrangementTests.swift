import CaptureFiles
import Foundation
import Testing
import Verification

@testable import Jobs

/// The same frames in files of another arrangement.
@Suite("Arrangements of captures") struct CaptureArrangementTests {
  static let bundles = ["clean-vxlan", "clean-three-hosts", "wrong-vni-out"]

  /// What does not depend on which file a frame lay in.
  private func essence(_ report: Report) -> [String] {
    ["\(report.verdict) \(report.trajectories.total) \(report.trajectories.asExpected) \(report.trajectories.unjudged)"]
      + report.coverage.map { "\($0)" }
      + report.findings.filter { $0.severity > .info }.map {
        "\($0.rule) \($0.host ?? "") \($0.network ?? "") \($0.count) \($0.copies) \($0.cause?.text ?? "")"
      }
  }

  private func captures(_ bundle: String) -> [String] { Bundles.files(bundle).filter(Bundles.isCapture) }

  private func verify(_ bundle: String, _ files: [String: Data]) throws -> Report {
    try Bundles.verify(bundle, keeping: { !Bundles.isCapture($0) }, adding: files)
  }

  @Test("Compressed captures give the same report", arguments: ["clean-vxlan", "wrong-udp-port"], ["gzip", "zstd"])
  func compressed(bundle: String, program: String) throws {
    guard let pack = Packing(program) else { return }
    var files: [String: Data] = [:]
    for file in captures(bundle) { files[file + pack.suffix] = try pack.packed(Bundles.path(bundle) + "/" + file) }
    #expect(essence(try verify(bundle, files)) == essence(try Bundles.verify(bundle)))
  }

  @Test("Rotated files are one point, whatever their names", arguments: ["clean-three-hosts", "wrong-vni-out"], Rotation.allCases)
  func rotated(bundle: String, rotation: Rotation) throws {
    var files: [String: Data] = [:]
    for file in captures(bundle) {
      let pieces = try Rewriting.pieces(Bundles.path(bundle) + "/" + file, 5)
      for (number, piece) in pieces.enumerated() { files[rotation.name(file, number)] = piece }
    }
    #expect(essence(try verify(bundle, files)) == essence(try Bundles.verify(bundle)))
  }

  /// A guest that leaves takes its tap with it: the file goes on, and its silence proves nothing.
  @Test("Interfaces of one file come and go", arguments: ["mac-move", "learning/migration", "delivery/firewall-drops-tunnels", "one-way"])
  func inOneFile(bundle: String) throws {
    #expect(essence(try verify(bundle, try Rewriting.joined(bundle))) == essence(try Bundles.verify(bundle)))
  }

  @Test("A bridge that carries the tunnels is the tunnel interface, though no list of addresses says so",
    arguments: ["clean-three-hosts", "wrong-vlan-in", "clean-gre"], ["br-vxlan", "br-ex"])
  func tunnelsOnABridge(bundle: String, bridge: String) throws {
    var files: [String: Data] = [:]
    for file in Bundles.files(bundle) where !file.contains("ip-") && !file.contains("collected.json") {
      let name = (file as NSString).lastPathComponent
      let other = name.hasPrefix("eth") ? (file as NSString).deletingLastPathComponent + "/" + name.replacing("eth1", with: bridge) : file
      files[other] = try Data(contentsOf: Bundles.root.appendingPathComponent("\(bundle)/\(file)"))
    }
    let report = try Bundles.verify(bundle, keeping: { _ in false }, adding: files)
    #expect(files.keys.contains { $0.contains(bridge) })
    #expect(essence(report) == essence(try Bundles.verify(bundle, keeping: { !$0.contains("ip-") && !$0.contains("collected.json") })))
    #expect(!report.findings.contains { $0.rule == "point-not-covered" })
  }

  @Test("Frames of files that overlap, or that are there twice, count once", arguments: bundles, [0, 40])
  func overlapping(bundle: String, percent: Int) throws {
    var files: [String: Data] = [:]
    for file in captures(bundle) {
      let path = Bundles.path(bundle) + "/" + file
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      let pieces = percent == 0 ? [whole, whole] : try Rewriting.pieces(path, 3, overlap: percent)
      for (number, piece) in pieces.enumerated() { files[Rotation.tcpdump.name(file, number)] = piece }
    }
    let report = try verify(bundle, files)
    #expect(essence(report) == essence(try Bundles.verify(bundle)))
    #expect(report.findings.contains { $0.rule == "capture-gap" && $0.message.contains("another capture of the same point") })
    #expect(report.captures.contains { $0.repeated > 0 })
  }

  @Test("A rotated file that is missing proves nothing", arguments: ["clean-vxlan"], [0, 1, 3])
  func missingPiece(bundle: String, missing: Int) throws {
    for chosen in captures(bundle) {
      var files: [String: Data] = [:]
      for file in captures(bundle) {
        let path = Bundles.path(bundle) + "/" + file
        guard file == chosen else {
          files[file] = try Data(contentsOf: URL(fileURLWithPath: path))
          continue
        }
        for (number, piece) in try Rewriting.pieces(path, 4).enumerated() where number != missing {
          files[Rotation.tcpdump.name(file, number)] = piece
        }
      }
      let report = try verify(bundle, files)
      #expect(report.verdict != .fail, "\(chosen)")
      #expect(faults(report).map(\.message) == [], "\(chosen)")
    }
  }

  @Test("Empty captures are told of, and prove nothing", arguments: ["nothing", "header"])
  func empty(kind: String) throws {
    let bundle = "clean-vxlan"
    let header = try Data(contentsOf: URL(fileURLWithPath: Bundles.path(bundle) + "/" + captures(bundle)[0])).prefix(24)
    for chosen in captures(bundle) {
      let report = try Bundles.verify(bundle, adding: [chosen: kind == "nothing" ? Data() : Data(header)])
      #expect(report.verdict != .fail, "\(chosen)")
      #expect(faults(report).map(\.message) == [], "\(chosen)")
      #expect(report.inputErrors == [])
      #expect(report.findings.contains { $0.severity == .info && $0.message.contains(chosen) && $0.message.contains("no frame") })
    }
  }

  @Test("Frames far out of order are said and not judged", arguments: ["clean-vxlan"])
  func disordered(bundle: String) throws {
    for chosen in captures(bundle) {
      let report = try Bundles.verify(
        bundle, adding: [chosen: try Rewriting.disordered(Bundles.path(bundle) + "/" + chosen)])
      #expect(report.verdict != .fail, "\(chosen)")
      #expect(faults(report).map(\.message) == [], "\(chosen)")
      #expect(report.findings.contains { $0.rule == "capture-gap" && $0.message.contains("out of order") }, "\(chosen)")
    }
  }

  @Test("A tail of zeros is the end of the capture") func zeros() throws {
    let bundle = "clean-vxlan"
    var files: [String: Data] = [:]
    for file in captures(bundle) {
      files[file] = try Data(contentsOf: URL(fileURLWithPath: Bundles.path(bundle) + "/" + file)) + Data(count: 5000)
    }
    let report = try Bundles.verify(bundle, adding: files)
    #expect(report.verdict == .pass)
    let remarks = report.findings.filter { $0.rule == "capture-truncated" && $0.message.contains("zeros") }
    #expect(remarks.count == 1)
    #expect(remarks.first?.message.contains("\(files.count) captures") == true)
  }

  @Test("What is no file is an input error") func unreadable() throws {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: copy) }
    try FileManager.default.copyItem(at: Bundles.root.appendingPathComponent("clean-vxlan"), to: copy)
    try FileManager.default.createDirectory(
      at: copy.appendingPathComponent("host1/tap1.pcap"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: copy.appendingPathComponent("host2/tap2.pcap").path, withDestinationPath: "nowhere.pcap")
    let report = try Jobs.verify(VerifyOptions(paths: [copy.path]))
    #expect(report.inputErrors.count == 2)
    #expect(report.inputErrors.contains { $0.contains("host1/tap1.pcap") && $0.contains("directory") })
    #expect(report.inputErrors.contains { $0.contains("host2/tap2.pcap") && $0.contains("No such file") })
    #expect(report.verdict == .inconclusive)
  }

  @Test("An underlay of raw IP is judged; ports without MAC addresses are counted") func rawIP() throws {
    let bundle = "clean-vxlan"
    let whole = try Bundles.verify(bundle)
    var files: [String: Data] = [:]
    for file in captures(bundle) where file.contains("eth1") {
      files[file] = try Rewriting.bare(Bundles.path(bundle) + "/" + file)
    }
    let underlay = try Bundles.verify(bundle, adding: files)
    #expect(underlay.verdict == .pass)
    #expect(underlay.coverage == whole.coverage)
    for file in captures(bundle) where !file.contains("eth1") {
      files[file] = try Rewriting.bare(Bundles.path(bundle) + "/" + file)
    }
    let bare = try Bundles.verify(bundle, adding: files)
    #expect(faults(bare).map(\.message) == [])
    #expect(bare.captures.contains { $0.error?.contains("no MAC addresses") == true })
  }

  @Test("What a capture says it lost itself is no loss of the network's", arguments: [0, 1_000_000] as [UInt64])
  func admittedLoss(dropped: UInt64) throws {
    let bundle = "clean-vxlan"
    var files: [String: Data] = [:]
    for file in captures(bundle) where file.hasPrefix("host2/") && !file.contains("eth1") {
      // Only what the guest itself sent.
      files[file + "ng"] = try Rewriting.withStatistics(Bundles.path(bundle) + "/" + file, dropped: dropped) {
        $0[6...].prefix(5).elementsEqual([0xfa, 0x16, 0x3e, 0x39, 0x00]) && $0[11] == 0x12
      }
    }
    #expect(files.count >= 2)
    let report = try Bundles.verify(bundle, keeping: { files[$0 + "ng"] == nil }, adding: files)
    #expect(report.findings.contains { $0.rule == "frame-lost" } == (dropped == 0))
    #expect(report.captures.contains { $0.dropped == dropped })
    let remark = report.findings.contains { $0.rule == "capture-gap" && $0.message.contains("by its own counters") }
    #expect(remark == (dropped > 0))
  }
}

enum Rotation: CaseIterable {
  case tcpdump, ring, dumpcap, dated

  func name(_ file: String, _ number: Int) -> String {
    let dot = file.lastIndex(of: ".") ?? file.endIndex
    let (stem, suffix) = (file[..<dot], file[dot...])
    switch self {
    case .tcpdump: return number == 0 ? file : "\(file)\(number)"
    // The ring began anew.
    case .ring: return "\(file)\((number + 3) % 5)"
    case .dumpcap: return "\(stem)_0000\(number + 1)_2026112308210\(number)\(suffix)"
    case .dated: return "\(stem)-2026-11-23_08-21-0\(number)\(suffix)"
    }
  }
}

/// A program that compresses, where it is installed.
private struct Packing {
  var program: String
  var suffix: String

  init?(_ name: String) {
    guard let path = ["/usr/bin/", "/bin/"].map({ $0 + name }).first(where: FileManager.default.isExecutableFile)
    else { return nil }
    program = path
    suffix = name == "gzip" ? ".gz" : ".zst"
  }

  func packed(_ path: String) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-q", "-c", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return data
  }
}
