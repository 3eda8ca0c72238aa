import Correlation
import Deployment
import Observations

/// Findings about frames that reach a host and none of which shows at its ports, where those of other hosts do.
extension FindingBuilder {
  /// A direction between two hosts.
  func way(_ host: Int32, _ peer: Int32) -> UInt64 { UInt64(UInt32(bitPattern: host)) << 32 | UInt64(UInt32(bitPattern: peer)) }

  /// Stretches on which frames vanished, in a fixed order; those to one port together, whoever sent.
  func countedStretches() -> [(key: StretchKey, record: StretchRecord, passed: UInt64)] {
    var list: [(key: StretchKey, record: StretchRecord, passed: UInt64)] = []
    var places: [StretchKey: Int] = [:]
    for number in judge.stretches.sorted {
      var key = judge.stretches.keys[number]
      if key.stretch == .toPort { key.peer = -1 }
      if let place = places[key] {
        list[place].record.merge(judge.stretches.records[number])
        list[place].passed += judge.stretches.passed[number]
      } else {
        places[key] = list.count
        list.append((key, judge.stretches.records[number], judge.stretches.passed[number]))
      }
    }
    return list.filter { $0.record.missed.count > 0 }
  }

  mutating func addPeerLosses() {
    var losses: [Loss] = []
    for number in judge.stretches.sorted {
      let key = judge.stretches.keys[number]
      let record = judge.stretches.records[number]
      guard key.stretch == .toPort, key.peer >= 0, judge.stretches.passed[number] == 0, record.missed.count >= 3,
        tagDraft(key.port, key.network) == nil, isLostByPeer(key, record)
      else { continue }
      peerLosses[key.port, default: 0] += record.missed.count
      if let same = losses.firstIndex(where: { $0.host == key.host && $0.peer == key.peer }) {
        losses[same].add(key, record, passed: 0)
      } else {
        var loss = Loss(stretch: .toPort, host: key.host, peer: key.peer)
        loss.add(key, record, passed: 0)
        losses.append(loss)
      }
    }
    for loss in losses { addPeerLoss(loss) }
  }

  /// Whether what a port lacks is nearly all from hosts of which it gets nothing.
  func isByPeer(_ key: StretchKey, _ record: StretchRecord) -> Bool {
    guard key.stretch == .toPort, let known = peerLosses[key.port] else { return false }
    return known * 5 >= record.missed.count * 4
  }

  /// Whether a host loses all frames of one peer for a port, and chance, policy and a guest that left do not explain it:
  /// the port gets those of others meanwhile.
  private func isLostByPeer(_ key: StretchKey, _ record: StretchRecord) -> Bool {
    var misses = provenMisses(key, record)
    // Flows that drop the peer's tunnel packets are no matter of policy, nor of chance.
    if misses >= 3, dropsTunnels(key.host, from: key.peer, atLeast: misses) { return true }
    // Security groups may name addresses; what they never hold back still tells.
    if isPolicy(key) {
      let spared = Observation.Class.arpRequest.kindBit
      misses = min(misses, record.missedKinds[spared] ?? 0)
    }
    var passed: UInt64 = 0
    var others: UInt64 = 0
    var last = Int64.min
    for number in judge.stretches.keys.indices {
      let other = judge.stretches.keys[number]
      guard other.stretch == .toPort, other.port == key.port, other.network == key.network, other.peer != key.peer,
        judge.stretches.passed[number] > 0
      else { continue }
      passed += judge.stretches.passed[number]
      others += judge.stretches.records[number].missed.count
      last = max(last, judge.stretches.lastPassed[number])
    }
    guard misses >= 3, passed >= 3, last >= record.missed.first else { return false }
    // How often the port's capture misses frames is told by those of hosts that come through.
    let rate = min(missRates(key).near, Double(others + 1) / Double(passed + others + 1))
    return Chance.ofAll(min(misses, 64), at: rate) < 1e-3
  }

  private mutating func addPeerLoss(_ loss: Loss) {
    let host = hostName(loss.host)
    let peer = hostName(loss.peer)
    let network = loss.networks.count == 1 ? networkName(loss.networks[0]) : "\(loss.networks.count) networks"
    let ports = list(loss.ports.map(portName))
    let message =
      "none of \(loss.record.missed.count) frames of \(network) that reached \(host) from \(peer) for \(ports) shows at "
      + "\(loss.ports.count > 1 ? "their ports" : "its port"), while those of other hosts do: they vanish inside \(host)"
    var draft = lossDraft(loss, host: loss.host, message: message)
    draft.finding.port = loss.ports.count == 1 ? portName(loss.ports[0]) : nil
    draft.finding.observed.append(("from", .text(peer)))
    draft.parent = modification(on: .toPort, loss.host, -1)
    let addresses = deployment.hosts[Int(loss.peer)].vteps
    let tunnels = deployment.tunnels(of: Int(loss.host))
    if !tunnels.isEmpty, tunnels.allSatisfy({ $0.remote != nil }),
      !tunnels.contains(where: { tunnel in addresses.contains { $0 == tunnel.remote } })
    {
      draft.finding.cause = Cause(
        kind: .tunnel, host: host, bridge: tunnels[0].bridge, text: "missing: a tunnel port to \(list(addresses.map { "\($0)" }))")
      draft.finding.next.append("on \(host): ovs-vsctl show")
      draft.lacking = way(loss.host, loss.peer)
    } else {
      let address = addresses.first.map { "\($0)" } ?? "its VTEP"
      draft.finding.next.append("on \(host): iptables-save -c | grep -e \(address) -e 4789; nft list ruleset")
    }
    addCounters(&draft, loss)
    drafts.append(draft)
  }
}
