import Correlation
import Deployment
import Observations
import Wire

/// Turns the judge's faults into findings: one cause, one finding, with what follows from it attached.
struct FindingBuilder {
  private(set) var judge: Judge
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
    judge.discountForwarded()
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

  /// The network whose lane a wrong VNI is, as words.
  func laneText(_ key: FaultKey, _ record: FaultRecord) -> String {
    let network = judge.lane(key, record)
    guard network >= 0 else { return "a VNI that no known network has" }
    return "the lane of network \(networkName(network))"
  }

  /// The kind of tunnels of a network whose VNI another network has in tunnels of another kind, as words.
  func sharedKindText(_ network: Int32) -> String {
    topology.sharedKind(ofNetwork: Int(network)).map { " in \($0.rawValue.uppercased()) tunnels" } ?? ""
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
}

extension Deployment {
  /// The bridge that has a port of this name.
  func bridge(ofPort name: String, on host: Int) -> String? {
    hosts[host].state?.bridges.first { $0.ports.contains { $0.name == name } }?.name
  }
}
