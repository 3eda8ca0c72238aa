import Testing

@testable import Verification

@Suite struct ClockDoubtTests {
  static let pair = ClockDoubts.Pair(sender: 0, receiver: 1)

  /// `A`: a frame seen on both as the clocks have it; `x`: one that shows on both, too far apart; `e`: one that shows
  /// at the receiver first.
  static func doubts(after events: String) -> ClockDoubts {
    var doubts = ClockDoubts()
    var digest: UInt64 = 0
    for event in events {
      digest += 1
      switch event {
      case "A": doubts.noteAgreement(from: pair.sender, to: pair.receiver)
      case "x":
        doubts.noteSent(digest, pair)
        doubts.noteReceived(digest, pair)
      default: doubts.noteEarly(pair)
      }
    }
    return doubts
  }

  @Test(arguments: [
    (String(repeating: "AAAAxAAAA", count: 50), UInt64(50), UInt64(1)),
    ("AAAAA" + String(repeating: "x", count: 9), 9, 9),
    (String(repeating: "x", count: 5) + String(repeating: "A", count: 20) + "xxx", 8, 5),
    (String(repeating: "xxA", count: 8), 16, 9),
  ])
  func framesThatAgreeOutweighStrays(events: String, count: UInt64, longestRun: UInt64) throws {
    let tally = try #require(Self.doubts(after: events).apart[Self.pair])
    #expect(tally.count == count)
    #expect(tally.longestRun == longestRun)
  }

  @Test func arrivalsBeforeTheirDepartureAreOutweighedLikewise() throws {
    let doubts = Self.doubts(after: String(repeating: "eAA", count: 30) + "xAA" + String(repeating: "e", count: 4))
    #expect(try #require(doubts.early[Self.pair]).longestRun == 4)
    #expect(try #require(doubts.apart[Self.pair]).longestRun == 1)
  }
}
