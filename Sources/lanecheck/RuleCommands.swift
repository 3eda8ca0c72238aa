import ArgumentParser
import Foundation
import Reporting
import Verification

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Explain a rule: what it means, how it happens, how to confirm and mend it.",
    discussion: """
      EXAMPLES
        lanecheck explain wrong-vni
        lanecheck rules

      EXIT STATUS
        0  the page was shown
        2  there is no such rule
      """)

  @Argument(
    help: "A rule's name, as in a report.",
    completion: .list(RuleCatalogue.rules.map(\.name)))
  var rule: String

  @Option(help: "When to use colour.")
  var color = ColorChoice.auto

  func run() throws {
    guard let page = RuleCatalogue.rule(named: rule) else {
      var message = "there is no rule '\(terminalText(rule))'"
      let near = RuleCatalogue.suggestions(for: rule).map(\.name)
      message += near.isEmpty ? "; 'lanecheck rules' lists all" : "; did you mean \(near.joined(separator: " or "))?"
      complain(message)
      throw ExitStatus.failure
    }
    let terminal = Terminal(color)
    let text = renderText(
      page, color: terminal.color, width: terminal.width == 0 ? 80 : min(terminal.width, 100), unicode: terminal.unicode
    )
    try emit(text, to: nil)
  }
}

struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "List all rules.",
    discussion: """
      EXAMPLES
        lanecheck rules
        lanecheck rules --format json
        lanecheck rules --pages Documentation/Rules

      EXIT STATUS
        0  the list was shown
        2  the pages could not be written
      """)

  @Option(help: "What to print.")
  var format = OutputFormat.text

  @Option(
    help: ArgumentHelp("Write every rule's page, and a list of them, as Markdown into a directory.", valueName: "dir"),
    completion: .directory)
  var pages: String?

  @Option(help: "When to use colour.")
  var color = ColorChoice.auto

  func run() throws {
    if let pages {
      try FileManager.default.createDirectory(atPath: pages, withIntermediateDirectories: true)
      for page in rulePages(RuleCatalogue.rules) { try emit(page.text, to: "\(pages)/\(page.name)") }
      return
    }
    let terminal = Terminal(color)
    let text =
      switch format {
      case .json: renderJSON(rules: RuleCatalogue.rules)
      case .text:
        renderText(
          rules: RuleCatalogue.rules, color: terminal.color, width: terminal.width, unicode: terminal.unicode)
      }
    try emit(text, to: nil)
  }
}
