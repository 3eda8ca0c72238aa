import Correlation
import Deployment
import Observations
import Wire

/// Where frames entered that arrive or are delivered, as far as captures tell.
extension Judge {
  struct Origin {
    var network: Int32
    var host: Int32
  }

  /// The network in which a frame entered, for a delivery whose way was not captured. Of equal frames in several
  /// networks as many come out as went in.
  func origin(of at: Int) -> Origin? {
    let delivery = resolver.passages[at]
    var before = 0
    for other in 0..<at where resolver.passages[other].direction == .toGuest {
      let earlier = resolver.passages[other]
      if earlier.port == delivery.port, earlier.fromTunnel < 0, earlier.fromEntry < 0 { before += 1 }
    }
    var own: Origin?
    var foreign: Origin?
    var entered = 0
    var foreignEntered = 0
    for entry in resolver.passages where entry.direction == .fromGuest && entry.network >= 0 {
      if entry.network == delivery.network {
        if own == nil { own = Origin(network: entry.network, host: entry.host) }
        entered += 1
      } else if foreign == nil || foreign?.network == entry.network {
        if foreign == nil { foreign = Origin(network: entry.network, host: entry.host) }
        foreignEntered += 1
      }
    }
    var sent = 0
    for tunnel in resolver.tunnels
    where tunnel.host != delivery.host && tunnel.direction == .out && tunnel.network >= 0 {
      if tunnel.network == delivery.network {
        if own == nil { own = Origin(network: tunnel.network, host: tunnel.host) }
        if tunnel.peer == delivery.host { sent += 1 }
      } else if foreign == nil, entered == 0 {
        foreign = Origin(network: tunnel.network, host: tunnel.host)
        foreignEntered += 1
      }
    }
    guard let foreign else { return own }
    guard let own else { return foreign }
    if before < max(entered, sent, 1) { return own }
    // What the other network got of its own is none of this port's.
    var foreignDelivered = 0
    for passage in resolver.passages where passage.direction == .toGuest && passage.host == delivery.host {
      if passage.network == foreign.network { foreignDelivered += 1 }
    }
    return foreignDelivered < foreignEntered ? foreign : own
  }

  /// Where a frame entered whose sender's tunnel interface was not captured: at a port that shows it, or at that of the
  /// one guest there with its MAC, where no capture shows that port either.
  func unseenOrigin(of arrival: TunnelSighting, _ seen: Observation) -> (network: Int32, port: Int32)? {
    if arrival.entry >= 0 {
      let entry = resolver.passages[Int(arrival.entry)]
      return (entry.network, entry.port)
    }
    guard arrival.peer >= 0, !topology.hostHasTunnelPoint[Int(arrival.peer)],
      let owner = uncapturedOwner(of: seen.source, on: arrival.peer)
    else { return nil }
    return (topology.portNetwork[owner], Int32(truncatingIfNeeded: owner))
  }

  /// Another network in which the same bytes entered.
  func foreignEntry(_ delivery: Passage) -> Int32? {
    for entry in resolver.passages
    where entry.direction == .fromGuest && entry.network >= 0 && entry.network != delivery.network {
      return entry.network
    }
    return nil
  }

  struct SenderFault {
    var network: Int32
    var host: Int32
    var port: Int32
    var entry: Int32
    func trajectory(_ base: UInt64) -> UInt64 { base &+ UInt64(entry) &+ 1 }
  }

  /// The sender's network, where the arrival's copy left in another lane.
  func senderFault(of arrival: TunnelSighting) -> SenderFault? {
    guard arrival.entry >= 0 else { return nil }
    let entry = resolver.passages[Int(arrival.entry)]
    guard entry.network >= 0, topology.vni(ofNetwork: Int(entry.network)) != nil, !topology.isLane(arrival, of: entry.network) else {
      return nil
    }
    return SenderFault(network: entry.network, host: entry.host, port: entry.port, entry: arrival.entry)
  }
}
