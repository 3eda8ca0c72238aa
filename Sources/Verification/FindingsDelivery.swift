import Correlation
import Deployment
import Observations
import Wire

/// Findings of the delivery family: where whole classes of frames vanish.
extension FindingBuilder {
  /// Deliveries into another network whose way into the host was not captured: where the host's flows put the
  /// network on that VLAN, they did it.
  mutating func explainDeliveries() {
    for index in drafts.indices {
      guard let key = drafts[index].key, key.fault == .crossNetworkDelivery, key.via == nil, tagDrafts[key.port] == nil,
        let record = judge.faults[key]
      else { continue }
      let root = FaultKey(
        fault: .wrongLocalVLAN, host: key.host, network: key.network, observed: key.observed)
      guard let way = misdirecting(root, during: record.stretch),
        way.vlan == deployment.hosts[Int(key.host)].localVLAN(Int(Int32(bitPattern: key.observed)), isAfter: way.isAfter)
      else { continue }
      if let known = drafts.firstIndex(where: { $0.key == root }) {
        drafts[index].parent = known
      } else {
        addWrongLocalVLAN(root, record)
        drafts[index].parent = drafts.count - 1
      }
    }
  }

  /// A stretch, or several that one finding speaks of.
  struct Loss {
    var stretch: StretchKey.Stretch
    var host: Int32
    var peer: Int32 = -1
    var networks: [Int32] = []
    var ports: [Int32] = []
    var record = StretchRecord()
    var passed: UInt64 = 0

    mutating func add(_ key: StretchKey, _ other: StretchRecord, passed more: UInt64) {
      if key.network >= 0, !networks.contains(key.network) { networks.append(key.network) }
      if key.port >= 0, !ports.contains(key.port) { ports.append(key.port) }
      record.merge(other)
      passed += more
    }
  }

  mutating func addStretches() {
    var whole: [Loss] = []
    addPeerLosses()
    addFlowLosses()
    for (key, record, passed) in countedStretches() {
      if key.stretch == .underlay, judge.isNominal(key.host, key.peer), !judge.isCutOff(key, record, passed: passed) {
        continue
      }
      if key.stretch == .floodCopy {
        if passed == 0 {
          addMissingFloodCopy(key, record.missed)
        } else if let part = steadyPart(key, record.missed) {
          addMissingFloodCopy(key, record.missed, part: part)
        }
        continue
      }
      if addBridgePolicy(key, record, passed: passed) { continue }
      guard passed == 0 else {
        addPartialLoss(key, record, passed: passed)
        continue
      }
      let tagged = key.port >= 0 ? tagDraft(key.port, key.network) : nil
      let proven = provenMisses(key, record)
      // A handful may be chance; where state explains it, one is enough.
      guard tagged != nil || !isCaptureLoss(proven, key) else { continue }
      guard proven >= 3 || tagged != nil || isGrouped(key) && proven > 0 else { continue }
      guard tagged != nil || stretchIsCredible(key) else { continue }
      if explainUnmapped(key, record.missed, tagged) { continue }
      let same = whole.firstIndex { $0.stretch == key.stretch && isSame($0, key) && tagged == nil && !isTagged($0) }
      if let same {
        whole[same].add(key, record, passed: 0)
      } else {
        var loss = Loss(stretch: key.stretch, host: key.host, peer: key.peer)
        loss.add(key, record, passed: 0)
        whole.append(loss)
      }
    }
    whole = whole.filter { $0.record.missedKinds.values.reduce(0, +) >= 3 || isTagged($0) }
    let isolated = addIsolatedHosts(&whole)
    for loss in whole { addLoss(loss, isolated) }
  }

  private func isTagged(_ loss: Loss) -> Bool { !tagDrafts(of: loss).isEmpty }

  /// The findings about tags of the ports of a loss, in its networks.
  private func tagDrafts(of loss: Loss) -> [Int] {
    loss.ports.flatMap { port in loss.networks.compactMap { tagDraft(port, $0) } }
  }

  /// Stretches of a kind that one cause explains together.
  private func isGrouped(_ key: StretchKey) -> Bool { key.stretch == .underlay }

  private func isSame(_ loss: Loss, _ key: StretchKey) -> Bool {
    switch key.stretch {
    case .underlay: loss.host == key.host && loss.peer == key.peer
    case .intoTunnel, .toPort: loss.host == key.host && loss.networks == [key.network]
    case .outward: loss.host == key.host && loss.peer == key.peer && loss.networks == [key.network]
    case .betweenPorts: loss.peer == key.peer && loss.networks == [key.network]
    case .floodCopy: false
    }
  }

  /// Where the way into the host was not captured, its flows still tell why.
  private mutating func explainUnmapped(_ key: StretchKey, _ record: FaultRecord, _ tagged: Int?) -> Bool {
    let receiver = key.stretch == .betweenPorts ? key.peer : key.host
    guard key.stretch == .betweenPorts || key.stretch == .toPort, tagged == nil, key.network >= 0,
      let vni = topology.vni(ofNetwork: Int(key.network)), installed.isUnmapped(host: Int(receiver), vni: vni, kind: topology.sharedKind(ofNetwork: Int(key.network)))
    else { return false }
    let fault = FaultKey(fault: .unmappedVNI, host: receiver, network: key.network, observed: vni)
    if !drafts.contains(where: { $0.key == fault }) { addUnmappedVNI(fault, record) }
    return true
  }

  // MARK: Hosts cut off

  /// A host that nothing reaches, or from which nothing arrives anywhere, is one finding whoever its peers are.
  private mutating func addIsolatedHosts(_ whole: inout [Loss]) -> [Int32: Int] {
    var isolated: [Int32: Int] = [:]
    for host in deployment.hosts.indices.map({ Int32($0) }) {
      let inward = whole.indices.filter { whole[$0].stretch == .underlay && whole[$0].peer == host }
      let outward = whole.indices.filter { whole[$0].stretch == .underlay && whole[$0].host == host }
      let isDeaf = inward.count > 1 && !isReached(host, by: nil)
      let isMute = outward.count > 1 && !isHeard(host)
      guard isDeaf || isMute else { continue }
      var loss = Loss(stretch: .underlay, host: host)
      let own = (isDeaf ? inward : []) + (isMute ? outward : [])
      for index in own {
        loss.record.merge(whole[index].record)
        for network in whole[index].networks where !loss.networks.contains(network) { loss.networks.append(network) }
      }
      let senders = inward.map { hostName(whole[$0].host) }
      let receivers = outward.map { hostName(whole[$0].peer) }
      let count = loss.record.missed.count
      let isNominal = own.contains { judge.isNominal(whole[$0].host, whole[$0].peer) }
      let message =
        isDeaf && isMute
        ? "\(hostName(host)) is cut off: nothing that \(list(senders)) send to it arrives there, and nothing that it sends arrives "
          + "at \(list(receivers)) (\(count) tunnel frames): they vanish on the underlay beside it"
        : isDeaf
          ? "none of \(count) tunnel frames that \(list(senders)) sent to \(hostName(host)) arrives there: they vanish on "
            + "the underlay before it"
          : "none of \(count) tunnel frames that \(hostName(host)) sent arrives at \(list(receivers)): they vanish on "
            + "the underlay behind it"
      var draft = lossDraft(loss, host: host, message: message)
      draft.finding.cause = Cause(kind: .underlay, host: hostName(host), text: "the underlay between \(hostName(host)) and its peers")
      draft.finding.observed.append(("peers", .list(isDeaf ? senders : receivers)))
      draft.finding.next = underlaySteps(host)
      // Without a second witness, its capture may show one direction only.
      if isDeaf, !isMute, loss.record.proven.count == 0, judge.passing.received[Int(host)] == 0 {
        draft.finding.certainty = .likely
      }
      if isNominal { takeAsTheyAre(&draft) }
      isolated[host] = drafts.count
      drafts.append(draft)
      for index in own.sorted(by: >) { whole.remove(at: index) }
    }
    return isolated
  }

  private func takeAsTheyAre(_ draft: inout Draft) {
    draft.finding.certainty = .likely
    draft.finding.message += " (no frame relates their clocks, which are taken as they are)"
  }

  private func underlaySteps(_ host: Int32) -> [String] {
    let name = hostName(host)
    let address = deployment.hosts[Int(host)].vteps.first.map { "\($0)" } ?? "its VTEP"
    return [
      "on \(name): ip -s link; ip route; iptables-save -c | grep -i drop", "from a peer: ping \(address)",
    ]
  }

  /// Whether any tunnel frame is known to have reached a host from another.
  private func isReached(_ host: Int32, by sender: Int32?) -> Bool {
    judge.stretches.keys.indices.contains {
      let key = judge.stretches.keys[$0]
      return key.stretch == .underlay && key.peer == host && (sender == nil || key.host == sender)
        && judge.stretches.passed[$0] > 0
    }
  }

  /// Whether any tunnel frame of a host is known to have arrived elsewhere.
  private func isHeard(_ host: Int32) -> Bool {
    judge.stretches.keys.indices.contains {
      let key = judge.stretches.keys[$0]
      return key.stretch == .underlay && key.host == host && judge.stretches.passed[$0] > 0
    }
  }

  // MARK: Whole classes

  private mutating func addLoss(_ loss: Loss, _ isolated: [Int32: Int]) {
    let count = loss.record.missed.count
    let network = loss.networks.count == 1 ? loss.networks[0] : -1
    let ports = list(loss.ports.map(portName))
    let host = hostName(loss.host)
    let peer = hostName(loss.peer)
    let message: String
    switch loss.stretch {
    case .intoTunnel:
      message =
        "none of \(count) frames of \(ports) that must leave \(host) shows at its tunnel point: they vanish inside \(host)"
    case .outward where loss.peer >= 0:
      // Flows that leave the peer out are told by themselves.
      guard network < 0 || !judge.facts.unflooded[judge.cell(loss.host, network)].contains(loss.peer) else { return }
      let isKnown = installed.hasFlows[Int(loss.host)]
      message =
        "none of \(count) floods of \(networkName(network)) that left \(host) and reached others shows on \(peer): they vanish "
        + (isKnown ? "on the underlay" : "on the underlay, or \(host) leaves it out")
    case .outward:
      message =
        "none of \(count) frames of \(ports) that must leave \(host) shows on any other host: they vanish inside \(host), "
        + "whose tunnel interface was not captured, or on the underlay"
    case .underlay:
      message =
        "none of \(count) tunnel frames from \(host) to \(peer) arrives there: they vanish on the underlay"
    case .toPort:
      message =
        "none of \(count) frames of \(networkName(network)) that reached \(host) for \(ports) shows at "
        + "\(loss.ports.count > 1 ? "their ports" : "its port"): they vanish inside \(host)"
    case .betweenPorts:
      message =
        "none of \(count) frames of \(networkName(network)) that guests on other hosts sent for \(ports) shows at "
        + "\(loss.ports.count > 1 ? "their ports" : "its port") on \(peer), whose tunnel interface was not captured"
    case .floodCopy: return
    }
    var draft = lossDraft(loss, host: loss.stretch == .betweenPorts ? loss.peer : loss.host, message: message)
    draft.finding.port = loss.ports.count == 1 ? portName(loss.ports[0]) : nil
    draft.parent = tagDrafts(of: loss).first ?? loss.ports.compactMap(untaggedDraft).first ?? modification(on: loss.stretch, loss.host, loss.peer)
    switch loss.stretch {
    case .betweenPorts:
      draft.finding.certainty = .likely
      if draft.parent == nil { draft.parent = isolated[loss.peer] ?? misdirection(from: loss.host, network) }
      if draft.parent == nil, loss.host >= 0 { draft.finding.cause = missingTunnel(of: loss.peer, to: loss.host) }
    case .outward where loss.peer >= 0:
      draft.finding.certainty = .likely
      draft.finding.next = underlaySteps(loss.peer)
      draft.way = way(loss.host, loss.peer)
      draft.parent = isolated[loss.peer] ?? draft.parent
    case .outward:
      draft.finding.certainty = .likely
      explainVanishing(&draft, loss)
    case .intoTunnel:
      draft.leaving = loss.host
      explainVanishing(&draft, loss)
    case .underlay:
      draft.finding.next = underlaySteps(loss.peer)
      if judge.isNominal(loss.host, loss.peer) { takeAsTheyAre(&draft) }
      draft.parent = isolated[loss.peer] ?? isolated[loss.host] ?? draft.parent
    case .toPort:
      if draft.parent == nil { draft.parent = mistranslation(at: loss.host, network) }
    case .floodCopy: break
    }
    addCounters(&draft, loss)
    drafts.append(draft)
  }

  /// The finding that a host puts a network on another VLAN: its own ports there lack what went astray.
  func mistranslation(at host: Int32, _ network: Int32) -> Int? {
    drafts.indices.first {
      guard let key = drafts[$0].key, key.fault == .wrongLocalVLAN else { return false }
      return key.host == host && key.network == network
    }
  }

  /// The finding that a host sends a network in another lane: what ports elsewhere lack went there.
  private func misdirection(from host: Int32, _ network: Int32) -> Int? {
    drafts.indices.first {
      guard let key = drafts[$0].key, key.fault == .wrongVNI else { return false }
      return key.host == host && key.network == network
    }
  }

  /// A finding about frames that vanished, all of them.
  func lossDraft(_ loss: Loss, host: Int32, message: String) -> Draft {
    var draft = draft(
      nil, loss.record.missed, rule: Fault.frameLost.rule, severity: .error, host: host,
      network: loss.networks.count == 1 ? loss.networks[0] : -1, message: message)
    draft.finding.observed = [("arrived", .number(0))]
    draft.finding.expected = [("arrived", .number(Int64(clamping: loss.record.missed.count)))]
    if loss.stretch == .underlay, loss.peer >= 0 { draft.way = way(loss.host, loss.peer) }
    return draft
  }

  /// Names as people list them.
  func list(_ names: [String]) -> String {
    guard let last = names.last else { return "nothing" }
    if names.count > 6 { return names.prefix(5).joined(separator: ", ") + " and \(names.count - 5) more" }
    return names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " and " + last
  }

  /// The flow that drops what should go into the tunnels.
  private func explainVanishing(_ draft: inout Draft, _ loss: Loss) {
    guard let port = loss.ports.first, let network = loss.networks.first,
      let vlan = deployment.ports[Int(port)].installedTag ?? localVLAN(loss.host, network),
      let flood = installed.flood(host: Int(loss.host), vlan: vlan), flood.vni == nil
    else { return }
    let drop = flood.flow
    var cause = Cause(
      kind: .missingFlow, host: hostName(loss.host), bridge: drop?.bridge ?? tunnelBridge(loss.host),
      table: drop?.table, text: "missing: a flow that floods dl_vlan=\(vlan)\(drop.map { "; dropped by: \($0.text)" } ?? "")")
    cause.file = drop?.file
    cause.line = drop?.line
    draft.finding.cause = cause
    if let drop { draft.finding.next.append(showFlows(drop)) }
  }

  /// How many of the frames that vanished the points beyond would have shown: those of a kind that they never show
  /// a capture filter may have left out, and captures of too few bytes prove nothing.
  func provenMisses(_ key: StretchKey, _ record: StretchRecord) -> UInt64 {
    let witnesses = topology.points.indices.filter { index in
      let point = topology.points[index]
      switch key.stretch {
      case .intoTunnel: return point.isTunnel && point.host == key.host
      case .underlay, .floodCopy: return point.isTunnel && point.host == key.peer
      case .outward:
        return (key.peer < 0 ? point.host != key.host : point.host == key.peer) && (point.isTunnel || point.isGuestSide)
      case .toPort, .betweenPorts: return point.isGuestSide && point.port == key.port
      }
    }
    let shown = witnesses.reduce(UInt16(0)) { $0 | judge.shownKinds[$1] }
    let misses = record.missedKinds.reduce(UInt64(0)) { $1.key & shown != 0 ? $0 + $1.value : $0 }
    return tooShort(at: witnesses) >= misses || isChance(misses, at: witnesses) ? 0 : misses
  }

  /// Whether so many frames in a row may be missed where captures tell that they lost frames themselves. Of frames
  /// that came too late it is not known what they were.
  func isChance(_ misses: UInt64, at points: [Int]) -> Bool {
    let files = outcomes(at: points)
    guard files.allSatisfy({ $0.facts.late == 0 }) else { return true }
    let lost = files.reduce(0.0) { $0 + Double($1.facts.dropped ?? 0) }
    let seen = files.reduce(0.0) { $0 + Double($1.counts.frames) }
    guard lost > 0 else { return false }
    // Losses come in bursts: the rate counts tenfold.
    let rate = min(1, 10 * lost / (lost + seen))
    return Chance.ofAll(min(misses, 1000), at: rate) > 1e-9
  }

  /// Whether the next point, which lacks other frames that are known to have passed it, may as well have lost these.
  func isCaptureLoss(_ misses: UInt64, _ key: StretchKey) -> Bool {
    let passing = judge.passing
    let (missed, shown): (UInt64, UInt64)
    switch key.stretch {
    case _ where key.stretch == .underlay || key.stretch == .outward && key.peer >= 0: (missed, shown) = (passing.receivedMissed[Int(key.peer)], passing.received[Int(key.peer)])
    case .intoTunnel: (missed, shown) = (passing.sentMissed[Int(key.host)], passing.sent[Int(key.host)])
    default: return false
    }
    guard missed > 1 else { return false }
    return Chance.ofAll(min(misses, 64), at: Double(missed) / Double(missed + shown)) > 1e-3
  }

  /// Frames at some points of which too little was captured to know them.
  func tooShort(at points: [Int]) -> UInt64 {
    outcomes(at: points).reduce(UInt64(0)) { $0 + $1.counts.tooShort }
  }

  /// How the captures of some points were read, each once.
  func outcomes(at points: [Int]) -> [CaptureOutcome] {
    let files = Set(points.flatMap { topology.plan.points[$0].captures })
    return files.filter { $0 < captures.count }.sorted().map { captures[$0] }
  }

  /// Whether the place where frames are missed shows others: then it was working and looking.
  private func stretchIsCredible(_ key: StretchKey) -> Bool {
    // Frames that the receiver's capture does show, at another time, arrived.
    if key.stretch == .underlay, judge.doubted(key.host, key.peer) >= 3 { return false }
    return switch key.stretch {
    case .underlay: isReached(key.peer, by: nil) || isHeard(key.peer) || judge.passing.received[Int(key.peer)] > 0
      || isDeafAndMute(key.peer) || isDeafAndMute(key.host)
    case .outward where key.peer >= 0: judge.passing.received[Int(key.peer)] > 0 || isReached(key.peer, by: nil)
    // What the host sends shows on none of the others, which show each other's.
    case .outward:
      topology.portsOn.indices.contains { $0 != Int(key.host) && (judge.passing.received[$0] > 0 || isReached(Int32($0), by: nil)) }
    case .intoTunnel, .toPort, .betweenPorts, .floodCopy: true
    }
  }

  /// Whether a host's tunnel point shows what it sends, and ports of its own that nothing from elsewhere reaches them.
  private func isDeafAndMute(_ host: Int32) -> Bool {
    let peers = Set(judge.stretches.keys.filter { $0.stretch == .underlay && $0.host == host }.map(\.peer))
    return peers.count > 1 && peers.contains { isHeard($0) || isReached($0, by: nil) } && !isHeard(host)
  }
}
