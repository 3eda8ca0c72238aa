import Correlation
import Deployment
import Observations
import Wire

/// What arrives at a host: who sent it, in which lane, and to whom it was handed.
extension Judge {
  mutating func judgeArrival(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let tunnel = resolver.tunnels[at]
    let index = Int(tunnel.observation)
    let seen = group[index]
    if isOfUnknownVTEP(seen) {
      // The table of unknown addresses belongs to the capture.
      let key = FaultKey(
        fault: .unknownVTEP, host: tunnel.host, network: tunnel.network,
        observed: UInt32(seen.capture) << 16 | UInt32(seen.outerFrom), detail: seen.outerSource.rawValue)
      record(key, base, group, index, isWeak: false)
      return true
    }
    var fault = judgePort(at, group, base)
    if judgeBlindSender(at, group, base) { fault = true }
    if resolver.changedID(of: tunnel) != nil {
      record(changedKey(tunnel), trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
      fault = true
    }
    if tunnel.sent < 0, let origin = unseenOrigin(of: tunnel, seen), origin.network >= 0 {
      let wrong = judgeLane(
        of: tunnel, at: tunnel.peer, network: origin.network, port: origin.port, trajectoryNumber(of: tunnel, base),
        isWeak: tunnel.entry < 0, group)
      if !wrong.isEmpty { fault = true }
    }
    let isSenderCaptured = tunnel.peer >= 0 && topology.hostHasTunnelPoint[Int(tunnel.peer)]
    if tunnel.peer >= 0, isSenderCaptured || !makes(.senderNotCaptured) {
      if tunnel.sent >= 0 {
        passing.sent[Int(tunnel.peer)] += 1
        noteStation(receiver: tunnel.host, sender: tunnel.peer, seen.outerSource)
      } else if !isSenderCaptured || isLive(tunnelOf: tunnel.peer, seen.time, seenOn: tunnel.host) {
        if isTwice(at) {
          // The capture wrote it twice, or the underlay doubled it.
        } else if hasEntry(on: tunnel.peer) || reflects(tunnel) {
          passing.sentMissed[Int(tunnel.peer)] += 1
        } else if !isPiece {
          // NICs cut and join segments: one that was never sent as such proves nothing.
          let isWhole = seen.frameClass != .tcp && seen.frameClass != .fragment && seen.length <= 1600
          let owner = isWhole ? ownership(of: seen.source, on: tunnel.peer, at: seen.time) : .unknown
          let key = FaultKey(
            fault: .forgedTunnelFrame, host: tunnel.host, network: tunnel.network,
            port: tunnel.peer, observed: UInt32(owner.rawValue), detail: seen.outerSource.rawValue)
          record(key, base, group, index, isWeak: false)
          for passage in resolver.passages where passage.direction == .toGuest && Int(passage.fromTunnel) == at {
            noteFrames(of: passage, key, group)
          }
          fault = true
        }
      }
    }
    if tunnel.peer >= 0, tunnel.sent < 0 { noteDoubtfulSender(at, group, base) }
    if tunnel.peer >= 0, tunnel.sent < 0, topology.hostHasTunnelPoint[Int(tunnel.peer)],
      trust.relates(tunnel.host, tunnel.peer)
    {
      noteUnsettled(tunnel.peer, tunnel.host, seen)
    }
    if isUnmapped(tunnel, at: seen.time), tunnel.deliveries == 0,
      hasPluggedPort(tunnel.host, tunnel.network) || !makes(.noPortToDeliverTo)
    {
      let key = FaultKey(fault: .unmappedVNI, host: tunnel.host, network: tunnel.network, observed: tunnel.vni)
      record(key, trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
      fault = true
    }
    if tunnel.deliveries == 0, tunnel.network >= 0, let port = topology.ports(on: tunnel.host, of: tunnel.network).first,
      topology.hasWrongTag(port, in: tunnel.network),
      topology.ports(on: tunnel.host, of: tunnel.network).allSatisfy({ topology.hasWrongTag($0, in: tunnel.network) }),
      topology.portIsCaptured[port]
    {
      // All ports of the network are on another VLAN: what arrives for it finds none.
      let key = FaultKey(fault: .frameLost, host: tunnel.host, network: tunnel.network, port: Int32(port))
      record(key, trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
      fault = true
    }
    if tunnel.network >= 0, !fault, facts.meetsInbound(cell(tunnel.host, tunnel.network), at: seen.time), !isDelivered(at),
      !mayHaveBeenOtherwise(tunnel.host, at: seen.time)
    {
      let key = FaultKey(fault: .metInbound, host: tunnel.host, network: tunnel.network)
      record(key, trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
    }
    if isUnknownVNI(tunnel), isBetweenVTEPs(seen), tunnel.sent < 0 {
      let key = FaultKey(
        fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni, via: fault ? .forgedTunnelFrame : nil,
        viaHost: fault ? tunnel.host : -1)
      record(key, base, group, index, isWeak: false)
    }
    if tunnel.sent < 0, isUndeclared(tunnel, seen) {
      record(FaultKey(fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni), base, group, index, isWeak: false)
    }
    return fault
  }

  /// An arrival whose VNI is not the one that its sender gave it.
  private func changedKey(_ arrival: TunnelSighting) -> FaultKey {
    FaultKey(
      fault: .changedVNI, host: arrival.host, network: resolver.tunnels[Int(arrival.sent)].network, observed: arrival.vni,
      detail: UInt64(UInt32(bitPattern: arrival.peer)))
  }

  /// Whether a frame comes from an address that is no VTEP. One that a host has a tunnel to is, and where no list of
  /// tunnels is known, whoever sends.
  private func isOfUnknownVTEP(_ seen: Observation) -> Bool {
    if seen.outerFrom >= ObservationBuilder.unknownBase { return true }
    guard !makes(.listedPeers) || !makes(.noTunnelList), Int(seen.outerFrom) < topology.vtepHost.count,
      topology.vtepHost[Int(seen.outerFrom)] < 0
    else { return false }
    let address = topology.plan.vteps.addresses[Int(seen.outerFrom)]
    let deployment = topology.deployment
    let isListed = deployment.hosts.indices.contains { deployment.tunnelRemotes(of: $0).contains(address) }
    return !makes(isListed ? .listedPeers : .noTunnelList)
  }

  /// Whether another arrival from the same host is known to be the frame that was sent.
  private func isTwice(_ at: Int) -> Bool {
    let arrival = resolver.tunnels[at]
    for other in resolver.tunnels
    where other.direction == .in && other.host == arrival.host && other.peer == arrival.peer && other.vni == arrival.vni {
      if other.sent >= 0 { return resolver.entryCount < 2 }
    }
    return false
  }

  /// Whether a port of its own lane shows an arrival.
  private func isDelivered(_ at: Int) -> Bool {
    let network = resolver.tunnels[at].network
    for passage in resolver.passages where passage.direction == .toGuest && passage.host == resolver.tunnels[at].host {
      if Int(passage.fromTunnel) == at || passage.network == network { return true }
    }
    return false
  }

  func hasActivePort(_ host: Int32, _ network: Int32) -> Bool {
    topology.ports(on: host, of: network).contains { topology.portFacts[$0].isActive }
  }

  /// Whether a host has an active port of a network that did not go while captures ran, nor its guest elsewhere.
  func hasStayingPort(_ host: Int32, _ network: Int32) -> Bool {
    topology.ports(on: host, of: network).contains { port in
      topology.portFacts[port].isActive && !unplugged[port]
        && movers.host(network, topology.portFacts[port].mac).map { $0 == host } ?? true
    }
  }

  /// Whether a host has an active port of a network that its state has, too.
  private func hasPluggedPort(_ host: Int32, _ network: Int32) -> Bool {
    topology.ports(on: host, of: network).contains { topology.portFacts[$0].isActive && topology.deployment.isPlugged($0) }
  }

  /// What the owner of a frame's source MAC says about its coming from a host.
  enum Ownership: UInt8, Sendable {
    /// Nobody known has this MAC.
    case unknown
    /// It lives on that host, and no point there was captured.
    case plausible
    /// It lives on that host, whose port was captured and did not show the frame.
    case notSent
    /// The same, but what lacks the frame is one capture of the port and of the underlay: it may have lost both sightings.
    case notSentByOne
    /// It lives elsewhere.
    case elsewhere
  }

  func ownership(of mac: MACAddress, on host: Int32, at time: Int64) -> Ownership {
    guard let owners = topology.portsOfMAC[mac], !owners.isEmpty else { return .unknown }
    var result = Ownership.elsewhere
    for owner in owners where topology.portHost[owner] == host {
      let isSilent = topology.portIsCaptured[owner] && isLive(port: Int32(owner), time)
      if isSilent, !isCapturedWithUnderlay(owner) { return .notSent }
      if result != .notSentByOne { result = isSilent ? .notSentByOne : .plausible }
    }
    return result
  }

  /// Whether all captures of a port are those of its host's underlay, too (`-i any`): they lose frames of both at once.
  private func isCapturedWithUnderlay(_ port: Int) -> Bool {
    let host = Int(topology.portHost[port])
    return topology.guestPoints[port].allSatisfy { point in
      topology.plan.points[point].captures.allSatisfy { capture in
        topology.tunnelPoints[host].contains { topology.plan.points[$0].captures.contains(capture) }
      }
    }
  }

  func hasEntry(on host: Int32) -> Bool {
    for passage in resolver.passages where passage.direction == .fromGuest && passage.host == host { return true }
    return false
  }

  /// Whether the sender got the frame by a tunnel itself, and is known to send such frames on.
  private func reflects(_ arrival: TunnelSighting) -> Bool {
    guard faults[FaultKey(fault: .tunnelReflection, host: arrival.peer, network: arrival.network)] != nil else { return false }
    for other in resolver.tunnels where other.host == arrival.peer && other.direction == .in { return true }
    return false
  }

  mutating func noteStation(receiver: Int32, sender: Int32, _ mac: MACAddress) {
    let key = UInt64(UInt32(bitPattern: receiver)) << 32 | UInt64(UInt32(bitPattern: sender))
    if let known = lawfulStations[key] {
      guard known.count < 16, !known.contains(mac) else { return }
    }
    lawfulStations[key, default: []].insert(mac)
  }

  mutating func countIn() {
    for at in resolver.tunnels.indices where resolver.tunnels[at].direction == .in {
      let tunnel = resolver.tunnels[at]
      let network = tunnel.network
      guard network >= 0 else { continue }
      var right = false
      var wrong = false
      for passage in resolver.passages where passage.direction == .toGuest && Int(passage.fromTunnel) == at {
        if passage.laneMatches { right = true } else { wrong = true }
      }
      if right { `in`[cell(tunnel.host, network)] += 1 }
      if wrong { inWrong[cell(tunnel.host, network)] += 1 }
    }
    // Deliveries on hosts whose tunnel was not captured, by the entry elsewhere.
    for at in resolver.passages.indices {
      let passage = resolver.passages[at]
      guard passage.direction == .toGuest, passage.network >= 0, passage.fromTunnel < 0, passage.fromEntry < 0,
        !topology.hostHasTunnelPoint[Int(passage.host)], let origin = origin(of: at)
      else { continue }
      if origin.network == passage.network { `in`[cell(passage.host, passage.network)] += 1 }
    }
  }

  mutating func judgeDelivery(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let delivery = resolver.passages[at]
    guard delivery.basis != .none else { return false }
    var fault = false
    if judgeUntagged(delivery, group, base) { return true }
    if judgeTags(delivery, group, base) { fault = true }
    if delivery.laneMatches, !makes(.clonedTenants), let other = foreignEntry(delivery) {
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: delivery.host, network: other, port: delivery.port,
        observed: UInt32(bitPattern: delivery.network))
      recordDelivery(key, base, delivery, group)
      return true
    }
    if delivery.fromTunnel >= 0 {
      let arrival = resolver.tunnels[Int(delivery.fromTunnel)]
      guard delivery.network >= 0, !delivery.laneMatches else {
        // The lane is the port's; was it the sender's as well?
        if let wrong = senderFault(of: arrival), wrong.network != delivery.network {
          let root =
            resolver.changedID(of: arrival) == nil
            ? FaultKey(fault: .wrongVNI, host: wrong.host, network: wrong.network, port: wrong.port, observed: arrival.vni)
            : changedKey(arrival)
          let key = FaultKey(
            fault: .crossNetworkDelivery, host: delivery.host, network: wrong.network, port: delivery.port,
            observed: UInt32(bitPattern: delivery.network), via: root.fault, viaHost: root.host)
          recordDelivery(key, wrong.trajectory(base), delivery, group)
          noteFrames(of: delivery, root, group)
          return true
        }
        return fault
      }
      let lane = arrival.network
      guard lane >= 0, topology.vni(ofNetwork: Int(delivery.network)) != nil,
        isLive(tunnelOf: delivery.host, delivery.start) || !mayBeTwins(group[Int(delivery.first)], in: delivery.network)
      else { return fault }
      let trajectory = trajectoryNumber(of: arrival, base)
      // A port whose tag is not its network's gets what that tag stands for: the flow is right.
      if topology.hasWrongTag(Int(delivery.port), in: delivery.network) {
        let key = FaultKey(
          fault: .crossNetworkDelivery, host: delivery.host, network: lane, port: delivery.port,
          observed: UInt32(bitPattern: delivery.network))
        recordDelivery(key, trajectory, delivery, group)
        return true
      }
      let root = FaultKey(fault: .wrongLocalVLAN, host: delivery.host, network: lane, observed: UInt32(bitPattern: delivery.network))
      // One arrival may reach several ports; it was mistranslated once.
      if arrival.deliveries <= 1 || isFirstDelivery(at) {
        record(
          root, trajectory, group, Int(arrival.observation), isWeak: false,
          isClone: isClone(group[Int(arrival.observation)].source, network: delivery.network))
        if isInOwnLane(Int(delivery.fromTunnel)) { faults[root]?.alsoRight += 1 }
      }
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: delivery.host, network: lane, port: delivery.port,
        observed: UInt32(bitPattern: delivery.network), via: .wrongLocalVLAN, viaHost: delivery.host)
      recordDelivery(key, trajectory, delivery, group)
      noteFrames(of: delivery, root, group)
      return true
    }
    if delivery.fromEntry < 0 { noteOrphan(delivery, group, base) }
    if delivery.fromEntry >= 0 {
      let entry = resolver.passages[Int(delivery.fromEntry)]
      guard delivery.network >= 0, entry.network >= 0, !delivery.laneMatches,
        !mayBeTwins(group[Int(delivery.first)], in: delivery.network)
      else { return fault }
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: delivery.host, network: entry.network, port: delivery.port,
        observed: UInt32(bitPattern: delivery.network), detail: UInt64(UInt32(bitPattern: entry.port)))
      recordDelivery(key, base &+ UInt64(delivery.fromEntry) &+ 1, delivery, group)
      return true
    }
    guard delivery.network >= 0, topology.vni(ofNetwork: Int(delivery.network)) != nil,
      let origin = origin(of: at), origin.network != delivery.network, delivery.basis != .ownership,
      !mayBeTwins(group[Int(delivery.first)], in: delivery.network)
    else { return fault }
    // The way between is not known: the sender's own copies tell which side it was.
    var senderWrong = false
    for tunnel in resolver.tunnels where tunnel.direction == .out && topology.isLane(tunnel, of: delivery.network) {
      senderWrong = true
    }
    let key = FaultKey(
      fault: .crossNetworkDelivery, host: delivery.host, network: origin.network, port: delivery.port,
      observed: UInt32(bitPattern: delivery.network), via: senderWrong ? .wrongVNI : nil,
      viaHost: senderWrong ? origin.host : -1)
    recordDelivery(key, base, delivery, group)
    return true
  }

  /// A port without a tag is a trunk: it gets every network's frames, with their tags.
  mutating func judgeUntagged(_ delivery: Passage, _ group: [Observation], _ base: UInt64) -> Bool {
    guard topology.isUntagged[Int(delivery.port)] else { return false }
    var lane = delivery.network
    if delivery.fromTunnel >= 0 {
      lane = resolver.tunnels[Int(delivery.fromTunnel)].network
    } else if delivery.fromEntry >= 0 {
      lane = resolver.passages[Int(delivery.fromEntry)].network
    } else if let index = resolver.passages.firstIndex(where: { $0.direction == .toGuest && $0.first == delivery.first }) {
      lane = origin(of: index)?.network ?? -1
    }
    guard lane >= 0, lane != delivery.network else { return false }
    let key = FaultKey(fault: .untaggedPort, host: delivery.host, network: delivery.network, port: delivery.port)
    recordDelivery(key, base &+ UInt64(bitPattern: Int64(delivery.first)) &+ 1, delivery, group)
    faults[key]?.note(rival: UInt64(UInt32(bitPattern: lane)))
    return true
  }

  /// Whether an arrival was handed to a port of its own lane, too.
  private func isInOwnLane(_ arrival: Int) -> Bool {
    for passage in resolver.passages where passage.direction == .toGuest && Int(passage.fromTunnel) == arrival {
      if passage.laneMatches { return true }
    }
    return false
  }

  func isFirstDelivery(_ at: Int) -> Bool {
    for other in 0..<at where resolver.passages[other].direction == .toGuest {
      if resolver.passages[other].fromTunnel == resolver.passages[at].fromTunnel,
        !resolver.passages[other].laneMatches
      {
        return false
      }
    }
    return true
  }

  func trajectoryNumber(of arrival: TunnelSighting, _ base: UInt64) -> UInt64 {
    arrival.entry >= 0 ? base &+ UInt64(arrival.entry) &+ 1 : base
  }

  /// A frame that gained a tag on its way to the guest.
  mutating func judgeTags(_ delivery: Passage, _ group: [Observation], _ base: UInt64) -> Bool {
    guard delivery.tagsKnown, delivery.tagCount > 0, delivery.vid != 0 || !makes(.priorityTags) else { return false }
    let port = Int(delivery.port)
    guard !topology.carriesTags[port] || !makes(.trunkPorts)
      || !makes(.dot1qTunnels) && topology.deployment.ports[port].vlanMode == "dot1q-tunnel"
    else { return false }
    var before: Int
    var trajectory = base
    if delivery.fromTunnel >= 0 {
      let arrival = resolver.tunnels[Int(delivery.fromTunnel)]
      before = Int(group[Int(arrival.observation)].tagCount)
      if arrival.entry >= 0 { before = max(before, Int(resolver.passages[Int(arrival.entry)].tagCount)) }
      trajectory = trajectoryNumber(of: arrival, base)
    } else if delivery.fromEntry >= 0 {
      let entry = resolver.passages[Int(delivery.fromEntry)]
      guard entry.tagsKnown else { return false }
      before = Int(entry.tagCount)
      trajectory = base &+ UInt64(delivery.fromEntry) &+ 1
    } else {
      // The way between is not known: it entered with as many tags, at most, as anybody sent it with.
      before = -1
      for entry in resolver.passages where entry.direction == .fromGuest {
        before = entry.tagsKnown ? max(before, Int(entry.tagCount)) : Int.max
        if before == Int.max { return false }
      }
      guard before >= 0 else { return false }
    }
    guard Int(delivery.tagCount) > (makes(.guestsTags) ? before : 0) else { return false }
    let key = FaultKey(
      fault: .unexpectedVLANTag, host: delivery.host, network: delivery.network, port: delivery.port,
      observed: UInt32(delivery.vid))
    recordDelivery(key, trajectory, delivery, group)
    return true
  }
}
