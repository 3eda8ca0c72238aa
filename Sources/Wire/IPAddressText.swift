extension IPAddress: LosslessStringConvertible {
  /// Dotted decimal for IPv4, RFC 5952 for IPv6 (mapped IPv4 addresses as `::ffff:192.0.2.1`),
  /// `none` for no address.
  public var description: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// IPv4 in dotted decimal (four numbers, no leading zeros), or IPv6 as in RFC 4291, 2.2, of
  /// either case. No prefix length, port, brackets or zone. Nil for anything else.
  public init?(_ text: some StringProtocol) {
    guard let parsed = IPAddress.parse(Array(text.utf8).span) else { return nil }
    self = parsed
  }

  /// Appends the description as ASCII.
  public func append(to text: inout [UInt8]) {
    switch family {
    case .none: text.append(contentsOf: "none".utf8)
    case .v4: IPAddress.appendIPv4(UInt32(truncatingIfNeeded: low), to: &text)
    case .v6: appendIPv6(to: &text)
    }
  }

  private static func appendIPv4(_ value: UInt32, to text: inout [UInt8]) {
    for shift in stride(from: 24, through: 0, by: -8) {
      if shift != 24 { text.append(UInt8(ascii: ".")) }
      appendDecimal(UInt8(truncatingIfNeeded: value >> UInt32(shift)), to: &text)
    }
  }

  /// One of the eight 16-bit groups, from the left.
  private func group(_ index: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64((3 - index & 3) * 16))
  }

  private func appendIPv6(to text: inout [UInt8]) {
    if high == 0 && low >> 32 == 0xffff {
      text.append(contentsOf: "::ffff:".utf8)
      IPAddress.appendIPv4(UInt32(truncatingIfNeeded: low), to: &text)
      return
    }
    let zeros = longestZeroRun()
    var index = 0
    while index < 8 {
      if index == zeros.lowerBound && !zeros.isEmpty {
        text.append(UInt8(ascii: ":"))
        text.append(UInt8(ascii: ":"))
        index = zeros.upperBound
        continue
      }
      if index != 0 && index != zeros.upperBound { text.append(UInt8(ascii: ":")) }
      let value = group(index)
      var shift = 12
      while shift > 0 && value >> UInt16(shift) == 0 { shift -= 4 }
      while shift >= 0 {
        text.append(hexadecimalDigit(UInt8(truncatingIfNeeded: value >> UInt16(shift)) & 0x0f))
        shift -= 4
      }
      index += 1
    }
  }

  /// The first longest run of two or more zero groups (RFC 5952, 4.2); empty at 0 where there is none.
  private func longestZeroRun() -> Range<Int> {
    var longest = 0..<0
    var start = 0
    for index in 0..<8 {
      if group(index) != 0 {
        start = index + 1
      } else if index + 1 - start > longest.count && index + 1 - start >= 2 {
        longest = start..<(index + 1)
      }
    }
    return longest
  }

  private static func parse(_ text: Span<UInt8>) -> IPAddress? {
    for index in text.indices where text[index] == UInt8(ascii: ":") { return parseIPv6(text) }
    return parseIPv4(text, from: 0).map(IPAddress.init(v4:))
  }

  /// Four decimal octets from `start` to the end.
  private static func parseIPv4(_ text: Span<UInt8>, from start: Int) -> UInt32? {
    var value: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    for index in start..<text.count {
      let byte = text[index]
      if byte == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        value = value << 8 | octet
        (octet, digits, dots) = (0, 0, dots + 1)
      } else {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits == 0 || octet != 0 else { return nil }
        octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
        digits += 1
        guard octet <= 255 else { return nil }
      }
    }
    guard digits > 0, dots == 3 else { return nil }
    return value << 8 | octet
  }

  private static func parseIPv6(_ text: Span<UInt8>) -> IPAddress? {
    // The groups read so far, as a 128-bit number; and how many of them stood before "::".
    var groups = Groups()
    var beforeGap: Int?
    var index = 0
    if text.count >= 2 && text[0] == UInt8(ascii: ":") {
      guard text[1] == UInt8(ascii: ":") else { return nil }
      beforeGap = 0
      index = 2
    }
    while index < text.count {
      let start = index
      var value: UInt16 = 0
      while index < text.count, let digit = hexadecimalValue(text[index]) {
        guard index - start < 4 else { return nil }
        value = value << 4 | UInt16(digit)
        index += 1
      }
      if index < text.count && text[index] == UInt8(ascii: ".") {
        guard groups.count <= 6, let v4 = parseIPv4(text, from: start) else { return nil }
        groups.append(UInt16(truncatingIfNeeded: v4 >> 16))
        groups.append(UInt16(truncatingIfNeeded: v4))
        index = text.count
        break
      }
      guard index > start, groups.count < 8 else { return nil }
      groups.append(value)
      if index == text.count { break }
      guard text[index] == UInt8(ascii: ":") else { return nil }
      index += 1
      // A single colon cannot end an address.
      guard index < text.count else { return nil }
      if text[index] == UInt8(ascii: ":") {
        guard beforeGap == nil else { return nil }
        beforeGap = groups.count
        index += 1
      }
    }
    return groups.address(gapAfter: beforeGap)
  }

  private struct Groups {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var count = 0

    mutating func append(_ group: UInt16) {
      high = high << 16 | low >> 48
      low = low << 16 | UInt64(group)
      count += 1
    }

    /// The address, where "::" stands for the missing groups after the first `gapAfter`.
    func address(gapAfter: Int?) -> IPAddress? {
      guard let before = gapAfter else { return count == 8 ? IPAddress(v6High: high, low: low) : nil }
      // "::" stands for at least one group.
      guard count < 8 else { return nil }
      var result = Groups()
      for index in 0..<before { result.append(group(index)) }
      for _ in count..<8 { result.append(0) }
      for index in before..<count { result.append(group(index)) }
      return IPAddress(v6High: result.high, low: result.low)
    }

    private func group(_ index: Int) -> UInt16 {
      let fromEnd = count - 1 - index
      return UInt16(truncatingIfNeeded: (fromEnd < 4 ? low : high) >> UInt64((fromEnd & 3) * 16))
    }
  }
}
