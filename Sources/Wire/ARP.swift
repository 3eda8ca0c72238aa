extension FrameHeaders {
  /// ARP and RARP (RFC 826, RFC 903). Addresses are read for Ethernet and IPv4; of other kinds
  /// the operation and the length are kept.
  mutating func decodeARP(_ bytes: Span<UInt8>, _ cursor: Cursor) {
    let fixed = bytes.extracting(droppingFirst: cursor.at)
    guard fixed.count >= 8, cursor.claimed >= 8 else {
      stop = cursor.shortage(of: 8, layer: .arp, in: bytes)
      return
    }
    let addressLengths = (hardware: Int(fixed[4]), network: Int(fixed[5]))
    let length = 8 &+ 2 &* (addressLengths.hardware &+ addressLengths.network)
    network = .arp
    networkLength = UInt32(truncatingIfNeeded: length)
    arpOperation = fixed.uint16(6)
    guard cursor.has(length, in: bytes) else {
      stop = cursor.shortage(of: length, layer: .arp, in: bytes)
      return
    }
    guard addressLengths == (6, 4), fixed.uint16(2) == EtherType.ipv4 else {
      stop = DecodeStop(reason: .unknownProtocol, layer: .arp, limit: .value, offset: cursor.offset)
      return
    }
    let packet = bytes.extracting(cursor.at..<cursor.at &+ 28)
    arpSenderMAC = packet.macAddress(8)
    sourceAddress = IPAddress(v4: packet.uint32(14))
    arpTargetMAC = packet.macAddress(18)
    destinationAddress = IPAddress(v4: packet.uint32(24))
  }
}
