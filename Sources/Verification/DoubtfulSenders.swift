import Correlation
import Deployment
import Observations
import Wire

/// Frames in the name of hosts or guests that other captures speak against, though none was recording where it would have
/// to show that they were sent: a suspicion, which a capture there would settle.
extension Judge {
  /// Whether a frame is not one of those that NICs cut and join.
  private func isWhole(_ seen: Observation) -> Bool {
    seen.frameClass != .tcp && seen.frameClass != .fragment && seen.length <= 1600
  }

  /// An arrival from a host that was not captured just then, of a guest that lives elsewhere.
  mutating func noteDoubtfulSender(_ at: Int, _ group: [Observation], _ base: UInt64) {
    let tunnel = resolver.tunnels[at]
    let seen = group[Int(tunnel.observation)]
    guard let owners = topology.portsOfMAC[seen.source], !owners.isEmpty else { return }
    let stations = UInt64(UInt32(bitPattern: tunnel.host)) << 32 | UInt64(UInt32(bitPattern: tunnel.peer))
    guard !owners.contains(where: { topology.portHost[$0] == tunnel.peer }) else {
      if let known = usualStations[stations], known.count >= 16 || known.contains(seen.outerSource) { return }
      usualStations[stations, default: []].insert(seen.outerSource)
      return
    }
    guard !isPiece, isWhole(seen), !topology.livesInSeveralPlaces(seen.source), !hasEntry(on: tunnel.peer), seen.outerSource != .zero,
      !topology.hostHasTunnelPoint[Int(tunnel.peer)] || !isLive(tunnelOf: tunnel.peer, seen.time, seenOn: tunnel.host)
    else { return }
    let key = FaultKey(
      fault: .doubtfulSender, host: tunnel.host, network: tunnel.network, port: tunnel.peer, detail: seen.outerSource.rawValue)
    record(key, base, group, Int(tunnel.observation), isWeak: true)
  }

  /// A frame that reached a port on a host whose tunnel interface was not captured just then, and that all captures of
  /// the guest lack which it says it is from.
  mutating func noteOrphan(_ delivery: Passage, _ group: [Observation], _ base: UInt64) {
    let seen = group[Int(delivery.first)]
    guard !isPiece, delivery.basis != .ownership, resolver.tunnels.isEmpty, resolver.witnesses.isEmpty, isWhole(seen),
      resolver.entryCount == 0, let owners = topology.portsOfMAC[seen.source], let first = owners.first,
      !topology.livesInSeveralPlaces(seen.source), trust.isOrdered(delivery.host, at: seen.time), !isLive(tunnelOf: delivery.host, seen.time)
    else { return }
    for owner in owners {
      let host = Int32(truncatingIfNeeded: topology.portHost[owner])
      guard host != delivery.host, topology.portIsCaptured[owner], isLive(port: Int32(truncatingIfNeeded: owner), seen.time),
        topology.hostHasTunnelPoint[Int(host)], isLive(tunnelOf: host, seen.time, seenOn: delivery.host)
      else { return }
    }
    let key = FaultKey(
      fault: .doubtfulSender, host: delivery.host, network: delivery.network, port: Int32(truncatingIfNeeded: topology.portHost[first]))
    record(key, base, group, Int(delivery.first), isWeak: true)
  }
}

extension FindingBuilder {
  mutating func addDoubtfulSenders(_ cases: [Case]) {
    addStrangeStations(cases.filter { $0.key.detail != 0 && !isOthers($0.key) && isStrange($0.key) })
    addOrphans(cases.filter { $0.key.detail == 0 && $0.record.count > 4 * judge.doubted($0.key.host, $0.key.port) })
  }

  /// Whether a station is none of a host's, whose own frames come from others.
  private func isStrange(_ key: FaultKey) -> Bool {
    let way = UInt64(UInt32(bitPattern: key.host)) << 32 | UInt64(UInt32(bitPattern: key.port))
    let known = (judge.lawfulStations[way] ?? []).union(judge.usualStations[way] ?? [])
    let station = MACAddress(rawValue: key.detail)
    return !known.isEmpty && !known.contains(station)
      && !deployment.hosts[Int(key.port)].interfaces.contains { $0.mac == station }
  }

  private mutating func addStrangeStations(_ cases: [Case]) {
    guard let key = cases.first?.key else { return }
    let record = merged(cases)
    // A handful may be chance.
    guard record.count >= 3 else { return }
    let names = unique(cases.map { hostName($0.key.port) })
    let stations = unique(cases.map { "\(MACAddress(rawValue: $0.key.detail))" })
    let message =
      "\(record.count) tunnel frames in the name of \(list(names)) reached \(hostName(key.host)) from "
      + "\(stations.count == 1 ? "station" : "stations") \(list(stations)), which none of its other frames come from, with MACs of "
      + "guests that live elsewhere; no capture shows whether \(names.count == 1 ? "it" : "they") sent them"
    add(key, record, message, next: "capture the tunnel interface of \(list(names)) over all of the time")
    let index = drafts.count - 1
    drafts[index].stations = Set(cases.map(\.key.detail))
    drafts[index].finding.observed = [("vteps", .list(names)), ("stations", .list(Array(stations.prefix(8))))]
  }

  private mutating func addOrphans(_ cases: [Case]) {
    guard let key = cases.first?.key else { return }
    let record = merged(cases)
    let senders = cases.map { Int($0.key.port) }
    // What chance explains: frames that both points of the sender lost.
    let chance = senders.reduce(0.0) {
      let (missed, sent) = (Double(judge.passing.sentMissed[$1]), Double(judge.passing.sent[$1]))
      return $0 + (sent + missed > 0 ? missed * missed / (sent + missed) : 0)
    }
    let short = senders.reduce(UInt64(0)) { $0 + tooShort(at: topology.tunnelPoints[$1]) }
    guard record.count >= 3, Double(record.count) > 10 * chance + Double(short) else { return }
    let names = unique(cases.map { hostName($0.key.port) })
    let message =
      "\(record.count) frames with MACs of guests of \(list(names)) reached ports of \(hostName(key.host)), and no capture of "
      + "\(list(names)) shows that they were sent; nor was the tunnel interface of \(hostName(key.host)) captured then"
    add(key, record, message, next: "capture the tunnel interface of \(hostName(key.host)) over all of the time")
    drafts[drafts.count - 1].finding.observed = [("senders", .list(names))]
  }

  private mutating func add(_ key: FaultKey, _ record: FaultRecord, _ message: String, next: String) {
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .warning, host: key.host, network: key.network, message: message)
    draft.finding.certainty = .suspected
    draft.finding.next = [next]
    drafts.append(draft)
  }
}
