/// The value of an ASCII hexadecimal digit of either case; nil for other characters.
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// One hexadecimal digit, in lower case, for a value below 16.
func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ (value &- 10)
}

/// An octet as two hexadecimal digits.
func appendHexadecimal(_ value: UInt8, to text: inout [UInt8]) {
  text.append(hexadecimalDigit(value >> 4))
  text.append(hexadecimalDigit(value & 0x0f))
}

/// An octet in decimal, without leading zeros.
func appendDecimal(_ value: UInt8, to text: inout [UInt8]) {
  if value >= 100 { text.append(UInt8(ascii: "0") + value / 100) }
  if value >= 10 { text.append(UInt8(ascii: "0") + value / 10 % 10) }
  text.append(UInt8(ascii: "0") + value % 10)
}
