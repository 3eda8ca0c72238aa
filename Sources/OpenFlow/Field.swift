/// A header, metadata or register field of Open vSwitch's flow structure (ovs-fields(7)), in one
/// spelling: fields that share storage in Open vSwitch share a case here (`tcp_src` and `udp_src` are
/// `transportSource`, `icmp_type` and `icmpv6_type` are `icmpType`).
public enum Field: UInt8, Hashable, Comparable, Sendable, BitwiseCopyable, CaseIterable {
  case tunnelID, tunnelSource, tunnelDestination, tunnelSource6, tunnelDestination6
  case tunnelFlags, tunnelGBPID, tunnelGBPFlags
  /// OpenFlow port number, 32 bits (`NXM_OF_IN_PORT` is its low half).
  case inPort
  case packetMark, connectionState, connectionZone, connectionMark, connectionLabel
  case connectionSource, connectionDestination, connectionSource6, connectionDestination6
  case connectionProtocol, connectionTransportSource, connectionTransportDestination
  case conjunctionID
  case metadata
  case reg0, reg1, reg2, reg3, reg4, reg5, reg6, reg7, reg8, reg9, reg10, reg11, reg12, reg13, reg14, reg15
  /// Pairs of registers, the even one in the upper half.
  case xreg0, xreg1, xreg2, xreg3, xreg4, xreg5, xreg6, xreg7
  /// Quadruples of registers.
  case xxreg0, xxreg1, xxreg2, xxreg3
  case ethernetSource, ethernetDestination, etherType
  /// The whole TCI of the outermost tag; bit 12 says "there is a tag". Matches on any VLAN field are in
  /// this one.
  case vlanTCI
  /// The VID alone, as the target or source of actions. Writing it does nothing to an untagged frame.
  case vlanVID
  /// The priority alone, as the target or source of actions.
  case vlanPCP
  /// The TCI of the second tag.
  case innerVLANTCI
  case mplsLabel, mplsTrafficClass, mplsBottom, mplsTTL
  case ipv4Source, ipv4Destination, ipv6Source, ipv6Destination, ipv6FlowLabel
  case ipProtocol, ipTTL
  /// Bit 0: any fragment; bit 1: a later fragment.
  case ipFragment
  /// The whole octet: DSCP in the upper six bits, ECN in the lower two.
  case ipTOS
  case arpOperation, arpSenderAddress, arpTargetAddress, arpSenderMAC, arpTargetMAC
  case transportSource, transportDestination, tcpFlags
  case icmpType, icmpCode
  case neighborTarget, neighborSourceMAC, neighborTargetMAC

  public static func < (a: Field, b: Field) -> Bool { a.rawValue < b.rawValue }

  /// Bits of the field.
  public var width: UInt8 {
    switch self {
    case .tunnelID, .metadata, .xreg0, .xreg1, .xreg2, .xreg3, .xreg4, .xreg5, .xreg6, .xreg7: 64
    case .tunnelSource6, .tunnelDestination6, .connectionLabel, .connectionSource6, .connectionDestination6,
      .xxreg0, .xxreg1, .xxreg2, .xxreg3, .ipv6Source, .ipv6Destination, .neighborTarget:
      128
    case .ethernetSource, .ethernetDestination, .arpSenderMAC, .arpTargetMAC, .neighborSourceMAC,
      .neighborTargetMAC:
      48
    case .tunnelFlags, .tunnelGBPID, .connectionZone, .etherType, .vlanTCI, .innerVLANTCI, .arpOperation,
      .transportSource, .transportDestination, .connectionTransportSource, .connectionTransportDestination:
      16
    case .vlanVID, .tcpFlags: 12
    case .vlanPCP, .mplsTrafficClass: 3
    case .mplsBottom: 1
    case .mplsLabel, .ipv6FlowLabel: 20
    case .tunnelGBPFlags, .connectionProtocol, .mplsTTL, .ipProtocol, .ipTTL, .ipTOS, .icmpType, .icmpCode: 8
    case .ipFragment: 2
    default: 32
    }
  }

  /// All bits of the field.
  public var allBits: UInt128 { bitMask(width: width) }

  /// `reg0` and on; nothing above 15.
  public static func register(_ index: UInt8) -> Field? {
    index < 16 ? Field(rawValue: Field.reg0.rawValue + index) : nil
  }
}

/// `width` ones in the low bits.
@inlinable
public func bitMask(width: UInt8) -> UInt128 { width >= 128 ? .max : (UInt128(1) << UInt128(width)) - 1 }

/// A run of bits of a field: `NXM_OF_VLAN_TCI[0..11]`.
public struct Subfield: Hashable, Sendable, BitwiseCopyable {
  public var field: Field
  /// The lowest bit, counted from the least significant.
  public var offset: UInt8
  /// Bits; at least one.
  public var width: UInt8

  /// The whole field.
  public init(_ field: Field) {
    self.field = field
    offset = 0
    width = field.width
  }

  public init(_ field: Field, offset: UInt8, width: UInt8) {
    self.field = field
    self.offset = offset
    self.width = width
  }

  /// The bits in the field's own position.
  public var mask: UInt128 { bitMask(width: width) << UInt128(offset) }

  public var isWhole: Bool { offset == 0 && width == field.width }
}
