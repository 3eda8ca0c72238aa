extension FrameHeaders {
  /// UDP header (RFC 768). Gives the payload, narrowed to the datagram's length.
  @inline(__always)
  mutating func decodeUDP(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    var cursor = cursor
    transportOffset = cursor.offset
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 8, cursor.claimed >= 8 else {
      stop = cursor.shortage(of: 8, layer: .udp, in: bytes)
      return nil
    }
    transport = .udp
    sourcePort = header.uint16(0)
    destinationPort = header.uint16(2)
    udpLength = header.uint16(4)
    payloadOffset = cursor.offset &+ 8
    var length = Int(udpLength)
    if length == 0 && cursor.claimed > 0xffff {
      // Jumbograms (RFC 2675, 4) and superframes leave the field empty.
      length = cursor.claimed
    }
    guard length >= 8 else {
      stop = DecodeStop(
        reason: .malformed, layer: .udp, limit: .udpLength, offset: cursor.offset, need: 8, have: UInt32(udpLength))
      return nil
    }
    narrow(&cursor, to: length, layer: .udp, limit: .udpLength)
    return cursor.advanced(by: 8)
  }
}
