import CaptureFiles
import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// The port of a trunk's subport on the VLAN of another network: ports that exchange frames with it then are innocent, and
/// what its own network lacks follows from it.
@Suite("Wrong tags of subports") struct SubportTagTests {
  private static let bundle = "clean/trunk"
  private static let trunk = MACAddress(rawValue: 0xfa16_3ed1_95ba)
  private static let beta = MACAddress(rawValue: 0xfa16_3e7b_d053)
  private static let near = MACAddress(rawValue: 0xfa16_3e00_0009)
  /// A guest of the trunk's own network beside it, which the recorded state lacks.
  private static let manifest = """
    networks: { net-cf014130: { vni: 858 } }
    hosts:
      node56:
        ports:
          near: { network: net-cf014130, mac: "\(near)", ip: 172.16.4.99, tap: tapdddddddd-04 }
    """

  private func question(_ number: Int, from mac: MACAddress, vlan: UInt16? = nil) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: .broadcast, from: mac)
    if let vlan { frame.tag(VLANTag(tpid: 0x8100, tci: vlan)) }
    frame.ipv4(from: IPAddress(v4: 0xac10_0463), to: IPAddress(v4: 0xac10_04ff)) { ip in
      ip.udp(from: 4000, to: 5000 + UInt16(number)) { $0.append([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 40)) }
    }
    return frame.bytes
  }

  private func tunnelled(_ inner: [UInt8], vni: UInt32, from: UInt8) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: MACAddress(rawValue: 0x5254_0000_0000 | UInt64(3 - from)), from: MACAddress(rawValue: 0x5254_0000_0000 | UInt64(from)))
    frame.ipv4(from: IPAddress(v4: 0x0a14_1e00 | UInt32(from)), to: IPAddress(v4: 0x0a14_1e00 | UInt32(3 - from))) { ip in
      ip.udp(from: 50000, to: 4789, hasChecksum: false) {
        $0.vxlan(vni: vni)
        $0.append(inner)
      }
    }
    return frame.bytes
  }

  /// The captures where the subport of VLAN 100 (VNI 573784) is in the lane of VNI 858.
  private func captures() throws -> [String: Data] {
    var frames: [String: [(time: Int64, bytes: [UInt8])]] = [:]
    let start = try Rewriting.firstTime(Self.bundle)
    func show(_ file: String, _ number: Int, _ step: Int, _ bytes: [UInt8]) {
      frames[file, default: []].append((start + Int64(number) * 100_000_000 + Int64(step) * 50_000, bytes))
    }
    for number in 0..<24 {
      switch number % 3 {
      case 0:
        let plain = question(number, from: Self.trunk)
        show("node56/tap62c25387-80.pcap", number, 0, question(number, from: Self.trunk, vlan: 100))
        show("node56/tapdddddddd-04.pcap", number, 1, plain)
        show("node56/eth0.pcap", number, 2, tunnelled(plain, vni: 858, from: 1))
        show("node39/eth0.pcap", number, 3, tunnelled(plain, vni: 858, from: 1))
        show("node39/tapc6eab0aa-2c.pcap", number, 4, plain)
      case 1:
        let plain = question(number, from: Self.near)
        show("node56/tapdddddddd-04.pcap", number, 0, plain)
        show("node56/tap62c25387-80.pcap", number, 1, plain)
        show("node56/tap62c25387-80.pcap", number, 2, question(number, from: Self.near, vlan: 100))
        show("node56/eth0.pcap", number, 3, tunnelled(plain, vni: 858, from: 1))
        show("node39/eth0.pcap", number, 4, tunnelled(plain, vni: 858, from: 1))
        show("node39/tapc6eab0aa-2c.pcap", number, 5, plain)
      default:
        // Its own network's frames find no port there.
        let plain = question(number, from: Self.beta)
        show("node39/tap03a6b983-97.pcap", number, 0, plain)
        show("node39/eth0.pcap", number, 1, tunnelled(plain, vni: 573_784, from: 2))
        show("node56/eth0.pcap", number, 2, tunnelled(plain, vni: 573_784, from: 2))
      }
    }
    var files = ["lanecheck.yaml": Data(Self.manifest.utf8)]
    for (file, list) in frames {
      let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
      defer { try? FileManager.default.removeItem(at: copy) }
      var writer = try PcapWriter(path: copy.path, linkType: 1, snapLength: 65535)
      for frame in list { try writer.write(frame.bytes.span, time: frame.time, wireLength: frame.bytes.count) }
      try writer.finish()
      files[file] = try Data(contentsOf: copy)
    }
    return files
  }

  @Test func aSubportOnAnotherVLANIsOneCause() throws {
    var files = try captures()
    let ports = Bundles.root.appendingPathComponent("\(Self.bundle)/node56/ovsdb-port.json")
    let list = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: ports)) as? [String: Any])
    var edited = list
    edited["data"] = (list["data"] as? [[Any]])?.map { row in
      row.contains { $0 as? String == "spi-8ce90a07-11" } ? row.map { $0 as? Int == 1962 ? 8 : $0 } : row
    }
    files["node56/ovsdb-port.json"] = try JSONSerialization.data(withJSONObject: edited)
    let show = try String(
      decoding: Data(contentsOf: Bundles.root.appendingPathComponent("\(Self.bundle)/node56/ovs-vsctl-show.txt")), as: UTF8.self)
    files["node56/ovs-vsctl-show.txt"] = Data(show.replacing("tag: 1962", with: "tag: 8").utf8)
    let report = try Bundles.verify(Self.bundle, keeping: { !Bundles.isCapture($0) }, adding: files)
    let causes = report.findings.filter { $0.role == .cause && $0.severity > .info }
    #expect(report.verdict == .fail)
    #expect(causes.map(\.rule) == ["port-tag-mismatch"], "\(causes.map(\.message))")
    #expect(causes.first?.cause?.text.contains("spi-8ce90a07-11") == true)
    let lost = report.findings.filter { $0.rule == "frame-lost" }
    #expect(!lost.isEmpty && lost.allSatisfy { $0.role == .consequence })
    #expect(report.findings.contains { $0.rule == "cross-network-delivery" && $0.port == "near" })
  }
}
