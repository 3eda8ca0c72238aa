import Testing
import Wire

@testable import Datapath

@Suite("What a host has learned, three-valued") struct LearningStateTests {
  static let second: Int64 = 1_000_000_000
  static let peer = IPAddress(v4: 0xc612_010c)
  static let other = IPAddress(v4: 0xc612_010d)

  static func state(_ extra: String = "", learns: Bool = true, dumped: Int64? = nil) throws -> LearningState {
    let host = FabricTests.host(11, peers: [12, 13], vlan: 1, learns: learns, extra: extra)
    let datapath = try #require(host.datapath)
    return try #require(LearningState(datapath, dumped: dumped))
  }

  static func outer(_ remote: IPAddress) -> OuterHeader {
    OuterHeader(
      kind: .vxlan, tunnelID: 57, source: remote, destination: IPAddress(v4: 0xc612_010b), destinationPort: 4789)
  }

  static let frame = FabricTests.frame(FabricTests.b, .broadcast).packet

  private func knows(_ state: LearningState, _ seconds: Int64) -> LearningState.Knowledge {
    state.knowledge(of: FabricTests.b, vlan: 1, at: seconds * Self.second)
  }

  @Test func whatNoCaptureCoveredIsUnknownUntilItMustBeGone() throws {
    var state = try Self.state()
    #expect(knows(state, 0) == .unknown)
    state.cover(from: 10 * Self.second)
    #expect(knows(state, 11) == .unknown)
    #expect(knows(state, 309) == .unknown)
    #expect(knows(state, 320) == .notLearned)
  }

  @Test func aDumpTakenMeanwhileShowsAll() throws {
    var state = try Self.state(dumped: 20 * Self.second)
    state.cover(from: 10 * Self.second)
    #expect(knows(state, 19) == .unknown)
    #expect(knows(state, 21) == .notLearned)
    // After a gap it does not.
    state.cover(from: 30 * Self.second)
    #expect(knows(state, 31) == .unknown)
  }

  @Test func isLearnedFromGraceToTimeout() throws {
    var state = try Self.state(dumped: 1)
    state.cover(from: 0)
    #expect(knows(state, 5) == .notLearned)
    state.receive(Self.frame, in: Self.outer(Self.peer), at: 10 * Self.second)
    #expect(knows(state, 11) == .unknown)
    #expect(knows(state, 13) == .learned(Self.peer))
    state.receive(Self.frame, in: Self.outer(Self.peer), at: 100 * Self.second)
    #expect(knows(state, 101) == .learned(Self.peer))
    #expect(knows(state, 350) == .learned(Self.peer))
    #expect(knows(state, 399) == .unknown)
    #expect(knows(state, 401) == .unknown)
    #expect(knows(state, 403) == .notLearned)
  }

  @Test func followsAMoveAfterItsGrace() throws {
    var state = try Self.state()
    state.receive(Self.frame, in: Self.outer(Self.peer), at: 10 * Self.second)
    state.receive(Self.frame, in: Self.outer(Self.other), at: 50 * Self.second)
    #expect(knows(state, 51) == .unknown)
    #expect(knows(state, 53) == .learned(Self.other))
  }

  @Test func aHostThatLearnsNothingKnowsNothing() throws {
    var state = try Self.state(learns: false)
    state.cover(from: 0)
    state.receive(Self.frame, in: Self.outer(Self.peer), at: 10 * Self.second)
    #expect(knows(state, 20) == .notLearned)
  }

  @Test func whatItDoesNotTakeInTeachesNothing() throws {
    var state = try Self.state(dumped: 1)
    state.cover(from: 0)
    var foreign = Self.outer(Self.peer)
    foreign.destinationPort = 8472
    state.receive(Self.frame, in: foreign, at: Self.second)
    var unmapped = Self.outer(Self.peer)
    unmapped.tunnelID = 58
    state.receive(Self.frame, in: unmapped, at: Self.second)
    state.receive(Self.frame, in: Self.outer(IPAddress(v4: 1)), at: Self.second)
    #expect(knows(state, 10) == .notLearned)
  }

  @Test func staticEntriesWinOverLearnedOnes() throws {
    var state = try Self.state(
      "table=20,priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:12 actions=strip_vlan,set_tunnel:57,output:13")
    #expect(knows(state, 1) == .learned(Self.other))
    state.receive(Self.frame, in: Self.outer(Self.peer), at: 10 * Self.second)
    #expect(knows(state, 20) == .learned(Self.other))
  }

  @Test func flowsThatLeaveItOpenGiveNoAnswer() throws {
    var state = try Self.state("table=2,priority=7 actions=group:1", dumped: 1)
    state.cover(from: 0)
    #expect(knows(state, 10) == .unknown)
  }
}
