/// A circumstance in which a rule is not raised though its pattern shows; the rule's page tells of it.
public enum RuleException: String, Sendable, CaseIterable {
  // Translation
  case knownFromVNIs = "wrong-vni/inferred"
  case providerNetworks = "wrong-vni/provider-networks"
  case incompleteIntent = "unknown-vni/incomplete-intent"
  case guestsOwnTag = "vlan-not-stripped/guests-own-tag"
  case trunkPorts = "unexpected-vlan-tag/trunk-ports"
  case priorityTags = "unexpected-vlan-tag/priority-tags"
  case noPortToDeliverTo = "unmapped-vni/no-port"
  // Isolation
  case clonedTenants = "cross-network-delivery/cloned-tenants"
  case mirrorOutputs = "cross-network-delivery/mirror-outputs"
  case otherOverlays = "unknown-vtep/other-overlays"
  case senderNotCaptured = "forged-tunnel-frame/sender-not-captured"
  case lostBySender = "forged-tunnel-frame/lost-by-capture"
  case stoppedInTime = "spoofed-source-mac/stopped-in-time"
  case allowedPairs = "spoofed-source-mac/allowed-pairs"
  case routersMACs = "spoofed-source-mac/routers-macs"
  case admittedByFlows = "spoofed-source-mac/admitted-by-flows"
  case floodsOfNewcomers = "spoofed-source-mac/newcomers"
  case hostsDevices = "spoofed-source-mac/hosts-devices"
  case sharedAddresses = "duplicate-address/allowed-pairs"
  case routersAddresses = "duplicate-address/routers-macs"
  case handedOver = "duplicate-address/migration"
  // Learning
  case settlingLocation = "stale-location/grace"
  case learningGrace = "flooded-after-learned/grace"
  case learnedTimeout = "flooded-after-learned/expired"
  case forgottenByRestart = "flooded-after-learned/reinstalled"
  case briefFlooding = "flooded-after-learned/few-frames"
  case noPortsThere = "incomplete-flood/no-ports-there"
  case floodsReinstalled = "incomplete-flood/reinstalled"
  case guestsForward = "tunnel-reflection/guests-forward"
  case movesByDesign = "mac-moved/several-locations"
  // Delivery
  case fewMisses = "frame-lost/few-frames"
  case droppedByFlows = "frame-lost/dropped-by-flows"
  case securityGroups = "frame-lost/security-groups"
  case bridgeFirewall = "frame-lost/bridge-firewall"
  case answeredLocally = "frame-lost/answered-locally"
  case prunedMulticast = "frame-lost/pruned-multicast"
  case reservedMulticast = "frame-lost/reserved-multicast"
  case notRecording = "frame-lost/not-recording"
  case repeatedByGuests = "frame-duplicated/repeated-by-guests"
  case writtenTwice = "frame-duplicated/written-twice"
  case fewOvertaken = "frame-reordered/few-frames"
  case startOfFlow = "frame-reordered/start-of-flow"
  case fewWrongChecksums = "bad-checksum-on-wire/few-frames"
  case unfinishedAtSenders = "bad-checksum-on-wire/sending-points"
  // Encapsulation
  case agreedPort = "nonstandard-tunnel-port/agreed"
  case cutBySnap = "malformed-encapsulation/cut-by-capture"
  case reservedBits = "malformed-encapsulation/reserved-bits"
  case routedUnderlay = "outer-vlan-mismatch/routed"
  case translatedVLANs = "outer-vlan-mismatch/translated"
  case errorsForOthers = "exceeds-underlay-mtu/errors-for-others"
  case someOfThatSizePass = "exceeds-underlay-mtu/some-pass"
  // Installed
  case unusedMapping = "mapping-conflict/not-in-use"
  case noPeersToFlood = "missing-flood-peer/no-ports-there"
  case noPeersToReach = "missing-tunnel/no-ports-there"
  case openTunnels = "missing-tunnel/flow-based"
  case trackedConnections = "unreachable-port/tracked-connections"
  case pluggedMeanwhile = "dead-vlan/being-plugged"
  case deadAndUnused = "dead-vlan/not-in-use"
}

extension Rule {
  /// Those of its exceptions that a run can do without.
  public var exceptions: [RuleException] {
    RuleException.allCases.filter { $0.rawValue.hasPrefix(name + "/") }
  }
}
