import Testing
import Wire

@testable import Correlation
@testable import Observations

/// Superframes and segments of one stream, joined by where their data lies.
@Suite("Joining superframes and segments") struct SegmentJoinerTests {
  static let gap: Int64 = 1000

  /// A frame with payload `range` of the stream, seen at a point.
  struct Seen {
    var point: UInt16
    var range: Range<Int64>
    var time: Int64
    var flow: UInt64 = 1
    var header: UInt8 = 32
    /// The stream's octets, where the capture has them.
    var data: [UInt8]?
  }

  /// What comes out: the points of each piece, in the order of judging.
  struct Piece: Equatable {
    var points: [UInt16]
    var length: UInt32
    init(_ points: [UInt16], _ length: UInt32) {
      self.points = points
      self.length = length
    }
  }

  static func pieces(_ seen: [Seen], origin: UInt32 = 1_000_000, watermarks: [Int64] = [], longest: UInt32 = 100_000) -> [Piece] {
    var joiner = SegmentJoiner(gap: gap, longestFrame: longest)
    joiner.activate()
    var groups: [(Int64, Range<Int64>, UInt64, [Observation])] = []
    var numbers: [UInt16: UInt32] = [:]
    for frame in seen {
      let number = (numbers[frame.point] ?? 0) + 1
      numbers[frame.point] = number
      let sequence = UInt32(truncatingIfNeeded: Int64(origin) + frame.range.lowerBound)
      let length = UInt32(frame.range.count)
      var digest = UInt64(frame.range.lowerBound) &* 0x9e37_79b9
      digest ^= UInt64(length)
      digest |= frame.flow << 56
      joiner.add([
        SegmentRecord(
          flow: frame.flow, time: frame.time,
          content: frame.data.map {
            SegmentRecord.sum($0.span.extracting(Int(frame.range.lowerBound)..<Int(frame.range.upperBound)), at: sequence, seed: 7)
          } ?? 0, frame: number, capture: frame.point, isDatagram: false, hasContent: frame.data != nil, sequence: sequence, length: frame.header == 0 ? length + 32 : length, header: frame.header)
      ])
      let observation = Observation(
        digest: digest, time: frame.time, source: .zero, destination: .zero, outer: 0, frame: number,
        capture: frame.point, point: frame.point, vni: 0, outerFrom: 0, outerTo: 0, tunnelPort: 0, bits: 0, target: 0,
        length: length + 66, tagCount: 0, direction: .unknown, basis: .none, frameClass: .tcp)
      let known = groups.firstIndex { group in
        guard group.1 == frame.range, group.2 == frame.flow else { return false }
        return abs(group.0 - frame.time) <= gap
      }
      if let at = known {
        groups[at].3.append(observation)
      } else {
        groups.append((frame.time, frame.range, frame.flow, [observation]))
      }
    }
    for group in groups { joiner.add(group.3.sorted { $0.time < $1.time }, isPiece: false) }
    var pieces: [Piece] = []
    for watermark in watermarks + [.max] {
      joiner.settle(before: watermark) { group, _ in
        pieces.append(Piece(group.map(\.point), (group.first?.length ?? 66) - 66))
      }
    }
    return pieces
  }

  @Test func aSuperframeIsItsSegments() {
    let seen = [
      Seen(point: 0, range: 0..<250, time: 10), Seen(point: 1, range: 0..<100, time: 20),
      Seen(point: 1, range: 100..<200, time: 21), Seen(point: 1, range: 200..<250, time: 22),
      Seen(point: 2, range: 0..<200, time: 30), Seen(point: 2, range: 200..<250, time: 31),
    ]
    #expect(Self.pieces(seen) == [Piece([0, 1, 2], 100), Piece([0, 1, 2], 100), Piece([0, 1, 2], 50)])
  }

  /// Where all was captured, what is joined must be the same data.
  @Test(arguments: [nil, 5, 120, 299] as [Int?]) func dataIsCompared(_ changed: Int?) {
    var sent: [UInt8] = []
    for number in 0..<300 { sent.append(UInt8(truncatingIfNeeded: (number * 31) ^ (number >> 3))) }
    var received = sent
    if let changed { received[changed] ^= 0x10 }
    let seen = [
      Seen(point: 0, range: 0..<300, time: 10, data: sent), Seen(point: 1, range: 0..<101, time: 20, data: received),
      Seen(point: 1, range: 101..<203, time: 21, data: received), Seen(point: 1, range: 203..<300, time: 22, data: received),
    ]
    let joined = [Piece([0, 1], 101), Piece([0, 1], 102), Piece([0, 1], 97)]
    let apart = [Piece([0], 300), Piece([1], 101), Piece([1], 102), Piece([1], 97)]
    #expect(Self.pieces(seen) == (changed == nil ? joined : apart))
  }

  @Test func whereNothingWasJoinedNothingChanges() {
    var seen: [Seen] = []
    for number in 0..<6 {
      let start = Int64(number / 2 * 100)
      seen.append(Seen(point: UInt16(number % 2), range: start..<(start + 100), time: Int64(number)))
    }
    #expect(Self.pieces(seen) == [Piece([0, 1], 100), Piece([0, 1], 100), Piece([0, 1], 100)])
  }

  @Test func aSegmentThatIsMissingMissesInItsPieceOnly() {
    let seen = [
      Seen(point: 0, range: 0..<300, time: 10), Seen(point: 1, range: 0..<100, time: 20),
      Seen(point: 1, range: 200..<300, time: 22),
    ]
    #expect(Self.pieces(seen) == [Piece([0, 1], 100), Piece([0], 100), Piece([0, 1], 100)])
  }

  @Test func whatIsSentAgainMuchLaterIsAnotherFrame() {
    let seen = [
      Seen(point: 0, range: 0..<200, time: 0), Seen(point: 1, range: 0..<200, time: 5),
      Seen(point: 0, range: 0..<100, time: 5000), Seen(point: 1, range: 0..<100, time: 5005),
    ]
    #expect(
      Self.pieces(seen) == [Piece([0, 1], 100), Piece([0, 1], 100), Piece([0, 1], 100)])
  }

  @Test func sequenceNumbersWrap() {
    let seen = [
      Seen(point: 0, range: 0..<300, time: 10), Seen(point: 1, range: 0..<150, time: 20),
      Seen(point: 1, range: 150..<300, time: 21),
    ]
    #expect(Self.pieces(seen, origin: .max - 120) == [Piece([0, 1], 150), Piece([0, 1], 150)])
  }

  @Test func headersThatWereCutAreTakenForThoseOfTheFlow() {
    let seen = [
      Seen(point: 0, range: 0..<200, time: 10), Seen(point: 1, range: 0..<100, time: 20, header: 0),
      Seen(point: 1, range: 100..<200, time: 21, header: 0),
    ]
    #expect(Self.pieces(seen) == [Piece([0, 1], 100), Piece([0, 1], 100)])
  }

  /// A stream that never pauses: what is young is kept, and cut where what was handed on ends.
  @Test func aSteadyStreamIsHandedOnPieceByPiece() {
    var seen: [Seen] = []
    for number in 0..<200 {
      let at = Int64(number)
      seen.append(Seen(point: 1, range: at * 100..<(at * 100 + 100), time: at * 100 + 7))
      if number % 7 == 0 { seen.append(Seen(point: 0, range: at * 100..<(at * 100 + 700), time: at * 100)) }
      if number % 3 == 0 { seen.append(Seen(point: 2, range: at * 100..<(at * 100 + 300), time: at * 100 + 15)) }
    }
    let watermarks = (0..<90).map { Int64($0) * 250 }
    let pieces = Self.pieces(seen, watermarks: watermarks).sorted { $0.length > $1.length }
    let whole = pieces.filter { $0.length == 100 && $0.points.sorted() == [0, 1, 2] }
    #expect(whole.count == 200)
    #expect(pieces.allSatisfy { $0.points.count == Set($0.points).count })
  }

  /// UDP: identifications count datagrams; a superframe covers as many as have its octets together.
  @Test(arguments: [true, false]) func aSuperframeOfDatagramsIsItsDatagrams(_ counts: Bool) {
    var joiner = SegmentJoiner(gap: Self.gap, longestFrame: 1500)
    joiner.activate()
    func see(_ point: UInt16, _ frame: UInt32, id: UInt32, length: UInt32, time: Int64, with other: UInt16? = nil) {
      var group: [Observation] = []
      for at in [point] + (other.map { [$0] } ?? []) {
        joiner.add([
          SegmentRecord(
            flow: 1, time: time, content: 0, frame: frame, capture: at, isDatagram: true, hasContent: false,
            sequence: counts ? id & 0xffff : 0, length: length, header: 8)
        ])
        group.append(
          Observation(
            digest: UInt64(id) << 8 | UInt64(length) << 32, time: time, source: .zero, destination: .zero, outer: 0,
            frame: frame, capture: at, point: at, vni: 0, outerFrom: 0, outerTo: 0, tunnelPort: 0, bits: 0, target: 0,
            length: length + 42, tagCount: 0, direction: .unknown, basis: .none, frameClass: .udp))
      }
      joiner.add(group, isPiece: false)
    }
    see(0, 1, id: 65_534, length: 3000, time: 10)
    for number in 0..<3 {
      see(1, UInt32(number) + 1, id: 65_534 + UInt32(number), length: number < 2 ? 1200 : 600, time: 20 + Int64(number), with: 2)
    }
    var groups: [[UInt16]] = []
    var isPiece = false
    joiner.settle(before: .max) {
      groups.append($0.map(\.point))
      if $1 { isPiece = true }
    }
    #expect(groups == (counts ? [[0, 1, 2], [0, 1, 2], [0, 1, 2]] : [[0], [1, 2], [1, 2], [1, 2]]))
    // Where they do not count, what is missing proves nothing.
    #expect(isPiece == !counts)
  }

  @Test func otherFlowsStayApart() {
    let seen = [
      Seen(point: 0, range: 0..<200, time: 10), Seen(point: 1, range: 0..<100, time: 20, flow: 2),
    ]
    #expect(Self.pieces(seen) == [Piece([0], 200), Piece([1], 100)])
  }

  @Test func aSuperframeOfWhichNothingElseIsSeenCountsAsOneFrame() {
    #expect(Self.pieces([Seen(point: 0, range: 0..<20_000, time: 10)], longest: 1472) == [Piece([0], 1472 - 66)])
  }

  /// Each frame overlaps all others, with boundaries of its own: quadratic, were it cut.
  @Test func hostileStreamsAreNotCut() {
    var seen: [Seen] = []
    for number in 0..<3000 {
      let start = Int64(number)
      seen.append(Seen(point: 0, range: start..<(start + 60_000), time: start / 10))
    }
    #expect(Self.pieces(seen).count == 3000)
  }
}
