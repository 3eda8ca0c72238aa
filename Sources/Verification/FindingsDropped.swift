import Correlation
import Datapath
import Deployment
import Observations
import Wire

/// Frames that vanish inside a host and that its dumped flows drop.
extension FindingBuilder {
  /// Loss of frames where the flows say so: a few missing sightings are enough, for what the flows do to every such
  /// frame is known.
  private struct Dropped {
    var fault: InstalledPaths.Fault
    var key: StretchKey
    /// Hosts that the frames came from.
    var peers: [Int32]
    var networks: [Int32]
    var ports: [Int32]
    var record: StretchRecord
  }

  mutating func addDroppedByFlows() {
    let suspects = judge.stretches.sorted.filter { number in
      let (key, record) = (judge.stretches.keys[number], judge.stretches.records[number])
      guard record.missed.count > 0, key.port >= 0, tagDraft(key.port, key.network) == nil else { return false }
      return key.stretch == .toPort && key.peer >= 0 || key.stretch == .intoTunnel
    }
    guard !suspects.isEmpty else { return }
    let faults = InstalledPaths.drops(deployment, topology, installed)
    guard !faults.isEmpty else { return }
    var groups: [Dropped] = []
    for number in suspects {
      let (key, record) = (judge.stretches.keys[number], judge.stretches.records[number])
      guard let (fault, isLasting) = faults.first(where: { isFault($0.fault, on: key) }) else { continue }
      // Flows of one of two dumps may have been there for a moment.
      guard isLasting ? judge.stretches.passed[number] == 0 || record.missed.count >= 3 : provenMisses(key, record) >= 3 else {
        continue
      }
      let same = groups.firstIndex {
        $0.fault.flow == fault.flow && ($0.key.stretch, $0.key.host) == (key.stretch, key.host)
          && ($0.key.peer == key.peer || !Self.takesNothing(fault, key))
      }
      if let same {
        groups[same].record.merge(record)
        if !groups[same].peers.contains(key.peer) { groups[same].peers.append(key.peer) }
        if !groups[same].networks.contains(key.network) { groups[same].networks.append(key.network) }
        if !groups[same].ports.contains(key.port) { groups[same].ports.append(key.port) }
      } else {
        groups.append(Dropped(fault: fault, key: key, peers: [key.peer], networks: [key.network], ports: [key.port], record: record))
      }
    }
    for group in groups { add(group) }
  }

  /// Whether what comes out of a tunnel meets no flow but the last one: another tunnel's frames end there for another want.
  private static func takesNothing(_ fault: InstalledPaths.Fault, _ key: StretchKey) -> Bool {
    key.stretch == .toPort && fault.flow.map { $0.table == 0 && $0.text.hasPrefix("priority=0 ") } ?? false
  }

  private func isFault(_ fault: InstalledPaths.Fault, on key: StretchKey) -> Bool {
    guard fault.host == Int(key.host) else { return false }
    if key.stretch == .intoTunnel { return fault.pair.sender == Int(key.port) }
    return fault.pair.receiver == Int(key.port) && deployment.ports[fault.pair.sender].host == Int(key.peer)
  }

  private mutating func add(_ dropped: Dropped) {
    let key = dropped.key
    let (host, names) = (hostName(key.host), Set(dropped.networks.map(networkName)))
    let ports = dropped.ports.map(portName)
    var isNamed = false
    for index in drafts.indices {
      let finding = drafts[index].finding
      guard finding.severity > .info, finding.host == host, finding.network.map(names.contains) ?? true else { continue }
      // Another rule explains why nothing comes through.
      guard finding.rule == Fault.frameLost.rule else { return }
      guard drafts[index].way == nil, finding.port.map(ports.contains) ?? true else { continue }
      isNamed = true
      if finding.cause == nil, drafts[index].parent == nil {
        name(&drafts[index], dropped)
        drafts[index].finding.severity = .error
      }
    }
    guard !isNamed else { return }
    let network = dropped.networks.count == 1 ? networkName(dropped.networks[0]) : "\(dropped.networks.count) networks"
    let count = dropped.record.missed.count
    let plural = count == 1 ? "" : "s"
    let message =
      key.stretch == .intoTunnel
      ? "\(count) frame\(plural) of \(list(ports)) that must leave \(host) vanish\(count == 1 ? "es" : "") inside \(host): "
        + "its flows drop \(count == 1 ? "it" : "them")"
      : "\(count) frame\(plural) of \(network) that reached \(host) from \(list(dropped.peers.map(hostName))) for \(list(ports)) "
        + "vanish\(count == 1 ? "es" : "") inside \(host): its flows drop \(count == 1 ? "it" : "them")"
    var draft = draft(
      nil, dropped.record.missed, rule: Fault.frameLost.rule, severity: .error, host: key.host,
      network: dropped.networks.count == 1 ? dropped.networks[0] : -1, message: message)
    draft.finding.port = ports.count == 1 ? ports[0] : nil
    if provenMisses(key, dropped.record) < 3 { draft.finding.certainty = .likely }
    name(&draft, dropped)
    drafts.append(draft)
  }

  /// The tunnel port by which the frames come in: one with their key goes before one for all keys (`tnl_find` in
  /// ofproto/tunnel.c).
  private func tunnel(taking dropped: Dropped, onto bridge: String) -> Tunnel? {
    let vnis = dropped.networks.compactMap { topology.vni(ofNetwork: Int($0)) }
    let tunnels = deployment.tunnels(of: Int(dropped.key.host)).filter { tunnel in
      tunnel.bridge == bridge && tunnel.remote.map(deployment.hosts[Int(dropped.key.peer)].vteps.contains) ?? false
    }
    return tunnels.first { $0.inKey.map(vnis.contains) ?? false } ?? tunnels.first { $0.inKey == nil }
  }

  /// Names the flow that drops; of what comes out of a tunnel that no flow takes, the one that is missing.
  private func name(_ draft: inout Draft, _ dropped: Dropped) {
    guard let flow = dropped.fault.flow else { return }
    let host = hostName(dropped.key.host)
    var cause = Cause(kind: .flow, host: host, bridge: flow.bridge, table: Int(flow.table), text: flow.text)
    if Self.takesNothing(dropped.fault, dropped.key),
      let tunnel = tunnel(taking: dropped, onto: flow.bridge)
    {
      cause.kind = .missingFlow
      let key = tunnel.inKey.map { " (in_key=\($0))" } ?? ""
      cause.text = "missing: a flow for in_port=\(tunnel.name)\(key); dropped by: \(flow.text)"
    }
    cause.file = dropped.fault.file
    cause.line = flow.line > 0 ? flow.line : nil
    draft.finding.cause = cause
    draft.finding.next = ["on \(host): ovs-ofctl -O OpenFlow13 dump-flows \(flow.bridge) table=\(flow.table)"]
  }
}

extension InstalledPaths {
  /// Where the dumped flows drop what ports send each other; lasting, where every dump that shows both ports says so.
  static func drops(
    _ deployment: Deployment, _ topology: Topology, _ installed: InstalledView
  ) -> [(fault: Fault, isLasting: Bool)] {
    let runs = InstalledPaths.runs(
      deployment, topology, leavesOut: { !installed.hasFlows[$0] || installed.mayFilter(host: $0) ?? true })
    // What the later dumps say comes first.
    return runs.reversed().flatMap { run in
      run.faults.filter { $0.kind == .unreachable && $0.flow != nil }.map { fault in
        let isLasting = runs.allSatisfy { other in
          !other.covers(fault.pair) || other.faults.contains { $0.pair == fault.pair && $0.kind == .unreachable && $0.host == fault.host }
        }
        return (fault, isLasting)
      }
    }
  }
}
