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

  /// Malformed tunnel packets of one kind from one address, as one host sees them.
  private struct Anomalies {
    var kind: EncapsulationAnomaly.Kind
    var from: UInt16
    var host: Int32
    var record = FaultRecord()
    /// Those of its captures that are not told apart.
    var beyond: UInt64 = 0
  }

  mutating func addAnomalies() {
    var places: [UInt64: Int] = [:]
    var groups: [Anomalies] = []
    for outcome in captures {
      for anomaly in outcome.anomalies {
        let host = topology.points[Int(anomaly.point)].host
        let from = anomaly.outerFrom >= ObservationBuilder.unknownBase ? VTEPTable.none : anomaly.outerFrom
        let key = UInt64(anomaly.kind.rawValue) << 48 | UInt64(from) << 32 | UInt64(UInt32(bitPattern: host))
        let place = places[key] ?? groups.count
        if place == groups.count {
          places[key] = place
          groups.append(Anomalies(kind: anomaly.kind, from: from, host: host))
        }
        groups[place].record.count += 1
        groups[place].record.copies += 1
        groups[place].record.first = min(groups[place].record.first, anomaly.time)
        groups[place].record.last = max(groups[place].record.last, anomaly.time)
        groups[place].record.point = anomaly.point
        groups[place].record.frames.add(capture: anomaly.capture, frame: anomaly.frame)
      }
    }
    for place in groups.indices {
      groups[place].beyond = topology.plan.points[Int(groups[place].record.point ?? 0)].captures.reduce(UInt64(0)) {
        $1 < captures.count ? $0 + captures[$1].counts.anomaliesBeyond : $0
      }
    }
    groups.sort { ($0.kind.rawValue, $0.from, $0.host) < ($1.kind.rawValue, $1.from, $1.host) }
    var next = 0
    while next < groups.count {
      let first = groups[next]
      // Who sends under addresses that are no VTEPs is not told apart.
      let same = first.from == VTEPTable.none ? [first] : groups[next...].filter { $0.kind == first.kind && $0.from == first.from }
      next += same.count
      addAnomaly(same)
    }
  }

  /// What one sender does to all who see it is one finding: at the sender, where that was captured and shows it.
  private mutating func addAnomaly(_ seen: [Anomalies]) {
    guard let first = seen.first else { return }
    let sender = Int(first.from) < topology.vtepHost.count ? topology.vtepHost[Int(first.from)] : -1
    var main = seen.first { $0.host == sender } ?? first
    for other in seen where other.host != main.host {
      if main.host == sender {
        main.record.frames.merge(other.record.frames)
      } else {
        main.record.merge(other.record)
        main.beyond += other.beyond
      }
    }
    let address =
      Int(main.from) < topology.plan.vteps.addresses.count
      ? "\(topology.plan.vteps.addresses[Int(main.from)])" : "an unknown address"
    let what =
      switch main.kind {
      case .vxlanWithoutID: "VXLAN frames without the I flag: their VNI is not valid (RFC 7348, section 5)"
      case .greWithoutKey: "GRE frames without a key, though keys are how tunnels tell networks apart"
      case .cutHeader: "tunnel frames that end within the tunnel's or the inner header"
      case .reservedBits: "VXLAN frames with reserved bits set, which receivers ignore (RFC 7348, section 5)"
      }
    let more = main.beyond > 0 ? "; \(main.beyond) more malformed frames of this capture are not told apart" : ""
    let viewers = seen.map(\.host).filter { $0 != sender }.map(hostName)
    let isChanged = sender >= 0 && main.host != sender && topology.hostHasTunnelPoint[Int(sender)]
    let by = sender >= 0 ? "\(hostName(sender)) (\(address))" : address
    let message =
      if main.host == sender {
        "\(hostName(sender)) (\(address)) sends \(what)\(more)"
      } else {
        "\(list(viewers)) \(viewers.count == 1 ? "sees" : "see") \(what); sent by \(by)\(isChanged ? ", whose own capture shows none: they are changed on the way" : "")\(more)"
      }
    let host = main.host == sender || viewers.count == 1 ? main.host : sender
    var draft = draft(
      nil, main.record, rule: Fault.malformedEncapsulation.rule, severity: main.kind == .reservedBits && judge.makes(.reservedBits) ? .info : .error,
      host: host, network: -1, message: message)
    // A sender that does it in several ways has one fault.
    if main.from != VTEPTable.none, main.kind != .reservedBits {
      draft.parent = malformedSenders[main.from]
      if draft.parent == nil { malformedSenders[main.from] = drafts.count }
    }
    drafts.append(draft)
    if main.kind != .reservedBits { claimLosses(from: sender, seen, draft.parent ?? drafts.count - 1) }
  }

  /// What arrives malformed is what does not arrive as it was sent; what leaves malformed does not leave otherwise.
  private mutating func claimLosses(from sender: Int32, _ seen: [Anomalies], _ root: Int) {
    guard sender >= 0 else { return }
    for viewer in seen {
      let isSender = viewer.host == sender
      for index in drafts.indices where drafts[index].parent == nil {
        guard isSender ? drafts[index].leaving == sender : drafts[index].way == way(sender, viewer.host) else { continue }
        if viewer.record.count * 5 >= drafts[index].finding.count * 4 { drafts[index].parent = root }
      }
    }
  }
}
