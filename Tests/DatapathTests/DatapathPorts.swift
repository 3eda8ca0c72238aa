import Foundation
import OpenFlow
import Wire

@testable import Datapath

/// The running switch's datapath: its port numbers, and the language of `ofproto/trace`'s last line
/// (lib/odp-util.c).
struct DatapathPorts {
  private var numberOf: [String: Int] = [:]
  private var nameOf: [Int: String] = [:]

  /// One frame that leaves.
  struct Exit {
    var port: String
    var tunnelID: UInt64?
    var remote: IPAddress?
    var packet: Packet
  }

  init() {}

  init(_ ovs: OpenVSwitch) throws {
    // `    access1 2/3: (dummy)`
    for line in try ovs.appctl("dpif/show").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 2, let slash = words[1].firstIndex(of: "/") else { continue }
      guard let number = Int(words[1][words[1].index(after: slash)...].prefix { $0.isNumber }) else { continue }
      numberOf[String(words[0])] = number
      nameOf[number] = String(words[0])
    }
  }

  /// The packet as a datapath key; nil where the port is not in the datapath.
  func key(_ packet: Packet, port: String) -> String? {
    guard let number = numberOf[port] else { return nil }
    var parts: [String] = []
    if packet.tunnelSource.family != .none {
      parts.append(
        "tunnel(tun_id=0x\(String(packet.tunnelID, radix: 16)),src=\(packet.tunnelSource),"
          + "dst=\(packet.tunnelDestination),tos=0,ttl=64,flags(key))")
    }
    parts.append("in_port(\(number))")
    parts.append("eth(src=\(packet.source),dst=\(packet.destination))")
    var closing = ""
    for tag in packet.tags.count > 0 ? [packet.tag0] : [] {
      parts.append("eth_type(0x\(String(tag.tpid, radix: 16))),vlan(vid=\(tag.vid),pcp=\(tag.tci >> 13))")
      parts.append("encap(")
      closing += ")"
    }
    parts.append("eth_type(0x\(String(packet.etherType, radix: 16)))")
    parts += network(packet)
    return parts.joined(separator: ",").replacingOccurrences(of: "encap(,", with: "encap(") + closing
  }

  private func network(_ packet: Packet) -> [String] {
    if packet.isARP {
      let (source, target) = (MACAddress(rawValue: packet.senderMAC), MACAddress(rawValue: packet.targetMAC))
      return [
        "arp(sip=\(v4(packet.networkSource)),tip=\(v4(packet.networkDestination)),op=\(packet.ipProtocol),"
          + "sha=\(source),tha=\(target))"
      ]
    }
    guard packet.isIP else { return [] }
    let number = packet.ipProtocol
    var parts: [String]
    if packet.isIPv4 {
      parts = [
        "ipv4(src=\(v4(packet.networkSource)),dst=\(v4(packet.networkDestination)),proto=\(number),tos=\(packet.tos),"
          + "ttl=\(packet.ttl),frag=no)"
      ]
    } else {
      parts = [
        "ipv6(src=\(IPAddress(v6: packet.networkSource)),dst=\(IPAddress(v6: packet.networkDestination)),label=0,"
          + "proto=\(number),tclass=\(packet.tos),hlimit=\(packet.ttl),frag=no)"
      ]
    }
    let (source, destination) = (packet.transportSource, packet.transportDestination)
    switch number {
    case 1: parts.append("icmp(type=\(source),code=\(destination))")
    case 6: parts.append("tcp(src=\(source),dst=\(destination)),tcp_flags(0x\(String(packet.tcpFlags, radix: 16)))")
    case 17: parts.append("udp(src=\(source),dst=\(destination))")
    case 58:
      parts.append("icmpv6(type=\(source),code=\(destination))")
      if source == 135 || source == 136 { parts.append("nd(target=\(IPAddress(v6: packet.neighborTarget)))") }
    default: break
    }
    return parts
  }

  private func v4(_ bits: UInt128) -> IPAddress { IPAddress(v4: UInt32(truncatingIfNeeded: bits)) }

  /// What datapath actions let out.
  /// - Returns: nil where they hold something that is not understood.
  func exits(_ text: String, _ packet: Packet) -> [Exit]? {
    var packet = packet
    var result: [Exit] = []
    return perform(text, &packet, &result) ? result : nil
  }

  /// Splits at commas outside parentheses.
  private static func items(_ text: String) -> [(name: String, arguments: String)] {
    var items: [(String, String)] = []
    var depth = 0
    var current = ""
    for character in text + "," {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      guard character == ",", depth == 0 else {
        current.append(character)
        continue
      }
      let item = current.trimmingCharacters(in: .whitespaces)
      current = ""
      if item.isEmpty { continue }
      if let open = item.firstIndex(of: "("), item.hasSuffix(")") {
        items.append((String(item[..<open]), String(item[item.index(after: open)...].dropLast())))
      } else {
        items.append((item, ""))
      }
    }
    return items
  }

  private func perform(_ text: String, _ packet: inout Packet, _ result: inout [Exit]) -> Bool {
    for (name, arguments) in DatapathPorts.items(text) {
      switch name {
      case "drop": break
      case "pop_vlan": packet.popTag()
      case "push_vlan":
        let values = DatapathPorts.values(arguments)
        guard let vid = values["vid"].flatMap({ UInt16($0) }), let pcp = values["pcp"].flatMap({ UInt16($0) }) else {
          return false
        }
        packet.pushTag(tpid: values["tpid"].flatMap { UInt16($0.dropFirst(2), radix: 16) } ?? 0x8100, vid: vid)
        packet.setTCI(packet.tag0.tci & 0x1fff | pcp << 13)
      case "set", "set_masked":
        for (kind, values) in DatapathPorts.items(arguments) {
          if !set(kind, DatapathPorts.values(values), &packet) { return false }
        }
      case "clone":
        if arguments.hasPrefix("tnl_push(") {
          guard let exit = tunnel(arguments, packet) else { return false }
          result.append(exit)
        } else {
          var copy = packet
          if !perform(arguments, &copy, &result) { return false }
        }
      case "tnl_push":
        guard let exit = tunnel(arguments, packet) else { return false }
        result.append(exit)
        // The port of the underlay follows.
        return true
      case "userspace": break
      default:
        guard let number = Int(name), let port = nameOf[number] else { return false }
        result.append(Exit(port: port, packet: packet))
      }
    }
    return true
  }

  private func tunnel(_ text: String, _ packet: Packet) -> Exit? {
    func after(_ mark: String) -> Substring? {
      text.range(of: mark).map { text[$0.upperBound...].prefix { $0 != "," && $0 != ")" } }
    }
    let kind = text.contains("vxlan(") ? "vxlan" : text.contains("geneve(") ? "geneve" : "gre"
    guard let header = text.range(of: "ipv4("), let place = text.range(of: "dst=", range: header.upperBound..<text.endIndex),
      let remote = IPAddress(String(text[place.upperBound...].prefix { $0 != "," })),
      let key = after("vni=0x") ?? after("key=0x"), let number = UInt64(key, radix: 16)
    else { return nil }
    return Exit(port: kind, tunnelID: number, remote: remote, packet: packet)
  }

  /// `a=1,b=2/3` by name.
  private static func values(_ text: String) -> [String: String] {
    var result: [String: String] = [:]
    for (item, _) in items(text) {
      let pair = item.split(separator: "=", maxSplits: 1)
      if pair.count == 2 { result[String(pair[0])] = String(pair[1]) }
    }
    return result
  }

  private func set(_ kind: String, _ values: [String: String], _ packet: inout Packet) -> Bool {
    for (name, text) in values {
      let parts = text.split(separator: "/").map(String.init)
      let field: Field
      switch (kind, name) {
      case ("eth", "src"): field = .ethernetSource
      case ("eth", "dst"): field = .ethernetDestination
      case ("ipv4", "src"): field = .ipv4Source
      case ("ipv4", "dst"): field = .ipv4Destination
      case ("ipv6", "src"): field = .ipv6Source
      case ("ipv6", "dst"): field = .ipv6Destination
      case ("ipv4", "tos"), ("ipv6", "tclass"): field = .ipTOS
      case ("ipv4", "ttl"), ("ipv6", "hlimit"): field = .ipTTL
      case ("tcp", "src"), ("udp", "src"): field = .transportSource
      case ("tcp", "dst"), ("udp", "dst"): field = .transportDestination
      case ("arp", "sip"): field = .arpSenderAddress
      case ("arp", "tip"): field = .arpTargetAddress
      case ("arp", "op"): field = .arpOperation
      case ("arp", "sha"): field = .arpSenderMAC
      case ("arp", "tha"): field = .arpTargetMAC
      case ("skb_priority", _), ("skb_mark", _): continue
      default: return false
      }
      guard let value = parts.first.flatMap(DatapathPorts.number) else { return false }
      let mask = parts.count > 1 ? DatapathPorts.number(parts[1]) : field.allBits
      guard let mask else { return false }
      packet.set(field, value, mask: mask)
    }
    return true
  }

  private static func number(_ text: String) -> UInt128? {
    if text.hasPrefix("0x") { return UInt128(text.dropFirst(2), radix: 16) }
    if let number = UInt128(text) { return number }
    if let mac = MACAddress(text) { return UInt128(mac.rawValue) }
    guard let address = IPAddress(text) else { return nil }
    return address.family == .v4 ? UInt128(address.low) : UInt128(address.high) << 64 | UInt128(address.low)
  }
}
