import Foundation
import OpenFlow
import Testing
import Wire

@testable import Datapath

/// No difference is allowed but for what Documentation/datapath.md lists.
@Suite("Against Open vSwitch", .enabled(if: OpenVSwitch.isInstalled), .serialized)
struct DifferentialTests {
  /// Recorded bridges, with the tunnels' addresses moved to the network that the test routes.
  static func recorded(_ directory: String) throws -> [BridgeState] {
    try Recorded.bridges(directory, of13: true).map { state in
      var copy = state
      for index in copy.ports.indices {
        guard case .tunnel(var tunnel) = copy.ports[index].kind, case .fixed(let remote) = tunnel.remote else {
          continue
        }
        tunnel.remote = .fixed(IPAddress(v4: 0xc612_0100 | UInt32(truncatingIfNeeded: remote.low & 0xff)))
        tunnel.local = nil
        tunnel.destinationPort = tunnel.kind == .gre ? 0 : 4789
        copy.ports[index].kind = .tunnel(tunnel)
      }
      return copy
    }
  }

  /// With LANECHECK_DIFFERENTIAL=full every flow set and more than ten thousand frames; else a selection.
  static let isFull = ProcessInfo.processInfo.environment["LANECHECK_DIFFERENTIAL"] == "full"

  static let few = [
    "clean-two-tenants/host1", "clean-two-tenants/host2/after", "clean-gre/host1/after", "clean-guest-vlan/host2",
    "wrong-vni-out/host1", "learn-disabled/host1", "stale-learn/host1/after", "tunnel-loop/host3", "one-way/host2",
    "wrong-qvo-tag/host2",
  ]
  static let all: [String] = Recorded.bundles.flatMap { bundle in
    ["host1", "host2", "host3"].flatMap { ["\(bundle)/\($0)", "\(bundle)/\($0)/after"] }
  }

  @Test("recorded hosts do the same with every frame, learning along", arguments: isFull ? all : few)
  func recordedHost(_ directory: String) throws {
    let states = try DifferentialTests.recorded(directory)
    let both = try Differential(states)
    try compare(both, states, seed: 1, allowingUncertainty: false, isTracing: true)
  }

  @Test("flow sets of Neutron's other modes", arguments: FlowSet.sets)
  func neutron(_ set: FlowSet) throws {
    try compare(Differential(set.bridges), set.bridges, seed: 2, allowingUncertainty: set.tracksConnections,
      isTracing: !set.tracksConnections)
  }

  @Test("made-up flow sets", arguments: isFull ? 1...12 : 1...1)
  func random(_ seed: UInt64) throws {
    var maker = RandomFlows(seed: seed)
    let states = maker.bridges(lines: 60)
    let both = try Differential(states, vlanLimit: seed % 3 == 0 ? 2 : 1, toleratesRefusal: true)
    #expect(both.refused < 60)
    try compare(both, states, seed: seed, allowingUncertainty: false)
  }

  /// Frames in three parts, with a wait for idle and hard timeouts, and one for all of them, between.
  private func compare(
    _ both: Differential, _ states: [BridgeState], seed: UInt64, allowingUncertainty: Bool,
    isTracing: Bool = false
  ) throws {
    var generator = FrameGenerator(states, seed: seed)
    both.isTracing = isTracing
    for seconds: Int64 in [25, 70, 301] {
      for _ in 0..<(DifferentialTests.isFull ? 167 : 70) { try generator.step(both) }
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
    #expect(both.framesSent >= (DifferentialTests.isFull ? 501 : 200))
    #expect(!isTracing || both.traced > both.framesSent / 2)
    #expect(differences.isEmpty, "\(differences.count): \(differences.prefix(3).joined(separator: "\n"))")
  }
}
