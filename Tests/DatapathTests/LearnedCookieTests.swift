import OpenFlow
import Testing
import Wire

@testable import Datapath

@Suite("Flows that go with the flow that learned them")
struct LearnedCookieTests {
  private func host(_ text: String) -> HostDatapath {
    HostDatapath(bridges: [
      BridgeState(
        name: "br", ports: [PortState(name: "p1", number: 1), PortState(name: "p2", number: 2)],
        flows: FlowDump(text: text))
    ])
  }

  private func packet(_ source: UInt64) -> Packet {
    var packet = Packet()
    packet.source = MACAddress(rawValue: source)
    packet.destination = MACAddress(rawValue: 4)
    packet.etherType = 0x88b5
    return packet
  }

  private func tables(_ host: HostDatapath) -> [UInt8] { host.bridges[0].liveFlows.map(\.table).sorted() }

  /// A frame from 02 learns into table 1; one from 06 puts another flow in the place of the one that learns.
  private static let replacing = """
    table=0,priority=2,dl_src=00:00:00:00:00:06 actions=learn(table=0,priority=1,output:NXM_OF_IN_PORT[])
    """

  @Test("the last one's end takes all that is in its table under its cookie", arguments: [true, false])
  func lastOne(_ deletes: Bool) {
    let learn = "learn(table=1,cookie=0x5,\(deletes ? "delete_learned," : "")NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])"
    var host = host(
      """
      table=0,priority=1 actions=\(learn),output:2
      \(Self.replacing)
      table=1,cookie=0x5,priority=9 actions=drop
      table=1,cookie=0x6,priority=8 actions=drop
      """)
    _ = host.send(packet(2), bridge: "br", port: "p1", at: 0)
    #expect(tables(host) == [0, 0, 1, 1, 1])
    _ = host.send(packet(6), bridge: "br", port: "p1", at: 1)
    #expect(tables(host) == (deletes ? [0, 0, 1] : [0, 0, 1, 1, 1]))
  }

  @Test("while another has the same action nothing goes")
  func anotherOne() {
    let learn = "learn(table=1,cookie=0x5,delete_learned,NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])"
    var host = host(
      """
      table=0,priority=1 actions=\(learn),output:2
      \(Self.replacing)
      table=2,priority=1 actions=clone(\(learn))
      """)
    _ = host.send(packet(2), bridge: "br", port: "p1", at: 0)
    _ = host.send(packet(6), bridge: "br", port: "p1", at: 1)
    #expect(tables(host) == [0, 0, 1, 2])
  }
}

@Suite("What several possibilities have in common")
struct CommonOutcomeTests {
  @Test("a port that every possibility reaches by another flow is reached for certain, once")
  func byOtherFlows() throws {
    let text = """
      table=0,ip actions=ct(table=1)
      table=1,priority=9,ct_state=+est actions=output:2
      table=1,priority=8,ct_state=+new actions=output:2
      table=1,priority=7 actions=output:2
      """
    var host = HostDatapath(bridges: [
      BridgeState(
        name: "br", ports: [PortState(name: "p1", number: 1), PortState(name: "p2", number: 2)],
        flows: FlowDump(text: text))
    ])
    var packet = Packet()
    packet.source = MACAddress(rawValue: 2)
    packet.destination = MACAddress(rawValue: 4)
    packet.etherType = 0x0800
    let sent = host.send(packet, bridge: "br", port: "p1", at: 0)
    let outcome = try #require(sent)
    #expect(outcome.deliveries.map(\.port) == ["p2"])
    #expect(outcome.deliveries.map(\.certainty) == [.certain])
    #expect(outcome.uncertainties.contains { $0.reason.contains("connection's state") })
  }
}
