import Testing
import Wire

@testable import Observations

/// Fragments that no honest sender makes.
@Suite("Hostile fragments") struct FragmentTableTests {
  /// A fragment of a UDP packet, with any number of VLAN tags.
  static func fragment(_ range: Range<Int>, isLast: Bool, tags: Int = 0, id: UInt8 = 1) -> [UInt8] {
    var bytes: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
    for _ in 0..<tags { bytes += [0x81, 0, 0, 5] }
    bytes += [8, 0]
    let length = 20 + range.count
    let field = range.lowerBound / 8 | (isLast ? 0 : 0x2000)
    bytes += [0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), 0, id, UInt8(field >> 8), UInt8(field & 0xff), 64, 17, 0, 0]
    bytes += [192, 0, 2, 1, 192, 0, 2, 2]
    for place in range { bytes.append(UInt8(truncatingIfNeeded: place)) }
    return bytes
  }

  static func add(_ bytes: [UInt8], at time: Int64, to table: inout FragmentTable) -> FragmentTable.Whole? {
    var frame = DecodedFrame()
    decode(bytes.span, wireLength: bytes.count, linkType: 1, tunnels: .common, into: &frame)
    return table.add(bytes.span, frame.outer, point: 0, frame: 1, time: time)
  }

  @Test func piecesInAnyOrderMakeAWhole() throws {
    var table = FragmentTable()
    #expect(Self.add(Self.fragment(1600..<1700, isLast: true), at: 0, to: &table) == nil)
    #expect(Self.add(Self.fragment(0..<800, isLast: false), at: 1, to: &table) == nil)
    #expect(Self.add(Self.fragment(0..<800, isLast: false), at: 1, to: &table) == nil)
    let whole = try #require(Self.add(Self.fragment(800..<1600, isLast: false), at: 2, to: &table))
    #expect(whole.wireLength == 34 + 1700)
    #expect(whole.time == 1)
    #expect(Array(whole.bytes[34...]) == (0..<640).map { UInt8(truncatingIfNeeded: $0) })
  }

  @Test func tagsThatDifferDoNotConfuse() {
    var table = FragmentTable()
    #expect(Self.add(Self.fragment(0..<8, isLast: false), at: 0, to: &table) == nil)
    #expect(Self.add(Self.fragment(8..<16, isLast: true, tags: 12), at: 1, to: &table)?.wireLength == 50)
  }

  @Test func overlapsAreRefused() {
    var table = FragmentTable()
    #expect(Self.add(Self.fragment(0..<800, isLast: false), at: 0, to: &table) == nil)
    #expect(Self.add(Self.fragment(400..<1200, isLast: false), at: 1, to: &table) == nil)
    #expect(Self.add(Self.fragment(800..<900, isLast: true), at: 2, to: &table) == nil)
    #expect(table.refused == 2)
  }

  @Test func endsThatContradictAreRefused() {
    var table = FragmentTable()
    #expect(Self.add(Self.fragment(800..<1600, isLast: false), at: 0, to: &table) == nil)
    #expect(Self.add(Self.fragment(80..<100, isLast: true), at: 1, to: &table) == nil)
    #expect(Self.add(Self.fragment(0..<80, isLast: false), at: 2, to: &table) == nil)
    #expect(table.refused == 2)
  }

  @Test func whatComesTooLateIsAnotherPacket() {
    var table = FragmentTable()
    #expect(Self.add(Self.fragment(0..<80, isLast: false), at: 0, to: &table) == nil)
    #expect(Self.add(Self.fragment(80..<100, isLast: true), at: 300_000_000, to: &table) == nil)
  }
}
