import Correlation
import Datapath
import Deployment

/// Findings about where the installed flows take frames between ports, beside what is wrong with a translation.
extension InstalledCheck {
  mutating func checkPaths() {
    let runs = InstalledPaths.runs(
      deployment, topology,
      leavesOut: {
        !installed.hasFlows[$0] || installed.mayFilter(host: $0).map { $0 && makes(.trackedConnections) } ?? true
      }, looksAtRouters: !makes(.routersPorts))
    guard let last = runs.last else { return }
    var groups: [(key: PathGroup, faults: [InstalledPaths.Fault])] = []
    var placeOfGroup: [PathGroup: Int] = [:]
    for fault in last.faults where isLasting(fault, runs.dropLast()) && !isExplained(fault) {
      let key = PathGroup(fault, deployment)
      if let place = placeOfGroup[key] {
        groups[place].faults.append(fault)
      } else {
        placeOfGroup[key] = groups.count
        groups.append((key, [fault]))
      }
    }
    // A port that gets what is not for it, or a wrong lane, is why others get nothing.
    groups.sort { ($0.key.rank, $0.key.host) < ($1.key.rank, $1.key.host) }
    for group in groups where !group.faults.allSatisfy(isExplained) { add(group.faults) }
  }

  /// What makes faults one finding.
  private struct PathGroup: Hashable {
    var rule: String
    var host: Int
    var network: Int?
    var place: String

    init(_ fault: InstalledPaths.Fault, _ deployment: Deployment) {
      rule = fault.rule
      host = fault.host
      network = deployment.ports[fault.pair.sender].network
      place = fault.flow.map { "\($0.bridge) \($0.table) \($0.text)" } ?? fault.text
      if fault.rule == "untagged-port" {
        network = nil
        place = deployment.ports[fault.pair.receiver].name
      }
    }

    var rank: Int { rule == "unreachable-port" ? 1 : 0 }
  }

  /// What an earlier dump contradicts was on its way to what the later one shows.
  private func isLasting(_ fault: InstalledPaths.Fault, _ others: ArraySlice<InstalledPaths>) -> Bool {
    others.allSatisfy { run in
      !run.covers(fault.pair) || run.faults.contains { $0.pair == fault.pair && $0.rule == fault.rule }
    }
  }

  /// Whether a finding speaks of it already.
  private func isExplained(_ fault: InstalledPaths.Fault) -> Bool {
    let ports = [deployment.ports[fault.pair.sender], deployment.ports[fault.pair.receiver]]
    let hosts = Set(ports.map { deployment.hosts[$0.host].name } + [deployment.hosts[fault.host].name])
    let networks = Set(ports.compactMap { $0.network.map { deployment.networks[$0].name } })
    return findings.contains { finding in
      // What one host reflects moves the others' forwarding entries.
      if finding.rule == "tunnel-reflection" { return finding.network.map(networks.contains) ?? true }
      guard finding.severity > .info, finding.host.map(hosts.contains) ?? true else { return false }
      if let port = finding.port { return ports.contains { $0.name == port } }
      return finding.network.map(networks.contains) ?? true
    }
  }

  private func name(_ port: Int) -> String {
    let name = topology.label(ofPort: port) ?? deployment.ports[port].bridgePort ?? deployment.ports[port].name
    return "\(name) on \(deployment.hosts[deployment.ports[port].host].name)"
  }

  private mutating func add(_ faults: [InstalledPaths.Fault]) {
    guard let fault = faults.first, let network = deployment.ports[fault.pair.sender].network else { return }
    let networkName = deployment.networks[network].name
    let (host, receiver) = (deployment.hosts[fault.host].name, deployment.ports[fault.pair.receiver])
    let (from, to) = (name(fault.pair.sender), name(fault.pair.receiver))
    var finding = Finding(rule: fault.rule, severity: .error, message: "")
    finding.host = host
    finding.network = networkName
    switch fault.kind {
    case .unreachable:
      let others = Set(faults.map(\.pair)).count - 1
      finding.message =
        "frames of \(networkName) from \(from) do not come to \(to)"
        + (others > 0 ? ", nor those between \(others) other pair\(others == 1 ? "" : "s") of its ports" : "")
        + (fault.flow == nil ? ": \(fault.text)" : ": a flow of \(host) drops them")
    case .leak:
      finding.message =
        "frames of \(networkName) from \(from) come to \(to), a port of network "
        + (receiver.network.map { deployment.networks[$0].name } ?? "unknown")
    case .untagged:
      finding.port = receiver.name
      finding.network = receiver.network.map { deployment.networks[$0].name }
      finding.message = "port \(receiver.bridgePort ?? receiver.name) on \(host) has no tag: frames of other networks come to it"
    case .lane(let id):
      let own = deployment.networks[network].segmentationID ?? 0
      finding.message =
        "\(host) sends frames of \(networkName) from \(from) on VNI \(id); the network's own is VNI \(own)"
      finding.expected = [("vni", .number(Int64(own)))]
      finding.observed = [("vni", .number(Int64(clamping: id)))]
    case .tagged:
      finding.message = "frames of \(networkName) from \(from) come to \(to) with \(fault.text) still on them"
    }
    if case .untagged = fault.kind {
      let port = receiver.bridgePort ?? receiver.name
      finding.cause = Cause(
        kind: .portTag, host: host, bridge: deployment.bridge(ofPort: port, on: fault.host), text: "Port \(port): no tag")
      finding.next = ["on \(host): ovs-vsctl get port \(port) tag other_config"]
    } else if let flow = fault.flow {
      var cause = Cause(kind: .flow, host: host, bridge: flow.bridge, table: Int(flow.table), text: flow.text)
      cause.file = fault.file
      cause.line = flow.line > 0 ? flow.line : nil
      finding.cause = cause
      finding.next = ["on \(host): ovs-ofctl -O OpenFlow13 dump-flows \(flow.bridge) table=\(flow.table)"]
    }
    if finding.next.isEmpty { finding.next = ["lanecheck trace shows the way of such a frame"] }
    findings.append(finding)
  }
}

extension InstalledPaths.Fault {
  var rule: String {
    switch kind {
    case .unreachable: "unreachable-port"
    case .leak: "cross-network-delivery"
    case .untagged: "untagged-port"
    case .lane: "wrong-local-vlan"
    case .tagged: "unexpected-vlan-tag"
    }
  }
}
