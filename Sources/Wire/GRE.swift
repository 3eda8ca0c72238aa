extension DecodedFrame {
  /// GRE version 0 with an Ethernet frame inside (RFC 2784; key and sequence number: RFC 2890).
  /// Other versions, source routing (RFC 1701) and other payloads are not opened.
  mutating func decodeGRE(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 4, cursor.claimed >= 4 else {
      outer.stop = cursor.shortage(of: 4, layer: .gre, in: bytes)
      return nil
    }
    let flags = header.uint16(0)
    let version = flags & 0x0007
    let hasRouting = flags & 0x4000 != 0
    guard version == 0, !hasRouting, header.uint16(2) == EtherType.bridging else { return nil }
    let hasChecksum = flags & 0x8000 != 0
    let hasKey = flags & 0x2000 != 0
    let hasSequence = flags & 0x1000 != 0
    let length = 4 &+ (hasChecksum ? 4 : 0) &+ (hasKey ? 4 : 0) &+ (hasSequence ? 4 : 0)
    guard cursor.has(length, in: bytes) else {
      outer.stop = cursor.shortage(of: length, layer: .gre, in: bytes)
      return nil
    }
    if hasKey {
      let key = cursor.at &+ (hasChecksum ? 8 : 4)
      tunnel.id = bytes.extracting(key..<key &+ 4).uint32(0)
    }
    tunnel.kind = .gre
    tunnel.flags = flags
    tunnel.hasID = hasKey
    tunnel.protocolType = EtherType.bridging
    tunnel.offset = cursor.offset
    tunnel.length = UInt32(truncatingIfNeeded: length)
    let next = cursor.advanced(by: length)
    outer.payloadOffset = next.offset
    // Until its payload was known, GRE counted as a protocol that is left.
    if outer.stop.reason == .unknownProtocol { outer.stop = DecodeStop(reason: .complete) }
    return next
  }
}
