import Foundation
import Testing
import Verification

@testable import Jobs

/// Faults of br-int's flows and ports, which show when frames are sent through the dumps of all hosts. In
/// clean-two-tenants, net-fd290d1d has VLAN 1 and 2 on host1 and host2, and net-0b5e1750 the other one; port 2 of
/// br-int is of the former, port 3 of the latter.
@Suite("Frames through the installed flows of all hosts")
struct InstalledPathTests {
  private func raised(_ report: Report) -> [[String?]] {
    report.findings.filter { $0.severity > .info }.map { [$0.rule, $0.host, $0.network] }
  }

  /// With one more flow in table 0 of br-int.
  private func report(_ host: String, _ flow: String, onlyAfter: Bool = false) throws -> Report {
    let state = try EditedState("clean-two-tenants")
    try state.edit(host, "br-int.flows", onlyAfter: onlyAfter) { text in
      text + " cookie=0x1, duration=100.5s, table=0, n_packets=0, n_bytes=0, idle_age=0, priority=200,\(flow)\n"
    }
    return try state.check()
  }

  @Test func aFlowThatDropsAPortsFrames() throws {
    let report = try report("host1", "in_port=2 actions=drop")
    #expect(raised(report) == [["unreachable-port", "host1", "net-fd290d1d"]])
    #expect(report.findings.first?.cause?.text == "priority=200,in_port=2 actions=drop")
    #expect(report.findings.first?.cause?.line != nil)
  }

  @Test func aFlowThatDropsWhatComesOutOfTheTunnels() throws {
    let report = try report("host2", "in_port=1,dl_vlan=1 actions=drop")
    #expect(raised(report) == [["unreachable-port", "host2", "net-0b5e1750"]])
  }

  @Test func aFlowThatPutsAPortsFramesOnAnotherVLAN() throws {
    let report = try report("host1", "in_port=2 actions=mod_vlan_vid:2,output:1")
    #expect(raised(report) == [["wrong-local-vlan", "host1", "net-fd290d1d"]])
    #expect(report.findings.first?.cause?.text.contains("mod_vlan_vid:2") == true)
  }

  @Test func aFlowThatCopiesFramesToAnotherNetworksPort() throws {
    let report = try report(
      "host2", "in_port=1,dl_vlan=2,dl_dst=ff:ff:ff:ff:ff:ff actions=strip_vlan,output:2,output:3")
    #expect(raised(report) == [["cross-network-delivery", "host2", "net-fd290d1d"]])
  }

  @Test func aFlowThatLeavesTheTagOn() throws {
    let report = try report("host2", "in_port=1,dl_vlan=2 actions=output:2")
    #expect(raised(report) == [["unexpected-vlan-tag", "host2", "net-fd290d1d"]])
  }

  @Test func aFlowThatChangesNothingForTheNetworkRaisesNothing() throws {
    #expect(try raised(report("host1", "in_port=2,dl_vlan=77 actions=drop")) == [])
    #expect(try raised(report("host1", "in_port=2,tcp actions=drop")) == [])
  }

  @Test func whatOnlyTheEarlierDumpShowsIsOver() throws {
    let state = try EditedState("clean-two-tenants")
    let file = state.root.appendingPathComponent("host1/br-int.flows")
    let text = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    try state.write(
      "host1/br-int.flows",
      text + " cookie=0x1, duration=9.5s, table=0, n_packets=0, n_bytes=0, priority=200,in_port=2 actions=drop\n")
    #expect(try raised(state.check()) == [])
  }

  @Test(
    "faults of flows for single MACs, in recorded bundles",
    arguments: [
      ("translation/wrong-vni-unicast", "mapping-conflict", "compute-a"),
      ("translation/no-strip-l2pop", "vlan-not-stripped", "os-cmp043"),
    ])
  func unicast(_ bundle: String, _ rule: String, _ host: String) throws {
    let report = try check(VerifyOptions(paths: [Bundles.path(bundle)]))
    #expect(report.findings.map(\.rule) == [rule])
    #expect(report.findings.first?.host == host)
    #expect(report.findings.first?.cause?.table == 20)
  }

  @Test("no finding in what passes, by the dumps of before, of after, and by both", arguments: InstalledPathTests.passing)
  func noFalseAlarm(_ bundle: String) throws {
    for mode in 0...2 {
      let state = try EditedState(bundle)
      for host in Self.hosts(bundle) {
        let folder = state.root.appendingPathComponent(host)
        let after = folder.appendingPathComponent("after")
        guard mode > 0, FileManager.default.fileExists(atPath: after.path) else { continue }
        if mode == 2 {
          for name in try FileManager.default.contentsOfDirectory(atPath: after.path) {
            try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
            try FileManager.default.moveItem(
              at: after.appendingPathComponent(name), to: folder.appendingPathComponent(name))
          }
        }
        try FileManager.default.removeItem(at: after)
      }
      #expect(raised(try state.check()) == [], "\(["both", "before", "after"][mode])")
    }
  }

  private static func hosts(_ bundle: String) -> Set<String> {
    Set(Bundles.files(bundle).filter { $0.hasSuffix(".flows") }.compactMap { $0.split(separator: "/").first.map(String.init) })
  }

  /// One in four of those that pass, and whose dumps do not show what was lost after the captures.
  static let passing = Bundles.all.enumerated().filter { $0.offset % 4 == 1 }.map(\.element).filter { bundle in
    let text = (try? String(contentsOfFile: Bundles.path(bundle) + "/expect.yaml", encoding: .utf8)) ?? ""
    return text.contains("verdict: pass") && !text.contains("rule: dead-vlan") && !hosts(bundle).isEmpty && bundle != "translation/lost-at-restart"
  }
}
