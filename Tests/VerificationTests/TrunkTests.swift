import CaptureFiles
import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// A trunk port: untagged frames are on the port's own network (VNI 57), VLAN 101 on that of its subport (VNI 64).
@Suite("Trunk ports") struct TrunkTests {
  private static let manifest = """
    networks: { net-a: { vni: 57 }, net-b: { vni: 64 } }
    hosts:
      c1:
        vtep: 192.0.2.1
        ports:
          trunk: { network: net-a, mac: "fa:16:3e:00:00:01", ip: 10.0.0.1, tap: tapaaaaaaaa-01,
                   subports: [{ vlan: 101, network: net-b }] }
      c2:
        vtep: 192.0.2.2
        ports:
          guest-a: { network: net-a, mac: "fa:16:3e:00:00:02", ip: 10.0.0.2, tap: tapbbbbbbbb-02 }
          guest-b: { network: net-b, mac: "fa:16:3e:00:00:03", ip: 10.0.1.3, tap: tapcccccccc-03 }
    """

  private let trunk = MACAddress(rawValue: 0xfa16_3e00_0001)

  private func inner(_ number: UInt16, to mac: UInt64, vlan: UInt16?) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: MACAddress(rawValue: mac), from: trunk)
    if let vlan { frame.tag(VLANTag(tpid: 0x8100, tci: vlan)) }
    frame.ipv4(from: IPAddress(v4: 0x0a00_0001), to: IPAddress(v4: 0x0a00_0002)) { ip in
      ip.udp(from: 4000, to: 5000 + number) { $0.append([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 40)) }
    }
    return frame.bytes
  }

  private func outer(_ inner: [UInt8], vni: UInt32) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: MACAddress(rawValue: 0x0200_0000_0002), from: MACAddress(rawValue: 0x0200_0000_0001))
    frame.ipv4(from: IPAddress(v4: 0xc000_0201), to: IPAddress(v4: 0xc000_0202)) { ip in
      ip.udp(from: 50000, to: 4789, hasChecksum: false) {
        $0.vxlan(vni: vni)
        $0.append(inner)
      }
    }
    return frame.bytes
  }

  /// Frames from the trunk to a guest of c2: with a tag there, on a VNI, at the guest's tap.
  private func verify(vlan: UInt16?, vni: UInt32, to mac: UInt64, at tap: String) throws -> Report {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for host in ["c1", "c2"] {
      try FileManager.default.createDirectory(at: root.appendingPathComponent(host), withIntermediateDirectories: true)
    }
    try Data(Self.manifest.utf8).write(to: root.appendingPathComponent("lanecheck.yaml"))
    let files = ["c1/tapaaaaaaaa-01.pcap", "c1/eth0.pcap", "c2/eth0.pcap", "c2/\(tap).pcap"]
    for (step, file) in files.enumerated() {
      var writer = try PcapWriter(path: root.appendingPathComponent(file).path, linkType: 1, snapLength: 65535)
      for number in UInt16(0)..<8 {
        let plain = inner(number, to: mac, vlan: nil)
        let bytes =
          switch step {
          case 0: inner(number, to: mac, vlan: vlan)
          case 1, 2: outer(plain, vni: vni)
          default: plain
          }
        let time = 1_700_000_000_000_000_000 + Int64(number) * 50_000_000 + Int64(step) * 100_000
        try writer.write(bytes.span, time: time, wireLength: bytes.count)
      }
      try writer.finish()
    }
    return try Jobs.verify(VerifyOptions(paths: [root.path]))
  }

  @Test func aTrunksFramesAreInTheLaneOfTheirTag() throws {
    for (vlan, vni, mac, tap) in [
      (UInt16?.none, UInt32(57), UInt64(0xfa16_3e00_0002), "tapbbbbbbbb-02"), (101, 64, 0xfa16_3e00_0003, "tapcccccccc-03"),
    ] {
      let report = try verify(vlan: vlan, vni: vni, to: mac, at: tap)
      #expect(faults(report).map(\.message) == [])
      #expect(report.verdict == .pass)
      let row = report.coverage.first { $0.host == "c1" && $0.vni == vni }
      #expect(row?.out == 8)
    }
  }

  @Test func aSubportInItsParentsLaneIsWrong() throws {
    let report = try verify(vlan: 101, vni: 57, to: 0xfa16_3e00_0002, at: "tapbbbbbbbb-02")
    #expect(report.verdict == .fail)
    #expect(report.findings.first { $0.role == .cause && $0.severity == .error }?.rule == "wrong-vni")
    #expect(report.findings.first { $0.rule == "wrong-vni" }?.network == "net-b")
  }

  @Test func aTagThatNoSubportHasIsNotJudged() throws {
    let report = try verify(vlan: 102, vni: 57, to: 0xfa16_3e00_0002, at: "tapbbbbbbbb-02")
    #expect(report.findings.filter { $0.rule == "wrong-vni" }.isEmpty)
  }
}
