import Wire

/// What a `FlatTable` finds a value by: equal where both words are.
public protocol FlatKey: Equatable, Sendable, BitwiseCopyable {
  var words: (UInt64, UInt64) { get }
}

/// A dictionary for what is asked of every frame: open addressing over two words, entries side by side in the order
/// in which they came, none ever removed. Its order depends on what is put in only, so that it may reach a report.
@frozen
public struct FlatTable<Key: FlatKey, Value: Sendable>: Sendable {
  public private(set) var keys: [Key] = []
  public var values: [Value] = []
  /// Number of an entry plus one, by hash; 0 where free. Twice as many as entries at least.
  @usableFromInline var slots: [UInt32] = Array(repeating: 0, count: 16)
  /// Input must not be able to choose keys that meet.
  @usableFromInline let seed = UInt64.random(in: .min ... .max)

  public init() {}

  public var count: Int { keys.count }
  public var isEmpty: Bool { keys.isEmpty }

  /// nil where there is none.
  @inlinable
  public subscript(key: Key) -> Value? {
    index(of: key).map { values[$0] }
  }

  /// The place of an entry, which is put in where there is none yet; nil where there are as many as there may be.
  @inlinable
  public mutating func place(of key: Key, whereNew value: @autoclosure () -> Value, most: Int = Int(Int32.max)) -> Int? {
    if let place = index(of: key) { return place }
    return keys.count < most ? insert(key, value()) : nil
  }

  /// The place of an entry among `keys` and `values`; it never changes.
  @inlinable
  public func index(of key: Key) -> Int? {
    let mask = slots.count &- 1
    let words = key.words
    var at = Int(truncatingIfNeeded: hash(words)) & mask
    while slots[at] != 0 {
      let place = Int(slots[at]) &- 1
      if keys[place].words == words { return place }
      at = (at &+ 1) & mask
    }
    return nil
  }

  @inlinable @inline(__always)
  func hash(_ words: (UInt64, UInt64)) -> UInt64 {
    let product = (words.0 ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15 ^ words.1)
    let folded = (product.high ^ product.low ^ words.1).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return folded.high ^ folded.low
  }

  /// Puts in an entry that is not there yet; returns its place.
  public mutating func insert(_ key: Key, _ value: Value) -> Int {
    if (keys.count + 1) * 2 > slots.count { grow() }
    keys.append(key)
    values.append(value)
    put(keys.count)
    return keys.count - 1
  }

  private mutating func put(_ number: Int) {
    let mask = slots.count - 1
    var at = Int(truncatingIfNeeded: hash(keys[number - 1].words)) & mask
    while slots[at] != 0 { at = (at + 1) & mask }
    slots[at] = UInt32(truncatingIfNeeded: number)
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: slots.count * 2)
    for number in keys.indices { put(number + 1) }
  }
}

extension FlatTable where Key == MACAddress {
  public init(_ values: [MACAddress: Value]) {
    self.init()
    for key in values.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
      if let value = values[key] { _ = insert(key, value) }
    }
  }
}

extension MACAddress: FlatKey {
  public var words: (UInt64, UInt64) { (rawValue, 0) }
}
