extension DecodedFrame {
  /// Linux cooked capture, version 1 (LINKTYPE_LINUX_SLL): packet type, ARPHRD_ type, address
  /// length, address, protocol. 16 bytes.
  mutating func decodeCookedV1(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    link.kind = .cookedV1
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 16, cursor.claimed >= 16 else {
      outer.stop = cursor.shortage(of: 16, layer: .cooked, in: bytes)
      return nil
    }
    let type = header.uint16(0)
    link.packetType = LinkHeader.PacketType(rawValue: UInt8(clamping: type)) ?? .none
    link.hardwareType = header.uint16(2)
    outer.hasSource = header.uint16(4) == 6
    outer.source = outer.hasSource ? header.macAddress(6) : .zero
    outer.etherType = header.uint16(14)
    return leaveCookedHeader(length: 16, bytes, cursor)
  }

  /// Linux cooked capture, version 2 (LINKTYPE_LINUX_SLL2): protocol, reserved, interface index,
  /// ARPHRD_ type, packet type, address length, address. 20 bytes.
  mutating func decodeCookedV2(_ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    link.kind = .cookedV2
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count >= 20, cursor.claimed >= 20 else {
      outer.stop = cursor.shortage(of: 20, layer: .cooked, in: bytes)
      return nil
    }
    outer.etherType = header.uint16(0)
    link.interfaceIndex = header.uint32(4)
    link.hardwareType = header.uint16(8)
    link.packetType = LinkHeader.PacketType(rawValue: header[10]) ?? .none
    outer.hasSource = header[11] == 6
    outer.source = outer.hasSource ? header.macAddress(12) : .zero
    return leaveCookedHeader(length: 20, bytes, cursor)
  }

  private mutating func leaveCookedHeader(length: Int, _ bytes: Span<UInt8>, _ cursor: Cursor) -> Cursor? {
    let next = cursor.advanced(by: length)
    outer.networkOffset = next.offset
    return outer.decodeTags(bytes, next)
  }
}
