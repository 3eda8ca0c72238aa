import Testing

@testable import Wire

@Suite struct NetworkLayerTests {
  // MARK: ARP

  @Test(arguments: [(EtherType.arp, 1), (EtherType.arp, 2), (EtherType.reverseARP, 3)] as [(UInt16, UInt16)])
  func arpIsReadWithoutItsPadding(type: UInt16, operation: UInt16) {
    let bytes = frame {
      $0.arp(operation: operation, senderMAC: macA, sender: addressA, targetMAC: macB, target: addressB)
      $0.pad(to: 60)
    }
    let result = decoded(bytes.replacing(at: 12, with: UInt8(type >> 8), UInt8(type & 0xff))).outer
    #expect(result.network == .arp && result.etherType == type && result.arpOperation == operation)
    #expect(result.arpSenderMAC == macA && result.arpTargetMAC == macB)
    #expect(result.sourceAddress == addressA && result.destinationAddress == addressB)
    #expect(result.networkLength == 28 && result.stop.reason == .complete)
  }

  @Test(arguments: [
    // (offset in the ARP packet, octet, length)
    (4, 8, 32), (4, 0, 16), (5, 16, 52), (5, 0, 20), (2, 0x86, 28),
  ])
  func arpOfOtherAddressKindsIsCarried(offset: Int, octet: Int, length: UInt32) {
    let bytes = frame {
      $0.arp(operation: 2, senderMAC: macA, sender: addressA, targetMAC: macB, target: addressB)
      $0.pad(to: 120)
    }
    let result = decoded(bytes.replacing(at: 14 + offset, with: UInt8(octet))).outer
    #expect(result.network == .arp && result.arpOperation == 2 && result.networkLength == length)
    #expect(result.sourceAddress == .none && result.arpSenderMAC == .zero)
    #expect(result.stop.reason == .unknownProtocol && result.stop.layer == .arp)
  }

  @Test func arpWithAddressesBeyondTheFrameIsMalformed() {
    let bytes = frame { $0.arp(operation: 1, senderMAC: macA, sender: addressA, targetMAC: macB, target: addressB) }
    let result = decoded(bytes.replacing(at: 18, with: 255, 255)).outer
    #expect(result.stop == DecodeStop(reason: .malformed, layer: .arp, limit: .wire, offset: 14, need: 1028, have: 28))
    #expect(result.network == .arp && result.arpOperation == 1)
  }

  // MARK: IPv4

  @Test func ipv4FieldsAreRead() {
    var fields = FrameBuilder.IPFields()
    fields.trafficClass = 0xb9
    fields.hopLimit = 3
    fields.identification = 0xabcd
    fields.dontFragment = true
    fields.options = [1, 1, 1, 1]
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB, fields: fields) { $0.udp(from: 1, to: 2) { $0.append([5]) } }
      $0.pad(to: 60)
    }
    let result = decoded(bytes).outer
    #expect(result.network == .ipv4 && result.networkOffset == 14 && result.networkLength == 33)
    #expect(result.sourceAddress == addressA && result.destinationAddress == addressB)
    #expect(result.trafficClass == 0xb9 && result.hopLimit == 3 && result.ipProtocol == 17)
    #expect(result.identification == 0xabcd && result.dontFragment && !result.isFragment && !result.moreFragments)
    #expect(result.transportOffset == 38 && result.payloadOffset == 46)
  }

  /// What the header says of itself, and the stop that it must cause. Packet: 20 octets IPv4, 8 UDP, 4 payload.
  @Test(
    arguments: [
      // (offset in the packet, octets, stop)
      (0, [0x55], DecodeStop(reason: .malformed, layer: .ipv4, limit: .value, offset: 14, need: 4, have: 5)),
      (0, [0x44], DecodeStop(reason: .malformed, layer: .ipv4, limit: .headerLength, offset: 14, need: 20, have: 16)),
      (0, [0x40], DecodeStop(reason: .malformed, layer: .ipv4, limit: .headerLength, offset: 14, need: 20, have: 0)),
      (
        0, [0x4f], DecodeStop(reason: .malformed, layer: .ipv4, limit: .ipv4TotalLength, offset: 14, need: 60, have: 32)
      ),
      (
        2, [0, 19],
        DecodeStop(reason: .malformed, layer: .ipv4, limit: .ipv4TotalLength, offset: 14, need: 20, have: 19)
      ),
      (2, [0, 27], DecodeStop(reason: .malformed, layer: .udp, limit: .ipv4TotalLength, offset: 34, need: 8, have: 7)),
      (
        2, [0, 28], DecodeStop(reason: .malformed, layer: .udp, limit: .ipv4TotalLength, offset: 34, need: 12, have: 8)
      ),
      (2, [0, 33], DecodeStop(reason: .malformed, layer: .ipv4, limit: .wire, offset: 14, need: 33, have: 32)),
      (2, [255, 255], DecodeStop(reason: .malformed, layer: .ipv4, limit: .wire, offset: 14, need: 65535, have: 32)),
      (
        24, [0, 13],
        DecodeStop(reason: .malformed, layer: .udp, limit: .ipv4TotalLength, offset: 34, need: 13, have: 12)
      ),
      (24, [0, 7], DecodeStop(reason: .malformed, layer: .udp, limit: .udpLength, offset: 34, need: 8, have: 7)),
      (24, [0, 0], DecodeStop(reason: .malformed, layer: .udp, limit: .udpLength, offset: 34, need: 8, have: 0)),
      (24, [0, 8], DecodeStop(reason: .complete)),
    ] as [(Int, [UInt8], DecodeStop)])
  func headersThatContradictTheFrame(offset: Int, octets: [UInt8], stop: DecodeStop) {
    var bytes = frame { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) { $0.append([1, 2, 3, 4]) } } }
    bytes.replaceSubrange((14 + offset)..<(14 + offset + octets.count), with: octets)
    let result = decoded(bytes).outer
    #expect(result.stop == stop)
    // What is readable is kept.
    #expect(result.destination == macB)
    if stop.limit != .value { #expect(result.network == .ipv4) }
    if stop.layer == .udp && stop.have >= 8 || stop.limit == .wire { #expect(result.destinationPort == 2) }
  }

  @Test func superframeWithoutTotalLengthHasTheLengthOnTheWire() {
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB) {
        $0.tcp(from: 1, to: 2, sequence: 7) { $0.append([UInt8](repeating: 0, count: 70_000)) }
      }
    }
    #expect(bytes[16] == 0 && bytes[17] == 0)
    let result = decoded(Array(bytes[..<100]), wireLength: bytes.count).outer
    #expect(result.networkLength == 70_040 && result.tcpSequence == 7 && result.stop.reason == .complete)
  }

  @Test func overlongPacketOfAnUnknownProtocolIsMalformed() {
    let bytes = frame { $0.ipv4(from: addressA, to: addressB) { $0.ipProtocol(132) } }.replacing(at: 16, with: 0, 40)
    let result = decoded(bytes).outer
    #expect(
      result.stop == DecodeStop(reason: .malformed, layer: .ipv4, limit: .wire, offset: 14, need: 40, have: 20))
    #expect(result.transport == .other)
  }

  @Test func emptyTotalLengthOfOtherProtocolsIsMalformed() {
    let bytes = frame { $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: 8) } }.replacing(at: 16, with: 0, 0)
    let result = decoded(bytes).outer
    #expect(result.stop.reason == .malformed && result.stop.limit == .ipv4TotalLength && result.network == .ipv4)
  }

  @Test func overlongPacketCutByTheCaptureIsNotMalformed() {
    // Total length 1500, 60 captured of 1514.
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2) { $0.append([UInt8](repeating: 0, count: 1460)) } }
    }
    let result = decoded(Array(bytes[..<60]), wireLength: bytes.count).outer
    #expect(result.stop.reason == .complete && result.networkLength == 1500)
    #expect(decoded(Array(bytes[..<60]), wireLength: 60).outer.stop.reason == .malformed)
  }

  // MARK: Fragments

  @Test func firstFragmentHasItsTransportHeader() {
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    fields.identification = 5
    // UDP length 1000 in a packet of 36.
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB, fields: fields) { $0.udp(from: 1, to: 2) { $0.append([0, 0, 0, 0]) } }
    }.replacing(at: 38, with: 3, 0xe8)
    let result = decoded(bytes).outer
    #expect(result.isFragment && result.moreFragments && result.fragmentOffset == 0 && result.identification == 5)
    #expect(result.transport == .udp && result.udpLength == 1000 && result.stop.reason == .complete)
  }

  @Test func headerThatGoesOnInAnotherFragmentIsCutNotMalformed() {
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB, fields: fields) {
        $0.ipProtocol(IPProtocol.tcp)
        $0.append([0, 80, 1, 2, 0, 0, 0, 9])
      }
      $0.pad(to: 60)
    }
    let result = decoded(bytes).outer
    #expect(
      result.stop
        == DecodeStop(reason: .cutByCapture, layer: .tcp, limit: .ipv4TotalLength, offset: 34, need: 20, have: 8))
    #expect(result.transport == .tcp && result.sourcePort == 80 && result.tcpSequence == 9)
  }

  @Test func lengthThatEndsInsideTheFragmentLeavesNothingToAnother() {
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    let inner = frame { $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2) } }
    // The inner total length is 25: five octets of TCP.
    let result = decoded(encapsulated(inner, fields: fields).replacing(at: 66, with: 0, 25))
    #expect(
      result.inner.stop
        == DecodeStop(reason: .malformed, layer: .tcp, limit: .ipv4TotalLength, offset: 84, need: 20, have: 5))
  }

  @Test func fragmentThatTheCaptureCutIsLimitedByTheCapture() {
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB, fields: fields) {
        $0.ipProtocol(IPProtocol.tcp)
        $0.append([0, 80, 1, 2, 0, 0, 0, 9])
      }
    }
    let result = decoded(Array(bytes[..<38]), wireLength: bytes.count).outer
    #expect(
      result.stop == DecodeStop(reason: .cutByCapture, layer: .tcp, limit: .captured, offset: 34, need: 20, have: 4))
  }

  @Test func laterFragmentHasNoTransportHeader() {
    var fields = FrameBuilder.IPFields()
    fields.fragmentOffset = 0xfff8
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB, fields: fields) {
        $0.ipProtocol(17)
        $0.append([0, 1, 18, 0xb5, 0, 8, 0, 0])
      }
    }
    let result = decoded(bytes).outer
    #expect(result.isFragment && !result.moreFragments && result.fragmentOffset == 65528)
    #expect(result.transport == .none && result.transportOffset == 0 && result.payloadOffset == 34)
    #expect(result.ipProtocol == 17 && result.stop.reason == .complete)
  }

  @Test func tunnelIsOpenedInAFirstFragmentOnly() {
    let inner = samples[1].bytes
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    let whole = encapsulated(inner, fields: fields)
    // The rest of the inner frame, from its TCP header on, is in another fragment.
    let total = UInt8(20 + 8 + 8 + 34 + 4)
    let first = decoded(Array(whole.replacing(at: 16, with: 0, total)[..<(14 + Int(total))]))
    #expect(first.tunnel.kind == .vxlan && first.hasInner && first.inner.sourceAddress == addressA)
    #expect(first.outer.stop.reason == .complete)
    #expect(first.inner.stop.reason == .cutByCapture && first.inner.stop.layer == .tcp)
    #expect(first.inner.stop.limit == .ipv4TotalLength && first.inner.stop.have == 4)

    fields.fragmentOffset = 8
    let later = decoded(encapsulated(inner, fields: fields))
    #expect(later.tunnel.kind == .none && !later.hasInner)
  }

  // MARK: IPv6

  @Test func ipv6FieldsAreRead() {
    var fields = FrameBuilder.IPFields()
    fields.trafficClass = 0xb9
    fields.hopLimit = 255
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B, fields: fields) { $0.udp(from: 1, to: 2) }
      $0.pad(to: 70)
    }
    let result = decoded(bytes).outer
    #expect(result.network == .ipv6 && result.networkLength == 48)
    #expect(result.sourceAddress == address6A && result.destinationAddress == address6B)
    #expect(result.trafficClass == 0xb9 && result.hopLimit == 255 && result.ipProtocol == 17)
    #expect(result.transportOffset == 54 && result.stop.reason == .complete)
  }

  @Test func extensionHeadersAreSkipped() {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        for number in [0, 43, 51, 60, 135, 139, 140] as [UInt8] {
          $0.ipv6Extension(number, [UInt8](repeating: 254, count: 14))
        }
        $0.tcp(from: 1, to: 2)
      }
    }
    let result = decoded(bytes).outer
    #expect(result.ipProtocol == IPProtocol.tcp && result.transport == .tcp && result.transportOffset == 54 + 7 * 16)
  }

  @Test func endlessExtensionHeadersEndWithThePacket() {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        for _ in 0..<5000 { $0.ipv6Extension(60) }
        $0.ipProtocol(60)
      }
    }
    let stop = decoded(bytes).outer.stop
    #expect(
      stop
        == DecodeStop(
          reason: .malformed, layer: .ipv6Extension, limit: .ipv6PayloadLength, offset: 40_054, need: 8, have: 0))
  }

  @Test func extensionHeaderBeyondThePacketIsMalformed() {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        $0.ipv6Extension(60)
        $0.tcp(from: 1, to: 2)
      }
    }
    let result = decoded(bytes.replacing(at: 55, with: 255)).outer
    #expect(
      result.stop
        == DecodeStop(
          reason: .malformed, layer: .ipv6Extension, limit: .ipv6PayloadLength, offset: 54, need: 2048, have: 28))
    #expect(result.sourceAddress == address6A && result.transport == .none)
  }

  @Test(
    arguments: [
      // (offset and flags, offset in octets, more, fragment, has transport header)
      (0x0000, 0, false, false, true), (0x0001, 0, true, true, true), (0x0006, 0, false, false, true),
      (0x0008, 8, false, true, false),
      (0xfff9, 65528, true, true, false),
    ] as [(UInt16, UInt32, Bool, Bool, Bool)])
  func ipv6Fragments(field: UInt16, offset: UInt32, more: Bool, isFragment: Bool, hasTransport: Bool) {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        $0.ipv6Extension(44, [UInt8(field >> 8), UInt8(field & 0xff), 1, 2, 3, 4])
        $0.udp(from: 1, to: 2)
      }
    }
    let result = decoded(bytes).outer
    #expect(result.fragmentOffset == offset && result.moreFragments == more && result.isFragment == isFragment)
    #expect(result.identification == 0x0102_0304 && result.ipProtocol == 17)
    #expect((result.transport == .udp) == hasTransport)
    #expect(result.stop.reason == .complete)
  }

  @Test(
    arguments: [
      (0, [0x40], DecodeStop(reason: .malformed, layer: .ipv6, limit: .value, offset: 14, need: 6, have: 4)),
      (4, [0, 29], DecodeStop(reason: .malformed, layer: .ipv6, limit: .wire, offset: 14, need: 69, have: 68)),
      (
        4, [0, 19],
        DecodeStop(reason: .malformed, layer: .tcp, limit: .ipv6PayloadLength, offset: 54, need: 20, have: 19)
      ),
      (52, [0x40], DecodeStop(reason: .malformed, layer: .tcp, limit: .headerLength, offset: 54, need: 20, have: 16)),
      (
        52, [0x80],
        DecodeStop(reason: .malformed, layer: .tcp, limit: .ipv6PayloadLength, offset: 54, need: 32, have: 28)
      ),
      (6, [59], DecodeStop(reason: .complete)),
      (6, [50], DecodeStop(reason: .unknownProtocol, layer: .ipv6, limit: .value, offset: 14)),
      (6, [1], DecodeStop(reason: .unknownProtocol, layer: .ipv6, limit: .value, offset: 14)),
    ] as [(Int, [UInt8], DecodeStop)])
  func ipv6HeadersThatContradictTheFrame(offset: Int, octets: [UInt8], stop: DecodeStop) {
    var bytes = frame {
      $0.ipv6(from: address6A, to: address6B) { $0.tcp(from: 1, to: 2) { $0.append([UInt8](1...8)) } }
    }
    bytes.replaceSubrange((14 + offset)..<(14 + offset + octets.count), with: octets)
    #expect(decoded(bytes).outer.stop == stop)
  }

  @Test func jumbogramHasTheLengthOnTheWire() {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        $0.ipv6Extension(0, [0xc2, 4, 0, 1, 0x38, 0x80])
        $0.tcp(from: 1, to: 2) { $0.append([UInt8](repeating: 0, count: 80_000)) }
      }
    }
    #expect(bytes[18] == 0 && bytes[19] == 0)
    let result = decoded(bytes).outer
    #expect(result.transport == .tcp && result.networkLength == 80_068 && result.stop.reason == .complete)
  }
}
