import Deployment
import Foundation
import Testing
import Verification

@testable import Jobs

/// A corpus that passes proves something only if it fails without what it is to prove.
@Suite("Without rules and exceptions") struct OmissionTests {
  static let raised = RuleCatalogue.rules.map(\.name)

  private static let expected: [(bundle: String, expectations: Expectations)] = Bundles.all.compactMap { bundle in
    let file = Bundles.path(bundle) + "/expect.yaml"
    guard let text = try? String(contentsOfFile: file, encoding: .utf8),
      let expectations = try? Expectations.read(text, file: file, rules: RuleCatalogue.rules.map(\.name))
    else { return nil }
    return (bundle, expectations)
  }

  /// Bundles by the rules of the findings that they must have.
  static let bundles: [String: [String]] = {
    var found: [String: [String]] = [:]
    for (bundle, expectations) in expected {
      for rule in Set(expectations.findings.map(\.rule)) { found[rule, default: []].append(bundle) }
    }
    return found
  }()

  private struct Told: Decodable {
    var kind: String?
    var rule: String?
  }

  /// Bundles by the rules that they are close to, and must not raise.
  static let close: [String: [String]] = {
    var found: [String: [String]] = [:]
    for (bundle, expectations) in expected {
      var rules = Set(expectations.never.map(\.rule))
      let truth = try? Data(contentsOf: URL(fileURLWithPath: Bundles.path(bundle) + "/truth.json"))
      if let told = truth.flatMap({ try? JSONDecoder().decode(Told.self, from: $0) }), told.kind == "near", let rule = told.rule {
        rules.insert(rule)
      }
      for rule in rules.subtracting(expectations.findings.map(\.rule)) { found[rule, default: []].append(bundle) }
    }
    return found
  }()

  static func failures(_ bundle: String, without name: String) throws -> [CheckedExpectation] {
    var options = TestOptions(paths: [Bundles.path(bundle)])
    let isKnown = options.omissions.add(name)
    try #require(isKnown)
    return try test(options).flatMap(\.failures)
  }

  @Test(arguments: raised) func aRuleThatIsNotRaisedIsMissed(rule: String) throws {
    let bundles = Self.bundles[rule] ?? []
    #expect(!bundles.isEmpty, "no bundle must raise it")
    for bundle in bundles.prefix(3) {
      #expect(try !Self.failures(bundle, without: rule).isEmpty, "\(bundle)")
    }
  }

  @Test(arguments: raised) func everyRuleHasABundleThatIsCloseAndDoesNotRaiseIt(rule: String) {
    #expect(!(Self.close[rule] ?? []).isEmpty)
  }

  /// Which bundle notices that an exception is not made.
  static let near: [(RuleException, String)] = [
    // Translation
    (.unseenTags, "capture/mirror-in-any"), (.networksElsewhere, "translation/flood-to-hosts-without-ports"),
    (.guestsTags, "translation/guests-tags-arrive"), (.dot1qTunnels, "translation/dot1q-tunnel"),
    (.mappedBefore, "translation/lost-at-restart"), (.knownFromVNIs, "translation/crossed-without-state"), (.providerNetworks, "clean/provider-network"),
    (.incompleteIntent, "translation/unlisted-network"),
    (.guestsOwnTag, "translation/guest-tag-like-local-vlan"), (.trunkPorts, "clean/trunk"),
    (.priorityTags, "translation/priority-tags"), (.noPortToDeliverTo, "translation/flood-to-hosts-without-ports"),
    // Isolation
    (.listedPeers, "capture/partial-hosts"), (.noTunnelList, "capture/partial-without-state"),
    (.heldBackAnswers, "isolation/false-claims"), (.noPortSecurity, "isolation/open-port"), (.untaggedMirrors, "isolation/mirror-to-untagged-port"),
    (.clonedTenants, "clean/same-macs"), (.mirrorOutputs, "isolation/mirror-to-guest"),
    (.otherOverlays, "clean/foreign-overlay"), (.senderNotCaptured, "isolation/moved-to-uncaptured-host"),
    (.lostBySender, "isolation/sender-lost-frames"),
    (.stoppedInTime, "isolation/spoof-blocked"), (.allowedPairs, "isolation/cluster-mac"),
    (.routersMACs, "isolation/virtual-router-mac"), (.admittedByFlows, "isolation/nested-bridge"),
    (.hostsDevices, "clean/host-noise"), (.floodsOfNewcomers, "learning/stale-entry"),
    (.sharedAddresses, "isolation/shared-address"), (.routersAddresses, "isolation/router-on-two-hosts"), (.handedOver, "mac-move"),
    // Learning
    (.severalLocations, "learning/shared-mac"), (.movedMeanwhile, "learning/moved-while-restarting"),
    (.floodsHeldBack, "one-way"), (.reflectedMACs, "tunnel-loop"),
    (.settlingLocation, "learning/l2population-lags"), (.learningGrace, "learning/late-learning"),
    (.learnedTimeout, "learning/learn-expiry"), (.forgottenByRestart, "learning/restart-and-silence"),
    (.briefFlooding, "learning/short-flooding"),
    (.noPortsThere, "learning/flood-skips-empty-hosts"), (.floodsReinstalled, "learning/floods-while-restarting"),
    (.guestsForward, "learning/guest-reflects"), (.movesByDesign, "learning/router-failover"),
    // Delivery
    (.hiddenFrames, "capture/hardware-offload"), (.cutAndJoined, "delivery/partial-loss"), (.guardedAddresses, "isolation/false-claims"),
    (.fewHeldBack, "delivery/two-refused-frames"), (.bridgedMulticast, "delivery/two-refused-frames"),
    (.floodCopies, "clean-three-hosts"), (.devicesInSeries, "encapsulation/devices-in-series"),
    (.mirroredCopies, "clean-mirror"), (.unfinishedChecksums, "delivery/checksums-by-the-nic"),
    (.padding, "delivery/padded"), (.snapLengths, "clean-snap96"),
    (.virtualUnderlays, "delivery/unfinished-on-virtual-wires"),
    (.fewMisses, "delivery/two-lost-frames"),
    (.securityGroups, "delivery/security-groups-at-tap"), (.droppedByFlows, "delivery/quarantined-sender"),
    (.bridgeFirewall, "delivery/firewall-in-br-int"),
    (.answeredLocally, "delivery/asked-again"), (.prunedMulticast, "delivery/unheard-multicast"),
    (.reservedMulticast, "delivery/bridging-guest"), (.notRecording, "capture/late-host"),
    (.repeatedByGuests, "delivery/guest-repeats"), (.writtenTwice, "capture/written-twice"),
    (.startOfFlow, "delivery/overtaken-at-start"),
    (.fewOvertaken, "delivery/two-overtaken-frames"), (.fewWrongChecksums, "delivery/two-bad-checksums"),
    (.unfinishedAtSenders, "delivery/checksums-by-the-nic"),
    // Encapsulation
    (.guestsOverlays, "clean/overlay-in-guests"), (.foreignGRE, "encapsulation/foreign-gre"),
    (.vlanDevices, "encapsulation/vlan-device"), (.guestsFragments, "encapsulation/guest-fragments"),
    (.othersFragments, "encapsulation/guest-fragments"),
    (.agreedPort, "encapsulation/agreed-udp-port"), (.reservedBits, "encapsulation/reserved-bits"),
    (.cutBySnap, "encapsulation/headers-cut-by-snap"), (.errorsForOthers, "encapsulation/too-big-for-others"),
    (.routedUnderlay, "encapsulation/routed-underlay"), (.translatedVLANs, "encapsulation/outer-vlan-mismatch"),
    (.someOfThatSizePass, "delivery/large-datagrams-blocked"),
    // Installed
    (.providersMappings, "clean/provider-network"), (.unusedPorts, "installed/check-lone-networks"),
    (.nobodyToSendTo, "installed/check-lone-networks"), (.unreachedPeers, "installed/check-missing-tunnel"),
    (.routersPorts, "installed/check-distributed-router"), (.deadTags, "installed/check-dead-vlan"), (.renumberedTags, "installed/renumbered-vlans"),
    (.unusedMapping, "installed/check-unused-conflict"),
    (.noPeersToFlood, "installed/check-tunnels-stay"), (.noPeersToReach, "installed/check-no-shared-network"),
    (.openTunnels, "installed/check-flow-based-tunnels"), (.pluggedMeanwhile, "installed/plugged-meanwhile"),
    (.trackedConnections, "installed/check-tracked-connections"), (.deadAndUnused, "installed/check-unused-port"),
    // Capture
    (.outsideCaptures, "capture/late-and-short"),
  ]

  @Test(arguments: near) func anExceptionThatIsNotMadeIsNoticed(exception: RuleException, bundle: String) throws {
    #expect(try !Self.failures(bundle, without: exception.rawValue).isEmpty)
  }

  @Test func everyExceptionIsProven() {
    #expect(Set(Self.near.map(\.0)) == Set(RuleException.allCases))
  }

  @Test(arguments: RuleException.allCases) func exceptionsAreThoseOfRules(exception: RuleException) {
    #expect(RuleCatalogue.rules.filter { $0.exceptions.contains(exception) }.count == 1)
  }

  @Test func whatThereIsNotCannotBeLeftOut() {
    var omissions = Omissions()
    #expect(!omissions.add("wrong-vnii") && !omissions.add("wrong-vni/nothing"))
    #expect(omissions.rules.isEmpty && omissions.exceptions.isEmpty)
  }
}
