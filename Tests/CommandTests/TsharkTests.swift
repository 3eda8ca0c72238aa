import Foundation
import Testing

/// The bundles that come with the project.
enum RecordedBundles {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")

  static let names: [String] = {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    return found.filter { !$0.hasPrefix(".") && !$0.contains(".") }.sorted()
  }()

  /// Paths of all captures of a bundle, below `root`.
  static func captures(of bundle: String) -> [String] {
    let directory = root.appendingPathComponent(bundle)
    guard let walk = FileManager.default.enumerator(atPath: directory.path) else { return [] }
    return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".pcap") || $0.hasSuffix(".pcapng") }
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
}
