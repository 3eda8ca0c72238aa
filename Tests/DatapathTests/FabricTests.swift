import Deployment
import OpenFlow
import Testing
import Wire

@testable import Datapath

@Suite("All hosts together") struct FabricTests {
  static let a = MACAddress(rawValue: 0xfa16_3e00_0011)
  static let b = MACAddress(rawValue: 0xfa16_3e00_0012)

  /// A host with one guest port `tap` (VLAN `vlan`) and tunnels to peers, with the flows of Neutron's plain mode.
  static func host(
    _ address: UInt8, peers: [UInt8], vlan: UInt16, vni: UInt64 = 57, learns: Bool = true, extra: String = ""
  ) -> (name: String, vtep: IPAddress, datapath: HostDatapath?) {
    let learn =
      learns
      ? "learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        + "load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:1"
      : "output:1"
    let tunnels = peers.map { "output:\($0)" }.joined(separator: ",")
    let flows =
      """
      table=0,priority=1,in_port=1 actions=goto_table:2
      table=0,priority=0 actions=goto_table:4
      table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20
      table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22
      table=4,priority=1,tun_id=\(vni) actions=push_vlan:0x8100,set_field:\(4096 + vlan)->vlan_vid,goto_table:10
      table=4,priority=0 actions=drop
      table=10,priority=1 actions=\(learn)
      table=20,priority=0 actions=goto_table:22
      table=22,priority=1,dl_vlan=\(vlan) actions=pop_vlan,set_field:\(vni)->tun_id,\(tunnels)
      table=22,priority=0 actions=drop
      """ + "\n" + extra
    var integration = BridgeState(
      name: "br-int",
      ports: [
        PortState(name: "patch-tun", number: 1, kind: .patch(peer: "patch-int")),
        PortState(name: "tap", number: 2, vlans: VLANPolicy(tag: vlan)),
      ], flows: FlowDump(text: "table=0,priority=0 actions=NORMAL"))
    var tunnel = BridgeState(
      name: "br-tun",
      ports: [PortState(name: "patch-int", number: 1, kind: .patch(peer: "patch-tun"))]
        + peers.map { peer in
          PortState(
            name: "vxlan-\(peer)", number: UInt32(peer),
            kind: .tunnel(.init(kind: .vxlan, remote: .fixed(IPAddress(v4: 0xc612_0100 | UInt32(peer))))))
        }, flows: FlowDump(text: flows))
    integration.fdbIsComplete = true
    tunnel.fdbIsComplete = true
    return (
      "host\(address)", IPAddress(v4: 0xc612_0100 | UInt32(address)), HostDatapath(bridges: [integration, tunnel])
    )
  }

  static func three(learns: Bool = true, extra: String = "", caching: Bool = true) -> Fabric {
    Fabric(
      [
        host(11, peers: [12, 13], vlan: 1, learns: learns), host(12, peers: [11, 13], vlan: 2, learns: learns),
        host(13, peers: [11, 12], vlan: 3, learns: learns, extra: extra),
      ], caching: caching)
  }

  static func frame(_ from: MACAddress, _ to: MACAddress, _ number: UInt32 = 0) -> FabricFrame {
    FabricFrame(
      TestFrame.ipv4(
        source: from, destination: to, from: 0x0a00_0001, to: 0x0a00_0002, protocol: 17, ports: (5000, 5001)
      ).bytes(number: number))
  }

  /// `HOST/PORT` of all ports where a frame ends.
  static func ends(_ fabric: Fabric, _ journey: Journey) -> [String] {
    journey.visits.flatMap(\.exits).filter { $0.outer == nil }
      .map { "\(fabric.hostNames[$0.port.host])/\(fabric.name(of: $0.port).port)" }.sorted()
  }

  static func port(_ fabric: Fabric, _ host: Int) throws -> FabricPort {
    try #require(fabric.port(named: "tap", on: host))
  }

  @Test func floodsUntilLearnedThenGoesToOneHost() throws {
    var fabric = FabricTests.three()
    let (first, second) = (try FabricTests.port(fabric, 0), try FabricTests.port(fabric, 1))
    let flooded = fabric.send(FabricTests.frame(FabricTests.a, FabricTests.b), at: first, time: 1)
    #expect(FabricTests.ends(fabric, flooded) == ["host12/tap", "host13/tap"])
    let answer = fabric.send(FabricTests.frame(FabricTests.b, FabricTests.a), at: second, time: 2)
    #expect(FabricTests.ends(fabric, answer) == ["host11/tap"])
    let known = fabric.send(FabricTests.frame(FabricTests.a, FabricTests.b), at: first, time: 3)
    #expect(FabricTests.ends(fabric, known) == ["host12/tap"])
    #expect(known.visits[0].exits.map(\.outer?.tunnelID) == [57])
    #expect(!known.isUncertain)
    // What was learned times out in the time of the frames.
    let late = fabric.send(FabricTests.frame(FabricTests.a, FabricTests.b), at: first, time: 301_000_000_000)
    #expect(FabricTests.ends(fabric, late) == ["host12/tap", "host13/tap"])
  }

  @Test func withoutLearningItFloodsForEver() throws {
    var fabric = FabricTests.three(learns: false)
    for time in 0..<4 {
      let port = try FabricTests.port(fabric, time % 2)
      let (from, to) = time % 2 == 0 ? (FabricTests.a, FabricTests.b) : (FabricTests.b, FabricTests.a)
      let journey = fabric.send(FabricTests.frame(from, to), at: port, time: Int64(time))
      #expect(journey.visits[0].exits.count == 2)
    }
  }

  @Test func loopsAreCutAndSaidToBe() throws {
    let loop = "table=10,priority=5 actions=strip_vlan,IN_PORT,output:11,output:12"
    // Both ends send back what they get.
    var fabric = Fabric([
      FabricTests.host(11, peers: [12], vlan: 1, extra: "table=10,priority=5 actions=strip_vlan,IN_PORT,output:1"),
      FabricTests.host(12, peers: [11], vlan: 1, extra: "table=10,priority=5 actions=strip_vlan,IN_PORT,output:1"),
    ])
    let port = try FabricTests.port(fabric, 0)
    let journey = fabric.send(FabricTests.frame(FabricTests.a, .broadcast), at: port, time: 0)
    #expect(journey.cut == .hops)
    #expect(journey.visits.count == Fabric.mostHops + 1)
    // One that multiplies.
    var storm = Fabric([
      FabricTests.host(11, peers: [12, 13], vlan: 1, extra: loop.replacing("11", with: "13")),
      FabricTests.host(12, peers: [11, 13], vlan: 1, extra: loop.replacing("12", with: "13")),
      FabricTests.host(13, peers: [11, 12], vlan: 1, extra: loop),
    ])
    let start = try FabricTests.port(storm, 0)
    let many = storm.send(FabricTests.frame(FabricTests.a, .broadcast), at: start, time: 0)
    #expect(many.cut == .visits)
    #expect(many.visits.count == Fabric.mostVisits)
  }

  @Test func anAddressNobodyHasAndAnUnknownHostAreTold() throws {
    var fabric = Fabric([
      FabricTests.host(11, peers: [12, 13, 14], vlan: 1), ("host12", IPAddress(v4: 0xc612_010c), nil),
      // Has no tunnel port to host11.
      FabricTests.host(13, peers: [12], vlan: 1),
    ])
    let port = try FabricTests.port(fabric, 0)
    let journey = fabric.send(FabricTests.frame(FabricTests.a, .broadcast), at: port, time: 0)
    #expect(journey.visits[0].exits.map(\.destination) == [1, 2, nil])
    #expect(journey.visits.dropFirst().map(\.refusal) == [.unknownHost, .noTunnelPort])
  }

  @Test func theARPResponderAnswersAtThePortThatAsked() throws {
    let responder =
      "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:00:00:99->eth_src,set_field:2->arp_op,"
      + "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
      + "set_field:fa:16:3e:00:00:99->arp_sha,set_field:10.0.0.99->arp_spa,in_port"
    let extra = """
      table=2,priority=1,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21
      table=21,priority=1,arp,dl_vlan=1,arp_tpa=10.0.0.99 actions=\(responder)
      """
    var fabric = Fabric([FabricTests.host(11, peers: [12], vlan: 1, extra: extra)])
    let port = try FabricTests.port(fabric, 0)
    let request = TestFrame.arp(
      operation: 1, source: FabricTests.a, destination: .broadcast, sender: 0x0a00_0001, target: 0x0a00_0063
    ).bytes(number: 7)
    let journey = fabric.send(FabricFrame(request), at: port, time: 0)
    let answers = journey.visits.flatMap(\.exits).filter { fabric.name(of: $0.port).port == "tap" }
    #expect(answers.count == 1)
    let answer = try #require(answers.first)
    let headers = headers(answer.frame.bytes)
    #expect(headers.outer.arpOperation == 2)
    #expect(headers.outer.destination == FabricTests.a)
    #expect(headers.outer.source == MACAddress(rawValue: 0xfa16_3e00_0099))
    #expect(headers.outer.arpSenderMAC == MACAddress(rawValue: 0xfa16_3e00_0099))
    #expect(headers.outer.sourceAddress == IPAddress(v4: 0x0a00_0063))
    #expect(headers.outer.destinationAddress == IPAddress(v4: 0x0a00_0001))
    #expect(headers.outer.tags.count == 0)
  }

  @Test func whatMayHappenIsCarriedAlong() throws {
    // Whether the meter lets it pass is not known; what it teaches then is not certain either.
    var fabric = Fabric([
      FabricTests.host(11, peers: [12], vlan: 1, extra: "table=2,priority=9 actions=meter:1,goto_table:22"),
      FabricTests.host(12, peers: [11, 13], vlan: 2),
      FabricTests.host(13, peers: [11, 12], vlan: 3),
    ])
    let (first, second) = (try FabricTests.port(fabric, 0), try FabricTests.port(fabric, 1))
    let journey = fabric.send(FabricTests.frame(FabricTests.a, .broadcast), at: first, time: 0)
    #expect(journey.isUncertain)
    #expect(journey.visits.map(\.certainty) == [.certain, .may])
    // Learned or flooded: the third host gets it in one case only.
    let answer = fabric.send(FabricTests.frame(FabricTests.b, FabricTests.a), at: second, time: 1)
    #expect(answer.isUncertain)
  }

  @Test("decided flows change no outcome", arguments: FlowSet.sets)
  func decidedFlowsAgree(_ flows: FlowSet) throws {
    var states = flows.bridges
    for index in states.indices { states[index].fdbIsComplete = true }
    let host = HostDatapath(bridges: states)
    let vtep = IPAddress(v4: 0xc612_0101)
    var with = Fabric([("host", vtep, host)], caching: true)
    var without = Fabric([("host", vtep, host)], caching: false)
    var generator = FrameGenerator(states, seed: 0x5eed)
    // Few kinds of frames, so that decided flows serve.
    let frames = (0..<25).map { FabricFrame(generator.frame().bytes(number: UInt32($0))) }
    let ports = with.devices(of: 0)
    func exits(_ journey: Journey?) -> [String] {
      (journey?.visits ?? []).flatMap(\.exits).map {
        "\($0.port) \($0.certainty) \($0.frame) \(String(describing: $0.outer))"
      }
    }
    for number in 0..<800 {
      let kind = Int.random(in: 0..<frames.count, using: &generator.random)
      let time = Int64(number) * 700_000_000
      if kind % 3 == 0 {
        let outer = OuterHeader(
          kind: .vxlan, tunnelID: 57, source: IPAddress(v4: 0xc612_0102), destination: vtep, destinationPort: 4789)
        let (one, other) = (
          with.receive(frames[kind], in: outer, time: time), without.receive(frames[kind], in: outer, time: time)
        )
        #expect(exits(one) == exits(other), "frame \(number)")
      } else {
        // A frame always comes in by the same port, so that what was learned stays.
        let port = ports[kind % ports.count]
        #expect(
          exits(with.send(frames[kind], at: port, time: time)) == exits(without.send(frames[kind], at: port, time: time)),
          "frame \(number)")
      }
    }
    #expect(with.cacheCounts.hits > 0)
    #expect(without.cacheCounts.hits == 0)
  }
}
