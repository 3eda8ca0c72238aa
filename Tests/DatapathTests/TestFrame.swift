import Wire

@testable import Datapath

/// A frame made for tests. Its last four bytes are its number.
struct TestFrame {
  var destination: MACAddress
  var source: MACAddress
  var tags: [VLANTag] = []
  var etherType: UInt16
  var payload: [UInt8]

  func bytes(number: UInt32) -> [UInt8] {
    var result = octets(destination.rawValue, 6) + octets(source.rawValue, 6)
    for tag in tags { result += octets(UInt64(tag.tpid), 2) + octets(UInt64(tag.tci), 2) }
    result += octets(UInt64(etherType), 2) + payload
    while result.count < 64 { result.append(0) }
    return result + octets(UInt64(number), 4)
  }

  static func number(of bytes: [UInt8]) -> UInt32 {
    bytes.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  static func arp(
    operation: UInt16, source: MACAddress, destination: MACAddress, sender: UInt32, target: UInt32,
    targetMAC: MACAddress = .zero, tags: [VLANTag] = []
  ) -> TestFrame {
    var payload: [UInt8] = [0, 1, 8, 0, 6, 4] + octets(UInt64(operation), 2)
    payload += octets(source.rawValue, 6) + octets(UInt64(sender), 4)
    payload += octets(targetMAC.rawValue, 6) + octets(UInt64(target), 4)
    return TestFrame(
      destination: destination, source: source, tags: tags, etherType: 0x0806,
      payload: payload + Array(repeating: 0, count: 18))
  }

  static func ipv4(
    source: MACAddress, destination: MACAddress, from: UInt32, to: UInt32, protocol number: UInt8,
    ports: (UInt16, UInt16),
    ttl: UInt8 = 64, tags: [VLANTag] = []
  ) -> TestFrame {
    var transport: [UInt8]
    switch number {
    case 1: transport = [UInt8(truncatingIfNeeded: ports.0), UInt8(truncatingIfNeeded: ports.1), 0, 0, 0, 1, 0, 1]
    case 6:
      transport = octets(UInt64(ports.0), 2) + octets(UInt64(ports.1), 2) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, ports.1 == 67 ? 0x11 : 2]
      transport += [16, 0, 0, 0, 0, 0]
    default: transport = octets(UInt64(ports.0), 2) + octets(UInt64(ports.1), 2) + octets(30, 2) + [0, 0]
    }
    transport += Array(repeating: 0x55, count: 22)
    // The number at the end belongs to the packet.
    let total = 20 + transport.count + 4
    var header: [UInt8] = [0x45, 0] + octets(UInt64(total), 2) + [0, 1, 0, 0, ttl, number, 0, 0]
    header += octets(UInt64(from), 4) + octets(UInt64(to), 4)
    let sum = checksum(header)
    header[10] = UInt8(sum >> 8)
    header[11] = UInt8(sum & 0xff)
    return TestFrame(
      destination: destination, source: source, tags: tags, etherType: 0x0800, payload: header + transport)
  }

  static func icmp6(
    type: UInt8, source: MACAddress, destination: MACAddress, from: IPAddress, to: IPAddress, target: IPAddress,
    tags: [VLANTag] = []
  ) -> TestFrame {
    var body: [UInt8] = [type, 0, 0, 0, 0, 0, 0, 0] + octets(target.high, 8) + octets(target.low, 8)
    // An option of an experimental type (RFC 4727), which ends with the number.
    body += [253, 1, 0, 0]
    var header: [UInt8] = [0x60, 0, 0, 0] + octets(UInt64(body.count + 4), 2) + [58, 255]
    header += octets(from.high, 8) + octets(from.low, 8) + octets(to.high, 8) + octets(to.low, 8)
    var pseudo = octets(from.high, 8) + octets(from.low, 8) + octets(to.high, 8) + octets(to.low, 8)
    pseudo += octets(UInt64(body.count + 4), 4) + [0, 0, 0, 58] + body
    let sum = checksum(pseudo)
    body[2] = UInt8(sum >> 8)
    body[3] = UInt8(sum & 0xff)
    return TestFrame(destination: destination, source: source, tags: tags, etherType: 0x86dd, payload: header + body)
  }

  /// Where the network header begins, and the ethertype before it, behind at most so many tags.
  private static func network(_ bytes: [UInt8], tags: Int) -> (offset: Int, type: UInt16) {
    var offset = 12
    var left = tags
    while offset + 2 <= bytes.count {
      let type = UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
      if left == 0 || type != 0x8100 && type != 0x88a8 { return (offset + 2, type) }
      left -= 1
      offset += 4
    }
    return (bytes.count, 0)
  }

  /// The bytes of a frame that went in, as the switch should have changed them.
  static func rewritten(_ bytes: [UInt8], as packet: Packet, parsedTags: Int) -> [UInt8] {
    var result = octets(packet.destination.rawValue, 6) + octets(packet.source.rawValue, 6)
    for tag in [packet.tag0, packet.tag1] where tag.tci & Packet.present != 0 {
      result += octets(UInt64(tag.tpid), 2) + octets(UInt64(tag.tci & ~Packet.present), 2)
    }
    let (offset, type) = network(bytes, tags: parsedTags)
    guard offset <= bytes.count else { return bytes }
    var rest = Array(bytes[offset...])
    func put(_ value: UInt128, _ count: Int, at place: Int) {
      guard place + count <= rest.count else { return }
      for index in 0..<count { rest[place + index] = UInt8(truncatingIfNeeded: value >> UInt128((count - 1 - index) * 8)) }
    }
    var transport = 0
    switch type {
    case 0x0806:
      put(UInt128(packet.ipProtocol), 2, at: 6)
      put(UInt128(packet.senderMAC), 6, at: 8)
      put(packet.networkSource, 4, at: 14)
      put(UInt128(packet.targetMAC), 6, at: 18)
      put(packet.networkDestination, 4, at: 24)
    case 0x0800:
      put(UInt128(packet.tos), 1, at: 1)
      put(UInt128(packet.ttl), 1, at: 8)
      put(packet.networkSource, 4, at: 12)
      put(packet.networkDestination, 4, at: 16)
      transport = 20
    case 0x86dd:
      put(0x60 << 8 | UInt128(packet.tos) << 4 | UInt128(rest[1] & 15), 2, at: 0)
      put(UInt128(packet.ttl), 1, at: 7)
      put(packet.networkSource, 16, at: 8)
      put(packet.networkDestination, 16, at: 24)
      transport = 40
    default: break
    }
    if transport > 0, packet.ipProtocol == 6 || packet.ipProtocol == 17 {
      put(UInt128(packet.transportSource), 2, at: transport)
      put(UInt128(packet.transportDestination), 2, at: transport + 2)
    }
    return result + octets(UInt64(type), 2) + rest
  }

  /// The frame with zeros for the checksums that the switch mends when it changes what they cover.
  static func withoutChecksums(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    let (offset, type) = network(bytes, tags: 9)
    func clear(_ count: Int, at place: Int) {
      for index in place..<place + count where index < result.count { result[index] = 0 }
    }
    guard offset + 20 <= bytes.count, type == 0x0800 || type == 0x86dd else { return result }
    if type == 0x0800 { clear(2, at: offset + 10) }
    let transport = offset + (type == 0x0800 ? 20 : 40)
    switch type == 0x0800 ? bytes[offset + 9] : bytes[offset + 6] {
    case 1, 58: clear(2, at: transport + 2)
    case 6: clear(2, at: transport + 16)
    case 17: clear(2, at: transport + 6)
    case 132: clear(4, at: transport + 8)
    default: break
    }
    return result
  }

  /// The frame inside VXLAN or GRE, from a tunnel's other end.
  static func wrap(
    _ inner: [UInt8], kind: TunnelSettings.Kind, tunnelID: UInt64, from: UInt32, to: UInt32, outerMAC: MACAddress
  ) -> [UInt8] {
    var tunnel: [UInt8]
    var number: UInt8 = 17
    switch kind {
    case .vxlan: tunnel = [8, 0, 0, 0] + octets(tunnelID, 3) + [0]
    case .geneve: tunnel = [0, 0, 0x65, 0x58] + octets(tunnelID, 3) + [0]
    case .gre:
      tunnel = [0x20, 0, 0x65, 0x58] + octets(tunnelID, 4)
      number = 47
    }
    tunnel += inner
    if number == 17 {
      tunnel =
        octets(50_000, 2) + octets(kind == .vxlan ? 4789 : 6081, 2) + octets(UInt64(tunnel.count + 8), 2) + [0, 0]
        + tunnel
    }
    var header: [UInt8] = [0x45, 0] + octets(UInt64(20 + tunnel.count), 2) + [0, 0, 0x40, 0, 64, number, 0, 0]
    header += octets(UInt64(from), 4) + octets(UInt64(to), 4)
    let sum = checksum(header)
    header[10] = UInt8(sum >> 8)
    header[11] = UInt8(sum & 0xff)
    return octets(outerMAC.rawValue, 6) + [2, 0, 0, 0, 0, 9, 8, 0] + header + tunnel
  }
}

func octets(_ value: UInt64, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - $0) * 8)) }
}

private func checksum(_ bytes: [UInt8]) -> UInt16 {
  var sum = 0
  for index in stride(from: 0, to: bytes.count, by: 2) {
    sum += Int(bytes[index]) << 8 + (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
  }
  while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
  return ~UInt16(sum)
}

func headers(_ bytes: [UInt8], tunnels: TunnelPorts = TunnelPorts()) -> DecodedFrame {
  var frame = DecodedFrame()
  decode(bytes.span, wireLength: bytes.count, linkType: 1, tunnels: tunnels, into: &frame)
  return frame
}
