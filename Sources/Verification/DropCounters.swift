import Deployment
import OpenFlow
import Wire

/// Counters of a host's dumps that grew while the captures ran: drops and errors of its interfaces, and frames that
/// flows dropped.
struct DropCounters: Sendable {
  struct Growth: Sendable {
    /// `eth1 rx_dropped`, `br-tun table 4: priority=0 actions=drop`.
    var what: String
    var frames: UInt64
    var isFlow: Bool
    /// The flow, where it is one.
    var cause: Cause?
    /// Whose packets it drops, where it names one IPv4 address.
    var source: IPAddress?
  }
  private(set) var grown: [Growth] = []

  init(_ host: Host) {
    guard let before = host.before, let after = host.after else { return }
    for bridge in after.bridges {
      guard let earlier = before.bridges.first(where: { $0.name == bridge.name }) else { continue }
      addInterfaces(earlier, bridge)
      addFlows(earlier, bridge)
    }
    grown.sort { ($1.frames, $0.what) < ($0.frames, $1.what) }
  }

  private mutating func addInterfaces(_ before: Bridge, _ after: Bridge) {
    for port in after.ports {
      guard let earlier = before.ports.first(where: { $0.name == port.name }) else { continue }
      for (name, value) in port.statistics where name.contains("drop") || name.contains("err") {
        let old = earlier.statistics[name] ?? 0
        if value > old { grown.append(Growth(what: "\(port.name) \(name)", frames: value - old, isFlow: false)) }
      }
    }
  }

  private mutating func addFlows(_ before: Bridge, _ after: Bridge) {
    guard let first = before.flows, let second = after.flows else { return }
    var counts: [String: UInt64] = [:]
    for flow in first.flows where flow.actions.isEmpty { counts["\(flow.table) \(flow.text)"] = flow.packets ?? 0 }
    for flow in second.flows where flow.actions.isEmpty {
      guard let packets = flow.packets, let old = counts["\(flow.table) \(flow.text)"], packets > old else { continue }
      let cause = Cause(kind: .flow, bridge: after.name, table: Int(flow.table), text: flow.text)
      let source = flow.match.exact(.ipv4Source).map { IPAddress(v4: UInt32(truncatingIfNeeded: $0)) }
      grown.append(
        Growth(
          what: "\(after.name) table \(flow.table): \(flow.text)", frames: packets - old, isFlow: true,
          cause: flow.priority > 0 ? cause : nil, source: source))
    }
  }
}

extension FindingBuilder {
  /// Adds what the dumps' counters say of frames that vanished, and takes it for proof where it accounts for them.
  func addCounters(_ draft: inout Draft, _ loss: Loss) {
    let hosts: [Int32] =
      switch loss.stretch {
      case .underlay: [loss.host, loss.peer]
      case .intoTunnel, .outward, .toPort: [loss.host]
      case .betweenPorts: [loss.peer]
      case .floodCopy: []
      }
    var lines: [String] = []
    var isAccounted = false
    for host in hosts where host >= 0 {
      // On the underlay no flow has a part; inside a host the interfaces of the underlay have little.
      for growth in counters(Int(host)) where growth.isFlow == (loss.stretch != .underlay) || !growth.isFlow {
        lines.append("\(hostName(host)) \(growth.what): +\(growth.frames)")
        if growth.frames >= draft.finding.count {
          isAccounted = true
          if loss.stretch == .toPort, draft.finding.cause == nil, var cause = growth.cause {
            cause.host = hostName(host)
            draft.finding.cause = cause
          }
        }
      }
    }
    guard !lines.isEmpty else { return }
    draft.finding.observed.append(("counters", .list(Array(lines.prefix(4)))))
    if isAccounted, draft.finding.certainty == .likely { draft.finding.certainty = .proven }
  }

  /// Whether flows of a host dropped so many packets of a peer's VTEP while the captures ran.
  func dropsTunnels(_ host: Int32, from peer: Int32, atLeast count: UInt64) -> Bool {
    let vteps = deployment.hosts[Int(peer)].vteps
    return counters(Int(host)).contains { $0.isFlow && $0.frames >= count && $0.source.map(vteps.contains) ?? false }
  }

  private func counters(_ host: Int) -> [DropCounters.Growth] { DropCounters(deployment.hosts[host]).grown }
}
