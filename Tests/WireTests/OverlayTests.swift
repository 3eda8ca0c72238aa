import Testing

@testable import Wire

private let innerFrame = frame { $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2, sequence: 77) } }

@Suite struct OverlayTests {
  @Test(arguments: Overlay.allCases, [false, true])
  func innerFrameIsDecodedAsIfItStoodAlone(overlay: Overlay, overIPv6: Bool) {
    for outerTag in [nil, vlan(100)] {
      let bytes = encapsulated(innerFrame, by: overlay, id: 0x39, overIPv6: overIPv6, outerTag: outerTag)
      let result = decoded(bytes)
      #expect(result.hasInner && result.tunnel.hasID && result.tunnel.id == 0x39)
      #expect(result.outer.tags.count == (outerTag == nil ? 0 : 1))
      #expect(result.outer.sourceAddress == (overIPv6 ? address6A : vtepA))
      #expect(result.outer.stop.reason == .complete && result.inner.stop.reason == .complete)
      #expect(Int(result.inner.start) == bytes.count - innerFrame.count)
      #expect(result.tunnel.offset + result.tunnel.length == result.inner.start)

      // The same as alone, save that its offsets begin at `start`.
      var alone = decoded(innerFrame).outer
      alone.start += result.inner.start
      alone.networkOffset += result.inner.start
      alone.transportOffset += result.inner.start
      alone.payloadOffset += result.inner.start
      #expect(result.inner == alone)
    }
  }

  @Test func vxlanKeepsFlagsAndReservedBits() {
    let bytes = encapsulated(innerFrame, id: 0xffffff)
    let header = 14 + 20 + 8
    let result = decoded(
      bytes.replacing(at: header, with: 0x88, 0x40, 0x12, 0x34).replacing(at: header + 7, with: 0x56))
    #expect(result.tunnel.kind == .vxlan && result.tunnel.flags == 0x88 && result.tunnel.reserved == 0x4012_3456)
    #expect(result.tunnel.id == 0xffffff && result.tunnel.hasID && result.hasInner)
    #expect(result.tunnel.offset == 42 && result.tunnel.length == 8 && result.tunnel.protocolType == 0)
  }

  @Test(arguments: [0x00, 0xf7] as [UInt8])
  func vxlanWithoutTheIFlagIsOpenedAndMarked(flags: UInt8) {
    let result = decoded(encapsulated(innerFrame).replacing(at: 42, with: flags))
    #expect(result.tunnel.kind == .vxlan && !result.tunnel.hasID && result.tunnel.id == 57)
    #expect(result.hasInner && result.inner.tcpSequence == 77)
  }

  @Test(
    arguments: [
      // (destination port, ports that are opened, kind)
      (4789, TunnelPorts(), .vxlan), (8472, TunnelPorts(), .none), (8472, .common, .vxlan),
      (6081, TunnelPorts(), .none),
      (0, TunnelPorts(), .none), (1234, ports(vxlan3: 1234), .vxlan), (1234, ports(vxlan2: 1234), .vxlan),
    ] as [(UInt16, TunnelPorts, TunnelHeader.Kind)])
  func vxlanIsKnownByItsPort(port: UInt16, tunnels: TunnelPorts, kind: TunnelHeader.Kind) {
    let bytes = encapsulated(innerFrame).replacing(at: 36, with: UInt8(port >> 8), UInt8(port & 0xff))
    let result = decoded(bytes, tunnels: tunnels)
    #expect(result.tunnel.kind == kind && result.hasInner == (kind != .none))
    #expect(result.outer.transport == .udp && result.outer.destinationPort == port)
  }

  @Test func sourcePortOpensNothing() {
    let bytes = encapsulated(innerFrame).replacing(at: 34, with: 0x12, 0xb5, 0x12, 0x34)
    #expect(decoded(bytes).tunnel.kind == .none)
  }

  @Test(
    arguments: [
      (key: nil as UInt32?, sequence: nil as UInt32?, checksum: false, flags: 0x0000, length: 4),
      (7, nil, false, 0x2000, 8),
      (7, 1, false, 0x3000, 12), (7, 1, true, 0xb000, 16), (nil, 1, false, 0x1000, 8), (nil, nil, true, 0x8000, 8),
      (0xffff_ffff, nil, true, 0xa000, 12),
    ] as [(key: UInt32?, sequence: UInt32?, checksum: Bool, flags: UInt16, length: UInt32)])
  func greOptionsAreSkipped(key: UInt32?, sequence: UInt32?, checksum: Bool, flags: UInt16, length: UInt32) {
    let bytes = frame {
      $0.ipv4(from: vtepA, to: vtepB) {
        $0.gre(key: key, sequence: sequence, hasChecksum: checksum) { $0.append(innerFrame) }
      }
    }
    let result = decoded(bytes)
    #expect(result.outer.transport == .gre && result.outer.stop.reason == .complete)
    #expect(result.tunnel.kind == .gre && result.tunnel.flags == flags && result.tunnel.length == length)
    #expect(result.tunnel.hasID == (key != nil) && result.tunnel.id == key ?? 0)
    #expect(result.tunnel.protocolType == EtherType.bridging)
    #expect(result.hasInner && result.inner.tcpSequence == 77)
    #expect(result.outer.transportOffset == 34 && result.outer.payloadOffset == 34 + length)
  }

  @Test(
    arguments: [
      // First four octets of the GRE header.
      [0x20, 0x01, 0x88, 0x0b], [0x20, 0x07, 0x65, 0x58], [0x60, 0x00, 0x65, 0x58], [0x20, 0x00, 0x08, 0x00],
      [0x20, 0x00, 0x88, 0xbe],
    ] as [[UInt8]])
  func otherGREIsLeft(header: [UInt8]) {
    var bytes = encapsulated(innerFrame, by: .gre)
    bytes.replaceSubrange(34..<38, with: header)
    let result = decoded(bytes)
    #expect(result.outer.transport == .gre && result.outer.transportOffset == 34)
    #expect(result.tunnel == TunnelHeader() && !result.hasInner)
    #expect(result.outer.stop == DecodeStop(reason: .unknownProtocol, layer: .gre, limit: .value, offset: 34))
  }

  @Test func greIsLeftWhereItIsNotAskedFor() {
    var tunnels = TunnelPorts()
    tunnels.gre = false
    let result = decoded(encapsulated(innerFrame, by: .gre), tunnels: tunnels)
    #expect(result.outer.transport == .gre && result.tunnel.kind == .none)
    #expect(result.outer.stop.reason == .unknownProtocol)
  }

  @Test(arguments: [0, 4, 252] as [Int])
  func geneveOptionsAreSkipped(options: Int) {
    let bytes = frame {
      $0.ipv4(from: vtepA, to: vtepB) {
        $0.udp(from: 1, to: 6081) {
          $0.geneve(vni: 0xabcdef, flags: 0x40, options: [UInt8](repeating: 0xff, count: options))
          $0.append(innerFrame)
        }
      }
    }
    let result = decoded(bytes)
    #expect(result.tunnel.kind == .geneve && result.tunnel.id == 0xabcdef && result.tunnel.flags == 0x40)
    #expect(result.tunnel.length == UInt32(8 + options) && result.inner.tcpSequence == 77)
  }

  @Test(arguments: [[0x40, 0, 0x65, 0x58], [0, 0, 0x08, 0x00]] as [[UInt8]])
  func otherGeneveIsLeft(header: [UInt8]) {
    var bytes = encapsulated(innerFrame, by: .geneve)
    bytes.replaceSubrange(42..<46, with: header)
    let result = decoded(bytes)
    #expect(result.tunnel.kind == .none && !result.hasInner && result.outer.transport == .udp)
    #expect(result.outer.stop == DecodeStop(reason: .unknownProtocol, layer: .geneve, limit: .value, offset: 42))
  }

  @Test func tunnelIsOpenedOnce() {
    for overlay in Overlay.allCases {
      let twice = encapsulated(encapsulated(innerFrame, by: overlay, id: 2), by: overlay, id: 1)
      let result = decoded(twice)
      #expect(result.tunnel.id == 1 && result.inner.sourceAddress == vtepA)
      #expect(result.inner.transport == (overlay == .gre || overlay == .greWithAll ? .gre : .udp))
    }
  }

  @Test(
    arguments: [
      // (UDP length, where decoding ends)
      (12, DecodeStop(reason: .malformed, layer: .vxlan, limit: .udpLength, offset: 42, need: 8, have: 4)),
      (8, DecodeStop(reason: .malformed, layer: .vxlan, limit: .udpLength, offset: 42, need: 8, have: 0)),
    ] as [(UInt8, DecodeStop)])
  func overlayHeaderBehindTheDatagramIsMalformed(length: UInt8, stop: DecodeStop) {
    let result = decoded(encapsulated(innerFrame).replacing(at: 38, with: 0, length))
    #expect(result.outer.stop == stop && result.tunnel.kind == .none && !result.hasInner)
  }

  @Test(
    arguments: [
      (16, false, DecodeStop(reason: .malformed, layer: .ethernet, limit: .udpLength, offset: 50, need: 14, have: 0)),
      (29, false, DecodeStop(reason: .malformed, layer: .ethernet, limit: .udpLength, offset: 50, need: 14, have: 13)),
      (49, true, DecodeStop(reason: .malformed, layer: .ipv4, limit: .udpLength, offset: 64, need: 20, have: 19)),
      (69, true, DecodeStop(reason: .malformed, layer: .tcp, limit: .udpLength, offset: 84, need: 20, have: 19)),
    ] as [(UInt8, Bool, DecodeStop)])
  func innerHeaderBehindTheDatagramIsMalformed(length: UInt8, hasInner: Bool, stop: DecodeStop) {
    let result = decoded(encapsulated(innerFrame).replacing(at: 38, with: 0, length))
    #expect(result.outer.stop.reason == .complete && result.tunnel.kind == .vxlan)
    #expect(result.hasInner == hasInner && result.inner.stop == stop)
  }

  @Test func innerTagBehindTheDatagramIsMalformed() {
    let tagged = frame(tags: [vlan(1)]) { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }
    let result = decoded(encapsulated(tagged).replacing(at: 38, with: 0, 33))
    #expect(
      result.inner.stop
        == DecodeStop(reason: .malformed, layer: .vlan, limit: .udpLength, offset: 64, need: 4, have: 3))
    #expect(result.hasInner && result.inner.source == macA && result.inner.tags.count == 0)
  }

  @Test func paddingOfTheInnerFrameBelongsToNoPacket() {
    let padded = frame {
      $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) }
      $0.pad(to: 60)
    }
    let result = decoded(encapsulated(padded))
    #expect(result.inner.networkLength == 28 && result.inner.stop.reason == .complete)
  }
}

private func ports(vxlan2: UInt16 = 0, vxlan3: UInt16 = 0) -> TunnelPorts {
  var ports = TunnelPorts()
  ports.vxlan2 = vxlan2
  ports.vxlan3 = vxlan3
  return ports
}
