import CaptureFiles
import Foundation
import Reporting
import Testing
import Wire

@testable import Jobs

@Suite("simulate") struct SimulateTests {
  /// Bundles without offloads whose taps were captured with whole Ethernet headers; also such with a fault in the
  /// flows or ports that were dumped before: the simulation then does the same wrong thing.
  static let bundles = [
    "clean-vxlan", "clean-gre", "clean-two-tenants", "clean-three-hosts", "clean-guest-vlan", "clean-mirror",
    "clean-snap96", "clean-pcapng-multi", "clean-sll2-any", "wrong-vni-out", "wrong-vlan-in", "no-strip-vlan",
    "wrong-qvo-tag", "missing-vni-in", "wrong-udp-port", "learn-disabled", "flood-missing-peer", "mac-move", "one-way",
  ]

  /// A frame in a tunnel, as the comparison knows it.
  struct Copy: Hashable, CustomStringConvertible {
    var inner: [UInt8]
    var vni: UInt32
    var destination: IPAddress
    var description: String {
      let text = inner.prefix(48).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      return "VNI \(vni) to \(destination): \(text)"
    }
  }

  struct Sighting {
    var copy: Copy
    var time: Int64
    var source: IPAddress
  }

  /// What a capture shows in tunnels, sent by or received from anybody.
  static func tunnelled(_ path: String, interface: String? = nil) throws -> [Sighting] {
    var reader = try CaptureReader(path: path)
    var batch = FrameBatch()
    var result: [Sighting] = []
    var frame = DecodedFrame()
    while try reader.next(into: &batch) {
      for record in batch.frames {
        if let interface, reader.interfaces[record.interface].name != interface { continue }
        let bytes = Array(batch.bytes[record.start..<(record.start + record.capturedLength)])
        decode(bytes.span, wireLength: record.wireLength, linkType: 1, tunnels: .common, into: &frame)
        guard frame.hasInner else { continue }
        result.append(
          Sighting(
            copy: Copy(
              inner: Array(bytes[Int(frame.inner.start)...]), vni: frame.tunnel.id,
              destination: frame.outer.destinationAddress), time: record.time, source: frame.outer.sourceAddress))
      }
    }
    return result
  }

  static func simulated(
    _ bundle: String, _ change: (inout SimulateOptions) -> Void = { _ in },
    _ body: (String, SimulationReport) throws -> Void
  ) throws {
    let output = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: output) }
    var options = SimulateOptions(paths: [Bundles.path(bundle)], output: output.path)
    change(&options)
    try body(output.path, try simulate(options))
  }

  /// The capture of a host's tunnels: the interface alone, or with others in one file.
  static func tunnelCapture(_ directory: String) -> (path: String, interface: String?) {
    let alone = ["eth1.pcap", "eth1.pcap.gz"].map { directory + $0 }.first { FileManager.default.fileExists(atPath: $0) }
    return alone.map { ($0, nil) } ?? (directory + "all.pcapng", "eth1")
  }

  static let vteps = [
    "host1": IPAddress(v4: 0xc000_0201), "host2": IPAddress(v4: 0xc000_0202), "host3": IPAddress(v4: 0xc000_0203),
  ]

  @Test("the tunnels show what they really showed", arguments: bundles)
  func sameTunnelFrames(_ bundle: String) throws {
    try Self.simulated(bundle) { output, report in
      #expect(report.counts.uncertain == 0 && report.counts.cut == 0)
      #expect(report.counts.fed > 50)
      for (host, vtep) in Self.vteps.sorted(by: { $0.key < $1.key }) {
        let directory = Bundles.path(bundle) + "/\(host)/"
        let capture = Self.tunnelCapture(directory)
        let real = try Self.tunnelled(capture.path, interface: capture.interface).filter { $0.source == vtep }
        let made = try Self.tunnelled(output + "/\(host)/eth1.pcap").filter { $0.source == vtep }
        // At equal depth: a capture cuts encapsulated frames 50 octets earlier.
        let depth = bundle == "clean-snap96" ? 40 : Int.max
        func counts(_ list: [Sighting]) -> [Copy: Int] {
          list.reduce(into: [:]) { counts, seen in
            var copy = seen.copy
            copy.inner = Array(copy.inner.prefix(depth))
            counts[copy, default: 0] += 1
          }
        }
        let (truth, simulation) = (counts(real), counts(made))
        for (copy, count) in simulation where truth[copy, default: 0] < count {
          Issue.record("\(host): simulated \(count) times, seen \(truth[copy, default: 0]): \(copy)")
        }
        // Open vSwitch floods on until it has learned: at most two seconds.
        for (copy, count) in truth where simulation[copy, default: 0] < count {
          let first = real.first { Array($0.copy.inner.prefix(depth)) == copy.inner && $0.copy.destination == copy.destination }
          let destination = Array(copy.inner.prefix(6))
          let arrivals = try Self.tunnelled(capture.path, interface: capture.interface).filter { $0.source != vtep && Array($0.copy.inner[6..<12]) == destination }.map(\.time).min()
          let time = try #require(first?.time)
          #expect(
            copy.inner[0] & 1 == 0 && arrivals.map { $0 <= time && time - $0 < 2_000_000_000 } ?? false,
            "\(host): seen \(count) times, simulated \(simulation[copy, default: 0]): \(copy)")
        }
        #expect(!simulation.isEmpty || real.isEmpty)
      }
    }
  }

  /// Other tunnels, tables and underlays. Each of a host's captures shows all tunnel frames that it should.
  @Test(
    "in every arrangement the tunnels show what they really showed",
    arguments: [
      "clean/geneve", "clean/l2population", "clean/mixed-tunnels", "clean/ipv6-underlay", "clean/old-neutron",
      "clean/direct-taps", "clean/same-macs", "clean/vlan-underlay", "clean/ovs-firewall", "learning/no-learning-gre",
      "learning/flood-skips-empty-hosts",
    ])
  func sameInEveryArrangement(_ bundle: String) throws {
    try Self.simulated(bundle) { output, report in
      var compared = 0
      for file in report.files {
        let made = try Self.tunnelled(output + "/" + file.name)
        let plain = Bundles.path(bundle) + "/" + file.name
        guard !made.isEmpty, let original = [plain, plain + ".gz"].first(where: FileManager.default.fileExists) else { continue }
        func counts(_ list: [Sighting]) -> [Copy: Int] { list.reduce(into: [:]) { $0[$1.copy, default: 0] += 1 } }
        let (truth, simulation) = (counts(try Self.tunnelled(original)), counts(made))
        #expect(truth.filter { simulation[$0.key] != $0.value }.map(\.key.description) == [], "\(file.name)")
        #expect(simulation.filter { truth[$0.key] != $0.value }.map(\.key.description) == [], "\(file.name)")
        compared += made.count
      }
      #expect(compared > 50)
    }
  }

  @Test("what guests get is what their taps showed", arguments: ["clean-vxlan", "clean-two-tenants", "clean-gre"])
  func sameAtTaps(_ bundle: String) throws {
    try Self.simulated(bundle) { output, report in
      for file in report.files where file.name.contains("/tap") {
        let real = Bundles.path(bundle) + "/" + file.name
        guard FileManager.default.fileExists(atPath: real) else { continue }
        let (seen, made) = (try Self.frames(real), try Self.frames(output + "/" + file.name))
        // More may have come while the hosts were still learning.
        for (frame, count) in made { #expect(seen[frame, default: 0] >= count, "\(file.name)") }
        let extra = seen.reduce(0) { $0 + $1.value } - made.reduce(0) { $0 + $1.value }
        #expect(extra >= 0 && extra <= 8, "\(file.name)")
      }
    }
  }

  static func frames(_ path: String) throws -> [[UInt8]: Int] {
    var reader = try CaptureReader(path: path)
    var batch = FrameBatch()
    var result: [[UInt8]: Int] = [:]
    while try reader.next(into: &batch) {
      for record in batch.frames {
        result[Array(batch.bytes[record.start..<(record.start + record.capturedLength)]), default: 0] += 1
      }
    }
    return result
  }

  @Test("decided flows and time give the same files", arguments: ["clean-vxlan", "mac-move", "tunnel-loop"])
  func cachingChangesNothing(_ bundle: String) throws {
    try Self.simulated(bundle) { one, report in
      #expect(report.cache.hits > 0)
      try Self.simulated(bundle, { $0.caching = false }) { other, plain in
        #expect(plain.cache.hits == 0)
        #expect(report.files.map(\.name) == plain.files.map(\.name))
        for file in report.files {
          let data = try [one, other].map { try Data(contentsOf: URL(fileURLWithPath: $0 + "/" + file.name)) }
          #expect(data[0] == data[1], "\(file.name)")
        }
      }
    }
  }

  @Test func outerHeadersAreRight() throws {
    try Self.simulated("clean-vxlan") { output, _ in
      var reader = try CaptureReader(path: output + "/host1/eth1.pcap")
      var batch = FrameBatch()
      var frame = DecodedFrame()
      var count = 0
      while try reader.next(into: &batch) {
        for record in batch.frames {
          let bytes = Array(batch.bytes[record.start..<(record.start + record.capturedLength)])
          decode(bytes.span, wireLength: record.wireLength, linkType: 1, tunnels: .common, into: &frame)
          #expect(frame.outer.ipv4HeaderChecksum(in: bytes.span) == .correct)
          #expect(frame.outer.transportChecksum(in: bytes.span) == .absent)
          #expect(frame.tunnel.id == 57 && frame.outer.destinationPort == 4789)
          count += 1
        }
      }
      #expect(count > 100)
    }
  }

  @Test func itNeverWritesOverWhatItReads() throws {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: copy) }
    try FileManager.default.copyItem(atPath: Bundles.path("clean-vxlan"), toPath: copy.path)
    let capture = copy.appendingPathComponent("host1/tap60820963-9a.pcap")
    let before = try Data(contentsOf: capture)
    let error = try #require(throws: JobError.self) {
      try simulate(SimulateOptions(paths: [copy.path], output: copy.path + "/host2/.."))
    }
    #expect(error.message.contains("one of the captures that are read"))
    #expect(try Data(contentsOf: capture) == before)
  }

  @Test func withoutGuestsOrFlowsItSaysSo() throws {
    let empty = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: empty) }
    try FileManager.default.createDirectory(
      at: empty.appendingPathComponent("host1"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: Bundles.path("clean-vxlan") + "/host1/eth1.pcap", toPath: empty.path + "/host1/eth1.pcap")
    #expect(throws: JobError.self) {
      try simulate(SimulateOptions(paths: [empty.path], output: empty.path + "/out"))
    }
  }
}
