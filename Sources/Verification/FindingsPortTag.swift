import Correlation
import Deployment
import Observations
import Wire

/// Findings about ports whose tag is not the VLAN of their network.
extension FindingBuilder {
  mutating func addTagMismatches() {
    for (index, port) in deployment.ports.enumerated() {
      if topology.hasWrongTag(index, in: topology.portNetwork[index]), let (wrong, expected) = port.wrongTag(in: deployment) {
        let name = port.bridgePort ?? port.name
        addTagMismatch(
          port, of: port.network, name: "\(name)\(port.name == name ? "" : " of \(port.name)")", bridgePort: name,
          wrong, expected)
        tagDrafts[Int32(index)] = drafts.count - 1
      }
      if port.isDead, port.expectedTag(in: deployment) == nil, isInUse(index) { addDead(port) }
      for (patch, wrong, expected) in port.wrongSubportTags(in: deployment)
      where subportTagDrafts[Int32(index)]?[Int32(patch.network)] == nil {
        addTagMismatch(
          port, of: patch.network, name: "\(patch.name) of \(port.name)", bridgePort: patch.name, wrong, expected)
        subportTagDrafts[Int32(index), default: [:]][Int32(patch.network)] = drafts.count - 1
      }
    }
  }

  /// Whether a guest speaks at a port: what its host's own devices send is IPv6.
  private func isInUse(_ port: Int) -> Bool {
    topology.guestPoints[port].contains { judge.shownKinds[$0] & (Observation.Class.arpRequest.kindBit | Observation.Class.udp.kindBit) != 0 }
  }

  /// A port on the dead VLAN of which no source says where it should be.
  private mutating func addDead(_ port: Port) {
    let name = port.bridgePort ?? port.name
    var draft = draft(
      nil, FaultRecord(), rule: "dead-vlan", severity: .warning, host: Int32(port.host), network: -1,
      message: "port \(name) on \(hostName(Int32(port.host))) has tag 4095, the dead VLAN: its agent did not bind it")
    draft.finding.port = port.name
    draft.finding.observed = [("tag", .number(4095))]
    draft.finding.cause = Cause(
      kind: .portTag, host: hostName(Int32(port.host)), bridge: deployment.bridge(ofPort: name, on: port.host),
      text: "Port \(name): tag 4095, agent's record none")
    draft.finding.next.append("on \(hostName(Int32(port.host))): ovs-vsctl get port \(name) tag other_config")
    drafts.append(draft)
  }

  /// Ports that were on another network's VLAN both ways, though no dump shows that: their tag was another one for a while.
  mutating func addPassingTags() {
    guard !survey.inferredNetworks else { return }
    struct Lane: Hashable {
      var port: Int32
      var network: Int32
    }
    var left: [Lane: FaultRecord] = [:]
    var got: [Lane: FaultRecord] = [:]
    // Of two ports that got each other's, the one that others exchanged frames with has moved.
    var others: [Lane: UInt64] = [:]
    for key in sortedKeys() {
      guard let record = judge.faults[key], record.weak < record.count, record.clones < record.count, !isByTag(key) else { continue }
      switch key.fault {
      case .wrongVNI where key.port >= 0 && !isInstalled(wrongLane: key):
        let lane = Lane(port: key.port, network: judge.lane(key, record))
        left[lane, default: FaultRecord()].merge(record)
        others[lane, default: 0] += record.count
      case .crossNetworkDelivery where key.via == nil || isBeside(key):
        let lane = Lane(port: key.port, network: key.network)
        got[lane, default: FaultRecord()].merge(record)
        guard key.via == nil, let entry = entryPort(key) else {
          others[lane, default: 0] += record.count
          break
        }
        let origin = Lane(port: entry, network: Int32(bitPattern: key.observed))
        if topology.portHost[Int(entry)] == key.host {
          left[origin, default: FaultRecord()].merge(record)
        } else {
          others[lane, default: 0] += record.count
          others[origin, default: 0] += record.count
        }
      default: break
      }
    }
    for lane in left.keys.sorted(by: { ($0.port, $0.network) < ($1.port, $1.network) }) {
      guard let away = left[lane], let here = got[lane], lane.network >= 0, tagDrafts[lane.port] == nil else { continue }
      let port = deployment.ports[Int(lane.port)]
      let isRival = left.keys.contains { rival in
        topology.portHost[Int(rival.port)] == topology.portHost[Int(lane.port)] && got[rival] != nil
          && topology.portNetwork[Int(rival.port)] == lane.network && rival.network == topology.portNetwork[Int(lane.port)]
          && others[rival, default: 0] >= others[lane, default: 0]
      }
      guard !isRival, port.subports.isEmpty, !topology.isUntagged[Int(lane.port)], !isByFlows(lane.port, lane.network, here) else { continue }
      addPassingTag(port, Int32(lane.port), lane.network, first: min(away.first, here.first), last: max(away.last, here.last))
    }
  }

  /// Whether frames left by a port, or came to one, whose tag is known to be wrong: then the other port is innocent.
  private func isByTag(_ key: FaultKey) -> Bool {
    switch key.fault {
    case .wrongVNI: tagDraft(key.port, key.network) != nil
    case .crossNetworkDelivery:
      tagDraft(key.port, Int32(bitPattern: key.observed)) != nil
        || key.via == nil && entryPort(key).flatMap { tagDraft($0, key.network) } != nil
    default: false
    }
  }

  /// Whether frames that a port got of another network came to ports of that network as well.
  private func isBeside(_ key: FaultKey) -> Bool {
    guard key.via == .wrongLocalVLAN else { return false }
    let root = FaultKey(fault: .wrongLocalVLAN, host: key.viaHost, network: key.network, observed: key.observed)
    return judge.faults[root].map { $0.alsoRight == $0.count } ?? false
  }

  /// The port at which the first frame of a fault entered, where a port of its own network shows it.
  func entryPort(_ key: FaultKey) -> Int32? {
    guard let first = judge.faults[key]?.example.first else { return nil }
    let point = topology.points[Int(first.point)]
    guard point.isGuestSide, point.port != key.port, topology.portNetwork[Int(point.port)] == key.network else { return nil }
    return point.port
  }

  /// Whether flows bring a network's frames to a port of another.
  private func isByFlows(_ port: Int32, _ network: Int32, _ record: FaultRecord) -> Bool {
    let host = Int32(truncatingIfNeeded: topology.portHost[Int(port)])
    let key = FaultKey(
      fault: .wrongLocalVLAN, host: host, network: network, observed: UInt32(bitPattern: topology.portNetwork[Int(port)]))
    return isInstalled(wrongVLAN: key, during: record.stretch) || handing(to: port, network: network, record) != nil
  }

  private mutating func addPassingTag(_ port: Port, _ index: Int32, _ other: Int32, first: Int64, last: Int64) {
    let host = Int32(port.host)
    let name = port.bridgePort ?? port.name
    let (own, wrong) = (localVLAN(host, topology.portNetwork[Int(index)]), localVLAN(host, other))
    let dumped = port.installedTag.map { "; its tag was \($0) when the state was read" } ?? ""
    let message =
      "port \(name) on \(hostName(host)) was on the VLAN of network \(networkName(other))\(wrong.map { " (\($0))" } ?? "") for a while: "
      + "its frames went there, and it got those of that network\(dumped)"
    var draft = draft(
      nil, FaultRecord(), rule: "port-tag-mismatch", severity: .error, host: host, network: topology.portNetwork[Int(index)],
      message: message)
    draft.finding.port = port.name
    draft.finding.first = first
    draft.finding.last = last
    draft.finding.certainty = .likely
    if let own { draft.finding.expected = [("tag", .number(Int64(own)))] }
    if let wrong { draft.finding.observed = [("tag", .number(Int64(wrong)))] }
    draft.finding.cause = Cause(
      kind: .portTag, host: hostName(host), bridge: deployment.bridge(ofPort: name, on: port.host),
      text: "Port \(name): tag\(wrong.map { " \($0)" } ?? " of another network") for a while\(port.installedTag.map { ", \($0) in the dumps" } ?? "")")
    draft.finding.next.append(
      "on \(hostName(host)): ovsdb-tool show-log -m /etc/openvswitch/conf.db tells when tags were set; ovs-vsctl get port \(name) tag other_config")
    tagDrafts[index] = drafts.count
    drafts.append(draft)
  }

  private mutating func addTagMismatch(
    _ port: Port, of network: Int?, name: String, bridgePort: String, _ wrong: UInt16, _ expected: UInt16
  ) {
    let host = Int32(port.host)
    let network = Int32(network ?? -1)
    let owner = deployment.hosts[port.host].localVLANs.filter { $0.value == wrong }.keys.min()
    let dead = wrong == 4095 ? ", the dead VLAN" : owner.map { ", that of network \(deployment.networks[$0].name)" } ?? ""
    let message =
      "port \(name) on \(hostName(host)) has tag \(wrong)\(dead); its network \(networkName(network)) is VLAN \(expected) there"
    var draft = draft(
      nil, FaultRecord(), rule: wrong == 4095 ? "dead-vlan" : "port-tag-mismatch",
      severity: wrong == 4095 ? .warning : .error, host: host, network: network, message: message)
    draft.finding.port = port.name
    draft.finding.expected = [("tag", .number(Int64(expected)))]
    draft.finding.observed = [("tag", .number(Int64(wrong)))]
    draft.finding.cause = Cause(
      kind: .portTag, host: hostName(host), bridge: deployment.bridge(ofPort: bridgePort, on: port.host),
      text: "Port \(bridgePort): tag \(wrong), agent's record \(expected)")
    draft.finding.next.append("on \(hostName(host)): ovs-vsctl get port \(bridgePort) tag other_config")
    drafts.append(draft)
  }

  /// Frames that found no port, because the port's tag is another VLAN's.
  mutating func addLostAtTag(_ key: FaultKey, _ record: FaultRecord) {
    let message =
      "\(record.count) frame\(record.count == 1 ? "" : "s") of \(networkName(key.network)) reached "
      + "\(hostName(key.host)) and no port there: \(portName(key.port)) is on another VLAN"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.parent = tagDraft(key.port, key.network)
    drafts.append(draft)
  }
}
