import Testing
import Wire

@testable import Datapath

@Suite("Frames as bytes") struct RewritingTests {
  static let inner = FabricFrame(
    TestFrame.ipv4(
      source: FabricTests.a, destination: FabricTests.b, from: 0x0a00_0001, to: 0x0a00_0002, protocol: 6,
      ports: (5000, 80)
    ).bytes(number: 9))

  /// A TCP segment whose checksum is right.
  static var segment: FabricFrame {
    var builder = FrameBuilder()
    builder.ethernet(to: FabricTests.b, from: FabricTests.a)
    builder.ipv4(from: IPAddress(v4: 0x0a00_0001), to: IPAddress(v4: 0x0a00_0002)) {
      $0.tcp(from: 5000, to: 80) { $0.append([1, 2, 3] as [UInt8]) }
    }
    return FabricFrame(builder.bytes)
  }

  static var neighbour: FabricFrame {
    var builder = FrameBuilder()
    builder.ethernet(to: FabricTests.b, from: FabricTests.a)
    builder.tag(VLANTag(tpid: 0x8100, tci: 5))
    builder.ipv6(from: IPAddress(v6High: 1, low: 2), to: IPAddress(v6High: 3, low: 4)) {
      $0.udp(from: 1000, to: 2000) { $0.append([9, 8, 7, 6] as [UInt8]) }
    }
    return FabricFrame(builder.bytes)
  }

  @Test("fields, tags and checksums follow", arguments: [segment, neighbour])
  func changes(_ frame: FabricFrame) {
    let before = frame.packet
    var after = before
    after.source = MACAddress(rawValue: 0xfa16_3f00_0001)
    after.destination = MACAddress(rawValue: 0xfa16_3f00_0002)
    after.pushTag(tpid: 0x88a8, vid: 77)
    after.ttl -= 1
    after.tos = 0x20
    after.networkSource += 0x1234_5678
    after.networkDestination ^= 0xff_00ff
    after.transportSource = 0xfffe
    after.transportDestination = 443
    let changed = frame.changed(from: before, to: after)
    let decoded = headers(changed.bytes).outer
    #expect(changed.bytes.count == frame.bytes.count + 4)
    #expect(decoded.source == after.source && decoded.destination == after.destination)
    #expect(decoded.tags[0].vid == 77 && decoded.tags[0].tpid == 0x88a8)
    #expect(decoded.hopLimit == after.ttl && decoded.trafficClass == 0x20)
    #expect(decoded.sourcePort == 0xfffe && decoded.destinationPort == 443)
    #expect(decoded.transportChecksum(in: changed.bytes.span) == .correct)
    if decoded.network == .ipv4 { #expect(decoded.ipv4HeaderChecksum(in: changed.bytes.span) == .correct) }
    // And back again.
    #expect(changed.changed(from: changed.packetWithTwoTags, to: before) == frame)
  }

  @Test("a frame that the capture cut is changed as far as it goes", arguments: [14, 15, 20, 33, 40, 50])
  func cut(_ length: Int) {
    let whole = Self.segment
    let frame = FabricFrame(Array(whole.bytes.prefix(length)), wireLength: whole.wireLength)
    var after = frame.packet
    after.pushTag(tpid: 0x8100, vid: 3)
    after.ttl &-= 1
    after.networkSource = 5
    let changed = frame.changed(from: frame.packet, to: after)
    #expect(changed.bytes.count == min(length, whole.bytes.count) + 4)
    #expect(changed.wireLength == whole.wireLength + 4)
  }

  struct Tunnel: Sendable, CustomTestStringConvertible {
    var kind: TunnelSettings.Kind
    var isV6: Bool
    var hasChecksum: Bool
    var testDescription: String { "\(kind) v6=\(isV6) csum=\(hasChecksum)" }
  }

  @Test(
    "outer headers are as a host builds them",
    arguments: [TunnelSettings.Kind.vxlan, .gre, .geneve].flatMap { kind in
      [false, true].flatMap { v6 in [false, true].map { Tunnel(kind: kind, isV6: v6, hasChecksum: $0) } }
    })
  func encapsulates(_ tunnel: Tunnel) {
    let source = tunnel.isV6 ? IPAddress(v6High: 0xfd00, low: 1) : IPAddress(v4: 0xc000_0201)
    let destination = tunnel.isV6 ? IPAddress(v6High: 0xfd00, low: 2) : IPAddress(v4: 0xc000_0202)
    let outer = OuterHeader(
      kind: tunnel.kind, tunnelID: 57, source: source, destination: destination,
      destinationPort: tunnel.kind == .gre ? 0 : tunnel.kind == .vxlan ? 4789 : 6081)
    var around = Encapsulation(sourceMAC: MACAddress(rawValue: 1 << 41 | 1), destinationMAC: MACAddress(rawValue: 2))
    around.apply(["csum": "\(tunnel.hasChecksum)"])
    let packet = around.packet(around: Self.segment, outer)
    let decoded = headers(packet.bytes)
    #expect(decoded.tunnel.hasID && decoded.tunnel.id == 57)
    #expect(decoded.outer.sourceAddress == source && decoded.outer.destinationAddress == destination)
    #expect(decoded.outer.hopLimit == 64)
    #expect(packet.wireLength == packet.bytes.count)
    #expect(Array(packet.bytes[Int(decoded.inner.start)...]) == Self.segment.bytes)
    if !tunnel.isV6 {
      #expect(decoded.outer.ipv4HeaderChecksum(in: packet.bytes.span) == .correct)
      #expect(decoded.outer.dontFragment && decoded.outer.identification == 0)
    }
    if tunnel.kind != .gre {
      #expect(decoded.outer.sourcePort >= 32768)
      #expect(
        decoded.outer.transportChecksum(in: packet.bytes.span)
          == (tunnel.hasChecksum || tunnel.isV6 ? .correct : .absent))
    }
    // One flow, one source port.
    let again = headers(around.packet(around: Self.segment, outer).bytes)
    #expect(again.outer.sourcePort == decoded.outer.sourcePort)
  }

  @Test func aCutFrameKeepsItsLengthOnTheWire() {
    let cut = FabricFrame(Array(Self.segment.bytes.prefix(40)), wireLength: 1400)
    let outer = OuterHeader(
      kind: .vxlan, tunnelID: 57, source: IPAddress(v4: 1), destination: IPAddress(v4: 2), destinationPort: 4789)
    let packet = Encapsulation(sourceMAC: .zero, destinationMAC: .zero).packet(around: cut, outer)
    #expect(packet.bytes.count == 90)
    #expect(packet.wireLength == 1450)
    let decoded = headers(packet.bytes)
    #expect(decoded.outer.networkLength == 1436)
    #expect(decoded.outer.udpLength == 1416)
  }
}

extension FabricFrame {
  /// As a switch that parses two tags sees it.
  fileprivate var packetWithTwoTags: Packet { Packet(headers, length: UInt32(clamping: wireLength), vlanLimit: 2) }
}
