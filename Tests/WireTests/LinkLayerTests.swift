import Testing

@testable import Wire

@Suite struct LinkLayerTests {
  @Test(arguments: 0...6)
  func tagsOfAnyDepthAreCounted(depth: Int) {
    let types: [UInt16] = [0x88a8, 0x8100, 0x9100, 0x9200, 0x8100, 0x8100]
    let tags = (0..<depth).map { VLANTag(tpid: types[$0], tci: 0xe000 | UInt16($0 + 1)) }
    let result = decoded(frame(tags: tags) { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }).outer
    #expect(Int(result.tags.count) == depth)
    #expect(result.tags.held == min(depth, 4))
    for index in 0..<min(depth, 4) {
      #expect(result.tags[index] == tags[index])
      #expect(result.tags[index].vid == UInt16(index + 1) && result.tags[index].priority == 7)
    }
    #expect(result.etherType == EtherType.ipv4)
    #expect(result.networkOffset == UInt32(14 + 4 * depth))
    #expect(result.destinationPort == 2 && result.stop.reason == .complete)
  }

  @Test func priorityTagIsATag() {
    let tag = VLANTag(tpid: EtherType.vlan, tci: 0xb000)
    let result = decoded(frame(tags: [tag]) { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }).outer
    #expect(result.tags.count == 1 && result.tags[0].vid == 0)
    #expect(result.tags[0].priority == 5 && result.tags[0].dropEligible)
    #expect(result.transport == .udp)
  }

  @Test func moreTagsThanTheCounterHolds() {
    let tags = [VLANTag](repeating: vlan(9), count: 5000)
    let result = decoded(frame(tags: tags) { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }).outer
    #expect(result.tags.count == 255 && result.networkOffset == 20_014)
    #expect(result.transport == .udp)
  }

  @Test func macAddressesAreReadInOrder() {
    let result = decoded([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x16, 0x3e, 0x39, 0, 1, 0x88, 0xcc, 0]).outer
    #expect(result.destination.isBroadcast && result.hasDestination)
    #expect(result.source.description == "fa:16:3e:39:00:01" && result.hasSource)
  }

  @Test func unknownEtherTypeIsCarried() {
    let bytes = frame(tags: [vlan(4)]) {
      $0.type(0x88cc)
      $0.append([1, 2, 3])
    }
    let result = decoded(bytes, wireLength: 100).outer
    #expect(result.network == .other && result.etherType == 0x88cc)
    #expect(result.networkOffset == 18 && result.networkLength == 82)
    #expect(result.stop == DecodeStop(reason: .unknownProtocol, layer: .ethernet, limit: .value))
  }

  @Test func lengthOf8023FrameExcludesPadding() {
    let bytes = frame {
      $0.type(38)
      $0.append([0x42, 0x42, 3])
      $0.pad(to: 60)
    }
    let result = decoded(bytes).outer
    #expect(result.network == .other && result.etherType == 38 && result.networkLength == 38)
    #expect(result.stop.reason == .unknownProtocol)
  }

  @Test func lengthOf8023FrameBeyondItsEndIsMalformed() {
    let stop = decoded(
      frame {
        $0.type(1500)
        $0.pad(to: 60)
      }
    ).outer.stop
    #expect(stop == DecodeStop(reason: .malformed, layer: .ethernet, limit: .wire, need: 1500, have: 46))
  }

  @Test(arguments: [
    (0, LinkHeader.PacketType.toUs), (1, .broadcast), (2, .multicast), (3, .otherHost), (4, .outgoing), (5, .none),
    (255, .none),
  ])
  func cookedPacketTypes(raw: Int, type: LinkHeader.PacketType) {
    let address: [UInt8] = [0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0]
    let v1 = decoded([0, UInt8(raw), 0, 1, 0, 6] + address + [0x88, 0xcc], linkType: 113)
    let v2 = decoded([0x88, 0xcc, 0, 0, 0, 1, 0, 2, 0, 1, UInt8(raw), 6] + address, linkType: 276)
    #expect(v1.link.packetType == type && v2.link.packetType == type)
    #expect(v1.link.kind == .cookedV1 && v2.link.kind == .cookedV2)
    #expect(v1.link.hardwareType == 1 && v2.link.hardwareType == 1)
    #expect(v1.link.interfaceIndex == 0 && v2.link.interfaceIndex == 0x0001_0002)
    for result in [v1.outer, v2.outer] {
      #expect(result.source == macA && result.hasSource && !result.hasDestination)
      #expect(result.network == .other && result.stop.layer == .cooked)
    }
  }

  @Test(arguments: [0, 4, 8, 16] as [UInt8])
  func cookedHeaderWithoutMACAddressHasNoSource(length: UInt8) {
    let bytes: [UInt8] = [0x08, 0x00, 0, 0, 0, 0, 0, 7, 0, 1, 0, length, 1, 2, 3, 4, 5, 6, 7, 8]
    let result = decoded(
      bytes + frame { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }[14...], linkType: 276)
    #expect(!result.outer.hasSource && result.outer.source == .zero)
    #expect(result.outer.transport == .udp)
  }

  @Test func smallProtocolNumberOfACookedHeaderIsNoLength() {
    let bytes: [UInt8] = [0, 0, 0, 1, 0, 6, 0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0, 0, 4, 0x42, 0x42, 3, 0, 0]
    let result = decoded(bytes, linkType: 113).outer
    #expect(result.network == .other && result.networkLength == 5 && result.stop.reason == .unknownProtocol)
  }

  @Test func packetTypeAboveAnOctetIsNone() {
    let result = decoded([1, 4, 0, 1, 0, 6, 0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0, 0x88, 0xcc], linkType: 113)
    #expect(result.link.packetType == .none)
  }

  @Test(arguments: [
    (0, [2, 0, 0, 0]), (0, [0, 0, 0, 2]), (12, []), (14, []), (101, []), (108, [0, 0, 0, 2]), (228, []),
  ] as [(UInt16, [UInt8])])
  func bareIPHasNoAddressesOfALink(linkType: UInt16, header: [UInt8]) {
    for sample in samples where sample.linkType == 1 {
      let framed = decoded(sample)
      guard framed.outer.network == .ipv4 else { continue }
      let packet = Array(sample.bytes.dropFirst(Int(framed.outer.networkOffset)))
      let bare = decoded(header + packet, linkType: linkType)
      #expect(bare.link.kind == .bareIP && !bare.outer.hasSource && !bare.outer.hasDestination)
      #expect(bare.outer.sourceAddress == framed.outer.sourceAddress && bare.outer.transport == framed.outer.transport)
      #expect(bare.tunnel.id == framed.tunnel.id && bare.hasInner == framed.hasInner)
      if bare.hasInner { #expect(bare.inner.source == framed.inner.source) }
    }
  }

  @Test(arguments: [(0, [30, 0, 0, 0]), (0, [0, 0, 0, 10]), (108, [0, 0, 0, 24]), (101, []), (229, [])] as [(UInt16, [UInt8])])
  func bareIPIsOfEitherVersion(linkType: UInt16, header: [UInt8]) {
    let packet: [UInt8] = [0x60, 0, 0, 0, 0, 0, 59, 64] + [UInt8](repeating: 1, count: 32)
    let result = decoded(header + packet, linkType: linkType).outer
    #expect(result.network == .ipv6 && result.hopLimit == 64)
  }

  @Test(arguments: [(0, [7, 0, 0, 0, 0x45]), (108, [2, 0, 0, 0, 0x45]), (101, [0x15, 0]), (12, [0xff])] as [(UInt16, [UInt8])])
  func bareIPOfNoKnownVersionIsCarried(linkType: UInt16, bytes: [UInt8]) {
    let result = decoded(bytes, linkType: linkType).outer
    #expect(result.network == .other && result.stop.reason == .unknownProtocol)
  }

  @Test(arguments: [0, 12, 101, 108, 228, 229] as [UInt16]) func bareIPThatIsCutSaysSo(linkType: UInt16) {
    for length in 0...4 {
      let result = decoded(Array([2, 0, 0, 0, 0x45].prefix(length)), wireLength: 60, linkType: linkType)
      #expect(!result.hasInner && result.outer.stop.reason != .complete)
    }
  }

  @Test(arguments: [2, 105, 127, 239, 65535] as [UInt16])
  func otherLinkTypesAreNotDecoded(linkType: UInt16) {
    let result = decoded(samples[0].bytes, linkType: linkType)
    #expect(result.link.kind == .unsupported && result.outer.network == .none && !result.outer.hasSource)
    #expect(result.outer.stop.reason == .unknownProtocol)
  }

  @Test func decodingAgainLeavesNothingOfTheFrameBefore() {
    var reused = DecodedFrame()
    for first in samples {
      for second in samples {
        decode(first.bytes.span, wireLength: 0, linkType: first.linkType, tunnels: .common, into: &reused)
        decode(second.bytes.span, wireLength: 0, linkType: second.linkType, tunnels: .common, into: &reused)
        #expect(FrameValue(reused) == FrameValue(decoded(second)))
      }
    }
  }
}
