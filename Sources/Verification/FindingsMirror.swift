import Correlation
import Deployment
import Observations

/// Findings about mirrors that copy frames of one network into the VLAN of another (`Mirror.output_vlan`).
extension FindingBuilder {
  /// A host's leak from one network into another.
  struct Leak: Hashable {
    var host: Int32
    var from: Int32
    var to: Int32
  }

  mutating func addMirrors() {
    for (number, host) in deployment.hosts.enumerated() {
      for (bridge, mirror) in host.mirrorsIntoVLANs {
        let others = host.localVLANs.filter { $0.value == mirror.outputVLAN }.keys.sorted()
        for to in others {
          for from in host.localVLANs.keys.sorted() where from != to && mirror.takes(host.localVLANs[from]) {
            addMirror(mirror, of: bridge, Leak(host: Int32(number), from: Int32(from), to: Int32(to)))
          }
        }
      }
    }
  }

  private mutating func addMirror(_ mirror: Mirror, of bridge: String, _ leak: Leak) {
    guard mirrorDrafts[leak] == nil else { return }
    let keys = sortedKeys().filter { isSame($0, leak) }
    // What came to ports of the host itself; else what left it.
    let near = keys.filter { $0.fault == .crossNetworkDelivery && $0.host == leak.host && $0.via == nil }
    let told = near.isEmpty ? keys : near
    var record = FaultRecord()
    for key in told { if let own = judge.faults[key] { record.merge(own) } }
    guard record.count > 0 else { return }
    let (host, vlan) = (hostName(leak.host), mirror.outputVLAN.map { "\($0)" } ?? "")
    let message =
      "mirror \(mirror.name) of \(bridge) on \(host) copies frames of \(networkName(leak.from)) into VLAN \(vlan), that of network "
      + networkName(leak.to)
    var draft = draft(
      nil, record, rule: Fault.crossNetworkDelivery.rule, severity: .error, host: leak.host, network: leak.from, message: message)
    draft.finding.expected = [("network", .text(networkName(leak.from)))]
    draft.finding.observed = [("network", .text(networkName(leak.to)))]
    let selected = mirror.selectedVLANs.isEmpty ? "" : " select_vlan=\(mirror.selectedVLANs.map { "\($0)" }.joined(separator: ","))"
    draft.finding.cause = Cause(
      kind: .mirror, host: host, bridge: bridge, text: "Mirror \(mirror.name):\(selected) output_vlan=\(vlan)")
    draft.finding.next = ["on \(host): ovs-vsctl list mirror \(mirror.name)"]
    mirrorDrafts[leak] = drafts.count
    mirrored.formUnion(told)
    drafts.append(draft)
  }

  /// Whether frames went from the one network into the other, by what the host did.
  private func isSame(_ key: FaultKey, _ leak: Leak) -> Bool {
    switch key.fault {
    case .crossNetworkDelivery:
      key.network == leak.from && Int32(bitPattern: key.observed) == leak.to && (key.via == nil ? key.host : key.viaHost) == leak.host
    case .wrongVNI: key.host == leak.host && key.network == leak.from && (judge.faults[key].map { judge.lane(key, $0) } ?? topology.network(ofVNI: key.observed)) == leak.to
    case .wrongLocalVLAN:
      key.host == leak.host && key.network == leak.from && key.detail == 0 && Int32(bitPattern: key.observed) == leak.to
    default: false
    }
  }

  /// The finding about a mirror that a fault follows from.
  func mirrorDraft(_ key: FaultKey) -> Int? {
    guard !mirrorDrafts.isEmpty else { return nil }
    // The copies of what came out of a tunnel go into tunnels again.
    let found = mirrorDrafts.filter { leak, _ in
      isSame(key, leak) || key.fault == .tunnelReflection && key.host == leak.host && key.network == leak.to
        || key.fault == .crossNetworkDelivery && key.via == nil && key.network == leak.from
          && Int32(bitPattern: key.observed) == leak.to
          && (entryHost(key) == leak.host || !topology.hostHasTunnelPoint[Int(key.host)])
    }
    return found.values.min()
  }

  /// The host where the first frame of a fault entered.
  private func entryHost(_ key: FaultKey) -> Int32? {
    judge.faults[key]?.example.first.map { topology.points[Int($0.point)] }.flatMap { $0.isGuestSide ? $0.host : nil }
  }
}

extension Host {
  /// Mirrors that copy into a VLAN, with their bridges; each once, whichever dump shows it.
  fileprivate var mirrorsIntoVLANs: [(bridge: String, mirror: Mirror)] {
    var list: [(bridge: String, mirror: Mirror)] = []
    for bridge in [before, after].compactMap({ $0 }).flatMap(\.bridges) {
      for mirror in bridge.mirrors where mirror.outputVLAN != nil {
        if !list.contains(where: { $0.bridge == bridge.name && $0.mirror.name == mirror.name }) { list.append((bridge.name, mirror)) }
      }
    }
    return list
  }
}

extension Mirror {
  /// Whether it copies frames of a VLAN, or some of them.
  fileprivate func takes(_ vlan: UInt16?) -> Bool {
    guard let vlan, selectedVLANs.isEmpty || selectedVLANs.contains(vlan) else { return false }
    return selectAll || !sourcePorts.isEmpty || !destinationPorts.isEmpty
  }
}
