/// A circumstance in which a rule is not raised though its pattern shows; the rule's page tells of it.
public enum RuleException: String, Sendable, CaseIterable {
  // Translation
  case guestsOwnTag = "vlan-not-stripped/guests-own-tag"
  case trunkPorts = "unexpected-vlan-tag/trunk-ports"
  case noPortToDeliverTo = "unmapped-vni/no-port"
  // Isolation
  case otherOverlays = "unknown-vtep/other-overlays"
  case stoppedInTime = "spoofed-source-mac/stopped-in-time"
  // Learning
  case learnedTimeout = "flooded-after-learned/expired"
  case noPortsThere = "incomplete-flood/no-ports-there"
  // Encapsulation
  case reservedBits = "malformed-encapsulation/reserved-bits"
}

extension Rule {
  /// Those of its exceptions that a run can do without.
  public var exceptions: [RuleException] {
    RuleException.allCases.filter { $0.rawValue.hasPrefix(name + "/") }
  }
}
