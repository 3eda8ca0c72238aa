import CaptureFiles
import Clocks
import Deployment
import Observations
import Testing

@testable import Jobs

@Suite("Where captures show that a clock was set back") struct ClockFoldsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// By capture of the host: true times at which frames were stamped, in the order in which they were written, in
    /// milliseconds.
    var captures: [[Int64]]
    /// What the host's clock was set by, in milliseconds, at true times.
    var settings: [(at: Int64, by: Int64)] = []
    /// The captures are of several interfaces each.
    var isOfSeveral = false
    /// By capture: how often its time falls.
    var falls: [UInt8]

    func shown(_ time: Int64) -> Int64 { settings.reduce(time) { time >= $1.at ? $0 + $1.by : $0 } }
  }

  static func every(_ pace: Int, from: Int, to: Int) -> [Int64] { stride(from: from, to: to, by: pace).map { Int64($0) } }

  /// Each frame of those written among the others when others that are so much later were.
  static func late(_ late: [Int64], by delay: Int64, among others: [Int64]) -> [Int64] {
    let all = others.map { (written: $0, time: $0) } + late.map { (written: $0 + delay, time: $0) }
    return all.sorted { ($0.written, $0.time) < ($1.written, $1.time) }.map(\.time)
  }

  static let cases: [Case] = [
    Case(testDescription: "never set", captures: [every(10, from: 0, to: 4000), every(70, from: 5, to: 4000)], falls: [0, 0]),
    Case(
      testDescription: "set forward", captures: [every(10, from: 0, to: 4000)], settings: [(at: 2000, by: 700)], falls: [0]),
    Case(
      testDescription: "set back once", captures: [every(10, from: 0, to: 4000), every(70, from: 5, to: 4000)],
      settings: [(at: 2000, by: -700)], falls: [1, 1]),
    Case(
      testDescription: "set back by an hour", captures: [every(10, from: 0, to: 4000)],
      settings: [(at: 2000, by: -3_600_000)], falls: [1]),
    Case(
      testDescription: "set back twice", captures: [every(10, from: 0, to: 6000), every(70, from: 5, to: 6000)],
      settings: [(at: 2000, by: -700), (at: 4000, by: -1500)], falls: [2, 2]),
    Case(
      testDescription: "set back and forward", captures: [every(10, from: 0, to: 6000)],
      settings: [(at: 2000, by: -700), (at: 4000, by: 900)], falls: [1]),
    Case(
      testDescription: "frames written a little late", captures: [late(every(50, from: 3, to: 4000), by: 40, among: every(10, from: 0, to: 4000))],
      falls: [0]),
    Case(
      testDescription: "set back, with frames written a little late",
      captures: [late(every(50, from: 3, to: 1900) + every(50, from: 2003, to: 4000), by: 40, among: every(10, from: 0, to: 4000))],
      settings: [(at: 2000, by: -700)], falls: [1]),
    Case(
      testDescription: "a block of frames written late", captures: [late(every(5, from: 2001, to: 2200), by: 300, among: every(50, from: 0, to: 6000))],
      falls: [0]),
    Case(
      testDescription: "several interfaces, each written in blocks",
      captures: [late(every(90, from: 3, to: 4000), by: 350, among: every(10, from: 0, to: 4000))], isOfSeveral: true, falls: [0]),
    Case(
      testDescription: "several interfaces, set back", captures: [every(10, from: 0, to: 4000)],
      settings: [(at: 2000, by: -700)], isOfSeveral: true, falls: [1]),
    Case(
      testDescription: "one capture ended before", captures: [every(10, from: 0, to: 4000), every(10, from: 5, to: 1800)],
      settings: [(at: 2000, by: -700)], falls: [1, 0]),
    Case(
      testDescription: "one capture began after", captures: [every(10, from: 0, to: 4000), every(10, from: 2205, to: 4000)],
      settings: [(at: 2000, by: -700)], falls: [1, 0]),
    Case(
      testDescription: "one capture shows the second of two only",
      captures: [every(10, from: 0, to: 6000), every(10, from: 2905, to: 6000)],
      settings: [(at: 2000, by: -700), (at: 4000, by: -1500)], falls: [2, 1]),
  ]

  @Test(arguments: cases) func timesLieInTheOrderInWhichTheyHappened(_ clock: Case) throws {
    var survey = SurveyResult()
    survey.deployment.hosts = [Host(name: "a")]
    for index in clock.captures.indices {
      survey.deployment.captures.append(CaptureSource(path: "\(index)", name: "\(index)", host: 0, interface: nil))
      for number in 0...(clock.isOfSeveral ? 1 : 0) {
        var point = CapturePoint(host: 0, interface: "eth\(index)-\(number)", kind: .tunnel, port: nil)
        point.captures = [index]
        survey.plan.points.append(point)
      }
    }
    var folds = ClockFolds(survey)
    var seen: [(capture: Int, time: Int64, fold: UInt8)] = []
    for (index, times) in clock.captures.enumerated() {
      var batch = FrameBatch()
      for time in times {
        batch.frames.append(
          FrameRecord(
            number: UInt64(batch.frames.count + 1), time: clock.shown(time) * 1_000_000, start: 0, capturedLength: 0, wireLength: 0,
            interface: 0, direction: .unknown))
      }
      for (time, fold) in zip(times, folds.read(batch, of: index)) { seen.append((index, time, fold)) }
    }
    #expect(clock.captures.indices.map { folds.count(of: $0) } == clock.falls)
    folds.settle(leading: Array(survey.plan.points.indices))

    let turns = clock.settings.filter { $0.by < 0 }
    #expect(folds.cuts.map(\.count) == [turns.count])
    func number(_ time: Int64) -> Int { turns.count { time >= $0.at } }
    for frame in seen {
      let unfolded = folds.unfolded(clock.shown(frame.time) * 1_000_000, capture: frame.capture, fold: Int(frame.fold))
      // Each turn lies between the frames before and those after, and moves all that came after alike.
      for (turn, cut) in folds.cuts[0].enumerated() {
        #expect(turn < number(frame.time) ? unfolded >= cut.upperBound : unfolded <= cut.lowerBound)
      }
      let moved = clock.settings.filter { $0.by > 0 && frame.time >= $0.at }.reduce(0) { $0 + $1.by }
      let gap = unfolded - (frame.time + moved) * 1_000_000
      // What passed unseen around the setting is all that can be lost.
      #expect(abs(gap) <= Int64(turns.count) * 70_000_000)
    }
  }

  @Test func aClockOfUnfoldedTimesShowsWhatTheHostShowed() throws {
    var survey = SurveyResult()
    survey.deployment.hosts = [Host(name: "a")]
    survey.deployment.captures = [CaptureSource(path: "0", name: "0", host: 0, interface: nil)]
    var point = CapturePoint(host: 0, interface: "eth0", kind: .tunnel, port: nil)
    point.captures = [0]
    survey.plan.points = [point]
    var folds = ClockFolds(survey)
    var batch = FrameBatch()
    for time in Array(0..<200) + Array(120..<320) {
      batch.frames.append(
        FrameRecord(
          number: UInt64(batch.frames.count + 1), time: Int64(time) * 10_000_000, start: 0, capturedLength: 0, wireLength: 0, interface: 0,
          direction: .unknown))
    }
    _ = folds.read(batch, of: 0)
    folds.settle(leading: [0])
    let cut = try #require(folds.cuts[0].first)
    var clock = HostClock(host: 0, reference: 1)
    clock.bounds = [0, 0]
    clock.rateBounds = [0, 0]
    clock.correction = ClockCorrection([
      ClockPiece(origin: 0, offset: 5, rate: 0, first: 0, last: cut.lowerBound),
      ClockPiece(origin: cut.upperBound, offset: 5, rate: 0, first: cut.upperBound, last: cut.upperBound + 1_000_000_000),
    ])
    folds.fold(&clock)
    #expect(!clock.isVague)
    #expect(clock.correction.ends == [1_990_000_000])
    #expect(clock.correction.pieces.map(\.last) == [1_990_000_000, 2_200_000_000])
    #expect(clock.correction.pieces.map(\.first) == [0, 1_200_000_000])
    #expect(clock.steps.map(\.size) == [-790_000_001])
  }
}
