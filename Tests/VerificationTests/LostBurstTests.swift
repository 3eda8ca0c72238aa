import Testing
import Verification
import Wire

@testable import Jobs

/// Captures lose frames in bursts: what all captures of a host lack at once was not forged for that.
@Suite("Bursts that captures lost") struct LostBurstTests {
  /// The first guest sends frames to the third that no capture of its host shows.
  private func lost(_ frames: [[UInt8]], every gap: Int64, _ arrange: (inout MadeOverlay) -> Void) throws -> Report {
    var overlay = MadeFaultsTests.overlay()
    overlay.loses = { $0.host == 0 && frames.contains($0.frame) }
    arrange(&overlay)
    MadeFaultsTests.talk(&overlay)
    for (number, frame) in frames.enumerated() { overlay.send(frame, from: 0, at: 1_503_000_000 + Int64(number) * gap) }
    return try overlay.verify()
  }

  private var datagrams: [[UInt8]] { (0..<12).map { MadeFaultsTests.overlay().datagram(0, to: 2, 9000 + $0) } }

  private var segments: [[UInt8]] {
    let overlay = MadeFaultsTests.overlay()
    return (0..<12).map { number in
      var frame = FrameBuilder()
      frame.ethernet(to: overlay.guests[2].mac, from: overlay.guests[0].mac)
      var fields = FrameBuilder.IPFields()
      fields.identification = UInt16(9000 + number)
      frame.ipv4(from: overlay.guests[0].address, to: overlay.guests[2].address, fields: fields) {
        $0.tcp(from: 40_000, to: 5_000, sequence: UInt32(number * 1000), acknowledgment: 1, flags: 0x10) {
          $0.append(repeatElement(UInt8(number), count: 1000))
        }
      }
      return frame.bytes
    }
  }

  @Test(arguments: [false, true])
  func isNoForgery(isOneFile: Bool) throws {
    let report = try lost(datagrams, every: 50_000) { $0.isOneFile = isOneFile }
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict == .pass)
  }

  @Test("What is lacking again and again was not sent", arguments: [false, true])
  func forgeries(isOneFile: Bool) throws {
    let report = try lost(datagrams, every: 50_000_000) { $0.isOneFile = isOneFile }
    #expect(MadeFaultsTests.causes(report).map(\.rule) == ["forged-tunnel-frame"])
    #expect(report.verdict == .fail)
  }

  /// NICs cut and join segments: that one was not sent as such proves nothing, though its header is cut off.
  @Test("Segments whose header was cut off are segments all the same", arguments: [86, 90, 96])
  func cutSegments(snapLength: Int) throws {
    let report = try lost(segments, every: 50_000_000) { $0.snapLength = snapLength }
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict == .pass)
  }
}
