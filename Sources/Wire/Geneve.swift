extension DecodedFrame {
  /// Geneve version 0 with an Ethernet frame inside (RFC 8926, 3.4); options are skipped. Other
  /// versions and payloads are not opened.
  mutating func decodeGeneve(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 8, cursor.claimed >= 8 else {
      outer.stop = cursor.shortage(of: 8, layer: .geneve, in: bytes)
      return nil
    }
    guard header[0] &>> 6 == 0, header.uint16(2) == EtherType.bridging else {
      outer.leave(layer: .geneve, offset: cursor.offset)
      return nil
    }
    let length = 8 &+ Int(header[0] & 0x3f) &* 4
    guard cursor.has(length, in: bytes) else {
      outer.stop = cursor.shortage(of: length, layer: .geneve, in: bytes)
      return nil
    }
    tunnel.kind = .geneve
    tunnel.flags = UInt16(header[1])
    tunnel.hasID = true
    tunnel.id = header.uint32(4) &>> 8
    tunnel.protocolType = EtherType.bridging
    tunnel.offset = cursor.offset
    tunnel.length = UInt32(truncatingIfNeeded: length)
    return cursor.advanced(by: length)
  }
}
