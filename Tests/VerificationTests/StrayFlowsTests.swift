import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Flows of the guests' bridge that take frames out of their lane, while the tunnels' bridge is right.
@Suite("Stray flows of br-int") struct StrayFlowsTests {
  private static let stats = "0, n_packets=0, n_bytes=0, "

  /// An overlay with one more flow in br-int of a host.
  private static func overlay(_ host: Int, _ flow: (MadeOverlay) -> String) -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    let line = stats + flow(overlay)
    overlay.editFlows = { $0 == host && $1 == "br-int" ? [line] + $2 : $2 }
    return overlay
  }

  @Test(arguments: ["push_vlan:0x8100,set_field:4101->vlan_vid", "mod_vlan_vid:5"])
  func whatMovesAPortsFramesToAnotherVLANIsTheCause(action: String) throws {
    var overlay = Self.overlay(0) { "priority=90,in_port=\"\($0.guests[0].qvo)\" actions=\(action),output:\"patch-tun\"" }
    overlay.lane = { $0.sender == 0 ? 0x2712 : $0.vni }
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["wrong-local-vlan"])
    #expect(causes.first?.host == "ash")
    #expect(causes.first?.network == "red")
    #expect(causes.first?.cause?.bridge == "br-int")
    #expect(causes.first?.cause?.text.contains("priority=90") == true)
    #expect(report.findings.contains { $0.rule == "wrong-vni" && $0.role == .consequence })
  }

  @Test func whatMovesArrivalsToAnotherVLANIsTheCause() throws {
    var overlay = Self.overlay(1) { _ in "priority=90,in_port=\"patch-tun\",dl_vlan=5 actions=set_field:4099->vlan_vid,NORMAL" }
    overlay.inbound = { $0.vni == 0x2712 || $0.host == 1 ? 1 : 0 }
    MadeFaultsTests.talk(&overlay)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["wrong-local-vlan"])
    #expect(causes.first?.host == "birch")
    #expect(causes.first?.cause?.text.contains("dl_vlan=5") == true)
  }

  /// Where there is no dump, that its own ports got every frame as well tells that none was put on another VLAN.
  @Test(arguments: [true, false])
  func aCopyBesideTheOwnLaneIsADeliveryToAnotherNetwork(hasFlows: Bool) throws {
    var overlay = Self.overlay(1) {
      "priority=90,dl_vlan=5,dl_dst=ff:ff:ff:ff:ff:ff actions=NORMAL,pop_vlan,output:\"\($0.guests[4].qvo)\""
    }
    overlay.hasFlows = hasFlows
    overlay.strays = { $0.host == 1 && $0.vni == 0x2711 && $0.sender != 1 && $0.frame[0] == 0xff && $1 == 0 ? [4] : [] }
    MadeFaultsTests.talk(&overlay)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["cross-network-delivery"])
    #expect(causes.first?.host == "birch")
    #expect(causes.first?.network == "red")
    #expect(causes.first?.cause?.text.contains("priority=90") == (hasFlows ? true : nil))
  }

  /// Between two guests of one host there is no tunnel.
  @Test func aTagThatAFlowGivesToNeighboursFramesIsUnexpected() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.guests.append(.init("red-3", host: 0, network: 0, mac: 0xfa16_3e00_3000, address: 0x0a07_0009))
    let line = Self.stats + "priority=90,in_port=\"\(overlay.guests[0].qvo)\",dl_dst=fa:16:3e:00:30:00 "
      + "actions=push_vlan:0x8100,set_field:4173->vlan_vid,output:\"\(overlay.guests[5].qvo)\""
    overlay.editFlows = { $0 == 0 && $1 == "br-int" ? [line] + $2 : $2 }
    overlay.alters = { sighting in
      guard sighting.place == .qvo(5), sighting.sender == 0, sighting.frame[0] != 0xff else { return [sighting.frame] }
      return [Array(sighting.frame[..<12]) + [0x81, 0, 0, 77] + sighting.frame[12...]]
    }
    MadeFaultsTests.talk(&overlay)
    let causes = MadeFaultsTests.causes(try overlay.verify())
    #expect(causes.map(\.rule) == ["unexpected-vlan-tag"])
    #expect(causes.first?.host == "ash")
    #expect(causes.first?.cause?.text.contains("set_field:4173") == true)
  }

  /// Only ports were captured: what entered at one and came out at another tells the rest.
  @Test func withoutTunnelsTheSendersFlowsExplainADelivery() throws {
    var overlay = Self.overlay(0) {
      "priority=90,in_port=\"\($0.guests[0].qvo)\" actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:\"patch-tun\""
    }
    overlay.lane = { $0.sender == 0 ? 0x2712 : $0.vni }
    overlay.uncaptured = ["ash/eth1", "birch/eth1", "cedar/eth1"]
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let cause = MadeFaultsTests.causes(report).first
    #expect(cause?.rule == "wrong-local-vlan")
    #expect(cause?.cause?.bridge == "br-int")
    #expect(report.findings.contains { $0.rule == "cross-network-delivery" && $0.role == .consequence })
  }
}
