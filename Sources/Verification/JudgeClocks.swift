import Correlation
import Observations

/// Frames that left one host and reached another further apart than clocks that are known would show them, or the
/// wrong way round: then it is the clocks that are not known, and nothing was forged or lost.
struct ClockDoubts: Sendable {
  struct Pair: Hashable, Sendable {
    var sender: Int32
    var receiver: Int32
  }
  /// Frames that wait for their other end, at most; the oldest are forgotten first.
  static var bound: Int { 1 << 15 }

  private struct Side: Sendable {
    /// By digest and pair, since a flood leaves once for each receiver: how many, since the same bytes may be sent
    /// again.
    private var waiting: [UInt64: UInt32] = [:]
    private var order: [UInt64] = []
    private var next = 0

    mutating func take(_ key: UInt64) -> Bool {
      guard let count = waiting[key], count > 0 else { return false }
      waiting[key] = count - 1
      return true
    }

    mutating func note(_ key: UInt64) {
      if let count = waiting[key] {
        waiting[key] = count &+ 1
        return
      }
      waiting[key] = 1
      if order.count < ClockDoubts.bound {
        order.append(key)
      } else {
        waiting[order[next]] = nil
        order[next] = key
        next = (next + 1) % order.count
      }
    }
  }
  /// Fewer are strays.
  static var fewest: UInt64 { 8 }
  private var sent = Side()
  private var received = Side()
  /// Frames of a pair that say that its clocks are not known. A clock that was set shows in frames that follow each
  /// other; frames that were sent again, of which captures lost one here and another there, show among many that agree.
  struct Tally: Sendable {
    private(set) var count: UInt64 = 0
    /// Those that more than outweigh the frames that agreed in between.
    private(set) var run: UInt64 = 0
    private(set) var longestRun: UInt64 = 0
    /// When the run began that is the longest, in the reference clock.
    private(set) var since = Int64.max
    private var start = Int64.max

    mutating func note(at time: Int64) {
      count += 1
      start = run == 0 ? time : min(start, time)
      run += 1
      guard run > longestRun else { return }
      longestRun = run
      since = start
    }

    /// - Returns: whether nothing is left to outweigh.
    mutating func noteAgreement() -> Bool {
      if run > 0 { run -= 1 }
      return run == 0
    }
  }
  /// Frames of a pair that were seen on both, too far apart.
  private(set) var apart: [Pair: Tally] = [:]
  /// Pairs with frames too far apart that agreement has not outweighed yet.
  private var open: [Pair] = []
  /// Pairs of which the receiver got a frame that the sender was not seen to send.
  private(set) var arrived: Set<Pair> = []
  /// Hosts that got frames from an address that is no VTEP.
  var heardStrangers: Set<Int32> = []

  /// Frames of a pair that show at the receiver before the sender, by more than what is known of their clocks allows.
  private(set) var early: [Pair: Tally] = [:]
  /// By so much at least, in nanoseconds.
  static var leastLead: Int64 { 1_000_000 }

  /// Whether the clocks of some pair have turned out not to hold.
  private(set) var isFollowed = false

  /// Whether so many frames of two hosts contradict their clocks by now that nothing is missed on either.
  func isOff(_ a: Int32, _ b: Int32) -> Bool {
    guard isFollowed, a != b else { return false }
    for pair in [Pair(sender: a, receiver: b), Pair(sender: b, receiver: a)] {
      if apart[pair]?.run ?? 0 >= ClockDoubts.fewest || early[pair]?.run ?? 0 >= ClockDoubts.fewest { return true }
    }
    return false
  }

  mutating func noteEarly(_ pair: Pair, at time: Int64 = 0) {
    early[pair, default: Tally()].note(at: time)
    if early[pair]?.run ?? 0 >= ClockDoubts.fewest { isFollowed = true }
    if !open.contains(pair) { open.append(pair) }
  }

  private mutating func noteApart(_ pair: Pair, at time: Int64) {
    apart[pair, default: Tally()].note(at: time)
    if apart[pair]?.run ?? 0 >= ClockDoubts.fewest { isFollowed = true }
    if !open.contains(pair) { open.append(pair) }
  }

  /// A frame that left one host and reached the other as their clocks have it.
  mutating func noteAgreement(from sender: Int32, to receiver: Int32) {
    guard let at = open.firstIndex(where: { $0.sender == sender && $0.receiver == receiver }) else { return }
    let isApartOver = apart[open[at]]?.noteAgreement() ?? true
    let isEarlyOver = early[open[at]]?.noteAgreement() ?? true
    if isApartOver, isEarlyOver { open.swapAt(at, open.count - 1); open.removeLast() }
  }

  /// A tunnel frame that its receiver was not seen to get.
  mutating func noteSent(_ digest: UInt64, _ pair: Pair, at time: Int64 = 0) {
    let key = ClockDoubts.key(digest, pair)
    if received.take(key) { noteApart(pair, at: time) } else { sent.note(key) }
  }

  /// A tunnel frame that its sender was not seen to send.
  mutating func noteReceived(_ digest: UInt64, _ pair: Pair, at time: Int64 = 0) {
    arrived.insert(pair)
    let key = ClockDoubts.key(digest, pair)
    if sent.take(key) { noteApart(pair, at: time) } else { received.note(key) }
  }

  private static func key(_ digest: UInt64, _ pair: Pair) -> UInt64 {
    let hosts = UInt64(UInt32(bitPattern: pair.sender)) << 32 | UInt64(UInt32(bitPattern: pair.receiver))
    return digest ^ (hosts &+ 1) &* 0x9e37_79b9_7f4a_7c15
  }
}

extension Judge {
  /// Notes tunnel frames of which only one end was seen, though both hosts were captured.
  mutating func noteLoneEnds(_ group: [Observation]) {
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      if tunnel.direction == .in, tunnel.peer < 0 { doubts.heardStrangers.insert(tunnel.host) }
      if tunnel.direction == .in, tunnel.sent >= 0 { noteOrder(tunnel, resolver.tunnels[Int(tunnel.sent)]) }
      guard tunnel.peer >= 0, tunnel.peer != tunnel.host, topology.hostHasTunnelPoint[Int(tunnel.peer)] else { continue }
      if tunnel.direction == .in, tunnel.sent < 0 {
        doubts.noteReceived(group[0].digest, .init(sender: tunnel.peer, receiver: tunnel.host), at: tunnel.time)
      } else if tunnel.direction == .out, !resolver.tunnels.contains(where: { Int($0.sent) == at }) {
        doubts.noteSent(group[0].digest, .init(sender: tunnel.host, receiver: tunnel.peer), at: tunnel.time)
      }
    }
  }

  private mutating func noteOrder(_ arrival: TunnelSighting, _ departure: TunnelSighting) {
    let lead = clamped(departure.time, minus: arrival.time)
    guard lead > ClockDoubts.leastLead, departure.host != arrival.host,
      let slack = trust.slack(departure.host, arrival.host, at: departure.time),
      lead > clamped(slack, plus: ClockDoubts.leastLead)
    else {
      doubts.noteAgreement(from: departure.host, to: arrival.host)
      return
    }
    doubts.noteEarly(.init(sender: departure.host, receiver: arrival.host), at: departure.time)
  }

  /// Whether frames that a host sent to another may be missed there though nothing relates their clocks: none of
  /// either was ever seen to reach the other, and by the clocks as they are both were captured at the same time, over
  /// most of what was sent. Clocks that are far apart would not show that; captures of another day show arrivals.
  func isCutOff(_ key: StretchKey, _ record: StretchRecord, passed: UInt64) -> Bool {
    let (there, back) = (
      ClockDoubts.Pair(sender: key.host, receiver: key.peer), ClockDoubts.Pair(sender: key.peer, receiver: key.host)
    )
    guard passed == 0, doubts.arrived.isDisjoint(with: [there, back]),
      doubts.heardStrangers.isDisjoint(with: [key.host, key.peer]), let span = record.missed.stretch
    else { return false }
    let missed = stretches.keys.indices.reduce(UInt64(0)) {
      let other = stretches.keys[$1]
      guard other.stretch == .underlay, other.host == key.host, other.peer == key.peer else { return $0 }
      return $0 + stretches.records[$1].missed.count
    }
    return clamped(span.upperBound, minus: span.lowerBound) >= ClockTrust.nominalSpan
      && missed * 2 >= unrelated[there] ?? 0
  }

  /// Whether what was judged of two hosts rests on their clocks as they are.
  func isNominal(_ a: Int32, _ b: Int32) -> Bool { b >= 0 && !trust.relates(a, b) }

  /// Frames from a host to another that only one of them shows, beside as many equal ones that only the other shows, at
  /// another time.
  func shownApart(from sender: Int32, to receiver: Int32) -> UInt64 {
    doubts.apart[.init(sender: sender, receiver: receiver)]?.count ?? 0
  }

  /// Frames between two hosts, either way, that were seen on both too far apart; none where they are but strays.
  func doubted(_ a: Int32, _ b: Int32) -> UInt64 {
    let pairs = [ClockDoubts.Pair(sender: a, receiver: b), ClockDoubts.Pair(sender: b, receiver: a)]
    let tallies = pairs.compactMap { doubts.apart[$0] }.filter { $0.longestRun >= 3 }
    return tallies.reduce(0) { $0 + $1.count }
  }
}
