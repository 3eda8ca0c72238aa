import Observations

/// Copies that arrive on another tunnel ID than they were sent on.
extension TrajectoryResolver {
  /// Gives arrivals that were not sent as they came the copy that left the sender for the same host, and did not arrive
  /// as it was sent. Where a guest of the sender's may have sent the same bytes in the lane of the arrival, captures may
  /// have lost one of two frames: nothing was changed then.
  mutating func assignChanged(_ group: [Observation]) {
    for at in tunnels.indices where tunnels[at].direction == .in && tunnels[at].sent < 0 && tunnels[at].peer >= 0 {
      let arrival = tunnels[at]
      let seen = group[Int(arrival.observation)]
      guard topology.hostHasTunnelPoint[Int(arrival.peer)], !mayBeClone(seen, arrival) else { continue }
      for candidate in tunnels.indices {
        let copy = tunnels[candidate]
        let sent = group[Int(copy.observation)]
        guard copy.direction == .out, copy.host == arrival.peer, copy.vni != arrival.vni, sent.outerTo == seen.outerTo,
          sent.outerFrom == seen.outerFrom, sent.tunnelPort == seen.tunnelPort,
          !tunnels.contains(where: { $0.direction == .in && Int($0.sent) == candidate })
        else { continue }
        tunnels[at].sent = Int32(truncatingIfNeeded: candidate)
        tunnels[at].entry = copy.entry
        break
      }
    }
  }

  private func mayBeClone(_ seen: Observation, _ arrival: TunnelSighting) -> Bool {
    if topology.livesInSeveralPlaces(seen.source) { return true }
    guard arrival.network >= 0, let owners = topology.portsOfMAC[seen.source] else { return false }
    return owners.contains { topology.portNetwork[$0] == arrival.network && topology.portHost[$0] == arrival.peer }
  }

  /// The tunnel ID that an arrival was sent on, where it came on another one.
  public func changedID(of arrival: TunnelSighting) -> UInt32? {
    guard arrival.sent >= 0, tunnels[Int(arrival.sent)].vni != arrival.vni else { return nil }
    return tunnels[Int(arrival.sent)].vni
  }
}
