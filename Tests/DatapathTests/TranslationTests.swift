import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

@Suite("Translation of recorded hosts")
struct TranslationTests {
  /// Bundles whose br-tun flows are right at the beginning.
  static let right = Recorded.bundles.filter { bundle in
    ![
      "wrong-vni-out", "wrong-vlan-in", "no-strip-vlan", "missing-vni-in", "flood-missing-peer", "tunnel-loop",
      "one-way",
    ].contains(bundle)
  }

  static func tables(_ bundle: String, of13: Bool = true) throws -> [(host: String, table: TranslationTable)] {
    try Truth(bundle).hosts.map { host in
      (host.name, TranslationTable(try Recorded.host("\(bundle)/\(host.name)", of13: of13), at: 0))
    }
  }

  @Test("every local VLAN and VNI is translated as it should be", arguments: right, [true, false])
  func rightTranslations(_ bundle: String, of13: Bool) throws {
    let truth = try Truth(bundle)
    for (host, table) in try TranslationTests.tables(bundle, of13: of13) {
      for network in truth.networks {
        let vlan = try #require(network.vlans[host])
        let outbound = try #require(table.outbound.first { $0.vlan == vlan })
        #expect(outbound.tunnelIDs == [network.vni])
        #expect(!outbound.keepsTag && !outbound.isUncertain)
        let peers = truth.hosts.filter { $0.name != host }.map(\.vtep)
        #expect(Set(outbound.flood.compactMap(\.remote)) == Set(peers))
        #expect(Set(outbound.unknownUnicast.compactMap(\.remote)) == Set(peers))
        #expect(outbound.flow?.text.contains("dl_vlan=\(vlan)") == true)
        let inbound = table.inbound.filter { $0.tunnelID == network.vni && $0.kind == truth.kind }
        #expect(!inbound.isEmpty)
        for entry in inbound {
          #expect(entry.vlan == vlan && entry.reflected.isEmpty && !entry.isUncertain)
          #expect(entry.flow?.text.contains("tun_id=0x\(String(network.vni, radix: 16))") == true)
        }
      }
    }
  }

  /// Whether a flow is the one that `truth.json` writes as `table=…,cookie=…,MATCH actions=…`.
  private func isNamed(_ flow: FlowReference?, by change: String?) -> Bool {
    guard let flow, let wanted = change.flatMap({ FlowDump(text: $0).flows.first }) else { return false }
    let own = FlowDump(text: flow.text).flows.first
    return flow.table == wanted.table && own?.match == wanted.match && own?.priority == wanted.priority
  }

  @Test("wrong-vni-out: the flow that sets the other network's VNI")
  func wrongVNIOut() throws {
    let truth = try Truth("wrong-vni-out")
    let table = TranslationTable(try Recorded.host("wrong-vni-out/host1"), at: 0)
    let outbound = try #require(table.outbound.first { $0.vlan == 1 })
    #expect(outbound.tunnelIDs == [0x40])
    #expect(outbound.flow?.table == 22 && isNamed(outbound.flow, by: truth.added.first))
    #expect(outbound.flow?.text.contains("0x40") == true)
  }

  @Test("wrong-vlan-in: the flow that sets the other network's VLAN")
  func wrongVLANIn() throws {
    let table = TranslationTable(try Recorded.host("wrong-vlan-in/host2"), at: 0)
    let inbound = try #require(table.inbound.first { $0.tunnelID == 0x39 })
    #expect(inbound.vlan == 1)
    #expect(inbound.flow?.table == 4 && inbound.flow?.text.contains("tun_id=0x39") == true)
    #expect(inbound.delivered.map(\.port).contains("qvoa0ec1370-dd"))
  }

  @Test("no-strip-vlan: the tag stays on")
  func noStrip() throws {
    let table = TranslationTable(try Recorded.host("no-strip-vlan/host1"), at: 0)
    let outbound = try #require(table.outbound.first { $0.vlan == 1 })
    #expect(outbound.keepsTag && outbound.tunnelIDs == [0x39])
  }

  @Test("missing-vni-in: dropped by the table's default")
  func missing() throws {
    let table = TranslationTable(try Recorded.host("missing-vni-in/host2"), at: 0)
    let inbound = try #require(table.inbound.first { $0.tunnelID == 0x39 })
    #expect(inbound.isDropped && inbound.drop?.table == 4 && inbound.drop?.text == "priority=0 actions=drop")
    #expect(inbound.ports.count == 2)
  }

  @Test("flood-missing-peer: one copy is not there")
  func missingPeer() throws {
    let table = TranslationTable(try Recorded.host("flood-missing-peer/host1"), at: 0)
    let outbound = try #require(table.outbound.first { $0.vlan == 1 })
    #expect(outbound.flood.compactMap(\.remote) == [IPAddress(v4: 0xc000_0202)])
  }

  @Test("tunnel-loop: what comes from a tunnel goes into tunnels")
  func loop() throws {
    let table = TranslationTable(try Recorded.host("tunnel-loop/host3"), at: 0)
    let inbound = try #require(table.inbound.first { $0.tunnelID == 0x39 })
    #expect(!inbound.reflected.isEmpty && inbound.vlan == 1)
  }

  @Test("learned destinations of the state after", arguments: ["clean-two-tenants", "stale-learn"])
  func learned(_ bundle: String) throws {
    let truth = try Truth(bundle)
    let states = try Recorded.bridges("\(bundle)/host1/after", of13: true)
    let table = TranslationTable(HostDatapath(bridges: states), at: states.compactMap(\.flowsTaken).max() ?? 0)
    let test2 = try #require(truth.ports.first { $0.name == "test2" })
    let entry = try #require(table.unicast.first { $0.destination == test2.mac && $0.vlan == 1 })
    #expect(entry.deliveries.map(\.tunnelID) == [0x39])
    let expected: UInt32 = bundle == "stale-learn" ? 0xc000_0203 : 0xc000_0202
    #expect(entry.deliveries.compactMap(\.remote) == [IPAddress(v4: expected)])
  }
}
