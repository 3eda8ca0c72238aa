import Testing
import Verification

@Suite("What clocks truly showed") struct ClockTruthTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What the host's clock is set by after 50 s, when the statement is made in its own time, and what it says, in
    /// seconds.
    var step: Int64
    var at: Int64
    var offset: Int64
    var isTrue: Bool
  }

  static let cases: [Case] = [
    Case(testDescription: "before a step forward", step: 10, at: 20, offset: 0, isTrue: true),
    Case(testDescription: "not yet set", step: 10, at: 20, offset: 10, isTrue: false),
    Case(testDescription: "after a step forward", step: 10, at: 70, offset: 10, isTrue: true),
    Case(testDescription: "no longer as before", step: 10, at: 70, offset: 0, isTrue: false),
    Case(testDescription: "a time that was skipped, as before", step: 10, at: 54, offset: 0, isTrue: true),
    Case(testDescription: "a time that was skipped, as after", step: 10, at: 54, offset: 10, isTrue: true),
    Case(testDescription: "a time that was skipped, as never", step: 10, at: 54, offset: 4, isTrue: false),
    Case(testDescription: "far ahead, as before", step: 3600, at: 1800, offset: 0, isTrue: true),
    Case(testDescription: "far ahead, as never", step: 3600, at: 1800, offset: 1750, isTrue: false),
    Case(testDescription: "a time that was shown twice, first", step: -10, at: 45, offset: 0, isTrue: true),
    Case(testDescription: "a time that was shown twice, then", step: -10, at: 45, offset: -10, isTrue: true),
    Case(testDescription: "a time that was shown twice, never so", step: -10, at: 45, offset: -5, isTrue: false),
    Case(testDescription: "before it was set back", step: -10, at: 30, offset: -10, isTrue: false),
    Case(testDescription: "a time that is long past", step: 10, at: -40, offset: 10, isTrue: false),
  ]

  @Test(arguments: cases, [0, 1_000_000] as [Int64]) func statementsAreHeldAgainstThem(_ stated: Case, bound: Int64) {
    let second: Int64 = 1_000_000_000
    let truth = ClockTruth(
      span: 0...(100 * second), clocks: ["b": { $0 >= 50 * second ? $0 + stated.step * second : $0 }])
    var clock = ClockSummary(host: "b", reference: "a", offset: stated.offset * second + bound, uncertainty: bound, grade: "accurate")
    clock.at = stated.at * second
    #expect(truth.wrong(clock).isEmpty == stated.isTrue)
    // The other way round, the other is as far behind.
    clock.host = "a"
    clock.reference = "b"
    clock.at = 20 * second
    clock.offset = 3 * second
    #expect(!truth.wrong(clock).isEmpty)
  }
}
