/// The link types that captures name (LINKTYPE_ values, https://www.tcpdump.org/linktypes.html).
public enum LinkType {
  public static let ethernet: UInt16 = 1
  public static let cookedV1: UInt16 = 113
  public static let cookedV2: UInt16 = 276

  /// Whether a type is known to be IP with no link header, or with one that names only the IP version.
  public static func isBareIP(_ type: UInt16) -> Bool {
    switch type {
    case 0, 12, 14, 101, 108, 228, 229: true
    default: false
    }
  }

  /// What people call a type; nil where lanecheck has no name for it.
  public static func name(_ type: UInt16) -> String? {
    switch type {
    case 0: "BSD loopback"
    case 1: "Ethernet"
    case 9, 50, 51: "PPP"
    case 10: "FDDI"
    case 12, 14, 101: "raw IP"
    case 105: "IEEE 802.11"
    case 108: "OpenBSD loopback"
    case 113: "Linux cooked v1"
    case 127: "IEEE 802.11 with radiotap"
    case 147...162: "a private link type"
    case 189, 220, 249: "USB"
    case 192: "PPI"
    case 201, 187: "Bluetooth"
    case 227: "CAN"
    case 228: "raw IPv4"
    case 229: "raw IPv6"
    case 239: "NFLOG"
    case 247: "InfiniBand"
    case 253: "netlink"
    case 276: "Linux cooked v2"
    default: nil
    }
  }
}

extension DecodedFrame {
  /// IP without addresses of a link: raw IP begins with its version; the loopback headers of the BSDs name the
  /// address family in four octets, in the byte order of the host that captured (0) or of the network (108).
  mutating func decodeBareIP(_ bytes: Span<UInt8>, _ cursor: Cursor, linkType: UInt16) -> Cursor? {
    link.kind = .bareIP
    let hasFamily = linkType == 0 || linkType == 108
    let length = hasFamily ? 4 : 0
    let header = bytes.extracting(droppingFirst: cursor.at)
    guard header.count > length, cursor.claimed > length else {
      outer.stop = cursor.shortage(of: length + 1, layer: .ipv4, in: bytes)
      return nil
    }
    let family = hasFamily ? header.uint32(0) : 0
    switch linkType {
    case 0: outer.etherType = DecodedFrame.etherType(family: family > 0xffff ? family.byteSwapped : family)
    case 108: outer.etherType = DecodedFrame.etherType(family: family)
    case 228: outer.etherType = EtherType.ipv4
    case 229: outer.etherType = EtherType.ipv6
    default:
      let version = header[0] >> 4
      outer.etherType = version == 4 ? EtherType.ipv4 : version == 6 ? EtherType.ipv6 : 0
    }
    let next = cursor.advanced(by: length)
    outer.networkOffset = next.offset
    guard outer.etherType == 0 else { return next }
    outer.network = .other
    outer.networkLength = UInt32(clamping: next.claimed)
    outer.payloadOffset = next.offset
    outer.stop = DecodeStop(reason: .unknownProtocol, limit: .value)
    return nil
  }

  /// AF_ values: 2 is IPv4 everywhere; IPv6 is 10 in Linux and 24, 28 or 30 in the BSDs.
  private static func etherType(family: UInt32) -> UInt16 {
    switch family {
    case 2: EtherType.ipv4
    case 10, 24, 28, 30: EtherType.ipv6
    default: 0
    }
  }
}
