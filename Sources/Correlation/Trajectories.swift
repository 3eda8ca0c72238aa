import Deployment
import Observations
import Wire

/// A frame on the path between a guest and its switch: its sightings at tap, qvb and qvo of one port.
public struct Passage: Sendable, BitwiseCopyable {
  public var port: Int32
  public var host: Int32
  public var network: Int32
  /// `fromGuest`, `toGuest` or `unknown`.
  public var direction: Observation.Direction
  public var basis: Observation.Basis
  public var start: Int64
  public var end: Int64
  /// First and last sighting, as indices into the group.
  public var first: Int32
  public var last: Int32
  /// Ranks seen, as bits.
  public var ranks: UInt16
  public var lastRank: Int8
  public var sightings: Int32
  public var tagCount: UInt8
  public var vid: UInt16
  /// Tags cannot be seen in cooked captures.
  public var tagsKnown: Bool
  /// For a delivery: the entry or the tunnel sighting it came from, and whether its lane is the port's.
  public var fromEntry: Int32 = -1
  public var fromTunnel: Int32 = -1
  public var laneMatches = false
}

/// A frame at a tunnel point.
public struct TunnelSighting: Sendable, BitwiseCopyable {
  /// Index into the group.
  public var observation: Int32
  public var host: Int32
  public var time: Int64
  public var vni: UInt32
  /// The network whose lane the VNI is; -1 where no or no single network has it.
  public var network: Int32
  public var direction: Observation.Direction
  /// Host of the far end; -1 where it is no host here.
  public var peer: Int32
  /// The entry (index into `passages`) that it left from. -1 where none was seen. For `in`: where the sender's
  /// own copy was seen, that one's entry.
  public var entry: Int32 = -1
  /// `in`: the sighting at the sender (index into `tunnels`), which may have another VNI. -1 where none was seen.
  public var sent: Int32 = -1
  /// `in`: how many deliveries came of it.
  public var deliveries: Int32 = 0
  /// Tunnel points of the host that showed it: a bond and its member, a VLAN device and the device beneath.
  var points: UInt64 = 0

  /// Whether two have the same tunnel ID, and are not of two networks that share it in tunnels of several kinds.
  public func isSameLane(as other: TunnelSighting) -> Bool { vni == other.vni && network == other.network }
}

/// Tells the trajectories of a group of equal frames apart: which passage entered the network, which
/// tunnel copies left by it, which sightings at other hosts are those copies, and which deliveries came
/// of them.
///
/// Equal bytes may be sent again, or by another tenant at the same time. A lawful explanation goes first: a
/// copy is given to the sender whose lane it is in, a delivery to the source whose lane is the port's. What
/// is left over then went astray, whichever of the equal frames it was.
public struct TrajectoryResolver: Sendable {
  public let topology: Topology
  public internal(set) var passages: [Passage] = []
  public internal(set) var tunnels: [TunnelSighting] = []
  /// Further sightings at points in series, each with the tunnel sighting that it belongs to.
  public private(set) var series: [(tunnel: Int32, observation: Int32)] = []
  /// Mirrors, `any`, bridges: evidence beside the path (indices into the group).
  public private(set) var witnesses: [Int32] = []
  /// More than one frame of these bytes entered: which sighting belongs to which is a choice.
  public private(set) var isAmbiguous = false

  /// The sightings of a frame are mostly in one lane.
  private var lastLane: (vni: UInt32, udpPort: UInt16, network: Int32) = (0, 0, -2)

  /// Sightings of one host may be stamped this much out of order, in nanoseconds.
  public static var stampSlack: Int64 { 1_000_000 }
  /// What a capture writes twice lies no further apart than this, in nanoseconds.
  public static var writtenTwice: Int64 { 1_000_000 }

  /// A frame takes no longer than this through one port's devices, in nanoseconds.
  static var longestPassage: Int64 { 250_000_000 }

  public init(_ topology: Topology) { self.topology = topology }

  public mutating func resolve(_ group: [Observation]) {
    passages.removeAll(keepingCapacity: true)
    tunnels.removeAll(keepingCapacity: true)
    series.removeAll(keepingCapacity: true)
    witnesses.removeAll(keepingCapacity: true)
    for index in group.indices { sort(index, group) }
    for index in passages.indices where passages[index].direction == .unknown {
      settleDirection(index, group)
    }
    assignCopies(group)
    assignArrivals(group)
    assignChanged(group)
    assignDeliveries(group)
  }

  /// Entries among the passages.
  public var entryCount: Int {
    var count = 0
    for passage in passages where passage.direction == .fromGuest { count += 1 }
    return count
  }

  // MARK: Sightings

  private mutating func sort(_ place: Int, _ group: [Observation]) {
    let seen = group[place]
    let index = Int32(truncatingIfNeeded: place)
    let point = topology.points[Int(seen.point)]
    if point.hasSeveralCaptures, isRecordedTwice(place, group) { return }
    if point.isTunnel {
      if let at = seriesSighting(of: seen, point, group) {
        tunnels[at].points |= point.tunnelBit
        series.append((Int32(truncatingIfNeeded: at), index))
        return
      }
      let far = seen.direction == .out ? seen.outerTo : seen.outerFrom
      let peer = Int(far) < topology.vtepHost.count ? topology.vtepHost[Int(far)] : -1
      if seen.vni != lastLane.vni || seen.tunnelPort != lastLane.udpPort || lastLane.network == -2 {
        lastLane = (seen.vni, seen.tunnelPort, topology.network(ofVNI: seen.vni, udpPort: seen.tunnelPort))
      }
      tunnels.append(
        TunnelSighting(
          observation: index, host: point.host, time: seen.time, vni: seen.vni, network: lastLane.network,
          direction: seen.direction, peer: peer, points: point.tunnelBit))
      return
    }
    guard point.isGuestSide else {
      witnesses.append(index)
      return
    }
    let bit = UInt16(1) << UInt16(point.rank)
    for at in passages.indices where passages[at].port == point.port {
      let passage = passages[at]
      guard passage.ranks & bit == 0, seen.time &- passage.end < TrajectoryResolver.longestPassage,
        !belongsToLater(place, passage, group)
      else { continue }
      // A second rank settles the direction; a third must agree with it.
      let ascending = point.rank > passage.lastRank
      if passage.sightings > 1, (passage.direction == .fromGuest) != ascending { continue }
      // A direction that the capture itself states overrules the order.
      if passage.sightings == 1, passage.direction != .unknown,
        (passage.direction == .fromGuest) != ascending, seen.time != passage.end
      {
        continue
      }
      passages[at].ranks |= bit
      passages[at].lastRank = point.rank
      passages[at].last = index
      passages[at].end = seen.time
      passages[at].sightings += 1
      if passage.direction == .unknown, seen.time != passage.start {
        passages[at].direction = ascending ? .fromGuest : .toGuest
        passages[at].basis = .order
      }
      if !passage.tagsKnown, seen.destination != .zero {
        passages[at].tagsKnown = true
        passages[at].tagCount = seen.tagCount
        passages[at].vid = seen.vid
        passages[at].network = topology.network(
          ofPort: point.port, tagsKnown: true, tagCount: seen.tagCount, vid: seen.vid)
      }
      return
    }
    let tagsKnown = seen.destination != .zero
    passages.append(
      Passage(
        port: point.port, host: point.host,
        network: topology.network(
          ofPort: point.port, tagsKnown: tagsKnown, tagCount: seen.tagCount, vid: seen.vid),
        direction: seen.direction,
        basis: seen.basis, start: seen.time, end: seen.time, first: index, last: index, ranks: bit,
        lastRank: point.rank, sightings: 1, tagCount: seen.tagCount, vid: seen.vid,
        tagsKnown: tagsKnown))
  }

  /// Whether a sighting comes so long after a passage that it rather begins one with the same bytes sent again,
  /// which the passage's last point shows sooner after it. (One of a series was lost by a capture.)
  private func belongsToLater(_ place: Int, _ passage: Passage, _ group: [Observation]) -> Bool {
    let wait = group[place].time &- passage.end
    guard wait > TrajectoryResolver.stampSlack else { return false }
    var later = place + 1
    while later < group.count, group[later].time &- group[place].time < wait {
      let point = topology.points[Int(group[later].point)]
      if point.port == passage.port, point.isGuestSide, point.rank == passage.lastRank { return true }
      later += 1
    }
    return false
  }

  /// Direction of a passage that was seen at one point only: by the order against the host's tunnel point,
  /// then by whose MAC it is.
  private mutating func settleDirection(_ index: Int, _ group: [Observation]) {
    let passage = passages[index]
    var outAfter = false
    var inBefore = false
    for tunnel in tunnels where tunnel.host == passage.host {
      if tunnel.direction == .out, tunnel.time >= passage.start &- TrajectoryResolver.stampSlack { outAfter = true }
      if tunnel.direction == .in, tunnel.time <= passage.start &+ TrajectoryResolver.stampSlack { inBefore = true }
    }
    let source = group[Int(passage.first)].source
    let owners = topology.portsOfMAC[source]
    let owned = owners?.contains(Int(passage.port)) ?? false
    if owned {
      // A frame with the port's own MAC that came in by the tunnel and never left was sent by somebody else.
      let returned = inBefore && !outAfter
      passages[index].direction = returned ? .toGuest : .fromGuest
      passages[index].basis = outAfter || returned ? .order : .ownership
    } else if hasEntry(beside: index) || owners?.contains(where: { isNeighbour($0, of: passage) }) ?? false {
      // Another guest of the host sent it: it was switched to this one.
      passages[index].direction = .toGuest
      passages[index].basis = .order
    } else if topology.isOwn(group[Int(passage.first)].destination, of: Int(passage.port)) {
      passages[index].direction = .toGuest
      passages[index].basis = .order
    } else if outAfter != inBefore {
      passages[index].direction = outAfter ? .fromGuest : .toGuest
      // A guest that came to this host after the state was read sends by a port that is not known, and its floods show
      // at this one, too.
      passages[index].basis = outAfter ? .ownership : .order
    } else if let owners {
      passages[index].direction = .toGuest
      // Where it entered was seen.
      let entered = passages.contains { $0.direction == .fromGuest && owners.contains(Int($0.port)) && $0.host != passage.host }
      passages[index].basis = entered ? .order : .ownership
    }
  }

  /// Whether a port is another one of the same network on the same host.
  private func isNeighbour(_ port: Int, of passage: Passage) -> Bool {
    port != Int(passage.port) && topology.portHost[port] == passage.host && topology.portNetwork[port] == passage.network
  }

  /// Whether the frame came from another guest of the same host before.
  private func hasEntry(beside index: Int) -> Bool {
    let passage = passages[index]
    for other in passages where other.host == passage.host && other.port != passage.port {
      if other.direction == .fromGuest, other.start <= passage.start &+ TrajectoryResolver.stampSlack { return true }
    }
    return false
  }

  // MARK: Assignment

  private mutating func assignCopies(_ group: [Observation]) {
    var entries = 0
    for passage in passages where passage.direction == .fromGuest { entries += 1 }
    isAmbiguous = entries > 1
    guard entries > 0 else { return }
    // Where several entered, each copy goes to the entry whose lane it is in before any goes to another.
    if entries > 1 || lanes > 1 { assignCopies(group, isLawful: true, isChoice: true) }
    assignCopies(group, isLawful: false, isChoice: entries > 1 || lanes > 1)
  }

  /// How many lanes the copies that left are in; 2 stands for more.
  private var lanes: Int {
    var first: TunnelSighting?
    for tunnel in tunnels where tunnel.direction == .out {
      if let first, !first.isSameLane(as: tunnel) { return 2 }
      first = tunnel
    }
    return first == nil ? 0 : 1
  }

  private mutating func assignCopies(_ group: [Observation], isLawful: Bool, isChoice: Bool) {
    for at in tunnels.indices where tunnels[at].direction == .out && tunnels[at].entry < 0 {
      let tunnel = tunnels[at]
      let seen = group[Int(tunnel.observation)]
      var best: Int32 = -1
      var bestMatches = false
      for candidate in passages.indices {
        let passage = passages[candidate]
        guard passage.direction == .fromGuest, passage.host == tunnel.host,
          passage.start <= tunnel.time &+ TrajectoryResolver.stampSlack
        else { continue }
        let matches = topology.isLane(tunnel, of: passage.network)
        if isLawful, !matches { continue }
        if isChoice, takes(candidate, copyTo: seen.outerTo, group), isLawful || !isBeside(candidate, at, group) { continue }
        // The latest entry that fits: what an earlier one lacks, the capture lost.
        if best < 0 || (matches && !bestMatches)
          || (matches == bestMatches && passage.start >= passages[Int(best)].start)
        {
          best = Int32(truncatingIfNeeded: candidate)
          bestMatches = matches
        }
      }
      tunnels[at].entry = best
    }
  }

  /// Whether an entry already has a copy to that VTEP.
  private func takes(_ entry: Int, copyTo receiver: UInt16, _ group: [Observation]) -> Bool {
    for at in tunnels.indices where tunnels[at].direction == .out && Int(tunnels[at].entry) == entry {
      if group[Int(tunnels[at].observation)].outerTo == receiver { return true }
    }
    return false
  }

  /// Whether a copy goes in another lane than all that an entry has to that VTEP, and did not come in by it: it was sent
  /// beside them, not twice.
  private func isBeside(_ entry: Int, _ copy: Int, _ group: [Observation]) -> Bool {
    let tunnel = tunnels[copy]
    let seen = group[Int(tunnel.observation)]
    let receiver = seen.outerTo
    // A clone of the guest in that lane's network sends the same bytes.
    if let owners = topology.portsOfMAC[seen.source],
      owners.contains(where: { topology.portHost[$0] == tunnel.host && topology.portNetwork[$0] == tunnel.network })
    {
      return false
    }
    for other in tunnels where other.host == tunnel.host && other.isSameLane(as: tunnel) {
      if other.direction == .in { return false }
      if other.direction == .out, Int(other.entry) == entry, group[Int(other.observation)].outerTo == receiver { return false }
    }
    return true
  }

  private mutating func assignArrivals(_ group: [Observation]) {
    for at in tunnels.indices where tunnels[at].direction == .in && tunnels[at].peer >= 0 {
      let arrival = tunnels[at]
      let seen = group[Int(arrival.observation)]
      var best: Int32 = -1
      for candidate in tunnels.indices {
        let copy = tunnels[candidate]
        guard copy.direction == .out, copy.host == arrival.peer, copy.isSameLane(as: arrival) else { continue }
        let sent = group[Int(copy.observation)]
        guard sent.outerTo == seen.outerTo, sent.outerFrom == seen.outerFrom else { continue }
        var taken = false
        for other in 0..<at where tunnels[other].direction == .in && tunnels[other].host == arrival.host {
          if tunnels[other].sent == Int32(truncatingIfNeeded: candidate) { taken = true }
        }
        if taken { continue }
        if best < 0 || copy.time <= arrival.time { best = Int32(truncatingIfNeeded: candidate) }
      }
      tunnels[at].sent = best
      if best >= 0 {
        tunnels[at].entry = tunnels[Int(best)].entry
      } else if !topology.hostHasTunnelPoint[Int(arrival.peer)] {
        tunnels[at].entry = uncapturedSender(of: at)
      }
    }
  }

  /// The entry on a host whose tunnel point was not captured, for what arrived from there elsewhere.
  private func uncapturedSender(of at: Int) -> Int32 {
    let arrival = tunnels[at]
    var best: Int32 = -1
    var bestMatches = false
    for candidate in passages.indices {
      let passage = passages[candidate]
      guard passage.direction == .fromGuest, passage.host == arrival.peer else { continue }
      var taken = false
      for other in 0..<at
      where tunnels[other].direction == .in && tunnels[other].host == arrival.host
        && tunnels[other].entry == Int32(truncatingIfNeeded: candidate)
      {
        taken = true
      }
      let matches = topology.isLane(arrival, of: passage.network)
      if taken || (best >= 0 && bestMatches && !matches) { continue }
      best = Int32(truncatingIfNeeded: candidate)
      bestMatches = matches
    }
    return best
  }
}
