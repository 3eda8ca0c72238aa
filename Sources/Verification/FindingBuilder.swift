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
  /// What looks wrong and could be right, for what captures lack.
  var unsettled: [String] = []
  /// Stretch → its finding about changed content.
  var modifiedDrafts: [ModifiedKey: Int] = [:]
  /// Port → frames of hosts of which it gets none.
  var peerLosses: [Int32: UInt64] = [:]
  /// Stretch → frames of flows of which none passed it.
  var flowLosses: [StretchKey: UInt64] = [:]
  /// Port → its finding about a wrong tag.
  var tagDrafts: [Int32: Int] = [:]
  /// A leak → the finding about the mirror that does it; and the faults that it counts.
  var mirrorDrafts: [Leak: Int] = [:]
  var mirrored: Set<FaultKey> = []
  /// The same of trunks' subports: port → network → finding.
  var subportTagDrafts: [Int32: [Int32: Int]] = [:]
  /// Sender (index of its VTEP) → the finding about its malformed tunnel packets.
  var malformedSenders: [UInt16: Int] = [:]
  /// A fault → the wrong VLAN that it follows from, where flows of the guests' bridge explain it.
  var strayRoots: [FaultKey: FaultKey] = [:]
  /// Arrivals on another network's ports → the flow that hands them over, though it changes no VLAN.
  var copyingFlows: [FaultKey: FlowEvidence] = [:]

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
    /// Outer source MACs, of faults that somebody on the underlay does.
    var stations: Set<UInt64> = []
    /// Sender and receiver (`way`), where frames vanish between them.
    var way: UInt64?
    /// Host, where frames vanish on their way into its tunnels.
    var leaving: Int32?
    /// Host and peer, where the host sends the peer nothing, or takes nothing from it, for want of a tunnel.
    var lacking: UInt64?
    /// All networks that it is about, where it may be about several.
    var networks: [Int32] = []
    /// Index of the draft that it follows from.
    var parent: Int?
  }

  var topology: Topology { judge.topology }
  var deployment: Deployment { judge.topology.deployment }

  /// A fault of one kind with its record.
  typealias Case = (key: FaultKey, record: FaultRecord)

  mutating func build(_ contradictions: [InstalledCheck.Contradiction]) {
    addTagMismatches()
    addPassingTags()
    addMirrors()
    addModified()
    var varied: [Case] = []
    for key in sortedKeys() where !mirrored.contains(key) {
      guard let record = judge.faults[key] else { continue }
      if key.fault.isVaried { varied.append((key, record)) } else { add(key, record) }
    }
    addVaried(varied)
    mergeHosts()
    explainDeliveries()
    addStretches()
    addFloodsWithoutStrangers()
    addInstalled(contradictions)
    addUnseenLeaks()
    addDroppedByFlows()
    addDuplicates()
    addPolicyDrops()
    addReordered()
    addAnomalies()
    addUnderlay()
    attach()
  }

  func sortedKeys() -> [FaultKey] {
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

  mutating func add(_ key: FaultKey, _ record: FaultRecord) {
    switch key.fault {
    case .wrongVNI: addWrongVNI(key, record)
    case .wrongLocalVLAN: addWrongLocalVLAN(key, record)
    case .vlanNotStripped: addVLANNotStripped(key, record)
    case .unexpectedVLANTag: addUnexpectedTag(key, record)
    case .unmappedVNI: addUnmappedVNI(key, record)
    case .crossNetworkDelivery: addCrossNetworkDelivery(key, record)
    case .nonstandardTunnelPort: addTunnelPort(key, record)
    case .frameLost: addLostAtTag(key, record)
    case .changedVNI: addChangedVNI(key, record)
    case .floodedAfterLearned: addFloodedAfterLearned(key, record)
    case .tunnelReflection: addReflection(key, record)
    case .spoofedSourceMAC, .spoofBlocked: addSpoofed(key, record)
    case .untaggedPort: addUntaggedPort(key, record)
    default: break
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
    if record.count > 0 {
      if record.weak == record.count {
        finding.certainty = .suspected
      } else if record.clones == record.count {
        finding.certainty = .likely
      }
    }
    return Draft(finding: finding, key: key, frames: record.frames)
  }

  /// The branch of the first such frame that led to the wrong step, and on from there.
  func pathSteps(_ record: FaultRecord) -> [PathStep] {
    guard record.wrong < record.example.count else { return [] }
    let wrong = record.example[record.wrong]
    let end = topology.points[Int(wrong.point)]
    let isTunnel = end.isTunnel
    let entry = topology.points[Int(record.example[0].point)]
    let isDelivery = !isTunnel && (entry.isTunnel || entry.port != end.port)
    var steps: [PathStep] = []
    for (index, seen) in record.example.enumerated() where steps.count < 12 {
      let point = topology.points[Int(seen.point)]
      // Copies of a flood to other hosts are other branches.
      if isTunnel, point.isTunnel, (seen.outerFrom, seen.outerTo) != (wrong.outerFrom, wrong.outerTo) { continue }
      // A switch of the underlay showed it to a host that it was not for.
      if point.isTunnel, index != record.wrong, isOverheard(seen, by: point.host) { continue }
      if isTunnel, !point.isTunnel, !isEnd(point.host, of: wrong) { continue }
      if isDelivery, point.isTunnel ? !isEnd(end.host, of: seen) : ![entry.port, end.port].contains(point.port) { continue }
      let place = topology.place(ofPoint: Int(seen.point))
      var detail = ""
      if point.isTunnel {
        let way = seen.direction == .out ? "sent" : seen.direction == .in ? "received" : "seen"
        detail = "\(way) on \(vniText(seen.vni))"
        if seen.tagCount > 0 { detail += ", inner VLAN \(seen.vid)" }
      } else if seen.tagCount > 0 {
        detail = "VLAN \(seen.vid)"
      }
      steps.append(PathStep(place: place, mark: index == record.wrong ? .wrong : .passed, detail: detail))
    }
    return steps
  }

  /// Whether a tunnel frame is of two other hosts.
  private func isOverheard(_ seen: Observation, by host: Int32) -> Bool {
    [seen.outerFrom, seen.outerTo].allSatisfy { end in
      guard Int(end) < topology.vtepHost.count, topology.vtepHost[Int(end)] >= 0 else { return false }
      return topology.vtepHost[Int(end)] != host
    }
  }

  /// Whether a host is one of the two ends of a tunnel frame.
  func isEnd(_ host: Int32, of seen: Observation) -> Bool {
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
    "on \(deployment.hosts[flow.host].name): ovs-ofctl -O OpenFlow13 dump-flows \(flow.bridge) table=\(flow.table)"
  }

  /// What tells whether a host's flows are still as they were dumped.
  func dumpAgain(_ host: Int32) -> String {
    "on \(hostName(host)): ovs-ofctl -O OpenFlow13 dump-flows br-tun, as it is now, beside what was collected"
  }

  // MARK: Merging

  /// One fault of a host that shows in several networks is one finding.
  mutating func mergeHosts() {
    var kept: [Draft] = []
    var seen: [Int32: Int] = [:]
    for draft in drafts {
      // What one flow does to all ports of a network is one finding; what a port's tag does is that port's.
      if let key = draft.key, key.fault == .wrongVNI, tagDraft(key.port, key.network) == nil,
        let same = kept.firstIndex(where: { $0.isSameLane(as: draft) && tagDraft($0.key?.port ?? -1, key.network) == nil })
      {
        kept[same].absorb(draft)
        kept[same].finding.port = nil
        continue
      }
      // So is what one flow does to all networks.
      if let key = draft.key, key.fault == .floodedAfterLearned || key.fault == .tunnelReflection,
        let same = kept.firstIndex(where: { $0.key?.fault == key.fault && $0.isSameFlow(as: draft) })
      {
        kept[same].absorb(draft)
        kept[same].finding.network = nil
        kept[same].networks.append(key.network)
        let names = list(kept[same].networks.map(networkName))
        kept[same].finding.message =
          key.fault == .tunnelReflection ? reflectionMessage(key.host, names) : learningMessage(key.host, names, lanes: nil, learns: false)
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

  // MARK: Causes

  mutating func attach() {
    for index in drafts.indices where drafts[index].parent == nil {
      if let lacking = drafts[index].lacking, drafts[index].finding.rule == Fault.frameLost.rule {
        drafts[index].parent = drafts.indices.first { $0 != index && drafts[$0].lacking == lacking }
      }
      if drafts[index].parent == nil, drafts[index].finding.rule == Fault.frameLost.rule {
        // Frames that go round teach hosts wrong places, which their flows then send to, or drop for.
        drafts[index].parent = drafts.indices.first {
          drafts[$0].key?.fault == .tunnelReflection && drafts[$0].finding.network == drafts[index].finding.network
        }
      }
      guard drafts[index].parent == nil, let key = drafts[index].key else { continue }
      drafts[index].parent = parent(of: key, index)
    }
    // The tag's finding counts what the tag did to frames.
    let tagged = tagDrafts.map { ($0.key, $0.value) } + subportTagDrafts.flatMap { port, drafts in drafts.values.map { (port, $0) } }
    for (port, at) in tagged {
      for index in drafts.indices where drafts[index].parent == at {
        let own = drafts[index].key?.port == port || drafts[index].key == nil
        if own { drafts[at].absorb(drafts[index]) }
      }
    }
  }

  /// The finding about a port's tag, of a trunk about that of the network's subport.
  func tagDraft(_ port: Int32, _ network: Int32) -> Int? {
    guard port >= 0, topology.portFacts[Int(port)].hasSubports, network != topology.portNetwork[Int(port)] else {
      return tagDrafts[port]
    }
    return subportTagDrafts[port]?[network]
  }

  /// The finding that a port has no tag: what it sends is in no network's lane.
  func untaggedDraft(_ port: Int32) -> Int? {
    drafts.indices.first { drafts[$0].key?.fault == .untaggedPort && drafts[$0].key?.port == port }
  }

  func parent(of key: FaultKey, _ index: Int) -> Int? {
    if let mirror = mirrorDraft(key), mirror != index { return mirror }
    if let root = strayRoots[key], let found = drafts.firstIndex(where: { $0.key == root }), found != index { return found }
    switch key.fault {
    case .wrongVNI:
      if let tagged = tagDraft(key.port, key.network) { return tagged }
      // What arrives on the wrong VLAN is learned there: answers then leave in the lane it came from.
      let lane = topology.networkOfVNI[key.observed] ?? -1
      // Floods follow no learned entry: the flow that sends them there is at fault itself.
      let isFlood = judge.faults[key].map { $0.groupDestinations > 0 } ?? false
      if isFlood, drafts[index].finding.cause?.kind == .flow { return nil }
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .wrongLocalVLAN, other.detail == 0, lane >= 0 else { return false }
        return other.host == key.host && other.network == lane && other.observed == UInt32(bitPattern: key.network)
      }
    case .crossNetworkDelivery:
      if let tagged = tagDraft(key.port, Int32(bitPattern: key.observed)) { return tagged }
      if key.via == nil, let tagged = tagDraft(Int32(truncatingIfNeeded: key.detail), key.network) { return tagged }
      guard let via = key.via else {
        guard let entry = entryPort(key), entry >= 0 else { return nil }
        return tagDraft(entry, key.network)
      }
      let root = drafts.indices.first {
        guard let other = drafts[$0].key else { return false }
        return other.fault == via && other.host == key.viaHost && other.network == key.network
      }
      if let root, let above = drafts[root].key.flatMap({ self.parent(of: $0, root) }) { return above }
      return root
    case .unexpectedVLANTag:
      return tagDraft(key.port, key.network) ?? untaggedDraft(key.port)
    case .unknownVNI:
      // What one host sends another may send as well.
      guard key.via != nil else {
        return drafts.indices.first { $0 < index && drafts[$0].key?.fault == .unknownVNI && drafts[$0].key?.observed == key.observed }
      }
      return drafts.indices.first {
        drafts[$0].key?.fault == .forgedTunnelFrame && drafts[$0].key?.host == key.viaHost
      }
    case .forgedTunnelFrame:
      // Nobody sent what was changed on its way.
      return modifiedDrafts.keys.sorted { ($0.host, $0.peer) < ($1.host, $1.peer) }.first {
        $0.stage == .underlay && $0.peer == key.host && drafts[modifiedDrafts[$0] ?? 0].finding.count * 5 >= drafts[index].finding.count * 4
      }.flatMap { modifiedDrafts[$0] }
    case .macMoved, .staleLocation:
      // Whoever speaks in a host's name teaches others wrong places.
      return drafts.indices.first {
        (drafts[$0].key?.fault == .forgedTunnelFrame || drafts[$0].key?.fault == .doubtfulSender)
          && drafts[$0].finding.network == drafts[index].finding.network
      }
    case .unknownVTEP:
      // The same strange station: one box does it.
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .forgedTunnelFrame else { return false }
        return other.host == key.host && !drafts[$0].stations.isDisjoint(with: drafts[index].stations)
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

  /// Whether both name one flow as their cause.
  func isSameFlow(as other: FindingBuilder.Draft) -> Bool {
    finding.cause?.kind == .flow && finding.cause == other.finding.cause && finding.severity == other.finding.severity
      && finding.certainty == other.finding.certainty
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
