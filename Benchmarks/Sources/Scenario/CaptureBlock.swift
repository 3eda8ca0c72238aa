import CaptureFiles
import Wire

/// The records of one stretch of time, which go to the files in the order of their time.
struct CaptureBlock {
  private struct Record {
    var time: Int64
    var start: Int32
    var length: Int32
    var interface: Int32
  }

  private var bytes: [UInt8] = []
  private var records: [[Record]] = Array(repeating: [], count: 4)

  /// Keeps a frame's bytes for the records that show it.
  mutating func keep(_ frame: [UInt8]) -> Range<Int> {
    bytes.append(contentsOf: frame)
    return bytes.count - frame.count..<bytes.count
  }

  mutating func record(_ frame: Range<Int>, in file: Int, time: Int64, interface: Int = 0) {
    records[file].append(
      Record(
        time: time, start: Int32(truncatingIfNeeded: frame.lowerBound), length: Int32(truncatingIfNeeded: frame.count),
        interface: Int32(truncatingIfNeeded: interface)))
  }

  /// Brings the records of each file into the order of their time.
  mutating func sort() {
    for file in records.indices {
      records[file].sort { ($0.time, $0.start, $0.interface) < ($1.time, $1.start, $1.interface) }
    }
  }

  /// Hands on the records of a file, with their bytes: time and interface.
  func write(
    _ file: Int, _ body: (Span<UInt8>, Int64, Int) throws(CaptureWriteError) -> Void
  ) throws(CaptureWriteError) {
    let all = bytes.span
    for record in records[file] {
      let start = Int(record.start)
      try body(all.extracting(start..<start + Int(record.length)), record.time, Int(record.interface))
    }
  }

  mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    for file in records.indices { records[file].removeAll(keepingCapacity: true) }
  }
}
