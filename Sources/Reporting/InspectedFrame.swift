import Wire

/// What a capture file says of one frame, beside its bytes.
public struct InspectedFrame: Sendable {
  public enum Direction: Sendable { case unknown, inbound, outbound }
  /// From 1.
  public var number: UInt64
  /// Nanoseconds since 1970.
  public var time: Int64
  /// Name of the interface in files that name it.
  public var interface: String?
  public var direction: Direction
  /// LINKTYPE_ value.
  public var linkType: UInt16
  public var wireLength: Int
  public var capturedLength: Int

  public init(
    number: UInt64, time: Int64, interface: String?, direction: Direction, linkType: UInt16, wireLength: Int,
    capturedLength: Int
  ) {
    self.number = number
    self.time = time
    self.interface = interface
    self.direction = direction
    self.linkType = linkType
    self.wireLength = wireLength
    self.capturedLength = capturedLength
  }

  /// From the file, else from the packet type of a cooked header.
  func direction(_ link: LinkHeader) -> Direction {
    guard direction == .unknown, link.kind == .cookedV1 || link.kind == .cookedV2 else { return direction }
    return switch link.packetType {
    case .outgoing: .outbound
    case .none: .unknown
    default: .inbound
    }
  }
}

extension DecodeStop.Layer {
  /// As people call it.
  var spokenName: String {
    switch self {
    case .none: "frame"
    case .ethernet: "Ethernet"
    case .cooked: "Linux cooked header"
    case .vlan: "VLAN tag"
    case .arp: "ARP"
    case .ipv4: "IPv4"
    case .ipv6: "IPv6"
    case .ipv6Extension: "IPv6 extension header"
    case .udp: "UDP"
    case .tcp: "TCP"
    case .icmp: "ICMP"
    case .icmpv6: "ICMPv6"
    case .vxlan: "VXLAN"
    case .gre: "GRE"
    case .geneve: "Geneve"
    }
  }
}

extension LinkHeader.PacketType {
  /// As in linux/if_packet.h, without the prefix.
  var name: String? {
    switch self {
    case .toUs: "host"
    case .broadcast: "broadcast"
    case .multicast: "multicast"
    case .otherHost: "otherhost"
    case .outgoing: "outgoing"
    case .none: nil
    }
  }
}
