import CaptureFiles
import Foundation
import Testing
import Verification
import Wire

/// Underlays captured at several devices: a frame passes a bond and one of its members, a VLAN device and the one
/// beneath. Each copy counts once, and a member alone proves nothing missing.
@Suite("Points in series and side by side") struct SeriesPointsTests {
  /// A capture's frames that are kept, moved in time.
  static func copy(_ bundle: String, _ file: String, by shift: Int64 = 0, keeping isKept: (Int, DecodedFrame) -> Bool = { _, _ in true })
    throws -> Data
  {
    var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
    var batch = FrameBatch()
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: copy) }
    var writer = try PcapWriter(path: copy.path, linkType: reader.interfaces.first?.linkType ?? 1)
    var decoded = DecodedFrame()
    while try reader.next(into: &batch) {
      for record in batch.frames {
        let bytes = batch.bytes.span.extracting(record.start..<(record.start + record.capturedLength))
        decode(bytes, wireLength: record.wireLength, linkType: 1, tunnels: .common, into: &decoded)
        guard isKept(Int(record.number), decoded) else { continue }
        try writer.write(bytes, time: record.time + shift, wireLength: record.wireLength)
      }
    }
    try writer.finish()
    return try Data(contentsOf: copy)
  }

  /// A host's `ip-addr.json` with its underlay address on a bond of `eth1` and `eth2`.
  static func bonded(_ bundle: String, _ host: String) throws -> Data {
    let data = try Data(contentsOf: URL(fileURLWithPath: Bundles.path(bundle) + "/\(host)/ip-addr.json"))
    var devices = try #require(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    for index in devices.indices where devices[index]["ifname"] as? String == "eth1" {
      devices[index]["ifname"] = "bond0"
      devices[index]["linkinfo"] = ["info_kind": "bond"]
    }
    devices.append(["ifname": "eth1", "ifindex": 901, "master": "bond0", "mtu": 1600])
    devices.append(["ifname": "eth2", "ifindex": 902, "master": "bond0", "mtu": 1600])
    return try JSONSerialization.data(withJSONObject: devices, options: [.sortedKeys])
  }

  private func same(_ report: Report, as plain: Report) {
    #expect(report.verdict == plain.verdict)
    #expect(report.findings.map(\.rule) == plain.findings.map(\.rule))
    #expect(report.findings.map(\.count) == plain.findings.map(\.count))
    #expect(report.findings.map(\.copies) == plain.findings.map(\.copies))
    #expect(report.coverage.map(\.out) == plain.coverage.map(\.out))
    #expect(report.coverage.map(\.in) == plain.coverage.map(\.in))
    #expect(report.trajectories.total == plain.trajectories.total)
    #expect(report.trajectories.asExpected == plain.trajectories.asExpected)
  }

  @Test(arguments: ["clean-vxlan", "clean-gre", "clean-three-hosts", "wrong-vni-out", "learn-disabled", "stale-learn"])
  func aBondAndItsMemberAreOnePoint(_ bundle: String) throws {
    let plain = try Bundles.verify(bundle)
    var files: [String: Data] = [:]
    for host in ["host1", "host2"] {
      files["\(host)/ip-addr.json"] = try Self.bonded(bundle, host)
      files["\(host)/bond0.pcap"] = try Self.copy(bundle, "\(host)/eth1.pcap", by: -3_000)
    }
    same(try Bundles.verify(bundle, adding: files), as: plain)
  }

  @Test(arguments: ["clean-vxlan", "clean-three-hosts"])
  func byTheirNamesAlone(_ bundle: String) throws {
    let plain = try Bundles.verify(bundle, keeping: Bundles.isCapture)
    var files: [String: Data] = [:]
    for (host, name) in [("host1", "bond0"), ("host2", "eth1.100")] {
      files["\(host)/\(name).pcap"] = try Self.copy(bundle, "\(host)/eth1.pcap", by: 5_000)
    }
    same(try Bundles.verify(bundle, keeping: Bundles.isCapture, adding: files), as: plain)
  }

  @Test(arguments: ["clean-vxlan", "wrong-vni-out"]) func membersOfABondComplementEachOther(_ bundle: String) throws {
    let plain = try Bundles.verify(bundle)
    let files = [
      "host1/ip-addr.json": try Self.bonded(bundle, "host1"),
      "host1/eth1.pcap": try Self.copy(bundle, "host1/eth1.pcap") { number, _ in number % 3 == 0 },
      "host1/eth2.pcap": try Self.copy(bundle, "host1/eth1.pcap") { number, _ in number % 3 != 0 },
    ]
    let report = try Bundles.verify(bundle, adding: files)
    #expect(report.verdict == plain.verdict)
    #expect(report.findings.filter { $0.role == .cause }.map(\.rule) == plain.findings.filter { $0.role == .cause }.map(\.rule))
    #expect(report.coverage.map(\.out) == plain.coverage.map(\.out))
  }

  /// What host1 sends leaves by a member that was not captured.
  @Test func oneMemberProvesNothingLost() throws {
    var files = [
      "host1/eth1.pcap": try Self.copy("clean-vxlan", "host1/eth1.pcap") { _, frame in
        frame.outer.sourceAddress != IPAddress(v4: 0xc000_0201)
      }
    ]
    let isKept: (String) -> Bool = { !Bundles.isCapture($0) || $0.hasPrefix("host1/") }
    // Where the bond is not known, it must show.
    let alone = try Bundles.verify("clean-vxlan", keeping: isKept, adding: files)
    #expect(alone.findings.contains { $0.rule == "frame-lost" })
    files["host1/ip-addr.json"] = try Self.bonded("clean-vxlan", "host1")
    let report = try Bundles.verify("clean-vxlan", keeping: isKept, adding: files)
    #expect(faults(report).isEmpty)
  }

  @Test func twoCapturesOfOneInterfaceAreOnePoint() throws {
    let plain = try Bundles.verify("clean-vxlan")
    let files = [
      "host1/eth1_00002.pcap": try Self.copy("clean-vxlan", "host1/eth1.pcap"),
      "host2/eth1_00002.pcap": try Self.copy("clean-vxlan", "host2/eth1.pcap", by: 1_000),
    ]
    let report = try Bundles.verify("clean-vxlan", adding: files)
    #expect(report.verdict == plain.verdict)
    // That there are two is worth a remark.
    #expect(report.findings.map(\.rule) == ["capture-gap"] && faults(report).isEmpty)
    #expect(report.coverage == plain.coverage)
    #expect(report.trajectories.total == plain.trajectories.total)
    #expect(report.trajectories.asExpected == plain.trajectories.asExpected)
  }

  /// Inner frames without their VNI, as the kernel's tunnel device shows them.
  @Test func tunnelDevicesShowNoLane() throws {
    let plain = try Bundles.verify("clean-vxlan")
    var files: [String: Data] = [:]
    for host in ["host1", "host2"] {
      var reader = try CaptureReader(path: Bundles.path("clean-vxlan") + "/\(host)/eth1.pcap")
      var batch = FrameBatch()
      let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
      defer { try? FileManager.default.removeItem(at: copy) }
      var writer = try PcapWriter(path: copy.path)
      var decoded = DecodedFrame()
      while try reader.next(into: &batch) {
        for record in batch.frames {
          let bytes = batch.bytes.span.extracting(record.start..<(record.start + record.capturedLength))
          decode(bytes, wireLength: record.wireLength, linkType: 1, tunnels: .common, into: &decoded)
          guard decoded.hasInner else { continue }
          let start = Int(decoded.inner.start)
          try writer.write(
            bytes.extracting(start..<bytes.count), time: record.time + (host == "host1" ? -2_000 : 2_000),
            wireLength: record.wireLength - start)
        }
      }
      try writer.finish()
      files["\(host)/vxlan_sys_4789.pcap"] = try Data(contentsOf: copy)
    }
    let report = try Bundles.verify("clean-vxlan", adding: files)
    #expect(faults(report).isEmpty)
    #expect(report.coverage.map(\.out) == plain.coverage.map(\.out))
    #expect(report.coverage.map(\.in) == plain.coverage.map(\.in))
  }
}
