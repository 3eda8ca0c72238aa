import Wire

// Addresses as people write them: MACs as colon-separated octets, IPv6 as RFC 5952 says.
extension TextBuffer {
  mutating func append(mac: MACAddress) {
    var shift: UInt64 = 40
    while true {
      appendHexDigits((mac.rawValue >> shift) & 0xff, digits: 2)
      if shift == 0 { return }
      append(byte: UInt8(ascii: ":"))
      shift -= 8
    }
  }

  mutating func append(address: IPAddress) {
    switch address.family {
    case .none: append(byte: UInt8(ascii: "-"))
    case .v4: append(v4: address.low)
    case .v6: append(v6High: address.high, low: address.low)
    }
  }

  private mutating func append(v4 value: UInt64) {
    append(decimal: (value >> 24) & 0xff)
    append(byte: UInt8(ascii: "."))
    append(decimal: (value >> 16) & 0xff)
    append(byte: UInt8(ascii: "."))
    append(decimal: (value >> 8) & 0xff)
    append(byte: UInt8(ascii: "."))
    append(decimal: value & 0xff)
  }

  /// RFC 5952: lower case, no leading zeros, the first longest run of at least two zero groups as `::`,
  /// and IPv4-mapped addresses with their dotted form.
  private mutating func append(v6High high: UInt64, low: UInt64) {
    if high == 0, low >> 32 == 0xffff {
      append("::ffff:")
      append(v4: low & 0xffff_ffff)
      return
    }
    func group(_ index: Int) -> UInt64 {
      let half = index < 4 ? high : low
      return (half >> (UInt64(3 - index % 4) * 16)) & 0xffff
    }
    var bestStart = -1
    var bestLength = 1
    var index = 0
    while index < 8 {
      var length = 0
      while index + length < 8, group(index + length) == 0 { length += 1 }
      if length > bestLength {
        bestStart = index
        bestLength = length
      }
      index += max(1, length)
    }
    index = 0
    while index < 8 {
      if index == bestStart {
        append("::")
        index += bestLength
        continue
      }
      if index > 0, index != bestStart + bestLength || bestStart < 0 { append(byte: UInt8(ascii: ":")) }
      appendHexDigits(group(index), digits: 1)
      index += 1
    }
  }
}
