import Glibc

/// How likely it is that captures miss frames as often as they do by chance. Upper bounds, close where they matter.
enum Chance {
  /// Beyond so many the bounds are not computed: what is several times the usual then is no chance.
  private static var most: UInt64 { 4096 }

  /// That all of `count` frames are missed, each at `rate`.
  static func ofAll(_ count: UInt64, at rate: Double) -> Double {
    var chance = 1.0
    for _ in 0..<count { chance *= rate }
    return chance
  }

  /// That at least `count` events happen where `expected` are.
  static func ofAtLeast(_ count: UInt64, expected: Double) -> Double {
    guard Double(count) > expected else { return 1 }
    guard count <= most else { return 0 }
    var chance = exp(-expected)
    for number in 0..<count { chance *= expected / Double(number + 1) }
    return min(1, chance / (1 - expected / Double(count + 1)))
  }

  /// That of `missed + reference.missed` misses at least `missed` are among `total` frames, if these are missed as often
  /// as those of the reference.
  static func ofAtLeast(_ missed: UInt64, of total: Double, reference: (missed: UInt64, total: Double)) -> Double {
    guard total > 0, reference.total > 0 else { return 1 }
    guard missed <= most, reference.missed <= most else { return 0 }
    let share = total / (total + reference.total)
    let next = Double(reference.missed) / Double(missed + 1) * share / (1 - share)
    guard next < 1 else { return 1 }
    var chance = 1.0
    var (hits, others) = (UInt64(0), UInt64(0))
    // In turn, so that neither very large nor very small numbers come up on the way.
    while hits < missed || others < reference.missed {
      if hits < missed, chance >= 1 || others == reference.missed {
        chance *= share
        hits += 1
      } else {
        others += 1
        chance *= Double(missed + others) / Double(others) * (1 - share)
      }
    }
    return min(1, chance / (1 - next))
  }

  /// That of `passed + missed` frames in a row just the last `missed` are missed, or just the first, if that many are by
  /// chance.
  static func ofOneEnd(_ missed: UInt64, of passed: UInt64) -> Double {
    var chance = 2.0
    for number in 1...max(1, min(missed, passed, most)) {
      chance *= Double(number) / Double(max(missed, passed) + number)
    }
    return min(1, chance)
  }
}
