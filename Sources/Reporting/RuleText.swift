import Verification

/// The page of one rule, for people.
public func renderText(_ rule: Rule, color: Bool, width: Int, unicode: Bool = true) -> String {
  let style = TextStyle(color: color, width: width, unicode: unicode)
  var output = style.paint(rule.name, .bold) + "  \(rule.severity.rawValue), family \(rule.family.rawValue)"
  output += ", since \(rule.since)"
  output += "\n"
  for part in wrapped(rule.summary, width: width, first: 0, rest: 0) { output += part + "\n" }
  for (title, text) in rule.sections {
    output += "\n" + style.paint(title, .bold) + "\n"
    for block in PageBlock.blocks(of: text) {
      switch block {
      case .empty: output += "\n"
      case .verbatim(let line): output += "  " + style.paint(line, .cyan) + "\n"
      case .paragraph(let text):
        for part in wrapped(text, width: width, first: 2, rest: 2) { output += "  " + part + "\n" }
      case .item(let text):
        let parts = wrapped(text, width: width, first: 4, rest: 4)
        for (index, part) in parts.enumerated() { output += (index == 0 ? "  - " : "    ") + part + "\n" }
      }
    }
  }
  return unicode ? output : asciiOnly(output)
}

extension Rule {
  /// The exceptions that a regression run can do without.
  private var named: String {
    let names = exceptions.map(\.rawValue)
    return names.isEmpty ? "" : "\n\nTo see whether bundles notice: test --without " + names.joined(separator: ", or ") + "."
  }

  /// The parts of its page, in order, with their titles.
  var sections: [(title: String, text: String)] {
    [
      ("What it means", documentation.meaning), ("How it happens", documentation.origins),
      ("How to confirm it", documentation.confirmation), ("How to mend it", documentation.remedy),
      ("When it is not raised", documentation.exceptions + named), ("What it needs", needs),
    ]
  }
}

/// The list of all rules, for people.
public func renderText(rules: [Rule], color: Bool, width: Int, unicode: Bool = true) -> String {
  let style = TextStyle(color: color, width: width, unicode: unicode)
  let column = rules.map(\.name.count).max() ?? 0
  var output = ""
  for family in Rule.Family.allCases {
    let members = rules.filter { $0.family == family }
    guard !members.isEmpty else { continue }
    output += (output.isEmpty ? "" : "\n") + style.paint(family.rawValue, .bold) + "\n"
    for rule in members {
      let severity = padded(rule.severity.rawValue, to: 7)
      let color: TextStyle.Color =
        switch rule.severity {
        case .error: .red
        case .warning: .yellow
        case .info: .cyan
        }
      let lead = column + 13
      let parts = wrapped(rule.summary, width: width, first: lead, rest: lead)
      for (index, part) in parts.enumerated() {
        output +=
          index == 0
          ? "  " + padded(rule.name, to: column) + "  " + style.paint(severity, color) + "  " + part + "\n"
          : String(repeating: " ", count: lead) + part + "\n"
      }
    }
  }
  return unicode ? output : asciiOnly(output)
}

/// The catalogue for scripts: `lanecheck-rules/1`.
public func renderJSON(rules: [Rule]) -> String {
  var json = JSONWriter(pretty: true)
  json.object { json in
    json.member("schema", "lanecheck-rules/1")
    json.array("rules", rules) { json, rule in
      json.object { json in
        json.member("name", rule.name)
        json.member("family", rule.family.rawValue)
        json.member("severity", rule.severity.rawValue)
        json.member("status", "implemented")
        json.member("since", rule.since)
        json.member("summary", rule.summary)
        json.member("needs", rule.needs)
        json.object("documentation") { json in
          json.member("meaning", rule.documentation.meaning)
          json.member("origins", rule.documentation.origins)
          json.member("confirmation", rule.documentation.confirmation)
          json.member("remedy", rule.documentation.remedy)
          json.member("exceptions", rule.documentation.exceptions)
        }
      }
    }
  }
  json.out.appendNewline()
  return json.out.string
}

/// What a documentation text is made of; see `Rule.Documentation`.
enum PageBlock {
  case empty
  case verbatim(String)
  case paragraph(String)
  case item(String)

  /// Lines that follow each other belong to one paragraph or item, however the source breaks them.
  static func blocks(of text: String) -> [PageBlock] {
    var blocks: [PageBlock] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      switch blocks.last {
      case _ where line.isEmpty: blocks.append(.empty)
      case _ where line.hasPrefix("    "): blocks.append(.verbatim(line))
      case _ where line.hasPrefix("- "): blocks.append(.item(String(line.dropFirst(2))))
      case .paragraph(let before):
        blocks[blocks.count - 1] = .paragraph(before + " " + line)
      case .item(let before):
        blocks[blocks.count - 1] = .item(before + " " + line.drop { $0 == " " })
      default: blocks.append(.paragraph(line))
      }
    }
    return blocks
  }
}

/// Our own marks in plain ASCII.
private func asciiOnly(_ text: String) -> String {
  var text = text
  for (mark, plain) in [("→", "->"), ("↔", "<->"), ("…", "..."), ("–", "-"), ("µ", "u"), ("×", "x")] {
    text = text.replacing(mark, with: plain)
  }
  return text
}
