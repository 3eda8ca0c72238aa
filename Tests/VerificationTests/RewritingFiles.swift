import CaptureFiles
import Foundation

/// Rewrites how frames lie in files.
extension Rewriting {
  private struct Frame {
    var bytes: [UInt8]
    var time: Int64
    var wireLength: Int
  }

  private static func frames(_ path: String) throws -> (frames: [Frame], interface: CaptureInterface) {
    var reader = try CaptureReader(path: path)
    var batch = FrameBatch()
    var frames: [Frame] = []
    while try reader.next(into: &batch) {
      for record in batch.frames {
        let bytes = Array(batch.bytes[record.start..<record.start + record.capturedLength])
        frames.append(Frame(bytes: bytes, time: record.time, wireLength: record.wireLength))
      }
    }
    return (frames, reader.interfaces.first ?? CaptureInterface(linkType: 1))
  }

  private static func written(
    _ frames: some Sequence<Frame>, linkType: UInt16, snapLength: UInt32
  ) throws -> Data {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: copy) }
    var writer = try PcapWriter(path: copy.path, linkType: linkType, snapLength: snapLength)
    for frame in frames { try writer.write(frame.bytes.span, time: frame.time, wireLength: frame.wireLength) }
    try writer.finish()
    return try Data(contentsOf: copy)
  }

  /// A capture cut into files of equally many frames, each of which repeats so many per cent of the one before.
  static func pieces(_ path: String, _ count: Int, overlap: Int = 0) throws -> [Data] {
    let (frames, interface) = try frames(path)
    let length = (frames.count + count - 1) / count
    return try (0..<count).map { number in
      let start = max(0, number * length - length * overlap / 100)
      let range = min(start, frames.count)..<min((number + 1) * length, frames.count)
      return try written(frames[range], linkType: interface.linkType, snapLength: interface.snapLength)
    }
  }

  /// A capture with each of its frames changed.
  static func changed(_ path: String, _ change: ([UInt8]) -> [UInt8]) throws -> Data {
    let (frames, interface) = try frames(path)
    return try written(
      frames.map { Frame(bytes: change($0.bytes), time: $0.time, wireLength: $0.wireLength) },
      linkType: interface.linkType, snapLength: interface.snapLength)
  }

  /// The second half of a capture, more frames than are read at a time, then the first half.
  static func disordered(_ path: String) throws -> Data {
    let (frames, interface) = try frames(path)
    let end = frames.last?.time ?? 0
    let filler = (0..<5000).map { number in
      let header: [UInt8] = [0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc]
      let bytes = header + (0..<46).map { UInt8(truncatingIfNeeded: number >> ($0 % 2 * 8)) }
      return Frame(bytes: bytes, time: end + Int64(number) * 1000, wireLength: bytes.count)
    }
    let half = frames.count / 2
    return try written(
      frames[half...] + filler + frames[..<half], linkType: interface.linkType, snapLength: interface.snapLength)
  }

  /// An Ethernet capture without its link headers.
  static func bare(_ path: String) throws -> Data {
    let (frames, interface) = try frames(path)
    let packets = frames.filter { $0.bytes.count > 14 }.map {
      Frame(bytes: Array($0.bytes.dropFirst(14)), time: $0.time, wireLength: $0.wireLength - 14)
    }
    return try written(packets, linkType: 101, snapLength: interface.snapLength)
  }

  /// A capture as pcapng, of some of its frames, with the counters of its interface.
  static func withStatistics(_ path: String, dropped: UInt64, keeping isKept: ([UInt8]) -> Bool) throws -> Data {
    let (frames, interface) = try frames(path)
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcapng")
    defer { try? FileManager.default.removeItem(at: copy) }
    var writer = try PcapngWriter(path: copy.path)
    let number = try writer.addInterface(
      CaptureInterface(linkType: interface.linkType, snapLength: interface.snapLength))
    for frame in frames where isKept(frame.bytes) {
      try writer.write(frame.bytes.span, time: frame.time, interface: number, wireLength: frame.wireLength)
    }
    try writer.writeStatistics(
      interface: number, time: frames.last?.time ?? 0, received: UInt64(frames.count), dropped: dropped)
    try writer.finish()
    return try Data(contentsOf: copy)
  }
}
