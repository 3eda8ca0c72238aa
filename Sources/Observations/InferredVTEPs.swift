import Deployment
import Wire

/// Tunnel endpoints of hosts: those that sources name, and for other hosts those that their tunnel frames show.
extension Survey {
  mutating func settleVTEPs() {
    var named: Set<IPAddress> = []
    for (index, host) in result.deployment.hosts.enumerated() {
      for address in host.vteps {
        _ = result.plan.vteps.insert(address, host: index)
        named.insert(address)
      }
    }
    for host in result.deployment.hosts.indices {
      for remote in result.deployment.tunnelRemotes(of: host).sorted() {
        _ = result.plan.vteps.insert(remote, host: nil)
      }
    }
    // Hosts of which nothing is known: the address that every tunnel frame there has at one end.
    let unnamed = result.deployment.hosts.indices.filter { result.deployment.hosts[$0].vteps.isEmpty }
    for host in unnamed {
      var candidates: Set<IPAddress>?
      for (index, point) in result.plan.points.enumerated() where point.host == host && census.tunnelFrames[index] > 0 {
        // Strays (a neighbour's flood, an address that was just moved) do not count.
        let enough = census.tunnelFrames[index] - census.tunnelFrames[index] / 20
        let ends = Set(census.tunnelEnds[index].filter { $0.value >= enough && !named.contains($0.key) }.keys)
        candidates = candidates.map { $0.intersection(ends) } ?? ends
      }
      guard let candidates else { continue }
      if candidates.count == 1, let only = candidates.first {
        setVTEP(only, of: host)
      } else {
        ambiguousVTEPs[host] = candidates.sorted()
      }
    }
    // One more round: what the others took is free no longer.
    for host in unnamed {
      guard let candidates = ambiguousVTEPs[host] else { continue }
      let taken = Set(result.deployment.hosts.flatMap(\.vteps))
      let left = candidates.filter { !taken.contains($0) }
      if left.count == 1 {
        setVTEP(left[0], of: host)
        ambiguousVTEPs[host] = nil
      }
    }
    // Without a list of tunnels every address that sends tunnel frames is taken for a VTEP: an intent that does not
    // claim to be complete need not name those of other hosts.
    for (index, sources) in census.tunnelEnds.enumerated() {
      let isListed = result.deployment.complete || result.deployment.hasTunnelList(result.plan.points[index].host)
      guard !unnamed.isEmpty || !isListed else { continue }
      for address in sources.keys.sorted() { _ = result.plan.vteps.insert(address, host: nil) }
    }
    refreshHostVTEPs()
  }

  private mutating func setVTEP(_ address: IPAddress, of host: Int) {
    result.deployment.hosts[host].vteps = [address]
    _ = result.plan.vteps.insert(address, host: host)
    result.inferredVTEPs.insert(host)
  }

  private mutating func refreshHostVTEPs() {
    result.plan.hostVTEPs = result.deployment.hosts.map { host in
      host.vteps.map { result.plan.vteps.index(of: $0) }
    }
  }

  /// Where two addresses are left for a host: a frame that a port showed before the tunnel was sent by the
  /// host, one that it showed after was received.
  mutating func inferOwnAddresses() {
    guard !ambiguousVTEPs.isEmpty else { return }
    var votes: [Int: [UInt16: Int]] = [:]
    for group in sightings() {
      for tunnel in group where result.plan.points[Int(tunnel.point)].kind == .tunnel {
        let host = result.plan.points[Int(tunnel.point)].host
        guard ambiguousVTEPs[host] != nil else { continue }
        for guest in group {
          let point = result.plan.points[Int(guest.point)]
          guard point.host == host, point.kind.isGuestSide, guest.time != tunnel.time,
            abs(guest.time &- tunnel.time) < 100_000_000
          else { continue }
          votes[host, default: [:]][guest.time < tunnel.time ? tunnel.outerFrom : tunnel.outerTo, default: 0] += 1
        }
      }
    }
    for host in ambiguousVTEPs.keys.sorted() {
      let taken = Set(result.deployment.hosts.flatMap(\.vteps))
      let counts = (votes[host] ?? [:]).filter {
        Int($0.key) < result.plan.vteps.addresses.count && !taken.contains(result.plan.vteps.addresses[Int($0.key)])
      }
      let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      if let best = sorted.first, sorted.count == 1 || best.value > 4 * sorted[1].value {
        setVTEP(result.plan.vteps.addresses[Int(best.key)], of: host)
      }
    }
    refreshHostVTEPs()
    result.sample.removeAll()
    observe()
  }
}
