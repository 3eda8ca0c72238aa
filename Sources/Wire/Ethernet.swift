/// Ethertypes that decide how a frame is read on (IEEE 802 numbers registry).
public enum EtherType {
  public static let ipv4: UInt16 = 0x0800
  public static let arp: UInt16 = 0x0806
  public static let reverseARP: UInt16 = 0x8035
  public static let ipv6: UInt16 = 0x86dd
  /// Customer tag (IEEE 802.1Q).
  public static let vlan: UInt16 = 0x8100
  /// Service tag (IEEE 802.1ad).
  public static let serviceVLAN: UInt16 = 0x88a8
  /// Transparent Ethernet bridging: an Ethernet frame inside GRE or Geneve.
  public static let bridging: UInt16 = 0x6558
  /// Smaller values are lengths of 802.3 frames (IEEE 802.3, 3.2.6).
  public static let least: UInt16 = 0x0600

  /// Whether a VLAN tag follows: 0x8100, 0x88a8 and the older 0x9100 and 0x9200.
  @inlinable
  public static func isVLAN(_ type: UInt16) -> Bool {
    type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200
  }
}

extension FrameHeaders {
  /// Ethernet II or 802.3 header and all VLAN tags (IEEE 802.3, 3.2). Gives the place
  /// behind the last ethertype; like all decoders here, nil where decoding ends.
  @inline(__always)
  mutating func decodeEthernet(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    start = cursor.offset
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 14, cursor.claimed >= 14 else {
      stop = cursor.shortage(of: 14, layer: .ethernet, in: bytes)
      return nil
    }
    destination = header.macAddress(0)
    source = header.macAddress(6)
    hasDestination = true
    hasSource = true
    etherType = header.uint16(12)
    let next = cursor.advanced(by: 14)
    networkOffset = next.offset
    return EtherType.isVLAN(etherType) ? decodeTags(bytes, next) : next
  }

  /// What follows the ethertype. Gives the place behind the transport header.
  @inline(__always)
  mutating func decodeNetwork(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    switch etherType {
    case EtherType.ipv4: return decodeIPv4(bytes, cursor)
    case EtherType.ipv6: return decodeIPv6(bytes, cursor)
    case EtherType.arp, EtherType.reverseARP: decodeARP(bytes, cursor)
    default: leaveNetwork(cursor)
    }
    return nil
  }

  /// Carries what is neither ARP nor IP. Where an 802.3 frame states its length, that is kept.
  private mutating func leaveNetwork(_ cursor: Cursor) {
    network = .other
    networkLength = UInt32(clamping: cursor.claimed)
    payloadOffset = cursor.offset
    stop = DecodeStop(
      reason: .unknownProtocol, layer: hasDestination ? .ethernet : .cooked, limit: .value, offset: start)
    // Values between 1501 and 1535 are neither a length nor an ethertype; a cooked header's
    // small values are Linux's own numbers, not lengths.
    guard hasDestination, etherType <= 1500 else { return }
    let length = Int(etherType)
    networkLength = UInt32(etherType)
    if length > cursor.claimed && !cursor.isPartial {
      stop = DecodeStop(
        reason: .malformed, layer: .ethernet, limit: cursor.limit, offset: start, need: UInt32(etherType),
        have: UInt32(clamping: cursor.claimed))
    }
  }
}
