import Correlation
import Deployment
import Observations
import Wire

/// Faults of which senders choose how many kinds there are: one finding for a host or network, with examples.
extension FindingBuilder {
  mutating func addVaried(_ cases: [Case]) {
    var groups: [[Case]] = []
    for item in cases {
      if let at = groups.firstIndex(where: { isSame($0[0].key, item.key) }) {
        groups[at].append(item)
      } else {
        groups.append([item])
      }
    }
    // Forged frames first: others may follow from them.
    for group in groups {
      switch group[0].key.fault {
      case .unknownVNI: addUnknownVNIs(group)
      case .unknownVTEP: addUnknownVTEPs(group)
      case .forgedTunnelFrame: addForged(group)
      case .doubtfulSender: addDoubtfulSenders(group)
      case .staleLocation: addStaleLocations(group)
      case .macMoved: addMovedMACs(group)
      case .duplicateAddress: addDuplicateAddresses(group)
      default: break
      }
    }
  }

  private func isSame(_ a: FaultKey, _ b: FaultKey) -> Bool {
    guard a.fault == b.fault, a.host == b.host else { return false }
    switch a.fault {
    case .staleLocation, .macMoved: return a.network == b.network
    case .duplicateAddress: return a.network == b.network && a.observed == b.observed
    default: return true
    }
  }

  func merged(_ cases: [Case]) -> FaultRecord {
    var record = cases[0].record
    for item in cases.dropFirst() { record.merge(item.record) }
    return record
  }

  private func network(_ cases: [Case]) -> Int32 {
    let first = cases[0].key.network
    return cases.allSatisfy { $0.key.network == first } ? first : -1
  }

  func isOthers(_ key: FaultKey) -> Bool { (key.observed, key.detail) == Variants.others }

  /// `one`, `one and two`, or `one, two, three and 4,093 others`; `more` of them are not named.
  private func some(_ names: [String], more: Int, isComplete: Bool = true) -> String {
    let shown = names.prefix(3)
    let left = names.count - shown.count + more
    if left <= 0 { return list(Array(shown)) }
    return shown.joined(separator: ", ") + " and \(isComplete ? "" : "at least ")\(left) more"
  }

  /// How many kinds of a fault were not kept apart, and whether all were counted.
  private func uncounted(_ cases: [Case]) -> (more: Int, isComplete: Bool) {
    guard cases.contains(where: { isOthers($0.key) }),
      let variants = judge.variants[Judge.variantKey(cases[0].key)]
    else { return (0, true) }
    return (max(0, variants.count - variants.keptCount), variants.isComplete)
  }

  func unique(_ names: [String]) -> [String] {
    var result: [String] = []
    for name in names where !result.contains(name) { result.append(name) }
    return result
  }

  // MARK: Encapsulation by strangers

  private mutating func addUnknownVNIs(_ cases: [Case]) {
    let record = merged(cases)
    let key = cases[0].key
    let vnis = unique(cases.filter { !isOthers($0.key) }.map { vniText($0.key.observed) })
    let (more, isComplete) = uncounted(cases)
    let message =
      "tunnel frames between known VTEPs carry \(some(vnis, more: more, isComplete: isComplete)), which "
      + (cases.contains { topology.network(ofVNI: $0.key.observed) >= 0 } ? "none of the networks of the intent" : "no known network")
      + " has; seen at \(pointName(record.point) ?? hostName(key.host))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: deployment.complete ? .error : .info, host: key.host, network: -1,
      message: message)
    draft.key?.via = cases.compactMap(\.key.via).first
    draft.key?.viaHost = cases.first { $0.key.via != nil }?.key.viaHost ?? -1
    draft.finding.observed =
      vnis.count + more == 1
      ? [("vni", .number(Int64(key.observed)))]
      : [("vnis", .list(Array(vnis.prefix(8)))), ("differentVNIs", .number(Int64(vnis.count + more)))]
    drafts.append(draft)
  }

  private mutating func addUnknownVTEPs(_ cases: [Case]) {
    let record = merged(cases)
    let key = cases[0].key
    let named = cases.filter { !isOthers($0.key) }
    let addresses = unique(named.map { address($0.key) })
    let stations = unique(named.map { "\(MACAddress(rawValue: $0.key.detail))" })
    let (more, isComplete) = uncounted(cases)
    let isOne = addresses.count + more == 1
    let message =
      "\(hostName(key.host)) receives tunnel frames from \(some(addresses, more: more, isComplete: isComplete)), "
      + "\(isOne ? "which is no VTEP" : "which are no VTEPs") of this deployment (sent by "
      + "\(stations.count == 1 ? "station" : "stations") \(some(stations, more: 0)))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: deployment.complete ? .error : .warning, host: key.host,
      network: network(cases), message: message)
    draft.stations = Set(named.map(\.key.detail))
    draft.finding.observed =
      isOne && stations.count == 1
      ? [("vtep", .text(addresses[0])), ("station", .text(stations[0]))]
      : [
        ("vteps", .list(Array(addresses.prefix(8)))), ("stations", .list(Array(stations.prefix(8)))),
        ("different", .number(Int64(addresses.count + more))),
      ]
    drafts.append(draft)
  }

  private func address(_ key: FaultKey) -> String {
    let capture = Int(key.observed >> 16)
    let index = Int(key.observed & 0xffff) - Int(ObservationBuilder.unknownBase)
    let known = capture < captures.count ? captures[capture].unknown.addresses : []
    return index >= 0 && index < known.count ? "\(known[index])" : "more addresses than are kept"
  }

  /// Frames that the captures of a host's tunnel points hold too late to be judged.
  private func shownLate(_ host: Int32) -> UInt64 {
    outcomes(at: topology.tunnelPoints[Int(host)]).reduce(0) { $0 &+ $1.facts.late }
  }

  private mutating func addForged(_ all: [Case]) {
    var cases: [Case] = []
    var strangers: [UInt64] = []
    for item in all {
      let stations = judge.lawfulStations[
        UInt64(UInt32(bitPattern: item.key.host)) << 32 | UInt64(UInt32(bitPattern: item.key.port))]
      let isStrange = stations.map { isOthers(item.key) || !$0.contains(MACAddress(rawValue: item.key.detail)) } ?? false
      guard isStrange || isBeyondChance(item) || !judge.makes(.lostBySender) else { continue }
      // Frames that the sender's capture does show, at another time, were sent.
      guard item.record.count > 4 * judge.doubted(item.key.host, item.key.port) else { continue }
      // So may be those that it shows too late to be judged, where nothing else tells that they are another's.
      guard isStrange || item.record.count > shownLate(item.key.port) else { continue }
      if isStrange, !isOthers(item.key), !strangers.contains(item.key.detail) { strangers.append(item.key.detail) }
      cases.append(item)
    }
    guard let key = cases.first?.key else { return }
    let record = merged(cases)
    let (more, isComplete) = uncounted(cases)
    let names = unique(
      cases.map { item in
        let address = deployment.hosts[Int(item.key.port)].vteps.first.map { "\($0)" } ?? hostName(item.key.port)
        return "\(hostName(item.key.port)) (\(address))"
      })
    let stations = unique(cases.filter { !isOthers($0.key) }.map { "\(MACAddress(rawValue: $0.key.detail))" })
    let strange = strangers.map { "\(MACAddress(rawValue: $0))" }
    let message =
      "\(hostName(key.host)) receives tunnel frames in the name of \(list(names)) that were never sent there"
      + (strange.isEmpty
        ? ""
        : strange.count + more == 1
          ? "; they come from station \(strange[0]), which is none of theirs"
          : "; they come from stations \(some(strange, more: more, isComplete: isComplete)), which are none of theirs")
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host,
      network: cases.map(\.key.network).first { $0 >= 0 } ?? -1, message: message)
    draft.stations = Set(cases.map(\.key.detail))
    let station = strange.first ?? stations.first
    if let station {
      draft.finding.cause = Cause(
        kind: .sender,
        text: strange.count + more > 1
          ? "stations on the underlay with MACs \(some(strange, more: more, isComplete: isComplete))"
          : "a station on the underlay with MAC \(station)")
      draft.finding.next.append("find \(station) in the underlay switches' MAC tables")
    }
    draft.finding.observed = [
      ("vtep", .list(names)),
      stations.count + more == 1
        ? ("station", .text(stations.first ?? "")) : ("stations", .list(Array(stations.prefix(8)))),
    ]
    if more > 0 { draft.finding.observed.append(("different", .number(Int64(stations.count + more)))) }
    drafts.append(draft)
  }

  /// Without a strange station this may as well be frames that the sender's captures lost: whether there are too many.
  private func isBeyondChance(_ item: Case) -> Bool {
    let owner = Judge.Ownership(rawValue: UInt8(truncatingIfNeeded: item.key.observed)) ?? .unknown
    // One burst of loss may take what all captures of a host would have shown.
    guard owner == .elsewhere || owner == .notSent || owner == .notSentByOne, item.record.moments > 1 else { return false }
    let sender = Int(item.key.port)
    // What chance explains: frames that both points of the sender lost, or one where only one looked.
    let missed = Double(judge.passing.sentMissed[sender])
    let all = missed + Double(judge.passing.sent[sender])
    let rate = all > 0 ? missed / all : 0
    let expected = owner == .notSent ? rate * missed : missed
    // And those of which the sender's captures hold too little.
    let points = topology.points.indices.filter { topology.points[$0].isTunnel && topology.points[$0].host == sender }
    let count = owner == .notSentByOne ? item.record.moments : item.record.count
    return Double(count) > 10 * (expected + 0.4) + Double(tooShort(at: points))
  }

  // MARK: Locations

  private mutating func addStaleLocations(_ cases: [Case]) {
    let record = merged(cases)
    let key = cases[0].key
    let named = cases.filter { !isOthers($0.key) }
    let (more, isComplete) = uncounted(cases)
    let macs = unique(named.map { "\(MACAddress(rawValue: $0.key.detail))" })
    let sentTo = unique(named.map { vtepText(UInt16(truncatingIfNeeded: $0.key.observed)) })
    let lives = unique(named.map { $0.record.expectedVTEP.map { vtepText($0) } ?? "elsewhere" })
    let isOne = macs.count + more == 1
    let message =
      "\(hostName(key.host)) sends unicast of \(networkName(key.network)) for \(some(macs, more: more, isComplete: isComplete)) "
      + "to \(some(sentTo, more: 0)), though \(isOne ? "that MAC lives" : "those MACs live") behind \(some(lives, more: 0))"
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network, message: message)
    draft.finding.expected = [("vtep", lives.count == 1 ? .text(lives[0]) : .list(Array(lives.prefix(8))))]
    draft.finding.observed = [
      ("vtep", sentTo.count == 1 ? .text(sentTo[0]) : .list(Array(sentTo.prefix(8)))),
      ("mac", isOne && !macs.isEmpty ? .text(macs[0]) : .list(Array(macs.prefix(8)))),
    ]
    for item in named {
      let vtep = Int(UInt16(truncatingIfNeeded: item.key.observed))
      guard let vlan = localVLAN(key.host, key.network), vtep < topology.plan.vteps.addresses.count,
        let flow = installed.flow(
          host: Int(key.host), vlan: vlan, destination: MACAddress(rawValue: item.key.detail),
          to: topology.plan.vteps.addresses[vtep], during: item.record.stretch)
      else { continue }
      draft.finding.cause = flowCause(flow)
      draft.finding.next.append(showFlows(flow))
      break
    }
    let isInstalled = named.contains {
      judge.facts.isMisplaced(judge.cell(key.host, key.network), MACAddress(rawValue: $0.key.detail))
    }
    if !isInstalled, judge.passing.receivedMissed[Int(key.host)] > 1, judge.passing.receivingRate(Int(key.host)) > 0.02 {
      // What the capture lacks may be what told the host that they moved.
      unsettled.append(
        message + ": its capture lacks \(judge.passing.receivedMissed[Int(key.host)]) of the frames that it received, which may "
          + "have told it that \(isOne ? "it has" : "they have") moved")
      return
    }
    if !isInstalled, draft.finding.cause == nil, judge.passing.sentMissed[Int(key.host)] >= record.count {
      // Of a flood, the copy to where they live may be what the capture lacks.
      unsettled.append(
        message + ": its capture lacks \(judge.passing.sentMissed[Int(key.host)]) of the frames that it sent, and these may have "
          + "gone there as well")
      return
    }
    drafts.append(draft)
  }

  private mutating func addMovedMACs(_ cases: [Case]) {
    let key = cases[0].key
    // Reflected frames teach hosts wrong places: nothing moved.
    guard !judge.makes(.reflectedMACs) || !judge.faults.keys.contains(where: { $0.fault == .tunnelReflection && $0.network == key.network })
    else { return }
    let record = merged(cases)
    let (more, isComplete) = uncounted(cases)
    let moves = cases.filter { !isOthers($0.key) }.map { item in
      let record = item.record
      let now =
        record.example.indices.contains(record.wrong) ? vtepText(record.example[record.wrong].outerFrom) : "another host"
      return "\(MACAddress(rawValue: item.key.detail)) of \(networkName(key.network)) moved from "
        + "\(record.expectedVTEP.map { vtepText($0) } ?? "one host") to \(now)"
    }
    drafts.append(
      draft(
        key, record, rule: key.fault.rule, severity: .info, host: -1, network: key.network,
        message: some(moves, more: more, isComplete: isComplete)))
  }

  private mutating func addDuplicateAddresses(_ cases: [Case]) {
    let record = merged(cases)
    let key = cases[0].key
    let (more, isComplete) = uncounted(cases)
    let disputes = cases.filter { !isOthers($0.key) }.map { item in
      if key.observed == 1 {
        let hosts = item.record.rivals.map { hostName(Int32(truncatingIfNeeded: $0)) }
        return "\(MACAddress(rawValue: item.key.detail)) of \(networkName(key.network)) sends from \(list(hosts)) at once"
      }
      let macs = item.record.rivals.map { rival in
        let mac = MACAddress(rawValue: rival)
        let owner = topology.portsOfMAC[mac]?.first { topology.portNetwork[$0] == key.network }
        return "\(mac)" + (owner.map { " (\(portName(Int32($0))) on \(hostName(topology.portHost[$0])))" } ?? "")
      }
      return "\(list(macs)) answer for the same address in network \(networkName(key.network))"
    }
    drafts.append(
      draft(
        key, record, rule: key.fault.rule, severity: .warning, host: -1, network: key.network,
        message: some(disputes, more: more, isComplete: isComplete)))
  }
}
