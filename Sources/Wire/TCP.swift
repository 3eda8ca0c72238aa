extension FrameHeaders {
  /// TCP header (RFC 9293). Ports and sequence number are kept as soon as the first eight bytes
  /// are there (what ICMP errors quote, RFC 792), the other fields where they are: a short snap
  /// length often ends inside this header, and those fields tell segments apart.
  @inline(__always)
  mutating func decodeTCP(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    transportOffset = cursor.offset
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 20, cursor.claimed >= 20 else {
      stop = cursor.shortage(of: 20, layer: .tcp, in: bytes)
      decodePartialTCP(bytes, cursor)
      return nil
    }
    transport = .tcp
    sourcePort = header.uint16(0)
    destinationPort = header.uint16(2)
    tcpSequence = header.uint32(4)
    tcpAcknowledgment = header.uint32(8)
    tcpFlags = header[13]
    payloadOffset = cursor.offset &+ 20
    let headerLength = Int(header[12] &>> 4) &* 4
    guard headerLength >= 20 else {
      stop = DecodeStop(
        reason: .malformed, layer: .tcp, limit: .headerLength, offset: cursor.offset, need: 20,
        have: UInt32(truncatingIfNeeded: headerLength))
      return nil
    }
    guard cursor.has(headerLength, in: bytes) else {
      stop = cursor.shortage(of: headerLength, layer: .tcp, in: bytes)
      return nil
    }
    let next = cursor.advanced(by: headerLength)
    payloadOffset = next.offset
    return next
  }

  private mutating func decodePartialTCP(_ bytes: Span<UInt8>, _ cursor: Cursor) {
    let available = cursor.available(in: bytes)
    guard available >= 8 else { return }
    let rest = bytes.extracting(cursor.at..<cursor.at &+ available)
    transport = .tcp
    sourcePort = rest.uint16(0)
    destinationPort = rest.uint16(2)
    tcpSequence = rest.uint32(4)
    if available >= 12 { tcpAcknowledgment = rest.uint32(8) }
    if available >= 14 { tcpFlags = rest[13] }
    payloadOffset = cursor.offset &+ UInt32(truncatingIfNeeded: available)
  }
}
