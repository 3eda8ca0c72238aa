/// How text reports look where they are shown.
public struct TextStyle: Sendable {
  /// SGR colour sequences.
  public var color: Bool
  /// Columns; 0 for no limit.
  public var width: Int
  /// Marks beyond ASCII.
  public var unicode: Bool

  public init(color: Bool, width: Int, unicode: Bool = true) {
    self.color = color
    self.width = width
    self.unicode = unicode
  }

  enum Color: String {
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
    case dim = "2"
    case bold = "1"
    case boldRed = "1;31"
    case boldGreen = "1;32"
    case boldYellow = "1;33"
  }

  func paint(_ text: String, _ color: Color) -> String {
    self.color && !text.isEmpty ? "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m" : text
  }

  var passed: String { unicode ? "✓" : "ok" }
  var wrong: String { unicode ? "✗" : "X" }
  var out: String { unicode ? "→" : "->" }
  var into: String { unicode ? "←" : "<-" }
  var none: String { unicode ? "–" : "-" }
  var dot: String { unicode ? " · " : "; " }
  var line: String { unicode ? " ─ " : " - " }
  var more: String { unicode ? "…" : "..." }

  /// Text from outside, made harmless.
  func plain(_ text: String) -> String { terminalText(text, unicode: unicode) }

  /// `µs` and the like in our own words.
  func own(_ text: String) -> String { unicode ? text : text.replacing("µs", with: "us") }
}
