extension FrameHeaders {
  /// IPv6 header, its extension headers, and transport header (RFC 8200).
  mutating func decodeIPv6(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    var cursor = cursor
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 40, cursor.claimed >= 40 else {
      stop = cursor.shortage(of: 40, layer: .ipv6, in: bytes)
      return nil
    }
    let first = header.uint32(0)
    guard first &>> 28 == 6 else {
      stop = DecodeStop(
        reason: .malformed, layer: .ipv6, limit: .value, offset: cursor.offset, need: 6, have: first &>> 28)
      return nil
    }
    network = .ipv6
    trafficClass = UInt8(truncatingIfNeeded: first &>> 20)
    ipProtocol = header[6]
    hopLimit = header[7]
    sourceAddress = header.ipv6Address(8)
    destinationAddress = header.ipv6Address(24)
    var total = Int(header.uint16(4)) &+ 40
    if total == 40 && (ipProtocol == 0 || ipProtocol == IPProtocol.tcp || ipProtocol == IPProtocol.udp) {
      // Jumbograms (RFC 2675) and superframes seen before segmentation leave the field empty.
      total = cursor.claimed
    }
    networkLength = UInt32(clamping: total)
    narrow(&cursor, to: total, layer: .ipv6, limit: .ipv6PayloadLength)
    cursor = cursor.advanced(by: 40)
    payloadOffset = cursor.offset
    return decodeExtensions(bytes, cursor).flatMap { decodeTransport(bytes, $0) }
  }

  /// Extension headers up to the first protocol that is none. Every round consumes at least
  /// eight bytes, so a chain ends with the packet. Nil where no transport header follows:
  /// a later fragment, or a header that is not whole.
  private mutating func decodeExtensions(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    var cursor = cursor
    while true {
      // Hop-by-hop, routing, fragment, authentication (RFC 4302), destination options, mobility
      // (RFC 6275), HIP (RFC 7401), Shim6 (RFC 5533).
      switch ipProtocol {
      case 0, 43, 44, 51, 60, 135, 139, 140: break
      default: return cursor
      }
      let header = bytes.extracting(droppingFirst: cursor.at)
      guard header.count >= 8, cursor.claimed >= 8 else {
        stop = cursor.shortage(of: 8, layer: .ipv6Extension, in: bytes)
        return nil
      }
      let length = FrameHeaders.extensionLength(ipProtocol, octet: header[1])
      guard cursor.has(length, in: bytes) else {
        stop = cursor.shortage(of: length, layer: .ipv6Extension, in: bytes)
        return nil
      }
      if ipProtocol == 44 {
        let fragment = header.uint16(2)
        fragmentOffset = UInt32(fragment & 0xfff8)
        moreFragments = fragment & 1 != 0
        // One fragment that holds all is no fragment (RFC 6946).
        isFragment = fragment & 0xfff9 != 0
        identification = header.uint32(4)
      }
      ipProtocol = header[0]
      cursor = cursor.advanced(by: length)
      payloadOffset = cursor.offset
      if fragmentOffset != 0 { return nil }
      if moreFragments { cursor.isPartial = true }
    }
  }

  /// Octets of an extension header, by its number and its length octet: in units of eight without the
  /// first (RFC 8200, 4.2), in units of four without the first two for authentication (RFC 4302, 2.2).
  static func extensionLength(_ number: UInt8, octet: UInt8) -> Int {
    switch number {
    case 44: 8
    case 51: Int(octet) &* 4 &+ 8
    default: Int(octet) &* 8 &+ 8
    }
  }
}
