import Deployment

/// A network's place in tunnels: their kind, and the ID.
struct Lane: Hashable, Comparable {
  var kind: Network.Kind
  var vni: UInt32

  static func < (a: Lane, b: Lane) -> Bool { (a.vni, a.kind.rawValue) < (b.vni, b.kind.rawValue) }
}

/// Which networks the lanes are in which tunnel frames of the sample travel.
extension Survey {
  func lane(of tunnel: Observation) -> Lane {
    Lane(kind: result.plan.kind(ofTunnelTo: tunnel.tunnelPort), vni: tunnel.vni)
  }

  /// All lanes of frames that VTEPs of the deployment sent.
  func lanesOfSample() -> Set<Lane> {
    var lanes: Set<Lane> = []
    for tunnel in result.sample where tunnel.vni != 0 || tunnel.outerFrom != VTEPTable.none {
      if tunnel.outerFrom < ObservationBuilder.unknownBase { lanes.insert(lane(of: tunnel)) }
    }
    return lanes
  }

  /// The network of a lane; nil where none has it. One with the same ID in tunnels of another kind is the same network
  /// unless that kind was stated by a source that knows it, or shows as well.
  /// - Parameter seen: the lanes of the sample.
  func network(in lane: Lane, among seen: Set<Lane>) -> Int? {
    let networks = result.deployment.networks
    let sharing = networks.indices.filter { networks[$0].isOverlay && networks[$0].segmentationID == lane.vni }
    if let own = sharing.first(where: { networks[$0].kind == lane.kind }) { return own }
    return sharing.first { index in
      let other = networks[index]
      let isStated = other.source != .manifest && other.source != .inferred
      return !isStated && !seen.contains(Lane(kind: other.kind, vni: lane.vni))
    }
  }

  /// Whether an overlay network has this ID, in tunnels of whatever kind.
  func hasID(_ vni: UInt32) -> Bool {
    result.deployment.networks.contains { $0.isOverlay && $0.segmentationID == vni }
  }

  /// Adds networks for lanes that none has.
  mutating func addNetworks(of lanes: Set<Lane>, among seen: Set<Lane>) {
    for lane in lanes.sorted() where network(in: lane, among: seen) == nil {
      let isShared = seen.contains { $0.vni == lane.vni && $0 != lane } || hasID(lane.vni)
      result.deployment.networks.append(
        Network(
          name: "\(isShared ? lane.kind.rawValue : "vni")-\(lane.vni)", kind: lane.kind, segmentationID: lane.vni, source: .inferred))
    }
  }
}
