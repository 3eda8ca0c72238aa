import Foundation
import Testing

@testable import Wire

/// Random and damaged frames. The seed is fixed; LANECHECK_FUZZ_COUNT sets how many are tried.
@Suite struct HostileInputTests {
  static let count = ProcessInfo.processInfo.environment["LANECHECK_FUZZ_COUNT"].flatMap(Int.init) ?? 200_000

  @Test func noInputTrapsOrPointsOutsideTheFrame() {
    var random = SplitMix64(seed: 0x1a9e_c4ec)
    var reused = DecodedFrame()
    var opened = 0
    var stops = [DecodeStop.Reason: Int]()
    for round in 0..<HostileInputTests.count {
      let sample = samples[random.below(samples.count)]
      var bytes = random.below(8) == 0 ? random.bytes(random.below(200)) : sample.bytes
      for _ in 0..<random.below(4) { random.damage(&bytes) }
      let linkTypes: [UInt16] = [sample.linkType, sample.linkType, sample.linkType, 1, 113, 276, 0, 65535]
      let linkType = linkTypes[random.below(linkTypes.count)]
      let wireLengths = [bytes.count, bytes.count + random.below(2000), 0, -1, Int.min, Int.max, 1 << 40]
      let wireLength = wireLengths[random.below(wireLengths.count)]

      decode(bytes.span, wireLength: wireLength, linkType: linkType, tunnels: .common, into: &reused)
      opened += reused.hasInner ? 1 : 0
      stops[reused.outer.stop.reason, default: 0] += 1
      var problem = inconsistency(in: reused.outer, of: bytes)
      if problem == nil && reused.tunnel.kind != .none { problem = inconsistency(in: reused.inner, of: bytes) }
      if problem == nil && reused.hasInner && reused.tunnel.kind == .none { problem = "inner frame without a tunnel" }
      if Int(reused.tunnel.offset) + Int(reused.tunnel.length) > bytes.count { problem = "tunnel header outside" }
      if let problem { Issue.record("round \(round): \(problem): \(bytes)") }
    }
    // Damage must leave enough of every kind for the above to mean something.
    guard HostileInputTests.count >= 10_000 else { return }
    #expect(opened > HostileInputTests.count / 20)
    #expect(stops.count == 4 && stops.values.allSatisfy { $0 > HostileInputTests.count / 100 })
  }

  @Test func damagedTextIsReadOrRefused() {
    var random = SplitMix64(seed: 5)
    let texts = ["fa:16:3e:39:00:01", "192.0.2.255", "2001:db8::1", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8", "::"]
    for _ in 0..<HostileInputTests.count / 20 {
      var bytes = Array(texts[random.below(texts.count)].utf8)
      for _ in 0..<(1 + random.below(3)) { random.damage(&bytes, alphabet: Array("0123456789abcdefF:.-g%/ ".utf8)) }
      let text = String(decoding: bytes, as: UTF8.self)
      // What is accepted reads back the same from its canonical form.
      if let address = IPAddress(text) { #expect(IPAddress(address.description) == address, "\(text)") }
      if let address = MACAddress(text) { #expect(MACAddress(address.description) == address, "\(text)") }
    }
  }

  /// Why these headers cannot belong to these bytes; nil if they can.
  private func inconsistency(in headers: FrameHeaders, of bytes: [UInt8]) -> String? {
    let count = bytes.count
    let offsets = [headers.start, headers.networkOffset, headers.transportOffset, headers.payloadOffset]
    if offsets.contains(where: { $0 > count }) { return "offset outside: \(offsets)" }
    if headers.transport != .none && headers.transportOffset < headers.networkOffset {
      return "transport before network"
    }
    if headers.network == .none && headers.transport != .none { return "transport without network" }
    let stop = headers.stop
    if stop.reason == .cutByCapture && (stop.have >= stop.need || Int(stop.offset) + Int(stop.have) > count) {
      return "cut that is none: \(stop)"
    }
    if stop.reason == .complete && stop != DecodeStop(reason: .complete) { return "complete with a place: \(stop)" }
    if headers.ipv4HeaderChecksum(in: bytes.span) == .correct && headers.network != .ipv4 {
      return "checksum of nothing"
    }
    if headers.transportChecksum(in: bytes.span) == .correct && headers.transport == .none {
      return "checksum of nothing"
    }
    return nil
  }
}

extension SplitMix64 {
  fileprivate mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }

  /// Flips a bit, replaces, inserts, removes or repeats octets, or cuts.
  fileprivate mutating func damage(_ bytes: inout [UInt8], alphabet: [UInt8] = [0, 1, 4, 5, 8, 0x45, 0x81, 0xff]) {
    guard !bytes.isEmpty else { return }
    let at = below(bytes.count)
    switch below(7) {
    case 0: bytes[at] ^= 1 << UInt8(below(8))
    case 1: bytes[at] = alphabet[below(alphabet.count)]
    case 2: bytes.insert(alphabet[below(alphabet.count)], at: at)
    case 3: bytes.remove(at: at)
    case 4: bytes.removeSubrange(at...)
    case 5:
      let end = min(bytes.count, at + below(40))
      bytes.insert(contentsOf: Array(bytes[at..<end]), at: end)
    default: bytes[at] = UInt8(truncatingIfNeeded: next())
    }
  }
}
