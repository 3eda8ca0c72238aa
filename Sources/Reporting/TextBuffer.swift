/// Text under construction, as UTF-8 bytes. Numbers and addresses are written digit by digit, without
/// an intermediate string, so that a line per frame costs little.
public struct TextBuffer: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init(capacity: Int = 0) {
    bytes.reserveCapacity(capacity)
  }

  public var count: Int { bytes.count }

  /// The text so far.
  public var string: String { String(decoding: bytes, as: UTF8.self) }

  /// Empties the buffer and keeps its storage.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func append(_ text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  mutating func append(byte: UInt8) {
    bytes.append(byte)
  }

  mutating func appendNewline() {
    bytes.append(0x0a)
  }

  mutating func append(decimal value: some BinaryInteger) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    appendDigits(UInt64(clamping: value.magnitude))
  }

  /// Decimal, filled on the left to `width`.
  mutating func append(decimal value: UInt64, width: Int, fill: UInt8) {
    var digits = 1
    var rest = value / 10
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    var missing = width - digits
    while missing > 0 {
      bytes.append(fill)
      missing -= 1
    }
    appendDigits(value)
  }

  /// Hexadecimal with `0x`, at least `digits` digits.
  mutating func append(hex value: UInt64, digits: Int = 1) {
    bytes.append(UInt8(ascii: "0"))
    bytes.append(UInt8(ascii: "x"))
    appendHexDigits(value, digits: digits)
  }

  mutating func appendHexDigits(_ value: UInt64, digits: Int) {
    var count = max(1, digits)
    while count < 16, value >> (UInt64(count) * 4) != 0 { count += 1 }
    while count > 0 {
      count -= 1
      bytes.append(hexDigit(UInt8(truncatingIfNeeded: value >> (UInt64(count) * 4)) & 0xf))
    }
  }

  private mutating func appendDigits(_ value: UInt64) {
    if value < 10 {
      bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
      return
    }
    let start = bytes.count
    var rest = value
    while rest > 0 {
      bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    }
    var low = start
    var high = bytes.count - 1
    while low < high {
      bytes.swapAt(low, high)
      low += 1
      high -= 1
    }
  }

  private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ (value &- 10)
  }
}
