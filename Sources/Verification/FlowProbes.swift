import Datapath
import Deployment
import Observations
import OpenFlow
import Wire

/// What the reference datapath does on the installed flows to frames like one that went astray: it names the flow.
extension InstalledView {
  /// A frame's way from a port into the tunnels.
  struct Leaving {
    /// The VLAN on which it came to the tunnels' bridge, and the flow that put it there.
    var vlan: UInt16
    var vlanFlow: FlowEvidence?
    var tunnelIDFlow: FlowEvidence?
  }

  /// How a frame came to a port.
  struct Handing {
    /// The flow that handed it over, and the one that last changed its tag.
    var outputFlow: FlowEvidence?
    var vlanFlow: FlowEvidence?
    /// `vlanFlow` put it on a VLAN; else it only took a tag off.
    var setsVLAN = false
    var tagCount = 0

    /// The flow at fault where a frame reached a port that it was not for.
    var flow: FlowEvidence? { setsVLAN ? vlanFlow : outputFlow }
  }

  /// The way by which the flows send a port's frame on a VNI. nil: they do not, or are not known.
  /// - Parameter laneVLAN: the VLAN that leads into that lane, where the flows of the tunnels' bridge are not known.
  func leaving(
    host: Int, by port: String, like seen: Observation, on vni: UInt32, laneVLAN: UInt16?,
    during stretch: ClosedRange<Int64>?
  ) -> Leaving? {
    for (datapath, state, time) in dumped(host) {
      guard let bridge = datapath.bridge(ofPort: port), datapath.hasFlows(bridge) else { continue }
      for packet in seen.likelyPackets {
        guard let outcome = datapath.preview(packet, bridge: bridge, port: port, at: time) else { continue }
        let sent = outcome.deliveries.first { $0.tunnelID == UInt64(vni) }
        guard sent != nil || !hasFlows[host] else { continue }
        let crossing = outcome.crossings.first { crossing in
          guard let vlan = crossing.vlanID, crossing.fromBridge == bridge else { return false }
          return hasFlows[host]
            ? flow(host: host, vlan: vlan, destination: seen.destination, vni: vni, during: stretch) != nil
            : vlan == laneVLAN
        }
        let way = Leaving(
          vlan: crossing?.vlanID ?? 0, vlanFlow: evidence(crossing?.vlanFlow, in: state, host),
          tunnelIDFlow: evidence(sent?.tunnelIDFlow, in: state, host))
        let acted = [way.vlanFlow, way.tunnelIDFlow].allSatisfy { $0?.mayHaveActed(during: stretch) ?? true }
        if acted, crossing != nil || sent != nil { return way }
      }
    }
    return nil
  }

  /// How the flows hand a frame that comes out of a tunnel to a port. nil: they do not, or are not known.
  func handing(
    host: Int, to port: String, from tunnels: [Tunnel], vni: UInt32, like seen: Observation,
    during stretch: ClosedRange<Int64>?
  ) -> Handing? {
    for (datapath, state, time) in dumped(host) {
      guard let own = datapath.bridge(ofPort: port), datapath.hasFlows(own) else { continue }
      for tunnel in tunnels {
        for var packet in seen.likelyPackets {
          packet.tunnelID = UInt64(vni)
          packet.tunnelSource = tunnel.remote ?? .none
          let outcome = datapath.preview(packet, bridge: tunnel.bridge, port: tunnel.name, at: time)
          // What mapped the tunnel's lane to its VLAN is not what took it out of it.
          let mappings = (outcome?.crossings ?? []).filter { $0.fromBridge == tunnel.bridge }.compactMap(\.vlanFlow)
          if let way = handing(outcome, to: port, but: mappings, in: state, host, during: stretch) { return way }
        }
      }
    }
    return nil
  }

  /// How the flows hand a frame from one port of a host to another. nil: they do not, or are not known.
  func handing(
    host: Int, to port: String, fromPort: String, like seen: Observation, during stretch: ClosedRange<Int64>?
  ) -> Handing? {
    for (datapath, state, time) in dumped(host) {
      guard let bridge = datapath.bridge(ofPort: fromPort), datapath.hasFlows(bridge) else { continue }
      for packet in seen.likelyPackets {
        let outcome = datapath.preview(packet, bridge: bridge, port: fromPort, at: time)
        if let way = handing(outcome, to: port, but: [], in: state, host, during: stretch) { return way }
      }
    }
    return nil
  }

  /// Flows that hold frames back.
  struct HoldingBack {
    /// The one that drops them, where it is one that leaves frames of other kinds alone.
    var flow: FlowEvidence?
  }

  /// What holds back frames like one seen, for their kind or maybe for what is in them, while frames of other kinds pass
  /// between the same stations: from a port into the tunnels, or out of those to it. nil: nothing, as far as dumps tell.
  func holdingBack(
    host: Int, port: String, isInbound: Bool, vni: UInt32, like seen: Observation, _ tunnels: [Tunnel]
  ) -> HoldingBack? {
    for (datapath, state, time) in dumped(host) {
      guard let own = datapath.bridge(ofPort: port), datapath.hasFlows(own) else { continue }
      /// The least certainty with which frames of a kind pass, and the flows that drop some of them.
      func fate(_ frameClass: Observation.Class) -> (level: Int, drops: Set<FlowReference>) {
        var like = seen
        like.frameClass = frameClass
        var drops: Set<FlowReference> = []
        let levels = like.likelyPackets.map { packet -> Int in
          let outcomes =
            isInbound
            ? tunnels.compactMap { tunnel in
              var packet = packet
              packet.tunnelID = UInt64(vni)
              packet.tunnelSource = tunnel.remote ?? .none
              return datapath.preview(packet, bridge: tunnel.bridge, port: tunnel.name, at: time)
            } : [datapath.preview(packet, bridge: own, port: port, at: time)].compactMap { $0 }
          for outcome in outcomes { drops.formUnion(outcome.drops.compactMap { $0 }) }
          return outcomes.map { outcome in
            let passed = outcome.deliveries.filter { isInbound ? $0.port == port : $0.tunnelID == UInt64(vni) }
            return passed.isEmpty ? 0 : passed.contains { $0.certainty == .certain } ? 2 : 1
          }.max() ?? 0
        }
        return (levels.min() ?? 0, drops)
      }
      let others = [Observation.Class.arpRequest, .icmpRequest, .tcp, .udp, .other].filter { $0.kindBit != seen.frameClass.kindBit }
      let fates = others.map(fate)
      let ownFate = fate(seen.frameClass)
      let best = fates.map(\.level).max() ?? 0
      let drops = ownFate.drops.subtracting(fates.reduce(into: []) { $0.formUnion($1.drops) })
      guard best > 0, ownFate.level < best || !drops.isEmpty else { continue }
      let first = drops.min { ($0.bridge, $0.table, $0.line) < ($1.bridge, $1.table, $1.line) }
      return HoldingBack(flow: evidence(first, in: state, host))
    }
    return nil
  }

  private func handing(
    _ outcome: Outcome?, to port: String, but mappings: [FlowReference], in state: HostState, _ host: Int,
    during stretch: ClosedRange<Int64>?
  ) -> Handing? {
    let copies = (outcome?.deliveries ?? []).filter { $0.port == port }
    guard let copy = copies.first(where: { $0.certainty == .certain }) ?? copies.first else { return nil }
    var way = Handing(
      outputFlow: evidence(copy.outputFlow, in: state, host), vlanFlow: evidence(copy.vlanFlow, in: state, host))
    way.tagCount = copy.tags.held
    way.setsVLAN = copy.vlanFlow.map { setsVLAN($0, in: state) && !mappings.contains($0) } ?? false
    return way.flow?.mayHaveActed(during: stretch) ?? true ? way : nil
  }

  private func setsVLAN(_ reference: FlowReference, in state: HostState) -> Bool {
    guard let bridge = state.bridges.first(where: { $0.name == reference.bridge }), let flows = bridge.flows?.flows,
      let flow = InstalledView.flow(atLine: reference.line, flows)
    else { return false }
    return flow.actions.contains(where: \.setsVLAN)
  }
}

extension Action {
  /// Whether it puts a frame on a VLAN.
  fileprivate var setsVLAN: Bool {
    switch self {
    case .modVLANVID, .pushVLAN: true
    case .set(.vlanVID, _, _): true
    case .set(.vlanTCI, let value, let mask): mask & 0xfff != 0 && value & 0xfff != 0
    case .move(_, let target): target.field == .vlanTCI || target.field == .vlanVID
    case .clone(let nested), .writeActions(let nested): nested.contains(where: \.setsVLAN)
    default: false
    }
  }
}

extension Observation {
  /// Frames that this may have been: an observation keeps no more than MACs and kind.
  fileprivate var likelyPackets: [Packet] {
    let kinds: [(etherType: UInt16, ipProtocol: UInt8)] =
      switch frameClass {
      case .arpRequest: [(0x0806, 1)]
      case .arpReply: [(0x0806, 2)]
      case .rarp: [(0x8035, 3)]
      case .neighborSolicitation, .neighborAdvertisement: [(0x86dd, 58)]
      case .icmpRequest, .icmpReply: [(0x0800, 1), (0x86dd, 58)]
      case .tcp: [(0x0800, 6), (0x86dd, 6)]
      case .udp, .fragment: [(0x0800, 17), (0x86dd, 17)]
      case .other: [(0x86dd, 58), (0x0800, 2), (0x88b5, 0)]
      }
    return kinds.map { kind in
      Packet(
        source: source, destination: destination == .zero ? .broadcast : destination, etherType: kind.etherType,
        ipProtocol: kind.ipProtocol)
    }
  }
}
