/// Writes a pcap file, version 2.4, in little-endian byte order (draft-ietf-opsawg-pcap).
///
/// Only what `finish` has written is sure to be in the file.
public struct PcapWriter: ~Copyable, Sendable {
  public enum Resolution: Hashable, Sendable { case microseconds, nanoseconds }

  private var file: OutputFile
  private let snapLength: Int
  private let resolution: Resolution

  /// - Parameters:
  ///   - linkType: LINKTYPE_ value.
  ///   - snapLength: longer frames are cut; 0 for no limit.
  public init(
    path: String, linkType: UInt16 = 1, snapLength: UInt32 = 262_144, resolution: Resolution = .nanoseconds
  ) throws(CaptureWriteError) {
    file = try OutputFile.creating(path)
    self.snapLength = snapLength == 0 ? .max : Int(snapLength)
    self.resolution = resolution
    file.put(resolution == .microseconds ? 0xa1b2_c3d4 : 0xa1b2_3c4d as UInt32)
    file.put(2 as UInt16)
    file.put(4 as UInt16)
    file.put(0 as UInt32)
    file.put(0 as UInt32)
    file.put(snapLength)
    file.put(UInt32(linkType))
  }

  /// - Parameters:
  ///   - time: nanoseconds since 1970; cut down to the file's resolution.
  ///   - wireLength: where longer than `bytes`.
  public mutating func write(
    _ bytes: Span<UInt8>, time: Int64, wireLength: Int = 0
  ) throws(CaptureWriteError) {
    let (seconds, fraction) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
    guard time >= 0, let seconds = UInt32(exactly: seconds) else {
      throw CaptureWriteError(path: file.path, reason: "pcap cannot hold the time \(time) ns: it ends in 2106")
    }
    let captured = min(bytes.count, snapLength)
    let wire = try wireField(max(bytes.count, wireLength), captured: captured, path: file.path)
    file.put(seconds)
    file.put(UInt32(resolution == .microseconds ? fraction / 1000 : fraction))
    file.put(UInt32(captured))
    file.put(wire)
    file.put(bytes.extracting(0..<captured))
    try file.endRecord()
  }

  /// Writes what is buffered and closes the file; nothing may be written after it.
  public mutating func finish() throws(CaptureWriteError) { try file.finish() }
}

/// The wire length as files hold it, refused where the file could not be read again.
@inline(__always)
func wireField(_ length: Int, captured: Int, path: String) throws(CaptureWriteError) -> UInt32 {
  guard let wire = UInt32(exactly: length), captured <= largestRecord - 256 else {
    throw CaptureWriteError(path: path, reason: "a frame of \(length) bytes is too long for a capture file")
  }
  return wire
}
