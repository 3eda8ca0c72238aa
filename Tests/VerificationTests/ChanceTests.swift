import Testing

@testable import Verification

@Suite struct ChanceTests {
  /// Against the exact tails, which the bounds may exceed by little.
  @Test(arguments: [
    (UInt64(1), 0.1, 0.0952), (3, 0.1, 1.55e-4), (6, 1.0, 5.94e-4), (20, 5.0, 3.45e-7),
  ])
  func rareEventsAreAsRareAsPoissonSays(count: UInt64, expected: Double, exact: Double) {
    let chance = Chance.ofAtLeast(count, expected: expected)
    #expect(chance >= exact * 0.99 && chance < exact * 1.5)
  }

  @Test(arguments: [
    // Half and half: tails of coins.
    (UInt64(11), 950.0, UInt64(2), 950.0, 0.0112), (10, 100, 0, 100, 9.77e-4), (30, 1000, 10, 1000, 1.11e-3),
    // A third of all frames.
    (6, 100, 0, 200, 1.37e-3),
  ])
  func missesAreHeldAgainstThoseOfOtherFrames(missed: UInt64, total: Double, others: UInt64, of: Double, exact: Double) {
    let chance = Chance.ofAtLeast(missed, of: total, reference: (others, of))
    #expect(chance >= exact * 0.99 && chance < exact * 2)
  }

  @Test func whatIsNotRareIsNoMoreThanCertain() {
    #expect(Chance.ofAtLeast(2, expected: 5) == 1)
    #expect(Chance.ofAtLeast(3, of: 100, reference: (9, 100)) == 1)
    #expect(Chance.ofAtLeast(3, of: 0, reference: (0, 0)) == 1)
    #expect(Chance.ofAtLeast(1 << 40, of: 1e15, reference: (3, 1e6)) == 0)
    #expect(Chance.ofAtLeast(4000, of: 4000, reference: (100, 4000)) < 1e-300)
  }
}
