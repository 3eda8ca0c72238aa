/// Writes a pcapng file of one section, in little-endian byte order and nanoseconds (draft-ietf-opsawg-pcapng).
///
/// Only what `finish` has written is sure to be in the file.
public struct PcapngWriter: ~Copyable, Sendable {
  private var file: OutputFile
  private var snapLengths: [UInt32] = []

  /// - Parameter application: `shb_userappl`, what wrote the file.
  public init(path: String, application: String? = nil) throws(CaptureWriteError) {
    let options = try Options(path: path, [(4, application)])
    file = try OutputFile.creating(path)
    beginBlock(PcapngSection.sectionHeader, length: 28 + options.length)
    file.put(PcapngSection.byteOrderMagic)
    file.put(1 as UInt16)
    file.put(0 as UInt16)
    file.put(UInt32.max)
    file.put(UInt32.max)
    options.put(into: &file)
    file.put(UInt32(28 + options.length))
  }

  /// Describes an interface, whose frames may follow; its counters are not written (see `writeStatistics`).
  /// - Returns: its index.
  public mutating func addInterface(_ interface: CaptureInterface) throws(CaptureWriteError) -> Int {
    var options = try Options(
      path: file.path, [(2, interface.name), (3, interface.description), (11, interface.filter.map { "\0" + $0 })])
    options.append(9, [9])
    let length = 20 + options.length
    beginBlock(1, length: length)
    file.put(interface.linkType)
    file.put(0 as UInt16)
    file.put(interface.snapLength)
    options.put(into: &file)
    file.put(UInt32(length))
    snapLengths.append(interface.snapLength)
    try file.endRecord()
    return snapLengths.count - 1
  }

  /// - Parameters:
  ///   - time: nanoseconds since 1970.
  ///   - interface: as `addInterface` returned it.
  ///   - wireLength: where longer than `bytes`.
  ///   - comment: shown beside the frame by viewers.
  public mutating func write(
    _ bytes: Span<UInt8>, time: Int64, interface: Int, wireLength: Int = 0,
    direction: FrameRecord.Direction = .unknown, comment: String? = nil
  ) throws(CaptureWriteError) {
    try require(interface)
    let ticks = try ticks(time)
    let snapLength = Int(snapLengths[interface])
    let captured = snapLength == 0 ? bytes.count : min(bytes.count, snapLength)
    let wire = try wireField(max(bytes.count, wireLength), captured: captured, path: file.path)
    let padding = -captured & 3
    let comments = comment == nil ? nil : try Options(path: file.path, [(1, comment)])
    let optionsLength = (direction == .unknown ? 0 : 8) + (comments?.bytes.count ?? 0)
    let length = 32 + captured + padding + (optionsLength == 0 ? 0 : optionsLength + 4)
    beginBlock(6, length: length)
    file.put(UInt32(truncatingIfNeeded: interface))
    file.put(UInt32(truncatingIfNeeded: ticks >> 32))
    file.put(UInt32(truncatingIfNeeded: ticks))
    file.put(UInt32(captured))
    file.put(wire)
    file.put(bytes.extracting(0..<captured))
    file.put(zeros: padding)
    if direction != .unknown {
      file.put(2 as UInt16)
      file.put(4 as UInt16)
      file.put(UInt32(direction.rawValue))
    }
    if let comments { file.put(comments.bytes.span) }
    if optionsLength > 0 { file.put(zeros: 4) }
    file.put(UInt32(length))
    try file.endRecord()
  }

  /// Writes the counters of an interface, as they were at `time`.
  public mutating func writeStatistics(
    interface: Int, time: Int64, received: UInt64?, dropped: UInt64?
  ) throws(CaptureWriteError) {
    try require(interface)
    let ticks = try ticks(time)
    var options = try Options(path: file.path, [])
    for (code, value) in [(4 as UInt16, received), (5, dropped)] {
      guard let value else { continue }
      options.append(code, (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }
    let length = 24 + options.length
    beginBlock(5, length: length)
    file.put(UInt32(truncatingIfNeeded: interface))
    file.put(UInt32(truncatingIfNeeded: ticks >> 32))
    file.put(UInt32(truncatingIfNeeded: ticks))
    options.put(into: &file)
    file.put(UInt32(length))
    try file.endRecord()
  }

  /// Writes what is buffered and closes the file; nothing may be written after it.
  public mutating func finish() throws(CaptureWriteError) { try file.finish() }

  private mutating func beginBlock(_ type: UInt32, length: Int) {
    file.put(type)
    file.put(UInt32(length))
  }

  private func require(_ interface: Int) throws(CaptureWriteError) {
    guard snapLengths.indices.contains(interface) else {
      throw CaptureWriteError(path: file.path, reason: "interface \(interface) was not described")
    }
  }

  private func ticks(_ time: Int64) throws(CaptureWriteError) -> UInt64 {
    guard let ticks = UInt64(exactly: time) else {
      throw CaptureWriteError(path: file.path, reason: "pcapng cannot hold the time \(time) ns, before 1970")
    }
    return ticks
  }

  /// The options of one block, encoded.
  private struct Options {
    private(set) var bytes: [UInt8] = []
    /// With the end mark.
    var length: Int { bytes.isEmpty ? 0 : bytes.count + 4 }

    init(path: String, _ texts: [(code: UInt16, text: String?)]) throws(CaptureWriteError) {
      for (code, text) in texts {
        guard let text else { continue }
        let encoded = Array(text.utf8)
        guard encoded.count <= UInt16.max else {
          throw CaptureWriteError(path: path, reason: "a text of \(encoded.count) bytes does not fit in an option")
        }
        append(code, encoded)
      }
    }

    mutating func append(_ code: UInt16, _ value: [UInt8]) {
      for number in [code, UInt16(truncatingIfNeeded: value.count)] {
        bytes += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
      }
      bytes += value
      bytes += [UInt8](repeating: 0, count: -value.count & 3)
    }

    func put(into file: inout OutputFile) {
      guard !bytes.isEmpty else { return }
      file.put(bytes.span)
      file.put(zeros: 4)
    }
  }
}
