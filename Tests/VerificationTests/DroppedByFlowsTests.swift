import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// What the dumped flows do to frames tells why they vanish, or why they leave in another lane.
@Suite("Causes in the dumped flows") struct DroppedByFlowsTests {
  private static func taps(of overlay: MadeOverlay) -> Set<String> {
    Set(overlay.guests.map { "\(overlay.hosts[$0.host])/\($0.qvo)" })
  }

  /// At taps behind Linux bridges only ARP counts, and there are few of them.
  @Test func aTunnelPortThatNoFlowTakesIsFoundWithTapsAlone() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = Self.taps(of: overlay)
    overlay.drops = { if case .qvo(2) = $0.place { return $0.sender == 0 } else { return false } }
    let port = "in_port=\"\(overlay.tunnelName(0))\""
    overlay.editFlows = { host, bridge, lines in lines.filter { host != 2 || bridge != "br-tun" || !$0.contains(port) } }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.host == "cedar")
    #expect(causes.first?.cause?.kind == .missingFlow)
    #expect(causes.first?.cause?.text.contains(overlay.tunnelName(0)) == true)
  }

  /// Broadcast leaves; unicast does not.
  @Test func unicastThatAFlowDropsIsFoundWithTapsAlone() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.uncaptured = Self.taps(of: overlay)
    let drop = "2, n_packets=0, n_bytes=0, priority=9,dl_vlan=4,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=drop"
    overlay.editFlows = { host, bridge, lines in host == 2 && bridge == "br-tun" ? lines + [drop] : lines }
    overlay.lane = { $0.sender == 2 && $0.frame[0] & 1 == 0 ? nil : $0.vni }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.cause?.text.contains("priority=9") == true)
  }

  /// Dumps with names of ports and no numbers: what is learned goes out by the port that it was learned from.
  @Test func statesWithoutPortNumbersAreChecked() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    for (file, data) in MadeFaultsTests.overlay().files() {
      let target = directory.appendingPathComponent(file)
      try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: target)
    }
    let report = try Jobs.check(VerifyOptions(paths: [directory.path]))
    #expect(report.findings.map(\.message) == [])
  }

  /// Some frames vanish for another reason: no flow is named, and nothing becomes an error.
  @Test func lossThatNoFlowExplainsStaysAWarning() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.drops = { if case .qvo(2) = $0.place { return $0.serial % 5 == 3 } else { return false } }
    MadeFaultsTests.talk(&overlay, rounds: 20)
    let report = try overlay.verify()
    #expect(report.verdict == .pass)
    #expect(report.findings.allSatisfy { $0.cause == nil })
  }

  @Test(arguments: [true, false])
  func whatVanishesFromSomeTimeOnIsAnError(isAtTheEnd: Bool) throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.drops = { sighting in
      guard case .out = sighting.place, sighting.sender == 2 else { return false }
      return isAtTheEnd ? sighting.serial > 120 : sighting.serial < 60
    }
    MadeFaultsTests.talk(&overlay, rounds: 20)
    let report = try overlay.verify()
    #expect(report.verdict == .fail)
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["frame-lost"])
    #expect(causes.first?.message.contains(isAtTheEnd ? "after the last one that arrived" : "before the first one") == true)
  }

  @Test func aLearnedLaneIsTheFlowThatTeachesIt() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.lane = { $0.sender == 2 && $0.frame[0] & 1 == 0 ? 0x2712 : $0.vni }
    overlay.receivers = { sighting in
      let all = [0, 1, 2].filter { $0 != sighting.host }
      return sighting.frame[0] & 1 == 0 ? all.filter { UInt8($0) == sighting.frame[5] } : all
    }
    overlay.editFlows = { host, bridge, lines in
      host == 2 && bridge == "br-tun"
        ? lines.map { $0.replacing("load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[]", with: "load:0x2712->NXM_NX_TUN_ID[]") } : lines
    }
    MadeFaultsTests.talk(&overlay, rounds: 5)
    let report = try overlay.verify()
    let wrong = MadeFaultsTests.causes(report).first { $0.rule == "wrong-vni" }
    #expect(wrong?.host == "cedar")
    #expect(wrong?.certainty == .proven)
    #expect(wrong?.cause?.table == 10, "\(String(describing: wrong?.cause))")
  }

  @Test func aFlowForTheVNIThatDropsBroadcastIsNamed() throws {
    var overlay = MadeFaultsTests.overlay()
    let drop = "4, n_packets=0, n_bytes=0, priority=9,tun_id=0x2711,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop"
    overlay.editFlows = { host, bridge, lines in host == 2 && bridge == "br-tun" ? lines + [drop] : lines }
    overlay.inbound = { $0.host == 2 && $0.vni == 0x2711 && $0.frame[0] & 1 == 1 ? nil : Int($0.vni) - 0x2711 }
    MadeFaultsTests.talk(&overlay, rounds: 5)
    let report = try overlay.verify()
    let cause = MadeFaultsTests.causes(report).first { $0.rule == "unmapped-vni" }
    #expect(cause?.cause?.kind == .flow)
    #expect(cause?.message.contains("broadcast and multicast") == true)
  }

  @Test func aPeerThatTheFloodListNamesTwiceIsTheCauseOfCopies() throws {
    var overlay = MadeFaultsTests.overlay()
    let name = overlay.tunnelName(2)
    overlay.editFlows = { host, bridge, lines in
      lines.map { host == 0 && bridge == "br-tun" && $0.hasPrefix("22,") && $0.contains("dl_vlan=3 ") ? $0 + ",output:\"\(name)\"" : $0 }
    }
    overlay.receivers = { sighting in
      let all = [0, 1, 2].filter { $0 != sighting.host }
      guard sighting.frame[0] & 1 == 1 else { return all.filter { UInt8($0) == sighting.frame[5] } }
      return sighting.sender == 0 ? all + [2] : all
    }
    for round in 0..<20 {
      overlay.send(overlay.question(0, about: 0x0a07_0100 + UInt32(round)), from: 0, at: Int64(round) * 50_000_000)
      overlay.send(overlay.datagram(0, to: 1, round), from: 0, at: Int64(round) * 50_000_000 + 10_000_000)
    }
    let report = try overlay.verify()
    let copies = report.findings.first { $0.rule == "frame-duplicated" }
    #expect(copies?.cause?.table == 22)
  }

  /// Two networks changed for one another: each direction of each has a flow of its own.
  @Test func floodsInAWrongLaneAreACauseOfTheirOwn() throws {
    var overlay = MadeFaultsTests.overlay()
    overlay.editFlows = { host, bridge, lines in
      guard host == 0, bridge == "br-tun" else { return lines }
      return lines.map { line in
        line.hasPrefix("4,") || line.hasPrefix("22,")
          ? line.replacing("0x2711", with: "0xffff").replacing("0x2712", with: "0x2711").replacing("0xffff", with: "0x2712") : line
      }
    }
    overlay.lane = { $0.host == 0 ? 0x2711 + 0x2712 - $0.vni : $0.vni }
    overlay.inbound = { $0.host == 0 ? 1 - (Int($0.vni) - 0x2711) : Int($0.vni) - 0x2711 }
    overlay.receivers = { sighting in [0, 1, 2].filter { $0 != sighting.host } }
    MadeFaultsTests.talk(&overlay, rounds: 3)
    let report = try overlay.verify()
    let rules = MadeFaultsTests.causes(report).map(\.rule).sorted()
    #expect(rules.filter { $0 == "wrong-vni" }.count == 2)
    #expect(rules.filter { $0 == "wrong-local-vlan" }.count == 2)
  }

  /// Whoever left for a host of which the bundle has nothing lives there.
  @Test func guestsThatMoveToHostsOutsideTheBundleAreNotStale() throws {
    for bundle in ["mac-move", "learning/migration"] {
      for host in Set(Bundles.files(bundle).compactMap { $0.contains("/") ? $0.split(separator: "/").first.map(String.init) : nil }) {
        let report = try Bundles.verify(bundle, keeping: { !$0.hasPrefix(host + "/") })
        #expect(!report.findings.contains { $0.rule == "stale-location" && $0.severity > .info }, "\(bundle) without \(host)")
      }
    }
  }
}
