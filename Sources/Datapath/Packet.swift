import OpenFlow
import Wire

/// A frame on its way through the tables, with its metadata: Open vSwitch's `struct flow` (include/openvswitch/
/// flow.h). A plain value; copies are independent.
public struct Packet: Hashable, Sendable, BitwiseCopyable {
  public var inPort: UInt32 = 0
  public var source = MACAddress.zero
  public var destination = MACAddress.zero
  /// The ethertype behind the tags that Open vSwitch parses (0x05ff for 802.3 with LLC).
  public var etherType: UInt16 = 0x05ff
  /// The two tags that Open vSwitch can hold. A slot holds a tag where bit 12 of its TCI is set.
  var tag0 = VLANTag(tpid: 0, tci: 0)
  var tag1 = VLANTag(tpid: 0, tci: 0)
  /// Tags behind those, which are payload to the switch.
  var deeperTags = VLANTags()

  /// IPv4 and IPv6 addresses; sender's and target's protocol addresses of ARP.
  var networkSource: UInt128 = 0
  var networkDestination: UInt128 = 0
  /// IP protocol, or ARP operation.
  var ipProtocol: UInt8 = 0
  var ttl: UInt8 = 0
  var tos: UInt8 = 0
  var fragment: UInt8 = 0
  var flowLabel: UInt32 = 0
  /// Ports; ICMP type and code.
  var transportSource: UInt16 = 0
  var transportDestination: UInt16 = 0
  var tcpFlags: UInt16 = 0
  /// ARP hardware addresses; link-layer addresses of neighbour discovery.
  var senderMAC: UInt64 = 0
  var targetMAC: UInt64 = 0
  var neighborTarget: UInt128 = 0

  public var tunnelID: UInt64 = 0
  public var tunnelSource = IPAddress.none
  public var tunnelDestination = IPAddress.none
  var tunnelFlags: UInt16 = 0
  public var metadata: UInt64 = 0
  /// reg0 to reg3 are `registers0`, reg0 uppermost, and so on.
  var registers0: UInt128 = 0
  var registers1: UInt128 = 0
  var registers2: UInt128 = 0
  var registers3: UInt128 = 0
  var packetMark: UInt32 = 0
  var conjunctionID: UInt32 = 0
  var connectionState: UInt32 = 0
  var connectionZone: UInt16 = 0
  var connectionMark: UInt32 = 0
  var connectionLabel: UInt128 = 0

  /// Length in bytes without the checksum; 0: not known.
  public var length: UInt32 = 0

  /// Bit n: the field with raw value n is not known.
  var unknownFields: UInt128 = 0
  /// Bits of the connection state that are not known.
  var unknownState: UInt32 = 0
  /// Something that lanecheck does not follow happened to it: what becomes of it is uncertain.
  var isUncertain = false

  /// The flows that last wrote the tunnel ID and the tag; -1: none.
  var tunnelIDFlow = FlowIndex.none
  var vlanFlow = FlowIndex.none

  public init() {}

  static let present: UInt16 = 0x1000

  /// Whether the outermost tag is there.
  public var isTagged: Bool { tag0.tci & Packet.present != 0 }
  /// VID of the outermost tag; nil where there is none.
  public var vlanID: UInt16? { isTagged ? tag0.vid : nil }

  /// Tags as they would be on the wire, outermost first.
  public var tags: VLANTags {
    var result = VLANTags()
    for slot in [tag0, tag1] {
      guard slot.tci & Packet.present != 0 else { break }
      result.append(VLANTag(tpid: slot.tpid, tci: slot.tci & ~Packet.present))
    }
    for index in 0..<deeperTags.held { result.append(deeperTags[index]) }
    return result
  }

  public mutating func pushTag(tpid: UInt16, vid: UInt16) {
    tag1 = tag0
    tag0 = VLANTag(tpid: tpid, tci: Packet.present | (vid & 0x0fff))
  }

  public mutating func popTag() {
    guard isTagged else { return }
    tag0 = tag1.tci & Packet.present != 0 ? tag1 : VLANTag(tpid: 0, tci: 0)
    tag1 = VLANTag(tpid: 0, tci: 0)
  }

  mutating func markUnknown(_ field: Field) { unknownFields |= UInt128(1) << UInt128(field.rawValue) }
  mutating func markKnown(_ field: Field) { unknownFields &= ~(UInt128(1) << UInt128(field.rawValue)) }

  /// What of the field's bits is not known.
  func unknownBits(_ field: Field) -> UInt128 {
    if field == .connectionState { return UInt128(unknownState) }
    return unknownFields >> UInt128(field.rawValue) & 1 == 0 ? 0 : field.allBits
  }

  var hasUnknowns: Bool { unknownFields != 0 || unknownState != 0 }

  var isIPv4: Bool { etherType == 0x0800 }
  var isIPv6: Bool { etherType == 0x86dd }
  var isIP: Bool { isIPv4 || isIPv6 }
  var isARP: Bool { etherType == 0x0806 || etherType == 0x8035 }
}

/// A flow of a host: bridge and place in its table of flows.
struct FlowIndex: Hashable, Sendable, BitwiseCopyable {
  var bridge: Int32
  var flow: Int32
  static let none = FlowIndex(bridge: -1, flow: -1)
}

extension Packet {
  /// A frame as Open vSwitch's parser sees it.
  /// - Parameters:
  ///   - headers: the frame's own headers; of an overlay frame the inner ones.
  ///   - length: on the wire; 0 where not known.
  ///   - vlanLimit: tags that the parser reads (`other_config:vlan-limit`, 1 by default; at most 2).
  public init(_ headers: FrameHeaders, length: UInt32 = 0, vlanLimit: Int = 1) {
    self.length = length
    source = headers.source
    destination = headers.destination
    if !headers.hasSource { markUnknown(.ethernetSource) }
    if !headers.hasDestination { markUnknown(.ethernetDestination) }
    setTags(headers.tags, limit: vlanLimit)
    if headers.tags.held > min(vlanLimit, 2) {
      etherType = headers.tags[min(vlanLimit, 2)].tpid
      return
    }
    etherType = headers.etherType < 0x0600 ? 0x05ff : headers.etherType
    setNetwork(headers)
  }

  private mutating func setTags(_ tags: VLANTags, limit: Int) {
    for index in 0..<tags.held {
      let tag = tags[index]
      let held = VLANTag(tpid: tag.tpid, tci: tag.tci | Packet.present)
      if index >= min(limit, 2) {
        deeperTags.append(tag)
      } else if index == 0 {
        tag0 = held
      } else {
        tag1 = held
      }
    }
  }

  private mutating func setNetwork(_ headers: FrameHeaders) {
    networkSource = UInt128(headers.sourceAddress.high) << 64 | UInt128(headers.sourceAddress.low)
    networkDestination = UInt128(headers.destinationAddress.high) << 64 | UInt128(headers.destinationAddress.low)
    let isCut = headers.stop.reason == .cutByCapture
    if isARP {
      ipProtocol = headers.arpOperation < 256 ? UInt8(headers.arpOperation) : 0
      senderMAC = headers.arpSenderMAC.rawValue
      targetMAC = headers.arpTargetMAC.rawValue
      if isCut, headers.network != .arp {
        for field in [Field.arpOperation, .arpSenderAddress, .arpTargetAddress, .arpSenderMAC, .arpTargetMAC] {
          markUnknown(field)
        }
      }
      return
    }
    guard isIP else { return }
    ipProtocol = headers.ipProtocol
    ttl = headers.hopLimit
    tos = headers.trafficClass
    if headers.isFragment { fragment = headers.fragmentOffset > 0 ? 3 : 1 }
    if isCut, headers.transport == .none, !headers.isFragment {
      for field in [Field.transportSource, .transportDestination, .tcpFlags, .icmpType, .icmpCode, .neighborTarget] {
        markUnknown(field)
      }
      return
    }
    // Fragments have no ports by default (`frags=normal`, ovs-ofctl(8)).
    if headers.isFragment { return }
    // SCTP's are not decoded.
    if ipProtocol == 132 {
      markUnknown(.transportSource)
      markUnknown(.transportDestination)
    }
    switch headers.transport {
    case .icmp, .icmpv6:
      transportSource = UInt16(headers.icmpType)
      transportDestination = UInt16(headers.icmpCode)
      let target = headers.neighborTarget
      neighborTarget = UInt128(target.high) << 64 | UInt128(target.low)
      if headers.icmpType == 135 { markUnknown(.neighborSourceMAC) }
      if headers.icmpType == 136 { markUnknown(.neighborTargetMAC) }
    default:
      transportSource = headers.sourcePort
      transportDestination = headers.destinationPort
      tcpFlags = UInt16(headers.tcpFlags)
    }
  }
}
