extension DecodedFrame {
  /// VXLAN header (RFC 7348, 5): flags, reserved (24 bits), VNI (24), reserved (8). Reserved bits
  /// are ignored on receipt and kept here; a header without the I flag is accepted and marked.
  @inline(__always)
  mutating func decodeVXLAN(_ bytes: Span<UInt8>, _ cursor: inout Cursor) -> Bool {
    guard cursor.has(8, in: bytes) else {
      outer.stop = cursor.shortage(of: 8, layer: .vxlan, in: bytes)
      return false
    }
    let header = bytes.extracting(cursor.at..<cursor.at &+ 8)
    tunnel.kind = .vxlan
    tunnel.flags = UInt16(header[0])
    tunnel.hasID = header[0] & 0x08 != 0
    tunnel.id = header.uint24(4)
    tunnel.reserved = header.uint24(1) &<< 8 | UInt32(header[7])
    tunnel.offset = cursor.offset
    tunnel.length = 8
    cursor.skip(8)
    return true
  }
}
