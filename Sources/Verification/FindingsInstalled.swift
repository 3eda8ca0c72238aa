import Correlation
import Deployment
import Observations
import Wire

/// What is installed wrongly, and whether frames met it.
extension FindingBuilder {
  /// Contradictions of the flows that no finding speaks of yet: where frames met them, what they did to those frames
  /// follows; the others are remarks.
  mutating func addInstalled(_ contradictions: [InstalledCheck.Contradiction]) {
    for contradiction in contradictions where !isTold(contradiction) {
      let host = Int32(contradiction.host)
      let network = Int32(contradiction.network ?? -1)
      let fault: Fault? =
        switch contradiction.kind {
        case .inbound: .metInbound
        case .outboundVNI, .outboundTag, .outboundMissing, .floodPeer, .tunnel: .metOutbound
        case .learning, .reflection, .location, .other: nil
        }
      let key = fault.map { FaultKey(fault: $0, host: host, network: network, observed: peer(of: contradiction.kind)) }
      var record = key.flatMap { judge.faults[$0] } ?? FaultRecord()
      // What comes through shows that the flows were not so then.
      if contradiction.kind == .inbound, !topology.hostHasTunnelPoint[contradiction.host], network >= 0,
        judge.in[judge.cell(host, network)] > 0
      {
        record = FaultRecord()
      }
      var finding = contradiction.finding
      let root = FaultKey(fault: .wrongLocalVLAN, host: host, network: network)
      let wrong = record.count > 0 && contradiction.kind == .inbound ? misdirecting(root, during: record.stretch) : nil
      var draft = draft(
        wrong.flatMap { wayIn(root, $0) }, record, rule: finding.rule, severity: .info, host: host, network: network, message: finding.message)
      if record.count > 0 {
        finding.rule = rule(of: contradiction)
        draft.finding.rule = finding.rule
        draft.finding.severity = .error
        draft.finding.message = finding.message + ": " + words(contradiction, record)
        let isSuspicion = draft.finding.certainty == .suspected
        soften(&draft, "capture \(hostName(host))'s tunnel interface, and its ports of \(networkName(network))")
        if !isSuspicion { draft.finding.certainty = .likely }
      } else {
        draft.finding.message = finding.message + " (so the dumps say; no frame of these captures shows it)"
      }
      draft.finding.cause = finding.cause
      draft.finding.next = finding.next + draft.finding.next
      drafts.append(draft)
      guard record.count > 0 else { continue }
      // What vanishes there vanishes by it.
      for index in drafts.indices.dropLast() where drafts[index].parent == nil && drafts[index].finding.rule == "frame-lost" {
        let lost = drafts[index].finding
        if lost.host == draft.finding.host, lost.network == draft.finding.network { drafts[index].parent = drafts.count - 1 }
      }
    }
  }

  /// The fault that puts a network on the VLAN of another; nil where no network here has that.
  private func wayIn(_ root: FaultKey, _ way: InstalledView.Inbound) -> FaultKey? {
    let host = deployment.hosts[Int(root.host)]
    guard let owner = host.localVLANs.keys.sorted().first(where: { host.localVLAN($0, isAfter: way.isAfter) == way.vlan }) else { return nil }
    var key = root
    key.observed = UInt32(bitPattern: Int32(owner))
    return key
  }

  /// What frames met of a contradiction, in words.
  private func words(_ contradiction: InstalledCheck.Contradiction, _ record: FaultRecord) -> String {
    let host = Int32(contradiction.host)
    let frames = "\(record.count) frame\(record.count == 1 ? "" : "s")"
    let (show, are) = record.count == 1 ? ("shows", "is") : ("show", "are")
    switch contradiction.kind {
    case .inbound where topology.hostHasTunnelPoint[contradiction.host]:
      return "\(frames) arrived there for it, and \(show) at no port of it"
    case .inbound:
      return "\(frames) of it that other hosts sent there \(show) at no port of it"
    case .floodPeer(let peer), .tunnel(let peer):
      return "\(frames) of its guests on \(hostName(host)) that \(are) for all \(show) at no point of \(hostName(Int32(peer)))"
    default:
      return "\(frames) of its guests on \(hostName(host)) \(show) on no other host in its own lane"
    }
  }

  private func peer(of kind: InstalledCheck.Contradiction.Kind) -> UInt32 {
    switch kind {
    case .floodPeer(let peer), .tunnel(let peer): UInt32(truncatingIfNeeded: peer + 1)
    default: 0
    }
  }

  /// The rule that frames which meet a contradiction break.
  private func rule(of contradiction: InstalledCheck.Contradiction) -> String {
    switch contradiction.kind {
    case .inbound: contradiction.finding.rule == "missing-mapping" ? "unmapped-vni" : "wrong-local-vlan"
    case .outboundVNI: "wrong-vni"
    case .outboundTag: "vlan-not-stripped"
    case .floodPeer: "incomplete-flood"
    default: contradiction.finding.rule
    }
  }

  /// Whether findings about frames already speak of a contradiction.
  private func isTold(_ contradiction: InstalledCheck.Contradiction) -> Bool {
    let rules: Set<String> =
      switch contradiction.kind {
      case .inbound: ["wrong-local-vlan", "unmapped-vni"]
      case .outboundVNI: ["wrong-vni"]
      case .outboundTag: ["vlan-not-stripped"]
      case .outboundMissing: ["frame-lost", "incomplete-flood"]
      case .floodPeer, .tunnel: ["incomplete-flood", "frame-lost"]
      case .learning: ["flooded-after-learned", "frame-lost"]
      case .reflection: ["tunnel-reflection"]
      case .location: ["stale-location"]
      case .other: []
      }
    let host = contradiction.finding.host
    let network = contradiction.finding.network
    return drafts.contains {
      rules.contains($0.finding.rule) && $0.finding.host == host
        && ($0.finding.network == network || $0.finding.network == nil || network == nil)
        && $0.finding.severity > .info
    }
  }
}
