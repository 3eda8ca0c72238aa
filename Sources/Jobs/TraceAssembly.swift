import Datapath
import Deployment
import Reporting
import Wire

/// Tells a journey by names.
struct TraceAssembly {
  let fabric: Fabric
  let deployment: Deployment
  let portOfEntry: [FabricPort: Int]

  func traced(_ journey: Journey, title: String, flow: String, time: Int64) -> TracedFrame {
    var frame = TracedFrame(title: title, flow: flow, time: time)
    frame.visits = journey.visits.map { visit(journey, $0) }
    for index in journey.visits.indices { addEnds(journey, index, to: &frame) }
    switch journey.cut {
    case nil: break
    case .hops:
      frame.cut = "Loop: the frame goes round between the hosts; not followed beyond \(Fabric.mostHops) tunnels in a row"
    case .visits:
      frame.cut = "Loop: the frame multiplies between the hosts; not followed beyond \(Fabric.mostVisits) copies"
    }
    return frame
  }

  private func guest(_ port: FabricPort) -> String? {
    guard let index = portOfEntry[port] else { return nil }
    let name = deployment.ports[index].name
    return name == fabric.name(of: port).port ? nil : name
  }

  private func visit(_ journey: Journey, _ visit: Visit) -> TracedVisit {
    var result = TracedVisit(host: fabric.hostNames[visit.host], arrival: arrival(visit), certainty: visit.certainty)
    if case .tunnel(let outer, _) = visit.arrival { result.outer = outer }
    if let origin = visit.origin {
      result.from = (fabric.hostNames[journey.visits[origin.visit].host], origin.visit)
    }
    result.steps = visit.outcome?.steps ?? []
    result.uncertainties = visit.outcome?.uncertainties ?? []
    result.refusal = visit.refusal.map { refusal($0, visit) }
    result.exits = visit.exits.map { exit in
      let name = fabric.name(of: exit.port)
      let tags = exit.frame.packet.tags
      var traced = TracedExit(
        bridge: name.bridge, port: name.port, certainty: max(visit.certainty, exit.certainty),
        tags: (0..<tags.held).map { tags[$0].vid })
      traced.guest = guest(exit.port)
      traced.outer = exit.outer
      traced.destination = exit.destination.map { fabric.hostNames[$0] }
      traced.visit = exit.visit
      return traced
    }
    return result
  }

  private func arrival(_ visit: Visit) -> String {
    switch visit.arrival {
    case .port(let port):
      let name = fabric.name(of: port)
      var parts = [name.number.map { "port \($0) of \(name.bridge)" } ?? "of \(name.bridge)"]
      if let state = fabric.settings(of: port), state.vlans.mode != .trunk, state.vlans.tag != 0 {
        parts.append("tag \(state.vlans.tag)")
      }
      if let guest = guest(port) { parts.append(guest) }
      return "in at \(name.port) (\(parts.joined(separator: ", ")))"
    case .tunnel(let outer, let port):
      let lane = "\(laneText(outer)) from \(outer.source)" + (sender(outer).map { " (\($0))" } ?? "")
      guard let port else { return "receives \(lane)" }
      let name = fabric.name(of: port)
      return "receives \(lane), in at \(name.port)"
        + (name.number.map { " (port \($0) of \(name.bridge))" } ?? " of \(name.bridge)")
    }
  }

  private func sender(_ outer: OuterHeader) -> String? {
    fabric.host(withAddress: outer.source).map { fabric.hostNames[$0] }
  }

  private func refusal(_ refusal: Visit.Refusal, _ visit: Visit) -> String {
    switch refusal {
    case .unknownHost: return "nothing is known of the host's switches: what becomes of the frame is not known"
    case .noTunnelPort:
      guard case .tunnel(let outer, _) = visit.arrival else { return "dropped: no tunnel port takes it" }
      let port = outer.destinationPort == 0 ? "" : " on UDP port \(outer.destinationPort)"
      return "dropped: no tunnel port takes \(laneText(outer)) from \(outer.source)\(port)"
    }
  }

  // MARK: Ends

  private func addEnds(_ journey: Journey, _ index: Int, to frame: inout TracedFrame) {
    let visit = journey.visits[index]
    let host = fabric.hostNames[visit.host]
    if let refusal = visit.refusal {
      frame.ends.append(
        TraceEnd(
          kind: .lost, host: host, certainty: visit.certainty, lane: lane(journey, index, to: nil),
          reason: self.refusal(refusal, visit)))
      return
    }
    for exit in visit.exits {
      let certainty = max(visit.certainty, exit.certainty)
      let name = fabric.name(of: exit.port)
      if let outer = exit.outer {
        guard exit.visit == nil else { continue }
        frame.ends.append(
          TraceEnd(
            kind: .lost, host: host, port: name.port, certainty: certainty, lane: lane(journey, index, to: outer),
            reason: exit.destination == nil
              ? "no host of the bundle has the address \(outer.destination)" : "not followed any further"))
        continue
      }
      frame.ends.append(
        TraceEnd(
          kind: fabric.settings(of: exit.port)?.kind == .local ? .local : .delivered, host: host, port: name.port, guest: guest(exit.port), certainty: certainty,
          lane: lane(journey, index, to: nil)))
    }
    let outcome = visit.outcome
    let isSure = visit.certainty == .certain && visit.exits.isEmpty && outcome?.drops.count == 1
    for drop in outcome?.drops ?? [] {
      let note = outcome?.steps.last?.notes.last { $0.hasPrefix("dropped: ") }
      frame.ends.append(
        TraceEnd(
          kind: .dropped, host: host, certainty: isSure ? .certain : .may, lane: lane(journey, index, to: nil),
          flow: drop, reason: note.map { String($0.dropFirst(9)) } ?? ""))
    }
  }

  /// Local VLANs and tunnels on the way to a visit, and on to a tunnel.
  private func lane(_ journey: Journey, _ index: Int, to outer: OuterHeader?) -> [String] {
    var path: [Int] = []
    var at: Int? = index
    while let visit = at {
      path.append(visit)
      at = journey.visits[visit].origin?.visit
    }
    var lane: [String] = []
    for visit in path.reversed() {
      let visit = journey.visits[visit]
      if case .tunnel(let outer, _) = visit.arrival { lane.append(laneText(outer)) }
      let host = fabric.hostNames[visit.host]
      lane.append(localVLAN(visit).map { "\(host) VLAN \($0)" } ?? host)
    }
    if let outer { lane.append(laneText(outer)) }
    return lane
  }

  /// The VLAN under which a host's bridges carry the frame: as it goes from one to the next, else that of the port.
  private func localVLAN(_ visit: Visit) -> UInt16? {
    if let crossed = visit.outcome?.crossings.first?.vlanID { return crossed }
    var ports: [FabricPort] = []
    if case .port(let port) = visit.arrival { ports.append(port) }
    ports += visit.exits.filter { $0.outer == nil }.map(\.port)
    for port in ports {
      if let state = fabric.settings(of: port), state.vlans.mode != .trunk, state.vlans.tag != 0 {
        return state.vlans.tag
      }
    }
    return nil
  }
}
