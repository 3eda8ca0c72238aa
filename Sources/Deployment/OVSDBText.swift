/// Tables that `ovs-vsctl list TABLE`, `ovsdb-client -f list dump` (a record is a paragraph of `column : value`) and
/// `--format=csv` print, as values in OVSDB's JSON notation (RFC 7047, 5.1).
enum OVSDBText {
  struct Table {
    /// `Bridge` of a heading `Bridge table`, where there is one.
    var caption: String?
    var columns: [String]
    var rows: [[JSONValue]]
    /// Records that do not fit, and lines that are none.
    var unreadable: [UnreadableText] = []
  }

  /// Whether text looks like records, judged by its first lines.
  static func isList(_ lines: [Substring]) -> Bool {
    let fields = lines.compactMap(field)
    return fields.count >= 2 && fields.contains { $0.name == "_uuid" || $0.name == "name" }
  }

  static func isCSV(_ first: Substring) -> Bool {
    first.hasPrefix("_uuid,") || first.hasPrefix("\"_uuid\",") || first.contains(",external_ids,")
  }

  // MARK: Lists

  /// Tables in the order of the text. Without headings, records with the same columns are of one table.
  static func readList(_ text: String) -> [Table] {
    var tables: [Table] = []
    var record: [(name: String, value: Substring, line: Int)] = []
    var caption: String?
    func finish() {
      defer { record = [] }
      guard !record.isEmpty else { return }
      let columns = record.map(\.name)
      let same = tables.lastIndex { $0.caption == caption && $0.columns == columns }
      if same == nil { tables.append(Table(caption: caption, columns: columns, rows: [])) }
      let index = same ?? tables.count - 1
      var cells: [JSONValue] = []
      for field in record {
        guard let value = value(field.value) else {
          tables[index].unreadable.append(
            UnreadableText(line: field.line, reason: "no value of OVSDB: \(field.value.prefix(80))"))
          cells.append(.null)
          continue
        }
        cells.append(value)
      }
      tables[index].rows.append(cells)
    }
    var number = 0
    var stray: [UnreadableText] = []
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      if line.allSatisfy(\.isWhitespace) {
        finish()
      } else if let field = field(line) {
        record.append((field.name, field.value, number))
      } else if let name = heading(line) {
        finish()
        caption = name
      } else {
        stray.append(UnreadableText(line: number, reason: "not a line of an OVSDB list: \(line.prefix(80))"))
      }
    }
    finish()
    if !stray.isEmpty {
      if tables.isEmpty { tables.append(Table(columns: [], rows: [])) }
      tables[tables.count - 1].unreadable += stray
    }
    return tables
  }

  /// `Bridge table`
  private static func heading(_ line: Substring) -> String? {
    let words = line.split(whereSeparator: \.isWhitespace)
    return words.count == 2 && words[1] == "table" ? String(words[0]) : nil
  }

  /// `tag                 : 3`
  private static func field(_ line: Substring) -> (name: String, value: Substring)? {
    guard let colon = line.firstIndex(of: ":") else { return nil }
    let name = line[..<colon].trimmed
    guard let first = name.first, first == "_" || first.isLetter,
      name.utf8.allSatisfy({ $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) })
    else { return nil }
    return (String(name), line[line.index(after: colon)...].trimmed)
  }

  // MARK: Values

  /// `[]`, `[a, b]`, `{k=v, k="v w"}`, a UUID, a number, a word, or a quoted string; nil where it is none.
  static func value(_ text: Substring) -> JSONValue? {
    var rest = text
    guard let value = element(&rest), rest.allSatisfy(\.isWhitespace) else { return nil }
    return value
  }

  private static func element(_ rest: inout Substring) -> JSONValue? {
    rest = rest.drop(while: \.isWhitespace)
    switch rest.first {
    case "[": return collection(&rest, end: "]").map { .array([.string("set"), .array($0)]) }
    case "{": return collection(&rest, end: "}").map { .array([.string("map"), .array($0)]) }
    case "\"": return quoted(&rest).map { .string($0) }
    default: return atom(word(&rest))
    }
  }

  private static func collection(_ rest: inout Substring, end: Character) -> [JSONValue]? {
    rest = rest.dropFirst()
    var items: [JSONValue] = []
    while true {
      rest = rest.drop { $0.isWhitespace || $0 == "," }
      guard let first = rest.first else { return nil }
      if first == end {
        rest = rest.dropFirst()
        return items
      }
      guard end == "}" else {
        guard let item = first == "\"" ? quoted(&rest).map({ .string($0) }) : atom(word(&rest)) else { return nil }
        items.append(item)
        continue
      }
      // Keys and values of the maps that are read are strings, whatever they look like.
      guard let key = text(&rest), rest.first == "=" else { return nil }
      rest = rest.dropFirst()
      guard let value = text(&rest) else { return nil }
      items.append(.array([.string(key), .string(value)]))
    }
  }

  private static func text(_ rest: inout Substring) -> String? {
    rest.first == "\"" ? quoted(&rest) : String(word(&rest))
  }

  private static func word(_ rest: inout Substring) -> Substring {
    let word = rest.prefix { !$0.isWhitespace && !",=]}".contains($0) }
    rest = rest[word.endIndex...]
    return word
  }

  private static func atom(_ word: Substring) -> JSONValue? {
    if word.isEmpty { return nil }
    if isUUID(word) { return .array([.string("uuid"), .string(String(word))]) }
    if word == "true" { return .number(1) }
    if word == "false" { return .number(0) }
    if let number = Double(word), number.isFinite, word.utf8.allSatisfy({ (0x2b...0x39).contains($0) }) {
      return .number(number)
    }
    return .string(String(word))
  }

  private static func isUUID(_ word: Substring) -> Bool {
    let parts = word.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
    return parts == [8, 4, 4, 4, 12] && word.utf8.allSatisfy {
      $0 == 0x2d || (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20)
    }
  }

  private static func quoted(_ rest: inout Substring) -> String? {
    var index = rest.index(after: rest.startIndex)
    var isEscaped = false
    while index < rest.endIndex {
      let character = rest[index]
      if !isEscaped, character == "\"" {
        defer { rest = rest[rest.index(after: index)...] }
        return VsctlShow.unquoted(rest[...index])
      }
      isEscaped = !isEscaped && character == "\\"
      index = rest.index(after: index)
    }
    return nil
  }

  // MARK: CSV

  /// One table with its columns in the first line; cells are quoted as RFC 4180 says.
  static func readCSV(_ text: String) -> Table {
    var lines = cells(text)[...]
    var table = Table(columns: lines.popFirst()?.cells ?? [], rows: [])
    for (number, line) in lines where line != [""] {
      guard line.count == table.columns.count else {
        table.unreadable.append(UnreadableText(line: number, reason: "\(line.count) cells in place of \(table.columns.count)"))
        continue
      }
      // A string that is empty, or holds what quotes would keep apart, comes without its quotes.
      table.rows.append(line.map { value(Substring($0)) ?? .string($0) })
    }
    return table
  }

  private static func cells(_ text: String) -> [(line: Int, cells: [String])] {
    var result: [(line: Int, cells: [String])] = []
    var row: [String] = []
    var cell = ""
    var isQuoted = false
    var number = 1
    var start = 1
    var characters = Array(text)[...]
    while let character = characters.popFirst() {
      if character.isNewline { number += 1 }
      if isQuoted {
        if character != "\"" {
          cell.append(character)
        } else if characters.first == "\"" {
          cell.append("\"")
          characters = characters.dropFirst()
        } else {
          isQuoted = false
        }
      } else if character == "\"", cell.isEmpty {
        isQuoted = true
      } else if character == "," {
        row.append(cell)
        cell = ""
      } else if character.isNewline {
        result.append((start, row + [cell]))
        (row, cell, start) = ([], "", number)
      } else {
        cell.append(character)
      }
    }
    if !row.isEmpty || !cell.isEmpty { result.append((start, row + [cell])) }
    return result
  }
}

extension Substring {
  /// Without white space at both ends.
  var trimmed: Substring {
    let start = drop(while: \.isWhitespace)
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return start[start.startIndex..<start.startIndex] }
    return start[...last]
  }
}
