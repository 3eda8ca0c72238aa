import Datapath
import Deployment
import Observations
import OpenFlow
import Wire

/// A flow as evidence: where it stands and how it reads.
struct FlowEvidence: Hashable, Sendable {
  var host: Int
  var bridge: String
  var table: Int
  /// Match and actions, without statistics.
  var text: String
  var file: String?
  var line: Int?
  /// A `learn` action made it.
  var isLearned = false
  /// When it was there, in the reference clock; nil where no dump tells.
  var span: InstalledTimeline.Span?

  /// Whether it may have been there while frames passed.
  func mayHaveActed(during stretch: ClosedRange<Int64>?) -> Bool {
    guard let stretch, let span else { return true }
    return span.mayOverlap(stretch)
  }
}

/// What the hosts' installed flows do between local VLANs and tunnels.
struct InstalledView: Sendable {
  /// From br-int's side: frames of a VLAN that leave in a tunnel.
  struct Outbound: Sendable {
    var vlan: UInt16
    /// nil: for all destinations that no other entry names.
    var destination: MACAddress?
    /// Broadcast and multicast.
    var isGroup: Bool
    /// nil: dropped.
    var vni: UInt32?
    var stripsTag: Bool
    var remotes: [IPAddress]
    var flow: FlowEvidence?
    /// Of the later dump.
    var isAfter = false
  }
  /// From the tunnels' side.
  struct Inbound: Sendable {
    var kind: TunnelSettings.Kind
    var vni: UInt32
    /// nil: dropped.
    var vlan: UInt16?
    /// The flow that maps, or the one that drops.
    var flow: FlowEvidence?
    /// The flow that hands the frame on to br-int.
    var deliverer: FlowEvidence?
    /// Of the later dump.
    var isAfter = false
  }

  /// By host; empty where there is no dump.
  private(set) var outbound: [[Outbound]]
  private(set) var inbound: [[Inbound]]
  /// By host: VNIs of which the flows leave open where their frames go.
  private var undecided: [Set<UInt32>]
  /// By host: VNI → whether a frame that arrives teaches the flows where its sender is. Uncertain ones are left out.
  private(set) var learning: [[UInt32: Bool]]
  /// By host: VNI → the flow that hands on what arrives and learns nothing from it, in a dump of which that is so.
  private(set) var unlearned: [[UInt32: FlowEvidence]]
  /// By host: VNI → the VNI on which answers then leave, and the flow that teaches so, where it is another one.
  private var misteachings: [[UInt32: (vni: UInt32, flow: FlowEvidence)]]
  /// By host: VNI → the flow that sends what arrives into tunnels again.
  private(set) var reflections: [[UInt32: FlowEvidence]]
  /// By host: how long an entry that the flows learn stays without being heard again, in nanoseconds. That of Neutron
  /// where nothing tells.
  private(set) var learnedLifetime: [Int64]
  private var datapaths: [[HostDatapath]]
  /// By host, as `datapaths`: the states, and when their flows were dumped.
  private var states: [[(state: HostState, time: Int64)]]
  /// Whether flows of a bridge with tunnels were dumped.
  private(set) var hasFlows: [Bool]
  private var filters: [Bool?]

  /// By host: when its flows were put in anew.
  var reinstalls: [Reinstalls]
  private(set) var timelines: [InstalledTimeline] = []
  let clocks: [ClockCorrection]

  /// - Parameter clocks: by host; without them the hosts' own times are taken for the reference's.
  init(_ deployment: Deployment, clocks: [ClockCorrection] = []) {
    self.clocks = clocks
    reinstalls = deployment.hosts.map { _ in Reinstalls() }
    outbound = deployment.hosts.map { _ in [] }
    inbound = deployment.hosts.map { _ in [] }
    undecided = deployment.hosts.map { _ in [] }
    learning = deployment.hosts.map { _ in [:] }
    unlearned = deployment.hosts.map { _ in [:] }
    misteachings = deployment.hosts.map { _ in [:] }
    reflections = deployment.hosts.map { _ in [:] }
    learnedLifetime = deployment.hosts.map { _ in Judge.learningTimeout }
    datapaths = deployment.hosts.map { _ in [] }
    states = deployment.hosts.map { _ in [] }
    hasFlows = deployment.hosts.map { _ in false }
    filters = deployment.hosts.map { _ in nil }
    for (index, host) in deployment.hosts.enumerated() {
      timelines.append(InstalledTimeline(before: host.before, after: host.after) { reference($0, index, isFirst: $1) })
      if let state = host.before { add(state, index, isAfter: false) }
      if let state = host.after { add(state, index, isAfter: true) }
      learnedLifetime[index] =
        [host.before, host.after].compactMap { $0 }.compactMap(InstalledView.learnedLifetime).min() ?? Judge.learningTimeout
      noteReinstalls(index, isSingle: host.before == nil || host.after == nil)
    }
  }

  private mutating func add(_ state: HostState, _ host: Int, isAfter: Bool) {
    let taken = state.bridges.compactMap(\.flowsTaken).max() ?? 0
    let time = Int64(exactly: (taken * 1e9).rounded()) ?? 0
    let datapath = HostDatapath(state)
    datapaths[host].append(datapath)
    states[host].append((state, time))
    let table = TranslationTable(datapath, at: time)
    func evidence(_ flow: FlowReference?) -> FlowEvidence? { self.evidence(flow, in: state, host) }
    func entry(
      _ vlan: UInt16, _ destination: MACAddress?, isGroup: Bool, _ copies: [Delivery], _ drop: FlowReference?
    ) -> [Outbound] {
      let tunnels = copies.filter { $0.tunnelID != nil }
      if tunnels.isEmpty {
        let none = Outbound(
          vlan: vlan, destination: destination, isGroup: isGroup, vni: nil, stripsTag: true, remotes: [],
          flow: evidence(drop), isAfter: isAfter)
        return [none]
      }
      return Set(tunnels.compactMap(\.tunnelID)).sorted().map { id in
        let same = tunnels.filter { $0.tunnelID == id }
        return Outbound(
          vlan: vlan, destination: destination, isGroup: isGroup, vni: UInt32(truncatingIfNeeded: id),
          stripsTag: !same.contains { $0.tags.count > 0 }, remotes: same.compactMap(\.remote).sorted(),
          flow: evidence(same.first?.tunnelIDFlow ?? same.first?.outputFlow), isAfter: isAfter)
      }
    }
    if state.bridges.contains(where: { bridge in
      bridge.flows.map { !$0.flows.isEmpty } ?? false && bridge.ports.contains { Self.isTunnel($0) }
    }) {
      hasFlows[host] = true
    }
    for bridge in state.bridges where !bridge.ports.contains(where: { Self.isTunnel($0) }) {
      guard let flows = bridge.flows?.flows, !flows.isEmpty else { continue }
      let tracks = flows.contains { flow in
        flow.actions.contains { if case .conntrack = $0 { true } else { false } }
      }
      filters[host] = (filters[host] ?? false) || tracks
    }
    for out in table.outbound where !out.isUncertain {
      outbound[host] += entry(out.vlan, nil, isGroup: true, out.flood, out.drop)
      outbound[host] += entry(out.vlan, nil, isGroup: false, out.unknownUnicast, out.drop)
    }
    for unicast in table.unicast where !unicast.isUncertain {
      outbound[host] += entry(unicast.vlan, unicast.destination, isGroup: false, unicast.deliveries, unicast.drop)
    }
    for entry in table.inbound {
      // What lies behind br-tun may be unknown (no dump of br-int): the VLAN was settled before.
      let isSettled = !entry.crossings.isEmpty && entry.crossings.allSatisfy { $0.certainty == .certain }
      guard !entry.isUncertain || isSettled else {
        undecided[host].insert(UInt32(truncatingIfNeeded: entry.tunnelID))
        continue
      }
      inbound[host].append(
        Inbound(
          kind: entry.kind, vni: UInt32(truncatingIfNeeded: entry.tunnelID), vlan: entry.isDropped ? nil : entry.vlan,
          flow: evidence(entry.isDropped ? entry.drop : entry.flow),
          deliverer: evidence(entry.crossings.first?.outputFlow), isAfter: isAfter))
      let vni = UInt32(truncatingIfNeeded: entry.tunnelID)
      if let again = entry.reflected.first, reflections[host][vni] == nil {
        reflections[host][vni] = evidence(again.outputFlow)
      }
      if let answer = answers(datapath, state, entry, at: time) {
        // Learning in one of two dumps: it may have been so while the frames passed.
        learning[host][vni] = (learning[host][vni] ?? false) || answer.isLearned
        let teacher = evidence(entry.crossings.first?.outputFlow)
        if !answer.isLearned { unlearned[host][vni] = teacher }
        if answer.isLearned, let other = answer.vni, other != vni, let teacher { misteachings[host][vni] = (other, teacher) }
      }
    }
  }

  /// A flow as evidence.
  func evidence(_ flow: FlowReference?, in state: HostState, _ host: Int) -> FlowEvidence? {
    guard let flow else { return nil }
    return FlowEvidence(
      host: host, bridge: flow.bridge, table: Int(flow.table), text: flow.text,
      file: flow.isLearned ? nil : state.bridges.first { $0.name == flow.bridge }?.flowsFile,
      line: flow.line > 0 ? flow.line : nil, isLearned: flow.isLearned, span: span(of: flow, in: state, host))
  }

  /// A host's switches with the state that they come from, and the time of its dump.
  func dumped(_ host: Int) -> [(datapath: HostDatapath, state: HostState, time: Int64)] {
    zip(datapaths[host], states[host]).map { ($0, $1.state, $1.time) }
  }

  /// How long what the flows of the tunnels' bridges learn stays there; nil where they learn nothing.
  private static func learnedLifetime(_ state: HostState) -> Int64? {
    let flows = state.bridges.filter { $0.ports.contains { isTunnel($0) } }.flatMap { $0.flows?.flows ?? [] }
    let lifetimes = flows.flatMap(\.actions).compactMap { action -> Int64? in
      guard case .learn(let learn) = action else { return nil }
      let timeouts = [learn.hardTimeout, learn.idleTimeout].filter { $0 > 0 }
      return timeouts.min().map { Int64($0) * 1_000_000_000 } ?? .max
    }
    return lifetimes.min()
  }

  /// Sends a probe in by a tunnel and looks whether an answer to it then goes to one tunnel only, and on which VNI.
  private func answers(
    _ datapath: HostDatapath, _ state: HostState, _ entry: TranslationTable.Inbound, at time: Int64
  ) -> (isLearned: Bool, vni: UInt32?)? {
    guard let vlan = entry.vlan, let crossing = entry.crossings.first,
      let name = entry.ports.first,
      let port = state.bridges.first(where: { $0.name == entry.bridge })?.ports.first(where: { $0.name == name })
    else { return nil }
    var probe = Packet()
    probe.source = MACAddress(rawValue: 0x026c_616e_6510)
    probe.destination = .broadcast
    probe.tunnelID = entry.tunnelID
    probe.tunnelSource = port.options["remote_ip"].flatMap { IPAddress($0) } ?? .none
    var answer = Packet()
    answer.source = MACAddress(rawValue: 0x026c_616e_6511)
    answer.destination = probe.source
    answer.pushTag(tpid: 0x8100, vid: vlan)
    var after = datapath
    guard after.send(probe, bridge: entry.bridge, port: name, at: time) != nil,
      let before = datapath.preview(answer, bridge: entry.bridge, port: crossing.fromPort, at: time),
      let now = after.preview(answer, bridge: entry.bridge, port: crossing.fromPort, at: time &+ 1_000_000),
      before.uncertainties.isEmpty, now.uncertainties.isEmpty
    else { return nil }
    func tunnels(_ outcome: Outcome) -> [String] {
      outcome.deliveries.filter { $0.tunnelID != nil }.map(\.port).sorted()
    }
    if tunnels(now).isEmpty, tunnels(before).isEmpty {
      // What is dropped in any case does not show whether it was learned; that a flow was put in does.
      let bridge = entry.bridge
      let known = datapath.learnedFlows(bridge, at: time).map(\.flow.text)
      if after.learnedFlows(bridge, at: time).contains(where: { !known.contains($0.flow.text) }) { return nil }
    }
    let ids = now.deliveries.compactMap(\.tunnelID)
    return (
      tunnels(now) != tunnels(before) || tunnels(now) == [name],
      ids.count == 1 ? UInt32(truncatingIfNeeded: ids[0]) : nil)
  }

  /// Whether the flows let a port send from a MAC; nil where no dump tells.
  func admits(host: Int, port: String, source: MACAddress) -> Bool? {
    var verdict: Bool?
    for datapath in datapaths[host] {
      guard let bridge = datapath.bridge(ofPort: port), datapath.hasFlows(bridge) else { continue }
      var packet = Packet()
      packet.source = source
      packet.destination = .broadcast
      guard let outcome = datapath.preview(packet, bridge: bridge, port: port, at: 0) else { continue }
      verdict = (verdict ?? false) || !outcome.isDropped
    }
    return verdict
  }

  /// The flow by which a host learns to answer a VNI on another one.
  func misteaching(host: Int, vni: UInt32, as other: UInt32) -> FlowEvidence? {
    guard let known = misteachings[host][vni], known.vni == other else { return nil }
    return known.flow
  }

  /// Whether flows of the bridge that guests are plugged into may drop frames by policy (connection tracking is how
  /// security groups do it); nil where they were not dumped.
  func mayFilter(host: Int) -> Bool? { filters[host] }

  /// The flow by which a host sends unicast for a MAC to a VTEP.
  func flow(
    host: Int, vlan: UInt16, destination: MACAddress, to remote: IPAddress, during: ClosedRange<Int64>? = nil
  ) -> FlowEvidence? {
    outbound[host].first {
      $0.vlan == vlan && $0.destination == destination && $0.remotes.contains(remote)
        && $0.flow?.mayHaveActed(during: during) ?? true
    }?.flow
  }

  /// The flow by which a host floods a VLAN, and where to. nil: it does not, or no dump tells.
  func flood(host: Int, vlan: UInt16, during: ClosedRange<Int64>? = nil) -> Outbound? {
    outbound[host].first {
      $0.vlan == vlan && $0.isGroup && $0.destination == nil && $0.flow?.mayHaveActed(during: during) ?? true
    }
  }

  private static func isTunnel(_ port: BridgePort) -> Bool {
    Tunnel.Kind(rawValue: port.type) != nil
  }

  /// The flow by which a host sends frames of `vlan` to `destination` under `vni`.
  func flow(
    host: Int, vlan: UInt16, destination: MACAddress?, vni: UInt32, during: ClosedRange<Int64>? = nil
  ) -> FlowEvidence? {
    let candidates = outbound[host].filter {
      $0.vlan == vlan && $0.vni == vni && $0.flow?.mayHaveActed(during: during) ?? true
    }
    if let destination, let exact = candidates.first(where: { $0.destination == destination }) { return exact.flow }
    let isGroup = destination?.isGroup ?? true
    return (candidates.first { $0.destination == nil && $0.isGroup == isGroup } ?? candidates.first)?.flow
  }

  /// The flow by which a host sends frames of `vlan` with their tag left on.
  func unstripping(host: Int, vlan: UInt16, during: ClosedRange<Int64>? = nil) -> FlowEvidence? {
    outbound[host].first {
      $0.vlan == vlan && !$0.stripsTag && $0.vni != nil && $0.flow?.mayHaveActed(during: during) ?? true
    }?.flow
  }

  /// What the flows do with a VNI: the first state in which they map it, else where they drop it.
  /// - Parameter kind: the only kind of tunnel that counts, where it matters.
  func inbound(host: Int, vni: UInt32, kind: Network.Kind? = nil, during: ClosedRange<Int64>? = nil) -> Inbound? {
    let entries = inbound[host].filter {
      $0.vni == vni && (kind == nil || $0.kind.rawValue == kind?.rawValue) && $0.flow?.mayHaveActed(during: during) ?? true
    }
    return entries.first { $0.vlan != nil } ?? entries.first
  }

  /// What puts a VNI on another VLAN than that of its network: of several, the one that leads to `wanted`.
  /// - Parameters:
  ///   - own: the network's VLAN, when the first or the later state was read.
  ///   - wanted: the VLAN on which its frames showed, likewise.
  func misdirecting(
    host: Int, vni: UInt32, kind: Network.Kind?, own: (_ isAfter: Bool) -> UInt16?, towards wanted: (_ isAfter: Bool) -> UInt16?,
    during: ClosedRange<Int64>?
  ) -> Inbound? {
    let entries = inbound[host].filter {
      $0.vni == vni && (kind == nil || $0.kind.rawValue == kind?.rawValue) && $0.vlan != nil && $0.vlan != own($0.isAfter)
        && $0.flow?.mayHaveActed(during: during) ?? true
    }
    return entries.first { $0.vlan == wanted($0.isAfter) } ?? entries.first
  }

  /// Whether the flows of every dump leave a VNI without a VLAN.
  func isUnmapped(host: Int, vni: UInt32, kind: Network.Kind? = nil) -> Bool {
    hasFlows[host] && !undecided[host].contains(vni) && inbound(host: host, vni: vni, kind: kind)?.vlan == nil
  }
}
