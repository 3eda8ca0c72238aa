import CaptureFiles
import Foundation
import Testing
import Verification
import Wire

/// The underlay between the hosts: fragments, MTU, VLANs and checksums, each as a bundle that has the fault and as one
/// that is close to it.
@Suite("Rules about the underlay") struct UnderlayRulesTests {
  static let host1 = IPAddress(v4: 0xc000_0201)
  static let host2 = IPAddress(v4: 0xc000_0202)

  /// A capture of which each frame became any number of frames.
  static func rewrite(
    _ bundle: String, _ file: String, adding: [(bytes: [UInt8], after: Int)] = [],
    _ change: ([UInt8], DecodedFrame) -> [[UInt8]] = { bytes, _ in [bytes] }
  ) throws -> Data {
    var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
    var batch = FrameBatch()
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: copy) }
    var writer = try PcapWriter(path: copy.path)
    var decoded = DecodedFrame()
    while try reader.next(into: &batch) {
      for record in batch.frames {
        let bytes = Array(batch.bytes[record.start..<(record.start + record.capturedLength)])
        decode(bytes.span, wireLength: record.wireLength, linkType: 1, tunnels: .common, into: &decoded)
        for frame in change(bytes, decoded) { try writer.write(frame.span, time: record.time) }
        for extra in adding where extra.after == Int(record.number) {
          try writer.write(extra.bytes.span, time: record.time + 500)
        }
      }
    }
    try writer.finish()
    return try Data(contentsOf: copy)
  }

  /// Cuts an IPv4 packet into fragments.
  static func fragments(_ bytes: [UInt8], _ headers: FrameHeaders, of size: Int) -> [[UInt8]] {
    let network = Int(headers.networkOffset)
    let start = network + 20
    let end = network + Int(headers.networkLength)
    guard end - start > size else { return [bytes] }
    return stride(from: start, to: end, by: size).map { at in
      let stop = min(end, at + size)
      var frame = Array(bytes[..<start]) + bytes[at..<stop]
      let length = 20 + stop - at
      frame[network + 2] = UInt8(length >> 8)
      frame[network + 3] = UInt8(length & 0xff)
      frame[network + 4] = UInt8(bytes.count & 0xff)
      frame[network + 5] = bytes[bytes.count / 2]
      let field = (at - start) / 8 | (stop < end ? 0x2000 : 0)
      frame[network + 6] = UInt8(field >> 8)
      frame[network + 7] = UInt8(field & 0xff)
      return frame
    }
  }

  private func rules(_ report: Report) -> [String] { faults(report).map(\.rule) }

  // MARK: Fragments

  @Test func outerFragmentsAreJoinedAndReported() throws {
    let plain = try Bundles.verify("clean-vxlan")
    var files: [String: Data] = [:]
    var cut = 0
    for host in ["host1", "host2"] {
      files["\(host)/eth1.pcap"] = try Self.rewrite("clean-vxlan", "\(host)/eth1.pcap") { bytes, frame in
        guard frame.hasInner, frame.outer.sourceAddress == Self.host1 else { return [bytes] }
        let parts = Self.fragments(bytes, frame.outer, of: 504)
        if parts.count > 1, host == "host1" { cut += 1 }
        // Fragments need not come in order.
        return host == "host2" ? parts.reversed() : parts
      }
    }
    #expect(cut > 3)
    let report = try Bundles.verify("clean-vxlan", adding: files)
    #expect(rules(report) == ["underlay-fragmented"])
    let finding = try #require(report.findings.first)
    #expect(finding.host == "host1")
    #expect(finding.severity == .warning)
    #expect(finding.count == UInt64(cut))
    #expect(report.verdict == .pass)
    #expect(report.coverage.map(\.out) == plain.coverage.map(\.out))
    #expect(report.coverage.map(\.in) == plain.coverage.map(\.in))
    #expect(report.trajectories.asExpected == plain.trajectories.asExpected)
  }

  @Test func aFaultInFragmentsIsFoundAllTheSame() throws {
    var files: [String: Data] = [:]
    for host in ["host1", "host2", "host3"] {
      files["\(host)/eth1.pcap"] = try Self.rewrite("wrong-vni-out", "\(host)/eth1.pcap") { bytes, frame in
        frame.hasInner ? Self.fragments(bytes, frame.outer, of: 64) : [bytes]
      }
    }
    let report = try Bundles.verify("wrong-vni-out", adding: files)
    let plain = try Bundles.verify("wrong-vni-out")
    #expect(report.findings.first?.rule == "wrong-vni")
    #expect(report.findings.first?.count == plain.findings.first?.count)
  }

  @Test func fragmentsOfOtherPacketsAreNotOurs() throws {
    var packet = FrameBuilder()
    packet.ethernet(to: MACAddress(rawValue: 0x5254_0000_0202), from: MACAddress(rawValue: 0x5254_0000_0101))
    packet.ipv4(from: Self.host1, to: Self.host2) {
      $0.udp(from: 700, to: 2049, hasChecksum: false) { $0.append([UInt8](repeating: 7, count: 4000)) }
    }
    var decoded = DecodedFrame()
    decode(packet.bytes.span, wireLength: packet.bytes.count, linkType: 1, tunnels: .common, into: &decoded)
    let extra = Self.fragments(packet.bytes, decoded.outer, of: 1480).map { ($0, after: 20) }
    let file = try Self.rewrite("clean-vxlan", "host1/eth1.pcap", adding: extra)
    #expect(rules(try Bundles.verify("clean-vxlan", adding: ["host1/eth1.pcap": file])).isEmpty)
  }

  // MARK: MTU

  /// "Fragmentation needed" from a router, about a packet.
  static func tooBig(about port: UInt16, from sender: IPAddress, to receiver: IPAddress) -> [UInt8] {
    var quoted = FrameBuilder()
    quoted.ipv4(from: sender, to: receiver) {
      $0.udp(from: 50_000, to: port, hasChecksum: false) { $0.append([UInt8](repeating: 0, count: 1500)) }
    }
    var frame = FrameBuilder()
    frame.ethernet(to: MACAddress(rawValue: 0x5254_0000_0101), from: MACAddress(rawValue: 0x5254_0000_02fe))
    var icmp: [UInt8] = [3, 4, 0, 0, 0, 0, 0x05, 0xdc]
    icmp += quoted.bytes.prefix(28)
    var header: [UInt8] = [0x45, 0, 0, UInt8(20 + icmp.count), 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 254]
    header += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sender.low >> $0) }
    frame.type(EtherType.ipv4)
    frame.append(header + icmp)
    return frame.bytes
  }

  @Test func anICMPErrorAboutATunnelPacketIsAnError() throws {
    let error = Self.tooBig(about: 4789, from: Self.host1, to: Self.host2)
    let file = try Self.rewrite("clean-vxlan", "host1/eth1.pcap", adding: [(error, after: 20), (error, after: 30)])
    let report = try Bundles.verify("clean-vxlan", adding: ["host1/eth1.pcap": file])
    #expect(rules(report) == ["exceeds-underlay-mtu"])
    let finding = try #require(report.findings.first)
    #expect(finding.host == "host1")
    #expect(finding.count == 2)
    #expect(finding.severity == .error)
    #expect(finding.message.contains("1500 octets"))
    #expect(finding.frames.map(\.numbers) == [[21, 32]])
  }

  @Test(arguments: [
    tooBig(about: 443, from: host1, to: host2), tooBig(about: 4789, from: host1, to: IPAddress(v4: 0xcb00_7101)),
    tooBig(about: 4789, from: IPAddress(v4: 0xcb00_7101), to: host2),
  ]) func anICMPErrorAboutOtherPacketsIsNot(_ error: [UInt8]) throws {
    let file = try Self.rewrite("clean-vxlan", "host1/eth1.pcap", adding: [(error, after: 20)])
    #expect(rules(try Bundles.verify("clean-vxlan", adding: ["host1/eth1.pcap": file])).isEmpty)
  }

  /// Frames of host1 above a size reach host2 no more; or every second one of any size.
  @Test(arguments: [false, true]) func lossAboveASizeIsAnMTU(_ ofAnySize: Bool) throws {
    var dropped: Set<[UInt8]> = []
    func key(_ bytes: [UInt8], _ headers: FrameHeaders) -> [UInt8] {
      Array(bytes[Int(headers.networkOffset)..<min(bytes.count, Int(headers.networkOffset) + 60)])
    }
    func isLost(_ bytes: [UInt8], _ headers: FrameHeaders) -> Bool {
      if ofAnySize { return key(bytes, headers).reduce(0) { $0 + Int($1) } % 2 == 0 }
      return bytes.count - Int(headers.start) > 600
    }
    var files: [String: Data] = [:]
    files["host2/eth1.pcap"] = try Self.rewrite("clean-vxlan", "host2/eth1.pcap") { bytes, frame in
      guard frame.hasInner, frame.outer.sourceAddress == Self.host1, isLost(bytes, frame.inner) else { return [bytes] }
      dropped.insert(key(bytes, frame.inner))
      return []
    }
    for file in Bundles.files("clean-vxlan") where Bundles.isCapture(file) && file.hasPrefix("host2/") && !file.contains("eth1") {
      files[file] = try Self.rewrite("clean-vxlan", file) { bytes, frame in
        dropped.contains(key(bytes, frame.outer)) ? [] : [bytes]
      }
    }
    #expect(dropped.count > 5)
    let report = try Bundles.verify("clean-vxlan", adding: files)
    let found = report.findings.filter { $0.rule == "exceeds-underlay-mtu" }
    #expect(found.map(\.host) == (ofAnySize ? [] : ["host1"]))
  }

  // MARK: Outer VLANs

  private func tagged(_ bytes: [UInt8], _ vid: UInt16) -> [UInt8] {
    Array(bytes[..<12]) + [0x81, 0, UInt8(vid >> 8), UInt8(vid & 0xff)] + bytes[12...]
  }

  @Test(arguments: [(100, 200), (100, 100), (100, 0)] as [(UInt16, UInt16)])
  func hostsAgreeOnTheOuterVLAN(_ vids: (UInt16, UInt16)) throws {
    var files: [String: Data] = [:]
    for host in ["host1", "host2"] {
      files["\(host)/eth1.pcap"] = try Self.rewrite("clean-vxlan", "\(host)/eth1.pcap") { bytes, frame in
        let vid = frame.outer.sourceAddress == Self.host1 ? vids.0 : frame.outer.sourceAddress == Self.host2 ? vids.1 : vids.0
        return [vid == 0 ? bytes : tagged(bytes, vid)]
      }
    }
    let report = try Bundles.verify("clean-vxlan", adding: files)
    // The third host's capture has no tags: another dispute, if any.
    let found = report.findings.filter {
      $0.rule == "outer-vlan-mismatch" && $0.host != "host3" && $0.message.contains("host1") && $0.message.contains("host2")
    }
    #expect(found.count == (vids.0 == vids.1 ? 0 : 1))
    #expect(found.allSatisfy { $0.severity == .warning })
    #expect(report.verdict == .pass)
  }

  /// Each host sends and receives in a VLAN of its own.
  @Test func aSwitchThatTranslatesOuterVLANsIsARemark() throws {
    var files: [String: Data] = [:]
    for (host, vid) in [("host1", UInt16(100)), ("host2", 200), ("host3", 100)] {
      files["\(host)/eth1.pcap"] = try Self.rewrite("clean-vxlan", "\(host)/eth1.pcap") { bytes, _ in [tagged(bytes, vid)] }
    }
    let found = try Bundles.verify("clean-vxlan", adding: files).findings.filter { $0.rule == "outer-vlan-mismatch" }
    #expect(found.map(\.host) == ["host2"])
    #expect(found.map(\.severity) == [.info])
  }

  /// A capture on the VLAN device shows no tag, which says nothing.
  @Test func aVLANDeviceShowsNoTag() throws {
    let tags = try Self.rewrite("clean-vxlan", "host2/eth1.pcap") { bytes, _ in [tagged(bytes, 100)] }
    let report = try Bundles.verify(
      "clean-vxlan", keeping: { Bundles.isCapture($0) && $0 != "host1/eth1.pcap" },
      adding: ["host2/eth1.pcap": tags, "host1/eth1.100.pcap": try Self.rewrite("clean-vxlan", "host1/eth1.pcap")])
    let found = report.findings.filter { $0.rule == "outer-vlan-mismatch" }
    #expect(found.allSatisfy { !$0.message.contains("host1") }, "\(found.map(\.message))")
  }

  // MARK: Checksums

  /// Frames of host1 with a wrong inner checksum, as one of the hosts' NICs shows them.
  private func corrupted(_ host: String) throws -> [String: Data] {
    let file = try Self.rewrite("clean-vxlan", "\(host)/eth1.pcap") { bytes, frame in
      guard frame.hasInner, frame.outer.sourceAddress == Self.host1, frame.inner.transport == .tcp else { return [bytes] }
      var changed = bytes
      changed[Int(frame.inner.transportOffset) + 16] ^= 0x5a
      return [changed]
    }
    return ["\(host)/eth1.pcap": file]
  }

  @Test func wrongChecksumsThatArriveAreReported() throws {
    let report = try Bundles.verify("clean-vxlan", adding: try corrupted("host2"))
    #expect(rules(report) == ["bad-checksum-on-wire"])
    #expect(report.findings.first?.host == "host1")
    #expect(report.findings.first?.point == "host2/eth1")
    #expect(report.verdict == .pass)
  }

  @Test func checksumsThatASenderLeavesToItsNICAreNot() throws {
    #expect(rules(try Bundles.verify("clean-vxlan", adding: try corrupted("host1"))).isEmpty)
  }
}
