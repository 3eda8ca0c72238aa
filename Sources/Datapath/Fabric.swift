import Deployment
import OpenFlow
import Wire

/// All hosts of a deployment together: a frame put in at a port comes out at every port where it would, on every
/// host, by way of the tunnels between them. What the frames teach stays, in their own time.
///
/// The underlay between the hosts is taken to be perfect: it delivers by outer addresses, at once, and loses
/// nothing. A value: a copy goes its own way.
public struct Fabric: Sendable {
  /// Tunnels in a row that a frame is followed through.
  public static let mostHops = 16
  /// Visits of one frame that are followed.
  public static let mostVisits = 1024

  struct Member: Sendable {
    var name: String
    var datapath: HostDatapath?
    var decided: DecidedFlows
    var vteps: [IPAddress]
    /// No flows were dumped: they are as Neutron would install them.
    var isIntended = false
  }

  var members: [Member]
  private var hostOfAddress: [IPAddress: Int] = [:]

  /// - Parameters:
  ///   - after: start from the state that was taken when the captures ended, where there is one.
  ///   - isComplete: what the dumps do not show was not learned. False: it may have been.
  ///   - mode: how Neutron would set up the hosts of which no flows were dumped.
  ///   - caching: whether decided flows are kept.
  public init(
    _ deployment: Deployment, after: Bool = false, isComplete: Bool = true, mode: NeutronMode = .plain,
    caching: Bool = true
  ) {
    members = deployment.hosts.enumerated().map { index, host in
      let state = after ? host.after ?? host.before : host.state
      var member = Member(
        name: host.name, datapath: state.flatMap { Fabric.datapath($0, isComplete: isComplete) },
        decided: DecidedFlows(isOn: caching), vteps: host.vteps)
      // A host without a port of any network is nothing that an intent speaks of.
      if member.datapath == nil, deployment.ports.contains(where: { $0.host == index && $0.network != nil }),
        let intended = NeutronFlows.host(index, of: deployment, mode: mode)
      {
        member.datapath = HostDatapath(bridges: intended.bridges)
        member.isIntended = true
      }
      return member
    }
    // Addresses of tunnels first: of others, several hosts may have the same.
    for addresses in [deployment.hosts.map(\.vteps), deployment.hosts.map(\.addresses)] {
      for (host, list) in addresses.enumerated() {
        for address in list where hostOfAddress[address] == nil { hostOfAddress[address] = host }
      }
    }
  }

  /// Hosts given as they run; for tests.
  init(_ hosts: [(name: String, vtep: IPAddress, datapath: HostDatapath?)], caching: Bool = true) {
    members = hosts.map {
      Member(name: $0.name, datapath: $0.datapath, decided: DecidedFlows(isOn: caching), vteps: [$0.vtep])
    }
    for (index, host) in hosts.enumerated() where hostOfAddress[host.vtep] == nil { hostOfAddress[host.vtep] = index }
  }

  private static func datapath(_ state: HostState, isComplete: Bool) -> HostDatapath? {
    guard state.bridges.contains(where: { !($0.flows?.flows.isEmpty ?? true) }) else { return nil }
    return HostDatapath(
      bridges: state.bridges.map { bridge in
        var state = BridgeState(bridge, taken: state.taken)
        state.fdbIsComplete = isComplete
        return state
      })
  }

  // MARK: Names

  public var hostNames: [String] { members.map(\.name) }

  /// Whether a host's flows are those that Neutron would install, for want of dumps.
  public func isIntended(_ host: Int) -> Bool { members[host].isIntended }

  /// Whether something is known of a host's switches.
  public func isKnown(_ host: Int) -> Bool { members[host].datapath != nil }

  /// The host with a tunnel address.
  public func host(withAddress address: IPAddress) -> Int? { hostOfAddress[address] }

  /// A port of a host's bridges by its name.
  public func port(named name: String, on host: Int) -> FabricPort? {
    guard members.indices.contains(host), let datapath = members[host].datapath,
      let bridge = datapath.bridge(ofPort: name), let place = datapath.place(bridge, name)
    else { return nil }
    return FabricPort(host: host, bridge: place.bridge, port: place.port)
  }

  /// Bridge, port and OpenFlow port number.
  public func name(of port: FabricPort) -> (bridge: String, port: String, number: UInt32?) {
    guard let datapath = members[port.host].datapath else { return ("", "", nil) }
    let bridge = datapath.bridges[port.bridge]
    return (bridge.name, bridge.ports[port.port].name, bridge.ports[port.port].number)
  }

  /// What a port is to switching.
  public func settings(of port: FabricPort) -> PortState? {
    members[port.host].datapath.map { $0.bridges[port.bridge].ports[port.port] }
  }

  /// Ports of a host's bridges that lead out of its switches, tunnels aside.
  public func devices(of host: Int) -> [FabricPort] {
    guard let datapath = members[host].datapath else { return [] }
    return datapath.bridges.indices.flatMap { bridge in
      datapath.bridges[bridge].ports.indices.compactMap { port in
        switch datapath.bridges[bridge].ports[port].kind {
        case .device, .local: FabricPort(host: host, bridge: bridge, port: port)
        case .patch, .tunnel: nil
        }
      }
    }
  }

  /// A host's switches as they are now; nil where nothing is known of them.
  public func datapath(of host: Int) -> HostDatapath? { members[host].datapath }

  /// How often decided flows served, and how often not, on all hosts.
  public var cacheCounts: (hits: UInt64, misses: UInt64) {
    members.reduce((0, 0)) { ($0.0 &+ $1.decided.hits, $0.1 &+ $1.decided.misses) }
  }

  // MARK: Frames

  /// Puts a frame in at a port.
  /// - Parameters:
  ///   - time: in nanoseconds since the epoch; it does not pass while the frame travels.
  ///   - telling: whether the visits tell their steps.
  public mutating func send(
    _ frame: FabricFrame, at port: FabricPort, time: Int64, telling: Bool = false
  ) -> Journey {
    travel(
      Visit(host: port.host, arrival: .port(port), hops: 0, certainty: .certain, frame: frame), time, telling)
  }

  /// Puts in a frame that a host receives from the underlay.
  /// - Returns: nil where no host has the outer destination.
  public mutating func receive(
    _ frame: FabricFrame, in outer: OuterHeader, time: Int64, telling: Bool = false
  ) -> Journey? {
    guard let host = hostOfAddress[outer.destination] else { return nil }
    return travel(arrival(frame, outer, at: host, hops: 1, .certain), time, telling)
  }

  private func arrival(
    _ frame: FabricFrame, _ outer: OuterHeader, at host: Int, hops: Int, _ certainty: Certainty
  ) -> Visit {
    var visit = Visit(
      host: host, arrival: .tunnel(outer, port: nil), hops: hops, certainty: certainty, frame: frame)
    guard let datapath = members[host].datapath else {
      visit.refusal = .unknownHost
      return visit
    }
    let place = datapath.tunnelPort(
      kind: outer.kind, remote: outer.source, local: outer.destination, tunnelID: outer.tunnelID ?? 0,
      destinationPort: outer.destinationPort)
    guard let place else {
      visit.refusal = .noTunnelPort
      return visit
    }
    visit.arrival = .tunnel(outer, port: FabricPort(host: host, bridge: place.bridge, port: place.port))
    return visit
  }

  private mutating func travel(_ first: Visit, _ time: Int64, _ telling: Bool) -> Journey {
    var journey = Journey()
    journey.visits.append(first)
    var position = 0
    // In the order in which copies leave: what reaches a host first teaches it first.
    while position < journey.visits.count {
      pass(&journey.visits[position], time, telling)
      for index in journey.visits[position].exits.indices {
        let visit = journey.visits[position]
        guard let outer = visit.exits[index].outer, let host = hostOfAddress[outer.destination] else { continue }
        journey.visits[position].exits[index].destination = host
        if visit.hops >= Fabric.mostHops {
          journey.cut = journey.cut ?? .hops
        } else if journey.visits.count >= Fabric.mostVisits {
          journey.cut = .visits
        } else {
          let exit = visit.exits[index]
          var next = arrival(
            exit.frame, outer, at: host, hops: visit.hops + 1, max(visit.certainty, exit.certainty))
          next.origin = (position, index)
          journey.visits[position].exits[index].visit = journey.visits.count
          journey.visits.append(next)
        }
      }
      position += 1
    }
    return journey
  }

  /// Runs a visit through its host.
  private mutating func pass(_ visit: inout Visit, _ time: Int64, _ telling: Bool) {
    guard visit.refusal == nil, members[visit.host].datapath != nil else {
      if visit.refusal == nil { visit.refusal = .unknownHost }
      return
    }
    var packet = visit.frame.packet
    let place: FabricPort
    switch visit.arrival {
    case .port(let port): place = port
    case .tunnel(let outer, let port):
      guard let port else { return }
      place = port
      packet.tunnelID = outer.tunnelID ?? 0
      packet.tunnelSource = outer.source
      packet.tunnelDestination = outer.destination
    }
    packet.inPort = members[visit.host].datapath?.bridges[place.bridge].ports[place.port].number ?? 0
    var departures: [Departure] = []
    if telling {
      let told = members[visit.host].datapath?.carryTelling(
        packet, into: place.bridge, at: time, arrival: visit.certainty)
      departures = told?.departures ?? []
      visit.outcome = told?.outcome
    } else {
      departures = members[visit.host].carry(packet, into: place.bridge, at: time, arrival: visit.certainty)
    }
    visit.exits = departures.map { departure in
      Exit(
        port: FabricPort(host: visit.host, bridge: departure.bridge, port: departure.port),
        certainty: departure.certainty,
        frame: departure.changed.map { visit.frame.changed(from: packet, to: $0) } ?? visit.frame,
        outer: members[visit.host].outerHeader(departure))
    }
  }

  /// Forgets what has timed out. Nothing depends on it but memory.
  public mutating func expire(at time: Int64) {
    for index in members.indices { members[index].datapath?.expire(at: time) }
  }
}

extension Certainty: Comparable {
  /// The less certain is the greater.
  public static func < (a: Certainty, b: Certainty) -> Bool { a.rawValue < b.rawValue }
}

extension Fabric.Member {
  fileprivate mutating func carry(
    _ packet: Packet, into bridge: Int, at time: Int64, arrival: Certainty
  ) -> [Departure] {
    datapath?.carry(packet, into: bridge, at: time, arrival: arrival, &decided) ?? []
  }

  fileprivate func outerHeader(_ departure: Departure) -> OuterHeader? {
    guard let datapath,
      case .tunnel(let settings) = datapath.bridges[departure.bridge].ports[departure.port].kind
    else { return nil }
    let source = settings.local ?? vteps.first { $0.family == departure.remote.family } ?? vteps.first ?? .none
    return OuterHeader(
      kind: settings.kind, tunnelID: departure.tunnelID, source: source, destination: departure.remote,
      destinationPort: settings.destinationPort)
  }
}
