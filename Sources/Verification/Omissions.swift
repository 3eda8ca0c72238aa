/// Rules that a run does not raise and exceptions that it does not make. A corpus that does not notice proves nothing
/// of them.
public struct Omissions: Sendable {
  public private(set) var rules: Set<String> = []
  public private(set) var exceptions: Set<RuleException> = []

  public init() {}

  /// Leaves out a rule (`wrong-vni`), or one of a rule's exceptions (`unexpected-vlan-tag/trunk-ports`). False where
  /// there is none of that name.
  public mutating func add(_ name: String) -> Bool {
    if let exception = RuleException(rawValue: name) {
      exceptions.insert(exception)
      return true
    }
    guard RuleCatalogue.rule(named: name) != nil else { return false }
    rules.insert(name)
    return true
  }
}

extension FindingBuilder {
  /// Takes out the findings of some rules; what followed from them follows from their own causes then.
  mutating func omit(_ rules: Set<String>) {
    guard !rules.isEmpty else { return }
    var place: [Int?] = []
    var kept = 0
    for draft in drafts {
      let isOmitted = rules.contains(draft.finding.rule)
      place.append(isOmitted ? nil : kept)
      if !isOmitted { kept += 1 }
    }
    func standing(_ parent: Int?) -> Int? {
      var at = parent
      for _ in drafts.indices {
        guard let index = at, place[index] == nil else { break }
        at = drafts[index].parent
      }
      return at.flatMap { place[$0] }
    }
    drafts = drafts.indices.filter { place[$0] != nil }.map { index in
      var draft = drafts[index]
      draft.parent = standing(draft.parent)
      return draft
    }
  }
}
