import Wire

/// Writes one line per frame: number, time, interface, the overlay around it, then the inner frame.
public struct InspectText {
  private var out = TextBuffer(capacity: 1 << 17)
  private let unicode: Bool
  private var day = Int64.min

  public init(unicode: Bool = true) { self.unicode = unicode }

  public var count: Int { out.count }
  public var bytes: [UInt8] { out.bytes }

  public mutating func removeAll() { out.removeAll() }

  public mutating func append(_ frame: DecodedFrame, _ info: InspectedFrame) {
    let time = Timestamp(nanoseconds: info.time)
    if info.time / 86_400_000_000_000 != day {
      day = info.time / 86_400_000_000_000
      out.append("-- ")
      out.append(date: time)
      out.append(" UTC\n")
    }
    out.append(decimal: info.number, width: 6, fill: UInt8(ascii: " "))
    out.append(" ")
    out.append(clock: time)
    if let interface = info.interface {
      out.append(" ")
      out.append(terminalText(interface, unicode: unicode))
    }
    if frame.link.kind == .cookedV2 {
      out.append(" if")
      out.append(decimal: frame.link.interfaceIndex)
    }
    switch info.direction(frame.link) {
    case .unknown: break
    case .inbound: out.append(" in")
    case .outbound: out.append(" out")
    }
    out.append("  ")
    switch (frame.link.kind, frame.tunnel.kind) {
    case (.unsupported, _):
      out.append("link type ")
      out.append(decimal: info.linkType)
      if let name = LinkType.name(info.linkType) { out.append(" (\(name))") }
    case (_, .none):
      appendFrame(frame.outer)
    default:
      appendEncapsulation(frame)
    }
    out.append(", length ")
    out.append(decimal: info.wireLength)
    if info.capturedLength < info.wireLength {
      out.append(" (")
      out.append(decimal: info.capturedLength)
      out.append(" captured)")
    }
    appendStop(frame.outer.stop)
    if frame.tunnel.kind != .none { appendStop(frame.inner.stop) }
    out.appendNewline()
  }

  private mutating func appendEncapsulation(_ frame: DecodedFrame) {
    appendTags(frame.outer.tags)
    out.append(address: frame.outer.sourceAddress)
    out.append(" > ")
    out.append(address: frame.outer.destinationAddress)
    let tunnel = frame.tunnel
    switch tunnel.kind {
    case .none: break
    case .vxlan:
      out.append(" VXLAN ")
      if frame.outer.destinationPort != 4789 {
        out.append("port ")
        out.append(decimal: frame.outer.destinationPort)
        out.append(" ")
      }
      out.append("vni ")
      appendID(tunnel.id)
      if !tunnel.hasID { out.append(" (I flag clear)") }
    case .gre:
      out.append(" GRE ")
      if tunnel.hasID {
        out.append("key ")
        appendID(tunnel.id)
      } else {
        out.append("without key")
      }
    case .geneve:
      out.append(" Geneve vni ")
      appendID(tunnel.id)
    }
    out.append(unicode ? " │ " : " | ")
    if frame.hasInner { appendFrame(frame.inner) } else { out.append("no inner frame") }
  }

  private mutating func appendID(_ id: UInt32) {
    out.append(decimal: id)
    out.append(" (")
    out.append(hex: UInt64(id))
    out.append(")")
  }

  private mutating func appendTags(_ tags: VLANTags) {
    for index in 0..<tags.held {
      let tag = tags[index]
      out.append("vlan ")
      out.append(decimal: tag.vid)
      if tag.priority != 0 {
        out.append(" p ")
        out.append(decimal: tag.priority)
      }
      if tag.tpid != EtherType.vlan {
        out.append(" ")
        out.append(hex: UInt64(tag.tpid))
      }
      out.append(", ")
    }
    if Int(tags.count) > tags.held {
      out.append(decimal: Int(tags.count) - tags.held)
      out.append(" more tags, ")
    }
  }

  private mutating func appendFrame(_ headers: FrameHeaders) {
    if headers.hasSource { out.append(mac: headers.source) } else { out.append("?") }
    if headers.hasDestination {
      out.append(" > ")
      out.append(mac: headers.destination)
    }
    out.append(" ")
    appendTags(headers.tags)
    switch headers.network {
    case .none:
      if headers.stop.layer == .none || headers.etherType != 0 { appendEtherType(headers.etherType) }
    case .other: appendEtherType(headers.etherType)
    case .arp: appendARP(headers)
    case .ipv4, .ipv6: appendIP(headers)
    }
  }

  private mutating func appendEtherType(_ type: UInt16) {
    if type < EtherType.least {
      out.append("802.3 length ")
      out.append(decimal: type)
    } else {
      out.append("ethertype ")
      out.append(hex: UInt64(type), digits: 4)
    }
  }

  private mutating func appendARP(_ headers: FrameHeaders) {
    out.append(headers.etherType == EtherType.reverseARP ? "RARP " : "ARP ")
    switch headers.arpOperation {
    case 1 where headers.sourceAddress.family != .none:
      out.append("who-has ")
      out.append(address: headers.destinationAddress)
      out.append(" tell ")
      out.append(address: headers.sourceAddress)
    case 2 where headers.sourceAddress.family != .none:
      out.append(address: headers.sourceAddress)
      out.append(" is-at ")
      out.append(mac: headers.arpSenderMAC)
    default:
      out.append("operation ")
      out.append(decimal: headers.arpOperation)
    }
  }

  private mutating func appendIP(_ headers: FrameHeaders) {
    let hasPorts = headers.transport == .udp || headers.transport == .tcp
    out.append(address: headers.sourceAddress)
    if hasPorts {
      out.append(".")
      out.append(decimal: headers.sourcePort)
    }
    out.append(" > ")
    out.append(address: headers.destinationAddress)
    if hasPorts {
      out.append(".")
      out.append(decimal: headers.destinationPort)
    }
    out.append(" ")
    switch headers.transport {
    case .udp: out.append("UDP")
    case .tcp: appendTCP(headers)
    case .icmp, .icmpv6: appendICMP(headers)
    case .gre: out.append("GRE")
    case .none, .other:
      out.append("protocol ")
      out.append(decimal: headers.ipProtocol)
    }
    if headers.isFragment {
      out.append(", fragment id ")
      out.append(decimal: headers.identification)
      out.append(" offset ")
      out.append(decimal: headers.fragmentOffset)
      if headers.moreFragments { out.append("+") }
    }
    out.append(headers.network == .ipv4 ? ", ttl " : ", hlim ")
    out.append(decimal: headers.hopLimit)
  }

  private mutating func appendTCP(_ headers: FrameHeaders) {
    out.append("TCP [")
    let flags = headers.tcpFlags
    if flags & 0x02 != 0 { out.append("S") }
    if flags & 0x01 != 0 { out.append("F") }
    if flags & 0x04 != 0 { out.append("R") }
    if flags & 0x08 != 0 { out.append("P") }
    if flags & 0x20 != 0 { out.append("U") }
    if flags & 0x10 != 0 { out.append(".") }
    out.append("] seq ")
    out.append(decimal: headers.tcpSequence)
    if flags & 0x10 != 0 {
      out.append(" ack ")
      out.append(decimal: headers.tcpAcknowledgment)
    }
  }

  private mutating func appendICMP(_ headers: FrameHeaders) {
    let isV4 = headers.transport == .icmp
    out.append(isV4 ? "ICMP " : "ICMPv6 ")
    switch (isV4, headers.icmpType) {
    case (true, 8), (false, 128): out.append("echo request")
    case (true, 0), (false, 129): out.append("echo reply")
    case (true, 3): out.append("unreachable")
    case (true, 11), (false, 3): out.append("time exceeded")
    case (false, 1): out.append("unreachable")
    case (false, 2): out.append("packet too big")
    case (false, 133): out.append("router solicitation")
    case (false, 134): out.append("router advertisement")
    case (false, 135): out.append("neighbor solicitation")
    case (false, 136): out.append("neighbor advertisement")
    default:
      out.append("type ")
      out.append(decimal: headers.icmpType)
    }
    if headers.isEcho {
      out.append(" id ")
      out.append(decimal: headers.icmpIdentifier)
      out.append(" seq ")
      out.append(decimal: headers.icmpSequence)
    } else if headers.icmpCode != 0 {
      out.append(" code ")
      out.append(decimal: headers.icmpCode)
    }
    if headers.neighborTarget.family != .none {
      out.append(" target ")
      out.append(address: headers.neighborTarget)
    }
  }

  /// Why decoding ended, where it ended early. What lanecheck does not decode further is named already.
  private mutating func appendStop(_ stop: DecodeStop) {
    switch stop.reason {
    case .complete, .unknownProtocol: return
    case .cutByCapture: out.append(" [cut by the capture: ")
    case .malformed: out.append(" [malformed: ")
    }
    out.append(stop.layer.spokenName)
    out.append(" at byte ")
    out.append(decimal: stop.offset)
    if stop.limit == .value {
      if stop.need != stop.have {
        out.append(" has ")
        out.append(decimal: stop.have)
        out.append(" where ")
        out.append(decimal: stop.need)
        out.append(" belongs")
      }
    } else {
      out.append(" needs ")
      out.append(decimal: stop.need)
      out.append(" bytes, ")
      out.append(decimal: stop.have)
      switch stop.limit {
      case .captured: out.append(" were captured")
      case .wire: out.append(" are in the frame")
      case .ipv4TotalLength: out.append(" are left by the IPv4 total length")
      case .ipv6PayloadLength: out.append(" are left by the IPv6 payload length")
      case .udpLength: out.append(" are left by the UDP length")
      case .headerLength: out.append(" are left by its own length field")
      case .value: break
      }
    }
    out.append("]")
  }
}
