import Correlation
import Deployment
import Observations
import Wire

/// What hosts send into their tunnels: in which lane, with which tags, to which port.
extension Judge {
  mutating func judgeCopy(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let tunnel = resolver.tunnels[at]
    let index = Int(tunnel.observation)
    let seen = group[index]
    var fault = false
    if judgePort(at, group, base) { fault = true }
    var network: Int32 = -1
    var port: Int32 = -1
    var isWeak = false
    var trajectory = base
    if tunnel.entry >= 0 {
      let entry = resolver.passages[Int(tunnel.entry)]
      network = entry.network
      port = entry.port
      trajectory = base &+ UInt64(tunnel.entry) &+ 1
    } else if let owner = uncapturedOwner(of: seen.source, on: tunnel.host) {
      network = topology.portNetwork[owner]
      port = Int32(owner)
      isWeak = true
    }
    if network >= 0 {
      let wrong = judgeLane(
        of: tunnel, at: tunnel.host, network: network, port: port, trajectory, isWeak: isWeak, group)
      for key in wrong {
        noteArrivals(of: at, key, group)
        fault = true
      }
    }
    if network < 0 || !makes(.networksElsewhere), isUnknownVNI(tunnel), isBetweenVTEPs(seen) {
      let key = FaultKey(fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni)
      record(key, trajectory, group, index, isWeak: false)
    }
    if isUndeclared(tunnel, seen) {
      record(FaultKey(fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni), trajectory, group, index, isWeak: false)
    }
    return fault
  }

  /// Whether a port of the network that got a frame has the same source MAC on the host where it entered, or, where
  /// that is not known, on any: cloned tenants send the same bytes.
  func isClone(_ mac: MACAddress, network: Int32, on host: Int32 = -1) -> Bool {
    hasClone(mac, network, on: host) { _ in true }
  }

  /// Whether a guest of a network has a frame's MAC and no capture of its port would show that it sent the frame: cloned
  /// tenants send the same bytes.
  func mayBeTwins(_ seen: Observation, in network: Int32, on host: Int32 = -1) -> Bool {
    hasClone(seen.source, network, on: host) { !topology.portIsCaptured[$0] || !isLive(port: Int32(truncatingIfNeeded: $0), seen.time) }
  }

  @inline(__always)
  private func hasClone(_ mac: MACAddress, _ network: Int32, on host: Int32, where isMeant: (_ port: Int) -> Bool) -> Bool {
    guard network >= 0, let owners = topology.portsOfMAC[mac], owners.count > 1, makes(.clonedTenants) else { return false }
    return owners.contains { topology.portNetwork[$0] == network && (host < 0 || topology.portHost[$0] == host) && isMeant($0) }
  }

  /// Whether the entry that a copy was given to left in its own lane as well.
  private func isBesideOwn(_ tunnel: TunnelSighting, _ network: Int32) -> Bool {
    resolver.tunnels.contains { $0.direction == tunnel.direction && $0.entry == tunnel.entry && topology.isLane($0, of: network) }
  }

  /// Compares the VNI and the tags of a tunnel frame with the network of the port on `sender` that it came from.
  mutating func judgeLane(
    of tunnel: TunnelSighting, at sender: Int32, network: Int32, port: Int32, _ trajectory: UInt64, isWeak: Bool,
    _ group: [Observation]
  ) -> [FaultKey] {
    let index = Int(tunnel.observation)
    let seen = group[index]
    var wrong: [FaultKey] = []
    let isLaneKnown = tunnel.entry >= 0 && resolver.passages[Int(tunnel.entry)].tagsKnown
    if topology.vni(ofNetwork: Int(network)) != nil, !topology.isLane(tunnel, of: network),
      // Of a trunk, the tag at the port says which network a frame is of.
      isLaneKnown || !topology.portFacts[Int(port)].hasSubports,
      !mayBeTwins(seen, in: tunnel.network, on: sender) || !isBesideOwn(tunnel, network)
    {
      let key = FaultKey(fault: .wrongVNI, host: sender, network: network, port: port, observed: tunnel.vni)
      let isClone = isClone(seen.source, network: tunnel.network, on: sender)
      record(key, trajectory, group, index, isWeak: isWeak, isClone: isClone)
      wrong.append(key)
    }
    guard seen.tagCount > 0 else { return wrong }
    let entry = tunnel.entry >= 0 ? resolver.passages[Int(tunnel.entry)] : nil
    guard entry?.tagsKnown ?? true, Int(seen.tagCount) == Int(entry?.tagCount ?? 0) + 1 || !makes(.guestsOwnTag) else { return wrong }
    // Where no source names the local VLAN, one tag more than at the entry is a suspicion.
    let local = localVLAN(sender, network, port)
    guard local == nil ? entry != nil : local == seen.vid else { return wrong }
    let key = FaultKey(fault: .vlanNotStripped, host: sender, network: network, observed: UInt32(seen.vid))
    record(key, trajectory, group, index, isWeak: entry == nil || local == nil)
    return wrong + [key]
  }

  /// Sightings of a wrong copy further on belong to the same fault.
  mutating func noteArrivals(of copy: Int, _ key: FaultKey, _ group: [Observation]) {
    for tunnel in resolver.tunnels where tunnel.direction == .in && Int(tunnel.sent) == copy {
      faults[key]?.frames.add(group[Int(tunnel.observation)])
    }
  }

  /// The one port of a host that may use a MAC, in any network.
  func soleOwner(of mac: MACAddress, on host: Int32) -> Int? { soleOwner(of: mac, on: host) { _ in true } }

  /// The same in one network; nil where that is not known.
  func laneOwner(of mac: MACAddress, on host: Int32, _ network: Int32) -> Int? {
    network >= 0 ? soleOwner(of: mac, on: host) { topology.portNetwork[$0] == network } : nil
  }

  /// The one port of a host that may use a MAC, where no capture shows that port.
  func uncapturedOwner(of mac: MACAddress, on host: Int32) -> Int? {
    guard let owner = soleOwner(of: mac, on: host), !topology.portIsCaptured[owner] else { return nil }
    return owner
  }

  @inline(__always)
  private func soleOwner(of mac: MACAddress, on host: Int32, where isMeant: (_ port: Int) -> Bool) -> Int? {
    guard let owners = topology.portsOfMAC[mac] else { return nil }
    var found: Int?
    for owner in owners where topology.portHost[owner] == host && isMeant(owner) {
      if found != nil { return nil }
      found = owner
    }
    return found
  }

  /// The network whose lane frames on a wrong VNI are in; -1 where it is none's. Of networks that share the VNI, the kind
  /// of tunnel tells which.
  func lane(_ key: FaultKey, _ record: FaultRecord) -> Int32 {
    guard record.example.indices.contains(record.wrong), topology.points[Int(record.example[record.wrong].point)].isTunnel else {
      return topology.network(ofVNI: key.observed)
    }
    return topology.network(ofVNI: key.observed, udpPort: record.example[record.wrong].tunnelPort)
  }

  /// Whether a tunnel frame's VNI is none of a known network. That its receiver has no ports of it does not matter.
  func isUnknownVNI(_ tunnel: TunnelSighting) -> Bool {
    if tunnel.network == -1, topology.networkOfVNI[tunnel.vni] == nil { return true }
    guard !makes(.networksElsewhere), tunnel.network >= 0 else { return false }
    let receiver = tunnel.direction == .out ? tunnel.peer : tunnel.host
    return receiver >= 0 && topology.ports(on: receiver, of: tunnel.network).isEmpty
  }

  /// Whether hosts exchange frames of a network that the intent, which says it is complete, does not know.
  func isUndeclared(_ tunnel: TunnelSighting, _ seen: Observation) -> Bool {
    !topology.undeclared.isEmpty && topology.undeclared.contains(tunnel.network) && isBetweenVTEPs(seen)
  }

  func isBetweenVTEPs(_ seen: Observation) -> Bool {
    Int(seen.outerFrom) < topology.vtepHost.count && Int(seen.outerTo) < topology.vtepHost.count
  }

  /// The VLAN by which a host knows a network's frames: the port's own tag where it is known to differ. A trunk's
  /// subports have tags of their own.
  func localVLAN(_ host: Int32, _ network: Int32, _ port: Int32) -> UInt16? {
    if port >= 0, topology.portFacts[Int(port)].installedTag >= 0, topology.portNetwork[Int(port)] == network {
      return UInt16(truncatingIfNeeded: topology.portFacts[Int(port)].installedTag)
    }
    return topology.deployment.hosts[Int(host)].localVLANs[Int(network)]
  }

  mutating func judgePort(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let tunnel = resolver.tunnels[at]
    let seen = group[Int(tunnel.observation)]
    guard seen.tunnelPort != 0, tunnel.peer >= 0 else { return false }
    // The port is wrong where the receiver does not listen on it.
    let receiver = tunnel.direction == .out ? tunnel.peer : tunnel.host
    let sender = tunnel.direction == .out ? tunnel.host : tunnel.peer
    guard let configured = tunnelPorts.of(receiver, towards: sender, seen: seen.tunnelPort),
      configured != seen.tunnelPort && !tunnelPorts.isAgreed(sender, receiver, seen.tunnelPort)
        || seen.tunnelPort != TunnelPortPlan.standard && !makes(.agreedPort)
    else { return false }
    // A frame of a sender whose own point was captured is counted there.
    let odd = seen.tunnelPort != tunnelPorts.usual || configured == tunnelPorts.usual ? sender : receiver
    let here = tunnel.host == odd || !topology.hostHasTunnelPoint[Int(odd)]
    let key = FaultKey(
      fault: .nonstandardTunnelPort, host: odd, network: tunnel.network,
      observed: UInt32(odd == sender ? seen.tunnelPort : configured))
    if here {
      let trajectory = tunnel.entry >= 0 ? base &+ UInt64(tunnel.entry) &+ 1 : base
      record(key, trajectory, group, Int(tunnel.observation), isWeak: false)
    } else {
      faults[key, default: FaultRecord()].frames.add(seen)
    }
    return true
  }

  mutating func countOut(_ group: [Observation]) {
    var orphan = false
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      guard entry.network >= 0 else { continue }
      var left = false
      var wrong = false
      for tunnel in resolver.tunnels where Int(tunnel.entry) == at {
        left = true
        if topology.vni(ofNetwork: Int(entry.network)) != nil, !topology.isLane(tunnel, of: entry.network) { wrong = true }
      }
      if left { out[cell(entry.host, entry.network)] += 1 }
      if wrong { outWrong[cell(entry.host, entry.network)] += 1 }
    }
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.entry < 0 && !orphan {
      guard let owner = uncapturedOwner(of: group[Int(tunnel.observation)].source, on: tunnel.host),
        topology.portNetwork[owner] >= 0
      else { continue }
      orphan = true
      out[cell(tunnel.host, topology.portNetwork[owner])] += 1
      if !topology.isLane(tunnel, of: topology.portNetwork[owner]) {
        outWrong[cell(tunnel.host, topology.portNetwork[owner])] += 1
      }
    }
  }
}
