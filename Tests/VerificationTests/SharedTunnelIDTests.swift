import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// Two networks with one tunnel ID: the key of the one in GRE, the VNI of the other in VXLAN.
@Suite("Networks that share a tunnel ID") struct SharedTunnelIDTests {
  /// Guests 0 to 2 of `red` on the three hosts, 3 and 4 of `blue` on the first two.
  private func overlay() -> MadeOverlay {
    var overlay = MadeFaultsTests.overlay()
    overlay.networks[0].kind = "gre"
    overlay.networks[1].vni = overlay.networks[0].vni
    return overlay
  }

  private func essence(_ report: Report) -> [String] { report.findings.map { "\($0.rule): \($0.message)" } }

  @Test("Ports of which no state tells are of the network whose kind of tunnel their frames take", arguments: [[1], [0, 1], [0, 1, 2]])
  func unlistedPorts(hosts: [Int]) throws {
    var overlay = overlay()
    for guest in overlay.guests.indices where hosts.contains(overlay.guests[guest].host) { overlay.guests[guest].isListed = false }
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    #expect(essence(report) == [])
    #expect(report.verdict == .pass)
    #expect(report.coverage.filter { $0.network == "blue" && ($0.out > 0 || $0.in > 0) }.count == 2)
  }

  @Test func withoutAnyStateThereAreTwoNetworks() throws {
    var overlay = overlay()
    MadeFaultsTests.talk(&overlay)
    // Names as long as Neutron's: no state tells where they end.
    let captures = overlay.files().filter { $0.key.hasSuffix(".pcap") }.map { file, data in
      (file.replacing(#/(00000000-..).*\.pcap/#) { "\($0.output.1).pcap" }, data)
    }
    let report = try Bundles.verify(files: Dictionary(captures) { first, _ in first })
    #expect(essence(report) == [])
    #expect(Set(report.coverage.map(\.network)) == ["gre-10001", "vxlan-10001"])
    #expect(report.verdict == .pass)
  }

  /// The one that is known takes no frames of the other for its own.
  @Test("A network that nobody names is no other with its ID") func namelessNetwork() throws {
    var overlay = overlay()
    for guest in overlay.guests.indices where overlay.guests[guest].network == 1 {
      overlay.guests[guest].isListed = false
      let host = overlay.hosts[overlay.guests[guest].host]
      overlay.uncaptured.formUnion(["\(host)/\(overlay.guests[guest].tap)", "\(host)/\(overlay.guests[guest].qvo)"])
    }
    // Its broadcast reaches a host that has no port of it.
    let guests = overlay.guests
    overlay.receivers = { sighting in
      let others = [0, 1, 2].filter { $0 != guests[sighting.sender].host }
      guard sighting.frame[0] != 0xff else { return others }
      let own = guests.filter { $0.network == guests[sighting.sender].network }
      let destination = MACAddress(rawValue: sighting.frame.prefix(6).reduce(0) { $0 << 8 | UInt64($1) })
      return others.filter { host in own.contains { $0.host == host && $0.mac == destination } }
    }
    MadeFaultsTests.talk(&overlay)
    var files = overlay.files()
    let manifest = String(decoding: files["lanecheck.yaml"] ?? Data(), as: UTF8.self)
    files["lanecheck.yaml"] = Data(
      manifest.split(separator: "\n").filter { !$0.hasPrefix("  blue:") }.joined(separator: "\n")
        .replacing(#/, blue: \d+/#, with: "").utf8)
    let report = try Bundles.verify(files: files)
    #expect(essence(report).filter { !$0.hasPrefix("unknown-vni") } == [])
    #expect(report.verdict == .pass)
  }

  @Test func framesInTunnelsOfTheOtherKindAreInTheWrongLane() throws {
    var overlay = overlay()
    let plain = overlay
    overlay.distorts = { sighting, packet in
      guard sighting.sender == 3 else { return packet }
      let (from, to) =
        switch sighting.place {
        case .out(let peer): (sighting.host, peer)
        case .in(let peer): (peer, sighting.host)
        default: (0, 0)
        }
      return plain.encapsulated(
        sighting.frame, vni: sighting.vni, from: plain.vtep(from), to: plain.vtep(to), station: plain.nic(from),
        nextHop: plain.nic(to), kind: "gre")
    }
    overlay.inbound = { $0.sender > 3 ? 1 : 0 }
    MadeFaultsTests.talk(&overlay)
    let report = try overlay.verify()
    let causes = MadeFaultsTests.causes(report)
    #expect(causes.map(\.rule) == ["wrong-vni"])
    #expect(causes.first?.network == "blue")
    #expect(causes.first?.message.contains("in GRE tunnels, the lane of network red; blue's is VNI 10001 (0x2711) in VXLAN tunnels") == true)
  }

  /// Their guests send the same bytes at the same time.
  @Test(arguments: [true, false]) func clonedTenantsOfBothAreApart(hasFlows: Bool) throws {
    let overlay = ClonedTenantsTests.overlay(.init(side: .none, share: 0, loss: 0, hasFlows: hasFlows)) {
      $0[0].kind = "gre"
      $0[1].vni = $0[0].vni
    }
    let report = try overlay.verify()
    #expect(faults(report).map(\.message) == [])
    #expect(report.verdict != .fail)
  }
}
