import Wire

/// Where each host last saw each MAC arrive from, and since when: what its learned flows should hold.
struct LearningLedger: Sendable {
  struct Key: Hashable, Sendable {
    var host: Int32
    var vni: UInt32
    var mac: MACAddress
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
  }

  private var locations: [Key: Location] = [:]

  func location(_ host: Int32, _ vni: UInt32, _ mac: MACAddress) -> Location? {
    locations[Key(host: host, vni: vni, mac: mac)]
  }

  /// Notes an arrival. Returns the VTEP that the MAC was behind before, if that was another one.
  mutating func note(_ key: Key, from vtep: UInt16, at time: Int64, grace: Int64) -> UInt16? {
    guard var known = locations[key] else {
      locations[key] = Location(vtep: vtep, since: time, older: time, newer: time, last: time)
      return nil
    }
    // Groups come a little out of order: an older sighting changes nothing.
    guard time >= known.last else { return nil }
    if known.vtep != vtep {
      locations[key] = Location(vtep: vtep, since: time, older: time, newer: time, last: time)
      return known.vtep
    }
    known.last = time
    if time &- known.newer > grace {
      known.older = known.newer
      known.newer = time
    }
    locations[key] = known
    return nil
  }
}

/// Which of two claimants answers for something, to tell a change from a dispute.
struct ClaimLedger: Sendable {
  /// Claims of two hosts closer than this tell nothing of which came first, in nanoseconds.
  static var leastPause: Int64 { 50_000_000 }

  struct Key: Hashable, Sendable {
    var network: Int32
    var subject: UInt64
  }
  private struct Claim: Sendable {
    var holder: UInt64
    var time: Int64
    var rival: UInt64
    var rivalTime: Int64
  }
  private var claims: [Key: Claim] = [:]

  /// Notes that `holder` speaks for the subject. Returns the rival if they take turns within `window`.
  mutating func note(_ key: Key, holder: UInt64, at time: Int64, window: Int64) -> UInt64? {
    guard var claim = claims[key] else {
      claims[key] = Claim(holder: holder, time: time, rival: 0, rivalTime: .min)
      return nil
    }
    if claim.holder == holder {
      claim.time = max(claim.time, time)
      claims[key] = claim
      return nil
    }
    // What lies closer may be in another order: hosts' clocks are known no better.
    let isDispute =
      claim.rival == holder && time &- claim.time < window && claim.time &- claim.rivalTime < window
      && time &- claim.time > ClaimLedger.leastPause
    let rival = claim.holder
    claims[key] = Claim(holder: holder, time: time, rival: claim.holder, rivalTime: claim.time)
    return isDispute ? rival : nil
  }
}
