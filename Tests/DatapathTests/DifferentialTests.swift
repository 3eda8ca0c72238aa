import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

/// No difference is allowed but for what Documentation/datapath.md lists.
@Suite("Against Open vSwitch", .enabled(if: OpenVSwitch.isInstalled), .serialized)
struct DifferentialTests {
  /// With LANECHECK_DIFFERENTIAL=full every flow set and far more than ten thousand frames; else a selection.
  static let isFull = ProcessInfo.processInfo.environment["LANECHECK_DIFFERENTIAL"] == "full"

  static let few = [
    "clean-two-tenants/host1", "clean-gre/host1/after", "clean-guest-vlan/host2", "clean/geneve/compute1",
    "clean/l2population/ctl", "clean/old-neutron/compute-b", "clean/provider-network/kepler", "learn-disabled/host1",
    "stale-learn/host1/after", "tunnel-loop/host3", "one-way/host2", "wrong-qvo-tag/host2",
  ].map(RecordedState.init)

  @Test("recorded hosts do the same with every frame, learning along", arguments: isFull ? RecordedState.distinct : few)
  func recordedHost(_ state: RecordedState) throws {
    let bridges = try state.bridges()
    let isOpen = bridges.contains { $0.mcastSnooping || $0.tracksConnections }
    try compare(bridges, seed: 1, allowingUncertainty: isOpen, isTracing: !isOpen)
  }

  @Test("flow sets of Neutron's other modes", arguments: FlowSet.sets)
  func neutron(_ set: FlowSet) throws {
    try compare(
      set.bridges, seed: 2, allowingUncertainty: set.tracksConnections, isTracing: !set.tracksConnections)
  }

  /// Set 12 makes Open vSwitch 3.1 crash.
  @Test("made-up flow sets", arguments: isFull ? 1...11 : 1...3)
  func random(_ seed: UInt64) throws {
    var maker = RandomFlows(seed: seed)
    let refused = try compare(
      maker.bridges(lines: 60), seed: seed, vlanLimit: seed % 3 == 0 ? 2 : 1, allowingUncertainty: false,
      isTracing: false, toleratesRefusal: true)
    #expect(refused < 60)
  }

  /// Frames in three parts, with a wait for idle and hard timeouts, and one for all of them, between.
  /// - Returns: how many flows Open vSwitch refused.
  @discardableResult
  private func compare(
    _ states: [BridgeState], seed: UInt64, vlanLimit: Int = 1, allowingUncertainty: Bool, isTracing: Bool,
    toleratesRefusal: Bool = false
  ) throws -> Int {
    let both = try Differential(states, vlanLimit: vlanLimit, toleratesRefusal: toleratesRefusal)
    defer { both.end() }
    var generator = FrameGenerator(states, seed: seed)
    both.isTracing = isTracing
    for seconds: Int64 in [25, 70, 301] {
      for _ in 0..<(DifferentialTests.isFull ? 180 : 70) { try generator.step(both) }
      if !allowingUncertainty {
        let state = try both.stateDifferences()
        #expect(state.isEmpty, "\(state.count): \(state.prefix(4))")
      }
      try both.wait(seconds: seconds)
      if !allowingUncertainty {
        let state = try both.stateDifferences()
        #expect(state.isEmpty, "after \(seconds) s, \(state.count): \(state.prefix(4))")
      }
    }
    let differences = try both.differences(allowingUncertainty: allowingUncertainty)
    #expect(both.framesSent >= (DifferentialTests.isFull ? 500 : 190))
    #expect(!isTracing || both.traced > both.framesSent / 2)
    #expect(differences.isEmpty, "\(differences.count): \(differences.prefix(3).joined(separator: "\n"))")
    if DifferentialTests.isFull {
      print("compared", both.framesCompared, "frames put in,", both.traced, "traced;", differences.count, "differences")
    }
    return both.refused
  }
}
