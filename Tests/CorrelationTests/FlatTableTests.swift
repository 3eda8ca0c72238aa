import Correlation
import Testing
import Wire

@Suite("Flat tables") struct FlatTableTests {
  private struct Pair: FlatKey {
    var a: UInt64
    var b: UInt64
    var words: (UInt64, UInt64) { (a, b) }
  }

  /// Against Dictionary, with keys that come again, and both words small, large and alike.
  @Test func holdsWhatADictionaryHolds() throws {
    var table = FlatTable<Pair, Int>()
    var dictionary: [[UInt64]: Int] = [:]
    var state: UInt64 = 7
    for step in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let key = Pair(a: (state >> 33) % 97 &* (step % 2 == 0 ? 1 : 0x1_0000_0001), b: (state >> 50) % 53)
      let place = table.place(of: key, whereNew: 0)
      table.values[try #require(place)] += step
      dictionary[[key.a, key.b], default: 0] += step
    }
    #expect(table.count == dictionary.count)
    for (key, value) in zip(table.keys, table.values) { #expect(dictionary[[key.a, key.b]] == value) }
    #expect(table[Pair(a: 1 << 60, b: 1)] == nil)
  }

  @Test func keepsTheOrderInWhichEntriesCame() {
    var table = FlatTable<Pair, Int>()
    for number in [5, 3, 9, 3, 1] { _ = table.place(of: Pair(a: UInt64(number), b: 0), whereNew: number) }
    #expect(table.values == [5, 3, 9, 1])
    #expect(table.keys.map(\.a) == [5, 3, 9, 1])
  }

  @Test func takesNoMoreThanItMay() {
    var table = FlatTable<Pair, Int>()
    for number in 0..<10 { _ = table.place(of: Pair(a: UInt64(number), b: 0), whereNew: number, most: 4) }
    #expect(table.values == [0, 1, 2, 3])
    #expect(table.place(of: Pair(a: 2, b: 0), whereNew: 9, most: 4) == 2)
    #expect(table.place(of: Pair(a: 7, b: 0), whereNew: 9, most: 4) == nil)
  }

  @Test func isMadeOfMACs() {
    let macs = (0..<100).map { MACAddress(rawValue: 0xfa16_3e00_0000 + UInt64($0)) }
    let table = FlatTable(Dictionary(uniqueKeysWithValues: macs.enumerated().map { ($1, $0) }))
    for (index, mac) in macs.enumerated() { #expect(table[mac] == index) }
    #expect(table[.zero] == nil)
  }
}
