import Correlation
import Deployment
import Observations
import Wire

/// A stretch on which the content of frames changes.
struct ModifiedKey: Hashable, Sendable {
  enum Stage: UInt8, Sendable { case sender, underlay, receiver }
  var stage: Stage
  var host: Int32
  /// The far host of `underlay`.
  var peer: Int32 = -1
}

/// Frames that end on a stretch, and frames that begin behind it: where one of each has the same selector and length,
/// content was changed between. Bounded.
struct ModifiedLedger: Sendable {
  struct Loose: Sendable {
    var key: ModifiedKey
    var isEnd: Bool
    var seen: Observation
  }
  private static let bound = 8192
  private var loose: [UInt64: Loose] = [:]
  private(set) var records: [ModifiedKey: FaultRecord] = [:]
  /// Of late: selectors with the digest that they came with, by a part of their hash.
  private var recent: [(selector: UInt32, digest: UInt64)] = Array(repeating: (0, 0), count: 4096)
  /// Selectors that came with several contents though nothing ended or began: they do not tell packets apart.
  private(set) var repeated: UInt64 = 0

  /// Notes a frame that went all its way.
  mutating func noteWhole(_ head: Observation) {
    let slot = Int(head.target >> 1) & 4095
    if recent[slot].selector == head.target, recent[slot].digest != head.digest { repeated += 1 }
    recent[slot] = (head.target, head.digest)
  }

  mutating func note(_ part: Loose, _ trajectory: UInt64) {
    let id = UInt64(part.seen.target) << 32 ^ part.seen.source.rawValue &* 0x9e37_79b9_7f4a_7c15
    guard let other = loose[id], other.key == part.key, other.isEnd != part.isEnd,
      other.seen.digest != part.seen.digest, other.seen.length == part.seen.length,
      abs(other.seen.time &- part.seen.time) < 500_000_000
    else {
      if loose.count >= ModifiedLedger.bound { loose.removeAll(keepingCapacity: true) }
      loose[id] = part
      return
    }
    loose[id] = nil
    let (end, beginning) = part.isEnd ? (part.seen, other.seen) : (other.seen, part.seen)
    let group = [end, beginning]
    records[part.key, default: FaultRecord()].add(
      trajectory: trajectory, beginning, isWeak: false, group: group, index: 1)
    records[part.key]?.frames.add(end)
    records[part.key]?.frames.add(beginning)
  }
}

extension Judge {
  /// Notes where a group ends or begins without cause.
  mutating func noteLoose(_ group: [Observation], _ base: UInt64) {
    guard let head = group.first, head.target != 0 else { return }
    switch head.frameClass {
    case .arpRequest, .arpReply, .neighborSolicitation, .neighborAdvertisement, .rarp, .fragment: return
    default: break
    }
    var isWhole = true
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      let seen = group[Int(tunnel.observation)]
      if tunnel.direction == .out {
        if tunnel.entry < 0, let port = laneOwner(of: seen.source, on: tunnel.host, tunnel.network),
          topology.portIsCaptured[port], isLive(port: Int32(port), tunnel.time)
        {
          note(.sender, tunnel.host, -1, isEnd: false, seen, base)
          isWhole = false
        }
        if tunnel.peer >= 0, topology.hostHasTunnelPoint[Int(tunnel.peer)],
          !resolver.tunnels.contains(where: { $0.direction == .in && Int($0.sent) == at })
        {
          if isLive(tunnelOf: tunnel.peer, tunnel.time, seenOn: tunnel.host) {
            note(.underlay, tunnel.host, tunnel.peer, isEnd: true, seen, base)
          }
          isWhole = false
        }
      } else if tunnel.direction == .in {
        if tunnel.sent < 0, tunnel.peer >= 0, topology.hostHasTunnelPoint[Int(tunnel.peer)] {
          if isLive(tunnelOf: tunnel.peer, tunnel.time, seenOn: tunnel.host) {
            note(.underlay, tunnel.peer, tunnel.host, isEnd: false, seen, base)
          }
          isWhole = false
        } else if tunnel.sent < 0, tunnel.entry < 0, tunnel.peer >= 0,
          let port = laneOwner(of: seen.source, on: tunnel.peer, tunnel.network), topology.portIsCaptured[port],
          isLive(port: Int32(port), tunnel.time)
        {
          note(.underlay, tunnel.peer, tunnel.host, isEnd: false, seen, base)
          isWhole = false
        }
        if tunnel.deliveries == 0, tunnel.network >= 0,
          topology.ports(on: tunnel.host, of: tunnel.network).contains(where: { expects($0, seen) })
        {
          note(.receiver, tunnel.host, -1, isEnd: true, seen, base)
          isWhole = false
        }
      }
    }
    for at in resolver.passages.indices {
      let passage = resolver.passages[at]
      let seen = group[Int(passage.direction == .toGuest ? passage.first : passage.last)]
      if !topology.hostHasTunnelPoint[Int(passage.host)], passage.direction == .fromGuest, !isShown(beside: passage.host),
        let home = home(of: seen.destination, passage), mustLeave(passage, seen)
      {
        note(.underlay, passage.host, home, isEnd: true, seen, base)
        isWhole = false
      }
      guard topology.hostHasTunnelPoint[Int(passage.host)], isLive(tunnelOf: passage.host, passage.start) else { continue }
      if passage.direction == .fromGuest, passage.network >= 0, mustLeave(passage, seen), !hasLeftBeside(at),
        !resolver.tunnels.contains(where: { $0.direction == .out && Int($0.entry) == at })
      {
        note(.sender, passage.host, -1, isEnd: true, seen, base)
        isWhole = false
      } else if passage.direction == .toGuest, passage.fromTunnel < 0, passage.fromEntry < 0 {
        note(.receiver, passage.host, -1, isEnd: false, seen, base)
        isWhole = false
      }
    }
    if isWhole { modified.noteWhole(head) }
  }

  /// The other host where a frame of an entry must show in a tunnel: that of the one guest that it is for.
  private func home(of mac: MACAddress, _ entry: Passage) -> Int32? {
    guard entry.network >= 0, let owners = topology.portsOfMAC[mac] else { return nil }
    let hosts = Set(owners.filter { topology.portNetwork[$0] == entry.network }.map { topology.portHost[$0] })
    guard hosts.count == 1, let home = hosts.first, home != entry.host, topology.hostHasTunnelPoint[Int(home)] else { return nil }
    return home
  }

  private mutating func note(
    _ stage: ModifiedKey.Stage, _ host: Int32, _ peer: Int32, isEnd: Bool, _ seen: Observation, _ base: UInt64
  ) {
    modified.note(
      .init(key: ModifiedKey(stage: stage, host: host, peer: peer), isEnd: isEnd, seen: seen), base)
  }
}

extension FindingBuilder {
  /// Frames whose content was changed. What it makes of them (frames that nobody sent, frames that vanish) follows.
  mutating func addModified() {
    let ledger = judge.modified
    for key in ledger.records.keys.sorted(by: { ($0.stage.rawValue, $0.host, $0.peer) < ($1.stage.rawValue, $1.host, $1.peer) }) {
      guard let record = ledger.records[key], record.count >= 3, ledger.repeated * 4 < record.count else { continue }
      let (host, peer) = (hostName(key.host), hostName(key.peer))
      let what = "\(record.count) frames"
      let message: String
      switch key.stage {
      case .sender:
        message = "\(what) left \(host) with other content than its guests sent: they are changed inside \(host)"
      case .underlay:
        message =
          topology.hostHasTunnelPoint[Int(key.host)]
          ? "\(what) arrived at \(peer) with other content than \(host) sent: they are changed on the underlay"
          : "\(what) arrived at \(peer) with other content than guests of \(host) sent: they are changed on the underlay, or inside "
            + "\(host), whose tunnel interface was not captured"
      case .receiver:
        message = "\(what) reached ports on \(host) with other content than it received: they are changed inside \(host)"
      }
      var draft = draft(
        nil, record, rule: "frame-modified", severity: .error, host: key.stage == .underlay ? key.peer : key.host,
        network: -1, message: message)
      if key.stage == .underlay, topology.hostHasTunnelPoint[Int(key.host)] { draft.finding.cause = Cause(kind: .underlay, text: "the underlay between \(host) and \(peer)") }
      modifiedDrafts[key] = drafts.count
      drafts.append(draft)
    }
  }

  /// Frames whose tunnel header is another one where they arrive: the switch that took them in may not know.
  mutating func addChangedVNI(_ key: FaultKey, _ record: FaultRecord) {
    let sender = hostName(Int32(truncatingIfNeeded: key.detail))
    let sent = topology.vni(ofNetwork: Int(key.network))
    var draft = draft(
      key, record, rule: key.fault.rule, severity: .error, host: key.host, network: key.network,
      message: "tunnel frames of \(networkName(key.network)) that \(sender) sends"
        + (sent.map { " on \(vniText($0))" } ?? "") + " arrive at \(hostName(key.host)) on \(vniText(key.observed)), "
        + "\(laneText(key, record)): their tunnel header is changed on the underlay")
    draft.finding.cause = Cause(kind: .underlay, text: "the underlay between \(sender) and \(hostName(key.host))")
    if let sent { draft.finding.expected = [("vni", .number(Int64(sent)))] }
    draft.finding.observed = [("vni", .number(Int64(key.observed)))]
    drafts.append(draft)
  }

  /// The finding about changed content that explains why frames vanish on a stretch.
  func modification(on stretch: StretchKey.Stretch, _ host: Int32, _ peer: Int32) -> Int? {
    switch stretch {
    case .intoTunnel: modifiedDrafts[ModifiedKey(stage: .sender, host: host)]
    case .underlay: modifiedDrafts[ModifiedKey(stage: .underlay, host: host, peer: peer)]
    case .toPort: modifiedDrafts[ModifiedKey(stage: .receiver, host: host)]
    default: nil
    }
  }
}
