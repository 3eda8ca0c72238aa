import Wire

/// An address that may have a prefix length or zone behind it, as `ip` and Neutron write them.
func ipAddress(_ text: some StringProtocol) -> IPAddress? {
  IPAddress(text.prefix { $0 != "/" && $0 != "%" })
}

/// Reads a decimal or `0x` hexadecimal number without sign.
func unsignedNumber(_ text: some StringProtocol) -> UInt64? {
  let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
  let digits = isHexadecimal ? text.dropFirst(2) : text.dropFirst(0)
  guard let first = digits.utf8.first, first != UInt8(ascii: "+") else { return nil }
  return UInt64(digits, radix: isHexadecimal ? 16 : 10)
}

/// Whether `a` comes before `b` when runs of digits compare as numbers (`eth2` before `eth10`).
func naturallyPrecedes(_ a: String, _ b: String) -> Bool {
  let isDigit: (UInt8) -> Bool = { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  var x = a.utf8[...]
  var y = b.utf8[...]
  while let p = x.first, let q = y.first {
    if isDigit(p), isDigit(q) {
      let m = x.prefix(while: isDigit).drop { $0 == UInt8(ascii: "0") }
      let n = y.prefix(while: isDigit).drop { $0 == UInt8(ascii: "0") }
      if m.count != n.count { return m.count < n.count }
      if !m.elementsEqual(n) { return m.lexicographicallyPrecedes(n) }
      x = x.drop(while: isDigit)
      y = y.drop(while: isDigit)
    } else {
      if p != q { return p < q }
      x = x.dropFirst()
      y = y.dropFirst()
    }
  }
  if x.isEmpty != y.isEmpty { return x.isEmpty }
  return a < b
}

/// The known word that a misspelt one most likely means: at most two letters added, dropped,
/// changed or swapped.
func likelyMeant(_ word: String, among known: [String]) -> String? {
  let budget = word.count <= 3 ? 1 : 2
  guard word.count <= 40 else { return nil }
  let ranked = known.map { (editDistance(Array(word.lowercased()), Array($0.lowercased())), $0) }
  guard let best = ranked.min(by: { $0 < $1 }), best.0 <= budget else { return nil }
  return best.1
}

/// Damerau–Levenshtein distance (adjacent swaps count as one).
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var before: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
      row.append(cost)
    }
    before = last
    last = row
  }
  return last[b.count]
}
