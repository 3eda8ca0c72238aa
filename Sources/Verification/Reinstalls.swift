import Datapath
import Deployment
import Observations
import OpenFlow

/// When a host's flows were put in anew while captures may have run: an agent that starts again forgets what was
/// learned, and its flows are incomplete for a while. Times are in the reference clock.
struct Reinstalls: Sendable {
  /// The flows that learn were put in anew: what was learned before is gone.
  var learning: [Int64] = []
  /// The same, if the dump is of the other of two times that a clock showed which was set back.
  var otherwise: [Int64] = []
  /// Flood flows that were put in anew as they had been, by VLAN: before this they may have been incomplete.
  var floods: [UInt16: Int64] = [:]
  /// No dump shows how the flows were before the last of these.
  var isUnknownBefore = false

  /// Whether what was learned at `proof` may be forgotten at `time`.
  func forgot(between proof: Int64, and time: Int64) -> Bool {
    learning.contains { clamped(proof, minus: Reinstalls.slack) <= $0 && $0 <= clamped(time, plus: Reinstalls.slack) }
  }

  /// Whether a VLAN's flood may lack receivers at `time` only because the flows were being put in.
  func isUnsettled(flood vlan: UInt16, at time: Int64) -> Bool {
    floods[vlan].map { time <= clamped($0, plus: Reinstalls.slack) } ?? false
  }

  /// Whether flows that the dumps lack may have been there at `time`.
  func mayHaveDiffered(at time: Int64) -> Bool {
    isUnknownBefore && (learning + otherwise).contains { time <= clamped($0, plus: Reinstalls.slack) }
  }

  /// Dumps and clocks are exact to about this, and flows are put in one by one.
  static var slack: Int64 { 2_000_000_000 }
}

extension InstalledView {
  /// A host's own time in the reference clock: of one that the clock showed twice, the first or the last.
  func reference(_ time: Int64, _ host: Int, isFirst: Bool) -> Int64 {
    guard clocks.indices.contains(host) else { return time }
    return isFirst ? clocks[host].toReferenceFirst(time) : clocks[host].toReferenceLast(time)
  }

  /// When a flow of a dump was there, in the reference clock.
  func span(of flow: FlowReference, in state: HostState, _ host: Int) -> InstalledTimeline.Span? {
    guard flow.line > 0, let bridge = state.bridges.first(where: { $0.name == flow.bridge }), bridge.flowsTaken != nil,
      let flows = bridge.flows?.flows, let written = InstalledView.flow(atLine: flow.line, flows)
    else { return nil }
    var span = timelines[host].span(of: written, bridge: flow.bridge)
    // Learned flows come and go.
    if written.hardTimeout > 0 || written.idleTimeout > 0 { span.absentBefore = nil }
    return span
  }

  /// Flows stand in the order of their lines.
  static func flow(atLine line: Int, _ flows: [Flow]) -> Flow? {
    var (low, high) = (0, flows.count)
    while low < high {
      let middle = low + (high - low) / 2
      if flows[middle].line < line { low = middle + 1 } else { high = middle }
    }
    return low < flows.count && flows[low].line == line ? flows[low] : nil
  }

  /// Finds what was put in between the dumps of a host.
  mutating func noteReinstalls(_ host: Int, isSingle: Bool) {
    var result = Reinstalls()
    result.isUnknownBefore = isSingle
    for installation in timelines[host].installations where installation.flow.actions.contains(where: \.learns) {
      result.learning.append(installation.time)
    }
    // A clock that was set back shows some times twice: a lone dump may be of either.
    if isSingle, let taken = dumped(host).first?.time {
      let shift = clamped(reference(taken, host, isFirst: false), minus: reference(taken, host, isFirst: true))
      if shift != 0 { result.otherwise = result.learning.flatMap { [clamped($0, plus: shift), clamped($0, minus: shift)] } }
    }
    for entry in outbound[host] where entry.isGroup && entry.destination == nil {
      guard let began = entry.flow?.span?.certain.last?.lowerBound, let flow = entry.flow else { continue }
      let same = outbound[host].filter { $0.isGroup && $0.destination == nil && $0.vlan == entry.vlan }
      // The earlier dump shows a smaller list: what was missing then is no matter of putting in anew.
      if same.contains(where: { Set($0.remotes) != Set(entry.remotes) }) { continue }
      let isNew = timelines[host].installations.contains { item in
        item.bridge == flow.bridge && Int(item.flow.table) == flow.table && item.flow.text == flow.text
      }
      if isNew { result.floods[entry.vlan] = max(result.floods[entry.vlan] ?? began, began) }
    }
    reinstalls[host] = result
  }
}

extension Action {
  /// Whether it puts flows in.
  var learns: Bool { if case .learn = self { true } else { false } }
}
