import Correlation
import Datapath
import Deployment
import Observations
import Wire

/// Flows that hand frames of one network to a port of another, where that port was not captured: what meets them got there,
/// though no capture shows it.
extension InstalledPaths {
  /// One host's broadcasts of a network, and where they go as well.
  struct Leak: Sendable {
    var host: Int32
    var network: Int32
    var port: Int32
    var cause: Cause
  }

  /// Leaks to ports without a capture, which all dumps show that show both ports. None is looked for where every port was
  /// captured: there the frames tell.
  static func unseenLeaks(_ deployment: Deployment, _ topology: Topology, _ installed: InstalledView) -> [Leak] {
    let isLookedFor = deployment.ports.indices.contains { port in
      let host = deployment.ports[port].host
      return isUnseen(port, topology) && installed.hasFlows[host] && topology.portsOn[host].count > 1
    }
    guard isLookedFor else { return [] }
    let runs = InstalledPaths.runs(
      deployment, topology, leavesOut: { !installed.hasFlows[$0] || installed.mayFilter(host: $0) ?? true })
    guard let last = runs.last else { return [] }
    var leaks: [Leak] = []
    for fault in last.faults where fault.kind == .leak && fault.isBroadcast && isUnseen(fault.pair.receiver, topology) {
      // What leaves in another lane comes out in that one: the sender does it.
      guard let flow = fault.flow, let network = deployment.ports[fault.pair.sender].network, !last.sendsAstray(fault.pair.sender),
        runs.allSatisfy({ run in
          !run.covers(fault.pair)
            || run.faults.contains { $0.pair == fault.pair && $0.kind == fault.kind && $0.host == fault.host && $0.isBroadcast }
        })
      else { continue }
      let (host, port) = (Int32(truncatingIfNeeded: fault.host), Int32(truncatingIfNeeded: fault.pair.receiver))
      guard !leaks.contains(where: { $0.host == host && $0.network == network && $0.port == port }) else { continue }
      var cause = Cause(
        kind: .flow, host: deployment.hosts[fault.host].name, bridge: flow.bridge, table: Int(flow.table), text: flow.text)
      cause.file = fault.file
      cause.line = flow.line > 0 ? flow.line : nil
      leaks.append(Leak(host: host, network: Int32(truncatingIfNeeded: network), port: port, cause: cause))
    }
    return leaks
  }

  private static func isUnseen(_ port: Int, _ topology: Topology) -> Bool {
    !topology.portIsCaptured[port] && topology.portFacts[port].isActive
  }

  private func sendsAstray(_ sender: Int) -> Bool {
    faults.contains { fault in
      guard case .lane = fault.kind else { return false }
      return fault.pair.sender == sender
    }
  }
}

extension Judge {
  /// Notes broadcasts that came to a host whose flows hand them to a port of another network as well.
  mutating func noteLeaks(_ group: [Observation], _ base: UInt64) {
    guard let head = group.first, head.destination.isBroadcast, head.tagCount == 0 else { return }
    for leak in facts.leaks {
      let key = FaultKey(fault: .metLeak, host: leak.host, network: leak.network, port: leak.port)
      for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == leak.host && tunnel.network == leak.network {
        record(key, trajectoryNumber(of: tunnel, base), group, Int(tunnel.observation), isWeak: false)
      }
      for at in resolver.passages.indices {
        let entry = resolver.passages[at]
        guard entry.direction == .fromGuest, entry.host == leak.host, entry.network == leak.network, hasLeft(at) else { continue }
        record(key, base &+ UInt64(at) &+ 1, group, Int(entry.first), isWeak: false)
      }
    }
  }
}

extension FindingBuilder {
  /// Leaks to ports that were not captured, where frames met the flows that do it and no finding speaks of them.
  mutating func addUnseenLeaks() {
    for leak in judge.facts.leaks {
      let key = FaultKey(fault: .metLeak, host: leak.host, network: leak.network, port: leak.port)
      guard let record = judge.faults[key], record.count > 0, !isTold(leak) else { continue }
      let (host, count) = (hostName(leak.host), record.count)
      let other = topology.portNetwork[Int(leak.port)]
      let message =
        "\(count) broadcast\(count == 1 ? "" : "s") of \(networkName(leak.network)) that came to \(host) met\(count == 1 ? "s" : "") a "
        + "flow that hands \(count == 1 ? "it" : "them") to \(portName(leak.port)), a port of network \(networkName(other)) "
        + "that was not captured"
      var draft = draft(
        nil, record, rule: Fault.crossNetworkDelivery.rule, severity: .error, host: leak.host, network: leak.network,
        message: message)
      draft.finding.port = portName(leak.port)
      draft.finding.certainty = .likely
      draft.finding.cause = leak.cause
      draft.finding.expected = [("network", .text(networkName(leak.network)))]
      draft.finding.observed = [("network", .text(networkName(other)))]
      draft.finding.next = ["capture \(portName(leak.port)) on \(host)"]
      drafts.append(draft)
    }
  }

  private func isTold(_ leak: InstalledPaths.Leak) -> Bool {
    drafts.contains {
      $0.finding.severity > .info && $0.finding.rule != Fault.frameLost.rule && $0.finding.host == hostName(leak.host)
        && ($0.finding.network == networkName(leak.network) || $0.finding.network == nil || $0.finding.cause == leak.cause)
    }
  }
}
