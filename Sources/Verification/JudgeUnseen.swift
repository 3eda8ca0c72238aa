import Correlation
import Observations
import Wire

/// Frames whose entry no capture shows, or whose end: what other points show of them, and what flows that are wrong do to
/// them.
extension Judge {
  /// Copies of a flood leave one after the other; what lies further apart was sent again. Nanoseconds.
  static var longestFlood: Int64 { 50_000_000 }

  /// Judges what hosts sent of guests whose ports were not captured: there the copies alone tell what entered.
  mutating func judgeUnseenEntries(_ group: [Observation], _ base: UInt64) -> Bool {
    var fault = false
    for at in resolver.tunnels.indices where resolver.tunnels[at].entry < 0 && resolver.tunnels[at].network >= 0 {
      let tunnel = resolver.tunnels[at]
      let isOut = tunnel.direction == .out
      let host = isOut ? tunnel.host : tunnel.peer
      guard isOut || tunnel.direction == .in && host >= 0 && !topology.hostHasTunnelPoint[Int(host)],
        !resolver.tunnels[..<at].contains(where: { $0.isSameUnseenEntry(as: tunnel) }),
        isUncapturedGuest(group[Int(tunnel.observation)].source, on: host, of: tunnel.network),
        let vni = topology.vni(ofNetwork: Int(tunnel.network))
      else { continue }
      if !isOut {
        if facts.watchesOut[cell(host, tunnel.network)] {
          noteOutward(-1, host, tunnel.network, vni, Int(tunnel.observation), group, base)
        }
        if !isPiece { countReach(of: host, tunnel.network, group, Int(tunnel.observation), base) }
      } else if !mayHaveComeIn(tunnel, group), isLive(tunnelOf: host, tunnel.time), isSentOnce(at, group) {
        if judgeCopies(of: -1, host: host, network: tunnel.network, vni: vni, group, base) { fault = true }
      }
    }
    return fault
  }

  /// Whether a MAC is that of one guest of a host, whose port was not captured.
  private func isUncapturedGuest(_ mac: MACAddress, on host: Int32, of network: Int32) -> Bool {
    guard let owner = uncapturedOwner(of: mac, on: host) else { return false }
    return topology.portNetwork[owner] == network
  }

  /// Whether copies without an entry are of one unicast frame: of one that was sent again, each may go its own way.
  private func isSentOnce(_ at: Int, _ group: [Observation]) -> Bool {
    let first = resolver.tunnels[at]
    guard !group[Int(first.observation)].destination.isGroup else { return true }
    for other in resolver.tunnels.indices where other != at && resolver.tunnels[other].isSameUnseenEntry(as: first) {
      let copy = resolver.tunnels[other]
      if copy.peer == first.peer || copy.time &- first.time > Judge.longestFlood { return false }
    }
    return true
  }

  // MARK: Flows that are wrong

  /// Judges what arrives from a host whose tunnel interface was not captured and whose dumped flows send it wrongly:
  /// unicast for a MAC that lives elsewhere, and what had come to it by a tunnel.
  mutating func judgeBlindSender(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let arrival = resolver.tunnels[at]
    let seen = group[Int(arrival.observation)]
    guard arrival.sent < 0, arrival.peer >= 0, arrival.network >= 0, seen.tagCount == 0,
      !topology.hostHasTunnelPoint[Int(arrival.peer)]
    else { return false }
    let cell = cell(arrival.peer, arrival.network)
    if facts.reflects[cell], !topology.lives(seen.source, on: arrival.peer), wasSent(to: arrival.peer, before: arrival) {
      let key = FaultKey(fault: .tunnelReflection, host: arrival.peer, network: arrival.network)
      record(key, base, group, Int(arrival.observation), isWeak: false)
      return true
    }
    guard facts.isMisplaced(cell, seen.destination), topology.lives(seen.source, on: arrival.peer),
      !topology.livesInSeveralPlaces(seen.destination),
      let owner = topology.portsOfMAC[seen.destination]?.first(where: { topology.portNetwork[$0] == arrival.network })
    else { return false }
    let home = Int32(truncatingIfNeeded: topology.portHost[owner])
    guard home != arrival.host, home != arrival.peer,
      !resolver.tunnels.contains(where: { $0.direction == .in && $0.host == home && $0.peer == arrival.peer }),
      !resolver.passages.contains(where: { $0.direction == .toGuest && $0.host == home })
    else { return false }
    let key = FaultKey(
      fault: .staleLocation, host: arrival.peer, network: arrival.network, observed: UInt32(seen.outerTo),
      detail: seen.destination.rawValue)
    record(key, base, group, Int(arrival.observation), isWeak: false)
    if faults[key]?.expectedVTEP == nil { faults[key]?.expectedVTEP = topology.plan.hostVTEPs[Int(home)].first }
    return true
  }

  /// Whether another host sent the frame to a host before that one sent it on.
  private func wasSent(to host: Int32, before arrival: TunnelSighting) -> Bool {
    resolver.tunnels.contains {
      $0.direction == .out && $0.peer == host && $0.time <= clamped(arrival.time, plus: TrajectoryResolver.stampSlack)
    }
  }

  /// Notes what flows that are wrong do to a flood, where no capture shows what left.
  /// - Parameter entry: -1 where the flood shows only where it arrived.
  mutating func noteOutward(
    _ entry: Int32, _ host: Int32, _ network: Int32, _ vni: UInt32, _ index: Int, _ group: [Observation],
    _ trajectory: UInt64
  ) {
    let seen = group[index]
    guard seen.destination.isGroup, !seen.destination.isReservedBridgeGroup, !topology.hostHasTunnelPoint[Int(host)]
    else { return }
    let isRight = resolver.tunnels.contains {
      $0.direction == .in && $0.peer == host && $0.entry == entry && topology.isLane($0, of: network)
    }
    if !isRight {
      record(FaultKey(fault: .metOutbound, host: host, network: network), trajectory, group, index, isWeak: false)
    }
    for peer in facts.unflooded[cell(host, network)] {
      let isReached =
        resolver.tunnels.contains { $0.direction == .in && $0.host == peer && $0.peer == host && $0.entry == entry }
        || resolver.passages.contains { $0.direction == .toGuest && $0.host == peer }
      guard !isReached else { continue }
      let key = FaultKey(
        fault: .metOutbound, host: host, network: network, observed: UInt32(bitPattern: peer) &+ 1)
      record(key, trajectory, group, index, isWeak: false)
    }
  }

  /// Notes frames for hosts whose flows put their network on a wrong VLAN or on none, and whose tunnel interface was not
  /// captured: those that show at none of its ports.
  mutating func noteInward(_ group: [Observation], _ base: UInt64) {
    for (host, network) in facts.blindInward {
      var isDelivered = false
      for passage in resolver.passages where passage.direction == .toGuest && passage.host == host {
        if passage.network == network { isDelivered = true }
      }
      guard !isDelivered, let sent = sending(to: host, of: network, group) else { continue }
      let seen = group[sent.index]
      guard facts.meetsInbound(cell(host, network), at: seen.time), !mayHaveBeenOtherwise(host, at: seen.time) else { continue }
      // Where no port there would have shown it, that none does says nothing.
      let isExpected = topology.ports(on: host, of: network).contains { expects($0, seen) }
      let key = FaultKey(fault: .metInbound, host: host, network: network)
      record(key, base &+ UInt64(sent.entry + 1), group, sent.index, isWeak: !isExpected)
    }
  }

  /// What shows that a frame of a network is on its way to a host: a copy in a tunnel to it, or an entry on a host whose
  /// tunnel interface was not captured.
  private func sending(to host: Int32, of network: Int32, _ group: [Observation]) -> (index: Int, entry: Int)? {
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.peer == host && tunnel.network == network {
      let index = Int(tunnel.observation)
      if isFor(host, network, group[index]) { return (index, Int(tunnel.entry)) }
    }
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      let seen = group[Int(entry.first)]
      guard entry.network == network, entry.host != host, !topology.hostHasTunnelPoint[Int(entry.host)],
        isFor(host, network, seen), mustLeave(entry, seen), !endsBeforeBridge(at)
      else { continue }
      return (Int(entry.first), at)
    }
    return nil
  }

  /// Whether a frame is for ports of a host: for all of a network, or for one there. Switches may hold multicast back.
  private func isFor(_ host: Int32, _ network: Int32, _ seen: Observation) -> Bool {
    seen.tagCount == 0
      && topology.ports(on: host, of: network).contains { port in
        topology.portFacts[port].isActive && !topology.isOwn(seen.source, of: port)
          && (seen.destination.isBroadcast || topology.isOwn(seen.destination, of: port))
      }
  }
}

extension TunnelSighting {
  /// Whether it is a copy of the frame of an entry on a host; where that one's tunnel interface was not captured, as it
  /// arrives elsewhere.
  func isCopy(of entry: Int32, from host: Int32) -> Bool {
    guard self.entry == entry else { return false }
    return direction == .out ? self.host == host : direction == .in && entry >= 0 && sent < 0 && peer == host
  }

  /// Whether both are of a frame of the same network that one host sent, and whose entry was not seen.
  fileprivate func isSameUnseenEntry(as other: TunnelSighting) -> Bool {
    guard entry < 0, other.entry < 0, network == other.network, direction == other.direction else { return false }
    return direction == .out ? host == other.host : peer == other.peer
  }
}
