import Foundation
import Testing
import Verification

@testable import Jobs

/// Each rule of the installed family: state that must raise it, and state that is close and must not.
/// The network of clean-three-hosts has VNI 0x39, and VLAN 1, 2 and 1 on its hosts.
@Suite("Installed state against intent") struct InstalledFamilyTests {
  private let flows = "br-tun.of13.flows"

  private func state() throws -> EditedState { try EditedState("clean-three-hosts") }

  private func raised(_ state: EditedState) throws -> [[String?]] {
    try state.check().findings.filter { $0.severity > .info }.map { [$0.rule, $0.host] }
  }

  private func deactivate(_ state: EditedState, _ host: String) throws {
    try state.editRows(host, "ovsdb-interface.json") { row in
      let ids = (row["external_ids"] as? [Any])?.last as? [[String]] ?? []
      return ids.isEmpty ? row : setting(row, "external_ids", "iface-status", "inactive")
    }
  }

  /// Removes the lines of a flow dump that hold all words.
  private func without(_ words: String...) -> (String) -> String {
    { text in
      text.split(separator: "\n", omittingEmptySubsequences: false)
        .filter { line in !words.allSatisfy(line.contains) }.joined(separator: "\n")
    }
  }

  @Test func untouchedStateRaisesNothing() throws {
    #expect(try raised(state()) == [])
  }

  // MARK: mapping-conflict

  @Test func aVNIOnAnotherVLANThanTheAgentRecorded() throws {
    let state = try state()
    try state.edit("host2", flows) { $0.replacingOccurrences(of: "set_field:4098->vlan_vid", with: "set_field:4103->vlan_vid") }
    #expect(try raised(state) == [["mapping-conflict", "host2"]])
  }

  @Test func aVLANThatLeavesOnAnotherVNI() throws {
    let state = try state()
    try state.edit("host1", flows) { text in
      text.replacingOccurrences(of: "pop_vlan,set_field:0x39->tun_id", with: "pop_vlan,set_field:0x3a->tun_id")
    }
    #expect(try raised(state) == [["mapping-conflict", "host1"]])
  }

  @Test func aHostWhoseAgentHasTheNetworkUnderAnotherVNI() throws {
    let state = try state()
    try state.editRows("host3", "ovsdb-port.json") { row in
      let record = (row["other_config"] as? [Any])?.last as? [[String]] ?? []
      return record.isEmpty ? row : setting(row, "other_config", "segmentation_id", "58")
    }
    #expect(try raised(state) == [["mapping-conflict", "host3"]])
  }

  @Test func aVNIThatTunnelPortsPutOnDifferentVLANs() throws {
    let state = try state()
    try state.edit("host1", flows) { text in
      text.replacingOccurrences(
        of: "in_port=\"vxlan-c0000203\" actions=goto_table:4", with: "in_port=\"vxlan-c0000203\" actions=goto_table:5")
        + " cookie=0x1, duration=1.0s, table=5, n_packets=0, n_bytes=0, priority=1,tun_id=0x39 "
        + "actions=push_vlan:0x8100,set_field:4105->vlan_vid,goto_table:10\n"
    }
    #expect(try raised(state) == [["mapping-conflict", "host1"]])
  }

  @Test func aSecondVNIOnTheVLANThatNobodyUsesIsOnlyTold() throws {
    let state = try state()
    try state.edit("host1", flows) { text in
      text + " cookie=0x1, duration=1.0s, table=4, n_packets=0, n_bytes=0, priority=1,tun_id=0x77 "
        + "actions=push_vlan:0x8100,set_field:4097->vlan_vid,goto_table:10\n"
    }
    #expect(try raised(state) == [])
    #expect(try state.check().findings.map(\.rule) == ["mapping-conflict"])
  }

  @Test func anAgentThatStartedAgainMayChooseAnotherVLAN() throws {
    let state = try state()
    try state.edit("host2", flows, onlyAfter: true) { text in
      text.replacingOccurrences(of: "set_field:4098->vlan_vid", with: "set_field:4105->vlan_vid")
        .replacingOccurrences(of: "dl_vlan=2 ", with: "dl_vlan=9 ")
    }
    try state.editRows("host2", "ovsdb-port.json", onlyAfter: true) { row in
      guard row["tag"] as? Int == 2 else { return row }
      var row = setting(row, "other_config", "tag", "9")
      row["tag"] = 9
      return row
    }
    #expect(try raised(state) == [])
  }

  // MARK: missing-mapping

  @Test func noFlowForTheVNIOfAnActivePort() throws {
    let state = try state()
    try state.edit("host2", flows, without("table=4", "tun_id=0x39"))
    #expect(try raised(state) == [["missing-mapping", "host2"]])
  }

  @Test func noFlowOutOfTheVLANOfAnActivePort() throws {
    let state = try state()
    try state.edit("host2", flows, without("table=22", "dl_vlan=2"))
    #expect(try raised(state).contains(["missing-mapping", "host2"]))
  }

  @Test func aPortThatIsNotInUseNeedsNoMapping() throws {
    let state = try state()
    try state.edit("host2", flows, without("table=4", "tun_id=0x39"))
    try deactivate(state, "host2")
    #expect(try raised(state) == [])
  }

  // MARK: missing-flood-peer, missing-tunnel

  @Test func aFloodWithoutOneOfTheHostsThatHavePorts() throws {
    let state = try state()
    try state.edit("host1", flows) { $0.replacingOccurrences(of: ",output:\"vxlan-c0000203\"\n", with: "\n") }
    #expect(try raised(state) == [["missing-flood-peer", "host1"]])
  }

  @Test func aFloodNeedsNoCopyForAHostWithoutActivePorts() throws {
    let state = try state()
    try state.edit("host1", flows) { $0.replacingOccurrences(of: ",output:\"vxlan-c0000203\"\n", with: "\n") }
    try deactivate(state, "host3")
    #expect(try raised(state) == [])
  }

  private func dropTunnel(_ state: EditedState) throws {
    for table in ["ovsdb-port.json", "ovsdb-interface.json"] {
      try state.editRows("host1", table) { $0["name"] as? String == "vxlan-c0000203" ? nil : $0 }
    }
    try state.edit("host1", "ovs-vsctl-show.txt") { text in
      var lines = text.components(separatedBy: "\n")
      if let at = lines.firstIndex(where: { $0.contains("Port vxlan-c0000203") || $0.contains("Port \"vxlan-c0000203\"") }) {
        lines.removeSubrange(at..<min(at + 4, lines.count))
      }
      return lines.joined(separator: "\n")
    }
    try state.edit("host1", "br-tun.ports") { text in
      var lines = text.components(separatedBy: "\n")
      if let at = lines.firstIndex(where: { $0.contains("(vxlan-c0000203)") }) { lines.removeSubrange(at..<(at + 4)) }
      return lines.joined(separator: "\n")
    }
    try state.edit("host1", flows) { text in
      without("in_port=\"vxlan-c0000203\"")(text).replacingOccurrences(of: ",output:\"vxlan-c0000203\"\n", with: "\n")
    }
  }

  @Test func noTunnelToAHostWithPorts() throws {
    let state = try state()
    try dropTunnel(state)
    #expect(try raised(state) == [["missing-tunnel", "host1"]])
  }

  @Test func noTunnelIsNeededToAHostWithoutActivePorts() throws {
    let state = try state()
    try dropTunnel(state)
    try deactivate(state, "host3")
    #expect(try raised(state) == [])
  }

  // MARK: port-tag-mismatch, dead-vlan

  private func tag(_ state: EditedState, _ tag: Int, onlyBefore: Bool = false) throws {
    for folder in onlyBefore ? ["host2"] : ["host2", "host2/after"] {
      let url = state.root.appendingPathComponent("\(folder)/ovs-vsctl-show.txt")
      let text = try String(decoding: Data(contentsOf: url), as: UTF8.self)
      try Data(text.replacingOccurrences(of: "tag: 2", with: "tag: \(tag)").utf8).write(to: url)
      let list = state.root.appendingPathComponent("\(folder)/ovsdb-port.json")
      guard var table = try JSONSerialization.jsonObject(with: Data(contentsOf: list)) as? [String: Any],
        let headings = table["headings"] as? [String], let column = headings.firstIndex(of: "tag"),
        var data = table["data"] as? [[Any]]
      else { continue }
      for row in data.indices where data[row][column] as? Int == 2 { data[row][column] = tag }
      table["data"] = data
      try JSONSerialization.data(withJSONObject: table).write(to: list)
    }
  }

  @Test func aTagThatIsNotTheAgentsRecord() throws {
    let state = try state()
    try tag(state, 7)
    #expect(try raised(state) == [["port-tag-mismatch", "host2"]])
  }

  @Test func anActivePortLeftOnTheDeadVLAN() throws {
    let state = try state()
    try tag(state, 4095)
    let report = try state.check()
    #expect(report.findings.map(\.rule) == ["dead-vlan"])
    #expect(report.findings.map(\.severity) == [.warning])
  }

  @Test func aPortThatWasBeingPluggedIsNotDead() throws {
    let state = try state()
    try tag(state, 4095, onlyBefore: true)
    #expect(try raised(state) == [])
  }

  @Test func aPortThatIsNotInUseMayLieOnTheDeadVLAN() throws {
    let state = try state()
    try tag(state, 4095)
    try deactivate(state, "host2")
    #expect(try raised(state) == [])
  }

  // MARK: Partial bundles

  @Test(arguments: ["host1", "host2", "host3"])
  func hostsThatAreNotInTheBundleRaiseNothing(left out: String) throws {
    let state = try state()
    try state.remove(out)
    let report = try state.check()
    #expect(report.findings.filter { $0.severity > .info }.map(\.message) == [])
    #expect(report.verdict == .pass)
  }
}
