import Correlation
import Deployment
import Observations
import Wire

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
  /// By host: frames that went where they should not have, if as much time had passed as its clock shows that was set then.
  var slipped: [Int32: UInt64] = [:]
  /// Frames that the receiver's tunnel point, or the sender's own (of a host to itself), would have shown in a pause
  /// between two files of its capture, and hosts that are known to have received or sent frames in such a pause.
  var paused: [ClockDoubts.Pair: UInt64] = [:]
  var busyInPauses: Set<Int32> = []
  /// Kinds of frames that each point has shown, as bits: what it never shows a filter may keep from it.
  var shownKinds: [UInt16]
  /// By point: how many frames it has shown.
  private(set) var shownFrames: [UInt64]
  /// Between which stations each point has shown frames, and of which kind.
  var shownPairs: [UInt64]
  /// By host × host: whether the first one's tunnel point has shown frames to the second one, or from it.
  var shownWays: [Bool]
  var mark = PairMark()
  var strangers = Strangers()
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
  var variants: [UInt64: Variants] = [:]
  var ledger = LearningLedger()
  /// MAC and host: guests that were last heard on a host where no port of theirs is known.
  var visitors: Set<UInt64> = []
  var movers = MoverLedger()
  /// Whether unicast went to where a MAC had been.
  var hasStale = false
  /// Guests with ports on several hosts, for they migrated.
  let migrants: Set<MACAddress>
  /// By port: it was there before, and not after.
  let unplugged: [Bool]
  /// Ports of guests that hand frames on.
  var forwarders: [ForwarderPair: ForwarderRecord] = [:]
  /// Who sends as a MAC, by host; who answers for an address, by MAC.
  var senders = ClaimLedger()
  var answers = ClaimLedger()
  /// The group is a piece of frames that were repeated without a pause: what it lacks may lie in another piece.
  var isPiece = false
  /// The group is part of a fault: what it lacks follows from that.
  var isWrong = false
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
    unplugged = topology.deployment.ports.indices.map { topology.deployment.isUnplugged($0) }
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
    isWrong = false
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
    noteForwarders(group)
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
    // What went wrong passed as far as it shows, and is missed nowhere.
    isWrong = fault
    if !isPiece { countStretches(group, base) }
    if !fault {
      if !isPiece { countDuplicates(group, base) }
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

  // MARK: Mirrors

  /// The tag that a mirror shows is the local VLAN of the frame's network on that host.
  mutating func judgeWitness(_ index: Int, _ group: [Observation], _ base: UInt64) -> Bool {
    let seen = group[index]
    let point = topology.points[Int(seen.point)]
    guard point.isMirror else { return false }
    if point.port >= 0, topology.isUntagged[Int(point.port)], !makes(.untaggedMirrors) {
      let key = FaultKey(fault: .untaggedPort, host: point.host, network: topology.portNetwork[Int(point.port)], port: point.port)
      record(key, base, group, index, isWeak: false)
      return true
    }
    guard seen.tagCount > 0 && seen.vid != 0 || !makes(.mirrorOutputs) || !makes(.unseenTags) else { return false }
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
      vlans.contains(where: { $0.value == seen.vid }) || !makes(.unseenTags)
    else { return false }
    let key = FaultKey(
      fault: .wrongLocalVLAN, host: point.host, network: network, observed: UInt32(seen.vid), detail: 1)
    record(key, base, group, index, isWeak: false)
    return true
  }
}
