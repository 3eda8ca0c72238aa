import CaptureFiles
import Testing

@Suite struct PcapngReadingTests {
  @Test(arguments: CaptureBytes.Order.allCases)
  func blocks_of_every_kind_are_read_in_both_byte_orders(order: CaptureBytes.Order) throws {
    var file = CaptureBytes(order)
    file.section()
    file.interface(linkType: 1, snapLength: 64) {
      $0.option(2, Array("tap60820963-9a".utf8))
      $0.option(3, Array("a guest's port\0".utf8))
      $0.option(11, [0] + Array("not port 22".utf8))
      $0.option(9, [9])
      $0.option(0, [])
    }
    file.enhancedPacket(frame(61), ticks: 1_700_000_000_123_456_789, wire: 1400) {
      var flags = CaptureBytes(order)
      flags.put(0x8000_0002 as UInt32)
      $0.option(1, Array("a comment".utf8))
      $0.option(2, flags.bytes)
      $0.option(0, [])
    }
    file.block(0x0bad) { $0.bytes = frame(17) }
    file.interface(linkType: 276)
    file.enhancedPacket(frame(5), interface: 1, ticks: 5_000_000)
    file.simplePacket(frame(64), wire: 2000)
    file.simplePacket(frame(33))
    file.obsoletePacket(frame(21), interface: 1, ticks: 6_000_001, flags: 1)
    file.statistics(interface: 0, [(4, 100), (5, 7), (7, 3)])
    file.statistics(interface: 1, [(4, 5)])
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(
      capture.frames == [
        ReadFrame(
          number: 1, time: 1_700_000_000_123_456_789, bytes: frame(61), wireLength: 1400, interface: 0,
          direction: .outbound),
        ReadFrame(
          number: 2, time: 5_000_000_000, bytes: frame(5), wireLength: 5, interface: 1, direction: .unknown),
        ReadFrame(
          number: 3, time: 0, bytes: frame(64), wireLength: 2000, interface: 0, direction: .unknown, hasTime: false),
        ReadFrame(
          number: 4, time: 0, bytes: frame(33), wireLength: 33, interface: 0, direction: .unknown, hasTime: false),
        ReadFrame(
          number: 5, time: 6_000_001_000, bytes: frame(21), wireLength: 21, interface: 1, direction: .inbound),
      ])
    var guest = CaptureInterface(linkType: 1, snapLength: 64, name: "tap60820963-9a")
    guest.description = "a guest's port"
    guest.filter = "not port 22"
    guest.received = 100
    guest.dropped = 10
    var any = CaptureInterface(linkType: 276)
    any.received = 5
    // As the obsolete packet says.
    any.droppedBetween = 3
    #expect(capture.interfaces == [guest, any])
    #expect(capture.anomalies.withoutTime == 2)
  }

  @Test func sections_number_their_interfaces_anew() throws {
    var file = CaptureBytes(.little)
    file.section()
    file.interface { $0.option(2, Array("eth1".utf8)) }
    file.enhancedPacket(frame(1), ticks: 1)
    file.order = .big
    file.section(version: (1, 2))
    file.interface(linkType: 113) { $0.option(9, [3]) }
    file.interface { $0.option(2, Array("eth2".utf8)) }
    file.enhancedPacket(frame(2), interface: 1, ticks: 2)
    file.enhancedPacket(frame(3), interface: 0, ticks: 3)
    file.statistics(interface: 1, [(5, 9)])
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.interface) == [0, 2, 1])
    #expect(capture.frames.map(\.number) == [1, 2, 3])
    #expect(capture.frames.map(\.time) == [1000, 2000, 3_000_000])
    #expect(capture.interfaces.map(\.name) == ["eth1", nil, "eth2"])
    #expect(capture.interfaces.map(\.linkType) == [1, 113, 1])
    #expect(capture.interfaces.map(\.dropped) == [nil, nil, 9])
  }

  @Test func interfaces_before_the_first_frame_are_known_at_once() throws {
    var bytes = CaptureBytes()
    bytes.section()
    bytes.interface { $0.option(2, Array("a".utf8)) }
    bytes.block(4) { _ in }
    bytes.interface { $0.option(2, Array("b".utf8)) }
    bytes.enhancedPacket(frame(1))
    bytes.interface { $0.option(2, Array("c".utf8)) }
    try withTemporaryFile(bytes.bytes) { path in
      var reader = try CaptureReader(path: path)
      #expect(reader.kind == .pcapng)
      #expect(reader.interfaces.map(\.name) == ["a", "b"])
      var batch = FrameBatch()
      #expect(try reader.next(into: &batch))
      #expect(try !reader.next(into: &batch))
      #expect(reader.interfaces.map(\.name) == ["a", "b", "c"])
    }
  }

  struct Clock: CustomTestStringConvertible {
    var resolution: UInt8?
    var offset: Int64?
    var ticks: UInt64
    var time: Int64
    var outOfRange = false
    var testDescription: String { "tsresol \(resolution ?? 6), offset \(offset ?? 0), \(ticks)" }
  }
  static let clocks: [Clock] = [
    Clock(ticks: 1_700_000_000_123_456, time: 1_700_000_000_123_456_000),
    Clock(resolution: 0, ticks: 1_700_000_000, time: 1_700_000_000_000_000_000),
    Clock(resolution: 3, ticks: 1_700_000_000_123, time: 1_700_000_000_123_000_000),
    Clock(resolution: 9, ticks: 1_700_000_000_123_456_789, time: 1_700_000_000_123_456_789),
    Clock(resolution: 12, ticks: 123_456_789_999, time: 123_456_789),
    Clock(resolution: 28, ticks: .max, time: 1),
    Clock(resolution: 29, ticks: .max, time: 0),
    Clock(resolution: 127, ticks: .max, time: 0),
    Clock(resolution: 0x80, ticks: 7, time: 7_000_000_000),
    Clock(resolution: 0x81, ticks: 3, time: 1_500_000_000),
    Clock(resolution: 0x94, ticks: 1_700_000_000 << 20 | 1 << 19, time: 1_700_000_000_500_000_000),
    Clock(resolution: 0xa0, ticks: 1_700_000_000 << 32 | 1 << 30, time: 1_700_000_000_250_000_000),
    Clock(resolution: 0xff, ticks: .max, time: 0),
    Clock(resolution: 9, offset: 1_700_000_000, ticks: 5, time: 1_700_000_000_000_000_005),
    Clock(resolution: 9, offset: -1, ticks: 5, time: -999_999_995),
    Clock(resolution: 9, ticks: 1 << 63, time: .max, outOfRange: true),
    Clock(resolution: 0, ticks: .max, time: .max, outOfRange: true),
    Clock(resolution: 0x80, ticks: .max, time: .max, outOfRange: true),
    Clock(resolution: 9, offset: .max, ticks: 0, time: .max, outOfRange: true),
    Clock(resolution: 9, offset: .min, ticks: 0, time: .min, outOfRange: true),
  ]

  @Test(arguments: clocks) func times_follow_resolution_and_offset(clock: Clock) throws {
    var file = CaptureBytes(.big)
    file.section()
    file.interface {
      if let resolution = clock.resolution { $0.option(9, [resolution]) }
      if let offset = clock.offset {
        var value = CaptureBytes(.big)
        value.put(offset)
        $0.option(14, value.bytes)
      }
    }
    file.enhancedPacket(frame(1), ticks: clock.ticks)
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.time) == [clock.time])
    #expect(capture.anomalies.timeOutOfRange == (clock.outOfRange ? 1 : 0))
  }

  struct Damage: CustomTestStringConvertible {
    var words: String
    var make: @Sendable (inout CaptureBytes) -> Void
    var testDescription: String { words }
    init(_ words: String, _ make: @escaping @Sendable (inout CaptureBytes) -> Void) {
      self.words = words
      self.make = make
    }
  }
  static let damages: [Damage] = [
    Damage("length of 0") { $0.block(6, length: 0) { _ in } },
    Damage("length of 8") { $0.block(6, length: 8) { _ in } },
    Damage("length of 13") { $0.block(0x99, length: 13) { $0.put(0 as UInt64) } },
    Damage("length of 4294967292") { $0.block(0x99, length: 0xffff_fffc) { _ in } },
    Damage("ends with another length, 16") { $0.block(0x99, trailer: 16) { _ in } },
    Damage("interface 1,") { $0.enhancedPacket(frame(3), interface: 1) },
    Damage("interface 4294967295,") { $0.enhancedPacket(frame(3), interface: .max) },
    Damage("interface 2,") { $0.obsoletePacket(frame(3), interface: 2) },
    Damage("statistics of interface 1,") { $0.statistics(interface: 1, []) },
    Damage("claims 5 captured bytes") { $0.enhancedPacket(frame(4), captured: 5) },
    Damage("claims 4294967295 captured bytes") { $0.enhancedPacket(frame(4), captured: .max) },
    Damage("claims 9 captured bytes") { $0.simplePacket(frame(8), wire: 9) },
    Damage("shorter than its header") { $0.block(6) { $0.put(0 as UInt64) } },
    Damage("shorter than its header") { $0.block(3) { _ in } },
    Damage("interface description of only") { $0.block(1) { $0.put(0 as UInt32) } },
    Damage("interface statistics of only") { $0.block(5) { $0.put(0 as UInt64) } },
    Damage("option 2 of 9 bytes") { $0.interface { $0.option(2, frame(8), length: 9) } },
    Damage("option 2 of 65535 bytes") { $0.interface { $0.option(2, frame(8), length: .max) } },
    Damage("if_tsresol of 2 bytes") { $0.interface { $0.option(9, [6, 0]) } },
    Damage("if_tsoffset of 4 bytes") { $0.interface { $0.option(14, frame(4)) } },
    Damage("packet flags of 2 bytes") { $0.enhancedPacket(frame(4)) { $0.option(2, [1, 0]) } },
    Damage("interface statistics of 4 bytes") {
      $0.block(5) {
        $0.put(0 as UInt32)
        $0.put(0 as UInt64)
        $0.option(4, frame(4))
      }
    },
    Damage("unknown byte order mark") { $0.section(magic: 0x1a2b_3c4e) },
    Damage("version 2.0") { $0.section(version: (2, 0)) },
    Damage("section header of only") { $0.block(0x0a0d_0d0a) { $0.put(0x1a2b_3c4d as UInt32) } },
  ]

  @Test(arguments: damages, CaptureBytes.Order.allCases)
  func frames_before_damage_are_returned_and_none_after(damage: Damage, order: CaptureBytes.Order) throws {
    var file = CaptureBytes(order)
    file.section()
    file.interface()
    for number in 0..<3 { file.enhancedPacket(frame(50, seed: number)) }
    let offset = UInt64(file.bytes.count)
    damage.make(&file)
    file.enhancedPacket(frame(51))
    let capture = try read(file.bytes)
    #expect(capture.frames.map(\.bytes) == (0..<3).map { frame(50, seed: $0) })
    #expect(capture.failure?.kind == .damaged)
    #expect(capture.failure?.offset == offset)
    #expect(capture.failure?.reason.contains(damage.words) == true, "\(capture.failure?.reason ?? "")")
  }

  @Test func packet_before_any_interface_is_damage() throws {
    var file = CaptureBytes()
    file.section()
    let offset = UInt64(file.bytes.count)
    file.simplePacket(frame(20))
    #expect(try read(file.bytes).failure?.kind == .damaged)
    #expect(try read(file.bytes).failure?.offset == offset)
  }

  @Test func interfaces_end_with_their_section() throws {
    var file = CaptureBytes()
    file.section()
    file.interface()
    file.enhancedPacket(frame(20))
    file.section()
    let offset = UInt64(file.bytes.count)
    file.enhancedPacket(frame(20))
    let capture = try read(file.bytes)
    #expect(capture.frames.count == 1)
    #expect(capture.failure?.offset == offset)
  }

  @Test(arguments: CaptureBytes.Order.allCases) func drops_that_packets_tell_of_are_added_up(order: CaptureBytes.Order) throws {
    var file = CaptureBytes(order)
    file.section()
    file.interface()
    file.interface()
    func drops(_ count: UInt64) -> (inout CaptureBytes) -> Void {
      { options in
        var value = CaptureBytes(order)
        value.put(count)
        options.option(4, value.bytes)
      }
    }
    file.enhancedPacket(frame(20), options: drops(5))
    file.enhancedPacket(frame(20), options: drops(0))
    file.enhancedPacket(frame(20), options: drops(2))
    file.enhancedPacket(frame(20), interface: 1)
    file.enhancedPacket(frame(20), interface: 1, options: drops(.max))
    file.enhancedPacket(frame(20), interface: 1, options: drops(1))
    file.statistics(interface: 0, [(5, 6), (7, 0)])
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.interfaces.map(\.droppedBetween) == [7, .max])
    #expect(capture.interfaces.map(\.lost) == [7, .max])
    #expect(capture.interfaces.map(\.dropped) == [6, nil])
  }

  @Test func checksums_that_options_tell_of_are_no_part_of_the_frame() throws {
    var file = CaptureBytes()
    file.section()
    file.interface { $0.option(13, [32]) }
    file.interface()
    file.enhancedPacket(frame(64))
    file.enhancedPacket(frame(64), interface: 1)
    file.enhancedPacket(frame(64), interface: 1) { $0.option(2, [2 << 5 | 1, 0, 0, 0]) }
    let capture = try read(file.bytes)
    #expect(capture.frames.map(\.bytes.count) == [60, 64, 62])
    #expect(capture.frames.map(\.direction) == [.unknown, .unknown, .inbound])
  }

  @Test func only_simple_packets_have_no_time() throws {
    var file = CaptureBytes()
    file.section()
    file.interface()
    file.enhancedPacket(frame(64))
    file.simplePacket(frame(33))
    file.obsoletePacket(frame(7))
    #expect(try read(file.bytes).frames.map(\.hasTime) == [true, false, true])
  }

  @Test(arguments: [8, 9, 1000]) func tail_of_zeros_is_told_from_damage(count: Int) throws {
    var file = CaptureBytes()
    file.section()
    file.interface()
    file.enhancedPacket(frame(64))
    let offset = UInt64(file.bytes.count)
    file.bytes += [UInt8](repeating: 0, count: count)
    let capture = try read(file.bytes)
    #expect(capture.frames.count == 1)
    #expect(capture.failure?.kind == .truncated)
    #expect(capture.failure?.offset == offset)
  }

  @Test func number_of_interfaces_is_bounded() throws {
    var description = CaptureBytes()
    description.interface()
    var file = CaptureBytes()
    file.section()
    file.bytes += Array(repeatElement(description.bytes, count: 65_537).joined())
    let capture = try read(file.bytes)
    #expect(capture.interfaces.count == 65_536)
    #expect(capture.failure?.kind == .damaged)
  }

  @Test func long_blocks_that_hold_no_frame_are_passed_over() throws {
    var file = CaptureBytes()
    file.section()
    file.interface()
    file.block(0x0000_000a) { $0.bytes = [UInt8](repeating: 1, count: 3_000_000) }
    file.enhancedPacket(frame(20))
    for _ in 0..<3 { file.block(0x0000_0004) { $0.bytes = [UInt8](repeating: 1, count: 900_000) } }
    file.enhancedPacket(frame(21))
    let capture = try read(file.bytes)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.bytes) == [frame(20), frame(21)])
  }

  @Test(arguments: [1, 2, 3, 100, 4096]) func every_limit_gives_the_same_frames(limit: Int) throws {
    var file = CaptureBytes()
    file.section()
    file.interface()
    for number in 0..<1000 {
      file.enhancedPacket(frame(number * 7 % 1500, seed: number))
      if number % 50 == 0 { file.block(0x99) { $0.bytes = frame(number) } }
    }
    let capture = try read(file.bytes, limit: limit)
    #expect(capture.failure == nil)
    #expect(capture.frames.map(\.bytes) == (0..<1000).map { frame($0 * 7 % 1500, seed: $0) })
  }
}
