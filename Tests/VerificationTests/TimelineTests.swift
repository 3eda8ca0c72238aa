import Foundation
import Testing
import Verification

@testable import Jobs

/// Findings name flows that were there when the frames passed, and excuse what an agent that starts again does.
@Suite("Flows in time") struct TimelineTests {
  private func text(_ bundle: String, _ file: String) throws -> String {
    try String(decoding: Data(contentsOf: Bundles.root.appendingPathComponent("\(bundle)/\(file)")), as: UTF8.self)
  }

  /// Lines of a dump with a word, with another duration.
  private func begun(_ text: String, _ word: String, ago seconds: Double) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      guard line.contains(word), let start = line.range(of: "duration="), let end = line.range(of: "s, table=") else {
        return String(line)
      }
      return line[..<start.upperBound] + "\(seconds)" + line[end.lowerBound...]
    }.joined(separator: "\n")
  }

  @Test func aFlowThatCameLaterIsNotAccused() throws {
    let bundle = "wrong-vni-out"
    var files: [String: Data] = [:]
    for name in ["br-tun.of13.flows", "br-tun.flows"] {
      let before = try text(bundle, "host1/\(name)").split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.contains("dl_vlan=1 ") ? $0.replacingOccurrences(of: "0x40", with: "0x39") : String($0) }
        .joined(separator: "\n")
      files["host1/\(name)"] = Data(before.utf8)
      files["host1/after/\(name)"] = Data(begun(try text(bundle, "host1/after/\(name)"), "dl_vlan=1 ", ago: 0.01).utf8)
    }
    let report = try Bundles.verify(bundle, adding: files)
    let finding = try #require(report.findings.first { $0.rule == "wrong-vni" })
    #expect(finding.cause?.kind == .datapath)
    // As recorded, the flow was there.
    let plain = try verify(VerifyOptions(paths: [Bundles.path(bundle)]))
    #expect(plain.findings.first { $0.rule == "wrong-vni" }?.cause?.kind == .flow)
  }

  @Test("what the flows put in anew forgot, or lacked for a while, is no fault")
  func restartsAreExcuses() throws {
    // The flood list lacks a host in what was captured; the agent then started again, and its list is whole.
    let bundle = "flood-missing-peer"
    var files: [String: Data] = [:]
    for name in ["br-tun.of13.flows", "br-tun.flows"] {
      let broken = try text(bundle, "host1/after/\(name)")
      let whole = broken.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
        guard line.contains("table=22"), line.contains("dl_vlan=1") else { return String(line) }
        return line + (name.contains("of13") ? ",output:\"vxlan-c0000203\"" : ",output:3")
      }.joined(separator: "\n")
      files["host1/\(name)"] = Data(whole.utf8)
      files["host1/after/\(name)"] = Data(begun(whole, "table=22", ago: 0.01).utf8)
    }
    let report = try Bundles.verify(bundle, adding: files)
    #expect(faults(report).map(\.rule) == [])
    // The same list throughout: the frames that lack a copy are a fault.
    for name in ["br-tun.of13.flows", "br-tun.flows"] {
      files["host1/after/\(name)"] = files["host1/\(name)"].map {
        Data(begun(String(decoding: $0, as: UTF8.self), "table=22", ago: 1000).utf8)
      }
    }
    #expect(try faults(Bundles.verify(bundle, adding: files)).map(\.rule) == ["incomplete-flood"])
  }

  /// State of long after: who is missing in the list that was put in since was not missing for that.
  @Test func aListThatStillLacksAHostExcusesNothing() throws {
    let bundle = "learning/flood-misses-a-host"
    var files: [String: Data] = [:]
    for file in Bundles.files(bundle) where file.hasSuffix("/collected.json") {
      let told = try text(bundle, file).split(separator: "\n").map { line -> String in
        guard let colon = line.range(of: ": "), let time = Double(line[colon.upperBound...].filter { $0 != "," }) else { return String(line) }
        return line[..<colon.upperBound] + "\(time + 3600)" + (line.hasSuffix(",") ? "," : "")
      }
      files[file] = Data(told.joined(separator: "\n").utf8)
    }
    #expect(try faults(Bundles.verify(bundle, adding: files)).map(\.rule) == ["incomplete-flood"])
  }

  /// Host2 as if a network had been put on another VLAN between the dumps, so long before the later one.
  private func changedMidway(ago seconds: Double) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in ["br-tun.of13.flows", "br-tun.flows"] {
      let right = try text("wrong-vlan-in", "host2/\(name)").split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
        guard line.contains("tun_id=0x39 ") else { return String(line) }
        return String(line).replacing("set_field:4097", with: "set_field:4098").replacing("mod_vlan_vid:1,", with: "mod_vlan_vid:2,")
      }
      files["host2/\(name)"] = Data(right.joined(separator: "\n").utf8)
      let after = try text("wrong-vlan-in", "host2/after/\(name)")
      files["host2/after/\(name)"] = Data(begun(after, "tun_id=0x39 ", ago: seconds).utf8)
    }
    return files
  }

  @Test("a flow that came between the dumps, before the first wrong frame, is the cause")
  func aFlowThatReplacedAnotherIsNamed() throws {
    let bundle = "wrong-vlan-in"
    let report = try Bundles.verify(bundle, adding: changedMidway(ago: 20.9))
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(causes.map(\.rule) == ["wrong-local-vlan"])
    #expect(causes.first?.cause?.table == 4 && causes.first?.cause?.file?.hasPrefix("host2/after/") == true)
    // The same where no port of the host was captured: frames met it.
    func isSeen(_ file: String) -> Bool { !Bundles.isCapture(file) || !file.hasPrefix("host2/") || file.hasPrefix("host2/eth1") }
    let blind = try Bundles.verify(bundle, keeping: isSeen, adding: changedMidway(ago: 20.9))
    #expect(blind.verdict == .fail)
    #expect(blind.findings.filter { $0.severity > .info && $0.role == .cause }.map(\.rule) == ["wrong-local-vlan"])
    // When all frames had passed, it was still to come: that is told, and held against none of them.
    let late = try Bundles.verify(bundle, keeping: isSeen, adding: changedMidway(ago: 0.01))
    #expect(!late.findings.contains { $0.rule == "wrong-local-vlan" })
    #expect(late.findings.contains { $0.rule == "mapping-conflict" && $0.message.contains("so the dumps say") })
  }

  @Test func bothStatesAreChecked() throws {
    let state = try EditedState("wrong-vlan-in")
    for (file, data) in try changedMidway(ago: 1) { try state.write(file, String(decoding: data, as: UTF8.self)) }
    let report = try state.check()
    #expect(report.findings.map(\.rule) == ["mapping-conflict"])
    #expect(report.findings.first?.message.contains("in the state of after") == true)
    #expect(report.verdict == .fail)
  }

  /// An agent that starts again gives each of two networks the VLAN that the other had.
  @Test func exchangedVLANsAreNoContradiction() throws {
    let state = try EditedState("installed/renumbered-vlans")
    try state.edit("node28", "br-tun.flows", onlyAfter: true) {
      $0.replacing("dl_vlan=1 ", with: "dl_vlan=571 ").replacing("dl_vlan=666 ", with: "dl_vlan=7 ")
        .replacing("set_field:4097-", with: "set_field:4667-").replacing("set_field:4762-", with: "set_field:4103-")
    }
    try state.edit("node28", "ovsdb-port.json", onlyAfter: true) {
      $0.replacing("\"tag\",\"1\"]", with: "\"tag\",\"571\"]").replacing(",1,", with: ",571,")
        .replacing("\"tag\",\"666\"]", with: "\"tag\",\"7\"]").replacing(",666,", with: ",7,")
    }
    try state.edit("node28", "ovs-vsctl-show.txt", onlyAfter: true) {
      $0.replacing("tag: 1\n", with: "tag: 571\n").replacing("tag: 666\n", with: "tag: 7\n")
    }
    #expect(try state.check().findings.map(\.message) == [])
  }
}
