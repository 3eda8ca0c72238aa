import Testing
import Verification

@testable import Jobs

/// Guests that send the same bytes twice, half a second apart, and captures that begin or end in between.
@Suite("Repeated frames") struct RepeatedFramesTests {
  enum Point: CaseIterable, Sendable {
    /// The sender's port, its tunnel interface, that of the receiver.
    case port, sending, receiving

    func has(_ sighting: MadeOverlay.Sighting) -> Bool {
      switch (self, sighting.place) {
      case (.port, .tap), (.port, .qvo): sighting.host == 0
      case (.sending, .out), (.sending, .in): sighting.host == 0
      case (.receiving, .out), (.receiving, .in): sighting.host == 2
      default: false
      }
    }
  }

  @Test(arguments: Point.allCases, [true, false])
  func areNotDoubledWhereACaptureLacksTheOther(point: Point, begins: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    // Behind 20 rounds of four frames, and the first of twelve frames that are sent twice.
    let turn = 20 * 4 + 12
    overlay.loses = { point.has($0) && (begins ? $0.serial < turn : $0.serial >= turn) }
    func send(_ overlay: inout MadeOverlay, _ from: Int, _ to: Int, _ number: Int, at time: Int64) {
      overlay.send(overlay.datagram(from, to: to, number), from: from, at: time)
    }
    for round in 0..<40 {
      let time = Int64(round) * 100_000_000 + (round < 20 ? 0 : 1_000_000_000)
      for (number, (from, to)) in [(0, 2), (2, 0), (0, 1), (1, 0)].enumerated() {
        send(&overlay, from, to, round * 10 + number, at: time + Int64(number) * 10_000_000)
      }
      guard round == 19 else { continue }
      for number in 0..<24 {
        send(&overlay, 0, 2, 5000 + number % 12, at: 2_100_000_000 + Int64(number) * 30_000_000)
      }
    }
    let report = try overlay.verify()
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict != .fail)
  }
}
