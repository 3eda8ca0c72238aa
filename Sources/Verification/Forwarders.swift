import Correlation
import Deployment
import Observations
import Wire

/// Two ports of a host, on two networks, that may belong to one guest which hands frames on from one to the other: a
/// firewall that bridges them. Where only one point of a port shows a frame, nothing tells whether it came to the guest
/// or from it.
struct ForwarderPair: Hashable, Sendable {
  var lower: Int32
  var upper: Int32

  init(_ one: Int32, _ other: Int32) { (lower, upper) = (min(one, other), max(one, other)) }
}

/// How often the ports of a pair showed a frame of others that came in the one's network and left in the other's.
struct ForwarderRecord: Sendable {
  var up: UInt64 = 0
  var down: UInt64 = 0

  /// A bridge hands on what comes from either side.
  var isEstablished: Bool { up >= 3 && down >= 3 }
}

extension InstalledFacts {
  /// By port: whether its guest may send frames with others' MACs, on hosts where ports of several networks may.
  static func forwarders(_ topology: Topology, _ installed: InstalledView) -> [Bool] {
    var result = Array(repeating: false, count: topology.deployment.ports.count)
    // A MAC that nobody has.
    let stranger = MACAddress(rawValue: 0x026c_616e_6512)
    for host in topology.portsOn.indices where topology.portsOn[host].count > 1 {
      let ports = topology.deployment.ports.indices.filter { index in
        let port = topology.deployment.ports[index]
        guard port.host == host, topology.portIsCaptured[index], topology.portNetwork[index] >= 0, port.subports.isEmpty,
          port.portSecurity != true
        else { return false }
        return port.portSecurity == false || installed.admits(host: host, port: port.bridgePort ?? port.name, source: stranger) != false
      }
      guard Set(ports.map { topology.portNetwork[$0] }).count > 1 else { continue }
      for port in ports { result[port] = true }
    }
    return result
  }
}

extension Judge {
  /// Notes ports that show a frame of others which came in one network and left in another.
  mutating func noteForwarders(_ group: [Observation]) {
    guard facts.hasForwarders, makes(.guestsForward), let source = group.first?.source else { return }
    for from in resolver.passages where from.network >= 0 && facts.mayForward[Int(from.port)] {
      for to in resolver.passages where to.host == from.host && to.port != from.port {
        guard to.network >= 0, to.network != from.network, facts.mayForward[Int(to.port)], !isCertain(to, .toGuest, group),
          !isCertain(from, .fromGuest, group), !topology.lives(source, on: from.host),
          leaves(from.host, in: to.network), comesIn(from.host, in: from.network, source)
        else { continue }
        if from.port < to.port { forwarders[ForwarderPair(from.port, to.port), default: ForwarderRecord()].up += 1 }
        if from.port > to.port { forwarders[ForwarderPair(from.port, to.port), default: ForwarderRecord()].down += 1 }
      }
    }
  }

  /// The pairs that may have handed on the frame that a fault is about.
  func mayHaveForwarded(_ key: FaultKey, _ group: [Observation]) -> [ForwarderPair] {
    guard facts.hasForwarders, let head = group.first else { return [] }
    let other: Int32
    switch key.fault {
    case .crossNetworkDelivery: other = Int32(bitPattern: key.observed)
    case .wrongLocalVLAN where key.detail == 0: other = Int32(bitPattern: key.observed)
    case .wrongVNI: other = topology.network(ofVNI: key.observed)
    case .tunnelReflection: other = -1
    default: return []
    }
    var pairs: [ForwarderPair] = []
    for to in topology.portHost.indices where facts.mayForward[to] {
      let host = topology.portHost[to]
      // Deliveries follow elsewhere.
      guard key.fault == .crossNetworkDelivery || host == key.host,
        topology.portNetwork[to] == (key.fault == .tunnelReflection ? key.network : other), !isSoleOwner(to, of: head.source)
      else { continue }
      for from in topology.portHost.indices where facts.mayForward[from] && topology.portHost[from] == host {
        guard topology.portNetwork[from] != topology.portNetwork[to],
          key.fault == .tunnelReflection || topology.portNetwork[from] == key.network, !isSoleOwner(from, of: head.source),
          mayHaveHandedOn(host, Int32(from), Int32(to), head, group)
        else { continue }
        pairs.append(ForwarderPair(Int32(from), Int32(to)))
      }
    }
    return pairs
  }

  /// Whether a frame may have come to one port of a host and left by the other, as far as its captures tell. What came
  /// from elsewhere and leaves again was handed on, whichever way.
  private func mayHaveHandedOn(_ host: Int32, _ from: Int32, _ to: Int32, _ head: Observation, _ group: [Observation]) -> Bool {
    if leaves(host, in: topology.portNetwork[Int(to)]) { return true }
    if leaves(host, in: topology.portNetwork[Int(from)]), !topology.lives(head.source, on: host) { return true }
    var isShown = false
    for passage in resolver.passages where passage.port == to {
      if !isCertain(passage, .toGuest, group) { return true }
      isShown = true
    }
    return !isShown && !isLive(tunnelOf: host, head.time)
  }

  /// Whether a MAC is a port's, and no other's: where only captures tell whose MACs are whose, those that a guest hands on
  /// seem to be its own as well.
  private func isSoleOwner(_ port: Int, of mac: MACAddress) -> Bool {
    topology.isOwn(mac, of: port) && topology.portsOfMAC[mac]?.count == 1
  }

  /// Whether two points of a port, or the capture itself, tell which way a frame went there.
  private func isCertain(_ passage: Passage, _ direction: Observation.Direction, _ group: [Observation]) -> Bool {
    passage.direction == direction && (passage.sightings > 1 || group[Int(passage.first)].direction != .unknown)
  }

  private func leaves(_ host: Int32, in network: Int32) -> Bool {
    for tunnel in resolver.tunnels where tunnel.direction == .out && tunnel.host == host && tunnel.network == network { return true }
    return false
  }

  /// Whether a frame came to a host in a network, or is of guests that live in that one, elsewhere.
  private func comesIn(_ host: Int32, in network: Int32, _ source: MACAddress) -> Bool {
    for tunnel in resolver.tunnels where tunnel.direction == .in && tunnel.host == host && tunnel.network == network { return true }
    guard let owners = topology.portsOfMAC[source], !owners.isEmpty else { return false }
    return owners.allSatisfy { topology.portNetwork[$0] == network }
  }

  /// Takes what guests may have handed on for doubtful, all but a few of whose frames they explain.
  mutating func discountForwarded() {
    let established = Set(forwarders.filter { $0.value.isEstablished }.map(\.key))
    guard !established.isEmpty else { return }
    for key in faults.keys {
      guard let record = faults[key] else { continue }
      let explained = record.forwarded.filter { established.contains($0.key) }.values.max() ?? 0
      if explained > 0, record.count &- explained < 3 {
        faults[key]?.weak = record.count
        faults[key]?.isForwarded = true
      }
    }
  }
}
