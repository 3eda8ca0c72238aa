/// Where decoding ended, and why. Cut by the capture and malformed on the wire are different
/// outcomes: the first says that the capture holds too little, the second that a header claims
/// what the frame does not have.
public struct DecodeStop: Hashable, Sendable, BitwiseCopyable {
  public enum Reason: UInt8, Sendable, BitwiseCopyable {
    /// Everything that lanecheck decodes was there.
    case complete
    /// A later header begins or ends behind the captured bytes (snap length).
    case cutByCapture
    /// A header contradicts the frame that carries it, or itself.
    case malformed
    /// A protocol that lanecheck does not decode further; carried, not judged.
    case unknownProtocol
  }

  public enum Layer: UInt8, Sendable, BitwiseCopyable {
    case none, ethernet, cooked, vlan, arp, ipv4, ipv6, ipv6Extension, udp, tcp, icmp, icmpv6, vxlan, gre, geneve
  }

  /// Which length set the limit.
  public enum Limit: UInt8, Sendable, BitwiseCopyable {
    case captured, wire, ipv4TotalLength, ipv6PayloadLength, udpLength, headerLength, value
  }

  /// Offset of the layer in the captured bytes.
  public var offset: UInt32
  /// Bytes that the layer needs, and bytes that it has.
  public var need: UInt32
  public var have: UInt32
  public var reason: Reason
  public var layer: Layer
  public var limit: Limit

  public init(
    reason: Reason, layer: Layer = .none, limit: Limit = .captured, offset: UInt32 = 0, need: UInt32 = 0,
    have: UInt32 = 0
  ) {
    self.reason = reason
    self.layer = layer
    self.limit = limit
    self.offset = offset
    self.need = need
    self.have = have
  }
}

/// What the capture's link layer said about a frame.
public struct LinkHeader: Hashable, Sendable, BitwiseCopyable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    case ethernet, cookedV1, cookedV2
    /// IP with no addresses of a link (raw IP, loopback headers of the BSDs).
    case bareIP
    case unsupported
  }
  /// Packet type of Linux cooked captures (`sll_pkttype`; linux/if_packet.h); `none` elsewhere.
  public enum PacketType: UInt8, Sendable, BitwiseCopyable {
    case toUs = 0, broadcast = 1, multicast = 2, otherHost = 3, outgoing = 4, none = 255
  }
  /// Interface index of cooked v2 captures; 0 elsewhere.
  public var interfaceIndex: UInt32 = 0
  /// ARPHRD_ type of cooked captures.
  public var hardwareType: UInt16 = 0
  public var kind: Kind = .ethernet
  public var packetType: PacketType = .none

  public init() {}
}

/// The headers of one Ethernet frame, from its MAC addresses to its transport header.
/// Offsets count from the first captured byte. Values are in host byte order.
public struct FrameHeaders: Hashable, Sendable, BitwiseCopyable {
  public enum Network: UInt8, Sendable, BitwiseCopyable { case none, arp, ipv4, ipv6, other }
  public enum Transport: UInt8, Sendable, BitwiseCopyable { case none, udp, tcp, icmp, icmpv6, gre, other }

  // Ordered by size, and bytes behind what leaves a gap: a struct of zeros without padding is
  // reset by a few wide stores, and resetting is a good part of what decoding a frame costs.

  public var destination = MACAddress.zero
  public var source = MACAddress.zero
  public var arpSenderMAC = MACAddress.zero
  public var arpTargetMAC = MACAddress.zero

  /// Where the frame begins (its destination MAC; for a cooked capture, the cooked header).
  public var start: UInt32 = 0
  /// First byte behind the ethertype: the network header.
  public var networkOffset: UInt32 = 0
  /// Bytes that the network packet claims to have by its own length field (ARP: 28; unknown
  /// ethertypes: all that the frame had on the wire). Padding is not part of it. May be more than captured.
  public var networkLength: UInt32 = 0
  /// IPv4 identification, or that of the IPv6 fragment header.
  public var identification: UInt32 = 0
  /// In bytes.
  public var fragmentOffset: UInt32 = 0
  /// Offset of the transport header; 0 where there is none (later fragments).
  public var transportOffset: UInt32 = 0
  /// First byte behind the transport header; in later fragments, behind the IP headers. Never behind the
  /// captured bytes.
  public var payloadOffset: UInt32 = 0
  public var tcpSequence: UInt32 = 0
  public var tcpAcknowledgment: UInt32 = 0

  public var stop = DecodeStop(reason: .complete)
  /// False in cooked captures, which do not record the destination, and where there is no link.
  public var hasDestination = false

  /// The ethertype after all tags; for 802.3 frames with LLC the length field (below 0x0600).
  public var etherType: UInt16 = 0
  public var arpOperation: UInt16 = 0
  public var sourcePort: UInt16 = 0
  public var destinationPort: UInt16 = 0
  public var udpLength: UInt16 = 0
  /// Echo identifier and sequence; 0 for other types.
  public var icmpIdentifier: UInt16 = 0
  public var icmpSequence: UInt16 = 0

  public var tags = VLANTags()
  /// False where a cooked header holds no 6-byte address, and where there is no link.
  public var hasSource = false
  public var network = Network.none
  public var transport = Transport.none
  public var isFragment = false
  public var moreFragments = false

  /// IPv4/IPv6 source and destination; for ARP the sender's and target's protocol addresses.
  public var sourceAddress = IPAddress.none
  public var dontFragment = false
  public var trafficClass: UInt8 = 0
  public var hopLimit: UInt8 = 0
  /// Protocol of the payload, after IPv6 extension headers.
  public var ipProtocol: UInt8 = 0
  public var tcpFlags: UInt8 = 0
  public var icmpType: UInt8 = 0
  public var icmpCode: UInt8 = 0
  public var destinationAddress = IPAddress.none
  /// Target address of neighbour solicitations and advertisements (RFC 4861, 4.3 and 4.4).
  public var neighborTarget = IPAddress.none

  public init() {}
}

/// The overlay header between an outer and an inner frame.
public struct TunnelHeader: Hashable, Sendable, BitwiseCopyable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable { case none, vxlan, gre, geneve }
  /// VNI (24 bits) or GRE key (32 bits).
  public var id: UInt32 = 0
  /// VXLAN: both reserved fields, 24 bits then 8 bits. Other kinds: 0.
  public var reserved: UInt32 = 0
  public var offset: UInt32 = 0
  public var length: UInt32 = 0
  /// Flag octet of VXLAN, the first 16 bits of GRE, the second octet of Geneve: as on the wire.
  public var flags: UInt16 = 0
  /// Protocol type of GRE and Geneve (0x6558: transparent Ethernet bridging); 0 for VXLAN.
  public var protocolType: UInt16 = 0
  public var kind = Kind.none
  /// VXLAN: the I flag. GRE: the K bit. Geneve: always true.
  public var hasID = false

  public init() {}
}

/// A frame of a capture, decoded: its own headers and, where it carries an overlay frame that the
/// caller asked to open, the tunnel header and the inner frame's headers.
public struct DecodedFrame: Sendable, BitwiseCopyable {
  public var link = LinkHeader()
  public var outer = FrameHeaders()
  public var tunnel = TunnelHeader()
  public var hasInner = false
  /// Valid where `tunnel.kind` is not `none`; without `hasInner`, only its `stop`.
  public var inner = FrameHeaders()

  public init() {}
}

/// Which UDP destination ports carry VXLAN and Geneve; GRE is known by its protocol number.
public struct TunnelPorts: Sendable, BitwiseCopyable {
  public var vxlan0: UInt16 = 4789
  public var vxlan1: UInt16 = 0
  public var vxlan2: UInt16 = 0
  public var vxlan3: UInt16 = 0
  public var geneve: UInt16 = 6081
  public var gre = true

  public init() {}

  /// VXLAN on 4789 and on the older Linux default 8472.
  public static var common: TunnelPorts {
    var ports = TunnelPorts()
    ports.vxlan1 = 8472
    return ports
  }
}
