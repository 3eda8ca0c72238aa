import Correlation
import Deployment
import Wire

/// Where each host last saw each MAC arrive from, and since when: what its learned flows should hold.
struct LearningLedger: Sendable {
  struct Key: FlatKey {
    var host: Int32
    var lane: Lane
    var mac: MACAddress

    var words: (UInt64, UInt64) {
      (mac.rawValue | UInt64(lane.kind) << 48, UInt64(UInt32(bitPattern: host)) << 32 | UInt64(lane.vni))
    }
  }

  /// A tunnel ID; where networks share it in tunnels of several kinds, with that kind.
  struct Lane: Hashable, Sendable {
    var vni: UInt32
    var kind: UInt8 = 0
  }

  struct Location: Sendable {
    /// Index of the VTEP.
    var vtep: UInt16
    /// First arrival from it since the MAC was last seen elsewhere.
    var since: Int64
    /// Two arrivals, at least a grace apart: enough to ask for the latest one before the grace.
    var older: Int64
    var newer: Int64
    var last: Int64

    /// The latest arrival known to lie at or before `time`; nil if there is none.
    func arrival(before time: Int64) -> Int64? {
      if newer <= time { return newer }
      return older <= time ? older : nil
    }

    fileprivate mutating func note(_ now: Location, grace: Int64) -> UInt16? {
      // Groups come a little out of order: an older sighting changes nothing.
      guard now.last >= last else { return nil }
      guard vtep == now.vtep else {
        let before = vtep
        self = now
        return before
      }
      last = now.last
      if last &- newer > grace {
        older = newer
        newer = last
      }
      return nil
    }
  }

  /// Whoever sends from ever new MACs must not fill the memory: beyond this, new ones are not followed.
  static var mostLocations: Int { 1 << 20 }

  private var locations = FlatTable<Key, Location>()

  func location(_ host: Int32, _ lane: Lane, _ mac: MACAddress) -> Location? {
    locations[Key(host: host, lane: lane, mac: mac)]
  }

  /// Notes an arrival. Returns the VTEP that the MAC was behind before, if that was another one.
  mutating func note(_ key: Key, from vtep: UInt16, at time: Int64, grace: Int64) -> UInt16? {
    let now = Location(vtep: vtep, since: time, older: time, newer: time, last: time)
    guard let place = locations.place(of: key, whereNew: now, most: LearningLedger.mostLocations) else { return nil }
    return locations.values[place].note(now, grace: grace)
  }
}

/// Where guests speak from that have moved: on another host than state says, or on one of several that it names.
struct MoverLedger: Sendable {
  private struct Key: Hashable {
    var network: Int32
    var mac: MACAddress
  }
  private struct Mover: Sendable {
    var host: Int32
    /// Unicast for it that went to another host since it spoke from here.
    var misses = 0
  }
  private var movers: [Key: Mover] = [:]

  var isEmpty: Bool { movers.isEmpty }

  func isKnown(_ network: Int32, _ mac: MACAddress) -> Bool { movers[Key(network: network, mac: mac)] != nil }

  /// Where it spoke from last; nil where it is not known to have moved.
  func host(_ network: Int32, _ mac: MACAddress) -> Int32? { movers[Key(network: network, mac: mac)]?.host }

  /// Notes that a guest sent from a host.
  mutating func note(_ network: Int32, _ mac: MACAddress, on host: Int32) {
    let key = Key(network: network, mac: mac)
    if movers[key]?.host != host { movers[key] = Mover(host: host) }
  }

  /// Notes unicast for it to a host. Returns how many went there by now; nil where it is not known to live elsewhere.
  mutating func noteMiss(_ network: Int32, _ mac: MACAddress, to host: Int32) -> Int? {
    let key = Key(network: network, mac: mac)
    guard var mover = movers[key], mover.host != host else { return nil }
    mover.misses += 1
    movers[key] = mover
    return mover.misses
  }
}

/// Which of two claimants answers for something, to tell a change from a dispute.
struct ClaimLedger: Sendable {
  /// Claims of two hosts closer than this tell nothing of which came first, in nanoseconds.
  static var leastPause: Int64 { 50_000_000 }

  struct Key: FlatKey {
    var network: Int32
    var subject: UInt64

    var words: (UInt64, UInt64) { (subject, UInt64(UInt32(bitPattern: network))) }
  }
  /// One who speaks for a subject: the first and the last time, without a long pause between.
  private struct Claim: Sendable {
    var holder: UInt64
    /// The host in whose clock the times were read.
    var host: Int32
    var first: Int64
    var last: Int64
  }
  /// The two who spoke last.
  private struct Pair: Sendable {
    var one: Claim
    var other: Claim?

    /// Puts the one who speaks now first.
    mutating func note(_ now: Claim, window: Int64) {
      if one.holder != now.holder, let known = other, known.holder == now.holder { (one, other) = (known, one) }
      if one.holder != now.holder { (one, other) = (now, one) }
      if now.last &- one.last > window { one.first = now.last }
      one.first = min(one.first, now.first)
      one.last = max(one.last, now.last)
    }
  }
  static var mostClaims: Int { 1 << 20 }

  private var claims = FlatTable<Key, Pair>()

  /// Notes that `holder` speaks for the subject; claims may come in any order. Returns the rival if each of them spoke
  /// after the other had begun: a change of hands does not look so.
  /// - Parameter isChangeAllowed: false: a change of hands is a dispute as well.
  mutating func note(
    _ key: Key, holder: UInt64, on host: Int32, at time: Int64, window: Int64, _ trust: ClockTrust,
    isChangeAllowed: Bool = true
  ) -> UInt64? {
    let now = Claim(holder: holder, host: host, first: time, last: time)
    guard let place = claims.place(of: key, whereNew: Pair(one: now), most: ClaimLedger.mostClaims) else { return nil }
    claims.values[place].note(now, window: window)
    let pair = claims.values[place]
    guard let rival = pair.other else { return nil }
    guard isChangeAllowed else { return rival.holder }
    let slack = trust.slack(host, rival.host, at: time) ?? 0
    let overlap = min(pair.one.last &- rival.first, rival.last &- pair.one.first)
    // Either may have spoken for long, but not the one long after the other.
    let isNear = abs(pair.one.last &- rival.last) < window
    return overlap > max(ClaimLedger.leastPause, slack) && isNear ? rival.holder : nil
  }
}

extension Judge {
  /// Where a host learns a network's MACs.
  func learningLane(_ network: Int32, _ vni: UInt32) -> LearningLedger.Lane {
    let kind: UInt8 =
      switch topology.sharedKind(ofNetwork: Int(network)) {
      case nil: 0
      case .gre: 1
      case .geneve: 2
      default: 3
      }
    return LearningLedger.Lane(vni: vni, kind: kind)
  }
}
