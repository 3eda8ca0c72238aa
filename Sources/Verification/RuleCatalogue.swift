/// A rule: a property that must hold, with its permanent name and its documentation.
public struct Rule: Sendable {
  public enum Family: String, Sendable, CaseIterable {
    case translation, isolation, learning, delivery, encapsulation, installed, capture
  }

  /// Lower-case words joined by hyphens; released names never change.
  public let name: String
  public let family: Family
  /// Unless circumstances named in the documentation change it.
  public let severity: Severity
  /// One line.
  public let summary: String
  /// The version that has it first.
  public let since: String
  /// The evidence that it rests on.
  public let needs: String
  public let documentation: Documentation

  /// Paragraphs are separated by empty lines, whose line breaks mean nothing. Lines that begin with four blanks are
  /// commands or dumps, shown as they are; lines that begin with `- ` are items, which the next lines may continue.
  public struct Documentation: Sendable {
    /// What was seen, and why it matters.
    public let meaning: String
    /// How it happens in real deployments.
    public let origins: String
    /// How to confirm it on the host.
    public let confirmation: String
    public let remedy: String
    /// When the rule is not raised, or is raised at another severity.
    public let exceptions: String
  }

  init(
    _ name: String, _ family: Family, _ severity: Severity, since: String = "0.1.0", _ summary: String, needs: String,
    meaning: String, origins: String, confirmation: String, remedy: String, exceptions: String
  ) {
    self.name = name
    self.family = family
    self.severity = severity
    self.summary = summary
    self.since = since
    self.needs = needs
    documentation = Documentation(
      meaning: meaning, origins: origins, confirmation: confirmation, remedy: remedy, exceptions: exceptions)
  }
}

/// All rules, by family and then in the order of their pages.
public enum RuleCatalogue {
  public static let rules: [Rule] =
    translationRules + isolationRules + learningRules + deliveryRules + encapsulationRules + installedRules
    + captureRules

  public static func rule(named name: String) -> Rule? {
    rules.first { $0.name == name }
  }

  /// The rules whose names are nearest to a name that is none, best first; empty where none is near.
  public static func suggestions(for name: String) -> [Rule] {
    let wanted = Array(name.lowercased().utf8.prefix(64)).map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
    guard !wanted.isEmpty else { return [] }
    var near: [(distance: Int, index: Int)] = []
    for (index, rule) in rules.enumerated() {
      let candidate = Array(rule.name.utf8)
      var distance = editDistance(wanted, candidate)
      // A part of a name, such as `vni`, is as good as a small slip.
      if wanted.count >= 3, rule.name.utf8.count > wanted.count, contains(candidate, wanted) {
        distance = min(distance, 2)
      }
      if distance <= max(2, candidate.count / 3) { near.append((distance, index)) }
    }
    return near.sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }.prefix(3).map { rules[$0.index] }
  }

  private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
    guard part.count <= text.count else { return false }
    return (0...(text.count - part.count)).contains { Array(text[$0..<$0 + part.count]) == part }
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one name into the other.
  private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in a.indices {
      var current = [i + 1]
      for j in b.indices {
        var best = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforePrevious[j - 1] + 1) }
        current.append(best)
      }
      beforePrevious = previous
      previous = current
    }
    return previous.last ?? 0
  }
}
