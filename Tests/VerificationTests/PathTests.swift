import Foundation
import Testing
import Verification

@testable import Jobs

@Suite("The path between two guests") struct PathTests {
  static let test = "qvo60820963-9a"
  static let test2 = "qvof270e0c2-76"

  struct Case: CustomTestStringConvertible, Sendable {
    var bundle: String
    /// What the conclusion must say, in this order.
    var says: [String]
    var testDescription: String { bundle }
  }

  @Test(arguments: [
    Case(bundle: "clean-vxlan", says: ["reach each other."]),
    Case(bundle: "wrong-vni-out", says: ["2 of 3 ARP/ND requests", "host1/eth1", "VNI 64", "table 22", "0x40->tun_id"]),
    Case(
      bundle: "wrong-vlan-in",
      says: ["cannot reach", "reach host2/eth1 but not host2/qvof270e0c2-76", "VLAN 1", "table 4"]),
    Case(bundle: "no-strip-vlan", says: ["both ARP/ND requests", "VLAN tag still on them", "table 22"]),
    Case(bundle: "wrong-qvo-tag", says: ["cannot reach each other", "Cause: port qvof270e0c2-76", "tag 1"]),
    Case(bundle: "missing-vni-in", says: ["cannot reach", "but not host2/qvof270e0c2-76", "no flow maps VNI 57"]),
    Case(bundle: "spoofed-vtep", says: ["reach each other.", "never sent", "02:00:00:00:00:66"]),
    Case(bundle: "wrong-udp-port", says: ["cannot reach each other", "UDP port 8472", "dst_port=8472"]),
    Case(bundle: "one-way", says: ["cannot reach", "reach host2/qvof270e0c2-76 but not host2/eth1"]),
  ])
  func isConcludedInPlainWords(_ expected: Case) throws {
    let report = try path(VerifyOptions(paths: [Bundles.path(expected.bundle)]), from: Self.test, to: Self.test2)
    var rest = report.conclusion[...]
    for part in expected.says {
      let found = try #require(rest.range(of: part), "“\(part)” in: \(report.conclusion)")
      rest = rest[found.upperBound...]
    }
  }

  @Test(arguments: [
    ("60820963-9a03-55ca-9bcb-a8f97e067361", "fa:16:3e:39:00:12"), ("tap60820963-9a", "10.0.0.12"),
    ("10.0.0.11", "tapf270e0c2-76"),
  ])
  func takesAnyNameOfAPort(from: String, to: String) throws {
    let report = try path(VerifyOptions(paths: [Bundles.path("clean-vxlan")]), from: from, to: to)
    #expect(report.directions.map(\.from) == [Self.test, Self.test2])
  }

  @Test func sameAddressInTwoNetworksIsAmbiguous() throws {
    let error = try #require(throws: JobError.self) {
      try path(VerifyOptions(paths: [Bundles.path("clean-two-tenants")]), from: "10.0.0.11", to: Self.test2)
    }
    #expect(error.message.contains("ambiguous"))
    #expect(error.message.contains("qvo40d57322-54"))
  }

  @Test func anUnknownNameIsToldWhatThereIs() throws {
    let error = try #require(throws: JobError.self) {
      try path(VerifyOptions(paths: [Bundles.path("clean-vxlan")]), from: "web1", to: Self.test2)
    }
    #expect(error.message.contains(Self.test))
  }

  @Test func everyPointHasItsCounts() throws {
    let report = try path(VerifyOptions(paths: [Bundles.path("clean-vxlan")]), from: Self.test, to: Self.test2)
    for direction in report.directions {
      #expect(direction.stages.map(\.what) == ["ARP/ND", "traffic"])
      for stage in direction.stages {
        #expect(stage.points.count == 8)
        #expect(Set(stage.points.map(\.requests)).count == 1)
        #expect(Set(stage.points.map(\.answers)).count == 1)
        #expect(stage.points.allSatisfy { $0.mark == .passed })
      }
    }
  }
}
