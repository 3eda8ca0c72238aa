/// A circumstance in which a rule is not raised though its pattern shows; the rule's page tells of it.
public enum RuleException: String, Sendable, CaseIterable {
  // Translation
  case guestsOwnTag = "vlan-not-stripped/guests-own-tag"
  case trunkPorts = "unexpected-vlan-tag/trunk-ports"
  case noPortToDeliverTo = "unmapped-vni/no-port"
  // Isolation
  case enteredThereToo = "cross-network-delivery/entered-there-too"
  case otherOverlays = "unknown-vtep/other-overlays"
  case senderNotCaptured = "forged-tunnel-frame/sender-not-captured"
  case allowedPairs = "spoofed-source-mac/allowed-pairs"
  case stoppedInTime = "spoofed-source-mac/stopped-in-time"
  case routersMACs = "spoofed-source-mac/routers"
  case sharedByDesign = "duplicate-address/shared-by-design"
  // Learning
  case learningGrace = "flooded-after-learned/grace"
  case flowsPutInAnew = "flooded-after-learned/flows-put-in-anew"
  case learnedTimeout = "flooded-after-learned/expired"
  case noPortsThere = "incomplete-flood/no-ports-there"
  case forwardingGuest = "tunnel-reflection/forwarding-guest"
  // Delivery
  case securityGroups = "frame-lost/security-groups"
  case reservedMulticast = "frame-lost/reserved-multicast"
  case sentAgain = "frame-duplicated/sent-again"
  // Encapsulation
  case portAgreedUpon = "nonstandard-tunnel-port/agreed-upon"
  case reservedBits = "malformed-encapsulation/reserved-bits"
}

extension Rule {
  /// Those of its exceptions that a run can do without.
  public var exceptions: [RuleException] {
    RuleException.allCases.filter { $0.rawValue.hasPrefix(name + "/") }
  }
}
