import Testing
import Verification
import Wire

@testable import Jobs

/// Guests hand superframes of UDP to their hosts, which cut them into datagrams on the way out.
@Suite("Superframes of datagrams") struct DatagramSuperframeTests {
  static let segment = 1200

  /// Datagrams of a payload, numbered from a first identification on; one where `length` is that of all.
  static func datagrams(
    _ overlay: MadeOverlay, _ payload: [UInt8], length: Int, identification: UInt16, isIPv6: Bool
  ) -> [[UInt8]] {
    stride(from: 0, to: payload.count, by: length).enumerated().map { index, start in
      var frame = FrameBuilder()
      frame.ethernet(to: overlay.guests[2].mac, from: overlay.guests[0].mac)
      var fields = FrameBuilder.IPFields()
      fields.identification = identification &+ UInt16(index)
      let content: (inout FrameBuilder) -> Void = {
        $0.udp(from: 40_500, to: 443) { $0.append(Array(payload[start..<min(start + length, payload.count)])) }
      }
      if isIPv6 {
        frame.ipv6(from: IPAddress(v6High: 0xfd00_0000_0000_0000, low: 1), to: IPAddress(v6High: 0xfd00_0000_0000_0000, low: 2), fields: fields, content)
      } else {
        frame.ipv4(from: overlay.guests[0].address, to: overlay.guests[2].address, fields: fields, content)
      }
      return frame.bytes
    }
  }

  @Test(arguments: [false, true]) func areNoForgeryAndNoLoss(isIPv6: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    var cuts: [[UInt8]: [[UInt8]]] = [:]
    var wholes: [[UInt8]] = []
    for number in 0..<12 {
      let payload = (0..<(Self.segment * 3 + 100)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number &* 31) }
      let identification = UInt16(2000 + number * 4)
      let whole = Self.datagrams(overlay, payload, length: payload.count, identification: identification, isIPv6: isIPv6)[0]
      wholes.append(whole)
      cuts[whole] = Self.datagrams(overlay, payload, length: Self.segment, identification: identification, isIPv6: isIPv6)
    }
    overlay.alters = { sighting in
      if case .out = sighting.place, let parts = cuts[sighting.frame] { return parts }
      return [sighting.frame]
    }
    MadeFaultsTests.talk(&overlay, rounds: 8)
    for (number, whole) in wholes.enumerated() { overlay.send(whole, from: 0, at: 300_000_000 + Int64(number) * 40_000_000) }
    let report = try overlay.verify()
    #expect(report.findings.map { "\($0.rule): \($0.message)" } == [])
    // IPv6 does not number datagrams: its superframes stay alone, and are counted.
    #expect(report.trajectories.unjudged == (isIPv6 ? 12 : 0))
    #expect(report.coverage.first { $0.host == "ash" && $0.network == "red" }?.out == (isIPv6 ? 20 : 68))
    #expect(report.verdict == .pass)
  }
}
