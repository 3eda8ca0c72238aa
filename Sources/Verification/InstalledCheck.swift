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
  private(set) var split: Set<UInt32> = []
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
    /// Where it was so for a part of the time: when, as far as dumps tell.
    var span: InstalledTimeline.Span?
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
      if deployment.hosts[host].localVLANs[network] != nil {
        checkOutbound(host, network, vni)
        checkNamed(host, network, vni)
        checkLocations(host, network, vni)
      }
    }
  }

  func lanes(_ vni: UInt32) -> String {
    let text = "VNI \(vni) (0x\(String(vni, radix: 16)))"
    guard let network = topology.networkOfVNI[vni], network >= 0 else { return text }
    return "\(text), the lane of network \(deployment.networks[Int(network)].name)"
  }

  mutating func add(
    _ rule: String, _ severity: Severity, _ host: Int, _ network: Int?, _ message: String, flow: FlowEvidence?,
    missing: String? = nil, _ kind: Contradiction.Kind = .other, only span: InstalledTimeline.Span? = nil
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
      contradictions.append(Contradiction(kind: kind, host: host, network: network, finding: finding, span: span))
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
      let own = network.flatMap { ownVLAN(host, $0, isAfter: lane.isAfter) }
      let wrong = installed.inbound[host].first { entry in
        entry.vni == lane.vni && entry.kind.rawValue == lane.kind && entry.isAfter == lane.isAfter && entry.vlan != nil
          && entry.vlan != own
      }
      add(
        "mapping-conflict", isUsed || !makes(.unusedMapping) ? .error : .info, host, network,
        "\(deployment.hosts[host].name) puts \(lanes(lane.vni)) on several VLANs, by tunnel: "
          + found.sorted().map { "\($0)" }.joined(separator: ", "), flow: wrong?.flow)
    }
  }

  /// Two VNIs on one VLAN: an error where both are networks with ports here.
  private mutating func checkSharedVLANs(_ host: Int) {
    struct Lane: Hashable {
      var vlan: UInt16
      var isAfter: Bool
    }
    var owners: [Lane: Set<UInt32>] = [:]
    for entry in installed.inbound[host] {
      if let vlan = entry.vlan { owners[Lane(vlan: vlan, isAfter: entry.isAfter), default: []].insert(entry.vni) }
    }
    for lane in owners.keys.sorted(by: { ($0.vlan, $0.isAfter ? 1 : 0) < ($1.vlan, $1.isAfter ? 1 : 0) }) {
      let vnis = (owners[lane] ?? []).sorted()
      guard vnis.count > 1, !vnis.contains(where: { isElsewhere($0, host, than: lane.vlan, isAfter: lane.isAfter) }) else { continue }
      let used = vnis.allSatisfy { vni in
        topology.networkOfVNI[vni].map { $0 >= 0 && topology.portsOn[host][Int($0)] != nil } ?? false
      }
      add(
        "mapping-conflict", used || !makes(.unusedMapping) ? .error : .info, host, nil,
        "\(deployment.hosts[host].name) puts several VNIs on VLAN \(lane.vlan): \(vnis.map(lanes).joined(separator: "; "))",
        flow: installed.inbound[host].first { $0.vni == vnis[0] && $0.vlan == lane.vlan && $0.isAfter == lane.isAfter }?.flow)
    }
  }

  /// Whether a VNI's network has another VLAN there: then that is what is wrong.
  private func isElsewhere(_ vni: UInt32, _ host: Int, than vlan: UInt16, isAfter: Bool) -> Bool {
    guard let network = topology.networkOfVNI[vni], network >= 0, topology.portsOn[host][Int(network)] != nil,
      let own = ownVLAN(host, Int(network), isAfter: isAfter)
    else { return false }
    return own != vlan
  }
}
