import Correlation
import Datapath
import Deployment
import Observations
import Wire

/// Holds what should be against what is installed, with no frame: the rules of the installed family, and the
/// faults of flows that show in the dumps.
public struct InstalledCheck {
  let deployment: Deployment
  let installed: InstalledView
  let topology: Topology
  /// Findings with what they contradict, in the order in which they were met.
  private(set) var contradictions: [Contradiction] = []
  var findings: [Finding] = []
  /// VNIs that the tunnel ports of the host at hand treat differently.
  private var split: Set<UInt32> = []
  /// Exceptions that are not made.
  private var omitted: Set<RuleException> = []

  /// What of a host's translation of a network is installed wrongly.
  struct Contradiction: Sendable {
    enum Kind: Hashable, Sendable {
      /// Where what arrives goes.
      case inbound
      /// The VNI, the tag, or the flow as such of what leaves.
      case outboundVNI, outboundTag, outboundMissing
      /// A host that floods leave out.
      case floodPeer(Int), tunnel(Int)
      case learning, reflection, location(MACAddress), other
    }
    var kind: Kind
    var host: Int
    var network: Int?
    var finding: Finding
  }

  /// All contradictions of flows, for the run that tells which of them frames met.
  static func contradictions(
    _ deployment: Deployment, _ installed: InstalledView, _ topology: Topology, without exceptions: Set<RuleException>
  ) -> [Contradiction] {
    var check = InstalledCheck(deployment, installed, topology, without: exceptions)
    for host in deployment.hosts.indices where installed.hasFlows[host] { check.checkFlows(host) }
    return check.contradictions
  }

  private init(
    _ deployment: Deployment, _ installed: InstalledView, _ topology: Topology, without exceptions: Set<RuleException>
  ) {
    omitted = exceptions
    self.deployment = deployment
    self.installed = installed
    self.topology = topology
  }

  public init(_ deployment: Deployment) {
    self.deployment = deployment
    installed = InstalledView(deployment)
    var plan = ObservationPlan()
    plan.hostVTEPs = deployment.hosts.map { _ in [] }
    topology = Topology(deployment, plan)
  }

  /// The report: findings without frames, and what could not be checked.
  public func report(failOn: Severity, without omissions: Omissions = Omissions()) -> Report {
    var check = self
    check.omitted = omissions.exceptions
    check.checkSegments()
    for host in deployment.hosts.indices { check.check(host) }
    check.checkTunnelPorts()
    check.checkPaths()
    var report = Report()
    report.isStatic = true
    report.hosts = deployment.hosts.map(\.name)
    report.take(deployment.notes)
    report.findings = check.findings.filter { !omissions.rules.contains($0.rule) }.sorted { ($1.severity, $0.host ?? "") < ($0.severity, $1.host ?? "") }
    for index in report.findings.indices { report.findings[index].id = "f\(index + 1)" }
    for (number, network) in deployment.networks.enumerated() where network.isOverlay {
      for (index, host) in deployment.hosts.enumerated() where topology.portsOn[index][number] != nil {
        report.coverage.append(
          CoverageRow(
            host: host.name, network: network.name, localVLAN: host.localVLANs[number], vni: network.segmentationID))
      }
    }
    settle(&report, failOn)
    return report
  }

  private func settle(_ report: inout Report, _ failOn: Severity) {
    if report.findings.contains(where: { $0.severity >= failOn }) {
      report.verdict = .fail
      return
    }
    let bare = deployment.hosts.indices.filter { !installed.hasFlows[$0] && !topology.portsOn[$0].isEmpty }
    if !installed.hasFlows.contains(true) {
      report.reasons.append("no host's flows were dumped (ovs-ofctl -O OpenFlow13 dump-flows br-tun)")
    } else if !bare.isEmpty {
      let names = bare.map { deployment.hosts[$0].name }.joined(separator: ", ")
      report.reasons.append("no flows of \(names) were dumped")
    }
    if !deployment.networks.contains(where: \.isOverlay) {
      report.reasons.append("no source names a network: there is nothing to hold the flows against")
    }
    for error in report.inputErrors { report.reasons.append("evidence is missing: \(error)") }
    if !report.reasons.isEmpty { report.verdict = .inconclusive }
  }

  func makes(_ exception: RuleException) -> Bool { !omitted.contains(exception) }

  // MARK: A host

  private mutating func check(_ host: Int) {
    checkTags(host)
    guard installed.hasFlows[host] else { return }
    checkFlows(host)
  }

  private mutating func checkFlows(_ host: Int) {
    checkSharedVLANs(host)
    checkSplitVNIs(host)
    for network in topology.portsOn[host].keys.sorted() {
      let ports = (topology.portsOn[host][network] ?? []).filter {
        deployment.ports[$0].active && deployment.isPlugged($0) || !makes(.unusedPorts)
      }
      let providers = makes(.providersMappings) ? nil : deployment.networks[network].segmentationID
      guard !ports.isEmpty, let vni = topology.vni(ofNetwork: network) ?? providers else { continue }
      checkInbound(host, network, vni)
      if let vlan = deployment.hosts[host].localVLANs[network] {
        checkOutbound(host, network, vni, vlan)
        checkNamed(host, network, vni, vlan)
        checkLocations(host, network, vni, vlan)
      }
    }
  }

  private func lanes(_ vni: UInt32) -> String {
    let text = "VNI \(vni) (0x\(String(vni, radix: 16)))"
    guard let network = topology.networkOfVNI[vni], network >= 0 else { return text }
    return "\(text), the lane of network \(deployment.networks[Int(network)].name)"
  }

  private mutating func add(
    _ rule: String, _ severity: Severity, _ host: Int, _ network: Int?, _ message: String, flow: FlowEvidence?,
    missing: String? = nil, _ kind: Contradiction.Kind = .other
  ) {
    // Two dumps of a host that say the same are one finding.
    guard !findings.contains(where: { $0.rule == rule && $0.message == message }) else { return }
    var finding = Finding(rule: rule, severity: severity, message: message)
    finding.host = deployment.hosts[host].name
    finding.network = network.map { deployment.networks[$0].name }
    if let missing {
      var cause = Cause(
        kind: .missingFlow, host: finding.host, bridge: flow?.bridge ?? deployment.tunnels(of: host).first?.bridge,
        table: flow?.table, text: missing + (flow.map { "; dropped by: \($0.text)" } ?? ""))
      cause.file = flow?.file
      cause.line = flow?.line
      finding.cause = cause
    } else if let flow {
      var cause = Cause(
        kind: .flow, host: finding.host, bridge: flow.bridge, table: flow.table, text: flow.text)
      cause.file = flow.file
      cause.line = flow.line
      finding.cause = cause
      finding.next.append(
        "on \(deployment.hosts[host].name): ovs-ofctl -O OpenFlow13 dump-flows \(flow.bridge) table=\(flow.table)")
    }
    findings.append(finding)
    if severity > .info {
      contradictions.append(Contradiction(kind: kind, host: host, network: network, finding: finding))
    }
  }

  private mutating func checkTags(_ host: Int) {
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
  private mutating func checkSegments() {
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

  /// One VNI that the tunnel ports of one dump put on several VLANs.
  private mutating func checkSplitVNIs(_ host: Int) {
    struct Lane: Hashable {
      var kind: String
      var vni: UInt32
      var isAfter: Bool
    }
    split = []
    var vlans: [Lane: Set<UInt16>] = [:]
    for entry in installed.inbound[host] {
      guard let vlan = entry.vlan else { continue }
      vlans[Lane(kind: entry.kind.rawValue, vni: entry.vni, isAfter: entry.isAfter), default: []].insert(vlan)
    }
    for (lane, found) in vlans.sorted(by: { ($0.key.vni, $0.key.kind) < ($1.key.vni, $1.key.kind) })
    where found.count > 1 {
      split.insert(lane.vni)
      let network = topology.networkOfVNI[lane.vni].flatMap { $0 >= 0 ? Int($0) : nil }
      let isUsed = network.map { topology.portsOn[host][$0] != nil } ?? false
      let own = network.flatMap { deployment.hosts[host].localVLANs[$0] }
      let wrong = installed.inbound[host].first { entry in
        entry.vni == lane.vni && entry.kind.rawValue == lane.kind && entry.vlan != nil && entry.vlan != own
      }
      add(
        "mapping-conflict", isUsed || !makes(.unusedMapping) ? .error : .info, host, network,
        "\(deployment.hosts[host].name) puts \(lanes(lane.vni)) on several VLANs, by tunnel: "
          + found.sorted().map { "\($0)" }.joined(separator: ", "), flow: wrong?.flow)
    }
  }

  /// Two VNIs on one VLAN: an error where both are networks with ports here.
  private mutating func checkSharedVLANs(_ host: Int) {
    var owners: [UInt16: Set<UInt32>] = [:]
    for entry in installed.inbound[host] { if let vlan = entry.vlan { owners[vlan, default: []].insert(entry.vni) } }
    for vlan in owners.keys.sorted() {
      let vnis = (owners[vlan] ?? []).sorted()
      guard vnis.count > 1, !vnis.contains(where: { isElsewhere($0, host, than: vlan) }) else { continue }
      let used = vnis.allSatisfy { vni in
        topology.networkOfVNI[vni].map { $0 >= 0 && topology.portsOn[host][Int($0)] != nil } ?? false
      }
      add(
        "mapping-conflict", used || !makes(.unusedMapping) ? .error : .info, host, nil,
        "\(deployment.hosts[host].name) puts several VNIs on VLAN \(vlan): \(vnis.map(lanes).joined(separator: "; "))",
        flow: installed.inbound(host: host, vni: vnis[0])?.flow)
    }
  }

  /// Whether a VNI's network has another VLAN there: then that is what is wrong.
  private func isElsewhere(_ vni: UInt32, _ host: Int, than vlan: UInt16) -> Bool {
    guard let network = topology.networkOfVNI[vni], network >= 0, topology.portsOn[host][Int(network)] != nil,
      let own = deployment.hosts[host].localVLANs[Int(network)]
    else { return false }
    return own != vlan
  }

  private mutating func checkInbound(_ host: Int, _ network: Int, _ vni: UInt32) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    let vlan = deployment.hosts[host].localVLANs[network]
    let inbound = installed.inbound(host: host, vni: vni, kind: topology.sharedKind(ofNetwork: network))
    guard let mapped = inbound?.vlan else {
      add(
        "missing-mapping", .error, host, network,
        "\(name) has ports of \(networkName), and no flow maps \(lanes(vni)) to a VLAN: what it receives is dropped",
        flow: inbound?.flow, missing: "missing: tun_id=0x\(String(vni, radix: 16))\(vlan.map { " → VLAN \($0)" } ?? "")", .inbound)
      return
    }
    if let vlan, mapped != vlan, !split.contains(vni) {
      add(
        "mapping-conflict", .error, host, network,
        "\(name) maps \(lanes(vni)) to VLAN \(mapped); \(networkName) is VLAN \(vlan) there", flow: inbound?.flow,
        .inbound)
    }
    if installed.learning[host][vni] == false {
      add(
        "flooded-after-learned", .error, host, network,
        "the flows of \(name) learn nothing from what arrives on \(lanes(vni)): unicast will be flooded for ever",
        flow: inbound?.deliverer, .learning)
    }
    if let again = installed.reflections[host][vni] {
      add(
        "tunnel-reflection", .error, host, network,
        "\(name) sends what arrives on \(lanes(vni)) into tunnels again: split horizon is broken", flow: again,
        .reflection)
    }
  }

  private mutating func checkOutbound(_ host: Int, _ network: Int, _ vni: UInt32, _ vlan: UInt16) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    let all = deployment.hosts.indices.filter { $0 != host }
    let active = all.filter { peer in (topology.portsOn[peer][network] ?? []).contains { deployment.ports[$0].active } }
    checkTunnels(host, network, makes(.noPeersToReach) ? active : all)
    let peers = makes(.noPeersToFlood) ? active : all
    let floods = installed.outbound[host].filter { $0.vlan == vlan && $0.isGroup && $0.destination == nil }
    guard let flood = floods.first else { return }
    if floods.allSatisfy({ $0.vni == nil }) {
      if peers.isEmpty, makes(.nobodyToSendTo) { return }
      add(
        "missing-mapping", .error, host, network,
        "\(name) has ports of \(networkName), and no flow sends its VLAN \(vlan) into the tunnels", flow: flood.flow,
        missing: "missing: a flow that floods dl_vlan=\(vlan)", .outboundMissing)
      return
    }
    for other in floods where other.vni != nil && other.vni != vni {
      add(
        "mapping-conflict", .error, host, network,
        "\(name) sends \(networkName) (VLAN \(vlan)) on \(lanes(other.vni ?? 0)); its own is VNI \(vni)",
        flow: other.flow, .outboundVNI)
    }
    if let kept = floods.first(where: { !$0.stripsTag && $0.vni != nil }) {
      add(
        "vlan-not-stripped", .error, host, network,
        "\(name) sends \(networkName) into the tunnels with VLAN \(vlan) still on the frames", flow: kept.flow,
        .outboundTag)
    }
    if hasOpenTunnel(host) { return }
    let reached = Set(floods.flatMap(\.remotes))
    let remotes = deployment.tunnelRemotes(of: host)
    for peer in peers {
      let vteps = deployment.hosts[peer].vteps
      // Where there is no tunnel either, that is what is missing.
      guard !vteps.isEmpty, !vteps.contains(where: { reached.contains($0) }),
        vteps.contains(where: remotes.contains) || !makes(.unreachedPeers)
      else { continue }
      add(
        "missing-flood-peer", .error, host, network,
        "\(name) floods \(networkName) without a copy for \(deployment.hosts[peer].name), which has ports of it",
        flow: flood.flow, .floodPeer(peer))
    }
  }

  /// Whether a port serves every peer, as the flow says (`remote_ip=flow`).
  private func hasOpenTunnel(_ host: Int) -> Bool { deployment.tunnels(of: host).contains { $0.remote == nil } }

  private mutating func checkTunnels(_ host: Int, _ network: Int, _ peers: [Int]) {
    if hasOpenTunnel(host), makes(.openTunnels) { return }
    let remotes = deployment.tunnelRemotes(of: host)
    for peer in peers {
      let vteps = deployment.hosts[peer].vteps
      guard !vteps.isEmpty, !vteps.contains(where: { remotes.contains($0) }) else { continue }
      add(
        "missing-tunnel", .error, host, network,
        "\(deployment.hosts[host].name) has no tunnel port to \(deployment.hosts[peer].name) "
          + "(\(vteps.map { "\($0)" }.joined(separator: ", "))), which has ports of \(deployment.networks[network].name)",
        flow: nil, .tunnel(peer))
    }
  }

  /// Flows that name a MAC and send its frames in another lane, or with their tag. Learned ones are left alone: they
  /// repeat what came in.
  private mutating func checkNamed(_ host: Int, _ network: Int, _ vni: UInt32, _ vlan: UInt16) {
    let name = deployment.hosts[host].name
    let networkName = deployment.networks[network].name
    for entry in installed.outbound[host] where entry.vlan == vlan {
      guard let mac = entry.destination, let other = entry.vni, let flow = entry.flow, flow.line != nil,
        !flow.isLearned
      else { continue }
      if other != vni {
        add(
          "mapping-conflict", .error, host, network,
          "\(name) sends unicast of \(networkName) (VLAN \(vlan)) for \(mac) on \(lanes(other)); its own is VNI \(vni)",
          flow: flow, .outboundVNI)
      } else if !entry.stripsTag {
        add(
          "vlan-not-stripped", .error, host, network,
          "\(name) sends unicast of \(networkName) for \(mac) into the tunnels with VLAN \(vlan) still on it", flow: flow,
          .outboundTag)
      }
    }
  }

  /// Flows that name a MAC and send it where it does not live. Learned ones are left alone: they follow the MAC.
  private mutating func checkLocations(_ host: Int, _ network: Int, _ vni: UInt32, _ vlan: UInt16) {
    for entry in installed.outbound[host] where entry.vlan == vlan && entry.vni == vni {
      guard let mac = entry.destination, let flow = entry.flow, flow.line != nil, !flow.isLearned,
        !topology.livesInSeveralPlaces(mac)
      else { continue }
      let owners = (topology.portsOfMAC[mac] ?? []).filter { topology.portNetwork[$0] == Int32(network) }
      guard owners.count == 1, deployment.ports[owners[0]].host != host else { continue }
      // Where it lives since its port went, no dump says.
      if entry.isAfter, deployment.isUnplugged(owners[0]) { continue }
      let vteps = deployment.hosts[deployment.ports[owners[0]].host].vteps
      guard !vteps.isEmpty, !entry.remotes.isEmpty, !entry.remotes.contains(where: { vteps.contains($0) }) else {
        continue
      }
      add(
        "stale-location", .error, host, network,
        "\(deployment.hosts[host].name) sends unicast for \(mac) to "
          + "\(entry.remotes.map { "\($0)" }.joined(separator: ", ")); it lives on "
          + "\(deployment.hosts[deployment.ports[owners[0]].host].name) (\(vteps[0]))", flow: flow, .location(mac))
    }
  }

  // MARK: Between hosts

  private mutating func checkTunnelPorts() {
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
