import Correlation
import Deployment
import Observations
import Wire

/// When a point's captures began and ended, in the reference clock; frames outside prove nothing.
struct LiveSpan: Sendable {
  var first = Int64.max
  /// `max` while a capture of the point is still being read.
  var last = Int64.min
  func contains(_ time: Int64) -> Bool { first <= time && time <= last }
}

/// Judges each trajectory once, and keeps counts and evidence by fault.
struct Judge: Sendable {
  let topology: Topology
  var resolver: TrajectoryResolver
  var faults: [FaultKey: FaultRecord] = [:]
  var stretches: [StretchKey: StretchRecord] = [:]
  var counts = TrajectoryCounts()
  /// Trajectories by host × network: out, in, and those that went wrong.
  var out: [UInt64]
  var `in`: [UInt64]
  var outWrong: [UInt64]
  var inWrong: [UInt64]
  /// Frames of tunnels whose VNI no port here belongs to are counted, not judged.
  var spans: [LiveSpan]
  /// Kinds of frames that each point has shown, as bits: what it never shows a filter may keep from it.
  var shownKinds: [UInt16]
  /// For each host's tunnel point: arrivals whose sending was seen there, and those it missed though the
  /// sender's port had shown the frame.
  var sendingSeen: [UInt64]
  var sendingMissed: [UInt64]
  /// Outer source MACs of frames that their sender is known to have sent: `[receiver][sender]`.
  var lawfulStations: [UInt64: Set<MACAddress>] = [:]
  let tunnelPorts: TunnelPortPlan
  /// Host and VNI where the installed flows map the VNI to no VLAN.
  let unmapped: Set<UInt64>
  /// Host and VNI → whether the installed flows learn from what arrives.
  let learning: [UInt64: Bool]
  var ledger = LearningLedger()
  /// Who sends as a MAC, by host; who answers for an address, by MAC.
  var senders = ClaimLedger()
  var answers = ClaimLedger()
  /// The group is a piece of frames that were repeated without a pause: what it lacks may lie in another piece.
  var isPiece = false
  private var trajectory: UInt64 = 0
  static var mostFaults: Int { 4096 }
  private let networkCount: Int
  private var faulty: [Bool] = []

  init(_ topology: Topology, tunnelPorts: TunnelPortPlan, unmapped: Set<UInt64>, learning: [UInt64: Bool]) {
    self.topology = topology
    resolver = TrajectoryResolver(topology)
    networkCount = max(1, topology.deployment.networks.count)
    let cells = topology.deployment.hosts.count * networkCount
    out = Array(repeating: 0, count: cells)
    `in` = out
    outWrong = out
    inWrong = out
    spans = Array(repeating: LiveSpan(), count: topology.plan.points.count)
    shownKinds = Array(repeating: 0, count: topology.plan.points.count)
    sendingSeen = Array(repeating: 0, count: topology.deployment.hosts.count)
    sendingMissed = sendingSeen
    self.tunnelPorts = tunnelPorts
    self.unmapped = unmapped
    self.learning = learning
  }

  func cell(_ host: Int32, _ network: Int32) -> Int { Int(host) * networkCount + Int(network) }

  /// Judges one group of equal frames, sorted by time.
  mutating func judge(_ group: [Observation]) {
    guard let head = group.first else { return }
    if topology.deviceMACs.contains(head.source), !group.contains(where: { topology.points[Int($0.point)].isTunnel }) {
      counts.otherFrames += UInt64(group.count)
      return
    }
    guard !group.allSatisfy(isOtherOverlay) else {
      counts.otherFrames += UInt64(group.count)
      return
    }
    for seen in group { shownKinds[Int(seen.point)] |= seen.frameClass.kindBit }
    resolver.resolve(group)
    let entries = resolver.entryCount
    let number = max(1, entries)
    counts.total += UInt64(number)
    let base = trajectory
    trajectory &+= UInt64(resolver.passages.count + 1)
    var fault = false
    var crossed = false

    // Copies that hosts sent into their tunnels.
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      switch tunnel.direction {
      case .out:
        // One sighting proves nothing; with its entry, or with the owner of its MAC, there is something to compare.
        if tunnel.entry >= 0 || soleOwner(of: head.source, on: tunnel.host) != nil { crossed = true }
        if judgeCopy(at, group, base) { fault = true }
      case .in:
        if tunnel.sent >= 0 || tunnel.entry >= 0 { crossed = true }
        if judgeArrival(at, group, base) { fault = true }
      default: break
      }
    }
    countOut(group)
    for at in resolver.passages.indices where resolver.passages[at].direction == .toGuest {
      if judgeDelivery(at, group, base) { fault = true }
      if resolver.passages[at].fromEntry >= 0 || resolver.passages[at].fromTunnel >= 0 || entries > 0 { crossed = true }
    }
    countIn()
    if judgeLearning(group, base) { fault = true }
    judgeSenders(group, base)
    for index in resolver.witnesses { if judgeWitness(Int(index), group, base) { fault = true } }
    if !fault {
      if !isPiece { countStretches(group, base) }
      if crossed { counts.asExpected += UInt64(number) } else { noteUnjudged(number, group) }
    }
  }

  private mutating func noteUnjudged(_ number: Int, _ group: [Observation]) {
    counts.unjudged += UInt64(number)
    let reason: String
    if group[0].frameClass == .tcp, group[0].length > topology.longestFrame {
      reason = "superframe: its segments were seen, not compared"
    } else if resolver.passages.contains(where: { $0.direction == .unknown }) {
      reason = "direction unknown"
    } else if !resolver.tunnels.isEmpty, resolver.passages.isEmpty {
      reason = "seen at one tunnel point only"
    } else if resolver.passages.isEmpty {
      reason = "seen beside the path only"
    } else {
      reason = "seen at one port only"
    }
    counts.unjudgedReasons[reason, default: 0] += UInt64(number)
  }

  // MARK: Outbound

  private mutating func judgeCopy(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
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
    } else if let owner = soleOwner(of: seen.source, on: tunnel.host), !topology.portIsCaptured[owner] {
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
    } else if tunnel.network == -1, topology.networkOfVNI[tunnel.vni] == nil, isBetweenVTEPs(seen) {
      let key = FaultKey(fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni)
      record(key, trajectory, group, index, isWeak: false)
    }
    return fault
  }

  /// Whether a sighting is of a VXLAN overlay that shares addresses with ours, by a port that neither end's tunnels
  /// use: Open vSwitch sends nothing there and takes nothing from it.
  private func isOtherOverlay(_ seen: Observation) -> Bool {
    guard seen.tunnelPort != 0, seen.tunnelPort != tunnelPorts.usual, topology.portsOfMAC[seen.source] == nil else {
      return false
    }
    let from = Int(seen.outerFrom) < topology.vtepHost.count ? topology.vtepHost[Int(seen.outerFrom)] : -1
    let to = Int(seen.outerTo) < topology.vtepHost.count ? topology.vtepHost[Int(seen.outerTo)] : -1
    let ends = [tunnelPorts.of(from, towards: to), tunnelPorts.of(to, towards: from)].compactMap { $0 }
    return !ends.isEmpty && !ends.contains(seen.tunnelPort)
  }

  /// Whether a port of the network that got a frame has the same source MAC on the host where it entered, or, where
  /// that is not known, on any: cloned tenants send the same bytes.
  private func isClone(_ mac: MACAddress, network: Int32, on host: Int32 = -1) -> Bool {
    guard network >= 0, let owners = topology.portsOfMAC[mac], owners.count > 1 else { return false }
    return owners.contains { topology.portNetwork[$0] == network && (host < 0 || topology.portHost[$0] == host) }
  }

  /// Compares the VNI and the tags of a tunnel frame with the network of the port on `sender` that it came from.
  private mutating func judgeLane(
    of tunnel: TunnelSighting, at sender: Int32, network: Int32, port: Int32, _ trajectory: UInt64, isWeak: Bool,
    _ group: [Observation]
  ) -> [FaultKey] {
    let index = Int(tunnel.observation)
    let seen = group[index]
    var wrong: [FaultKey] = []
    if let vni = topology.vni(ofNetwork: Int(network)), vni != tunnel.vni,
      !topology.portFacts[Int(port)].hasSubports
    {
      let key = FaultKey(fault: .wrongVNI, host: sender, network: network, port: port, observed: tunnel.vni)
      let isClone = isClone(seen.source, network: topology.networkOfVNI[tunnel.vni] ?? -1, on: sender)
      record(key, trajectory, group, index, isWeak: isWeak, isClone: isClone)
      wrong.append(key)
    }
    guard seen.tagCount > 0 else { return wrong }
    let entry = tunnel.entry >= 0 ? resolver.passages[Int(tunnel.entry)] : nil
    guard entry?.tagsKnown ?? true, Int(seen.tagCount) == Int(entry?.tagCount ?? 0) + 1 else { return wrong }
    // Where no source names the local VLAN, one tag more than at the entry is a suspicion.
    let local = localVLAN(sender, network, port)
    guard local == nil ? entry != nil : local == seen.vid else { return wrong }
    let key = FaultKey(fault: .vlanNotStripped, host: sender, network: network, observed: UInt32(seen.vid))
    record(key, trajectory, group, index, isWeak: entry == nil || local == nil)
    return wrong + [key]
  }

  /// Sightings of a wrong copy further on belong to the same fault.
  private mutating func noteArrivals(of copy: Int, _ key: FaultKey, _ group: [Observation]) {
    for tunnel in resolver.tunnels where tunnel.direction == .in && Int(tunnel.sent) == copy {
      faults[key]?.frames.add(group[Int(tunnel.observation)])
    }
  }

  /// The one port of a host that may use this MAC.
  private func soleOwner(of mac: MACAddress, on host: Int32) -> Int? {
    guard let owners = topology.portsOfMAC[mac] else { return nil }
    var found: Int?
    for owner in owners where topology.portHost[owner] == host {
      if found != nil { return nil }
      found = owner
    }
    return found
  }

  private func isBetweenVTEPs(_ seen: Observation) -> Bool {
    Int(seen.outerFrom) < topology.vtepHost.count && Int(seen.outerTo) < topology.vtepHost.count
  }

  /// The VLAN by which a host knows a network's frames: the port's own tag where it is known to differ.
  private func localVLAN(_ host: Int32, _ network: Int32, _ port: Int32) -> UInt16? {
    if port >= 0, topology.portFacts[Int(port)].installedTag >= 0 {
      return UInt16(truncatingIfNeeded: topology.portFacts[Int(port)].installedTag)
    }
    return topology.deployment.hosts[Int(host)].localVLANs[Int(network)]
  }

  private mutating func judgePort(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let tunnel = resolver.tunnels[at]
    let seen = group[Int(tunnel.observation)]
    guard seen.tunnelPort != 0, tunnel.peer >= 0 else { return false }
    // The port is wrong where the receiver does not listen on it.
    let receiver = tunnel.direction == .out ? tunnel.peer : tunnel.host
    let sender = tunnel.direction == .out ? tunnel.host : tunnel.peer
    guard let configured = tunnelPorts.of(receiver, towards: sender), configured != seen.tunnelPort else { return false }
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

  private mutating func countOut(_ group: [Observation]) {
    var orphan = false
    for at in resolver.passages.indices where resolver.passages[at].direction == .fromGuest {
      let entry = resolver.passages[at]
      guard entry.network >= 0 else { continue }
      var left = false
      var wrong = false
      for tunnel in resolver.tunnels where Int(tunnel.entry) == at {
        left = true
        if let vni = topology.vni(ofNetwork: Int(entry.network)), vni != tunnel.vni { wrong = true }
      }
      if left { out[cell(entry.host, entry.network)] += 1 }
      if wrong { outWrong[cell(entry.host, entry.network)] += 1 }
    }
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.entry < 0 && !orphan {
      guard let owner = soleOwner(of: group[Int(tunnel.observation)].source, on: tunnel.host),
        !topology.portIsCaptured[owner], topology.portNetwork[owner] >= 0
      else { continue }
      orphan = true
      out[cell(tunnel.host, topology.portNetwork[owner])] += 1
      if topology.vni(ofNetwork: Int(topology.portNetwork[owner])) != tunnel.vni {
        outWrong[cell(tunnel.host, topology.portNetwork[owner])] += 1
      }
    }
  }

  // MARK: Inbound

  private mutating func judgeArrival(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let tunnel = resolver.tunnels[at]
    let index = Int(tunnel.observation)
    let seen = group[index]
    if seen.outerFrom >= ObservationBuilder.unknownBase {
      // The table of unknown addresses belongs to the capture.
      let key = FaultKey(
        fault: .unknownVTEP, host: tunnel.host, network: tunnel.network,
        observed: UInt32(seen.capture) << 16 | UInt32(seen.outerFrom), detail: seen.outerSource.rawValue)
      record(key, base, group, index, isWeak: false)
      return true
    }
    var fault = judgePort(at, group, base)
    if tunnel.sent < 0, tunnel.entry >= 0 {
      let entry = resolver.passages[Int(tunnel.entry)]
      let wrong =
        entry.network < 0
        ? []
        : judgeLane(
          of: tunnel, at: tunnel.peer, network: entry.network, port: entry.port,
          trajectoryNumber(of: tunnel, base), isWeak: false, group)
      if !wrong.isEmpty { fault = true }
    }
    if tunnel.peer >= 0, topology.hostHasTunnelPoint[Int(tunnel.peer)] {
      if tunnel.sent >= 0 {
        sendingSeen[Int(tunnel.peer)] += 1
        noteStation(receiver: tunnel.host, sender: tunnel.peer, seen.outerSource)
      } else if isLive(tunnelOf: tunnel.peer, seen.time) {
        if hasEntry(on: tunnel.peer) {
          sendingMissed[Int(tunnel.peer)] += 1
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
    if unmapped.contains(UInt64(UInt32(bitPattern: tunnel.host)) << 32 | UInt64(tunnel.vni)), tunnel.deliveries == 0,
      tunnel.network >= 0, hasActivePort(tunnel.host, tunnel.network)
    {
      let key = FaultKey(fault: .unmappedVNI, host: tunnel.host, network: tunnel.network, observed: tunnel.vni)
      record(key, trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
      fault = true
    }
    if tunnel.deliveries == 0, tunnel.network >= 0, let port = topology.ports(on: tunnel.host, of: tunnel.network).first,
      topology.hasWrongTag[port],
      topology.ports(on: tunnel.host, of: tunnel.network).allSatisfy({ topology.hasWrongTag[$0] }), topology.portIsCaptured[port]
    {
      // All ports of the network are on another VLAN: what arrives for it finds none.
      let key = FaultKey(fault: .frameLost, host: tunnel.host, network: tunnel.network, port: Int32(port))
      record(key, trajectoryNumber(of: tunnel, base), group, index, isWeak: false)
      fault = true
    }
    if tunnel.network == -1, topology.networkOfVNI[tunnel.vni] == nil, isBetweenVTEPs(seen), tunnel.sent < 0 {
      let key = FaultKey(
        fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni, via: fault ? .forgedTunnelFrame : nil,
        viaHost: fault ? tunnel.host : -1)
      record(key, base, group, index, isWeak: false)
    }
    return fault
  }

  func hasActivePort(_ host: Int32, _ network: Int32) -> Bool {
    topology.ports(on: host, of: network).contains { topology.portFacts[$0].isActive }
  }

  /// What the owner of a frame's source MAC says about its coming from a host.
  enum Ownership: UInt8, Sendable {
    /// Nobody known has this MAC.
    case unknown
    /// It lives on that host, and no point there was captured.
    case plausible
    /// It lives on that host, whose port was captured and did not show the frame.
    case notSent
    /// It lives elsewhere.
    case elsewhere
  }

  private func ownership(of mac: MACAddress, on host: Int32, at time: Int64) -> Ownership {
    guard let owners = topology.portsOfMAC[mac], !owners.isEmpty else { return .unknown }
    var here = false
    for owner in owners where topology.portHost[owner] == host {
      here = true
      if topology.portIsCaptured[owner], isLive(port: Int32(owner), time) { return .notSent }
    }
    return here ? .plausible : .elsewhere
  }

  private func hasEntry(on host: Int32) -> Bool {
    for passage in resolver.passages where passage.direction == .fromGuest && passage.host == host { return true }
    return false
  }

  private mutating func noteStation(receiver: Int32, sender: Int32, _ mac: MACAddress) {
    let key = UInt64(UInt32(bitPattern: receiver)) << 32 | UInt64(UInt32(bitPattern: sender))
    if let known = lawfulStations[key] {
      guard known.count < 16, !known.contains(mac) else { return }
    }
    lawfulStations[key, default: []].insert(mac)
  }

  private mutating func countIn() {
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
    for passage in resolver.passages
    where passage.direction == .toGuest && passage.network >= 0 && passage.fromTunnel < 0 && passage.fromEntry < 0 {
      guard !topology.hostHasTunnelPoint[Int(passage.host)], let origin = origin(of: passage) else { continue }
      if origin.network == passage.network { `in`[cell(passage.host, passage.network)] += 1 }
    }
  }

  /// The network in which a frame entered, for a delivery whose way was not captured.
  private func origin(of delivery: Passage) -> (network: Int32, vni: UInt32?, host: Int32)? {
    var found: (network: Int32, vni: UInt32?, host: Int32)?
    for entry in resolver.passages where entry.direction == .fromGuest && entry.network >= 0 {
      if entry.network == delivery.network { return (entry.network, nil, entry.host) }
      if found == nil { found = (entry.network, nil, entry.host) }
    }
    if found == nil {
      for tunnel in resolver.tunnels where tunnel.host != delivery.host && tunnel.direction == .out {
        let network = tunnel.network
        guard network >= 0 else { continue }
        if network == delivery.network { return (network, tunnel.vni, tunnel.host) }
        if found == nil { found = (network, tunnel.vni, tunnel.host) }
      }
    }
    return found
  }

  private mutating func judgeDelivery(_ at: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let delivery = resolver.passages[at]
    guard delivery.basis != .none else { return false }
    var fault = false
    if judgeUntagged(delivery, group, base) { return true }
    if delivery.fromTunnel >= 0 {
      let arrival = resolver.tunnels[Int(delivery.fromTunnel)]
      if judgeTags(delivery, group, base) { fault = true }
      guard delivery.network >= 0, !delivery.laneMatches else {
        // The lane is the port's; was it the sender's as well?
        if let wrong = senderFault(of: arrival), wrong.network != delivery.network {
          let key = FaultKey(
            fault: .crossNetworkDelivery, host: delivery.host, network: wrong.network, port: delivery.port,
            observed: UInt32(bitPattern: delivery.network), via: .wrongVNI, viaHost: wrong.host)
          recordDelivery(key, wrong.trajectory(base), delivery, group)
          let root = FaultKey(
            fault: .wrongVNI, host: wrong.host, network: wrong.network, port: wrong.port, observed: arrival.vni)
          noteFrames(of: delivery, root, group)
          return true
        }
        return fault
      }
      let lane = arrival.network
      guard lane >= 0,
        topology.vni(ofNetwork: Int(delivery.network)) != nil
      else { return fault }
      let trajectory = trajectoryNumber(of: arrival, base)
      // A port whose tag is not its network's gets what that tag stands for: the flow is right.
      if topology.hasWrongTag[Int(delivery.port)] {
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
      }
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: delivery.host, network: lane, port: delivery.port,
        observed: UInt32(bitPattern: delivery.network), via: .wrongLocalVLAN, viaHost: delivery.host)
      recordDelivery(key, trajectory, delivery, group)
      noteFrames(of: delivery, root, group)
      return true
    }
    if delivery.fromEntry >= 0 {
      let entry = resolver.passages[Int(delivery.fromEntry)]
      guard delivery.network >= 0, entry.network >= 0, !delivery.laneMatches else { return fault }
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: delivery.host, network: entry.network, port: delivery.port,
        observed: UInt32(bitPattern: delivery.network), detail: UInt64(UInt32(bitPattern: entry.port)))
      recordDelivery(key, base &+ UInt64(delivery.fromEntry) &+ 1, delivery, group)
      return true
    }
    guard delivery.network >= 0, topology.vni(ofNetwork: Int(delivery.network)) != nil,
      let origin = origin(of: delivery), origin.network != delivery.network, delivery.basis != .ownership
    else { return fault }
    // The way between is not known: the sender's own copies tell which side it was.
    var senderWrong = false
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.vni == topology.vni(ofNetwork: Int(delivery.network)) {
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
  private mutating func judgeUntagged(_ delivery: Passage, _ group: [Observation], _ base: UInt64) -> Bool {
    guard topology.isUntagged[Int(delivery.port)] else { return false }
    var lane = delivery.network
    if delivery.fromTunnel >= 0 {
      lane = resolver.tunnels[Int(delivery.fromTunnel)].network
    } else if delivery.fromEntry >= 0 {
      lane = resolver.passages[Int(delivery.fromEntry)].network
    }
    guard lane >= 0, lane != delivery.network else { return false }
    let key = FaultKey(fault: .untaggedPort, host: delivery.host, network: delivery.network, port: delivery.port)
    recordDelivery(key, base &+ UInt64(bitPattern: Int64(delivery.first)) &+ 1, delivery, group)
    faults[key]?.note(rival: UInt64(UInt32(bitPattern: lane)))
    return true
  }

  private func isFirstDelivery(_ at: Int) -> Bool {
    for other in 0..<at where resolver.passages[other].direction == .toGuest {
      if resolver.passages[other].fromTunnel == resolver.passages[at].fromTunnel,
        !resolver.passages[other].laneMatches
      {
        return false
      }
    }
    return true
  }

  private struct SenderFault {
    var network: Int32
    var host: Int32
    var port: Int32
    var entry: Int32
    func trajectory(_ base: UInt64) -> UInt64 { base &+ UInt64(entry) &+ 1 }
  }

  /// The sender's network, where the arrival's copy left in another lane.
  private func senderFault(of arrival: TunnelSighting) -> SenderFault? {
    guard arrival.entry >= 0 else { return nil }
    let entry = resolver.passages[Int(arrival.entry)]
    guard entry.network >= 0, let vni = topology.vni(ofNetwork: Int(entry.network)), vni != arrival.vni else {
      return nil
    }
    return SenderFault(network: entry.network, host: entry.host, port: entry.port, entry: arrival.entry)
  }

  private func trajectoryNumber(of arrival: TunnelSighting, _ base: UInt64) -> UInt64 {
    arrival.entry >= 0 ? base &+ UInt64(arrival.entry) &+ 1 : base
  }

  /// A frame that gained a tag on its way to the guest.
  private mutating func judgeTags(_ delivery: Passage, _ group: [Observation], _ base: UInt64) -> Bool {
    guard delivery.tagsKnown, delivery.tagCount > 0, delivery.vid != 0 else { return false }
    let port = topology.deployment.ports[Int(delivery.port)]
    guard port.subports.isEmpty, port.vlanMode == nil || port.vlanMode == "access" else { return false }
    let arrival = resolver.tunnels[Int(delivery.fromTunnel)]
    var before = Int(group[Int(arrival.observation)].tagCount)
    if arrival.entry >= 0 { before = max(before, Int(resolver.passages[Int(arrival.entry)].tagCount)) }
    guard Int(delivery.tagCount) > before else { return false }
    let key = FaultKey(
      fault: .unexpectedVLANTag, host: delivery.host, network: delivery.network, port: delivery.port,
      observed: UInt32(delivery.vid))
    recordDelivery(key, trajectoryNumber(of: arrival, base), delivery, group)
    return true
  }

  // MARK: Mirrors

  /// The tag that a mirror shows is the local VLAN of the frame's network on that host.
  private mutating func judgeWitness(_ index: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let seen = group[index]
    let point = topology.points[Int(seen.point)]
    guard point.isMirror, seen.tagCount > 0, seen.vid != 0 else { return false }
    var network: Int32 = -1
    for entry in resolver.passages where entry.direction == .fromGuest && entry.host == point.host {
      network = entry.network
    }
    if network < 0 {
      for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == point.host {
        network = tunnel.network
      }
    }
    let vlans = topology.deployment.hosts[Int(point.host)].localVLANs
    guard network >= 0, let expected = vlans[Int(network)], expected != seen.vid,
      vlans.contains(where: { $0.value == seen.vid })
    else { return false }
    let key = FaultKey(
      fault: .wrongLocalVLAN, host: point.host, network: network, observed: UInt32(seen.vid), detail: 1)
    record(key, base, group, index, isWeak: false)
    return true
  }

  // MARK: Stretches

  private func isLive(tunnelOf host: Int32, _ time: Int64) -> Bool {
    for index in topology.tunnelPoints[Int(host)] {
      if spans[index].contains(time) { return true }
    }
    return false
  }

  private func isLive(port: Int32, _ time: Int64) -> Bool {
    for index in topology.guestPoints[Int(port)] {
      if spans[index].contains(time) { return true }
    }
    return false
  }

  /// Counts where frames pass and where they vanish. A single missing sighting proves nothing; whole classes do.
  private mutating func countStretches(_ group: [Observation], _ base: UInt64) {
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
        if !arrived { arrived = isShownByPorts(of: tunnel.peer) }
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

  private func isShownByPorts(of host: Int32) -> Bool {
    for passage in resolver.passages where passage.host == host && passage.direction == .toGuest { return true }
    return false
  }

  private func isShown(beside host: Int32) -> Bool {
    for tunnel in resolver.tunnels where tunnel.host != host && tunnel.direction == .in && tunnel.peer == host {
      return true
    }
    for passage in resolver.passages where passage.host != host && passage.direction == .toGuest { return true }
    return false
  }

  /// Frames for a port whose host's tunnel point was not captured: they must show at the port itself.
  private mutating func countFarPorts(_ group: [Observation], _ base: UInt64) {
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
  private func expects(_ port: Int, _ seen: Observation) -> Bool {
    let isForIt = seen.destination.isBroadcast || topology.isOwn(seen.destination, of: port)
    guard isForIt, topology.portIsCaptured[port], topology.portFacts[port].isActive,
      !topology.isOwn(seen.source, of: port), seen.tagCount == 0, isLive(port: Int32(port), seen.time)
    else { return false }
    // At a tap behind qbr, security groups drop what is not ARP.
    return topology.portIsCapturedAtBridge[port] || seen.frameClass == .arpRequest || seen.frameClass == .arpReply
  }

  /// Whether a frame of a guest must leave its host: the destination lives on another one, or on all.
  private func mustLeave(_ entry: Passage, _ seen: Observation) -> Bool {
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

  // MARK: Records

  mutating func record(
    _ key: FaultKey, _ trajectory: UInt64, _ group: [Observation], _ index: Int, isWeak: Bool, isClone: Bool = false
  ) {
    var key = key
    // Bounded, whatever an attacker varies.
    if faults.count >= Judge.mostFaults, faults[key] == nil { key.detail = 0 }
    if faults.count >= Judge.mostFaults * 2, faults[key] == nil { key.observed = 0 }
    faults[key, default: FaultRecord()].add(
      trajectory: trajectory, group[index], isWeak: isWeak, isClone: isClone, group: group, index: index)
    faults[key]?.frames.add(group[index])
  }

  private mutating func recordDelivery(
    _ key: FaultKey, _ trajectory: UInt64, _ delivery: Passage, _ group: [Observation]
  ) {
    faults[key, default: FaultRecord()].add(
      trajectory: trajectory, group[Int(delivery.last)], isWeak: false,
      isClone: key.fault == .crossNetworkDelivery
        && isClone(group[Int(delivery.last)].source, network: delivery.network),
      group: group, index: Int(delivery.last))
    noteFrames(of: delivery, key, group)
  }

  /// Adds a passage's sightings to the frames of a fault.
  private mutating func noteFrames(of passage: Passage, _ key: FaultKey, _ group: [Observation]) {
    for index in Int(passage.first)...max(Int(passage.first), Int(passage.last)) {
      let seen = group[index]
      if topology.points[Int(seen.point)].port == passage.port { faults[key]?.frames.add(seen) }
    }
  }
}
