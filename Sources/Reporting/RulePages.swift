import Verification

/// The pages of all rules in Markdown, one file each, and `README.md` that lists them.
public func rulePages(_ rules: [Rule]) -> [(name: String, text: String)] {
  [("README.md", contents(rules))] + rules.map { ("\($0.name).md", page($0)) }
}

private func contents(_ rules: [Rule]) -> String {
  var text = "# Rules\n\nWritten by `lanecheck rules --pages Documentation/Rules`; `lanecheck explain RULE` shows the same.\n"
  for family in Rule.Family.allCases {
    let members = rules.filter { $0.family == family }
    guard !members.isEmpty else { continue }
    text += "\n## \(family.rawValue)\n\n| rule | severity | | needs |\n|---|---|---|---|\n"
    for rule in members {
      text += "| [\(rule.name)](\(rule.name).md) | \(rule.severity.rawValue) | \(rule.summary) | \(rule.needs) |\n"
    }
  }
  return text
}

private func page(_ rule: Rule) -> String {
  var text = "# \(rule.name)\n\n\(rule.severity.rawValue), family \(rule.family.rawValue), since \(rule.since)\n\n\(rule.summary)\n"
  for section in rule.sections {
    text += "\n## \(section.title)\n\n"
    var isVerbatim = false
    for block in PageBlock.blocks(of: section.text) {
      if case .verbatim = block {
        if !isVerbatim { text += "```\n" }
        isVerbatim = true
      } else if isVerbatim {
        text += "```\n"
        isVerbatim = false
      }
      switch block {
      case .empty: text += "\n"
      case .verbatim(let line): text += line.dropFirst(4) + "\n"
      case .paragraph(let line): text += escaped(line) + "\n"
      case .item(let line): text += "- " + escaped(line) + "\n"
      }
    }
    if isVerbatim { text += "```\n" }
  }
  return text
}

/// What Markdown would take as markup.
private func escaped(_ text: String) -> String {
  text.replacing("<", with: "&lt;").replacing("_", with: "\\_")
}
