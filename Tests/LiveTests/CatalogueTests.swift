import Foundation
import Testing

/// What the recorder says of itself, which needs no root.
@Suite("Recorder's catalogue", .enabled(if: Recorder.canList, "Captures/lab/record cannot be run (Python 3?)"))
struct CatalogueTests {
  static let captures = Recorder.root.appendingPathComponent("Captures")

  /// Bundles that lie in a family's directory, by family and name.
  static var recorded: [String] {
    let paths = FileManager.default.enumerator(atPath: captures.path)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix("/truth.json") }.map { String($0.dropLast("/truth.json".count)) }
      .filter { $0.contains("/") }.sorted()
  }

  @Test func everyBundleOfAFamilyCanBeRecordedAgain() throws {
    var scenarios: Set<String> = []
    var family = ""
    for line in try Recorder.run(["--list"]).output.split(separator: "\n") {
      if line.hasPrefix("  ") {
        scenarios.insert("\(family)/\(line.dropFirst(2).prefix { $0 != " " })")
      } else {
        family = String(line.prefix { $0 != ":" })
      }
    }
    #expect(!Self.recorded.isEmpty)
    #expect(Set(Self.recorded).subtracting(scenarios).isEmpty)
  }

  @Test func thePageListsWhatThereIs() throws {
    let page = try String(contentsOf: Self.captures.appendingPathComponent("README.md"), encoding: .utf8)
    #expect(try Recorder.run(["--catalogue", Self.captures.path]).output == page, "record --catalogue Captures > Captures/README.md")
  }

  @Test func aScenarioThatIsNoneIsNamed() throws {
    let ended = try Recorder.run(["no-such-scenario"])
    #expect(ended.status == 2)
    #expect(ended.output.contains("no-such-scenario") && ended.output.contains("--list"))
  }
}
