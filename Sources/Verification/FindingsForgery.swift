import Correlation
import Deployment
import Observations
import Wire

/// Findings about tunnel frames that nobody of the deployment sent.
extension FindingBuilder {
  mutating func addUnknownVTEP(_ key: FaultKey, _ record: FaultRecord) {
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

  mutating func addForged(_ key: FaultKey, _ record: FaultRecord) {
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
}
