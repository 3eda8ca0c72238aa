import CaptureFiles
import Foundation
import Testing

/// The bundles that come with the project.
enum RecordedBundles {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  static let names: [String] = {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    return found.filter { FileManager.default.fileExists(atPath: "\(root.path)/\($0)/truth.json") }.sorted()
  }()

  /// Paths of all captures of a bundle, below `root`.
  static func captures(of bundle: String) -> [String] {
    let directory = root.appendingPathComponent(bundle)
    guard let walk = FileManager.default.enumerator(atPath: directory.path) else { return [] }
    return walk.compactMap { $0 as? String }.filter { $0.contains(".pcap") }
      .map { "\(bundle)/\($0)" }.sorted()
  }
}

@Suite struct TsharkTests {
  @Test("There are recorded bundles to compare")
  func bundlesAreThere() {
    #expect(!RecordedBundles.names.isEmpty)
  }

  @Test(
    "inspect agrees with tshark on every layer of every frame",
    .enabled(if: Tshark.path != nil, "tshark is not installed"), arguments: RecordedBundles.names)
  func agreesWithTshark(bundle: String) throws {
    let captures = RecordedBundles.captures(of: bundle)
    #expect(!captures.isEmpty)
    for capture in captures {
      let path = RecordedBundles.root.appendingPathComponent(capture).path
      let theirs = try Tshark.layers(of: path)
      let ours = try inspectedLayers(of: path)
      #expect(ours.map(\.number) == theirs.map(\.number), "\(capture)")
      let differences = zip(ours, theirs).compactMap { disagreement($0, $1) }
      #expect(differences.isEmpty, "\(capture): \(differences.count) frames, such as \(differences.prefix(2))")
    }
  }

  @Test(
    "inspect agrees with tshark on captures without Ethernet",
    .enabled(if: Tshark.path != nil, "tshark is not installed"),
    arguments: [
      (0, [2, 0, 0, 0]), (0, [0, 0, 0, 2]), (12, []), (101, []), (108, [0, 0, 0, 2]), (228, []),
    ] as [(UInt16, [UInt8])])
  func agreesOnBareIP(linkType: UInt16, header: [UInt8]) throws {
    let path = RecordedBundles.root.appendingPathComponent("clean-vxlan/host1/eth1.pcap").path
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: copy) }
    var reader = try CaptureReader(path: path)
    var writer = try PcapWriter(path: copy.path, linkType: linkType, snapLength: 0)
    var batch = FrameBatch()
    while try reader.next(into: &batch) {
      for record in batch.frames where record.capturedLength > 14 && batch.bytes[record.start + 12] == 8 {
        guard batch.bytes[record.start + 13] == 0 else { continue }
        let packet = header + batch.bytes[record.start + 14..<record.start + record.capturedLength]
        try writer.write(packet.span, time: record.time, wireLength: record.wireLength - 14 + header.count)
      }
    }
    try writer.finish()
    let theirs = try Tshark.layers(of: copy.path)
    let ours = try inspectedLayers(of: copy.path)
    #expect(ours.count > 100)
    #expect(ours.map(\.number) == theirs.map(\.number))
    let differences = zip(ours, theirs).compactMap { disagreement($0, $1) }
    #expect(differences.isEmpty, "\(differences.prefix(2))")
  }
}
