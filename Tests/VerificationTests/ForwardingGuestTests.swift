import CaptureFiles
import Foundation
import Testing
import Verification
import Wire

@testable import Jobs

/// A guest with a port on each of two networks, which hands frames on from one to the other, seen at one point a port:
/// nothing tells which way a frame went there.
@Suite("Guests that bridge networks") struct ForwardingGuestTests {
  private static let alpha = MACAddress(rawValue: 0xfa16_3e00_0002)
  private static let beta = MACAddress(rawValue: 0xfa16_3e00_0003)

  private static func manifest(security: Bool) -> String {
    """
    networks: { net-a: { vni: 57 }, net-b: { vni: 64 } }
    hosts:
      c1:
        vtep: 192.0.2.1
        vlans: { net-a: 1, net-b: 2 }
        ports:
          wall-a: { network: net-a, mac: "fa:16:3e:00:01:01", ip: 10.0.0.11, tap: tapaaaaaaaa-01, security: \(security) }
          wall-b: { network: net-b, mac: "fa:16:3e:00:01:02", ip: 10.0.0.12, tap: tapaaaaaaaa-02, security: \(security) }
      c2:
        vtep: 192.0.2.2
        ports:
          alpha: { network: net-a, mac: "\(alpha)", ip: 10.0.0.2, tap: tapbbbbbbbb-02 }
      c3:
        vtep: 192.0.2.3
        ports:
          beta: { network: net-b, mac: "\(beta)", ip: 10.0.0.3, tap: tapcccccccc-03 }
    """
  }

  private func inner(_ number: Int, from source: MACAddress, to destination: MACAddress) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: destination, from: source)
    frame.ipv4(from: IPAddress(v4: 0x0a00_0002), to: IPAddress(v4: 0x0a00_0003)) { ip in
      ip.udp(from: 4000, to: 5000 + UInt16(number)) { $0.append([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 40)) }
    }
    return frame.bytes
  }

  private func outer(_ inner: [UInt8], vni: UInt32, from: UInt8, to: UInt8) -> [UInt8] {
    var frame = FrameBuilder()
    frame.ethernet(to: MACAddress(rawValue: 0x0200_0000_0000 | UInt64(to)), from: MACAddress(rawValue: 0x0200_0000_0000 | UInt64(from)))
    frame.ipv4(from: IPAddress(v4: 0xc000_0200 | UInt32(from)), to: IPAddress(v4: 0xc000_0200 | UInt32(to))) { ip in
      ip.udp(from: 50000, to: 4789, hasChecksum: false) {
        $0.vxlan(vni: vni)
        $0.append(inner)
      }
    }
    return frame.bytes
  }

  /// Frames between alpha and beta by the wall; `leaked` more that come straight from alpha's host to beta's.
  private func verify(security: Bool, leaked: Int) throws -> Report {
    var frames: [String: [(time: Int64, bytes: [UInt8])]] = [:]
    func show(_ file: String, _ number: Int, _ step: Int, _ bytes: [UInt8]) {
      frames[file, default: []].append((1_700_000_000_000_000_000 + Int64(number) * 50_000_000 + Int64(step) * 100_000, bytes))
    }
    for number in 0..<12 {
      let isUp = number % 2 == 0
      let frame = isUp ? inner(number, from: Self.alpha, to: Self.beta) : inner(number, from: Self.beta, to: Self.alpha)
      let (near, far): (UInt8, UInt8) = isUp ? (2, 3) : (3, 2)
      let (vni, other): (UInt32, UInt32) = isUp ? (57, 64) : (64, 57)
      let (tap, end) = isUp ? ("tapbbbbbbbb-02", "tapcccccccc-03") : ("tapcccccccc-03", "tapbbbbbbbb-02")
      show("c\(near)/\(tap).pcap", number, 0, frame)
      show("c\(near)/eth0.pcap", number, 1, outer(frame, vni: vni, from: near, to: 1))
      show("c1/eth0.pcap", number, 2, outer(frame, vni: vni, from: near, to: 1))
      show("c1/tapaaaaaaaa-0\(isUp ? 1 : 2).pcap", number, 3, frame)
      show("c1/tapaaaaaaaa-0\(isUp ? 2 : 1).pcap", number, 4, frame)
      show("c1/eth0.pcap", number, 5, outer(frame, vni: other, from: 1, to: far))
      show("c\(far)/eth0.pcap", number, 6, outer(frame, vni: other, from: 1, to: far))
      show("c\(far)/\(end).pcap", number, 7, frame)
    }
    for number in 12..<12 + leaked {
      let frame = inner(number, from: Self.alpha, to: Self.beta)
      show("c2/tapbbbbbbbb-02.pcap", number, 0, frame)
      show("c2/eth0.pcap", number, 1, outer(frame, vni: 57, from: 2, to: 3))
      show("c3/eth0.pcap", number, 2, outer(frame, vni: 57, from: 2, to: 3))
      show("c3/tapcccccccc-03.pcap", number, 3, frame)
    }
    // Captures go on after the last of them.
    let last = inner(99, from: Self.alpha, to: MACAddress(rawValue: 0xfa16_3e00_0101))
    show("c2/tapbbbbbbbb-02.pcap", 40, 0, last)
    show("c2/eth0.pcap", 40, 1, outer(last, vni: 57, from: 2, to: 1))
    show("c1/eth0.pcap", 40, 2, outer(last, vni: 57, from: 2, to: 1))
    show("c1/tapaaaaaaaa-01.pcap", 40, 3, last)
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for host in ["c1", "c2", "c3"] {
      try FileManager.default.createDirectory(at: root.appendingPathComponent(host), withIntermediateDirectories: true)
    }
    try Data(Self.manifest(security: security).utf8).write(to: root.appendingPathComponent("lanecheck.yaml"))
    for (file, list) in frames {
      var writer = try PcapWriter(path: root.appendingPathComponent(file).path, linkType: 1, snapLength: 65535)
      for frame in list { try writer.write(frame.bytes.span, time: frame.time, wireLength: frame.bytes.count) }
      try writer.finish()
    }
    return try Jobs.verify(VerifyOptions(paths: [root.path]))
  }

  @Test func whatAGuestMayHaveHandedOnIsNoProof() throws {
    let report = try verify(security: false, leaked: 0)
    #expect(report.verdict == .inconclusive)
    #expect(report.findings.filter { $0.severity == .error }.map(\.message) == [])
    #expect(report.findings.contains { $0.certainty == .suspected && $0.message.contains("hands frames on") })
    #expect(!report.reasons.isEmpty)
  }

  /// Port security keeps a guest from sending with others' MACs.
  @Test func aGuestThatMayNotHandFramesOnExplainsNothing() throws {
    let report = try verify(security: true, leaked: 0)
    #expect(report.verdict == .fail)
  }

  /// The wall's host shows none of these.
  @Test func whatSuchAGuestNeverHandledIsALeak() throws {
    let report = try verify(security: false, leaked: 8)
    #expect(report.verdict == .fail)
    let leak = report.findings.first { $0.severity == .error && $0.role == .cause }
    #expect(leak?.host == "c3" && ["wrong-local-vlan", "cross-network-delivery"].contains(leak?.rule ?? ""))
  }
}
