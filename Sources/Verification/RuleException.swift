/// A circumstance in which a rule is not raised though its pattern shows; the rule's page tells of it.
public enum RuleException: String, Sendable, CaseIterable {
  case allowedPairs = "spoofed-source-mac/allowed-pairs"
}
