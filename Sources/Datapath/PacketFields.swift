import OpenFlow
import Wire

/// Reading and writing a packet by field, as lib/meta-flow.c does.
extension Packet {
  func value(of field: Field) -> UInt128 {
    switch field {
    case .tunnelID: UInt128(tunnelID)
    case .tunnelSource: tunnelSource.family == .v4 ? UInt128(tunnelSource.low) : 0
    case .tunnelDestination: tunnelDestination.family == .v4 ? UInt128(tunnelDestination.low) : 0
    case .tunnelSource6: tunnelSource.family == .v6 ? tunnelSource.bits : 0
    case .tunnelDestination6: tunnelDestination.family == .v6 ? tunnelDestination.bits : 0
    case .tunnelFlags: UInt128(tunnelFlags)
    case .tunnelGBPID, .tunnelGBPFlags: 0
    case .inPort: UInt128(inPort)
    case .packetMark: UInt128(packetMark)
    case .connectionState: UInt128(connectionState)
    case .connectionZone: UInt128(connectionZone)
    case .connectionMark: UInt128(connectionMark)
    case .connectionLabel: connectionLabel
    case .connectionSource, .connectionDestination, .connectionSource6, .connectionDestination6,
      .connectionProtocol, .connectionTransportSource, .connectionTransportDestination:
      0
    case .conjunctionID: UInt128(conjunctionID)
    case .metadata: UInt128(metadata)
    case .reg0, .reg1, .reg2, .reg3, .reg4, .reg5, .reg6, .reg7, .reg8, .reg9, .reg10, .reg11, .reg12, .reg13,
      .reg14, .reg15:
      registers(field.rawValue &- Field.reg0.rawValue, width: 32)
    case .xreg0, .xreg1, .xreg2, .xreg3, .xreg4, .xreg5, .xreg6, .xreg7:
      registers((field.rawValue &- Field.xreg0.rawValue) &* 2, width: 64)
    case .xxreg0, .xxreg1, .xxreg2, .xxreg3: registers((field.rawValue &- Field.xxreg0.rawValue) &* 4, width: 128)
    case .ethernetSource: UInt128(source.rawValue)
    case .ethernetDestination: UInt128(destination.rawValue)
    case .etherType: UInt128(etherType)
    case .vlanTCI: UInt128(tag0.tci)
    case .vlanVID: UInt128(tag0.tci & 0x0fff)
    case .vlanPCP: UInt128(tag0.tci >> 13)
    case .innerVLANTCI: UInt128(tag1.tci)
    case .mplsLabel, .mplsTrafficClass, .mplsBottom, .mplsTTL: 0
    case .ipv4Source: isIPv4 || isARP ? networkSource : 0
    case .ipv4Destination: isIPv4 || isARP ? networkDestination : 0
    case .arpSenderAddress: isIPv4 || isARP ? networkSource : 0
    case .arpTargetAddress: isIPv4 || isARP ? networkDestination : 0
    case .ipv6Source: isIPv6 ? networkSource : 0
    case .ipv6Destination: isIPv6 ? networkDestination : 0
    case .ipv6FlowLabel: UInt128(flowLabel)
    case .ipProtocol, .arpOperation: UInt128(ipProtocol)
    case .ipTTL: UInt128(ttl)
    case .ipFragment: UInt128(fragment)
    case .ipTOS: UInt128(tos)
    case .arpSenderMAC, .neighborSourceMAC: UInt128(senderMAC)
    case .arpTargetMAC, .neighborTargetMAC: UInt128(targetMAC)
    case .transportSource, .icmpType: UInt128(transportSource)
    case .transportDestination, .icmpCode: UInt128(transportDestination)
    case .tcpFlags: UInt128(tcpFlags)
    case .neighborTarget: neighborTarget
    }
  }

  /// Whether the packet has the field, so that it can be written.
  func has(_ field: Field) -> Bool {
    switch field {
    case .vlanVID, .vlanPCP: isTagged
    case .ipv4Source, .ipv4Destination: isIPv4
    case .ipv6Source, .ipv6Destination, .ipv6FlowLabel: isIPv6
    case .ipProtocol, .ipTTL, .ipTOS, .ipFragment: isIP
    case .arpOperation, .arpSenderAddress, .arpTargetAddress, .arpSenderMAC, .arpTargetMAC: isARP
    case .transportSource, .transportDestination:
      isIP && (ipProtocol == 6 || ipProtocol == 17 || ipProtocol == 132) && fragment & 2 == 0
    case .tcpFlags: isIP && ipProtocol == 6
    case .icmpType, .icmpCode: (isIPv4 && ipProtocol == 1) || (isIPv6 && ipProtocol == 58)
    case .neighborTarget: isIPv6 && ipProtocol == 58 && (transportSource == 135 || transportSource == 136)
    case .neighborSourceMAC: isIPv6 && ipProtocol == 58 && transportSource == 135
    case .neighborTargetMAC: isIPv6 && ipProtocol == 58 && transportSource == 136
    case .mplsLabel, .mplsTrafficClass, .mplsBottom, .mplsTTL: etherType == 0x8847 || etherType == 0x8848
    default: true
    }
  }

  /// Writes the bits under `mask`, if the packet has the field.
  mutating func set(_ field: Field, _ value: UInt128, mask: UInt128) {
    guard has(field) else { return }
    let unknown = unknownBits(field) & ~mask
    let new = (self.value(of: field) & ~mask) | (value & mask)
    store(field, new)
    if field == .connectionState {
      unknownState = UInt32(truncatingIfNeeded: unknown)
    } else if unknown == 0 {
      markKnown(field)
    }
  }

  private mutating func store(_ field: Field, _ new: UInt128) {
    switch field {
    case .tunnelID: tunnelID = UInt64(truncatingIfNeeded: new)
    case .tunnelSource: tunnelSource = IPAddress(v4: UInt32(truncatingIfNeeded: new))
    case .tunnelDestination: tunnelDestination = IPAddress(v4: UInt32(truncatingIfNeeded: new))
    case .tunnelSource6: tunnelSource = IPAddress(v6: new)
    case .tunnelDestination6: tunnelDestination = IPAddress(v6: new)
    case .tunnelFlags: tunnelFlags = UInt16(truncatingIfNeeded: new)
    case .inPort: inPort = UInt32(truncatingIfNeeded: new)
    case .packetMark: packetMark = UInt32(truncatingIfNeeded: new)
    case .connectionState: connectionState = UInt32(truncatingIfNeeded: new)
    case .connectionZone: connectionZone = UInt16(truncatingIfNeeded: new)
    case .connectionMark: connectionMark = UInt32(truncatingIfNeeded: new)
    case .connectionLabel: connectionLabel = new
    case .conjunctionID: conjunctionID = UInt32(truncatingIfNeeded: new)
    case .metadata: metadata = UInt64(truncatingIfNeeded: new)
    case .reg0, .reg1, .reg2, .reg3, .reg4, .reg5, .reg6, .reg7, .reg8, .reg9, .reg10, .reg11, .reg12, .reg13,
      .reg14, .reg15:
      setRegisters(field.rawValue &- Field.reg0.rawValue, width: 32, new)
    case .xreg0, .xreg1, .xreg2, .xreg3, .xreg4, .xreg5, .xreg6, .xreg7:
      setRegisters((field.rawValue &- Field.xreg0.rawValue) &* 2, width: 64, new)
    case .xxreg0, .xxreg1, .xxreg2, .xxreg3:
      setRegisters((field.rawValue &- Field.xxreg0.rawValue) &* 4, width: 128, new)
    case .ethernetSource: source = MACAddress(rawValue: UInt64(truncatingIfNeeded: new))
    case .ethernetDestination: destination = MACAddress(rawValue: UInt64(truncatingIfNeeded: new))
    case .etherType: etherType = UInt16(truncatingIfNeeded: new)
    case .vlanTCI: setTCI(UInt16(truncatingIfNeeded: new))
    case .vlanVID: setTCI(tag0.tci & 0xf000 | UInt16(truncatingIfNeeded: new))
    case .vlanPCP: setTCI(tag0.tci & 0x1fff | UInt16(truncatingIfNeeded: new) << 13)
    case .ipv4Source, .arpSenderAddress, .ipv6Source: networkSource = new
    case .ipv4Destination, .arpTargetAddress, .ipv6Destination: networkDestination = new
    case .ipv6FlowLabel: flowLabel = UInt32(truncatingIfNeeded: new)
    case .ipProtocol, .arpOperation: ipProtocol = UInt8(truncatingIfNeeded: new)
    case .ipTTL: ttl = UInt8(truncatingIfNeeded: new)
    case .ipFragment: fragment = UInt8(truncatingIfNeeded: new)
    case .ipTOS: tos = UInt8(truncatingIfNeeded: new)
    case .arpSenderMAC, .neighborSourceMAC: senderMAC = UInt64(truncatingIfNeeded: new)
    case .arpTargetMAC, .neighborTargetMAC: targetMAC = UInt64(truncatingIfNeeded: new)
    case .transportSource, .icmpType: transportSource = UInt16(truncatingIfNeeded: new)
    case .transportDestination, .icmpCode: transportDestination = UInt16(truncatingIfNeeded: new)
    case .tcpFlags: tcpFlags = UInt16(truncatingIfNeeded: new)
    case .neighborTarget: neighborTarget = new
    case .innerVLANTCI, .mplsLabel, .mplsTrafficClass, .mplsBottom, .mplsTTL, .tunnelGBPID, .tunnelGBPFlags,
      .connectionSource, .connectionDestination, .connectionSource6, .connectionDestination6,
      .connectionProtocol, .connectionTransportSource, .connectionTransportDestination:
      break
    }
  }

  /// The outer slot's TCI. Without the "present" bit the frame counts as untagged, whatever the second
  /// slot holds: Open vSwitch then pops every tag (`commit_vlan_action`).
  mutating func setTCI(_ tci: UInt16) {
    tag0.tci = tci
    if tag0.tpid == 0, tci != 0 { tag0.tpid = 0x8100 }
  }

  /// Fields that lanecheck reads as zero because it does not decode them.
  static func isModelled(_ field: Field) -> Bool {
    switch field {
    case .tunnelGBPID, .tunnelGBPFlags, .mplsLabel, .mplsTrafficClass, .mplsBottom, .mplsTTL, .connectionSource,
      .connectionDestination, .connectionSource6, .connectionDestination6, .connectionProtocol,
      .connectionTransportSource, .connectionTransportDestination, .ipv6FlowLabel:
      false
    default: true
    }
  }

  private func registers(_ first: UInt8, width: UInt8) -> UInt128 {
    let four: UInt128 =
      switch first >> 2 {
      case 0: registers0
      case 1: registers1
      case 2: registers2
      default: registers3
      }
    let shift = 128 &- UInt128(width) &- UInt128(first & 3) &* 32
    return four >> shift & bitMask(width: width)
  }

  private mutating func setRegisters(_ first: UInt8, width: UInt8, _ new: UInt128) {
    let shift = 128 &- UInt128(width) &- UInt128(first & 3) &* 32
    let mask = bitMask(width: width) << shift
    let bits = (new & bitMask(width: width)) << shift
    switch first >> 2 {
    case 0: registers0 = registers0 & ~mask | bits
    case 1: registers1 = registers1 & ~mask | bits
    case 2: registers2 = registers2 & ~mask | bits
    default: registers3 = registers3 & ~mask | bits
    }
  }

  func value(of part: Subfield) -> UInt128 {
    value(of: part.field) >> UInt128(part.offset) & bitMask(width: part.width)
  }

  mutating func set(_ part: Subfield, _ value: UInt128) {
    set(part.field, value << UInt128(part.offset), mask: part.mask)
  }

  /// The frame alone, without what was noted beside it on its way.
  var bare: Packet {
    var copy = self
    copy.enterBridge(port: 0)
    copy.packetMark = 0
    copy.unknownFields &= Packet.frameFields
    copy.vlanFlow = .none
    // Slots that hold no tag are not part of the frame.
    if !isTagged {
      copy.tag0 = VLANTag(tpid: 0, tci: 0)
      copy.tag1 = copy.tag0
    } else if tag1.tci & Packet.present == 0 {
      copy.tag1 = VLANTag(tpid: 0, tci: 0)
    }
    return copy
  }

  /// Fields of the frame itself.
  private static let frameFields: UInt128 = Field.allCases.filter { $0 >= .ethernetSource }
    .reduce(0) { $0 | UInt128(1) << UInt128($1.rawValue) }

  /// Crossing a patch port: the next bridge sees the frame and nothing of what was noted beside it.
  mutating func enterBridge(port: UInt32) {
    inPort = port
    metadata = 0
    tunnelID = 0
    tunnelSource = .none
    tunnelDestination = .none
    tunnelFlags = 0
    registers0 = 0
    registers1 = 0
    registers2 = 0
    registers3 = 0
    conjunctionID = 0
    connectionState = 0
    connectionZone = 0
    connectionMark = 0
    connectionLabel = 0
    unknownState = 0
    for field in [Field.connectionMark, .connectionLabel, .connectionZone, .tunnelID, .metadata] { markKnown(field) }
    tunnelIDFlow = .none
  }
}

extension IPAddress {
  init(v6 bits: UInt128) {
    self.init(v6High: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
  }

  var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }
}
