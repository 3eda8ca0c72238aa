import Correlation
import Deployment
import Observations
import Wire

/// Turns the judge's faults into findings: one cause, one finding, with what follows from it attached.
struct FindingBuilder {
  let judge: Judge
  let installed: InstalledView
  let survey: SurveyResult
  let captures: [CaptureOutcome]
  /// Findings as they grow; `id` and `causedBy` are set when the order is final.
  var drafts: [Draft] = []
  /// Port → its finding about a wrong tag.
  private var tagDrafts: [Int32: Int] = [:]

  /// Draft of forged frames → in whose names they came.
  private var forgedNames: [Int: [String]] = [:]

  init(judge: Judge, installed: InstalledView, survey: SurveyResult, captures: [CaptureOutcome]) {
    self.judge = judge
    self.installed = installed
    self.survey = survey
    self.captures = captures
  }

  struct Draft {
    var finding: Finding
    var key: FaultKey?
    var frames: FrameList
    /// Index of the draft that it follows from.
    var parent: Int?
  }

  var topology: Topology { judge.topology }
  var deployment: Deployment { judge.topology.deployment }

  mutating func build() {
    addTagMismatches()
    for key in sortedKeys() {
      guard let record = judge.faults[key] else { continue }
      add(key, record)
    }
    mergeHosts()
    explainDeliveries()
    addStretches()
    addAnomalies()
    attach()
  }

  private func sortedKeys() -> [FaultKey] {
    judge.faults.keys.sorted {
      ($0.fault.rawValue, $0.host, $0.network, $0.port, $0.observed, $0.detail)
        < ($1.fault.rawValue, $1.host, $1.network, $1.port, $1.observed, $1.detail)
    }
  }

  // MARK: Names

  func hostName(_ host: Int32) -> String {
    host >= 0 && Int(host) < deployment.hosts.count ? deployment.hosts[Int(host)].name : "an unknown host"
  }

  func networkName(_ network: Int32) -> String {
    network >= 0 && Int(network) < deployment.networks.count
      ? deployment.networks[Int(network)].name : "an unknown network"
  }

  func portName(_ port: Int32) -> String {
    port >= 0 && Int(port) < deployment.ports.count ? deployment.ports[Int(port)].name : "an unknown port"
  }

  func pointName(_ point: UInt16?) -> String? { point.map { topology.name(ofPoint: Int($0)) } }

  func vniText(_ vni: UInt32) -> String { "VNI \(vni) (0x\(String(vni, radix: 16)))" }

  /// The network whose lane a VNI is, as words.
  func laneText(_ vni: UInt32) -> String {
    guard let network = topology.networkOfVNI[vni], network >= 0 else { return "a VNI that no known network has" }
    return "the lane of network \(networkName(network))"
  }

  func localVLAN(_ host: Int32, _ network: Int32) -> UInt16? {
    guard host >= 0, network >= 0 else { return nil }
    return deployment.hosts[Int(host)].localVLANs[Int(network)]
  }

  // MARK: Faults

  private mutating func add(_ key: FaultKey, _ record: FaultRecord) {
    switch key.fault {
    case .wrongVNI: addWrongVNI(key, record)
    case .wrongLocalVLAN: addWrongLocalVLAN(key, record)
    case .vlanNotStripped: addVLANNotStripped(key, record)
    case .unexpectedVLANTag: addUnexpectedTag(key, record)
    case .unknownVNI: addUnknownVNI(key, record)
    case .unmappedVNI: addUnmappedVNI(key, record)
    case .crossNetworkDelivery: addCrossNetworkDelivery(key, record)
    case .unknownVTEP: addUnknownVTEP(key, record)
    case .forgedTunnelFrame: addForged(key, record)
    case .nonstandardTunnelPort: addTunnelPort(key, record)
    case .frameLost: addLostAtTag(key, record)
    case .floodedAfterLearned: addFloodedAfterLearned(key, record)
    case .staleLocation: addStaleLocation(key, record)
    case .tunnelReflection: addReflection(key, record)
    case .macMoved: addMACMoved(key, record)
    case .spoofedSourceMAC, .spoofBlocked: addSpoofed(key, record)
    case .duplicateAddress: addDuplicateAddress(key, record)
    case .untaggedPort: addUntaggedPort(key, record)
    case .malformedEncapsulation: break
    }
  }

  /// A finding with what all have: counts, times, examples, frames and the path of its first frame.
  func draft(
    _ key: FaultKey?, _ record: FaultRecord, rule: String, severity: Severity, host: Int32, network: Int32,
    message: String
  ) -> Draft {
    var finding = Finding(rule: rule, severity: severity, message: message)
    finding.host = host >= 0 ? hostName(host) : nil
    finding.network = network >= 0 ? networkName(network) : nil
    finding.point = pointName(record.point)
    finding.count = record.count
    finding.copies = record.copies
    finding.first = record.count > 0 ? record.first : nil
    finding.last = record.count > 0 ? record.last : nil
    finding.path = pathSteps(record)
    if record.weak == record.count, record.count > 0 { finding.certainty = .likely }
    return Draft(finding: finding, key: key, frames: record.frames)
  }

  /// The branch of the first such frame that led to the wrong step, and on from there.
  private func pathSteps(_ record: FaultRecord) -> [PathStep] {
    guard record.wrong < record.example.count else { return [] }
    let wrong = record.example[record.wrong]
    let isTunnel = topology.points[Int(wrong.point)].isTunnel
    var steps: [PathStep] = []
    for (index, seen) in record.example.enumerated() where steps.count < 12 {
      let point = topology.points[Int(seen.point)]
      // Copies of a flood to other hosts are other branches.
      if isTunnel, point.isTunnel, (seen.outerFrom, seen.outerTo) != (wrong.outerFrom, wrong.outerTo) { continue }
      if isTunnel, !point.isTunnel, !isEnd(point.host, of: wrong) { continue }
      let place = topology.place(ofPoint: Int(seen.point))
      var detail = ""
      if point.isTunnel {
        detail = "\(seen.direction == .out ? "sent on" : "received on") \(vniText(seen.vni))"
        if seen.tagCount > 0 { detail += ", inner VLAN \(seen.vid)" }
      } else if seen.tagCount > 0 {
        detail = "VLAN \(seen.vid)"
      }
      steps.append(PathStep(place: place, mark: index == record.wrong ? .wrong : .passed, detail: detail))
    }
    return steps
  }

  /// Whether a host is one of the two ends of a tunnel frame.
  private func isEnd(_ host: Int32, of seen: Observation) -> Bool {
    for end in [seen.outerFrom, seen.outerTo] where Int(end) < topology.vtepHost.count {
      if topology.vtepHost[Int(end)] == host { return true }
    }
    return topology.points[Int(seen.point)].host == host
  }

  func flowCause(_ flow: FlowEvidence) -> Cause {
    var cause = Cause(
      kind: .flow, host: deployment.hosts[flow.host].name, bridge: flow.bridge, table: flow.table, text: flow.text)
    cause.file = flow.file
    cause.line = flow.line
    return cause
  }

  func showFlows(_ flow: FlowEvidence) -> String {
    "on \(deployment.hosts[flow.host].name): ovs-ofctl dump-flows \(flow.bridge) table=\(flow.table)"
  }

  private mutating func addWrongVNI(_ key: FaultKey, _ record: FaultRecord) {
    guard !isRareClone(key, record) else { return }
    let vni = topology.vni(ofNetwork: Int(key.network)) ?? 0
    let vlan = localVLAN(key.host, key.network)
    let what =
      record.groupDestinations == record.count
      ? "broadcast and multicast" : record.groupDestinations == 0 ? "unicast" : "frames"
    let vlanText = vlan.map { " (VLAN \($0))" } ?? ""
    let message =
      "\(hostName(key.host)) sends \(what) of \(networkName(key.network))\(vlanText) on \(vniText(key.observed)), "
      + "\(laneText(key.observed)); \(networkName(key.network))'s is \(vniText(vni))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("vni", .number(Int64(vni)))]
    draft.finding.observed = [("vni", .number(Int64(key.observed)))]
    draft.finding.port = portName(key.port)
    let tag = deployment.ports[Int(key.port)].installedTag ?? vlan
    if let tag {
      let destination: MACAddress? =
        record.groupDestinations > 0 ? .broadcast : record.destinations.keys.sorted().first
      if let flow = installed.flow(host: Int(key.host), vlan: tag, destination: destination, vni: key.observed) {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
        draft.finding.certainty = .proven
      } else if installed.hasFlows[Int(key.host)] {
        draft.finding.cause = Cause(
          kind: .datapath, host: hostName(key.host),
          text: "no dumped flow sends VLAN \(tag) on this VNI: the dump is of another time, or the datapath differs")
      }
    }
    soften(&draft, "capture the sending port (tap or qvo) to see where these frames entered")
    drafts.append(draft)
  }

  /// Frames that only tenants with the same MAC in two networks seem to have leaked, few beside those that kept to
  /// their lane: two captures that each lost a sighting look alike.
  private func isRareClone(_ key: FaultKey, _ record: FaultRecord) -> Bool {
    guard record.weak == record.count, record.clones == record.count, key.network >= 0 else { return false }
    let lawful = deployment.hosts.indices.reduce(UInt64(0)) {
      let cell = judge.cell(Int32($1), key.network)
      return $0 + judge.out[cell] - min(judge.out[cell], judge.outWrong[cell]) + judge.in[cell]
    }
    return record.count < lawful
  }

  /// What rests on weak evidence only, and no state explains, is a suspicion.
  func soften(_ draft: inout Draft, _ next: String) {
    guard draft.finding.certainty == .likely else { return }
    draft.finding.severity = .warning
    draft.finding.certainty = .suspected
    draft.finding.next.append(next)
  }

  private mutating func addWrongLocalVLAN(_ key: FaultKey, _ record: FaultRecord) {
    guard !isRareClone(key, record) else { return }
    let expected = localVLAN(key.host, key.network)
    let vni = topology.vni(ofNetwork: Int(key.network))
    // From a mirror the tag itself is known; else the network whose port got the frame.
    let observed = key.detail == 1 ? UInt16(truncatingIfNeeded: key.observed) : localVLAN(key.host, Int32(bitPattern: key.observed))
    let where_ = observed.map { "VLAN \($0)" } ?? "another VLAN"
    let other = key.detail == 1 ? "" : ", that of network \(networkName(Int32(bitPattern: key.observed)))"
    let right = expected.map { "; its VLAN there is \($0)" } ?? ""
    let message =
      "\(hostName(key.host)) puts frames of \(networkName(key.network))"
      + "\(vni.map { " (\(vniText($0)))" } ?? "") on \(where_)\(other)\(right)"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    if let expected { draft.finding.expected = [("localVLAN", .number(Int64(expected)))] }
    if let observed { draft.finding.observed = [("localVLAN", .number(Int64(observed)))] }
    if let vni, let inbound = installed.inbound(host: Int(key.host), vni: vni) {
      if let flow = inbound.flow, let vlan = inbound.vlan, vlan != expected {
        draft.finding.cause = flowCause(flow)
        draft.finding.next.append(showFlows(flow))
      } else if inbound.vlan != nil {
        draft.finding.cause = Cause(
          kind: .datapath, host: hostName(key.host),
          text: "the dumped flows map this VNI rightly: the dump is of another time, or the datapath differs")
      }
    }
    if draft.finding.cause?.kind != .flow { soften(&draft, "capture all ports of both networks on \(hostName(key.host))") }
    drafts.append(draft)
  }

  private mutating func addVLANNotStripped(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(hostName(key.host)) sends frames of \(networkName(key.network)) into the tunnel with its local "
      + "VLAN \(key.observed) still on them; hosts beyond it will not deliver them"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("innerVLAN", .text("none"))]
    draft.finding.observed = [("innerVLAN", .number(Int64(key.observed)))]
    if let flow = installed.unstripping(host: Int(key.host), vlan: UInt16(truncatingIfNeeded: key.observed)) {
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
      draft.finding.certainty = .proven
    }
    soften(&draft, "collect ovs-vsctl show and the flows of br-tun, and capture the sending port")
    drafts.append(draft)
  }

  private mutating func addUnexpectedTag(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(hostName(key.host)) hands frames to \(portName(key.port)) with VLAN tag \(key.observed), which they did not "
      + "have where they entered"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.finding.observed = [("vlan", .number(Int64(key.observed)))]
    let name = deployment.ports[Int(key.port)].bridgePort ?? portName(key.port)
    draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl --columns=tag,trunks,vlan_mode list port \(name)")
    drafts.append(draft)
  }

  private mutating func addUnknownVNI(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "tunnel frames between known VTEPs carry \(vniText(key.observed)), which no known network has; seen at "
      + "\(pointName(record.point) ?? hostName(key.host))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: deployment.complete ? .error : .info, host: key.host, network: -1,
      message: message)
    draft.finding.observed = [("vni", .number(Int64(key.observed)))]
    drafts.append(draft)
  }

  private mutating func addUnmappedVNI(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(hostName(key.host)) drops what it receives for \(networkName(key.network)): no flow maps "
      + "\(vniText(key.observed)) to a VLAN, though the host has ports of the network"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    if let vlan = localVLAN(key.host, key.network) {
      draft.finding.expected = [("localVLAN", .number(Int64(vlan)))]
    }
    draft.finding.observed = [("localVLAN", .text("none"))]
    let drop = installed.inbound(host: Int(key.host), vni: key.observed)?.flow
    var cause = Cause(
      kind: .missingFlow, host: hostName(key.host), bridge: drop?.bridge ?? tunnelBridge(key.host), table: drop?.table,
      text: "missing: tun_id=0x\(String(key.observed, radix: 16))"
        + "\(localVLAN(key.host, key.network).map { " → VLAN \($0)" } ?? "")"
        + "\(drop.map { "; dropped by: \($0.text)" } ?? "")")
    cause.file = drop?.file
    cause.line = drop?.line
    draft.finding.cause = cause
    draft.finding.next.append(
      "on \(hostName(key.host)): ovs-ofctl dump-flows \(cause.bridge ?? "br-tun") | grep tun_id; "
        + "a restart of neutron-openvswitch-agent reinstalls the flows")
    drafts.append(draft)
  }

  func tunnelBridge(_ host: Int32) -> String? { deployment.tunnels(of: Int(host)).first?.bridge }

  private mutating func addCrossNetworkDelivery(_ key: FaultKey, _ record: FaultRecord) {
    guard !isRareClone(key, record) else { return }
    let other = Int32(bitPattern: key.observed)
    let message =
      "\(record.count) frame\(record.count == 1 ? "" : "s") of network \(networkName(key.network)) reached "
      + "\(portName(key.port)) on \(hostName(key.host)), a port of network \(networkName(other))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.finding.expected = [("network", .text(networkName(key.network)))]
    draft.finding.observed = [("network", .text(networkName(other)))]
    soften(&draft, "capture all ports of both networks, where the frames came from and where they went")
    drafts.append(draft)
  }

  private mutating func addUnknownVTEP(_ key: FaultKey, _ record: FaultRecord) {
    let capture = Int(key.observed >> 16)
    let index = Int(key.observed & 0xffff) - Int(ObservationBuilder.unknownBase)
    let known = capture < captures.count ? captures[capture].unknown.addresses : []
    let address = index >= 0 && index < known.count ? "\(known[index])" : "more addresses than are kept"
    let station = MACAddress(rawValue: key.detail)
    let message =
      "\(hostName(key.host)) receives tunnel frames from \(address), which is no VTEP of this deployment "
      + "(sent by station \(station))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: deployment.complete ? .error : .warning, host: key.host,
      network: key.network, message: message)
    draft.finding.observed = [("vtep", .text(address)), ("station", .text("\(station)"))]
    drafts.append(draft)
  }

  private mutating func addForged(_ key: FaultKey, _ record: FaultRecord) {
    let sender = key.port
    let station = MACAddress(rawValue: key.detail)
    let stations = judge.lawfulStations[
      UInt64(UInt32(bitPattern: key.host)) << 32 | UInt64(UInt32(bitPattern: sender))]
    let strange = stations.map { !$0.contains(station) } ?? false
    let owner = Judge.Ownership(rawValue: UInt8(truncatingIfNeeded: key.observed)) ?? .unknown
    // Without a second witness this may as well be a frame that the sender's captures lost.
    guard strange || owner == .elsewhere || owner == .notSent else { return }
    if !strange {
      // What chance explains: frames that both points of the sender lost, or one where only one looked.
      let missed = Double(judge.sendingMissed[Int(sender)])
      let all = missed + Double(judge.sendingSeen[Int(sender)])
      let rate = all > 0 ? missed / all : 0
      let expected = owner == .notSent ? rate * missed : missed
      // And those of which the sender's captures hold too little.
      let points = topology.points.indices.filter { topology.points[$0].isTunnel && topology.points[$0].host == sender }
      guard Double(record.count) > 10 * (expected + 0.4) + Double(tooShort(at: points)) else { return }
    }
    let address = deployment.hosts[Int(sender)].vteps.first.map { "\($0)" } ?? hostName(sender)
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: "")
    // One station is one culprit, in whosever name it sends.
    let same = drafts.firstIndex {
      $0.key?.fault == .forgedTunnelFrame && $0.key?.host == key.host && $0.key?.detail == key.detail
    }
    let name = "\(hostName(sender)) (\(address))"
    if let same {
      if !forgedNames[same, default: []].contains(name) { forgedNames[same, default: []].append(name) }
      if drafts[same].finding.network == nil { drafts[same].finding.network = draft.finding.network }
      drafts[same].absorb(draft)
    } else {
      draft.finding.cause = Cause(kind: .sender, text: "a station on the underlay with MAC \(station)")
      draft.finding.next.append("find \(station) in the underlay switches' MAC tables")
      drafts.append(draft)
      forgedNames[drafts.count - 1] = [name]
    }
    let at = same ?? drafts.count - 1
    let names = (forgedNames[at] ?? []).joined(separator: " and ")
    drafts[at].finding.observed = [("vtep", .list(forgedNames[at] ?? [])), ("station", .text("\(station)"))]
    drafts[at].finding.message =
      "\(hostName(key.host)) receives tunnel frames in the name of \(names) that were never sent there"
      + (strange ? "; they come from station \(station), which is none of theirs" : "")
  }

  private mutating func addTunnelPort(_ key: FaultKey, _ record: FaultRecord) {
    let usual = judge.tunnelPorts.usual
    let message =
      "\(hostName(key.host)) uses UDP port \(key.observed) for its tunnels where its peers use "
      + "\(usual.map { "\($0)" } ?? "another"): neither side receives what the other sends"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    if let usual { draft.finding.expected = [("udpPort", .number(Int64(usual)))] }
    draft.finding.observed = [("udpPort", .number(Int64(key.observed)))]
    if let tunnel = deployment.tunnels(of: Int(key.host)).first(where: { $0.destinationPort == UInt16(truncatingIfNeeded: key.observed) }) {
      draft.finding.cause = Cause(
        kind: .tunnel, host: hostName(key.host), bridge: tunnel.bridge,
        text: "Interface \(tunnel.name): options:dst_port=\(tunnel.destinationPort)")
      draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl get interface \(tunnel.name) options")
    }
    let refusals = captures.reduce(UInt64(0)) { $0 + $1.counts.portUnreachable.values.reduce(0, +) }
    if refusals > 0 {
      draft.finding.observed.append(("icmpPortUnreachable", .number(Int64(clamping: refusals))))
    }
    drafts.append(draft)
  }

  // MARK: Tags, stretches, headers

  private mutating func addTagMismatches() {
    for (index, port) in deployment.ports.enumerated() where topology.hasWrongTag[index] {
      guard let expected = port.expectedTag(in: deployment) else { continue }
      let wrong = [port.installedTag, port.installedTagAfter].compactMap { $0 }.first { $0 != expected } ?? 0
      let host = Int32(port.host)
      let network = Int32(port.network ?? -1)
      let owner = deployment.hosts[port.host].localVLANs.first { $0.value == wrong }?.key
      let dead = wrong == 4095 ? ", the dead VLAN" : owner.map { ", that of network \(deployment.networks[$0].name)" } ?? ""
      let name = port.bridgePort ?? port.name
      let message =
        "port \(name)\(port.name == name ? "" : " of \(port.name)") on \(hostName(host)) has tag \(wrong)\(dead); "
        + "its network \(networkName(network)) is VLAN \(expected) there"
      var draft = draft(
        nil, FaultRecord(), rule: wrong == 4095 ? "dead-vlan" : "port-tag-mismatch",
        severity: wrong == 4095 ? .warning : .error, host: host, network: network, message: message)
      draft.finding.port = port.name
      draft.finding.expected = [("tag", .number(Int64(expected)))]
      draft.finding.observed = [("tag", .number(Int64(wrong)))]
      draft.finding.cause = Cause(
        kind: .portTag, host: hostName(host), bridge: deployment.bridge(ofPort: name, on: port.host),
        text: "Port \(name): tag \(wrong), agent's record \(expected)")
      draft.finding.next.append("on \(hostName(host)): ovs-vsctl get port \(name) tag other_config")
      drafts.append(draft)
      tagDrafts[Int32(index)] = drafts.count - 1
    }
  }

  /// Frames that found no port, because the port's tag is another VLAN's.
  private mutating func addLostAtTag(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(record.count) frame\(record.count == 1 ? "" : "s") of \(networkName(key.network)) reached "
      + "\(hostName(key.host)) and no port there: \(portName(key.port)) is on another VLAN"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.parent = tagDrafts[key.port]
    drafts.append(draft)
  }

  /// One fault of a host that shows in several networks is one finding.
  private mutating func mergeHosts() {
    var kept: [Draft] = []
    var seen: [Int32: Int] = [:]
    for draft in drafts {
      // What one flow does to all ports of a network is one finding; what a port's tag does is that port's.
      if let key = draft.key, key.fault == .wrongVNI, tagDrafts[key.port] == nil,
        let same = kept.firstIndex(where: { $0.isSameLane(as: draft) && tagDrafts[$0.key?.port ?? -1] == nil })
      {
        kept[same].absorb(draft)
        kept[same].finding.port = nil
        continue
      }
      if let key = draft.key, key.fault == .nonstandardTunnelPort {
        if let at = seen[key.host] {
          kept[at].absorb(draft)
          kept[at].finding.network = nil
          continue
        }
        seen[key.host] = kept.count
      }
      kept.append(draft)
    }
    drafts = kept
  }

  /// Deliveries into another network whose way into the host was not captured: where the host's flows put the
  /// network on that VLAN, they did it.
  private mutating func explainDeliveries() {
    for index in drafts.indices {
      guard let key = drafts[index].key, key.fault == .crossNetworkDelivery, key.via == nil, tagDrafts[key.port] == nil,
        let record = judge.faults[key], let vni = topology.vni(ofNetwork: Int(key.network)),
        let vlan = installed.inbound(host: Int(key.host), vni: vni)?.vlan,
        vlan == localVLAN(key.host, Int32(bitPattern: key.observed)), vlan != localVLAN(key.host, key.network)
      else { continue }
      let root = FaultKey(
        fault: .wrongLocalVLAN, host: key.host, network: key.network, observed: key.observed)
      if let known = drafts.firstIndex(where: { $0.key == root }) {
        drafts[index].parent = known
      } else {
        addWrongLocalVLAN(root, record)
        drafts[index].parent = drafts.count - 1
      }
    }
  }

  private mutating func addStretches() {
    let keys = judge.stretches.keys.sorted {
      ($0.stretch.rawValue, $0.host, $0.peer, $0.network, $0.port)
        < ($1.stretch.rawValue, $1.host, $1.peer, $1.network, $1.port)
    }
    for key in keys {
      guard let record = judge.stretches[key], record.passed == 0, record.missed.count > 0 else { continue }
      if key.stretch == .floodCopy {
        addMissingFloodCopy(key, record.missed)
        continue
      }
      let tagged = key.port >= 0 ? tagDrafts[key.port] : nil
      // A handful may be chance; where state explains it, one is enough.
      guard provenMisses(key, record) >= 3 || tagged != nil else { continue }
      guard stretchIsCredible(key) else { continue }
      // Where the way into the host was not captured, its flows still tell why.
      let receiver = key.stretch == .betweenPorts ? key.peer : key.host
      if key.stretch == .betweenPorts || key.stretch == .toPort, tagged == nil, key.network >= 0,
        let vni = topology.vni(ofNetwork: Int(key.network)), installed.isUnmapped(host: Int(receiver), vni: vni)
      {
        addUnmappedVNI(
          FaultKey(fault: .unmappedVNI, host: receiver, network: key.network, observed: vni), record.missed)
        continue
      }
      let count = record.missed.count
      let message: String
      switch key.stretch {
      case .intoTunnel:
        message =
          "none of \(count) frames of \(portName(key.port)) that must leave \(hostName(key.host)) shows at its tunnel "
          + "point: they vanish inside \(hostName(key.host))"
      case .underlay:
        message =
          "none of \(count) tunnel frames from \(hostName(key.host)) to \(hostName(key.peer)) "
          + "arrives there: they vanish on the underlay"
      case .toPort:
        message =
          "none of \(count) frames of \(networkName(key.network)) that reached \(hostName(key.host)) for "
          + "\(portName(key.port)) shows at its port: they vanish inside \(hostName(key.host))"
      case .betweenPorts:
        message =
          "none of \(count) frames of \(networkName(key.network)) that guests on \(hostName(key.host)) sent for "
          + "\(portName(key.port)) shows at its port on \(hostName(key.peer)), whose tunnel interface was not captured"
      case .floodCopy: continue
      }
      var draft = draft(
        nil, record.missed, rule: Fault.frameLost.rule, severity: .error, host: key.host, network: key.network,
        message: message)
      draft.finding.port = key.port >= 0 ? portName(key.port) : nil
      draft.parent = tagged
      if key.stretch == .betweenPorts { draft.finding.certainty = .likely }
      if key.stretch == .intoTunnel { explainVanishing(&draft, key) }
      draft.finding.observed = [("arrived", .number(0))]
      draft.finding.expected = [("arrived", .number(Int64(clamping: count)))]
      drafts.append(draft)
    }
  }

  /// The flow that drops what should go into the tunnels.
  private func explainVanishing(_ draft: inout Draft, _ key: StretchKey) {
    guard let vlan = deployment.ports[Int(key.port)].installedTag ?? localVLAN(key.host, key.network),
      let flood = installed.flood(host: Int(key.host), vlan: vlan), flood.vni == nil
    else { return }
    let drop = flood.flow
    var cause = Cause(
      kind: .missingFlow, host: hostName(key.host), bridge: drop?.bridge ?? tunnelBridge(key.host), table: drop?.table,
      text: "missing: a flow that floods dl_vlan=\(vlan)\(drop.map { "; dropped by: \($0.text)" } ?? "")")
    cause.file = drop?.file
    cause.line = drop?.line
    draft.finding.cause = cause
    if let drop { draft.finding.next.append(showFlows(drop)) }
  }

  /// How many of the frames that vanished the points beyond would have shown: those of a kind that they never show
  /// a capture filter may have left out, and captures of too few bytes prove nothing.
  private func provenMisses(_ key: StretchKey, _ record: StretchRecord) -> UInt64 {
    let witnesses = topology.points.indices.filter { index in
      let point = topology.points[index]
      switch key.stretch {
      case .intoTunnel: return point.isTunnel && point.host == key.host
      case .underlay, .floodCopy: return point.isTunnel && point.host == key.peer
      case .toPort, .betweenPorts: return point.isGuestSide && point.port == key.port
      }
    }
    let shown = witnesses.reduce(UInt16(0)) { $0 | judge.shownKinds[$1] }
    let misses = record.missedKinds.reduce(UInt64(0)) { $1.key & shown != 0 ? $0 + $1.value : $0 }
    return tooShort(at: witnesses) >= misses ? 0 : misses
  }

  /// Frames at some points of which too little was captured to know them.
  private func tooShort(at points: [Int]) -> UInt64 {
    let files = Set(points.flatMap { topology.plan.points[$0].captures })
    return files.reduce(UInt64(0)) { $1 < captures.count ? $0 + captures[$1].counts.tooShort : $0 }
  }

  /// Whether the place where frames are missed shows others: then it was working and looking.
  private func stretchIsCredible(_ key: StretchKey) -> Bool {
    switch key.stretch {
    case .underlay:
      return judge.stretches.contains {
        $0.key.stretch == .underlay && $0.key.peer == key.peer && $0.key != key && $0.value.passed > 0
      } || judge.stretches.contains { $0.key.stretch == .underlay && $0.key.host == key.peer && $0.value.passed > 0 }
    case .intoTunnel, .toPort, .betweenPorts, .floodCopy:
      return true
    }
  }

  private mutating func addAnomalies() {
    var groups: [UInt64: (record: FaultRecord, kind: EncapsulationAnomaly.Kind, host: Int32, from: UInt16, list: Int)] = [:]
    for (number, outcome) in captures.enumerated() {
      for anomaly in outcome.anomalies {
        let host = topology.points[Int(anomaly.point)].host
        let from = anomaly.outerFrom >= ObservationBuilder.unknownBase ? VTEPTable.none : anomaly.outerFrom
        let key = UInt64(anomaly.kind.rawValue) << 48 | UInt64(UInt32(bitPattern: host)) << 16 | UInt64(from)
        var group = groups[key] ?? (FaultRecord(), anomaly.kind, host, from, number)
        group.record.count += 1
        group.record.copies += 1
        group.record.first = min(group.record.first, anomaly.time)
        group.record.last = max(group.record.last, anomaly.time)
        group.record.point = anomaly.point
        group.record.frames.add(capture: anomaly.capture, frame: anomaly.frame)
        groups[key] = group
      }
    }
    for key in groups.keys.sorted() {
      guard let group = groups[key] else { continue }
      let sender =
        Int(group.from) < topology.plan.vteps.addresses.count
        ? "\(topology.plan.vteps.addresses[Int(group.from)])" : "an unknown address"
      let what =
        switch group.kind {
        case .vxlanWithoutID: "VXLAN frames without the I flag: their VNI is not valid (RFC 7348, section 5)"
        case .greWithoutKey: "GRE frames without a key, though keys are how tunnels tell networks apart"
        case .cutHeader: "tunnel frames whose inner header is cut on the wire"
        case .reservedBits: "VXLAN frames with reserved bits set, which receivers ignore (RFC 7348, section 5)"
        }
      let draft = draft(
        nil, group.record, rule: Fault.malformedEncapsulation.rule,
        severity: group.kind == .reservedBits ? .info : .error, host: group.host, network: -1,
        message: "\(hostName(group.host)) sees \(what); sent by \(sender)")
      drafts.append(draft)
    }
  }

  // MARK: Causes

  private mutating func attach() {
    for index in drafts.indices where drafts[index].parent == nil {
      guard let key = drafts[index].key else { continue }
      drafts[index].parent = parent(of: key, index)
    }
    // The tag's finding counts what the tag did to frames.
    for (port, at) in tagDrafts {
      for index in drafts.indices where drafts[index].parent == at {
        let own = drafts[index].key?.port == port || drafts[index].key == nil
        if own { drafts[at].absorb(drafts[index]) }
      }
    }
  }

  private func parent(of key: FaultKey, _ index: Int) -> Int? {
    switch key.fault {
    case .wrongVNI:
      if let tagged = tagDrafts[key.port] { return tagged }
      // What arrives on the wrong VLAN is learned there: answers then leave in the lane it came from.
      let lane = topology.networkOfVNI[key.observed] ?? -1
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .wrongLocalVLAN, lane >= 0 else { return false }
        return other.host == key.host && other.network == lane && other.observed == UInt32(bitPattern: key.network)
      }
    case .crossNetworkDelivery:
      if let tagged = tagDrafts[key.port] { return tagged }
      if key.via == nil, let tagged = tagDrafts[Int32(truncatingIfNeeded: key.detail)] { return tagged }
      guard let via = key.via else { return nil }
      let root = drafts.indices.first {
        guard let other = drafts[$0].key else { return false }
        return other.fault == via && other.host == key.viaHost && other.network == key.network
      }
      if let root, let above = drafts[root].key.flatMap({ self.parent(of: $0, root) }) { return above }
      return root
    case .unknownVNI:
      guard key.via != nil else { return nil }
      return drafts.indices.first {
        drafts[$0].key?.fault == .forgedTunnelFrame && drafts[$0].key?.host == key.viaHost
      }
    case .macMoved:
      // Reflected frames teach hosts wrong places.
      return drafts.indices.first {
        drafts[$0].key?.fault == .tunnelReflection && drafts[$0].key?.network == key.network
      }
    case .unknownVTEP:
      // The same strange station: one box does it.
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .forgedTunnelFrame else { return false }
        return other.detail == key.detail && other.host == key.host
      }
    default: return nil
    }
  }
}

extension FindingBuilder.Draft {
  /// Whether both say that a host sends a network in the same wrong lane, by the same cause.
  func isSameLane(as other: FindingBuilder.Draft) -> Bool {
    guard let key, let its = other.key, key.fault == .wrongVNI else { return false }
    return (key.host, key.network, key.observed) == (its.host, its.network, its.observed)
      && finding.cause == other.finding.cause && finding.severity == other.finding.severity
  }

  /// Adds the counts and frames of another finding of the same cause.
  mutating func absorb(_ other: FindingBuilder.Draft) {
    finding.count += other.finding.count
    finding.copies += other.finding.copies
    if let first = other.finding.first { finding.first = min(finding.first ?? first, first) }
    if let last = other.finding.last { finding.last = max(finding.last ?? last, last) }
    if finding.point == nil { finding.point = other.finding.point }
    if finding.path.isEmpty { finding.path = other.finding.path }
    frames.merge(other.frames)
  }
}

extension Deployment {
  /// The bridge that has a port of this name.
  func bridge(ofPort name: String, on host: Int) -> String? {
    hosts[host].state?.bridges.first { $0.ports.contains { $0.name == name } }?.name
  }
}
