import Wire

/// Writes one JSON object per frame and line, with all layers that were decoded. Numbers are decimal,
/// addresses text, in this order:
///
///     {"frame":1,"time":"2026-01-31T12:23:41.220123000Z","interface":null,"direction":null,"linkType":1,
///      "length":92,"captured":92,
///      "ethernet":{"destination":MAC,"source":MAC,"type":2048},      // or "cooked":{…}
///      "vlan":[{"tpid":33024,"vid":5,"pcp":0,"dei":false}],          // outermost first, at most 4
///      "vlanCount":1,                                                 // how many the frame carried
///      "arp":{"operation":1,"senderMAC":…,"senderAddress":…,"targetMAC":…,"targetAddress":…},
///      "ipv4":{"source":…,"destination":…,"protocol":17,"ttl":64,"trafficClass":0,"id":0,"dontFragment":true,
///              "moreFragments":false,"fragmentOffset":0,"length":78},
///      "ipv6":{"source":…,"destination":…,"protocol":58,"hopLimit":255,"trafficClass":0,
///              "fragment":null,"length":72},                          // or {"id":…,"offset":…,"more":…}
///      "udp":{"sourcePort":…,"destinationPort":…,"length":…},
///      "tcp":{"sourcePort":…,"destinationPort":…,"sequence":…,"acknowledgment":…,"flags":…},
///      "icmp":{"type":8,"code":0,"id":1,"sequence":1},                // id and sequence of echoes, else null
///      "icmpv6":{…,"target":ADDRESS},                                 // target of ND messages, else null
///      "stop":{"reason":"complete"},
///      "vxlan":{"vni":57,"vniValid":true,"flags":8,"reserved1":0,"reserved2":0},
///      "gre":{"key":57,"flags":8192,"protocol":25944},                // or null where no key
///      "geneve":{"vni":57,"flags":0,"protocol":25944},
///      "inner":{ ethernet to stop, as above }}
///
/// A layer that is not there is left out. `stop` says why decoding of that frame ended: `complete`,
/// `cut-by-capture`, `malformed` or `unknown-protocol`; if not complete, with `layer`, its `offset` in the
/// captured bytes, and the bytes it would `need` and `have` by the `limit` named.
public struct InspectJSON {
  private var json = JSONWriter(pretty: false, into: TextBuffer(capacity: 1 << 17))

  public init() {}

  public var count: Int { json.out.count }
  public var bytes: [UInt8] { json.out.bytes }

  public mutating func removeAll() { json.reset() }

  public mutating func append(_ frame: DecodedFrame, _ info: InspectedFrame) {
    json.object { json in
      json.member("frame", info.number)
      json.member("time", time: info.time)
      json.member("interface", info.interface)
      json.key("direction")
      switch info.direction(frame.link) {
      case .unknown: json.null()
      case .inbound: json.string("in")
      case .outbound: json.string("out")
      }
      json.member("linkType", info.linkType)
      json.member("length", info.wireLength)
      json.member("captured", info.capturedLength)
      json.writeLink(frame.link, frame.outer)
      json.write(frame.outer)
      guard frame.tunnel.kind != .none else { return }
      json.write(frame.tunnel)
      json.key("inner")
      json.object { json in
        if frame.hasInner {
          json.writeEthernet(frame.inner)
          json.write(frame.inner)
        } else {
          json.write(frame.inner.stop)
        }
      }
    }
    json.out.appendNewline()
  }
}

extension JSONWriter {
  fileprivate mutating func member(_ name: String, mac: MACAddress?) {
    key(name)
    guard let mac else { return null() }
    out.append(byte: UInt8(ascii: "\""))
    out.append(mac: mac)
    out.append(byte: UInt8(ascii: "\""))
  }

  fileprivate mutating func member(_ name: String, address: IPAddress) {
    key(name)
    if address.family == .none { return null() }
    out.append(byte: UInt8(ascii: "\""))
    out.append(address: address)
    out.append(byte: UInt8(ascii: "\""))
  }

  fileprivate mutating func writeLink(_ link: LinkHeader, _ headers: FrameHeaders) {
    switch link.kind {
    case .ethernet: writeEthernet(headers)
    case .unsupported, .bareIP: break
    case .cookedV1, .cookedV2:
      let source = headers.hasSource ? headers.source : nil
      let type = headers.etherType
      object("cooked") { json in
        json.member("version", link.kind == .cookedV1 ? 1 : 2)
        json.member("packetType", link.packetType.name)
        json.member("interfaceIndex", link.kind == .cookedV2 ? link.interfaceIndex : nil)
        json.member("hardwareType", link.hardwareType)
        json.member("source", mac: source)
        json.member("protocol", type)
      }
    }
  }

  fileprivate mutating func writeEthernet(_ headers: FrameHeaders) {
    guard headers.hasDestination else { return }
    let (destination, source, type) = (headers.destination, headers.source, headers.etherType)
    object("ethernet") { json in
      json.member("destination", mac: destination)
      json.member("source", mac: source)
      json.member("type", type)
    }
  }

  fileprivate mutating func write(_ headers: FrameHeaders) {
    let tags = headers.tags
    if tags.count > 0 {
      array("vlan", 0..<tags.held) { json, index in
        let tag = tags[index]
        json.object { json in
          json.member("tpid", tag.tpid)
          json.member("vid", tag.vid)
          json.member("pcp", tag.priority)
          json.member("dei", tag.dropEligible)
        }
      }
      member("vlanCount", tags.count)
    }
    switch headers.network {
    case .none, .other: break
    case .arp: writeARP(headers)
    case .ipv4: writeIPv4(headers)
    case .ipv6: writeIPv6(headers)
    }
    writeTransport(headers)
    write(headers.stop)
  }

  private mutating func writeARP(_ headers: FrameHeaders) {
    let isRead = headers.sourceAddress.family != .none
    object("arp") { json in
      json.member("operation", headers.arpOperation)
      json.member("senderMAC", mac: isRead ? headers.arpSenderMAC : nil)
      json.member("senderAddress", address: headers.sourceAddress)
      json.member("targetMAC", mac: isRead ? headers.arpTargetMAC : nil)
      json.member("targetAddress", address: headers.destinationAddress)
    }
  }

  private mutating func writeIPv4(_ headers: FrameHeaders) {
    object("ipv4") { json in
      json.member("source", address: headers.sourceAddress)
      json.member("destination", address: headers.destinationAddress)
      json.member("protocol", headers.ipProtocol)
      json.member("ttl", headers.hopLimit)
      json.member("trafficClass", headers.trafficClass)
      json.member("id", headers.identification)
      json.member("dontFragment", headers.dontFragment)
      json.member("moreFragments", headers.moreFragments)
      json.member("fragmentOffset", headers.fragmentOffset)
      json.member("length", headers.networkLength)
    }
  }

  private mutating func writeIPv6(_ headers: FrameHeaders) {
    object("ipv6") { json in
      json.member("source", address: headers.sourceAddress)
      json.member("destination", address: headers.destinationAddress)
      json.member("protocol", headers.ipProtocol)
      json.member("hopLimit", headers.hopLimit)
      json.member("trafficClass", headers.trafficClass)
      json.key("fragment")
      if headers.isFragment {
        json.object { json in
          json.member("id", headers.identification)
          json.member("offset", headers.fragmentOffset)
          json.member("more", headers.moreFragments)
        }
      } else {
        json.null()
      }
      json.member("length", headers.networkLength)
    }
  }

  private mutating func writeTransport(_ headers: FrameHeaders) {
    switch headers.transport {
    case .none, .gre, .other: break
    case .udp:
      object("udp") { json in
        json.member("sourcePort", headers.sourcePort)
        json.member("destinationPort", headers.destinationPort)
        json.member("length", headers.udpLength)
      }
    case .tcp:
      object("tcp") { json in
        json.member("sourcePort", headers.sourcePort)
        json.member("destinationPort", headers.destinationPort)
        json.member("sequence", headers.tcpSequence)
        json.member("acknowledgment", headers.tcpAcknowledgment)
        json.member("flags", headers.tcpFlags)
      }
    case .icmp, .icmpv6:
      let isEcho = headers.isEcho
      object(headers.transport == .icmp ? "icmp" : "icmpv6") { json in
        json.member("type", headers.icmpType)
        json.member("code", headers.icmpCode)
        json.member("id", isEcho ? headers.icmpIdentifier : nil)
        json.member("sequence", isEcho ? headers.icmpSequence : nil)
        if headers.transport == .icmpv6 { json.member("target", address: headers.neighborTarget) }
      }
    }
  }

  fileprivate mutating func write(_ tunnel: TunnelHeader) {
    switch tunnel.kind {
    case .none: break
    case .vxlan:
      object("vxlan") { json in
        json.member("vni", tunnel.id)
        json.member("vniValid", tunnel.hasID)
        json.member("flags", tunnel.flags)
        json.member("reserved1", tunnel.reserved >> 8)
        json.member("reserved2", tunnel.reserved & 0xff)
      }
    case .gre:
      object("gre") { json in
        json.member("key", tunnel.hasID ? tunnel.id : nil)
        json.member("flags", tunnel.flags)
        json.member("protocol", tunnel.protocolType)
      }
    case .geneve:
      object("geneve") { json in
        json.member("vni", tunnel.id)
        json.member("flags", tunnel.flags)
        json.member("protocol", tunnel.protocolType)
      }
    }
  }

  fileprivate mutating func write(_ stop: DecodeStop) {
    object("stop") { json in
      switch stop.reason {
      case .complete:
        json.member("reason", "complete")
        return
      case .cutByCapture: json.member("reason", "cut-by-capture")
      case .malformed: json.member("reason", "malformed")
      case .unknownProtocol: json.member("reason", "unknown-protocol")
      }
      json.member("layer", String(describing: stop.layer))
      json.member("limit", String(describing: stop.limit))
      json.member("offset", stop.offset)
      json.member("need", stop.need)
      json.member("have", stop.have)
    }
  }
}

extension FrameHeaders {
  /// ICMP or ICMPv6 echo, request or reply: it has an identifier and a sequence number.
  var isEcho: Bool {
    transport == .icmp ? icmpType == 0 || icmpType == 8 : icmpType == 128 || icmpType == 129
  }
}
