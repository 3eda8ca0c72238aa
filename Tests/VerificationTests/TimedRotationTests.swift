import Foundation
import Testing
import Verification

@testable import Jobs

/// Captures that were rotated by time (`tcpdump -G 2`): a next file begins with the first frame after that.
@Suite("Captures rotated by time") struct TimedRotationTests {
  private static let interval = 2.0

  /// The files that such a rotation makes of a capture, with the times in seconds at which they begin.
  private static func rotated(_ data: Data) -> [(start: Double, data: Data)] {
    let bytes = [UInt8](data)
    func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
    var files: [(start: Double, data: Data)] = []
    var at = 24
    while at + 16 <= bytes.count {
      let time = Double(word(at)) + Double(word(at + 4)) / 1e9
      let end = at + 16 + word(at + 8)
      if files.last.map({ time - $0.start >= interval }) ?? true { files.append((time, data.prefix(24))) }
      files[files.count - 1].data += data[at..<end]
      at = end
    }
    return files
  }

  /// Nothing passes the third host's underlay from 2.5 s until `end`.
  private static func overlay(until end: Double) -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    MadeFaultsTests.talk(&overlay, rounds: 1)
    var isCut = false
    overlay.drops = { sighting in
      switch sighting.place {
      case .in: isCut && (sighting.host == 2)
      case .out: isCut && sighting.host == 2
      default: false
      }
    }
    for number in 0..<200 {
      let time = 0.2 + Double(number) * 0.05
      isCut = time >= 2.5 && time < end
      for (a, b) in [(0, 2), (2, 0), (1, 2), (0, 1)] {
        overlay.send(overlay.datagram(a, to: b, 1000 + number * 10 + a, port: UInt16(41_000 + number % 7)), from: a, at: Int64(time * 1e9) + Int64(a) * 3_000_000)
      }
    }
    return overlay
  }

  private static func verify(_ overlay: MadeOverlay, without missing: Int? = nil) throws -> Report {
    var files = overlay.files()
    let taken = files.removeValue(forKey: "cedar/eth1.pcap")
    let whole = try #require(taken)
    for (number, piece) in rotated(whole).enumerated() where number != missing {
      files["cedar/eth1-2023-11-14_22-13-\(20 + 2 * number).pcap"] = piece.data
    }
    return try Bundles.verify(files: files)
  }

  /// No file can lie in a pause in which a rotation is due once.
  @Test func whatVanishesInAShortPauseIsLost() throws {
    let report = try Self.verify(Self.overlay(until: 4.7))
    #expect(MadeFaultsTests.causes(report).contains { $0.rule == "frame-lost" && $0.message.contains("from ash to cedar") })
  }

  /// In a longer one a file may be missing, and no other frame tells.
  @Test func whatVanishesInALongPauseIsNoPass() throws {
    let report = try Self.verify(Self.overlay(until: 7.5))
    #expect(report.verdict != .pass)
    #expect(report.verdict == .fail || report.reasons.contains { $0.contains("pause between two capture files of cedar") })
  }

  /// What passed meanwhile shows that a file is missing.
  @Test(arguments: [1, 2]) func aMissingFileProvesNothing(missing: Int) throws {
    let report = try Self.verify(Self.overlay(until: 0), without: missing)
    #expect(report.verdict == .pass)
    #expect(MadeFaultsTests.causes(report).map(\.message) == [])
  }
}
