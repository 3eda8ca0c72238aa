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
        let record = judge.faults[key], let vni = topology.vni(ofNetwork: Int(key.network)),
        let vlan = installed.inbound(host: Int(key.host), vni: vni)?.vlan,
        vlan == localVLAN(key.host, Int32(bitPattern: key.observed)), vlan != localVLAN(key.host, key.network)
      else { continue }
      let root = FaultKey(
        fault: .wrongLocalVLAN, host: key.host, network: key.network, observed: key.observed)
      if let known = drafts.firstIndex(where: { $0.key == root }) {
        drafts[index].parent = known
      } else {
        addWrongLocalVLAN(root, record)
        drafts[index].parent = drafts.count - 1
      }
    }
  }

  mutating func addStretches() {
    let keys = judge.stretches.keys.sorted {
      ($0.stretch.rawValue, $0.host, $0.peer, $0.network, $0.port)
        < ($1.stretch.rawValue, $1.host, $1.peer, $1.network, $1.port)
    }
    for key in keys {
      guard let record = judge.stretches[key], record.passed == 0, record.missed.count > 0 else { continue }
      if key.stretch == .floodCopy {
        addMissingFloodCopy(key, record.missed)
        continue
      }
      let tagged = key.port >= 0 ? tagDrafts[key.port] : nil
      // A handful may be chance; where state explains it, one is enough.
      guard provenMisses(key, record) >= 3 || tagged != nil else { continue }
      guard stretchIsCredible(key) else { continue }
      // Where the way into the host was not captured, its flows still tell why.
      let receiver = key.stretch == .betweenPorts ? key.peer : key.host
      if key.stretch == .betweenPorts || key.stretch == .toPort, tagged == nil, key.network >= 0,
        let vni = topology.vni(ofNetwork: Int(key.network)), installed.isUnmapped(host: Int(receiver), vni: vni)
      {
        addUnmappedVNI(
          FaultKey(fault: .unmappedVNI, host: receiver, network: key.network, observed: vni), record.missed)
        continue
      }
      let count = record.missed.count
      let message: String
      switch key.stretch {
      case .intoTunnel:
        message =
          "none of \(count) frames of \(portName(key.port)) that must leave \(hostName(key.host)) shows at its tunnel "
          + "point: they vanish inside \(hostName(key.host))"
      case .underlay:
        message =
          "none of \(count) tunnel frames from \(hostName(key.host)) to \(hostName(key.peer)) "
          + "arrives there: they vanish on the underlay"
      case .toPort:
        message =
          "none of \(count) frames of \(networkName(key.network)) that reached \(hostName(key.host)) for "
          + "\(portName(key.port)) shows at its port: they vanish inside \(hostName(key.host))"
      case .betweenPorts:
        message =
          "none of \(count) frames of \(networkName(key.network)) that guests on \(hostName(key.host)) sent for "
          + "\(portName(key.port)) shows at its port on \(hostName(key.peer)), whose tunnel interface was not captured"
      case .floodCopy: continue
      }
      var draft = draft(
        nil, record.missed, rule: Fault.frameLost.rule, severity: .error, host: key.host, network: key.network,
        message: message)
      draft.finding.port = key.port >= 0 ? portName(key.port) : nil
      draft.parent = tagged
      if key.stretch == .betweenPorts { draft.finding.certainty = .likely }
      if key.stretch == .intoTunnel { explainVanishing(&draft, key) }
      draft.finding.observed = [("arrived", .number(0))]
      draft.finding.expected = [("arrived", .number(Int64(clamping: count)))]
      drafts.append(draft)
    }
  }

  /// The flow that drops what should go into the tunnels.
  func explainVanishing(_ draft: inout Draft, _ key: StretchKey) {
    guard let vlan = deployment.ports[Int(key.port)].installedTag ?? localVLAN(key.host, key.network),
      let flood = installed.flood(host: Int(key.host), vlan: vlan), flood.vni == nil
    else { return }
    let drop = flood.flow
    var cause = Cause(
      kind: .missingFlow, host: hostName(key.host), bridge: drop?.bridge ?? tunnelBridge(key.host), table: drop?.table,
      text: "missing: a flow that floods dl_vlan=\(vlan)\(drop.map { "; dropped by: \($0.text)" } ?? "")")
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
    let files = Set(points.flatMap { topology.plan.points[$0].captures }).filter { $0 < captures.count }
    guard files.allSatisfy({ captures[$0].facts.late == 0 }) else { return true }
    let lost = files.reduce(0.0) { $0 + Double(captures[$1].facts.dropped ?? 0) }
    let seen = files.reduce(0.0) { $0 + Double(captures[$1].counts.frames) }
    guard lost > 0 else { return false }
    // Losses come in bursts: the rate counts tenfold.
    let rate = min(1, 10 * lost / (lost + seen))
    var chance = 1.0
    for _ in 0..<min(misses, 1000) where chance > 1e-9 { chance *= rate }
    return chance > 1e-9
  }

  /// Frames at some points of which too little was captured to know them.
  func tooShort(at points: [Int]) -> UInt64 {
    let files = Set(points.flatMap { topology.plan.points[$0].captures })
    return files.reduce(UInt64(0)) { $1 < captures.count ? $0 + captures[$1].counts.tooShort : $0 }
  }

  /// Whether the place where frames are missed shows others: then it was working and looking.
  func stretchIsCredible(_ key: StretchKey) -> Bool {
    switch key.stretch {
    case .underlay:
      return judge.stretches.contains {
        $0.key.stretch == .underlay && $0.key.peer == key.peer && $0.key != key && $0.value.passed > 0
      } || judge.stretches.contains { $0.key.stretch == .underlay && $0.key.host == key.peer && $0.value.passed > 0 }
    case .intoTunnel, .toPort, .betweenPorts, .floodCopy:
      return true
    }
  }
}
