/// How far a run of indexing came.
enum IndexOutcome {
  /// The batch has as many frames as asked for.
  case full
  /// The record at the position needs so many bytes, counted from its own first byte.
  case needs(Int)
  /// The record at the position cannot be: a reason in words.
  case damaged(String)
  /// There are zeros where the record at the position should begin.
  case zeros
}

/// Frames counted over the whole file, and what was odd about them.
struct FrameTally: Sendable {
  var frames: UInt64 = 0
  var anomalies = CaptureAnomalies()
}

/// A record that claims more than this is damage, whatever the snap length: no device sends such frames, and
/// obeying would let a few flipped bits take all memory.
let largestRecord = 64 << 20

/// How the records of one pcap file are laid out, as its header says (draft-ietf-opsawg-pcap, sections 4 and 5).
struct PcapLayout: Sendable {
  /// What the magic number says of the rest.
  struct Variant {
    var magic: UInt32
    /// Nanoseconds per unit of the time's fraction.
    var fraction: Int64
    var fileHeader = 24
    var recordHeader = 16
  }
  static let variants = [
    Variant(magic: 0xa1b2_c3d4, fraction: 1000), Variant(magic: 0xa1b2_3c4d, fraction: 1),
    // Of a patched Linux libpcap, whose records also carry interface index, protocol and packet type.
    Variant(magic: 0xa1b2_cd34, fraction: 1000, recordHeader: 24),
    // Of Ixia's hardware and software; the length of all records follows the header.
    Variant(magic: 0x1c00_01ac, fraction: 1, fileHeader: 28), Variant(magic: 0x1c00_01ab, fraction: 1, fileHeader: 28),
  ]
  /// Bytes that every variant's header has.
  static let leastHeader = 24

  private let order: ByteOrder
  private let fraction: Int64
  private let recordHeader: Int
  /// Bytes before the first record.
  let fileHeader: Int
  let linkType: UInt16
  let snapLength: UInt32
  /// Bytes of frame check sequence at the end of each frame.
  let checksumLength: Int

  /// - Parameter header: at least `leastHeader` bytes.
  /// - Throws: the reason in words.
  init(header: Span<UInt8>) throws(LayoutError) {
    var found: (order: ByteOrder, variant: Variant)?
    for variant in Self.variants {
      if header.number32(at: 0, .little) == variant.magic { found = (.little, variant) }
      if header.number32(at: 0, .big) == variant.magic { found = (.big, variant) }
    }
    guard let found else { throw LayoutError(reason: "unknown magic number") }
    order = found.order
    fraction = found.variant.fraction
    recordHeader = found.variant.recordHeader
    fileHeader = found.variant.fileHeader
    let major = header.number16(at: 4, order)
    let minor = header.number16(at: 6, order)
    guard major == 2, minor == 4 else {
      throw LayoutError(reason: "pcap version \(major).\(minor) is not supported; 2.4 is")
    }
    snapLength = header.number32(at: 16, order)
    let link = header.number32(at: 20, order)
    linkType = UInt16(truncatingIfNeeded: link)
    // Bit 26 of the field: its upper four bits tell the checksum's length, in 16-bit words.
    checksumLength = link & 0x0400_0000 != 0 ? Int(link >> 28) * 2 : 0
  }

  /// Indexes whole records of `bytes` from `position` on, and leaves `position` at the first that was not.
  func index(
    _ bytes: Span<UInt8>, from position: inout Int, into frames: inout [FrameRecord], limit: Int,
    tally: inout FrameTally
  ) -> IndexOutcome {
    var number = tally.frames
    defer { tally.frames = number }
    while true {
      guard frames.count < limit else { return .full }
      let at = position
      let have = bytes.count - at
      guard have >= recordHeader else { return .needs(recordHeader) }
      let captured = Int(bytes.number32(at: at + 8, order))
      guard captured <= largestRecord else {
        return .damaged("a record claims \(captured) captured bytes, more than any frame has")
      }
      guard have - recordHeader >= captured else { return .needs(recordHeader + captured) }
      var wire = Int(bytes.number32(at: at + 12, order))
      if captured == 0, wire == 0, bytes.number32(at: at, order) == 0, bytes.number32(at: at + 4, order) == 0 {
        return .zeros
      }
      if wire < captured {
        wire = captured
        tally.anomalies.wireLengthRaised += 1
      }
      if captured > Int(snapLength) && snapLength > 0 { tally.anomalies.longerThanSnapLength += 1 }
      var direction = FrameRecord.Direction.unknown
      if recordHeader > 16 {
        // Packet types of <linux/if_packet.h>: 4 is outgoing, 0 to 3 were received.
        let type = bytes[at + 22]
        direction = type == 4 ? .outbound : type < 4 ? .inbound : .unknown
      }
      // 32-bit seconds and fraction: neither product nor sum can leave Int64.
      let time =
        Int64(bytes.number32(at: at, order)) * 1_000_000_000 + Int64(bytes.number32(at: at + 4, order)) * fraction
      number += 1
      frames.append(
        FrameRecord(
          number: number, time: time, start: at + recordHeader, capturedLength: captured, wireLength: wire,
          interface: 0, direction: direction))
      if checksumLength > 0 { frames[frames.count - 1].removeChecksum(checksumLength) }
      position = at + recordHeader + captured
    }
  }
}

/// Why a header or block cannot be, in words.
struct LayoutError: Error {
  let reason: String
}
