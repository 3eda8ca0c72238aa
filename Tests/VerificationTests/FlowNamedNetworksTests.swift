import Deployment
import Foundation
import Testing
import Verification

@testable import Jobs

/// Bundles without any record of agents: `ovs-vsctl show` and the flows are what there is.
@Suite("Networks that only flows and port tags name") struct FlowNamedNetworksTests {
  private func isKept(_ file: String) -> Bool { !(file.split(separator: "/").last ?? "").hasPrefix("ovsdb-") }

  struct Case: Sendable, CustomTestStringConvertible {
    var bundle: String
    var rule: String
    var table: Int?
    var testDescription: String { bundle }
  }

  static let faults = [
    Case(bundle: "wrong-vni-out", rule: "wrong-vni", table: 22),
    Case(bundle: "wrong-vlan-in", rule: "wrong-local-vlan", table: 4),
    Case(bundle: "missing-vni-in", rule: "unmapped-vni", table: 4),
    Case(bundle: "no-strip-vlan", rule: "vlan-not-stripped", table: 22),
    Case(bundle: "one-way", rule: "frame-lost", table: 22),
    Case(bundle: "stale-learn", rule: "stale-location", table: 20),
    Case(bundle: "translation/wrong-key-gre", rule: "wrong-vni", table: 22),
    Case(bundle: "translation/wrong-vlan-geneve", rule: "wrong-local-vlan", table: 6),
    // Its guest's frames show nowhere but at its own port.
    Case(bundle: "installed/missing-mapping-outbound", rule: "frame-lost", table: 22),
    Case(bundle: "delivery/lost-on-the-underlay", rule: "frame-lost", table: nil),
  ]

  @Test(arguments: faults) func faultsHaveTheSameCause(fault: Case) throws {
    let whole = try Bundles.verify(fault.bundle).findings.filter { $0.role == .cause && $0.severity == .error }
    let report = try Bundles.verify(fault.bundle, keeping: isKept)
    let causes = report.findings.filter { $0.role == .cause && $0.severity == .error }
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == [fault.rule])
    #expect(causes.map(\.host) == whole.map(\.host))
    #expect(causes.map(\.count) == whole.map(\.count))
    #expect(causes.map(\.cause?.table) == [fault.table])
    #expect(!report.inferred)
  }

  @Test(arguments: [
    "clean-two-tenants", "clean/mixed-tunnels", "clean/trunk", "clean/router", "clean/high-vlans", "clean/same-macs",
    "isolation/nested-bridge", "installed/renumbered-vlans", "learning/migration", "clean/provider-network",
  ])
  func healthyOnesStayHealthy(bundle: String) throws {
    let report = try Bundles.verify(bundle, keeping: isKept)
    #expect(report.findings.filter { $0.severity > .info }.map(\.message) == [])
    #expect(report.verdict == .pass)
  }

  /// VLANs are what the flows make of them.
  @Test func coverageTellsLocalVLANs() throws {
    func rows(_ report: Report) -> Set<[String]> {
      Set(report.coverage.map { ["\($0.host)", "\($0.vni.map { "\($0)" } ?? "")", "\($0.localVLAN.map { "\($0)" } ?? "")", "\($0.out)", "\($0.in)"] })
    }
    #expect(try rows(Bundles.verify("clean-two-tenants", keeping: isKept)) == rows(Bundles.verify("clean-two-tenants")))
  }

  @Test(arguments: ["wrong-vni-out", "wrong-vlan-in", "missing-vni-in", "flood-missing-peer", "installed/check-two-vnis-one-vlan"])
  func checkFindsWhatFlowsContradict(bundle: String) throws {
    let state = try EditedState(bundle)
    let whole = try state.check()
    for file in Bundles.files(bundle) where !isKept(file) { try state.remove(file) }
    let report = try state.check()
    func causes(_ report: Report) -> [String] {
      report.findings.filter { $0.severity == .error }.map { "\($0.rule) \($0.host ?? "") \($0.cause?.text ?? "")" }.sorted()
    }
    #expect(!causes(report).isEmpty)
    #expect(causes(report) == causes(whole))
  }

  /// Whoever lists networks knows of those that flows have beside them.
  @Test func listedNetworksAreAllThereAre() throws {
    let report = try Bundles.verify("translation/unknown-vni", keeping: isKept)
    #expect(report.findings.contains { $0.rule == "unknown-vni" && $0.severity == .error })
  }

  /// `ovs-vsctl show` does not tell whether a port is in use: frames do.
  @Test func aDeadPortThatSpeaksIsInUse() throws {
    let report = try Bundles.verify("installed/dead-vlan", keeping: isKept)
    #expect(report.findings.contains { $0.rule == "dead-vlan" && $0.severity == .warning })
    let state = try EditedState("installed/check-unused-port")
    for file in Bundles.files("installed/check-unused-port") where !isKept(file) { try state.remove(file) }
    #expect(try state.check().findings.filter { $0.rule == "dead-vlan" }.map(\.severity) == [.info])
  }

  /// A flow to a VLAN that nobody is on takes no network from those who are.
  @Test func strayVLANsTakeNoNetwork() throws {
    let bundle = "clean/high-vlans"
    let state = try EditedState(bundle)
    for file in Bundles.files(bundle) where !isKept(file) { try state.remove(file) }
    try state.edit("ctl", "br-tun.flows") { $0.replacingOccurrences(of: "set_field:8190->vlan_vid", with: "set_field:4103->vlan_vid") }
    let report = try state.check()
    #expect(report.coverage.first { $0.host == "ctl" && $0.vni == 0xffffff }?.localVLAN == 4094)
    #expect(report.findings.contains { $0.severity == .error && $0.host == "ctl" && $0.cause?.table == 4 })
  }
}
