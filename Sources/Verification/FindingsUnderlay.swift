import Correlation
import Deployment
import Observations
import Wire

/// Findings about the underlay itself: fragments, MTU, outer VLANs, checksums that NICs left undone.
extension FindingBuilder {
  /// Evidence of one kind about one sender, from all captures.
  private struct Underlay {
    var record = FaultRecord()
    /// Greatest length of a packet, or least MTU that an error named.
    var octets: UInt32 = 0
    var receivers: Set<UInt16> = []
    var isLimit = false

    mutating func add(_ seen: UnderlayEvidence, _ key: UnderlayEvidence.Key, capture: UInt16) {
      record.count += seen.count
      record.copies += seen.count
      record.first = min(record.first, seen.first)
      record.last = max(record.last, seen.last)
      if record.point == nil { record.point = key.point }
      for frame in seen.frames { record.frames.add(capture: capture, frame: frame) }
      record.frames.total += Int(clamping: seen.count) - seen.frames.count
      receivers.insert(key.to)
      isLimit = key.kind == .tooBig
      note(seen.octets)
    }

    mutating func add(_ other: Underlay) {
      record.count += other.record.count
      record.copies += other.record.copies
      record.first = min(record.first, other.record.first)
      record.last = max(record.last, other.record.last)
      record.frames.merge(other.record.frames)
      receivers.formUnion(other.receivers)
      note(other.octets)
    }

    private mutating func note(_ more: UInt32) {
      if more > 0 { octets = octets == 0 ? more : isLimit ? min(octets, more) : max(octets, more) }
    }
  }

  mutating func addUnderlay() {
    addFragmented()
    addTooBig()
    addSizeLimits()
    addChecksums()
    addOuterVLANs()
  }

  /// Evidence of a kind by the index of the sender's address. Of points in series on one host the one that showed most.
  private func evidence(
    _ kinds: Set<UnderlayEvidence.Kind>, at isWanted: (UnderlayEvidence.Key) -> Bool
  ) -> [UInt16: Underlay] {
    var byPoint: [UInt32: Underlay] = [:]
    for (capture, outcome) in captures.enumerated() {
      let keys = outcome.counts.underlay.keys.filter { kinds.contains($0.kind) && isWanted($0) }.sorted {
        ($0.kind.rawValue, $0.point, $0.from, $0.to) < ($1.kind.rawValue, $1.point, $1.from, $1.to)
      }
      for key in keys {
        guard let seen = outcome.counts.underlay[key] else { continue }
        byPoint[UInt32(key.from) << 16 | UInt32(key.point), default: Underlay()].add(
          seen, key, capture: UInt16(truncatingIfNeeded: capture))
      }
    }
    var best: [UInt64: Underlay] = [:]
    for place in byPoint.keys.sorted() {
      guard let seen = byPoint[place] else { continue }
      let host = topology.points[Int(place & 0xffff)].host
      let key = UInt64(place >> 16) << 32 | UInt64(UInt32(bitPattern: host))
      if let known = best[key], known.record.count >= seen.record.count { continue }
      best[key] = seen
    }
    var found: [UInt16: Underlay] = [:]
    for key in best.keys.sorted() {
      guard let seen = best[key] else { continue }
      let from = UInt16(truncatingIfNeeded: key >> 32)
      if found[from] == nil { found[from] = seen } else { found[from]?.add(seen) }
    }
    return found
  }

  private func host(ofVTEP index: UInt16) -> Int32 {
    Int(index) < topology.vtepHost.count ? topology.vtepHost[Int(index)] : -1
  }

  private func isSenders(_ key: UnderlayEvidence.Key) -> Bool { topology.points[Int(key.point)].host == host(ofVTEP: key.from) }

  private func vtepName(_ index: UInt16) -> String {
    let host = host(ofVTEP: index)
    if host >= 0 { return hostName(host) }
    return Int(index) < topology.plan.vteps.addresses.count ? "\(topology.plan.vteps.addresses[Int(index)])" : "an unknown address"
  }

  private func names(_ receivers: Set<UInt16>) -> String {
    receivers.sorted().prefix(4).map { vtepName($0) }.joined(separator: ", ") + (receivers.count > 4 ? ", …" : "")
  }

  // MARK: Size

  private mutating func addFragmented() {
    let own = evidence([.fragmented], at: isSenders)
    let received = evidence([.fragmented]) { !isSenders($0) }
    for from in Set(own.keys).union(received.keys).sorted() {
      guard let seen = own[from] ?? received[from] else { continue }
      let sender = host(ofVTEP: from)
      let onTheWay = own[from] == nil && sender >= 0 && topology.hostHasTunnelPoint[Int(sender)]
      let message =
        onTheWay
        ? "tunnel packets of \(vtepName(from)) arrive at \(names(seen.receivers)) in fragments, though it sends them whole: "
          + "a link between has too small an MTU"
        : "\(vtepName(from)) sends tunnel packets to \(names(seen.receivers)) in fragments: the underlay's MTU has no room for "
          + "the encapsulation"
      var draft = draft(
        nil, seen.record, rule: "underlay-fragmented", severity: .warning, host: sender, network: -1, message: message)
      if seen.octets > 0 { draft.finding.observed = [("packetOctets", .number(Int64(seen.octets)))] }
      if sender >= 0 { draft.finding.next.append("on \(hostName(sender)): ip link show; ip route get PEER-VTEP") }
      drafts.append(draft)
    }
  }

  private mutating func addTooBig() {
    let errors = evidence([.tooBig]) { _ in true }
    for from in errors.keys.sorted() {
      guard let seen = errors[from] else { continue }
      let sender = host(ofVTEP: from)
      let size = seen.octets > 0 ? "more than \(seen.octets) octets" : "packets of this size"
      var draft = draft(
        nil, seen.record, rule: "exceeds-underlay-mtu", severity: .error, host: sender, network: -1,
        message: "tunnel packets of \(vtepName(from)) to \(names(seen.receivers)) are too large for the underlay: a link on "
          + "the way takes no \(size) (ICMP)")
      if seen.octets > 0 { draft.finding.observed = [("nextLinkMTU", .number(Int64(seen.octets)))] }
      draft.finding.cause = Cause(kind: .underlay, text: "a link of the underlay has a smaller MTU than the hosts' NICs")
      if sender >= 0 { draft.finding.next.append("on \(hostName(sender)): ip route show cache; ping -M do -s 1572 PEER-VTEP") }
      drafts.append(draft)
    }
  }

  /// Where every frame above a size vanishes and those below pass.
  private mutating func addSizeLimits() {
    let keys = judge.sizes.keys.sorted { ($0.host, $0.peer, $0.kind) < ($1.host, $1.peer, $1.kind) }
    var limits: [UInt64: (key: SizeKey, record: FaultRecord, largest: UInt32, passed: UInt64)] = [:]
    func pairOf(_ key: SizeKey) -> UInt64 { UInt64(UInt32(bitPattern: key.host)) << 32 | UInt64(UInt32(bitPattern: key.peer)) }
    // An MTU does not tell kinds apart: what passes of any kind was no limit for the others.
    var largest: [UInt64: UInt32] = [:]
    var lastPassed: [UInt64: Int64] = [:]
    for key in keys {
      largest[pairOf(key)] = max(largest[pairOf(key)] ?? 0, judge.sizes[key]?.largestPassed ?? 0)
      lastPassed[pairOf(key)] = max(lastPassed[pairOf(key)] ?? .min, judge.sizes[key]?.lastPassed ?? .min)
    }
    for key in keys {
      // What the receiver shows at another time did not vanish.
      let way = StretchKey(stretch: .underlay, host: key.host, peer: key.peer, network: -1)
      guard judge.doubted(key.host, key.peer) < 3, !isCaptureLoss(judge.sizes[key]?.missedAbove ?? 0, way),
        let sizes = judge.sizes[key].map({ unchanged($0, key) }),
        sizes.isLimit(lastPassed: lastPassed[pairOf(key)] ?? .min), let least = sizes.missed.map(\.length).min(),
        least > largest[pairOf(key)] ?? 0 || !judge.makes(.someOfThatSizePass)
      else { continue }
      let pair = pairOf(key)
      var limit = limits[pair] ?? (key, FaultRecord(), 0, 0)
      limit.record.count += sizes.missedAbove
      limit.record.copies += sizes.missedAbove
      for miss in sizes.missed {
        limit.record.first = min(limit.record.first, miss.time)
        limit.record.last = max(limit.record.last, miss.time)
        if limit.record.point == nil { limit.record.point = miss.point }
        limit.record.frames.add(miss)
      }
      limit.largest = max(limit.largest, sizes.largestPassed)
      limit.passed += sizes.passed
      limits[pair] = limit
    }
    for pair in limits.keys.sorted() {
      guard let limit = limits[pair] else { continue }
      var draft = draft(
        nil, limit.record, rule: "exceeds-underlay-mtu", severity: .error, host: limit.key.host, network: -1,
        message: "of the frames from \(hostName(limit.key.host)) to \(hostName(limit.key.peer)) all \(limit.record.count) of more than "
          + "\(limit.largest) octets vanish on the underlay, while \(limit.passed) shorter ones of the same kinds pass")
      draft.finding.certainty = .likely
      draft.finding.observed = [("largestPassed", .number(Int64(limit.largest)))]
      draft.finding.cause = Cause(kind: .underlay, text: "a link of the underlay has no room for the encapsulated frames")
      draft.finding.next.append("on \(hostName(limit.key.host)): ping -M do -s 1572 PEER-VTEP")
      let name = draft.finding.host
      draft.parent = drafts.firstIndex { $0.finding.rule == "exceeds-underlay-mtu" && $0.finding.host == name }
      // What else vanished on that way is little: the limit explains it.
      for index in drafts.indices where drafts[index].parent == nil && drafts[index].way == pair {
        if drafts[index].finding.count * 4 <= limit.record.count * 5 { drafts[index].parent = drafts.count }
      }
      drafts.append(draft)
    }
  }

  /// Without the frames that arrived with other content: they did not vanish. Of those that a capture beyond missed
  /// that is not known: no more of them than were seen changed are a limit.
  private func unchanged(_ sizes: SizeRecord, _ key: SizeKey) -> SizeRecord {
    guard let at = modifiedDrafts[ModifiedKey(stage: .underlay, host: key.host, peer: key.peer)] else { return sizes }
    let changed = drafts[at].frames.numbers.mapValues { Set($0) }
    var rest = sizes
    rest.missed.removeAll { changed[$0.capture]?.contains($0.frame) ?? false }
    // Of those that were not kept, as many.
    if !sizes.missed.isEmpty { rest.missedAbove = sizes.missedAbove * UInt64(rest.missed.count) / UInt64(sizes.missed.count) }
    if rest.missedAbove <= drafts[at].finding.count { rest.missed = [] }
    return rest
  }

  // MARK: Checksums

  private mutating func addChecksums() {
    // Virtual devices hand on unfinished checksums, and their peers know.
    let seen = evidence([.wrongChecksum, .unfinishedChecksum]) { key in
      key.kind == .wrongChecksum || isPhysical(point: Int(key.point)) || !judge.makes(.virtualUnderlays)
    }
    for from in seen.keys.sorted() {
      // A few may have been sent so by a guest.
      guard let wrong = seen[from], wrong.record.count >= 3 || !judge.makes(.fewWrongChecksums) else { continue }
      let sender = host(ofVTEP: from)
      var draft = draft(
        nil, wrong.record, rule: "bad-checksum-on-wire", severity: .warning, host: sender, network: -1,
        message: "frames from \(vtepName(from)) arrive at \(names(wrong.receivers)) with a wrong inner checksum: the guests "
          + "there will drop them")
      if sender >= 0 {
        draft.finding.next.append("on \(hostName(sender)): ethtool -k UNDERLAY-NIC | grep -e tx-udp_tnl -e tx-checksum")
      }
      draft.parent = modification(of: sender, to: wrong.receivers)
      drafts.append(draft)
    }
  }

  /// The finding about changed content of which wrong checksums follow: content changed in the sender, or on the way to
  /// all of those who received it.
  private func modification(of sender: Int32, to receivers: Set<UInt16>) -> Int? {
    if let own = modifiedDrafts[ModifiedKey(stage: .sender, host: sender)] { return own }
    let ways = receivers.map { modifiedDrafts[ModifiedKey(stage: .underlay, host: sender, peer: host(ofVTEP: $0))] }
    return ways.contains { $0 == nil } ? nil : ways.compactMap { $0 }.min()
  }

  /// Whether state shows that a point's device is a real one, or stands on such.
  private func isPhysical(point: Int) -> Bool {
    let place = topology.plan.points[point]
    let devices = deployment.hosts[place.host].interfaces
    guard let device = devices.first(where: { $0.name == place.interface }) else { return false }
    if let kind = device.kind { return ["bond", "team", "vlan"].contains(kind) }
    // Without details (`ip -d`) no device has a kind.
    return devices.contains { $0.kind != nil }
  }

  // MARK: Outer VLANs

  private struct OuterTag {
    var vid: UInt16
    var count: UInt64
    var evidence: UnderlayEvidence
    var capture: UInt16
    var point: UInt16
  }

  /// The outer VLAN around the tunnel packets from one address to another, as one of the two shows them, where it is
  /// always the same.
  private func outerTag(from: UInt16, to: UInt16, atSender: Bool) -> OuterTag? {
    var found: OuterTag?
    for (capture, outcome) in captures.enumerated() {
      let keys = outcome.counts.underlay.keys.filter {
        $0.kind == .outerVLAN && $0.from == from && $0.to == to && showsTags(point: Int($0.point))
          && topology.points[Int($0.point)].host == host(ofVTEP: atSender ? from : to)
      }
      for key in keys.sorted(by: { ($0.point, $0.vid) < ($1.point, $1.vid) }) {
        guard let seen = outcome.counts.underlay[key] else { continue }
        if let known = found {
          guard known.vid == key.vid else { return nil }
          if known.point != key.point { continue }
          found?.count += seen.count
        } else {
          found = OuterTag(
            vid: key.vid, count: seen.count, evidence: seen, capture: UInt16(truncatingIfNeeded: capture), point: key.point)
        }
      }
    }
    return found
  }

  /// A VLAN device shows frames without the tag that it adds.
  private func showsTags(point: Int) -> Bool {
    guard judge.makes(.vlanDevices) else { return true }
    let place = topology.plan.points[point]
    if let kind = deployment.hosts[place.host].interfaces.first(where: { $0.name == place.interface })?.kind {
      return kind != "vlan"
    }
    guard let dot = place.interface.lastIndex(of: ".") else { return !place.interface.hasPrefix("vlan") }
    return UInt16(place.interface[place.interface.index(after: dot)...]) == nil
  }

  /// Two hosts that put different outer VLANs around the tunnel packets between them.
  private struct OuterDispute {
    var hosts: [Int32]
    var tags: [OuterTag]
    /// Each gets the other's packets in its own VLAN, and the other gets its: a switch translates.
    var isTranslated: Bool
    var record = FaultRecord()

    init(_ hosts: [Int32], _ tags: [OuterTag], isTranslated: Bool) {
      self.hosts = hosts
      self.tags = tags
      self.isTranslated = isTranslated
      for tag in tags {
        record.count += tag.count
        record.copies += tag.count
        record.first = min(record.first, tag.evidence.first)
        record.last = max(record.last, tag.evidence.last)
        for frame in tag.evidence.frames { record.frames.add(capture: tag.capture, frame: frame) }
      }
      record.point = tags[0].point
    }

    func vid(of host: Int32) -> UInt16? { hosts.firstIndex(of: host).map { tags[$0].vid } }
  }

  private mutating func addOuterVLANs() {
    var pairs: Set<UInt32> = []
    for outcome in captures {
      for key in outcome.counts.underlay.keys where key.kind == .outerVLAN {
        pairs.insert(UInt32(min(key.from, key.to)) << 16 | UInt32(max(key.from, key.to)))
      }
    }
    var disputes: [OuterDispute] = []
    var agreements: [Int32: Int] = [:]
    for pair in pairs.sorted() {
      let (a, b) = (UInt16(pair >> 16), UInt16(truncatingIfNeeded: pair))
      guard host(ofVTEP: a) >= 0, host(ofVTEP: b) >= 0, let there = outerTag(from: a, to: b, atSender: true),
        let back = outerTag(from: b, to: a, atSender: true)
      else { continue }
      if there.vid == back.vid {
        for end in [a, b] { agreements[host(ofVTEP: end), default: 0] += 1 }
      } else if !isRouted(there, back) {
        let isTranslated =
          outerTag(from: a, to: b, atSender: false)?.vid == back.vid
          && outerTag(from: b, to: a, atSender: false)?.vid == there.vid
        disputes.append(OuterDispute([host(ofVTEP: a), host(ofVTEP: b)], [there, back], isTranslated: isTranslated))
      }
    }
    // The host that most disagree with is the one at odds; of two that are alone, the first.
    while !disputes.isEmpty {
      var counts: [Int32: Int] = [:]
      for host in disputes.flatMap(\.hosts) { counts[host, default: 0] += 1 }
      func weight(_ host: Int32) -> (Int, Int, Int32) { (counts[host] ?? 0, -(agreements[host] ?? 0), -host) }
      guard let odd = counts.keys.max(by: { weight($0) < weight($1) }),
        let first = disputes.first(where: { $0.hosts.contains(odd) })
      else { return }
      let own = disputes.filter {
        $0.hosts.contains(odd) && $0.isTranslated == first.isTranslated && $0.vid(of: odd) == first.vid(of: odd)
      }
      addOuterDispute(own, odd)
      disputes.removeAll { dispute in own.contains { $0.hosts == dispute.hosts } }
    }
  }

  private mutating func addOuterDispute(_ disputes: [OuterDispute], _ odd: Int32) {
    guard let first = disputes.first, let own = first.vid(of: odd) else { return }
    var record = first.record
    for other in disputes.dropFirst() { record.merge(other.record) }
    func words(_ vid: UInt16) -> String { vid == 0 ? "without a VLAN tag" : "in VLAN \(vid)" }
    let peers = disputes.flatMap(\.hosts).filter { $0 != odd }
    let theirs = disputes.flatMap { dispute in dispute.hosts.filter { $0 != odd }.compactMap { dispute.vid(of: $0) } }
    let vids = Set(theirs).sorted()
    let what =
      "\(hostName(odd)) sends its tunnel packets \(words(own)), and \(list(peers.map(hostName))) "
      + vids.map(words).joined(separator: " or ")
    var draft = draft(
      nil, record, rule: "outer-vlan-mismatch", severity: first.isTranslated && judge.makes(.translatedVLANs) ? .info : .warning, host: odd, network: -1,
      message: first.isTranslated
        ? what + ": each gets the other's in its own, a switch between them translates both ways"
        : what + ": they pass only if a switch between translates")
    if vids.count == 1 { draft.finding.expected = [("outerVLAN", .number(Int64(vids[0])))] }
    draft.finding.observed = [("outerVLAN", .number(Int64(own)))]
    draft.finding.next.append("ip -d link show type vlan on \(hostName(odd)) and \(list(peers.map(hostName)))")
    drafts.append(draft)
  }

  /// Between hosts in different subnets each has the VLAN of its own: packets go to a router, not to the peer's NIC.
  private func isRouted(_ there: OuterTag, _ back: OuterTag) -> Bool {
    judge.makes(.routedUnderlay) && there.evidence.outerDestination != back.evidence.outerSource
      && back.evidence.outerDestination != there.evidence.outerSource
  }
}
