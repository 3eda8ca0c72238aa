import Correlation
import Deployment
import Observations
import Wire

/// When a point's captures began and ended, in the reference clock; frames outside prove nothing.
struct LiveSpan: Sendable {
  var first = Int64.max
  /// `max` while a capture of the point is still being read.
  var last = Int64.min
  /// In order: what lies strictly within one is not covered.
  var holes: [ClosedRange<Int64>] = []

  /// `slack`: how far the time may be off, in nanoseconds.
  func contains(_ time: Int64, within slack: Int64) -> Bool {
    slack == 0
      ? contains(time)
      : contains(clamped(time, minus: slack)) && (last == .max || clamped(time, plus: slack) <= last) && contains(time)
  }

  func contains(_ time: Int64) -> Bool {
    guard first <= time, time <= last else { return false }
    guard !holes.isEmpty else { return true }
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].upperBound <= time { low = middle + 1 } else { high = middle }
    }
    return low == holes.count || holes[low].lowerBound >= time
  }
}

/// Judges each trajectory once, and keeps counts and evidence by fault.
struct Judge: Sendable {
  let topology: Topology
  var resolver: TrajectoryResolver
  var faults: [FaultKey: FaultRecord] = [:]
  var stretches = StretchTable()
  var sizes: [SizeKey: SizeRecord] = [:]
  var counts = TrajectoryCounts()
  /// Trajectories by host × network: out, in, and those that went wrong.
  var out: [UInt64]
  var `in`: [UInt64]
  var outWrong: [UInt64]
  var inWrong: [UInt64]
  /// Frames of tunnels whose VNI no port here belongs to are counted, not judged.
  var spans: [LiveSpan]
  var shared: SharedCaptures
  /// How far hosts' times may be held against each other.
  let trust: ClockTrust
  var doubts = ClockDoubts()
  /// Frames sent to a host whose clock does not relate to the sender's, though both were captured: by sender and
  /// receiver.
  var unrelated: [ClockDoubts.Pair: UInt64] = [:]
  /// Frames of a pair that only one of both showed while it was not known how their clocks relate.
  var unsettled: [ClockDoubts.Pair: UInt64] = [:]
  /// Kinds of frames that each point has shown, as bits: what it never shows a filter may keep from it.
  var shownKinds: [UInt16]
  /// By point: how many frames it has shown.
  private(set) var shownFrames: [UInt64]
  /// Between which stations each point has shown frames, and of which kind.
  var shownPairs: [UInt64]
  /// By host × host: whether the first one's tunnel point has shown frames to the second one, or from it.
  var shownWays: [Bool]
  var mark = PairMark()
  var duplicates: [DuplicateKey: DuplicateRecord] = [:]
  var policy: PolicyCounts
  var modified = ModifiedLedger()
  var order = OrderLedger()
  /// What the points show and miss of the frames that passed them.
  var passing: PassingCounts
  /// Outer source MACs of frames that their sender is known to have sent: `[receiver][sender]`.
  var lawfulStations: [UInt64: Set<MACAddress>] = [:]
  /// The same of frames from guests of the sender's, where no capture shows whether it sent them.
  var usualStations: [UInt64: Set<MACAddress>] = [:]
  let tunnelPorts: TunnelPortPlan
  let facts: InstalledFacts
  /// By host: when flows were put in anew.
  let reinstalls: [Reinstalls]
  /// Exceptions that are not made.
  private let omitted: Set<RuleException>
  /// Fault and host → how many kinds of it there are.
  private(set) var variants: [UInt64: Variants] = [:]
  var ledger = LearningLedger()
  /// MAC and host: guests that were last heard on a host where no port of theirs is known.
  var visitors: Set<UInt64> = []
  var movers = MoverLedger()
  /// Guests with ports on several hosts, for they migrated.
  let migrants: Set<MACAddress>
  /// Who sends as a MAC, by host; who answers for an address, by MAC.
  var senders = ClaimLedger()
  var answers = ClaimLedger()
  /// The group is a piece of frames that were repeated without a pause: what it lacks may lie in another piece.
  var isPiece = false
  private var trajectory: UInt64 = 0
  static var mostFaults: Int { 4096 }
  private let networkCount: Int
  private var faulty: [Bool] = []

  init(
    _ topology: Topology, trust: ClockTrust, tunnelPorts: TunnelPortPlan, facts: InstalledFacts,
    reinstalls: [Reinstalls], without exceptions: Set<RuleException> = []
  ) {
    self.topology = topology
    self.trust = trust
    resolver = TrajectoryResolver(topology)
    networkCount = max(1, topology.deployment.networks.count)
    let cells = topology.deployment.hosts.count * networkCount
    out = Array(repeating: 0, count: cells)
    `in` = out
    outWrong = out
    inWrong = out
    spans = Array(repeating: LiveSpan(), count: topology.plan.points.count)
    shared = SharedCaptures(topology.plan.points)
    shownKinds = Array(repeating: 0, count: topology.plan.points.count)
    shownFrames = Array(repeating: 0, count: topology.plan.points.count)
    shownPairs = Array(repeating: 0, count: topology.plan.points.count * PairMark.words)
    shownWays = Array(repeating: false, count: topology.deployment.hosts.count * topology.deployment.hosts.count)
    policy = PolicyCounts(ports: topology.deployment.ports.count)
    passing = PassingCounts(
      points: topology.plan.points.count, hosts: topology.deployment.hosts.count, ports: topology.deployment.ports.count)
    var hosts: [MACAddress: Int] = [:]
    var migrants: Set<MACAddress> = []
    for port in topology.deployment.ports {
      for mac in port.macs where hosts.updateValue(port.host, forKey: mac).map({ $0 != port.host }) ?? false {
        if !topology.livesInSeveralPlaces(mac) { migrants.insert(mac) }
      }
    }
    self.migrants = migrants
    self.tunnelPorts = tunnelPorts
    self.facts = facts
    self.reinstalls = reinstalls
    omitted = exceptions
  }

  /// Whether an exception is made; asked only where its circumstances are given.
  func makes(_ exception: RuleException) -> Bool { omitted.isEmpty || !omitted.contains(exception) }

  func cell(_ host: Int32, _ network: Int32) -> Int { Int(host) * networkCount + Int(network) }

  /// Judges one group of equal frames, sorted by time.
  mutating func judge(_ group: [Observation]) {
    guard let head = group.first else { return }
    if topology.deviceMACs.contains(head.source), !hasTunnelSighting(group), makes(.hostsDevices) {
      counts.otherFrames += UInt64(group.count)
      return
    }
    guard !isOtherOverlay(group) || !makes(.otherOverlays) else {
      counts.otherFrames += UInt64(group.count)
      counts.otherOverlayFrames += UInt64(group.count)
      return
    }
    mark = PairMark(group)
    if shared.hasAny { shared.note(group) }
    for seen in group {
      shownFrames[Int(seen.point)] &+= 1
      shownKinds[Int(seen.point)] |= seen.frameClass.kindBit
      shownPairs[Int(seen.point) * PairMark.words + mark.word] |= mark.bit
    }
    resolver.resolve(group)
    let entries = resolver.entryCount
    let number = max(1, entries)
    counts.total += UInt64(number)
    let base = trajectory
    trajectory &+= UInt64(resolver.passages.count + 1)
    // What the filter leaves out teaches hosts all the same, and is not judged.
    guard hasPassing(group) else {
      noteFiltered(number, group, base)
      return
    }
    var fault = false
    var crossed = false

    // Copies that hosts sent into their tunnels.
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      if tunnel.peer >= 0 { shownWays[Int(tunnel.host) * topology.portsOn.count + Int(tunnel.peer)] = true }
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
    noteLoneEnds(group)
    if !isPiece {
      countPassing(group)
      countPolicy(group, base)
      noteLoose(group, base)
      noteOrder(group, base)
    }
    for at in resolver.passages.indices where resolver.passages[at].direction == .toGuest {
      if judgeDelivery(at, group, base) { fault = true }
      if resolver.passages[at].fromEntry >= 0 || resolver.passages[at].fromTunnel >= 0 || entries > 0 { crossed = true }
    }
    countIn()
    noteVisitors(group)
    if judgeLearning(group, base) { fault = true }
    judgeSenders(group, base)
    for index in resolver.witnesses { if judgeWitness(Int(index), group, base) { fault = true } }
    if !fault {
      if !isPiece {
        countStretches(group, base)
        countDuplicates(group, base)
      }
      if crossed { counts.asExpected += UInt64(number) } else { noteUnjudged(number, group) }
    }
  }

  mutating func noteUnjudged(_ number: Int, _ group: [Observation]) {
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
    if isUndeclared(tunnel, seen) {
      record(FaultKey(fault: .unknownVNI, host: tunnel.host, observed: tunnel.vni), trajectory, group, index, isWeak: false)
    }
    return fault
  }

  // Loops, not closures over the judge: one that captures it copies it, for every group.

  private func hasTunnelSighting(_ group: [Observation]) -> Bool {
    for seen in group where topology.points[Int(seen.point)].isTunnel { return true }
    return false
  }

  private func hasPassing(_ group: [Observation]) -> Bool {
    for seen in group where seen.filter == .passes { return true }
    return false
  }

  private func isOtherOverlay(_ group: [Observation]) -> Bool {
    for seen in group where !isOtherOverlay(seen) { return false }
    return true
  }

  /// Whether a sighting is of a VXLAN overlay that shares addresses with ours, by a port that neither end's tunnels
  /// use: Open vSwitch sends nothing there and takes nothing from it.
  func isOtherOverlay(_ seen: Observation) -> Bool {
    guard seen.tunnelPort != 0, seen.tunnelPort != tunnelPorts.usual, topology.portsOfMAC[seen.source] == nil else {
      return false
    }
    let from = Int(seen.outerFrom) < topology.vtepHost.count ? topology.vtepHost[Int(seen.outerFrom)] : -1
    let to = Int(seen.outerTo) < topology.vtepHost.count ? topology.vtepHost[Int(seen.outerTo)] : -1
    let ends = [
      tunnelPorts.of(from, towards: to, seen: seen.tunnelPort), tunnelPorts.of(to, towards: from, seen: seen.tunnelPort),
    ].compactMap { $0 }
    return !ends.isEmpty && !ends.contains(seen.tunnelPort)
  }

  /// Whether a port of the network that got a frame has the same source MAC on the host where it entered, or, where
  /// that is not known, on any: cloned tenants send the same bytes.
  func isClone(_ mac: MACAddress, network: Int32, on host: Int32 = -1) -> Bool {
    guard network >= 0, let owners = topology.portsOfMAC[mac], owners.count > 1, makes(.clonedTenants) else { return false }
    return owners.contains { topology.portNetwork[$0] == network && (host < 0 || topology.portHost[$0] == host) }
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
      isLaneKnown || !topology.portFacts[Int(port)].hasSubports
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

  /// The one port of a host that may use this MAC.
  func soleOwner(of mac: MACAddress, on host: Int32) -> Int? {
    guard let owners = topology.portsOfMAC[mac] else { return nil }
    var found: Int?
    for owner in owners where topology.portHost[owner] == host {
      if found != nil { return nil }
      found = owner
    }
    return found
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
      guard let owner = soleOwner(of: group[Int(tunnel.observation)].source, on: tunnel.host),
        !topology.portIsCaptured[owner], topology.portNetwork[owner] >= 0
      else { continue }
      orphan = true
      out[cell(tunnel.host, topology.portNetwork[owner])] += 1
      if !topology.isLane(tunnel, of: topology.portNetwork[owner]) {
        outWrong[cell(tunnel.host, topology.portNetwork[owner])] += 1
      }
    }
  }

  // MARK: Mirrors

  /// The tag that a mirror shows is the local VLAN of the frame's network on that host.
  mutating func judgeWitness(_ index: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let seen = group[index]
    let point = topology.points[Int(seen.point)]
    guard point.isMirror, seen.tagCount > 0 && seen.vid != 0 || !makes(.mirrorOutputs) else { return false }
    var network: Int32 = -1
    for entry in resolver.passages where entry.direction == .fromGuest && entry.host == point.host {
      network = entry.network
    }
    if network < 0 {
      for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == point.host {
        network = tunnel.network
      }
    }
    if point.port >= 0, !makes(.mirrorOutputs), network >= 0, network != topology.portNetwork[Int(point.port)] {
      let key = FaultKey(
        fault: .crossNetworkDelivery, host: point.host, network: network, port: point.port,
        observed: UInt32(bitPattern: topology.portNetwork[Int(point.port)]))
      record(key, base, group, index, isWeak: false)
      return true
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

  // MARK: Records

  mutating func record(
    _ key: FaultKey, _ trajectory: UInt64, _ group: [Observation], _ index: Int, isWeak: Bool, isClone: Bool = false
  ) {
    let key = bounded(key)
    faults[key, default: FaultRecord()].add(
      trajectory: trajectory, group[index], isWeak: isWeak, isClone: isClone, group: group, index: index)
    faults[key]?.frames.add(group[index])
  }

  /// The key itself, or one that it shares with others: bounded, whatever an attacker varies.
  private mutating func bounded(_ key: FaultKey) -> FaultKey {
    guard faults[key] == nil else { return key }
    var key = key
    if key.fault.isVaried {
      if !variants[Judge.variantKey(key), default: Variants()].note(key) {
        (key.observed, key.detail) = Variants.others
      }
    } else {
      if faults.count >= Judge.mostFaults { key.detail = 0 }
      if faults.count >= Judge.mostFaults * 2 { key.observed = 0 }
    }
    return key
  }

  static func variantKey(_ key: FaultKey) -> UInt64 {
    UInt64(key.fault.rawValue) << 32 | UInt64(UInt32(bitPattern: key.host))
  }

  mutating func recordDelivery(
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
  mutating func noteFrames(of passage: Passage, _ key: FaultKey, _ group: [Observation]) {
    for index in Int(passage.first)...max(Int(passage.first), Int(passage.last)) {
      let seen = group[index]
      if topology.points[Int(seen.point)].port == passage.port { faults[key]?.frames.add(seen) }
    }
  }
}
