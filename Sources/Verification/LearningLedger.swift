import Correlation
import Wire

/// Where each host last saw each MAC arrive from, and since when: what its learned flows should hold.
struct LearningLedger: Sendable {
  struct Key: FlatKey {
    var host: Int32
    var vni: UInt32
    var mac: MACAddress

    var words: (UInt64, UInt64) { (mac.rawValue, UInt64(UInt32(bitPattern: host)) << 32 | UInt64(vni)) }
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

  func location(_ host: Int32, _ vni: UInt32, _ mac: MACAddress) -> Location? {
    locations[Key(host: host, vni: vni, mac: mac)]
  }

  /// Notes an arrival. Returns the VTEP that the MAC was behind before, if that was another one.
  mutating func note(_ key: Key, from vtep: UInt16, at time: Int64, grace: Int64) -> UInt16? {
    let now = Location(vtep: vtep, since: time, older: time, newer: time, last: time)
    guard let place = locations.place(of: key, whereNew: now, most: LearningLedger.mostLocations) else { return nil }
    return locations.values[place].note(now, grace: grace)
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
  private struct Claim: Sendable {
    var holder: UInt64
    var time: Int64
    var rival: UInt64
    var rivalTime: Int64

    mutating func note(_ now: Claim, window: Int64) -> UInt64? {
      guard holder != now.holder else {
        time = max(time, now.time)
        return nil
      }
      // What lies closer may be in another order: hosts' clocks are known no better.
      let isDispute =
        rival == now.holder && now.time &- time < window && time &- rivalTime < window
        && now.time &- time > ClaimLedger.leastPause
      let before = self
      self = Claim(holder: now.holder, time: now.time, rival: before.holder, rivalTime: before.time)
      return isDispute ? before.holder : nil
    }
  }
  static var mostClaims: Int { 1 << 20 }

  private var claims = FlatTable<Key, Claim>()

  /// Notes that `holder` speaks for the subject. Returns the rival if they take turns within `window`.
  mutating func note(_ key: Key, holder: UInt64, at time: Int64, window: Int64) -> UInt64? {
    let now = Claim(holder: holder, time: time, rival: 0, rivalTime: .min)
    guard let place = claims.place(of: key, whereNew: now, most: ClaimLedger.mostClaims) else { return nil }
    return claims.values[place].note(now, window: window)
  }
}
