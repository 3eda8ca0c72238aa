import CaptureFiles
import Foundation

/// The files that a made overlay's captures are.
extension MadeOverlay {
  typealias Record = (time: Int64, bytes: [UInt8])

  /// What passes all interfaces of a host, by the file that each would have, in one file that names them.
  static func joined(_ records: [String: [Record]], _ snapLength: Int) throws -> Data {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcapng")
    defer { try? FileManager.default.removeItem(at: copy) }
    var writer = try PcapngWriter(path: copy.path, application: "tests")
    var all: [(time: Int64, interface: Int, bytes: [UInt8])] = []
    for file in records.keys.sorted() {
      let name = ((file as NSString).lastPathComponent as NSString).deletingPathExtension
      let interface = try writer.addInterface(
        CaptureInterface(linkType: 1, snapLength: UInt32(truncatingIfNeeded: snapLength), name: name))
      all += (records[file] ?? []).map { ($0.time, interface, $0.bytes) }
    }
    for record in all.sorted(by: { ($0.time, $0.interface) < ($1.time, $1.interface) }) {
      let kept = Array(record.bytes.prefix(snapLength))
      try writer.write(kept.span, time: record.time, interface: record.interface, wireLength: record.bytes.count)
    }
    try writer.finish()
    return try Data(contentsOf: copy)
  }

  static func pcap(_ records: [Record], _ snapLength: Int = 262_144) -> Data {
    var data: [UInt8] = []
    func put(_ value: UInt32) { for shift in [0, 8, 16, 24] { data.append(UInt8(truncatingIfNeeded: value >> shift)) } }
    for value: UInt32 in [0xa1b2_3c4d, 0x0004_0002, 0, 0, UInt32(truncatingIfNeeded: snapLength), 1] { put(value) }
    for (time, bytes) in records {
      put(UInt32(time / 1_000_000_000))
      put(UInt32(time % 1_000_000_000))
      put(UInt32(min(bytes.count, snapLength)))
      put(UInt32(bytes.count))
      data += bytes.prefix(snapLength)
    }
    return Data(data)
  }
}
