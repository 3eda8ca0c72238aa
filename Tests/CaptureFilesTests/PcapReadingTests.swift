import CaptureFiles
import Testing

@Suite struct PcapReadingTests {
  struct Format: CustomTestStringConvertible {
    var magic: UInt32
    var nanoseconds: Int64
    var order: CaptureBytes.Order
    var testDescription: String { "\(String(magic, radix: 16)) \(order)" }
  }
  static let formats = CaptureBytes.Order.allCases.flatMap { order in
    [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)].map { Format(magic: $0, nanoseconds: $1, order: order) }
  }

  @Test(arguments: formats) func frames_are_read_in_every_resolution_and_byte_order(format: Format) throws {
    var file = CaptureBytes(format.order)
    file.pcapHeader(magic: format.magic, snapLength: 96, linkType: 276)
    file.pcapRecord(frame(60), seconds: 1_700_000_000, fraction: 123_456)
    file.pcapRecord([], seconds: 0, fraction: 1)
    file.pcapRecord(frame(96, seed: 2), seconds: .max, fraction: 999_999, wire: 9000)
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.interfaces == [CaptureInterface(linkType: 276, snapLength: 96)])
    #expect(
      capture.frames == [
        ReadFrame(
          number: 1, time: 1_700_000_000_000_000_000 + 123_456 * format.nanoseconds, bytes: frame(60), wireLength: 60,
          interface: 0, direction: .unknown),
        ReadFrame(number: 2, time: format.nanoseconds, bytes: [], wireLength: 0, interface: 0, direction: .unknown),
        ReadFrame(
          number: 3, time: 4_294_967_295_000_000_000 + 999_999 * format.nanoseconds, bytes: frame(96, seed: 2),
          wireLength: 9000, interface: 0, direction: .unknown),
      ])
    #expect(capture.anomalies == CaptureAnomalies())
  }

  @Test(arguments: CaptureBytes.Order.allCases)
  func records_of_a_patched_libpcap_carry_the_direction(order: CaptureBytes.Order) throws {
    var file = CaptureBytes(order)
    file.pcapHeader(magic: 0xa1b2_cd34)
    for type in 0...5 as ClosedRange<UInt8> {
      file.pcapRecord(frame(14, seed: Int(type)), seconds: 7, extra: [0, 0, 0, 2, 8, 0, type, 0])
    }
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.direction) == [.inbound, .inbound, .inbound, .inbound, .outbound, .unknown])
    #expect(capture.frames.map(\.bytes) == (0...5).map { frame(14, seed: $0) })
  }

  @Test func checksum_that_the_header_tells_of_is_no_part_of_the_frame() throws {
    var file = CaptureBytes()
    file.pcapHeader(linkType: 0x2400_0001)
    file.pcapRecord(frame(64), seconds: 1)
    file.pcapRecord(frame(64), seconds: 1, wire: 66)
    file.pcapRecord(frame(64), seconds: 1, wire: 1000)
    file.pcapRecord(frame(3), seconds: 1)
    let capture = try read(file.bytes)
    #expect(capture.interfaces.map(\.linkType) == [1])
    #expect(capture.frames.map(\.bytes.count) == [60, 62, 64, 0])
    #expect(capture.frames.map(\.wireLength) == [60, 62, 996, 0])
  }

  @Test(arguments: [0x1c00_01ac, 0x1c00_01ab] as [UInt32], CaptureBytes.Order.allCases)
  func captures_of_ixia_carry_their_length_behind_the_header(magic: UInt32, order: CaptureBytes.Order) throws {
    var file = CaptureBytes(order)
    file.pcapHeader(magic: magic)
    file.put(0 as UInt32)
    file.pcapRecord(frame(60), seconds: 3, fraction: 5)
    file.pcapRecord(frame(61), seconds: 3, fraction: 6)
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.time) == [3_000_000_005, 3_000_000_006])
    #expect(capture.frames.map(\.bytes.count) == [60, 61])
    #expect(try read(Array(file.bytes.prefix(26))).failure?.kind == .truncated)
  }

  @Test(arguments: [16, 17, 1000, 300_000]) func tail_of_zeros_is_told_from_a_hole(count: Int) throws {
    var file = CaptureBytes()
    file.pcapHeader()
    file.pcapRecord(frame(60), seconds: 1)
    let offset = UInt64(file.bytes.count)
    file.bytes += [UInt8](repeating: 0, count: count)
    let tail = try read(file.bytes)
    #expect(tail.frames.count == 1)
    #expect(tail.failure?.kind == .truncated)
    #expect(tail.failure?.offset == offset)
    #expect(tail.failure?.reason.contains("\(count) bytes of zeros") == true)
    file.pcapRecord(frame(60), seconds: 1)
    let hole = try read(file.bytes)
    #expect(hole.frames.count == 1)
    #expect(hole.failure?.kind == .damaged)
    #expect(hole.failure?.offset == offset)
  }

  @Test func header_without_frames_is_a_capture() throws {
    var file = CaptureBytes()
    file.pcapHeader()
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.isEmpty)
  }

  @Test func lengths_that_contradict_each_other_are_put_right_and_counted() throws {
    var file = CaptureBytes()
    file.pcapHeader(snapLength: 32)
    file.pcapRecord(frame(20), wire: 10)
    file.pcapRecord(frame(33))
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.wireLength) == [20, 33])
    #expect(capture.anomalies.wireLengthRaised == 1)
    #expect(capture.anomalies.longerThanSnapLength == 1)
  }

  @Test(arguments: [(1, 7), (0, 4), (2, 3), (2, 5)] as [(UInt16, UInt16)])
  func other_versions_are_refused(major: UInt16, minor: UInt16) throws {
    var file = CaptureBytes()
    file.pcapHeader(version: (major, minor))
    let failure = try read(file.bytes).failure
    #expect(failure?.kind == .damaged)
    #expect(failure?.reason.contains("\(major).\(minor)") == true)
  }

  @Test(arguments: [1, 2, 3, 100, 4096]) func every_limit_gives_the_same_frames(limit: Int) throws {
    var file = CaptureBytes(.big)
    file.pcapHeader()
    for number in 0..<1000 { file.pcapRecord(frame(number % 1500, seed: number), seconds: UInt32(number + 1)) }
    let capture = try read(file.bytes, limit: limit)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.bytes) == (0..<1000).map { frame($0 % 1500, seed: $0) })
    #expect(capture.frames.map(\.number) == (1...1000).map { UInt64($0) })
  }

  @Test func batches_keep_to_their_limit() throws {
    var bytes = CaptureBytes()
    bytes.pcapHeader()
    for number in 0..<10 { bytes.pcapRecord(frame(10, seed: number)) }
    try withTemporaryFile(bytes.bytes) { path in
      var reader = try CaptureReader(path: path)
      var batch = FrameBatch()
      var counts: [Int] = []
      while try reader.next(into: &batch, limit: 4) { counts.append(batch.frames.count) }
      #expect(counts == [4, 4, 2])
      #expect(batch.frames.isEmpty)
      #expect(try !reader.next(into: &batch))
    }
  }

  @Test func record_longer_than_a_batch_is_read() throws {
    let lengths = [100, 3_000_000, 0, 1 << 20, (1 << 20) - 16, 1500, 5_000_000, 60]
    var file = CaptureBytes()
    file.pcapHeader(snapLength: 0)
    for (number, length) in lengths.enumerated() { file.pcapRecord(frame(length, seed: number), seconds: 1) }
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.bytes.count) == lengths)
    #expect(capture.frames.map(\.bytes) == lengths.enumerated().map { frame($1, seed: $0) })
  }

  @Test(arguments: [(64 << 20) + 1, 0x7fff_ffff, 0xffff_ffff] as [UInt32])
  func record_beyond_all_sense_is_damage(claimed: UInt32) throws {
    var file = CaptureBytes()
    file.pcapHeader()
    file.pcapRecord(frame(60))
    let offset = UInt64(file.bytes.count)
    file.pcapRecord(frame(60), captured: claimed)
    let capture = try read(file.bytes)
    #expect(capture.frames.count == 1)
    #expect(capture.failure?.kind == .damaged)
    #expect(capture.failure?.offset == offset)
    #expect(capture.failure?.reason.contains("\(claimed)") == true)
  }

  @Test func damage_is_thrown_again_when_asked_again() throws {
    var bytes = CaptureBytes()
    bytes.pcapHeader()
    bytes.pcapRecord(frame(60), captured: .max)
    try withTemporaryFile(bytes.bytes) { path in
      var reader = try CaptureReader(path: path)
      var batch = FrameBatch()
      for _ in 0..<2 {
        var kind: CaptureFileError.Kind?
        do throws(CaptureFileError) { _ = try reader.next(into: &batch) } catch { kind = error.kind }
        #expect(kind == .damaged)
      }
    }
  }
}
