import CaptureFiles
import Foundation

/// Rewrites the times of a bundle's captures, as if one host's clock had run differently.
enum Rewriting {
  /// A bundle's files with the captures of one host rewritten; `clock` tells what that host's clock shows at a
  /// true time, counted in nanoseconds from the first frame of the bundle.
  static func captures(_ bundle: String, of host: String, clock: (Int64) -> Int64) throws -> [String: Data] {
    let start = try firstTime(bundle)
    var result: [String: Data] = [:]
    for file in Bundles.files(bundle) where Bundles.isCapture(file) && file.hasPrefix(host + "/") {
      var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
      var batch = FrameBatch()
      let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
      defer { try? FileManager.default.removeItem(at: copy) }
      let interface = reader.interfaces.first
      var writer = try PcapWriter(
        path: copy.path, linkType: interface?.linkType ?? 1, snapLength: interface?.snapLength ?? 0)
      while try reader.next(into: &batch) {
        for record in batch.frames {
          let bytes = batch.bytes.span.extracting(record.start..<(record.start + record.capturedLength))
          let elapsed = record.time - start
          try writer.write(bytes, time: record.time + clock(elapsed) - elapsed, wireLength: record.wireLength)
        }
      }
      try writer.finish()
      result[file] = try Data(contentsOf: copy)
    }
    return result
  }

  /// The captures of each host of a bundle in one pcapng file, which names its interfaces.
  static func joined(_ bundle: String) throws -> [String: Data] {
    var result: [String: Data] = [:]
    let files = Bundles.files(bundle).filter(Bundles.isCapture)
    for host in Set(files.map { String($0.prefix { $0 != "/" }) }).sorted() {
      let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcapng")
      defer { try? FileManager.default.removeItem(at: copy) }
      var writer = try PcapngWriter(path: copy.path, application: "tests")
      var records: [(time: Int64, interface: Int, bytes: [UInt8])] = []
      for file in files where file.hasPrefix(host + "/") {
        var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
        var batch = FrameBatch()
        let name = String(file.dropFirst(host.count + 1).prefix { $0 != "." })
        let interface = try writer.addInterface(CaptureInterface(linkType: 1, snapLength: 262_144, name: name))
        while try reader.next(into: &batch) {
          for record in batch.frames {
            records.append(
              (record.time, interface, Array(batch.bytes[record.start..<(record.start + record.capturedLength)])))
          }
        }
      }
      for record in records.sorted(by: { $0.time < $1.time }) {
        try writer.write(record.bytes.span, time: record.time, interface: record.interface)
      }
      try writer.finish()
      result["\(host)/all.pcapng"] = try Data(contentsOf: copy)
    }
    return result
  }

  /// The time of the earliest frame in a bundle, and of the latest.
  static func firstTime(_ bundle: String) throws -> Int64 { try span(bundle).lowerBound }

  static func span(_ bundle: String) throws -> ClosedRange<Int64> {
    var times: [Int64] = []
    for file in Bundles.files(bundle) where Bundles.isCapture(file) {
      var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
      var batch = FrameBatch()
      while try reader.next(into: &batch) { times += batch.frames.map(\.time) }
    }
    return (times.min() ?? 0)...(times.max() ?? 0)
  }
}
