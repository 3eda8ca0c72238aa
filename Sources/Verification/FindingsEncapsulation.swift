import Correlation
import Deployment
import Observations
import Wire

/// Findings of the encapsulation family.
extension FindingBuilder {
  mutating func addTunnelPort(_ key: FaultKey, _ record: FaultRecord) {
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

  mutating func addAnomalies() {
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
      let beyond = topology.plan.points[Int(group.record.point ?? 0)].captures.reduce(UInt64(0)) {
        $1 < captures.count ? $0 + captures[$1].counts.anomaliesBeyond : $0
      }
      let more = beyond > 0 ? "; \(beyond) more malformed frames of this capture are not told apart" : ""
      let draft = draft(
        nil, group.record, rule: Fault.malformedEncapsulation.rule,
        severity: group.kind == .reservedBits ? .info : .error, host: group.host, network: -1,
        message: "\(hostName(group.host)) sees \(what); sent by \(sender)\(more)")
      drafts.append(draft)
    }
  }
}
