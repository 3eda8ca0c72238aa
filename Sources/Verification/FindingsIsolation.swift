import Correlation
import Deployment
import Observations
import Wire

/// Findings about who sends: spoofed MACs, disputed addresses, ports that get what is not theirs.
extension FindingBuilder {
  mutating func addSpoofed(_ key: FaultKey, _ record: FaultRecord) {
    let port = deployment.ports[Int(key.port)]
    let macs = record.rivals.map { MACAddress(rawValue: $0) }
    let name = port.bridgePort ?? port.name
    let admitted = macs.first.flatMap { installed.admits(host: Int(key.host), port: name, source: $0) }
    if key.fault == .spoofedSourceMAC {
      // What the flows let through is allowed there; without them, only intent knows what is.
      let isSecured = port.portSecurity == true || !judge.makes(.noPortSecurity)
      let isAdmitted = admitted ?? !(port.source <= .neutron && isSecured)
      guard !isAdmitted || admitted == true && !judge.makes(.admittedByFlows) else { return }
    }
    let list = macs.prefix(4).map { "\($0)" }.joined(separator: ", ")
    // All may be floods of another guest, which came to this host.
    guard record.weak < record.count else {
      if key.fault == .spoofedSourceMAC, record.count >= 3, macs.allSatisfy({ topology.portsOfMAC[$0] == nil }) {
        unsettled.append(
          "\(record.count) frames from \(list), a MAC that nobody has, left \(hostName(key.host)) after one point of "
            + "\(portName(key.port)) had shown them: nothing tells whether its guest sent them or one that no state names (capture "
            + "the port's tap and its qvo)")
      }
      return
    }
    let message =
      key.fault == .spoofBlocked
      ? "\(portName(key.port)) on \(hostName(key.host)) tried to send from \(list), which is not its MAC; no such "
        + "frame left the host"
      : "frames from \(list) left \(hostName(key.host)) by \(portName(key.port)), which may not use that MAC"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: key.fault == .spoofBlocked ? .info : .error, host: key.host,
      network: key.network, message: message)
    draft.finding.port = portName(key.port)
    draft.finding.expected = [("macs", .list(port.macs.map { "\($0)" }))]
    draft.finding.observed = [("macs", .list(macs.map { "\($0)" }))]
    drafts.append(draft)
  }

  mutating func addUntaggedPort(_ key: FaultKey, _ record: FaultRecord) {
    let port = deployment.ports[Int(key.port)]
    let name = port.bridgePort ?? port.name
    let lanes = record.rivals.map { networkName(Int32(truncatingIfNeeded: $0)) }.joined(separator: ", ")
    let message =
      "port \(name) on \(hostName(key.host)) has no tag and so gets frames of every network: \(record.count) of "
      + "\(lanes), while it belongs to \(networkName(key.network))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.port = port.name
    if let tag = port.expectedTag(in: deployment) { draft.finding.expected = [("tag", .number(Int64(tag)))] }
    draft.finding.observed = [("tag", .text("none"))]
    draft.finding.cause = Cause(
      kind: .portTag, host: hostName(key.host), bridge: deployment.bridge(ofPort: name, on: port.host),
      text: "Port \(name): no tag")
    draft.finding.next.append("on \(hostName(key.host)): ovs-vsctl get port \(name) tag other_config")
    drafts.append(draft)
  }
}
