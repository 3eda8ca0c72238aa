/// Characters that a terminal acts upon instead of showing: controls (C0, DEL, C1), line and paragraph
/// separators, zero-width and bidirectional formatting. Names in captures and dumps are not to be trusted
/// with them.
func isTerminalHazard(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0...0x1f, 0x7f...0x9f: true
  case 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfff9...0xfffb: true
  case 0xe0000...0xe007f: true
  default: false
  }
}

/// `text` as one harmless line: hazards become visible escapes (`\x1b`, `\u{202e}`), and where only ASCII
/// can be shown, so does everything else.
public func terminalText(_ text: String, unicode: Bool = true) -> String {
  var clean = true
  for scalar in text.unicodeScalars where isTerminalHazard(scalar) || (!unicode && !scalar.isASCII) {
    clean = false
    break
  }
  if clean { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if !isTerminalHazard(scalar), unicode || scalar.isASCII {
      result.unicodeScalars.append(scalar)
    } else if scalar.value < 0x100 {
      result += scalar.value < 0x10 ? "\\x0" : "\\x"
      result += String(scalar.value, radix: 16)
    } else {
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }
  return result
}

/// Columns that `text` takes on a terminal: two for wide East Asian characters and emoji, none for
/// combining marks and colour sequences.
func displayWidth(_ text: String) -> Int {
  var width = 0
  var isInSequence = false
  for scalar in text.unicodeScalars {
    if isInSequence {
      isInSequence = scalar != "m"
      continue
    }
    switch scalar.value {
    case 0x1b: isInSequence = true
    case 0..<0x300: width += 1
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
      0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
      width += 2
    default:
      switch scalar.properties.generalCategory {
      case .nonspacingMark, .enclosingMark: break
      default: width += 1
      }
    }
  }
  return width
}

/// `text` with blanks behind it up to `width` columns.
func padded(_ text: String, to width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - displayWidth(text)))
}

/// Breaks `text` at blanks into lines of at most `width` columns, the first of which begins `first` columns
/// in and the others `rest`. Words longer than a line stay whole. A width of 0 means no limit.
func wrapped(_ text: String, width: Int, first: Int, rest: Int) -> [String] {
  guard width > 0, first + displayWidth(text) > width else { return [text] }
  var lines: [String] = []
  var line = ""
  var column = first
  for word in text.split(separator: " ") {
    let length = displayWidth(String(word))
    if !line.isEmpty, column + 1 + length > width {
      lines.append(line)
      line = ""
      column = rest
    }
    if !line.isEmpty {
      line += " "
      column += 1
    }
    line += word
    column += length
  }
  lines.append(line)
  return lines
}

/// `12,345`
func grouped(_ value: UInt64) -> String {
  let digits = String(value)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { result += "," }
    result.append(digit)
  }
  return result
}

/// `1 host`, `2 hosts`.
func counted(_ value: UInt64, _ noun: String, _ plural: String? = nil) -> String {
  "\(grouped(value)) \(value == 1 ? noun : plural ?? noun + "s")"
}

/// A span of time as people say it: `340 ms`, `18.3 s`, `2 min 5 s`, `3 h 4 min`.
func spokenDuration(nanoseconds: Int64) -> String {
  let value = UInt64(max(0, nanoseconds))
  let tenths = (value + 50_000_000) / 100_000_000
  if value < 1_000_000 { return "\(value / 1000) µs" }
  if value < 950_000_000 { return "\(value / 1_000_000) ms" }
  if tenths < 1200 { return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s" }
  let seconds = tenths / 10
  if seconds < 7200 { return "\(seconds / 60) min \(seconds % 60) s" }
  return "\(grouped(seconds / 3600)) h \(seconds / 60 % 60) min"
}
