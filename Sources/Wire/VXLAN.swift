extension DecodedFrame {
  /// VXLAN header (RFC 7348, 5): flags, reserved (24 bits), VNI (24), reserved (8). Reserved bits
  /// are ignored on receipt and kept here; a header without the I flag is accepted and marked.
  @inline(__always)
  mutating func decodeVXLAN(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 8, cursor.claimed >= 8 else {
      outer.stop = cursor.shortage(of: 8, layer: .vxlan, in: bytes)
      return nil
    }
    tunnel.kind = .vxlan
    tunnel.flags = UInt16(header[0])
    tunnel.hasID = header[0] & 0x08 != 0
    let last = header.uint32(4)
    tunnel.id = last &>> 8
    tunnel.reserved = header.uint32(0) &<< 8 | last & 0xff
    tunnel.offset = cursor.offset
    tunnel.length = 8
    return cursor.advanced(by: 8)
  }
}
