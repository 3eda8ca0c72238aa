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
