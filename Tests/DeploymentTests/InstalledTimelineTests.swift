import Deployment
import OpenFlow
import Testing

/// When flows were there: two dumps, taken at 1,000 s and 1,100 s.
@Suite struct InstalledTimelineTests {
  private func state(_ lines: [String], at seconds: Double) -> HostState {
    var bridge = Bridge(name: "br-tun")
    bridge.flows = FlowDump(text: lines.joined(separator: "\n"))
    bridge.flowsTaken = seconds
    var state = HostState()
    state.bridges = [bridge]
    return state
  }

  private func line(_ duration: Double, _ rule: String, hardAge: Int? = nil, cookie: Int = 1) -> String {
    "cookie=0x\(cookie), duration=\(duration)s, table=22, n_packets=0, n_bytes=0, "
      + (hardAge.map { "hard_age=\($0), " } ?? "") + rule
  }

  private let rule = "dl_vlan=1 actions=strip_vlan,output:2"

  private func presences(
    _ before: [String]?, _ after: [String]?, of rule: String, at seconds: [Int64]
  ) -> [InstalledTimeline.Presence] {
    let timeline = InstalledTimeline(
      before: before.map { state($0, at: 1000) }, after: after.map { state($0, at: 1100) })
    let flow = FlowDump(text: line(0, rule)).flows[0]
    let span = timeline.span(of: flow, bridge: "br-tun")
    return seconds.map { span.presence(at: $0 * 1_000_000_000) }
  }

  @Test func aFlowInBothDumpsWasThereAllTheTime() {
    #expect(
      presences([line(50, rule)], [line(150, rule)], of: rule, at: [949, 951, 1000, 1050, 1100])
        == [.maybe, .yes, .yes, .yes, .yes])
  }

  @Test func aFlowPutInAnewIsUncertainInBetween() {
    #expect(
      presences([line(50, rule)], [line(30, rule, cookie: 2)], of: rule, at: [1000, 1050, 1071, 1100])
        == [.yes, .maybe, .yes, .yes])
  }

  @Test func aFlowOfTheLaterDumpWasNotThereBeforeItBegan() {
    #expect(presences([], [line(30, rule)], of: rule, at: [1000, 1060, 1071]) == [.no, .no, .yes])
    // Without an earlier dump, one just like it may have been.
    #expect(presences(nil, [line(30, rule)], of: rule, at: [1060, 1071]) == [.maybe, .yes])
  }

  @Test func aFlowOfTheEarlierDumpMayHaveGoneAtAnyTime() {
    #expect(presences([line(50, rule)], [], of: rule, at: [1000, 1050, 1100]) == [.yes, .maybe, .no])
  }

  @Test func aFlowThatWasChangedIsAsWrittenSinceThen() {
    let other = "dl_vlan=1 actions=strip_vlan,output:2,output:3"
    // Put in long ago, changed 20 s before the later dump.
    let (before, after) = ([line(50, rule)], [line(150, other, hardAge: 20)])
    #expect(presences(before, after, of: other, at: [1081, 1100]) == [.yes, .yes])
    #expect(presences(before, after, of: rule, at: [1000, 1050, 1090, 1100]) == [.yes, .maybe, .no, .no])
  }

  /// Dumps in OpenFlow 1.3 do not tell when.
  @Test func aFlowThatWasChangedAtAnUnknownTimeIsAsDumped() {
    let other = "dl_vlan=1 actions=strip_vlan,output:2,output:3"
    let (before, after) = ([line(50, rule)], [line(150, other)])
    #expect(presences(before, after, of: other, at: [1000, 1050, 1100]) == [.no, .maybe, .yes])
    #expect(presences(before, after, of: rule, at: [1000, 1050, 1100]) == [.yes, .maybe, .no])
  }

  @Test func whatNoDumpHasIsNotKnown() {
    #expect(presences([], [], of: rule, at: [1050]) == [.maybe])
    #expect(presences(nil, nil, of: rule, at: [1050]) == [.maybe])
  }

  @Test func installationsAreFlowsThatBeganAfterTheEarlierDump() {
    let learned = "hard_timeout=300, dl_vlan=1,dl_dst=fa:16:3e:00:00:01 actions=output:2"
    let timeline = InstalledTimeline(
      before: state([line(50, rule)], at: 1000),
      after: state([line(30, rule, cookie: 2), line(10, learned), line(150, "dl_vlan=2 actions=drop")], at: 1100))
    #expect(timeline.installations.map(\.time) == [1_070_000_000_000])
    #expect(timeline.installations.first?.flow.cookie == 2)
  }
}
