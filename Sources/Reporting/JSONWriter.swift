/// Writes JSON (RFC 8259) in the order it is told, so that the same value always gives the same bytes.
/// Keys are not checked for being unique.
struct JSONWriter {
  var out: TextBuffer
  /// Line breaks and indentation by two; else everything on one line.
  let pretty: Bool
  private var depth = 0
  private var isFirst = true

  init(pretty: Bool, into out: TextBuffer = TextBuffer()) {
    self.pretty = pretty
    self.out = out
  }

  /// Empties the output and keeps its storage.
  mutating func reset() {
    out.removeAll()
    depth = 0
    isFirst = true
  }

  mutating func object(_ members: (inout JSONWriter) -> Void) {
    open(UInt8(ascii: "{"))
    members(&self)
    close(UInt8(ascii: "}"))
  }

  mutating func array<Element>(
    _ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void
  ) {
    open(UInt8(ascii: "["))
    for element in elements {
      separate()
      write(&self, element)
    }
    close(UInt8(ascii: "]"))
  }

  /// Begins a member whose name comes from input; its value must follow.
  mutating func key(escaping name: String) {
    separate()
    string(name)
    out.append(pretty ? ": " : ":")
  }

  /// Begins a member; its value must follow. The name must need no escapes.
  mutating func key(_ name: String) {
    separate()
    out.append(byte: UInt8(ascii: "\""))
    out.append(name)
    out.append(pretty ? "\": " : "\":")
  }

  mutating func object(_ name: String, _ members: (inout JSONWriter) -> Void) {
    key(name)
    object(members)
  }

  mutating func array<Element>(
    _ name: String, _ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void
  ) {
    key(name)
    array(elements, write)
  }

  mutating func member(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  mutating func member(_ name: String, _ value: (some BinaryInteger)?) {
    key(name)
    if let value { out.append(decimal: value) } else { null() }
  }

  mutating func member(_ name: String, _ value: Bool) {
    key(name)
    out.append(value ? "true" : "false")
  }

  mutating func member(_ name: String, _ values: [String]) {
    array(name, values) { $0.string($1) }
  }

  mutating func member(_ name: String, time nanoseconds: Int64?) {
    key(name)
    guard let nanoseconds else { return null() }
    out.append(byte: UInt8(ascii: "\""))
    out.append(iso8601: nanoseconds)
    out.append(byte: UInt8(ascii: "\""))
  }

  mutating func number(_ value: some BinaryInteger) {
    out.append(decimal: value)
  }

  mutating func null() {
    out.append("null")
  }

  /// A string. Besides what JSON asks for, characters that terminals act upon are escaped, so that
  /// printed JSON is as harmless as the text report.
  mutating func string(_ text: String) {
    out.append(byte: UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out.append("\\\"")
      case "\\": out.append("\\\\")
      case "\n": out.append("\\n")
      case "\r": out.append("\\r")
      case "\t": out.append("\\t")
      default:
        if isTerminalHazard(scalar) {
          for unit in String(Character(scalar)).utf16 {
            out.append("\\u")
            out.appendHexDigits(UInt64(unit), digits: 4)
          }
        } else if scalar.isASCII {
          out.append(byte: UInt8(truncatingIfNeeded: scalar.value))
        } else {
          out.append(String(Character(scalar)))
        }
      }
    }
    out.append(byte: UInt8(ascii: "\""))
  }

  private mutating func open(_ bracket: UInt8) {
    out.append(byte: bracket)
    depth += 1
    isFirst = true
  }

  private mutating func close(_ bracket: UInt8) {
    depth -= 1
    if pretty, !isFirst { newline() }
    out.append(byte: bracket)
    isFirst = false
  }

  private mutating func separate() {
    if !isFirst { out.append(byte: UInt8(ascii: ",")) }
    isFirst = false
    if pretty { newline() }
  }

  private mutating func newline() {
    out.appendNewline()
    for _ in 0..<depth { out.append("  ") }
  }
}
