extension FrameHeaders {
  /// ICMP (RFC 792): type, code, and of echoes identifier and sequence.
  mutating func decodeICMP(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    guard decodeICMPStart(.icmp, layer: .icmp, bytes, cursor) else { return nil }
    if icmpType == 0 || icmpType == 8 { decodeEcho(bytes, cursor) }
    return cursor.advanced(by: 8)
  }

  /// ICMPv6 (RFC 4443), and the target of neighbour solicitations (135) and advertisements (136)
  /// (RFC 4861, 4.3 and 4.4).
  mutating func decodeICMPv6(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    guard decodeICMPStart(.icmpv6, layer: .icmpv6, bytes, cursor) else { return nil }
    switch icmpType {
    case 128, 129: decodeEcho(bytes, cursor)
    case 135, 136:
      guard cursor.has(24, in: bytes) else {
        stop = cursor.shortage(of: 24, layer: .icmpv6, in: bytes)
        return nil
      }
      neighborTarget = bytes.extracting(cursor.at..<cursor.at &+ 24).ipv6Address(8)
    default: break
    }
    return cursor.advanced(by: 8)
  }

  private mutating func decodeICMPStart(
    _ kind: Transport, layer: DecodeStop.Layer, _ bytes: Span<UInt8>, _ cursor: Cursor
  ) -> Bool {
    transportOffset = cursor.offset
    guard cursor.has(8, in: bytes) else {
      stop = cursor.shortage(of: 8, layer: layer, in: bytes)
      return false
    }
    transport = kind
    icmpType = bytes[cursor.at]
    icmpCode = bytes[cursor.at &+ 1]
    payloadOffset = cursor.offset &+ 8
    return true
  }

  /// Only where the first eight bytes are there.
  private mutating func decodeEcho(_ bytes: Span<UInt8>, _ cursor: Cursor) {
    let header = bytes.extracting(cursor.at..<cursor.at &+ 8)
    icmpIdentifier = header.uint16(4)
    icmpSequence = header.uint16(6)
  }
}
