/// Where in the text, and why, reading stopped.
struct FlowSyntaxError: Error {
  /// From the beginning of the text.
  var offset: Int
  var reason: String
}

/// Lines of a text, without their ends.
struct LineReader {
  private let bytes: [UInt8]
  private var position = 0
  private var number = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // A byte order mark is no part of the first line.
    if bytes.count >= 3, bytes[0] == 0xef, bytes[1] == 0xbb, bytes[2] == 0xbf { position = 3 }
  }

  mutating func next() -> (number: Int, start: Int, end: Int)? {
    guard position < bytes.count else { return nil }
    let start = position
    var end = start
    while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
    position = end + 1
    number += 1
    while end > start, bytes[end - 1] == UInt8(ascii: "\r") || bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
    return (number, start, end)
  }
}

/// A position in a piece of text, with readers for what flow text is made of. Nothing here reads beyond
/// `end`, and no reader goes back, so reading is linear in the length of the text.
struct TextCursor {
  let bytes: [UInt8]
  var position: Int
  let end: Int

  init(bytes: [UInt8], start: Int, end: Int) {
    self.bytes = bytes
    position = start
    self.end = min(end, bytes.count)
  }

  var atEnd: Bool { position >= end }
  var peek: UInt8? { position < end ? bytes[position] : nil }

  func failure(_ reason: String, at offset: Int? = nil) -> FlowSyntaxError {
    FlowSyntaxError(offset: offset ?? position, reason: reason)
  }

  func string(_ start: Int, _ end: Int) -> String { String(decoding: bytes[start..<max(start, end)], as: UTF8.self) }

  /// Skips `text` if it is next.
  mutating func take(_ text: String) -> Bool {
    var index = position
    for byte in text.utf8 {
      guard index < end, bytes[index] == byte else { return false }
      index += 1
    }
    position = index
    return true
  }

  mutating func expect(_ text: String) throws(FlowSyntaxError) {
    if !take(text) { throw failure("expected '\(text)'") }
  }

  mutating func skipBlanks() {
    while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { position += 1 }
  }

  /// A run of letters, digits, `_`, `-` and `.`.
  mutating func word() -> String {
    let start = position
    while let byte = peek, TextCursor.isWord(byte) { position += 1 }
    return string(start, position)
  }

  static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  static func isDigit(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Decimal, or hexadecimal with `0x`.
  mutating func number(upTo limit: UInt128 = .max) throws(FlowSyntaxError) -> UInt128 {
    let start = position
    var value: UInt128 = 0
    var digits = 0
    if take("0x") || take("0X") {
      while let byte = peek, let digit = TextCursor.hexDigit(byte) {
        if value >> 124 != 0 { throw failure("number is too large", at: start) }
        value = value << 4 | UInt128(digit)
        digits += 1
        position += 1
      }
    } else {
      while let byte = peek, TextCursor.isDigit(byte) {
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = shifted.addingReportingOverflow(UInt128(byte - UInt8(ascii: "0")))
        if overflow || carry { throw failure("number is too large", at: start) }
        value = sum
        digits += 1
        position += 1
      }
    }
    if digits == 0 { throw failure("expected a number", at: start) }
    if let next = peek, TextCursor.isWord(next), next != UInt8(ascii: "."), next != UInt8(ascii: "-") {
      throw failure("unexpected character in a number")
    }
    if value > limit { throw failure("number is above \(limit)", at: start) }
    return value
  }

  mutating func uint8() throws(FlowSyntaxError) -> UInt8 { UInt8(truncatingIfNeeded: try number(upTo: 0xff)) }
  mutating func uint16() throws(FlowSyntaxError) -> UInt16 { UInt16(truncatingIfNeeded: try number(upTo: 0xffff)) }
  mutating func uint32() throws(FlowSyntaxError) -> UInt32 {
    UInt32(truncatingIfNeeded: try number(upTo: 0xffff_ffff))
  }
  mutating func uint64() throws(FlowSyntaxError) -> UInt64 {
    UInt64(truncatingIfNeeded: try number(upTo: 0xffff_ffff_ffff_ffff))
  }

  /// `fa:16:3e:00:00:01`.
  mutating func mac() throws(FlowSyntaxError) -> UInt128 {
    let start = position
    var value: UInt128 = 0
    for index in 0..<6 {
      if index > 0, !take(":") { throw failure("expected a MAC address", at: start) }
      var octet: UInt8 = 0
      var digits = 0
      while digits < 2, let byte = peek, let digit = TextCursor.hexDigit(byte) {
        octet = octet << 4 | digit
        digits += 1
        position += 1
      }
      if digits == 0 { throw failure("expected a MAC address", at: start) }
      value = value << 8 | UInt128(octet)
    }
    return value
  }

  /// `192.0.2.1`.
  mutating func ipv4() throws(FlowSyntaxError) -> UInt128 {
    let start = position
    var value: UInt128 = 0
    for index in 0..<4 {
      if index > 0, !take(".") { throw failure("expected an IPv4 address", at: start) }
      var octet = 0
      var digits = 0
      while digits < 3, let byte = peek, TextCursor.isDigit(byte) {
        octet = octet * 10 + Int(byte - UInt8(ascii: "0"))
        digits += 1
        position += 1
      }
      if digits == 0 || octet > 255 { throw failure("expected an IPv4 address", at: start) }
      value = value << 8 | UInt128(octet)
    }
    return value
  }

  /// RFC 4291, section 2.2, all three forms.
  mutating func ipv6() throws(FlowSyntaxError) -> UInt128 {
    let start = position
    var groups: [UInt16] = []
    var gap: Int?
    if take("::") { gap = 0 }
    while groups.count < 8, let byte = peek, TextCursor.hexDigit(byte) != nil {
      let groupStart = position
      var group: UInt16 = 0
      var digits = 0
      while digits < 4, let byte = peek, let digit = TextCursor.hexDigit(byte) {
        group = group << 4 | UInt16(digit)
        digits += 1
        position += 1
      }
      if peek == UInt8(ascii: "."), groups.count <= 6 {
        position = groupStart
        let tail = try ipv4()
        groups.append(UInt16(truncatingIfNeeded: tail >> 16))
        groups.append(UInt16(truncatingIfNeeded: tail))
        break
      }
      groups.append(group)
      if gap == nil, take("::") {
        gap = groups.count
      } else if !take(":") {
        break
      } else if peek.flatMap(TextCursor.hexDigit) == nil {
        throw failure("expected an IPv6 address", at: start)
      }
    }
    guard gap == nil ? groups.count == 8 : groups.count < 8 else {
      throw failure("expected an IPv6 address", at: start)
    }
    var value: UInt128 = 0
    for index in 0..<8 {
      let missing = 8 - groups.count
      let group: UInt16
      if let gap, index >= gap {
        group = index < gap + missing ? 0 : groups[index - missing]
      } else {
        group = groups[index]
      }
      value = value << 16 | UInt128(group)
    }
    return value
  }

  /// A quoted string with the escapes of JSON that Open vSwitch writes (lib/namemap.c).
  mutating func quoted() throws(FlowSyntaxError) -> String {
    let start = position
    try expect("\"")
    var result: [UInt8] = []
    while let byte = peek {
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard let escape = peek else { break }
      position += 1
      switch escape {
      case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
      case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
      case UInt8(ascii: "b"): result.append(8)
      case UInt8(ascii: "f"): result.append(12)
      case UInt8(ascii: "u"):
        var code: UInt32 = 0
        for _ in 0..<4 {
          guard let byte = peek, let digit = TextCursor.hexDigit(byte) else {
            throw failure("expected four hexadecimal digits")
          }
          code = code << 4 | UInt32(digit)
          position += 1
        }
        result.append(contentsOf: Array(String(Unicode.Scalar(code) ?? "\u{fffd}").utf8))
      default: result.append(escape)
      }
    }
    throw failure("a quoted name does not end", at: start)
  }

  /// Skips to the next comma, blank or closing parenthesis that belongs to none of the parentheses,
  /// brackets and quotes that open on the way.
  mutating func skipItem() throws(FlowSyntaxError) {
    let start = position
    var depth = 0
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
        if depth == 0 { return }
        depth -= 1
      case UInt8(ascii: ","), UInt8(ascii: " "):
        if depth == 0 { return }
      case UInt8(ascii: "\""):
        _ = try quoted()
        continue
      default: break
      }
      position += 1
    }
    if depth > 0 { throw failure("a parenthesis is not closed", at: start) }
  }

  /// A port: number, name, quoted name or reserved word.
  mutating func port() throws(FlowSyntaxError) -> PortReference {
    if peek == UInt8(ascii: "\"") { return .name(try quoted()) }
    let start = position
    let text = word()
    if text.isEmpty { throw failure("expected a port") }
    if TextCursor.isDigit(text.utf8.first) {
      var again = TextCursor(bytes: bytes, start: start, end: position)
      if let number = try? again.uint32(), again.atEnd { return PortReference(number: number) }
    }
    return PortReference.reserved[text.lowercased()] ?? .name(text)
  }
}
