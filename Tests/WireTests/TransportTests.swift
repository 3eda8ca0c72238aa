import Testing

@testable import Wire

@Suite struct TransportTests {
  @Test func tcpFieldsAreRead() {
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB) {
        $0.tcp(
          from: 40000, to: 443, sequence: 0xdead_beef, acknowledgment: 0x0102_0304, flags: 0x12, options: [1, 1, 1])
      }
    }
    let result = decoded(bytes).outer
    #expect(result.transport == .tcp && result.sourcePort == 40000 && result.destinationPort == 443)
    #expect(result.tcpSequence == 0xdead_beef && result.tcpAcknowledgment == 0x0102_0304 && result.tcpFlags == 0x12)
    #expect(result.transportOffset == 34 && result.payloadOffset == 58)
  }

  /// A snap length may end inside the TCP header; what tells segments apart is kept.
  @Test(arguments: [(7, false, false, false), (8, true, false, false), (12, true, true, false), (14, true, true, true)])
  func cutTCPHeaderKeepsWhatIsThere(captured: Int, ports: Bool, acknowledgment: Bool, flags: Bool) {
    let bytes = frame {
      $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2, sequence: 3, acknowledgment: 4, flags: 5) }
    }
    let result = decoded(Array(bytes[..<(34 + captured)]), wireLength: bytes.count).outer
    #expect(
      (result.transport == .tcp) == ports && (result.sourcePort == 1) == ports && (result.tcpSequence == 3) == ports)
    #expect((result.tcpAcknowledgment == 4) == acknowledgment && (result.tcpFlags == 5) == flags)
    #expect(result.stop == DecodeStop(reason: .cutByCapture, layer: .tcp, offset: 34, need: 20, have: UInt32(captured)))
  }

  @Test(arguments: [(8, true), (0, true), (3, false), (11, false), (13, false)] as [(UInt8, Bool)])
  func icmpEchoesHaveIdentifierAndSequence(type: UInt8, isEcho: Bool) {
    let result = decoded(
      frame { $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: type, code: 2, rest: 0x000a_000b) } }
    ).outer
    #expect(result.transport == .icmp && result.icmpType == type && result.icmpCode == 2)
    #expect(result.icmpIdentifier == (isEcho ? 10 : 0) && result.icmpSequence == (isEcho ? 11 : 0))
    #expect(result.payloadOffset == 42 && result.stop.reason == .complete)
  }

  @Test(
    arguments: [(128, true, false), (129, true, false), (133, false, false), (135, false, true), (136, false, true)]
      as [(UInt8, Bool, Bool)])
  func icmpv6EchoesAndNeighbourMessages(type: UInt8, isEcho: Bool, hasTarget: Bool) {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) { $0.icmpv6(type: type, rest: 0x000a_000b) { $0.append(address6B) } }
    }
    let result = decoded(bytes).outer
    #expect(result.transport == .icmpv6 && result.icmpType == type)
    #expect(result.icmpIdentifier == (isEcho ? 10 : 0) && result.icmpSequence == (isEcho ? 11 : 0))
    #expect(result.neighborTarget == (hasTarget ? address6B : .none))
  }

  @Test func solicitationWithoutTargetIsMalformed() {
    let result = decoded(
      frame { $0.ipv6(from: address6A, to: address6B) { $0.icmpv6(type: 135) { $0.append([1, 2]) } } }
    ).outer
    #expect(
      result.stop
        == DecodeStop(
          reason: .malformed, layer: .icmpv6, limit: .ipv6PayloadLength, offset: 54, need: 24, have: 10))
    #expect(result.transport == .icmpv6 && result.icmpType == 135)
  }

  @Test func icmpOfTheOtherFamilyIsNotRead() {
    let v4 = decoded(frame { $0.ipv4(from: addressA, to: addressB) { $0.icmpv6(type: 128) } }).outer
    let v6 = decoded(frame { $0.ipv6(from: address6A, to: address6B) { $0.icmp(type: 8) } }).outer
    #expect(v4.transport == .other && v6.transport == .other)
    #expect(v4.stop.reason == .unknownProtocol && v6.stop.reason == .unknownProtocol)
  }
}
