import CaptureFiles
import Foundation
import Testing

@Suite struct WritingTests {
  @Test(arguments: [PcapWriter.Resolution.microseconds, .nanoseconds])
  func pcap_reads_back_as_written(resolution: PcapWriter.Resolution) throws {
    try withTemporaryFile { path in
      var writer = try PcapWriter(path: path, linkType: 276, snapLength: 100, resolution: resolution)
      for number in 0..<20_000 {
        try writer.write(frame(number % 150, seed: number).span, time: Int64(number) * 1_234_567, wireLength: 120)
      }
      try writer.write(frame(0).span, time: 4_294_967_295_999_999_999)
      try writer.finish()
      let capture = ReadCapture(path: path)
      #expect(capture.failure == nil)
      #expect(capture.interfaces == [CaptureInterface(linkType: 276, snapLength: 100)])
      let unit: Int64 = resolution == .microseconds ? 1000 : 1
      let expected = (0..<20_000).map { number in
        ReadFrame(
          number: UInt64(number + 1), time: Int64(number) * 1_234_567 / unit * unit,
          bytes: Array(frame(number % 150, seed: number).prefix(100)), wireLength: max(120, number % 150),
          interface: 0, direction: .unknown)
      }
      #expect(Array(capture.frames.dropLast()) == expected)
      #expect(capture.frames.last?.time == 4_294_967_295_999_999_999 / unit * unit)
    }
  }

  static var described: CaptureInterface {
    var interface = CaptureInterface(linkType: 1, snapLength: 96, name: "tap60820963-9a")
    interface.description = "port of a guest"
    interface.filter = "udp port 4789"
    return interface
  }

  static func writeSample(to path: String) throws {
    var writer = try PcapngWriter(path: path, application: "lanecheck")
    let tap = try writer.addInterface(described)
    try writer.write(frame(120).span, time: 1_700_000_000_123_456_789, interface: tap, direction: .outbound)
    let any = try writer.addInterface(CaptureInterface(linkType: 276))
    try writer.write(frame(5).span, time: 0, interface: any, wireLength: 9000, comment: "wrong-vni: größer")
    try writer.write(frame(60).span, time: .max, interface: tap, direction: .inbound, comment: "")
    try writer.writeStatistics(interface: tap, time: 1_700_000_001_000_000_000, received: 12, dropped: 3)
    try writer.finish()
  }

  @Test func pcapng_reads_back_as_written() throws {
    try withTemporaryFile { path in
      try Self.writeSample(to: path)
      let capture = ReadCapture(path: path)
      #expect(capture.failure == nil)
      var tap = Self.described
      tap.received = 12
      tap.dropped = 3
      #expect(capture.interfaces == [tap, CaptureInterface(linkType: 276)])
      #expect(
        capture.frames == [
          ReadFrame(
            number: 1, time: 1_700_000_000_123_456_789, bytes: Array(frame(120).prefix(96)), wireLength: 120,
            interface: 0, direction: .outbound),
          ReadFrame(number: 2, time: 0, bytes: frame(5), wireLength: 9000, interface: 1, direction: .unknown),
          ReadFrame(number: 3, time: .max, bytes: frame(60), wireLength: 60, interface: 0, direction: .inbound),
        ])
    }
  }

  @Test(.enabled(if: isInstalled("tshark"), "tshark is not installed"))
  func pcapng_is_understood_by_tshark() throws {
    try withTemporaryFile { path in
      try Self.writeSample(to: path)
      let fields = ["number", "time_epoch", "len", "cap_len", "interface_name", "packet_flags_direction", "comment"]
      let arguments = ["-n", "-r", path, "-c", "2", "-T", "fields"] + fields.flatMap { ["-e", "frame." + $0] }
      let text = try #require(output(of: "tshark", arguments))
      #expect(
        text.split(separator: "\n").map(String.init) == [
          "1\t1700000000.123456789\t120\t96\ttap60820963-9a\t0x00000002\t",
          "2\t0.000000000\t9000\t5\tunknown\t\twrong-vni: größer",
        ])
      let summary = try #require(output(of: "capinfos", ["-M", path]))
      #expect(summary.contains("Number of packets:   3"))
      #expect(summary.contains("Description = port of a guest"))
      #expect(summary.contains("Filter string = udp port 4789"))
      #expect(summary.contains("Number of stat entries = 1"))
    }
  }

  @Test func what_a_format_cannot_hold_is_refused() throws {
    try withTemporaryFile { path in
      var pcap = try PcapWriter(path: path)
      for time in [-1, 4_294_967_296_000_000_000, .max] as [Int64] {
        #expect(throws: CaptureWriteError.self) { try pcap.write(frame(1).span, time: time) }
      }
      #expect(throws: CaptureWriteError.self) { try pcap.write(frame(1).span, time: 0, wireLength: 1 << 32) }
      try pcap.finish()
      #expect(ReadCapture(path: path).frames.isEmpty)
      #expect(ReadCapture(path: path).failure == nil)

      var pcapng = try PcapngWriter(path: path)
      #expect(throws: CaptureWriteError.self) { try pcapng.write(frame(1).span, time: 0, interface: 0) }
      let eth1 = try pcapng.addInterface(CaptureInterface(linkType: 1))
      #expect(throws: CaptureWriteError.self) { try pcapng.write(frame(1).span, time: -1, interface: eth1) }
      #expect(throws: CaptureWriteError.self) { try pcapng.write(frame(1).span, time: 0, interface: -1) }
      let long = String(repeating: "x", count: 65_536)
      #expect(throws: CaptureWriteError.self) {
        try pcapng.write(frame(1).span, time: 0, interface: eth1, comment: long)
      }
      #expect(throws: CaptureWriteError.self) {
        try pcapng.addInterface(CaptureInterface(linkType: 1, name: long))
      }
      try pcapng.write(frame(1).span, time: 0, interface: eth1, comment: String(long.dropLast()))
      try pcapng.finish()
      #expect(ReadCapture(path: path).frames.count == 1)
      #expect(ReadCapture(path: path).failure == nil)
    }
  }

  @Test func file_that_cannot_be_created_is_reported() throws {
    let path = "/no/such/directory/a.pcap"
    #expect(throws: CaptureWriteError(path: path, reason: "No such file or directory")) {
      var writer = try PcapWriter(path: path)
      try writer.finish()
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "the system has no /dev/full"))
  func full_disk_is_reported() throws {
    var pcap = try PcapWriter(path: "/dev/full")
    #expect(throws: CaptureWriteError(path: "/dev/full", reason: "No space left on device")) {
      for number in 0..<1000 { try pcap.write(frame(1000).span, time: Int64(number)) }
    }
    var pcapng = try PcapngWriter(path: "/dev/full")
    #expect(throws: CaptureWriteError(path: "/dev/full", reason: "No space left on device")) {
      try pcapng.finish()
    }
  }
}
