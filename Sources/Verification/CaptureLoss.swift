import Correlation
import Observations
import Wire

/// Frames that passed a point for certain, because others before or beyond it show them: those that it shows, and
/// those that its captures lost.
struct PassingCounts: Sendable {
  /// By point, for points of ports.
  var shown: [UInt64]
  var missed: [UInt64]
  /// By host, for its tunnel points: what it sent, and what it received.
  var sent: [UInt64]
  var sentMissed: [UInt64]
  var received: [UInt64]
  var receivedMissed: [UInt64]

  /// By captured port: frames for it that reached the host and showed there, and those that did not, for whatever reason.
  var reached: [UInt64]
  var unreached: [UInt64]

  init(points: Int, hosts: Int, ports: Int) {
    reached = Array(repeating: 0, count: ports)
    unreached = reached
    shown = Array(repeating: 0, count: points)
    missed = shown
    sent = Array(repeating: 0, count: hosts)
    sentMissed = sent
    received = sent
    receivedMissed = sent
  }

  /// A share with a little doubt: where little was seen, little is known.
  private static func share(_ missed: UInt64, _ shown: UInt64) -> Double {
    (Double(missed) + 1) / (Double(missed + shown) + 2)
  }

  func unreachedRate(ofPort port: Int) -> Double {
    let all = unreached[port] + reached[port]
    return all == 0 ? 0 : PassingCounts.share(unreached[port], reached[port])
  }
  func rate(ofPoint point: Int) -> Double { PassingCounts.share(missed[point], shown[point]) }
  func sendingRate(_ host: Int) -> Double { PassingCounts.share(sentMissed[host], sent[host]) }
  func receivingRate(_ host: Int) -> Double { PassingCounts.share(receivedMissed[host], received[host]) }
}

extension Judge {
  /// Counts at which points a group's frames were seen, and which missed them though they passed.
  mutating func countPassing(_ group: [Observation]) {
    // NICs cut and join segments: only those without payload are the same everywhere.
    guard let head = group.first, head.frameClass != .fragment, head.frameClass != .tcp || head.length <= 90 else { return }
    for at in resolver.passages.indices {
      let passage = resolver.passages[at]
      let port = Int(passage.port)
      var range: Range<Int>
      switch passage.direction {
      case .fromGuest:
        // What a device of the host sends does not pass all points.
        guard topology.isOwn(group[Int(passage.first)].source, of: port) else { continue }
        let isBeyond = hasLeft(at) || !topology.hostHasTunnelPoint[Int(passage.host)] && isShown(beside: passage.host)
        range = 0..<(isBeyond ? 4 : Int(passage.lastRank))
      case .toGuest: range = (Int(passage.lastRank) + 1)..<4
      default: continue
      }
      if range.upperBound > 4 { range = range.clamped(to: 0..<4) }
      for rank in range {
        let point = Int(topology.pointOfRank[port * 4 + rank])
        guard point >= 0 else { continue }
        if passage.ranks & (1 << UInt16(rank)) != 0 {
          passing.shown[point] += 1
        } else if isRecording(point, passage.start) || !makes(.outsideCaptures) {
          passing.missed[point] += 1
        }
      }
      if passage.direction == .toGuest, passage.fromTunnel < 0, passage.fromEntry < 0 {
        countMissedArrival(at)
        countMissedEntry(at, group)
      }
    }
    var owner = -1
    for tunnel in resolver.tunnels {
      if tunnel.direction == .in {
        if tunnel.deliveries > 0 { passing.received[Int(tunnel.host)] += 1 }
      } else if tunnel.direction == .out, tunnel.entry < 0 {
        // No point of its port shows it.
        guard let port = laneOwner(of: group[Int(tunnel.observation)].source, on: tunnel.host, tunnel.network),
          port != owner
        else { continue }
        owner = port
        for rank in 0..<4 {
          let point = Int(topology.pointOfRank[port * 4 + rank])
          if point >= 0, isRecording(point, tunnel.time) || !makes(.outsideCaptures) { passing.missed[point] += 1 }
        }
      }
    }
  }

  /// A delivery of which the sender's port shows no entry, where no tunnel point beside it tells.
  private mutating func countMissedEntry(_ at: Int, _ group: [Observation]) {
    let delivery = resolver.passages[at]
    for other in resolver.passages where other.network == delivery.network {
      if other.direction == .fromGuest { return }
    }
    for earlier in resolver.passages[..<at] where earlier.direction == .toGuest && earlier.network == delivery.network {
      return
    }
    let source = group[Int(delivery.first)].source
    guard let owners = topology.portsOfMAC[source] else { return }
    let own = owners.filter { topology.portNetwork[$0] == delivery.network }
    guard own.count == 1, let port = own.first, !topology.hostHasTunnelPoint[Int(topology.portHost[port])] else { return }
    for rank in 0..<4 {
      let point = Int(topology.pointOfRank[port * 4 + rank])
      if point >= 0, isRecording(point, delivery.start) { passing.missed[point] += 1 }
    }
  }

  /// A delivery of which the host's tunnel point shows no arrival.
  private mutating func countMissedArrival(_ at: Int) {
    let delivery = resolver.passages[at]
    guard topology.hostHasTunnelPoint[Int(delivery.host)], isLive(tunnelOf: delivery.host, delivery.start),
      let origin = origin(of: at), origin.host != delivery.host
    else { return }
    // A capture that writes a frame twice shows one delivery more than arrived.
    for other in resolver.passages where other.port == delivery.port && other.direction == .toGuest {
      if other.fromTunnel >= 0 || other.fromEntry >= 0 { return }
    }
    for other in 0..<at where resolver.passages[other].host == delivery.host {
      let earlier = resolver.passages[other]
      if earlier.direction == .toGuest, earlier.fromTunnel < 0, earlier.fromEntry < 0 { return }
    }
    // It came in another lane, and was handed to this network wrongly.
    for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == delivery.host && tunnel.deliveries == 0 {
      return
    }
    passing.receivedMissed[Int(delivery.host)] += 1
  }

  // MARK: Chance

  /// How likely all captures of a port miss a frame that passes it; 1 where there are none.
  func missRate(ofPort port: Int) -> Double {
    var rate = 1.0
    for rank in 0..<4 {
      let point = Int(topology.pointOfRank[port * 4 + rank])
      if point >= 0 { rate *= passing.rate(ofPoint: point) }
    }
    return rate
  }

  /// The same of any port of a network on a host, at worst.
  func missRate(ofPortsOn host: Int32, _ network: Int32) -> Double {
    topology.ports(on: host, of: network).reduce(0) { max($0, missRate(ofPort: $1)) }
  }

  func sendingMissRate(_ host: Int32) -> Double {
    topology.hostHasTunnelPoint[Int(host)] ? passing.sendingRate(Int(host)) : 1
  }

  func receivingMissRate(_ host: Int32) -> Double {
    topology.hostHasTunnelPoint[Int(host)] ? passing.receivingRate(Int(host)) : 1
  }

  /// The largest capture-loss rate of a single point on the way of networks' frames between hosts.
  private func worstRate(on hosts: [Int32], _ networks: [Int32]) -> Double {
    var worst = 0.0
    for host in hosts where host >= 0 {
      if topology.hostHasTunnelPoint[Int(host)] {
        worst = max(worst, passing.sendingRate(Int(host)), passing.receivingRate(Int(host)))
      }
      for network in networks where network >= 0 {
        for port in topology.ports(on: host, of: network) {
          for rank in 0..<4 {
            let point = Int(topology.pointOfRank[port * 4 + rank])
            if point >= 0 { worst = max(worst, passing.rate(ofPoint: point)) }
          }
        }
      }
    }
    return worst
  }

  /// Frames of tenants with the same MACs, of which the captures each lost a part, look like a leak. Whether so many
  /// may be that.
  func isChance(_ key: FaultKey, _ record: FaultRecord) -> Bool {
    guard record.clones == record.count, key.network >= 0 else { return false }
    let other = key.fault == .wrongVNI ? lane(key, record) : Int32(bitPattern: key.observed)
    let senders = topology.portsOn.indices.filter {
      $0 != Int(key.host) && other >= 0 && !topology.ports(on: Int32($0), of: other).isEmpty
    }
    let odds: Double
    if key.fault == .wrongVNI || key.via == .wrongVNI {
      // The other tenant's entry was missed, and so was the copy in this one's own lane.
      let sender = key.fault == .wrongVNI ? key.host : key.viaHost
      odds = sendingMissRate(sender) * (other >= 0 ? missRate(ofPortsOn: sender, other) : 1)
    } else if key.fault == .crossNetworkDelivery, key.via == nil, !topology.hostHasTunnelPoint[Int(key.host)] {
      // The other tenant's entry was missed.
      odds = senders.reduce(0.0) { max($0, missRate(ofPortsOn: Int32($1), other)) }
    } else {
      // The other lane's own frame was missed wherever it would show before the port: it came in, was sent, arrived.
      let unsent = senders.reduce(0.0) {
        max($0, sendingMissRate(Int32($1)) * missRate(ofPortsOn: Int32($1), other))
      }
      odds = receivingMissRate(key.host) * (senders.isEmpty ? 1 : unsent)
    }
    // Where a guest was not captured at all, two misses are enough to tie a frame to the wrong one of them.
    let worst = worstRate(on: senders.map { Int32($0) } + [key.host], [key.network, other])
    var frames = record.count
    let host = key.fault == .crossNetworkDelivery && key.via == .wrongVNI ? key.viaHost : key.host
    for network in [key.network, other] where network >= 0 && host >= 0 {
      let cell = cell(host, network)
      frames += key.fault == .wrongVNI || key.via == .wrongVNI ? out[cell] : `in`[cell]
    }
    return Double(record.count) <= 3 * max(odds, worst * worst) * Double(frames) + 1.5
  }
}
