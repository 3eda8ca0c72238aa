import Foundation
import Testing
import Verification

@Suite("Recordings of faults") struct FaultBundlesTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var bundle: String
    var rule: String
    var host: String
    var network = "net"
    var cause: Cause.Kind
    /// What the cause's text must contain.
    var text: String
    /// Rules that may follow from it.
    var consequences: Set<String> = []
    var testDescription: String { bundle }
  }

  static let cases = [
    Case(
      bundle: "wrong-vni-out", rule: "wrong-vni", host: "host1", cause: .flow, text: "set_field:0x40->tun_id",
      consequences: ["cross-network-delivery"]),
    Case(
      bundle: "wrong-vlan-in", rule: "wrong-local-vlan", host: "host2", cause: .flow,
      text: "tun_id=0x39 actions=push_vlan:0x8100,set_field:4097->vlan_vid",
      consequences: ["cross-network-delivery", "wrong-vni"]),
    Case(
      bundle: "no-strip-vlan", rule: "vlan-not-stripped", host: "host1", cause: .flow,
      text: "dl_vlan=1 actions=set_field:0x39->tun_id"),
    Case(
      bundle: "wrong-qvo-tag", rule: "port-tag-mismatch", host: "host2", cause: .portTag, text: "tag 1",
      consequences: ["cross-network-delivery", "wrong-vni", "frame-lost"]),
    Case(bundle: "missing-vni-in", rule: "unmapped-vni", host: "host2", cause: .missingFlow, text: "tun_id=0x39"),
    Case(
      bundle: "spoofed-vtep", rule: "forged-tunnel-frame", host: "host2", cause: .sender, text: "02:00:00:00:00:66",
      consequences: ["unknown-vtep", "unknown-vni", "mac-moved"]),
    Case(
      bundle: "wrong-udp-port", rule: "nonstandard-tunnel-port", host: "host1", cause: .tunnel,
      text: "dst_port=8472"),
  ]

  /// Faults of learning and of floods: not every frame that the truth lists is past the grace.
  static let learning = [
    Case(
      bundle: "learn-disabled", rule: "flooded-after-learned", host: "host1", cause: .flow,
      text: "priority=1 actions=output:\"patch-int\""),
    Case(
      bundle: "stale-learn", rule: "stale-location", host: "host1", cause: .flow,
      text: "dl_dst=fa:16:3e:39:00:12 actions=pop_vlan,set_field:0x39->tun_id,output:\"vxlan-c0000203\""),
    Case(
      bundle: "flood-missing-peer", rule: "incomplete-flood", host: "host1", cause: .flow,
      text: "dl_vlan=1 actions=pop_vlan,set_field:0x39->tun_id,output:\"vxlan-c0000202\""),
    Case(bundle: "tunnel-loop", rule: "tunnel-reflection", host: "host3", cause: .flow, text: "output:"),
    Case(bundle: "one-way", rule: "frame-lost", host: "host2", cause: .missingFlow, text: "dl_vlan=2"),
  ]

  @Test(arguments: learning)
  func whatAHostShouldHaveLearnedIsHeldAgainstIt(_ fault: Case) throws {
    let truth = try Bundles.truth(fault.bundle)
    let report = try Bundles.verify(fault.bundle)
    #expect(report.verdict == .fail)
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(causes.map(\.rule) == [fault.rule])
    let root = try #require(causes.first)
    #expect(root.host == fault.host)
    #expect(root.network == truth.reportName(of: fault.network))
    #expect(root.cause?.kind == fault.cause)
    #expect(root.cause?.text.contains(fault.text) == true)
    for (file, numbers) in truth.measured.affected_frame_numbers {
      let own = Set(root.frames.first { $0.file == file }?.numbers ?? [])
      #expect(own.isSubset(of: numbers), "\(file)")
      #expect(own.count * 10 >= numbers.count * 8, "\(file): \(own.count) of \(numbers.count)")
    }
  }

  @Test func aMigrationIsNoFault() throws {
    let report = try Bundles.verify("mac-move")
    #expect(report.verdict == .pass)
    #expect(faults(report).isEmpty)
    #expect(report.findings.contains { $0.rule == "mac-moved" && $0.message.contains("host3 (192.0.2.3)") })
  }

  @Test(arguments: cases)
  func oneCauseIsNamedWithItsFrames(_ fault: Case) throws {
    let truth = try Bundles.truth(fault.bundle)
    let report = try Bundles.verify(fault.bundle)
    #expect(report.verdict == .fail)
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(causes.map(\.rule) == [fault.rule])
    let root = try #require(causes.first)
    #expect(root.host == fault.host)
    #expect(root.network == truth.reportName(of: fault.network))
    #expect(root.cause?.kind == fault.cause)
    #expect(root.cause?.text.contains(fault.text) == true)
    // Every frame that the fault hit, and none beside them at the points that the truth lists.
    let consequences = report.findings.filter { $0.causedBy == root.id }
    #expect(Set(consequences.map(\.rule)).isSubset(of: fault.consequences))
    #expect(report.findings.allSatisfy { $0.role == .cause || $0.causedBy == root.id })
    for (file, numbers) in truth.measured.affected_frame_numbers {
      let own = Set(root.frames.first { $0.file == file }?.numbers ?? [])
      let all = consequences.reduce(own) { $0.union($1.frames.first { $0.file == file }?.numbers ?? []) }
      #expect(all.isSuperset(of: numbers), "\(file)")
      if file == root.point.map({ $0 + ".pcap" }) { #expect(own.isSubset(of: numbers), "\(file)") }
    }
  }

  /// What is a fault in any lane.
  static let laneless = ["nonstandard-tunnel-port", "malformed-encapsulation", "frame-modified", "exceeds-underlay-mtu"]

  @Test(arguments: cases)
  func withoutStateNothingOfLanesIsProven(_ fault: Case) throws {
    let report = try Bundles.verify(fault.bundle, keeping: Bundles.isCapture)
    #expect(report.inferred)
    let isLaneless = Self.laneless.contains(fault.rule)
    #expect(report.findings.allSatisfy { $0.severity < .error || Self.laneless.contains($0.rule) })
    if !faults(report).isEmpty { #expect(report.verdict == (isLaneless ? .fail : .inconclusive)) }
  }

  @Test(arguments: [
    ("delivery/lost-on-the-underlay", "frame-lost"), ("delivery/modified", "frame-modified"),
    ("encapsulation/malformed-vxlan", "malformed-encapsulation"), ("delivery/large-frames-vanish", "exceeds-underlay-mtu"),
  ])
  func whatTheUnderlayDoesNeedsNoState(bundle: String, rule: String) throws {
    let whole = try Bundles.verify(bundle).findings.filter { $0.role == .cause && $0.severity == .error }
    let report = try Bundles.verify(bundle, keeping: Bundles.isCapture)
    let causes = report.findings.filter { $0.role == .cause && $0.severity == .error }
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == [rule])
    #expect(causes.map(\.host) == whole.map(\.host))
    #expect(causes.allSatisfy { !$0.message.contains("contradiction") })
  }

  /// Interfaces that only the file itself names are points like any other.
  @Test(arguments: cases)
  func oneFileWithAllInterfacesTellsTheSame(_ fault: Case) throws {
    let apart = try Bundles.verify(fault.bundle, keeping: Bundles.isCapture)
    let joined = try Bundles.verify(files: Rewriting.joined(fault.bundle))
    #expect(joined.verdict == apart.verdict)
    #expect(joined.findings.map { "\($0.rule) \($0.host ?? "") \($0.severity)" }
      == apart.findings.map { "\($0.rule) \($0.host ?? "") \($0.severity)" })
    #expect(joined.coverage == apart.coverage)
  }

  @Test func tunnelsAloneExerciseNoTranslation() throws {
    let report = try Bundles.verify("wrong-vlan-in", keeping: { $0.hasSuffix("eth1.pcap") })
    #expect(report.verdict == .inconclusive)
    #expect(report.reasons.contains { $0.contains("no translation") })
  }

  /// The captures without which nothing shows are the only ones that may be missing for a pass.
  @Test(arguments: cases)
  func withACaptureMissingTheCauseStaysOrNothingIsSaid(_ fault: Case) throws {
    for left in Bundles.files(fault.bundle) where Bundles.isCapture(left) {
      let report = try Bundles.verify(fault.bundle, keeping: { $0 != left })
      let causes = Set(report.findings.filter { $0.role == .cause && $0.severity > .info }.map(\.rule))
      #expect(causes.isSubset(of: [fault.rule]), "without \(left)")
      #expect(!causes.isEmpty || left.hasPrefix("host2/eth1.pcap"), "without \(left)")
    }
  }
}
