import Deployment
import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

@Suite("Flows that Neutron would install")
struct NeutronFlowsTests {
  private func host(_ index: Int, _ deployment: Deployment, _ mode: NeutronMode = .plain) throws -> HostDatapath {
    let host = try #require(NeutronFlows.host(index, of: deployment, mode: mode))
    return HostDatapath(bridges: host.bridges)
  }

  private func frame(from source: MACAddress, to destination: MACAddress) -> Packet {
    var packet = Packet()
    packet.source = source
    packet.destination = destination
    packet.etherType = 0x88b5
    packet.length = 60
    return packet
  }

  /// Flows without what each switch chooses for itself: cookies, and how a jump is spelled.
  private func words(_ dump: FlowDump?) -> Set<String> {
    Set(
      (dump?.flows ?? []).map { flow in
        var text = flow.text
        while let range = text.firstRange(of: "cookie=0x") {
          let end = text[range.lowerBound...].firstIndex(of: ",").map { text.index(after: $0) } ?? text.endIndex
          text.removeSubrange(range.lowerBound..<end)
        }
        return "table=\(flow.table) \(flow.priority) \(flow.match.terms) \(text.split(separator: " ").last ?? "")"
      })
  }

  @Test(
    "br-tun is what Neutron's agent installed where it was recorded",
    arguments: ["clean-vxlan", "clean-gre", "clean-three-hosts", "clean-mirror"])
  func recorded(_ bundle: String) throws {
    let deployment = try loadBundle(path: Recorded.root.path + "/" + bundle)
    for index in deployment.hosts.indices {
      let planned = try #require(NeutronFlows.host(index, of: deployment))
      let tunnel = try #require(planned.bridges.first { $0.name == "br-tun" })
      let installed = deployment.hosts[index].state?.bridges.first { $0.name == "br-tun" }
      #expect(words(tunnel.flows) == words(installed?.flows), "\(bundle) \(deployment.hosts[index].name)")
      #expect(planned.unreachable.isEmpty)
    }
  }

  @Test("every line is read, in every mode", arguments: [NeutronMode.plain, .l2population])
  func readable(_ mode: NeutronMode) throws {
    for deployment in [
      GeneratedHosts.deployment([.vxlan, .gre, .geneve]), GeneratedHosts.trunks([.vxlan, .vlan, .flat]),
    ] {
      for bridge in GeneratedHosts.bridges(deployment, mode) {
        #expect(bridge.flows?.errors.isEmpty ?? true, "\(bridge.name) \(bridge.flows?.errors ?? [])")
      }
    }
  }

  @Test("a broadcast goes to every peer in the network's lane, and comes out at its ports there")
  func flood() throws {
    var deployment = GeneratedHosts.deployment([.vxlan, .vxlan])
    deployment.hosts[1].localVLANs = [0: 2, 1: 1]
    var sender = try host(0, deployment)
    let port = deployment.ports[0]
    let packet = frame(from: port.macs[0], to: .broadcast)
    let sent1 = sender.send(packet, bridge: "br-int", port: "tap10-0a", at: 0)
    let out = try #require(sent1)
    #expect(out.deliveries.compactMap(\.tunnelID) == [0x39, 0x39])
    #expect(out.deliveries.compactMap(\.remote) == deployment.hosts[1...].flatMap(\.vteps))
    var receiver = try host(1, deployment)
    let sent2 = receiver.receive( packet, kind: .vxlan, remote: deployment.hosts[0].vteps[0], local: deployment.hosts[1].vteps[0], tunnelID: 0x39, at: 0)
    let got = try #require(sent2)
    // LOCAL is a port like any other to NORMAL.
    #expect(got.deliveries.map(\.port) == ["tap20-0a", "br-int"])
    #expect(got.crossings.first?.vlanID == 2)
    // What it learned sends the answer to one peer only.
    let answer = frame(from: deployment.ports[2].macs[0], to: port.macs[0])
    let sent3 = receiver.send(answer, bridge: "br-int", port: "tap20-0a", at: 1)
    let back = try #require(sent3)
    #expect(back.deliveries.compactMap(\.remote) == deployment.hosts[0].vteps)
  }

  @Test("l2population: unicast to the one host, floods to hosts with ports only, ARP answered at home")
  func population() throws {
    var deployment = GeneratedHosts.deployment([.vxlan])
    // The third host has no port of the network.
    deployment.ports.removeAll { $0.host == 2 }
    var sender = try host(0, deployment, .l2population)
    let own = deployment.ports[0]
    let other = deployment.ports[1]
    let sent4 = sender.send(frame(from: own.macs[0], to: .broadcast), bridge: "br-int", port: "tap10-0a", at: 0)
    let flood = try #require(sent4)
    #expect(flood.deliveries.compactMap(\.remote) == deployment.hosts[1].vteps)
    let sent5 = sender.send(frame(from: own.macs[0], to: other.macs[0]), bridge: "br-int", port: "tap10-0a", at: 1)
    let unicast = try #require(sent5)
    #expect(unicast.deliveries.compactMap(\.remote) == deployment.hosts[1].vteps)
    let bytes = TestFrame.arp(
      operation: 1, source: own.macs[0], destination: .broadcast, sender: 0x0a00_0001, target: 0x0a00_0002,
      targetMAC: .zero, tags: []
    ).bytes(number: 1)
    let question = Packet(headers(bytes).outer, length: UInt32(bytes.count))
    let sent6 = sender.send(question, bridge: "br-int", port: "tap10-0a", at: 2)
    let answer = try #require(sent6)
    #expect(answer.deliveries.map(\.port).filter { $0 != "br-int" } == ["tap10-0a"])
    #expect(answer.deliveries.first?.frame.source == other.macs[0])
  }

  @Test("a trunk's subport is on its own network, and other tags go nowhere")
  func trunk() throws {
    let deployment = GeneratedHosts.trunks([.vxlan, .vxlan])
    for (vlan, lanes) in [(UInt16?.none, [0x39, 0x39]), (101, [0x40, 0x40]), (102, [])] {
      var sender = try host(0, deployment)
      var packet = frame(from: deployment.ports[0].macs[0], to: .broadcast)
      if let vlan { packet.pushTag(tpid: 0x8100, vid: vlan) }
      let bridge = try #require(sender.bridge(ofPort: "tap10-0a"))
      let sent7 = sender.send(packet, bridge: bridge, port: "tap10-0a", at: 0)
      let out = try #require(sent7)
      #expect(out.deliveries.compactMap(\.tunnelID) == lanes.map(UInt64.init), "VLAN \(vlan ?? 0)")
    }
  }

  @Test("a provider network leaves with its own VLAN, a flat one without")
  func provider() throws {
    let deployment = GeneratedHosts.deployment([.vxlan, .vlan, .flat])
    for (port, tags) in [("tap11-0a", [UInt16(0x40)]), ("tap12-0a", [])] {
      var sender = try host(0, deployment)
      let source = try #require(deployment.ports.first { $0.tap == port }?.macs.first)
      let sent8 = sender.send(frame(from: source, to: .broadcast), bridge: "br-int", port: port, at: 0)
      let out = try #require(sent8)
      let left = try #require(out.deliveries.first { $0.port == "provider" })
      #expect((0..<left.frame.tags.held).map { left.frame.tags[$0].vid } == tags)
      #expect(!out.deliveries.contains { $0.tunnelID != nil })
    }
  }

  @Test("local VLANs: the intent's, then free ones; a peer without a tunnel endpoint is told")
  func planning() throws {
    var deployment = GeneratedHosts.deployment([.vxlan, .vxlan, .vxlan])
    deployment.hosts[0].localVLANs = [1: 1]
    deployment.hosts[2].vteps = []
    let planned = try #require(NeutronFlows.host(0, of: deployment))
    #expect(planned.localVLANs == [0: 2, 1: 1, 2: 3])
    #expect(planned.unreachable == [2])
    #expect(NeutronFlows.host(9, of: deployment) == nil)
  }
}
