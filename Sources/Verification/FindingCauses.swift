import Correlation
import Deployment

/// One cause, one finding: those of the same cause are joined, those that follow from another are attached to it.
extension FindingBuilder {
  /// One fault of a host that shows in several networks is one finding.
  mutating func mergeHosts() {
    var kept: [Draft] = []
    var seen: [Int32: Int] = [:]
    for draft in drafts {
      // What one flow does to all ports of a network is one finding; what a port's tag does is that port's.
      if let key = draft.key, key.fault == .wrongVNI, tagDraft(key.port, key.network) == nil,
        let same = kept.firstIndex(where: { $0.isSameLane(as: draft) && tagDraft($0.key?.port ?? -1, key.network) == nil })
      {
        kept[same].absorb(draft)
        kept[same].finding.port = nil
        continue
      }
      // So is what one flow does to all networks.
      if let key = draft.key, key.fault == .floodedAfterLearned || key.fault == .tunnelReflection,
        let same = kept.firstIndex(where: { $0.key?.fault == key.fault && $0.isSameFlow(as: draft) })
      {
        kept[same].absorb(draft)
        kept[same].finding.network = nil
        kept[same].networks.append(key.network)
        let names = list(kept[same].networks.map(networkName))
        kept[same].finding.message =
          key.fault == .tunnelReflection ? reflectionMessage(key.host, names) : learningMessage(key.host, names, lanes: nil, learns: false)
        continue
      }
      if let key = draft.key, key.fault == .nonstandardTunnelPort {
        if let at = seen[key.host] {
          kept[at].absorb(draft)
          kept[at].finding.network = nil
          continue
        }
        seen[key.host] = kept.count
      }
      kept.append(draft)
    }
    drafts = kept
  }

  mutating func attach() {
    for index in drafts.indices where drafts[index].parent == nil {
      if let lacking = drafts[index].lacking, drafts[index].finding.rule == Fault.frameLost.rule {
        drafts[index].parent = drafts.indices.first { $0 != index && drafts[$0].lacking == lacking }
      }
      if drafts[index].parent == nil, drafts[index].finding.rule == Fault.frameLost.rule {
        // Frames that go round teach hosts wrong places, which their flows then send to, or drop for.
        drafts[index].parent = drafts.indices.first {
          drafts[$0].key?.fault == .tunnelReflection && drafts[$0].finding.network == drafts[index].finding.network
        }
      }
      guard drafts[index].parent == nil, let key = drafts[index].key else { continue }
      drafts[index].parent = parent(of: key, index)
    }
    // What follows from a suspicion is none the surer.
    for index in drafts.indices {
      let root = drafts.top(of: index)
      guard root != index, drafts[root].finding.certainty == .suspected, drafts[index].finding.severity > .info else { continue }
      drafts[index].finding.certainty = .suspected
      drafts[index].finding.severity = min(drafts[index].finding.severity, .warning)
    }
    // The tag's finding counts what the tag did to frames.
    let tagged = tagDrafts.map { ($0.key, $0.value) } + subportTagDrafts.flatMap { port, drafts in drafts.values.map { (port, $0) } }
    for (port, at) in tagged {
      for index in drafts.indices where drafts[index].parent == at {
        let own = drafts[index].key?.port == port || drafts[index].key == nil
        if own { drafts[at].absorb(drafts[index]) }
      }
    }
  }

  /// The finding about a port's tag, of a trunk about that of the network's subport.
  func tagDraft(_ port: Int32, _ network: Int32) -> Int? {
    guard port >= 0, topology.portFacts[Int(port)].hasSubports, network != topology.portNetwork[Int(port)] else {
      return tagDrafts[port]
    }
    return subportTagDrafts[port]?[network]
  }

  /// The finding that a port has no tag: what it sends is in no network's lane.
  func untaggedDraft(_ port: Int32) -> Int? {
    drafts.indices.first { drafts[$0].key?.fault == .untaggedPort && drafts[$0].key?.port == port }
  }

  func parent(of key: FaultKey, _ index: Int) -> Int? {
    if let mirror = mirrorDraft(key), mirror != index { return mirror }
    if let root = strayRoots[key], let found = drafts.firstIndex(where: { $0.key == root }), found != index { return found }
    switch key.fault {
    case .wrongVNI:
      if let tagged = tagDraft(key.port, key.network) { return tagged }
      // What arrives on the wrong VLAN is learned there: answers then leave in the lane it came from.
      let lane = judge.faults[key].map { judge.lane(key, $0) } ?? topology.network(ofVNI: key.observed)
      // Floods follow no learned entry: the flow that sends them there is at fault itself.
      let isFlood = judge.faults[key].map { $0.groupDestinations > 0 } ?? false
      if isFlood, drafts[index].finding.cause?.kind == .flow { return nil }
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .wrongLocalVLAN, other.detail == 0, lane >= 0 else { return false }
        return other.host == key.host && other.network == lane && other.observed == UInt32(bitPattern: key.network)
      }
    case .crossNetworkDelivery:
      if let tagged = tagDraft(key.port, Int32(bitPattern: key.observed)) { return tagged }
      if key.via == nil, let tagged = tagDraft(Int32(truncatingIfNeeded: key.detail), key.network) { return tagged }
      guard let via = key.via else {
        guard let entry = entryPort(key), entry >= 0 else { return nil }
        return tagDraft(entry, key.network)
      }
      let root = drafts.indices.first {
        guard let other = drafts[$0].key else { return false }
        return other.fault == via && other.host == key.viaHost && other.network == key.network
      }
      if let root, let above = drafts[root].key.flatMap({ self.parent(of: $0, root) }) { return above }
      return root
    case .unexpectedVLANTag:
      return tagDraft(key.port, key.network) ?? untaggedDraft(key.port)
    case .unknownVNI:
      // What one host sends another may send as well.
      guard key.via != nil else {
        return drafts.indices.first { $0 < index && drafts[$0].key?.fault == .unknownVNI && drafts[$0].key?.observed == key.observed }
      }
      return drafts.indices.first {
        drafts[$0].key?.fault == .forgedTunnelFrame && drafts[$0].key?.host == key.viaHost
      }
    case .forgedTunnelFrame:
      // Nobody sent what was changed on its way.
      let changed = modifiedDrafts.keys.filter { $0.stage == .underlay && $0.peer == key.host }.sorted { $0.host < $1.host }
      let count = changed.reduce(0) { $0 + drafts[modifiedDrafts[$1] ?? 0].finding.count }
      return count * 5 >= drafts[index].finding.count * 4 ? changed.first.flatMap { modifiedDrafts[$0] } : nil
    case .macMoved, .staleLocation:
      // Whoever speaks in a host's name teaches others wrong places.
      return drafts.indices.first {
        (drafts[$0].key?.fault == .forgedTunnelFrame || drafts[$0].key?.fault == .doubtfulSender)
          && drafts[$0].finding.network == drafts[index].finding.network
      }
    case .unknownVTEP:
      // The same strange station: one box does it.
      return drafts.indices.first {
        guard let other = drafts[$0].key, other.fault == .forgedTunnelFrame else { return false }
        return other.host == key.host && !drafts[$0].stations.isDisjoint(with: drafts[index].stations)
      }
    default: return nil
    }
  }
}

extension [FindingBuilder.Draft] {
  /// The draft that one follows from in the end; itself where it follows from none.
  func top(of index: Int) -> Int {
    var (at, steps) = (index, 0)
    while let parent = self[at].parent, steps < count { (at, steps) = (parent, steps + 1) }
    return at
  }
}

extension FindingBuilder.Draft {
  /// Whether both say that a host sends a network in the same wrong lane, by the same cause.
  func isSameLane(as other: FindingBuilder.Draft) -> Bool {
    guard let key, let its = other.key, key.fault == .wrongVNI else { return false }
    return (key.host, key.network, key.observed) == (its.host, its.network, its.observed)
      && finding.cause == other.finding.cause && finding.severity == other.finding.severity
  }

  /// Whether both name one flow as their cause.
  func isSameFlow(as other: FindingBuilder.Draft) -> Bool {
    finding.cause?.kind == .flow && finding.cause == other.finding.cause && finding.severity == other.finding.severity
      && finding.certainty == other.finding.certainty
  }

  /// Adds the counts and frames of another finding of the same cause.
  mutating func absorb(_ other: FindingBuilder.Draft) {
    finding.count += other.finding.count
    finding.copies += other.finding.copies
    if let first = other.finding.first { finding.first = min(finding.first ?? first, first) }
    if let last = other.finding.last { finding.last = max(finding.last ?? last, last) }
    if finding.point == nil { finding.point = other.finding.point }
    if finding.path.isEmpty { finding.path = other.finding.path }
    frames.merge(other.frames)
  }
}
