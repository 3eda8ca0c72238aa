import OpenFlow
import Testing
import Wire

@testable import Datapath

/// Flows that lead into one another without end, or very often. None may cost more than a moment, or the stack.
@Suite("Limits of the pipeline")
struct LimitTests {
  private func host(_ flows: String..., ports: [[PortState]]? = nil) -> HostDatapath {
    let standard = [
      PortState(name: "p1", number: 1), PortState(name: "p2", number: 2), PortState(name: "p3", number: 3),
    ]
    return HostDatapath(
      bridges: flows.enumerated().map { index, text in
        BridgeState(name: "br\(index)", ports: ports?[index] ?? standard, flows: FlowDump(text: text))
      })
  }

  private func send(_ host: HostDatapath, _ port: String = "p1", tagged: Bool = false) -> Outcome? {
    var host = host
    var packet = Packet()
    packet.source = MACAddress(rawValue: 2)
    packet.destination = MACAddress(rawValue: 4)
    packet.etherType = 0x0800
    packet.ttl = 64
    if tagged { packet.pushTag(tpid: 0x8100, vid: 3) }
    return host.send(packet, bridge: "br0", port: port, at: 0)
  }

  @Test(
    "a loop drops the frame, with all that had come out of it before",
    arguments: [
      "actions=output:2,resubmit(,0)", "actions=resubmit(,0),resubmit(,0),output:2",
      "actions=resubmit(,1)\ntable=1,actions=output:2,resubmit(,0),resubmit(,0),resubmit(,1),resubmit(,0)",
      "actions=clone(resubmit(,0)),resubmit(,0),output:2",
      "actions=write_actions(resubmit(,0),output:2),output:3,resubmit(,0)",
    ])
  func loops(_ text: String) throws {
    let outcome = try #require(send(host(text)))
    #expect(outcome.deliveries.isEmpty && outcome.uncertainties.isEmpty && outcome.isDropped)
    #expect(outcome.drops.count == 1)
  }

  @Test("tables may lead forward as often as there are tables")
  func forward() throws {
    let text = (0..<254).map { "table=\($0),actions=resubmit(,\($0 + 1))" }.joined(separator: "\n")
    let outcome = try #require(send(host(text + "\ntable=254,actions=output:2")))
    #expect(outcome.deliveries.map(\.port) == ["p2"] && outcome.uncertainties.isEmpty)
  }

  /// `count` passes through table 1, each of which leads to itself.
  private func countdown(_ count: Int) -> String {
    var lines = ["table=0,actions=load:0->NXM_NX_REG0[],resubmit(,1)"]
    for number in 0..<count {
      lines.append("table=1,reg0=\(number),actions=load:\(number + 1)->NXM_NX_REG0[],resubmit(,1)")
    }
    lines.append("table=1,reg0=\(count),actions=output:2")
    return lines.joined(separator: "\n")
  }

  @Test("64 passes back are followed, 65 are not")
  func depth() throws {
    #expect(try #require(send(host(countdown(63)))).deliveries.count == 1)
    #expect(try #require(send(host(countdown(64)))).deliveries.count == 1)
    #expect(try #require(send(host(countdown(65)))).isDropped)
  }

  @Test("4,096 resubmits are followed, more are not")
  func resubmits() throws {
    let fan = { (count: Int) in "actions=" + String(repeating: "resubmit(,1),", count: count) + "output:2" }
    #expect(try #require(send(host(fan(4096) + "\ntable=1,actions=note:00"))).deliveries.count == 1)
    #expect(try #require(send(host(fan(4097) + "\ntable=1,actions=note:00"))).isDropped)
  }

  @Test("deep and wide at once: a table leads 4,000 times through 254 others")
  func wide() throws {
    var lines = (1..<254).map { "table=\($0),actions=resubmit(,\($0 + 1)),resubmit(,\($0 + 1))" }
    lines.append("table=0,actions=resubmit(,1),resubmit(,1),output:2")
    #expect(try #require(send(host(lines.joined(separator: "\n")))).isDropped)
  }

  @Test("a ring of bridges swallows the frame; the first bridge goes on")
  func ring() throws {
    let ports = [
      [PortState(name: "p1", number: 1), PortState(name: "a", number: 2, kind: .patch(peer: "b")), PortState(name: "p3", number: 3)],
      [PortState(name: "b", number: 1, kind: .patch(peer: "a"))],
    ]
    let once = host("actions=output:2,output:3", "actions=IN_PORT", ports: ports)
    // Port 3 gets the frame, and one copy for each time that it came back.
    let outcome = try #require(send(once))
    #expect(outcome.deliveries.count > 1 && outcome.deliveries.allSatisfy { $0.port == "p3" })
    let twice = host("actions=output:2,IN_PORT,output:2", "actions=IN_PORT,IN_PORT,IN_PORT", ports: ports)
    #expect(send(twice) != nil)
    let flooded = host("actions=FLOOD,IN_PORT", "actions=IN_PORT,NORMAL", ports: ports)
    #expect(send(flooded) != nil)
  }

  @Test("connection tracking that leads to itself ends")
  func tracking() throws {
    let outcome = try #require(
      send(host("ip,actions=ct(table=0),ct(table=0)\narp,actions=ct(table=0,exec(load:1->NXM_NX_CT_MARK[]))")))
    #expect(outcome.deliveries.isEmpty)
  }

  @Test("what branches at every step is followed only so far, and says so")
  func branching() throws {
    // In OpenFlow 1.0's text each of these is a rewrite or a push.
    let text = "actions=mod_vlan_vid:1,resubmit(,0),mod_vlan_vid:2,resubmit(,0),output:2"
    let outcome = try #require(send(host(text), tagged: true))
    #expect(outcome.isIncomplete)
    let lists = "actions=" + String(repeating: "ALL,", count: 300) + String(repeating: "resubmit(,0),", count: 99)
    #expect(send(host(lists)) != nil)
  }

  @Test("text nested without end is an error, not a crash", arguments: ["clone(", "write_actions(", "ct(commit,exec("])
  func nesting(_ opening: String) {
    let closing = String(repeating: ")", count: opening.count { $0 == "(" })
    for count in [10, 31, 100, 100_000] {
      let text = String(repeating: opening, count: count) + "output:1" + String(repeating: closing, count: count)
      let dump = FlowDump(text: "actions=" + text)
      #expect(dump.flows.count + dump.errors.count == 1)
      if let flow = dump.flows.first {
        #expect(send(host("actions=drop")) != nil)
        #expect(flow.actions.count == 1)
        #expect(send(host("actions=" + text)) != nil)
      }
    }
    for count in [50, 100_000] {
      for piece in ["learn(", "apply_actions(", "unknown(", "learn(table=1,unknown[", "ct(nat("] {
        #expect(FlowDump(text: "actions=" + String(repeating: piece, count: count)).errors.count == 1)
      }
    }
  }
}
