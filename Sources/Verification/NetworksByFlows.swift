import Datapath
import Deployment

/// Networks that neither intent nor an agent's record names, by what is installed: a port's tag is its VLAN, and the
/// flows say which VNI that is.
extension Deployment {
  /// Gives hosts whose agents' records are not there the local VLANs of networks, and their ports networks. Where the
  /// flows of a host contradict each other, a VLAN is that of the VNI that goes both ways; else the one that no other
  /// VLAN of the host is, and that more of the other hosts have.
  public mutating func nameNetworksByFlows() {
    let unnamed = hosts.indices.filter { host in
      hosts[host].localVLANs.isEmpty
        && ports.contains { $0.host == host && $0.network == nil && $0.usedTag != nil && !$0.isTrunk }
    }
    guard !unnamed.isEmpty else { return }
    let before = lanes { $0.before ?? $0.after }
    let after = lanes { $0.after }
    let hasNetworks = !networks.isEmpty
    // Where somebody lists networks, others have no place among them.
    let isListed = complete || networks.contains { $0.source < .agentRecord }
    var named = false
    for host in unnamed {
      for (vlan, lane) in before[host].sorted(by: { $0.key < $1.key }) {
        guard ports.contains(where: { $0.host == host && $0.network == nil && $0.usedTag == vlan && !$0.isTrunk }) else { continue }
        guard let network = index(of: lane, adding: !isListed) else { continue }
        hosts[host].localVLANs[network] = vlan
        named = true
        for port in ports.indices
        where ports[port].host == host && ports[port].network == nil && ports[port].usedTag == vlan && !ports[port].isTrunk {
          ports[port].network = network
          // An agent that starts again may choose another.
          ports[port].recordedTagAfter = after[host].first { $0.value == lane }?.key
        }
      }
    }
    guard named else { return }
    notes.append(
      StateNote(
        kind: .ignored, file: "",
        text: "networks \(hasNetworks ? "of some hosts " : "")are known from flows and port tags: no record of the hosts' agents, "
          + "no answer of Neutron and no lanecheck.yaml says what they should be"))
  }

  /// A network's place in tunnels.
  private struct Lane: Hashable {
    var kind: Network.Kind
    var vni: UInt32
  }

  private mutating func index(of lane: Lane, adding: Bool) -> Int? {
    if let known = networks.firstIndex(where: { $0.kind == lane.kind && $0.segmentationID == lane.vni }) { return known }
    guard adding else { return nil }
    var name = "vni-\(lane.vni)"
    if networks.contains(where: { $0.name == name }) { name = "\(lane.kind.rawValue)-\(lane.vni)" }
    networks.append(Network(name: name, kind: lane.kind, segmentationID: lane.vni, source: .installed))
    return networks.count - 1
  }

  /// By host: local VLAN → lane, as the flows have it.
  private func lanes(_ state: (Host) -> HostState?) -> [[UInt16: Lane]] {
    var arriving: [[UInt16: Set<Lane>]] = []
    var leaving: [[UInt16: Set<Lane>]] = []
    for host in hosts {
      var (into, out): ([UInt16: Set<Lane>], [UInt16: Set<Lane>]) = ([:], [:])
      if let state = state(host) {
        let taken = state.bridges.compactMap(\.flowsTaken).max() ?? 0
        let table = TranslationTable(HostDatapath(state), at: Int64(exactly: (taken * 1e9).rounded()) ?? 0, unicast: false)
        for entry in table.inbound where !entry.isDropped {
          guard let vlan = entry.vlan, let kind = Network.Kind(rawValue: entry.kind.rawValue) else { continue }
          into[vlan, default: []].insert(Lane(kind: kind, vni: UInt32(truncatingIfNeeded: entry.tunnelID)))
        }
        for entry in table.outbound {
          for copy in entry.flood {
            guard case .tunnel(let tunnel) = copy.kind, let kind = Network.Kind(rawValue: tunnel.rawValue), let id = copy.tunnelID else { continue }
            out[entry.vlan, default: []].insert(Lane(kind: kind, vni: UInt32(truncatingIfNeeded: id)))
          }
        }
      }
      arriving.append(into)
      leaving.append(out)
    }
    return settled(arriving, leaving)
  }

  private func settled(
    _ arriving: [[UInt16: Set<Lane>]], _ leaving: [[UInt16: Set<Lane>]]
  ) -> [[UInt16: Lane]] {
    var lanes: [[UInt16: Lane]] = hosts.map { _ in [:] }
    func precedes(_ a: Lane, _ b: Lane) -> Bool { (a.vni, a.kind.rawValue) < (b.vni, b.kind.rawValue) }
    func candidates(_ host: Int, _ vlan: UInt16) -> Set<Lane> {
      (arriving[host][vlan] ?? []).union(leaving[host][vlan] ?? []).subtracting(lanes[host].values)
    }
    for host in hosts.indices {
      for (vlan, out) in leaving[host] {
        let both = out.intersection(arriving[host][vlan] ?? [])
        if both.count == 1 { lanes[host][vlan] = both.first }
      }
    }
    // VLANs that ports are on come first: a flow to one that nobody is on takes no network from them.
    let vlans = hosts.indices.map { host in
      let used = Set(ports.filter { $0.host == host }.compactMap(\.usedTag))
      return Set(arriving[host].keys).union(leaving[host].keys).sorted { (used.contains($0) ? 0 : 1, $0) < (used.contains($1) ? 0 : 1, $1) }
    }
    var isChanged = true
    while isChanged {
      isChanged = false
      for host in hosts.indices {
        for vlan in vlans[host] where lanes[host][vlan] == nil {
          let left = candidates(host, vlan)
          guard left.count == 1, let only = left.first else { continue }
          lanes[host][vlan] = only
          isChanged = true
        }
      }
    }
    var spread: [Lane: Int] = [:]
    for lane in lanes.flatMap(\.values) { spread[lane, default: 0] += 1 }
    for host in hosts.indices {
      for vlan in vlans[host] where lanes[host][vlan] == nil {
        let into = arriving[host][vlan] ?? []
        lanes[host][vlan] = candidates(host, vlan).min { a, b in
          let (x, y) = (spread[a] ?? 0, spread[b] ?? 0)
          if x != y { return x > y }
          // What arrives is sent by others, who agree; what leaves is this host's alone.
          return into.contains(a) != into.contains(b) ? into.contains(a) : precedes(a, b)
        }
      }
    }
    return lanes
  }
}

extension Port {
  /// The VLAN that it is on: of before, unless it was still being plugged.
  fileprivate var usedTag: UInt16? { [installedTag, installedTagAfter].compactMap { $0 }.first { $0 != 0 && $0 != 4095 } }

  /// Which networks a trunk's guest is on, its tags say.
  fileprivate var isTrunk: Bool { bridgePort.map { $0.hasPrefix("tpi-") || $0.hasPrefix("spi-") } ?? false || !subportPatches.isEmpty }
}
