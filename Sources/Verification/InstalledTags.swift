import Correlation
import Deployment

/// Tags of ports, agents' records and ports of tunnels, held against the intent and against each other.
extension InstalledCheck {
  mutating func checkTags(_ host: Int) {
    for port in deployment.ports where port.host == host {
      for (patch, wrong, expected) in port.wrongSubportTags(in: deployment) {
        addTag(port, of: patch.network, name: patch.name, wrong, expected, isDead: false)
      }
      let mismatch = port.wrongTag(in: deployment)
      let isDead = makes(.deadTags) && port.isDead || !makes(.deadAndUnused) && (port.installedTagAfter ?? port.installedTag) == 4095
      // One that is not in use may lie on the dead VLAN.
      guard isDead || mismatch.map({ $0.installed != 4095 || !makes(.deadTags) }) ?? false else { continue }
      addTag(
        port, of: port.network, name: port.bridgePort ?? port.name, mismatch?.installed ?? 4095, mismatch?.expected,
        isDead: isDead)
    }
  }

  private mutating func addTag(
    _ port: Port, of network: Int?, name: String, _ wrong: UInt16, _ expected: UInt16?, isDead: Bool
  ) {
    let host = deployment.hosts[port.host].name
    var finding = Finding(
      rule: isDead ? "dead-vlan" : "port-tag-mismatch",
      severity: isDead ? port.isUseKnown || !makes(.deadAndUnused) ? .warning : .info : .error,
      message: "port \(name) on \(host) has tag \(wrong)"
        + (isDead ? ", the dead VLAN: its agent did not bind it" : "")
        + (isDead && !port.isUseKnown ? " (whether it is in use is not known)" : "")
        + (expected.map { "; its network is VLAN \($0) there" } ?? ""))
    finding.host = host
    finding.network = network.map { deployment.networks[$0].name }
    finding.port = port.name
    if let expected { finding.expected = [("tag", .number(Int64(expected)))] }
    finding.observed = [("tag", .number(Int64(wrong)))]
    finding.cause = Cause(
      kind: .portTag, host: host, bridge: deployment.bridge(ofPort: name, on: port.host),
      text: "Port \(name): tag \(wrong), agent's record \(expected.map { "\($0)" } ?? "none")")
    finding.next = ["on \(host): ovs-vsctl get port \(name) tag other_config"]
    findings.append(finding)
  }

  /// Records of agents that disagree with the intent, or with each other: frames of the network go in two lanes.
  mutating func checkSegments() {
    for conflict in deployment.segmentConflicts {
      let network = deployment.networks[conflict.network]
      let (host, name) = (deployment.hosts[conflict.host].name, network.name)
      let active = deployment.ports.contains { port in
        port.host == conflict.host && port.network == conflict.network && port.active
      }
      func words(_ kind: Network.Kind, _ id: UInt32?) -> String { kind.rawValue + (id.map { " \($0)" } ?? "") }
      let other = network.source == .manifest || network.source == .neutron ? "the intent says" : "other hosts have"
      var finding = Finding(
        rule: "mapping-conflict", severity: active && network.isOverlay || !makes(.unusedMapping) ? .error : .info,
        message: "\(host) has \(name) as \(words(conflict.kind, conflict.segmentationID)); \(other) "
          + words(network.kind, network.segmentationID))
      finding.host = host
      finding.network = name
      finding.cause = Cause(
        kind: .portTag, host: host, bridge: deployment.bridge(ofPort: conflict.port, on: conflict.host),
        text: "Port \(conflict.port): the agent's record has \(words(conflict.kind, conflict.segmentationID))")
      finding.next = ["on \(host): ovs-vsctl get port \(conflict.port) other_config"]
      findings.append(finding)
    }
  }

  mutating func checkTunnelPorts() {
    var ports: [UInt16: [Int]] = [:]
    for host in deployment.hosts.indices {
      for port in Set(deployment.tunnels(of: host).filter({ $0.kind == .vxlan }).map(\.destinationPort)) {
        ports[port, default: []].append(host)
      }
    }
    guard ports.count > 1 else { return }
    let usual = ports.max { ($0.value.count, $0.key == 4789 ? 1 : 0) < ($1.value.count, $1.key == 4789 ? 1 : 0) }?.key
    for port in ports.keys.sorted() where port != usual {
      for host in ports[port] ?? [] {
        let tunnel = deployment.tunnels(of: host).first { $0.destinationPort == port }
        var finding = Finding(
          rule: "nonstandard-tunnel-port", severity: .error,
          message: "\(deployment.hosts[host].name) uses UDP port \(port) for its tunnels where its peers use "
            + "\(usual.map { "\($0)" } ?? "another")")
        finding.host = deployment.hosts[host].name
        if let usual { finding.expected = [("udpPort", .number(Int64(usual)))] }
        finding.observed = [("udpPort", .number(Int64(port)))]
        finding.cause = Cause(
          kind: .tunnel, host: finding.host, bridge: tunnel?.bridge,
          text: "Interface \(tunnel?.name ?? ""): options:dst_port=\(port)")
        findings.append(finding)
      }
    }
  }
}
