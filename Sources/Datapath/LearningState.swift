import Deployment
import OpenFlow
import Wire

/// What a host has learned of where MACs are, as far as what it really received tells. Three-valued: what a
/// capture did not cover may have been learned, or not.
///
/// Fed with the frames that its tunnel point and its guests' ports show, in the order of their time, it runs them
/// through the host's own flows: `learn` actions, NORMAL, timeouts and priorities are the host's. It says *learned*
/// or *not learned* only where Open vSwitch can hold nothing else:
///
/// - an entry of a dump is there until its timeout; one that no dump shows is *unknown* until it must have timed
///   out, counted from where the captures begin, unless the dump was taken after that;
/// - what was just learned, or is about to time out, is *unknown* for the grace that `learn` and the revalidator
///   take (2 s);
/// - where flows leave open what they do, the answer is *unknown*.
public struct LearningState: Sendable {
  public enum Knowledge: Hashable, Sendable {
    /// Unicast goes to this tunnel endpoint.
    case learned(IPAddress)
    /// Unicast is flooded.
    case notLearned
    case unknown
  }

  private struct Key: Hashable {
    var vlan: UInt16
    var mac: MACAddress
  }

  private struct Arrival {
    var remote: IPAddress
    /// First of those that came from there without one from elsewhere in between or a pause as long as the timeout.
    var first: Int64
    var last: Int64
  }

  private var datapath: HostDatapath
  private let entry: (bridge: String, port: String)
  private let grace: Int64
  /// From when on everything that reached the host was fed; nil: from no time on.
  private var coveredSince: Int64?
  private let dumped: Int64?
  /// The longest time for which a `learn` action keeps what it learned, in nanoseconds; 0: for ever.
  private let timeout: Int64
  private var arrivals: [Key: Arrival] = [:]
  private var lastExpiry = Int64.min

  /// - Parameters:
  ///   - state: dumps of a host with a bridge that holds tunnels.
  ///   - grace: in nanoseconds.
  /// - Returns: nil where the dumps hold no flows of such a bridge, or none that is reached by a patch port.
  public init?(_ state: HostState, grace: Int64 = 2_000_000_000) {
    self.init(
      HostDatapath(state), dumped: state.bridges.compactMap(\.flowsTaken).min().flatMap { Int64(exactly: ($0 * 1e9).rounded()) },
      grace: grace)
  }

  init?(_ datapath: HostDatapath, dumped: Int64?, grace: Int64 = 2_000_000_000) {
    guard let entry = datapath.overlayEntries.first(where: { datapath.hasFlows($0.bridge) }) else { return nil }
    self.datapath = datapath
    self.entry = entry
    self.dumped = dumped
    self.grace = grace
    timeout = datapath.longestLearning(entry.bridge)
  }

  /// Tells that from now on everything is fed that reaches the host: its captures have begun, or go on after a gap.
  public mutating func cover(from time: Int64) { coveredSince = time }

  /// A frame that the host received from the underlay.
  /// - Parameter packet: the frame inside.
  public mutating func receive(_ packet: Packet, in outer: OuterHeader, at time: Int64) {
    let outcome = datapath.receive(
      packet, kind: outer.kind, remote: outer.source, local: outer.destination, tunnelID: outer.tunnelID ?? 0,
      destinationPort: outer.destinationPort, at: time)
    expire(at: time)
    // Without a tunnel port that takes it, or a VLAN, it teaches nothing.
    guard let outcome, let vlan = outcome.crossings.first?.vlanID else { return }
    let key = Key(vlan: vlan, mac: packet.source)
    if let known = arrivals[key], known.remote == outer.source, timeout == 0 || time &- known.last <= timeout {
      arrivals[key]?.last = max(known.last, time)
    } else {
      arrivals[key] = Arrival(remote: outer.source, first: time, last: time)
    }
  }

  /// A frame that a port of the host sent.
  public mutating func send(_ packet: Packet, port: String, at time: Int64) {
    guard let bridge = datapath.bridge(ofPort: port) else { return }
    _ = datapath.send(packet, bridge: bridge, port: port, at: time)
    expire(at: time)
  }

  private mutating func expire(at time: Int64) {
    guard time &- lastExpiry > 60_000_000_000 || lastExpiry == .min else { return }
    lastExpiry = time
    datapath.expire(at: time)
    if timeout > 0 {
      let oldest = time.addingSaturating(-timeout).addingSaturating(-grace)
      arrivals = arrivals.filter { $0.value.last >= oldest }
    }
  }

  /// What the host knows of a MAC on one of its local VLANs.
  public func knowledge(of mac: MACAddress, vlan: UInt16, at time: Int64) -> Knowledge {
    if let arrival = arrivals[Key(vlan: vlan, mac: mac)] {
      let isFresh = time < arrival.first.addingSaturating(grace)
      let end = timeout == 0 ? Int64.max : arrival.last.addingSaturating(timeout)
      let isEnding = time > end.addingSaturating(-grace) && time < end.addingSaturating(grace)
      if isFresh || isEnding { return .unknown }
    }
    // A MAC that no flow names shows what the host does without knowing.
    guard let known = probe(mac, vlan, time), let stranger = probe(LearningState.stranger, vlan, time) else {
      return .unknown
    }
    let flows = known.map(\.outputFlow)
    if flows != stranger.map(\.outputFlow) {
      let remotes = Set(known.compactMap(\.remote))
      guard remotes.count == 1, let remote = remotes.first else { return .unknown }
      return .learned(remote)
    }
    return isAbsenceKnown(at: time) ? .notLearned : .unknown
  }

  /// Tunnel copies of a unicast frame; nil where the flows leave them open.
  private func probe(_ mac: MACAddress, _ vlan: UInt16, _ time: Int64) -> [Delivery]? {
    var packet = Packet()
    packet.source = LearningState.source
    packet.destination = mac
    packet.etherType = 0x88b5
    packet.length = 60
    packet.pushTag(tpid: 0x8100, vid: vlan)
    guard let outcome = datapath.preview(packet, bridge: entry.bridge, port: entry.port, at: time),
      outcome.uncertainties.isEmpty, !outcome.isIncomplete
    else { return nil }
    return outcome.deliveries.filter { if case .tunnel = $0.kind { true } else { false } }
  }

  /// Whether everything that could have been learned would be known.
  private func isAbsenceKnown(at time: Int64) -> Bool {
    guard let since = coveredSince, time >= since else { return false }
    if let dumped, dumped >= since, dumped <= time { return true }
    // Nothing is learned, or what was learned unseen is gone.
    if timeout < 0 { return true }
    return timeout > 0 && time > since.addingSaturating(timeout).addingSaturating(grace)
  }

  private static let source = MACAddress(rawValue: 0x026c_616e_6520)
  private static let stranger = MACAddress(rawValue: 0x026c_616e_6521)
}

extension HostDatapath {
  /// The longest time for which the `learn` actions of a bridge keep what they learn, in nanoseconds; 0: one keeps it
  /// for ever; negative: there are none.
  fileprivate func longestLearning(_ name: String) -> Int64 {
    guard let bridge = index(of: name) else { return -1 }
    var longest: Int64 = -1
    func look(_ actions: [Action]) {
      for action in actions {
        switch action {
        case .learn(let learn):
          let own: Int64 = .seconds(learn.hardTimeout)
          if own == 0 || longest == 0 { longest = 0 } else { longest = max(longest, own) }
        case .clone(let nested), .writeActions(let nested): look(nested)
        default: break
        }
      }
    }
    for flow in bridges[bridge].liveFlows { look(flow.actions) }
    return longest
  }
}
