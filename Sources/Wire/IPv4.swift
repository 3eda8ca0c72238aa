/// Protocol numbers of IPv4 and IPv6 that decide how a packet is read on (IANA registry).
public enum IPProtocol {
  public static let icmp: UInt8 = 1
  public static let tcp: UInt8 = 6
  public static let udp: UInt8 = 17
  public static let gre: UInt8 = 47
  public static let icmpv6: UInt8 = 58
  /// No next header (RFC 8200, 4.7).
  public static let none: UInt8 = 59
}

extension FrameHeaders {
  /// IPv4 header and transport header (RFC 791). As with IPv6, the addresses are kept as soon as
  /// the fixed part is there, even where options are cut or lengths contradict each other.
  @inline(__always)
  mutating func decodeIPv4(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    var cursor = cursor
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 20, cursor.claimed >= 20 else {
      stop = cursor.shortage(of: 20, layer: .ipv4, in: bytes)
      return nil
    }
    guard header[0] &>> 4 == 4 else {
      stop = DecodeStop(
        reason: .malformed, layer: .ipv4, limit: .value, offset: cursor.offset, need: 4, have: UInt32(header[0] &>> 4))
      return nil
    }
    let headerLength = Int(header[0] & 0x0f) &* 4
    let fragment = header.uint16(6)
    network = .ipv4
    trafficClass = header[1]
    identification = UInt32(header.uint16(4))
    dontFragment = fragment & 0x4000 != 0
    moreFragments = fragment & 0x2000 != 0
    fragmentOffset = UInt32(fragment & 0x1fff) &* 8
    isFragment = fragment & 0x3fff != 0
    hopLimit = header[8]
    ipProtocol = header[9]
    sourceAddress = IPAddress(v4: header.uint32(12))
    destinationAddress = IPAddress(v4: header.uint32(16))

    var total = Int(header.uint16(2))
    if total == 0 && (ipProtocol == IPProtocol.tcp || ipProtocol == IPProtocol.udp) {
      // Superframes seen before segmentation leave the field empty.
      total = cursor.claimed
    }
    networkLength = UInt32(clamping: total)
    guard headerLength >= 20 else {
      stop = DecodeStop(
        reason: .malformed, layer: .ipv4, limit: .headerLength, offset: cursor.offset, need: 20,
        have: UInt32(truncatingIfNeeded: headerLength))
      return nil
    }
    narrow(&cursor, to: total, layer: .ipv4, limit: .ipv4TotalLength)
    guard cursor.has(headerLength, in: bytes) else {
      stop = cursor.shortage(of: headerLength, layer: .ipv4, in: bytes)
      return nil
    }
    cursor = cursor.advanced(by: headerLength)
    payloadOffset = cursor.offset
    if fragmentOffset != 0 { return nil }
    if moreFragments { cursor.isPartial = true }
    return decodeTransport(bytes, cursor)
  }

  /// Applies a header's own length to the cursor. A length beyond what is around it is noted as
  /// malformed, but what is there is decoded on, as other tools do. A length that ends inside the
  /// fragment at hand leaves nothing to another one.
  @inline(__always)
  mutating func narrow(_ cursor: inout Cursor, to length: Int, layer: DecodeStop.Layer, limit: DecodeStop.Limit) {
    if length <= cursor.claimed {
      cursor.claimed = length
      cursor.limit = limit
      cursor.isPartial = false
    } else if !cursor.isPartial {
      stop = DecodeStop(
        reason: .malformed, layer: layer, limit: cursor.limit, offset: cursor.offset, need: UInt32(clamping: length),
        have: UInt32(clamping: cursor.claimed))
    }
  }

  /// What follows the IP headers, by `ipProtocol`. The cursor stands at the transport header.
  @inline(__always)
  mutating func decodeTransport(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    switch (ipProtocol, network) {
    case (IPProtocol.udp, _): return decodeUDP(bytes, cursor)
    case (IPProtocol.tcp, _): return decodeTCP(bytes, cursor)
    case (IPProtocol.icmp, .ipv4): return decodeICMP(bytes, cursor)
    case (IPProtocol.icmpv6, .ipv6): return decodeICMPv6(bytes, cursor)
    case (IPProtocol.gre, _):
      transport = .gre
      transportOffset = cursor.offset
      leave(layer: .gre, offset: cursor.offset)
      return cursor
    case (IPProtocol.none, .ipv6): return nil
    default:
      transport = .other
      transportOffset = cursor.offset
      leave(layer: network == .ipv4 ? .ipv4 : .ipv6, offset: networkOffset)
      return nil
    }
  }

  /// Notes a protocol that is carried and not read on; an earlier contradiction stands.
  mutating func leave(layer: DecodeStop.Layer, offset: UInt32) {
    if stop.reason == .complete {
      stop = DecodeStop(reason: .unknownProtocol, layer: layer, limit: .value, offset: offset)
    }
  }
}
