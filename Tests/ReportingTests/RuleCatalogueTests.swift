import Foundation
import Reporting
import Testing
import Verification

@Suite struct RuleCatalogueTests {
  @Test("Names are unique, permanent in form, and grouped by family")
  func names() {
    let names = RuleCatalogue.rules.map(\.name)
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(name.allSatisfy { $0.isASCII && ($0.isLowercase || $0 == "-") } && !name.hasPrefix("-"), "\(name)")
    }
    for family in Rule.Family.allCases { #expect(RuleCatalogue.rules.contains { $0.family == family }) }
  }

  @Test(
    "Every page is complete, fits its width, and needs no terminal tricks", arguments: RuleCatalogue.rules.map(\.name))
  func pages(name: String) throws {
    let rule = try #require(RuleCatalogue.rule(named: name))
    let page = rule.documentation
    for text in [rule.summary, rule.needs, page.meaning, page.origins, page.confirmation, page.remedy, page.exceptions]
    {
      #expect(text.count > 10)
      #expect(!text.contains("\u{1b}"))
    }
    #expect(!rule.summary.contains("\n") && rule.summary.hasSuffix("."))
    let text = renderText(rule, color: false, width: 80, unicode: false)
    #expect(text.hasPrefix(rule.name))
    #expect(text.unicodeScalars.allSatisfy { $0.isASCII })
    for line in text.split(separator: "\n") where !line.hasPrefix("      ") && line.contains(" ") {
      #expect(line.count <= 80, "\(line)")
    }
  }

  @Test(
    "A slip of the pen finds the rule that was meant",
    arguments: [
      ("wrong-vnii", "wrong-vni"), ("wrnog-vni", "wrong-vni"), ("WRONG_VNI", "wrong-vni"),
      ("frame-lots", "frame-lost"), ("reflection", "tunnel-reflection"), ("unkown-vtep", "unknown-vtep"),
    ])
  func suggestions(slip: String, meant: String) {
    #expect(RuleCatalogue.suggestions(for: slip).first?.name == meant)
  }

  @Test(
    "What is like no rule gets no suggestion", arguments: ["", "x", "kubernetes", String(repeating: "a", count: 5000)])
  func noSuggestions(name: String) {
    #expect(RuleCatalogue.suggestions(for: name).isEmpty)
  }

  @Test("The list for scripts has every rule")
  func list() throws {
    let json = try JSONSerialization.jsonObject(with: Data(renderJSON(rules: RuleCatalogue.rules).utf8))
    let rules = try #require((json as? [String: Any])?["rules"] as? [[String: Any]])
    #expect(rules.compactMap { $0["name"] as? String } == RuleCatalogue.rules.map(\.name))
  }
}

@Suite("Rule pages") struct RulePagesTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Documentation/Rules")

  @Test func pagesInTheRepositoryAreThoseOfTheCatalogue() throws {
    let pages = rulePages(RuleCatalogue.rules)
    let written = try FileManager.default.contentsOfDirectory(atPath: Self.directory.path)
    #expect(Set(written) == Set(pages.map(\.name)))
    for page in pages {
      let text = try String(contentsOf: Self.directory.appending(path: page.name), encoding: .utf8)
      #expect(text == page.text, "\(page.name): write anew with lanecheck rules --pages Documentation/Rules")
    }
  }
}
