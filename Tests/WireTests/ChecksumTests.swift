import Testing

@testable import Wire

@Suite struct ChecksumTests {
  @Test func sumOfTheExampleInRFC1071() {
    var checksum = InternetChecksum()
    checksum.add(([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7] as [UInt8]).span)
    #expect(checksum.folded == 0xddf2 && checksum.value == 0x220d)
  }

  @Test func sumAgreesWithOneWordAtATime() {
    var random = SplitMix64(seed: 3)
    for length in 0..<300 {
      let bytes = (0..<length).map { _ in random.next() & 3 == 0 ? 0xff : UInt8(truncatingIfNeeded: random.next()) }
      var expected: UInt32 = 0
      for index in stride(from: 0, to: length, by: 2) {
        expected += UInt32(bytes[index]) << 8 | (index + 1 < length ? UInt32(bytes[index + 1]) : 0)
        expected = expected & 0xffff + expected >> 16
      }
      var checksum = InternetChecksum()
      checksum.add(bytes.span)
      #expect(UInt32(checksum.folded) == expected)
    }
  }

  @Test func knownIPv4Header() {
    // Checksum 0xb861, as computed by hand in many textbooks.
    let header: [UInt8] = [
      0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
    ]
    let bytes = frame {
      $0.type(EtherType.ipv4)
      $0.append(header)
    }
    #expect(decoded(bytes, wireLength: 129).outer.ipv4HeaderChecksum(in: bytes.span) == .correct)
    let wrong = bytes.replacing(at: 22, with: 0x3f)
    #expect(decoded(wrong, wireLength: 129).outer.ipv4HeaderChecksum(in: wrong.span) == .wrong)
  }

  @Test(arguments: transports)
  func builtPacketsAreCorrectUntilAnyOctetChanges(sample: Sample) {
    let headers = decoded(sample.bytes).outer
    #expect(headers.transportChecksum(in: sample.bytes.span) == .correct)
    for offset in Int(headers.transportOffset)..<sample.bytes.count {
      let changed = sample.bytes.replacing(at: offset, with: sample.bytes[offset] ^ 0x10)
      // The headers as they were: only the content is in question.
      #expect(headers.transportChecksum(in: changed.span) != .correct, "at \(offset)")
    }
  }

  @Test(arguments: transports)
  func checksumOfAnIncompletePacketIsUncheckable(sample: Sample) {
    for length in 0..<sample.bytes.count {
      let cut = Array(sample.bytes[..<length])
      #expect(decoded(cut, wireLength: sample.bytes.count).outer.transportChecksum(in: cut.span) == .uncheckable)
    }
  }

  @Test(arguments: transports)
  func headersOfOtherBytesDoNotTrap(sample: Sample) {
    let headers = decoded(sample.bytes).outer
    for length in 0..<sample.bytes.count {
      let other = [UInt8](repeating: 0x5a, count: length)
      #expect(headers.transportChecksum(in: other.span) != .correct)
      #expect(headers.ipv4HeaderChecksum(in: other.span) != .correct)
    }
  }

  @Test(arguments: transports)
  func paddingIsNotSummed(sample: Sample) {
    let padded = sample.bytes + [1, 2, 3, 4, 5]
    #expect(decoded(padded).outer.transportChecksum(in: padded.span) == .correct)
  }

  @Test func udpWithoutChecksum() {
    for overIPv6 in [false, true] {
      let bytes = frame {
        if overIPv6 {
          $0.ipv6(from: address6A, to: address6B) { $0.udp(from: 1, to: 2, hasChecksum: false) }
        } else {
          $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2, hasChecksum: false) }
        }
      }
      #expect(decoded(bytes).outer.transportChecksum(in: bytes.span) == .absent)
    }
  }

  @Test func udpChecksumOfZeroIsWrittenAsAllOnes() {
    // Find a payload whose sum is zero: the checksum of the packet with a zero word becomes that word.
    func packet(_ word: UInt16) -> [UInt8] {
      frame { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) { $0.append(word) } } }
    }
    let first = packet(0)
    let bytes = packet(UInt16(first[40]) << 8 | UInt16(first[41]))
    #expect(bytes[40] == 0xff && bytes[41] == 0xff)
    #expect(decoded(bytes).outer.transportChecksum(in: bytes.span) == .correct)
  }

  @Test func unfinishedChecksumHoldsThePseudoHeader() {
    var bytes = frame { $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2) { $0.append([7]) } } }
    var pseudo = InternetChecksum()
    pseudo.add(addressA)
    pseudo.add(addressB)
    pseudo.add(21 as UInt16)
    pseudo.add(6 as UInt16)
    bytes = bytes.replacing(at: 50, with: UInt8(pseudo.folded >> 8), UInt8(pseudo.folded & 0xff))
    #expect(decoded(bytes).outer.transportChecksum(in: bytes.span) == .unfinished)
  }

  @Test func emptyICMPChecksumIsWrong() {
    let bytes = frame { $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: 8) } }.replacing(at: 36, with: 0, 0)
    #expect(decoded(bytes).outer.transportChecksum(in: bytes.span) == .wrong)
  }

  @Test func fragmentsAndMalformedPacketsAreUncheckable() {
    var fields = FrameBuilder.IPFields()
    fields.moreFragments = true
    let first = frame { $0.ipv4(from: addressA, to: addressB, fields: fields) { $0.udp(from: 1, to: 2) } }
    #expect(decoded(first).outer.transportChecksum(in: first.span) == .uncheckable)
    let long = frame { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) } }.replacing(at: 38, with: 0, 9)
    #expect(decoded(long).outer.transportChecksum(in: long.span) == .uncheckable)
    for sample in samples where decoded(sample).outer.transport == .none {
      #expect(decoded(sample).outer.transportChecksum(in: sample.bytes.span) == .uncheckable)
    }
  }

  @Test(arguments: [(0, ChecksumState.correct), (1, .uncheckable)] as [(UInt8, ChecksumState)])
  func routingHeaderWithSegmentsLeftHidesTheDestination(segments: UInt8, state: ChecksumState) {
    let bytes = frame {
      $0.ipv6(from: address6A, to: address6B) {
        $0.ipv6Extension(0)
        $0.ipv6Extension(43, [4, segments])
        $0.udp(from: 1, to: 2)
      }
    }
    #expect(decoded(bytes).outer.transportChecksum(in: bytes.span) == state)
  }

  @Test(arguments: Overlay.allCases)
  func innerPacketsAreCheckedInPlace(overlay: Overlay) {
    for sample in transports {
      let bytes = encapsulated(sample.bytes, by: overlay)
      let result = decoded(bytes)
      #expect(result.inner.transportChecksum(in: bytes.span) == .correct)
      #expect(result.outer.ipv4HeaderChecksum(in: bytes.span) == .correct)
      #expect(
        result.outer.transportChecksum(in: bytes.span)
          == (overlay == .vxlan ? .absent : overlay == .geneve ? .correct : .uncheckable))
    }
  }
}

private let transports: [Sample] = [
  Sample(
    name: "UDP", bytes: frame { $0.ipv4(from: addressA, to: addressB) { $0.udp(from: 1, to: 2) { $0.append([1]) } } }),
  Sample(
    name: "TCP",
    bytes: frame {
      $0.ipv4(from: addressA, to: addressB) { $0.tcp(from: 1, to: 2, options: [1]) { $0.append([1, 2]) } }
    }),
  Sample(
    name: "ICMP", bytes: frame { $0.ipv4(from: addressA, to: addressB) { $0.icmp(type: 8) { $0.append([1, 2, 3]) } } }),
  Sample(
    name: "UDP, IPv6",
    bytes: frame { $0.ipv6(from: address6A, to: address6B) { $0.udp(from: 1, to: 2) { $0.append([1]) } } }),
  Sample(name: "TCP, IPv6", bytes: frame { $0.ipv6(from: address6A, to: address6B) { $0.tcp(from: 1, to: 2) } }),
  Sample(
    name: "ICMPv6",
    bytes: frame { $0.ipv6(from: address6A, to: address6B) { $0.icmpv6(type: 135) { $0.append(address6B) } } }),
]
