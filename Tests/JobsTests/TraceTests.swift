import Datapath
import Foundation
import Reporting
import Testing
import Wire

@testable import Jobs

/// The recorded bundles.
enum Bundles {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Captures")
  static func path(_ name: String) -> String { root.appendingPathComponent(name).path }
}

@Suite("trace") struct TraceTests {
  static let test = "qvo60820963-9a"
  static let test2 = "qvof270e0c2-76"

  static func options(_ bundle: String, _ change: (inout TraceOptions) -> Void = { _ in }) -> TraceOptions {
    var options = TraceOptions(paths: [Bundles.path(bundle)])
    options.from = test
    options.to = test2
    change(&options)
    return options
  }

  static func delivered(_ frame: TracedFrame) -> [String] {
    frame.ends.filter { $0.kind == .delivered }.map { "\($0.host)/\($0.port)" }.sorted()
  }

  @Test func floodsFirstAndGoesToOneHostAfterLearning() throws {
    let report = try trace(Self.options("clean-vxlan") { $0.count = 3 })
    #expect(report.frames.count == 3)
    let lane = ["host1 VLAN 1", "VXLAN VNI 57 (0x39)", "host2 VLAN 2"]
    let first = report.frames[0]
    #expect(Self.delivered(first) == ["host2/\(Self.test2)", "host3/tapc8ea11df-2c"])
    #expect(first.visits[0].exits.compactMap(\.destination) == ["host2", "host3"])
    #expect(first.ends.first { $0.host == "host2" }?.lane == lane)
    #expect(first.visits[0].steps.contains { $0.bridge == "br-tun" && $0.table == 22 })
    let answer = report.frames[1]
    #expect(Self.delivered(answer) == ["host1/\(Self.test)"])
    #expect(answer.ends.map(\.lane) == [lane.reversed()])
    let known = report.frames[2]
    #expect(Self.delivered(known) == ["host2/\(Self.test2)"])
    #expect(known.visits[0].exits.compactMap(\.destination) == ["host2"])
    #expect(known.ends.map(\.lane) == [lane])
    let learned = try #require(known.visits[0].steps.last { $0.bridge == "br-tun" }?.flow)
    #expect(learned.table == 20 && learned.isLearned)
    #expect(report.frames.allSatisfy { $0.visits.allSatisfy { $0.certainty == .certain && $0.uncertainties.isEmpty } })
  }

  @Test func readsLikeOfprotoTrace() throws {
    let report = try trace(Self.options("clean-vxlan") { $0.count = 3 })
    let text = renderText(report, color: false)
    var rest = text[...]
    for part in [
      "Frame 1: \(Self.test) sends \(Self.test2) an ICMP echo request", "icmp,dl_src=fa:16:3e:39:00:11",
      "host1: in at \(Self.test) (port", "of br-int, tag 1)", "bridge(\"br-int\")\n----", " 0. ", "priority",
      "bridge(\"br-tun\")", " 0. in_port=\"patch-int\", priority 1, cookie 0x", "goto_table:2", "22. dl_vlan=1, priority 1",
      "pop_vlan\n     -> untagged", "set_field:0x39->tun_id\n     -> tun_id=0x39", "output:\"vxlan-c0000202\"\n     ⇒ leaves by",
      "→ vxlan-c0000202: VXLAN VNI 57 (0x39), 192.0.2.1 → 192.0.2.2, to host2",
      "host2: receives VXLAN VNI 57 (0x39) from 192.0.2.1 (host1), in at vxlan-c0000201", "tagged with VLAN 0",
      "VLAN 2", "learned: table=20", "Outcome", "✓ host2/\(Self.test2)",
      "host1 VLAN 1 → VXLAN VNI 57 (0x39) → host2 VLAN 2", "Frame 2:", "Frame 3:", "20. ", ", learned",
    ] {
      let found = try #require(rest.range(of: part), "“\(part)” in:\n\(rest)")
      rest = rest[found.upperBound...]
    }
  }

  @Test("names of either end", arguments: [("10.0.0.11", "10.0.0.12"), ("tap60820963-9a", "fa:16:3e:39:00:12")])
  func takesAnyName(from: String, to: String) throws {
    let report = try trace(
      Self.options("clean-vxlan") {
        $0.from = from
        $0.to = to
        $0.isLearned = true
      })
    #expect(Self.delivered(report.frames[0]) == ["host2/\(Self.test2)"])
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var bundle: String
    var kind: TraceProtocol = .icmp
    /// Ports that the frame reaches.
    var reaches: [String]
    /// Part of a flow that dropped it.
    var drop: String?
    var isLearned = false
    var testDescription: String { "\(bundle) \(kind)" }
  }

  @Test("faults show where they are", arguments: [
    Case(bundle: "wrong-vni-out", kind: .arp, reaches: ["host2/qvoa0ec1370-dd"]),
    Case(bundle: "wrong-vlan-in", reaches: ["host2/qvoa0ec1370-dd", "host3/tapc8ea11df-2c"]),
    Case(bundle: "missing-vni-in", reaches: ["host3/tapc8ea11df-2c"], drop: "actions=drop"),
    Case(bundle: "learn-disabled", reaches: ["host2/qvof270e0c2-76", "host3/tapc8ea11df-2c"], isLearned: true),
    Case(bundle: "clean-vxlan", kind: .nd, reaches: ["host2/qvof270e0c2-76", "host3/tapc8ea11df-2c"]),
    Case(bundle: "clean-gre", kind: .tcp, reaches: ["host2/qvof270e0c2-76"], isLearned: true),
    Case(bundle: "clean-two-tenants", kind: .udp, reaches: ["host2/qvof270e0c2-76"], isLearned: true),
  ])
  func faults(_ expected: Case) throws {
    let report = try trace(
      Self.options(expected.bundle) {
        $0.kind = expected.kind
        $0.isLearned = expected.isLearned
      })
    let frame = report.frames[0]
    #expect(Set(Self.delivered(frame)) == Set(expected.reaches), "\(renderText(report, color: false))")
    let isReached = expected.reaches.contains("host2/\(Self.test2)")
    #expect(frame.missed == (isReached ? nil : "host2/\(Self.test2)"))
    if let drop = expected.drop {
      #expect(frame.ends.contains { $0.kind == .dropped && $0.flow?.text.contains(drop) == true })
    }
  }

  @Test func saysWhereNoOverlayJoinsTheTwo() throws {
    let report = try trace(Self.options("clean-two-tenants") { $0.to = "qvoa0ec1370-dd" })
    #expect(report.notes.contains { $0.contains("net-fd290d1d") && $0.contains("net-0b5e1750") })
    #expect(report.frames[0].missed == "host2/qvoa0ec1370-dd")
    #expect(renderText(report, color: false).contains("host2/qvoa0ec1370-dd does not get it"))
    #expect(renderJSON(report).contains("\"missed\": \"host2/qvoa0ec1370-dd\""))
  }

  @Test func aSpoofedSourceIsDroppedWhereNoFlowAdmitsIt() throws {
    let report = try trace(
      Self.options("clean-vxlan") { $0.sourceMAC = MACAddress("02:00:00:00:00:99") })
    let ends = report.frames[0].ends
    #expect(ends.map(\.kind) == [.dropped])
    // Table 25 of br-int has a flow for each MAC that may be used, and none for others.
    let last = report.frames[0].visits[0].steps.last
    #expect(last?.bridge == "br-int" && last?.table == 25 && last?.flow == nil)
    #expect(ends.first?.certainty == .certain)
  }

  @Test func tunnelTakesNothingFromTheWrongPort() throws {
    let report = try trace(Self.options("wrong-udp-port"))
    let frame = report.frames[0]
    #expect(Self.delivered(frame) == [])
    let ends = frame.ends.filter { $0.kind != .local }
    #expect(!ends.isEmpty && ends.allSatisfy { $0.kind == .lost && $0.reason.contains("no tunnel port takes") })
    #expect(ends.first?.reason.contains("8472") == true)
  }

  @Test("frames of captures", arguments: [
    ("host1/tap60820963-9a.pcap", ["host2/qvof270e0c2-76", "host3/tapc8ea11df-2c"]),
    // Frame 1 there is the copy for host2.
    ("host1/eth1.pcap", ["host2/qvof270e0c2-76"]), ("host2/eth1.pcap", ["host2/qvof270e0c2-76"]),
  ])
  func framesOfCaptures(_ capture: String, _ reaches: [String]) throws {
    var options = TraceOptions(paths: [Bundles.path("clean-vxlan")])
    options.capture = capture
    let report = try trace(options)
    #expect(Self.delivered(report.frames[0]) == reaches)
  }

  @Test func aFrameToTheGuestIsNotTakenForItsOwn() throws {
    var options = TraceOptions(paths: [Bundles.path("clean-vxlan")])
    options.capture = "host1/tap60820963-9a.pcap"
    // The answer to the first frame.
    options.frame = 2
    let error = try #require(throws: JobError.self) { try trace(options) }
    #expect(error.message.contains("sent by qvof270e0c2-76 on host2"))
  }

  @Test("what it cannot do it says", arguments: ["nobody", "host1/nothing"])
  func unknownNames(_ name: String) throws {
    #expect(throws: JobError.self) { try trace(Self.options("clean-vxlan") { $0.from = name }) }
    #expect(throws: JobError.self) {
      try trace(Self.options("clean-vxlan") {
        $0.from = nil
        $0.capture = "host1/eth1.pcap"
        $0.frame = 1_000_000
      })
    }
    #expect(throws: JobError.self) {
      try trace(Self.options("clean-vxlan") {
        $0.to = nil
        $0.count = 2
      })
    }
  }

  @Test("without dumps, flows are those that Neutron would install", arguments: [false, true])
  func intended(populates: Bool) throws {
    let bundle = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: bundle) }
    try FileManager.default.createDirectory(at: bundle, withIntermediateDirectories: true)
    let manifest = """
      networks: { blue: { vni: 0x51 } }
      hosts:
        left:
          vtep: 198.51.100.1
          vlans: { blue: 7 }
          ports: { web: { network: blue, mac: "fa:16:3e:00:00:01", ip: 10.1.0.1, tap: tap0000000a-01 } }
        right:
          vtep: 198.51.100.2
          vlans: { blue: 9 }
          ports: { db: { network: blue, mac: "fa:16:3e:00:00:02", ip: 10.1.0.2, tap: tap0000000a-02 } }
        far:
          vtep: 198.51.100.3
          vlans: { blue: 3 }
          ports: { log: { network: blue, mac: "fa:16:3e:00:00:03", ip: 10.1.0.3, tap: tap0000000a-03 } }
      """
    try Data(manifest.utf8).write(to: bundle.appendingPathComponent("lanecheck.yaml"))
    var options = TraceOptions(paths: [bundle.path])
    options.from = "web"
    options.to = "db"
    options.populatesTables = populates
    let report = try trace(options)
    let reached = report.frames[0].ends.filter { $0.kind == .delivered }
    // With l2population the sender knows where the MAC is before any frame came from it.
    #expect(Set(reached.compactMap(\.guest)) == (populates ? ["db"] : ["db", "log"]))
    #expect(
      reached.first { $0.guest == "db" }?.lane == ["left VLAN 7", "VXLAN VNI 81 (0x51)", "right VLAN 9"])
    #expect(report.notes.contains { $0.contains("as Neutron would install them") })
  }

  @Test func jsonHoldsTheWholeWay() throws {
    let text = renderJSON(try trace(Self.options("clean-vxlan")))
    let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(json["schema"] as? String == "lanecheck-trace/1")
    let frames = try #require(json["frames"] as? [[String: Any]])
    let visits = try #require(frames.first?["visits"] as? [[String: Any]])
    #expect(visits.compactMap { $0["host"] as? String } == ["host1", "host2", "host3"])
    let tunnel = try #require(visits[1]["tunnel"] as? [String: Any])
    #expect(tunnel["id"] as? Int == 57 && tunnel["source"] as? String == "192.0.2.1")
  }
}
