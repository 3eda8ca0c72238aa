import Correlation
import Observations
import Wire

/// Guests that speak from another host than before, or than the state says.
extension Judge {
  /// Notes where guests speak that have moved: frames of guests of other hosts that left a host without having come by
  /// a tunnel, and those of guests with ports on several.
  mutating func noteMovers(_ group: [Observation], _ base: UInt64) {
    let isFollowing = !movers.isEmpty || !migrants.isEmpty
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.network >= 0 {
      guard isFollowing || hasNoEntry(tunnel, group) else { continue }
      let source = group[Int(tunnel.observation)].source
      guard let owners = topology.portsOfMAC[source], !topology.livesInSeveralPlaces(source) else { continue }
      if topology.lives(source, on: tunnel.host) {
        let isKnown = movers.isKnown(tunnel.network, source)
        guard owners.count > 1 || isKnown else { continue }
        movers.note(tunnel.network, source, on: tunnel.host)
        if owners.count == 1 { noteSender(tunnel, group, base) }
      } else if hasNoEntry(tunnel, group), !mayHaveComeIn(tunnel, group), isLive(tunnelOf: tunnel.host, tunnel.time),
        owners.contains(where: { topology.portNetwork[$0] == tunnel.network })
      {
        movers.note(tunnel.network, source, on: tunnel.host)
        if owners.count == 1 { noteSender(tunnel, group, base) }
      }
    }
    for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.peer >= 0 && tunnel.network >= 0 {
      if !topology.hostHasTunnelPoint[Int(tunnel.peer)] { noteUnseenMover(tunnel, group) }
    }
    guard isFollowing else { return }
    for at in resolver.passages.indices {
      let entry = resolver.passages[at]
      guard entry.direction == .fromGuest, entry.network >= 0, entry.basis != .ownership || hasLeft(at) else { continue }
      let source = group[Int(entry.first)].source
      guard topology.isOwn(source, of: Int(entry.port)) else { continue }
      if migrants.contains(source) || movers.isKnown(entry.network, source) {
        movers.note(entry.network, source, on: entry.host)
      }
    }
  }

  /// What a host sent whose own tunnel interface was not captured shows where it arrives.
  private mutating func noteUnseenMover(_ arrival: TunnelSighting, _ group: [Observation]) {
    let source = group[Int(arrival.observation)].source
    guard let owners = topology.portsOfMAC[source], !topology.livesInSeveralPlaces(source) else { return }
    let isKnown = movers.isKnown(arrival.network, source)
    if topology.lives(source, on: arrival.peer) {
      guard owners.count > 1 || isKnown else { return }
    } else {
      guard !isSent(beside: arrival.peer, group), owners.contains(where: { topology.portNetwork[$0] == arrival.network }) else { return }
    }
    movers.note(arrival.network, source, on: arrival.peer)
  }

  /// Whether the port by which a frame entered was not captured. Another port that shows a broadcast once, at one of its
  /// points, may have been given it.
  private func hasNoEntry(_ tunnel: TunnelSighting, _ group: [Observation]) -> Bool {
    guard tunnel.entry >= 0 else { return true }
    let entry = resolver.passages[Int(tunnel.entry)]
    let seen = group[Int(tunnel.observation)]
    return entry.sightings == 1 && seen.destination.isGroup && !topology.isOwn(seen.source, of: Int(entry.port))
  }

  /// A MAC that speaks from two hosts in turn: one of them is not its owner's.
  private mutating func noteSender(_ tunnel: TunnelSighting, _ group: [Observation], _ base: UInt64) {
    let seen = group[Int(tunnel.observation)]
    guard
      let rival = senders.note(
        .init(network: tunnel.network, subject: seen.source.rawValue), holder: UInt64(UInt32(bitPattern: tunnel.host)),
        on: tunnel.host, at: seen.time, window: Judge.disputeWindow, trust, isChangeAllowed: makes(.handedOver))
    else { return }
    let key = FaultKey(fault: .duplicateAddress, host: -1, network: tunnel.network, observed: 1, detail: seen.source.rawValue)
    record(key, base, group, Int(tunnel.observation), isWeak: false)
    faults[key]?.note(rival: UInt64(UInt32(bitPattern: tunnel.host)))
    faults[key]?.note(rival: rival)
  }

  /// Whether a guest is known to have left the host behind a VTEP: it speaks from another one, and what goes there stays
  /// without an answer.
  mutating func hasMoved(_ mac: MACAddress, _ network: Int32, from vtep: UInt16) -> Bool {
    guard !movers.isEmpty else { return false }
    let host = self.host(behind: vtep)
    // Where neither that host nor its port there was captured, it may speak from there as well.
    guard host >= 0,
      topology.hostHasTunnelPoint[Int(host)]
        || topology.portsOfMAC[mac]?.allSatisfy({ topology.portHost[$0] != host || topology.portIsCaptured[$0] }) ?? false
    else { return false }
    return movers.noteMiss(network, mac, to: host).map { $0 >= 3 } ?? false
  }

  /// Whether a frame that a host sent came to it by a tunnel.
  func cameIn(_ tunnel: TunnelSighting) -> Bool {
    for other in resolver.tunnels where other.direction == .in && other.host == tunnel.host {
      if other.time <= tunnel.time &+ 1_000_000 { return true }
    }
    return false
  }

  /// Whether a frame that a host sent may be another one's: its capture may have lost the arrival.
  func mayHaveComeIn(_ tunnel: TunnelSighting, _ group: [Observation]) -> Bool {
    cameIn(tunnel) || isSent(beside: tunnel.host, group)
  }

  /// Whether another host sent a frame.
  private func isSent(beside host: Int32, _ group: [Observation]) -> Bool {
    for other in resolver.tunnels where other.host != host && other.direction == .out { return true }
    for entry in resolver.passages where entry.direction == .fromGuest && entry.host != host {
      if topology.isOwn(group[Int(entry.first)].source, of: Int(entry.port)) { return true }
    }
    return false
  }

  func livesBehind(_ vtep: UInt16, _ mac: MACAddress) -> Bool { topology.lives(mac, on: host(behind: vtep)) }

  /// The host of a VTEP, by its index; -1 where it is no host here.
  func host(behind vtep: UInt16) -> Int32 { Int(vtep) < topology.vtepHost.count ? topology.vtepHost[Int(vtep)] : -1 }
}
