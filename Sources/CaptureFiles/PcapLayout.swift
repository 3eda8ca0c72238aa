/// How far a run of indexing came.
enum IndexOutcome {
  /// The batch has as many frames as asked for.
  case full
  /// The record at the position needs so many bytes, counted from its own first byte.
  case needs(Int)
  /// The record at the position cannot be: a reason in words.
  case damaged(String)
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
  static let headerLength = 24
  /// Magic number, nanoseconds per unit of the time's fraction, and length of a record's header. The last is the
  /// format of a patched Linux libpcap, whose records also carry interface index, protocol and packet type.
  static let magics: [(magic: UInt32, fraction: Int64, recordHeader: Int)] = [
    (0xa1b2_c3d4, 1000, 16), (0xa1b2_3c4d, 1, 16), (0xa1b2_cd34, 1000, 24),
  ]

  private let order: ByteOrder
  private let fraction: Int64
  private let recordHeader: Int
  let linkType: UInt16
  let snapLength: UInt32

  /// - Parameter header: at least `headerLength` bytes.
  /// - Throws: the reason in words.
  init(header: Span<UInt8>) throws(LayoutError) {
    var found: (order: ByteOrder, fraction: Int64, recordHeader: Int)?
    for (magic, fraction, recordHeader) in Self.magics {
      if header.number32(at: 0, .little) == magic { found = (.little, fraction, recordHeader) }
      if header.number32(at: 0, .big) == magic { found = (.big, fraction, recordHeader) }
    }
    guard let found else { throw LayoutError(reason: "unknown magic number") }
    (order, fraction, recordHeader) = found
    let major = header.number16(at: 4, order)
    let minor = header.number16(at: 6, order)
    guard major == 2, minor == 4 else {
      throw LayoutError(reason: "pcap version \(major).\(minor) is not supported; 2.4 is")
    }
    snapLength = header.number32(at: 16, order)
    // The upper half of the field says whether frames end in a checksum; it is not part of the link type.
    linkType = UInt16(truncatingIfNeeded: header.number32(at: 20, order))
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
      position = at + recordHeader + captured
    }
  }
}

/// Why a header or block cannot be, in words.
struct LayoutError: Error {
  let reason: String
}
