import Correlation
import Deployment
import Observations
import Wire

/// Where frames pass and where they vanish: counted by stretch of the path, judged when all is read.
extension Judge {
  func isLive(tunnelOf host: Int32, _ time: Int64) -> Bool {
    for view in topology.tunnelProofs[Int(host)] where view.allSatisfy({ spans[$0].contains(time) }) { return true }
    return false
  }

  func isLive(port: Int32, _ time: Int64) -> Bool {
    for index in topology.guestPoints[Int(port)] {
      if spans[index].contains(time) { return true }
    }
    return false
  }

  /// Counts where frames pass and where they vanish. A single missing sighting proves nothing; whole classes do.
  mutating func countStretches(_ group: [Observation], _ base: UInt64) {
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      let index = Int(tunnel.observation)
      let seen = group[index]
      switch tunnel.direction {
      case .out:
        guard tunnel.peer >= 0, topology.hostHasTunnelPoint[Int(tunnel.peer)], isLive(tunnelOf: tunnel.peer, seen.time)
        else { continue }
        var arrived = false
        for other in resolver.tunnels where other.direction == .in && Int(other.sent) == at { arrived = true }
        // A port there that shows the frame proves that it arrived, whatever the tunnel's capture left out.
        if !arrived { arrived = isShownByPorts(of: tunnel.peer) || isShownByTunnelDevice(of: tunnel.peer, group) }
        noteSize(seen, from: tunnel.host, to: tunnel.peer, arrived: arrived)
        let key = StretchKey(
          stretch: .underlay, host: tunnel.host, peer: tunnel.peer, network: tunnel.network)
        count(key, arrived, base, group, index)
      case .in:
        let network = tunnel.network
        guard network >= 0, seen.tagCount == 0 else { continue }
        for port in topology.ports(on: tunnel.host, of: network) where expects(port, seen) {
          var delivered = false
          for passage in resolver.passages where passage.direction == .toGuest && Int(passage.port) == port {
            delivered = true
          }
          let key = StretchKey(stretch: .toPort, host: tunnel.host, network: network, port: Int32(port))
          count(key, delivered, base, group, index)
        }
      default: break
      }
    }
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      guard entry.network >= 0, topology.hostHasTunnelPoint[Int(entry.host)],
        isLive(tunnelOf: entry.host, entry.start), mustLeave(entry, group[Int(entry.first)])
      else { continue }
      var left = false
      for tunnel in resolver.tunnels where tunnel.direction == .out && Int(tunnel.entry) == at { left = true }
      // Another host that shows the frame proves that it left.
      if !left { left = isShown(beside: entry.host) }
      let key = StretchKey(stretch: .intoTunnel, host: entry.host, network: entry.network, port: entry.port)
      count(key, left, base &+ UInt64(at) &+ 1, group, Int(entry.first))
      if !left {
        for seen in group where topology.points[Int(seen.point)].port == entry.port && seen.time <= entry.end {
          if seen.frame != group[Int(entry.first)].frame || seen.capture != group[Int(entry.first)].capture {
            stretches[key]?.missed.frames.add(seen)
          }
        }
      }
    }
    countFarPorts(group, base)
  }

  func isShownByPorts(of host: Int32) -> Bool {
    for passage in resolver.passages where passage.host == host && passage.direction == .toGuest { return true }
    return false
  }

  /// The device that opens tunnels shows what has come out of one: it arrived, whatever the NIC's capture left out.
  func isShownByTunnelDevice(of host: Int32, _ group: [Observation]) -> Bool {
    for index in resolver.witnesses {
      let point = topology.points[Int(group[Int(index)].point)]
      if point.isTunnelDevice, point.host == host { return true }
    }
    return false
  }

  func isShown(beside host: Int32) -> Bool {
    for tunnel in resolver.tunnels where tunnel.host != host && tunnel.direction == .in && tunnel.peer == host {
      return true
    }
    for passage in resolver.passages where passage.host != host && passage.direction == .toGuest { return true }
    return false
  }

  /// Frames for a port whose host's tunnel point was not captured: they must show at the port itself.
  mutating func countFarPorts(_ group: [Observation], _ base: UInt64) {
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      let seen = group[Int(entry.first)]
      guard entry.network >= 0, mustLeave(entry, seen) else { continue }
      for host in topology.portsOn.indices where host != Int(entry.host) && !topology.hostHasTunnelPoint[host] {
        for port in topology.ports(on: Int32(host), of: entry.network) where expects(port, seen) {
          var delivered = false
          for passage in resolver.passages where passage.direction == .toGuest && Int(passage.port) == port {
            delivered = true
          }
          let key = StretchKey(
            stretch: .betweenPorts, host: entry.host, peer: Int32(host), network: entry.network, port: Int32(port))
          count(key, delivered, base &+ UInt64(at) &+ 1, group, Int(entry.first))
        }
      }
    }
  }

  /// Whether a frame that reached the host must show at this port: it is for its MAC, or for all.
  func expects(_ port: Int, _ seen: Observation) -> Bool {
    let isForIt = seen.destination.isBroadcast || topology.isOwn(seen.destination, of: port)
    guard isForIt, topology.portIsCaptured[port], topology.portFacts[port].isActive,
      !topology.isOwn(seen.source, of: port), seen.tagCount == 0, isLive(port: Int32(port), seen.time)
    else { return false }
    // At a tap behind qbr, security groups drop what is not ARP.
    return topology.portIsCapturedAtBridge[port] || seen.frameClass == .arpRequest || seen.frameClass == .arpReply
  }

  /// Whether a frame of a guest must leave its host: the destination lives on another one, or on all.
  func mustLeave(_ entry: Passage, _ seen: Observation) -> Bool {
    guard topology.isOwn(seen.source, of: Int(entry.port)), seen.tagCount == 0,
      topology.vni(ofNetwork: Int(entry.network)) != nil, !seen.destination.isReservedBridgeGroup, seen.length <= topology.longestFrame
    else { return false }
    if seen.destination.isBroadcast {
      for host in topology.tunnelPoints.indices where host != Int(entry.host) {
        if !topology.ports(on: Int32(host), of: entry.network).isEmpty { return true }
      }
      return false
    }
    guard let owners = topology.portsOfMAC[seen.destination] else { return false }
    var elsewhere = false
    for owner in owners where topology.portNetwork[owner] == entry.network {
      if topology.portHost[owner] == entry.host { return false }
      elsewhere = true
    }
    return elsewhere
  }

  mutating func count(
    _ key: StretchKey, _ passed: Bool, _ trajectory: UInt64, _ group: [Observation], _ index: Int
  ) {
    if passed {
      stretches[key, default: StretchRecord()].passed += 1
    } else {
      stretches[key, default: StretchRecord()].note(trajectory, group, index)
    }
  }
}
