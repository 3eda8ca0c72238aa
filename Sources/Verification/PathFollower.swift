import Correlation
import Deployment
import Observations
import Wire

/// Follows the frames between two ports through a run: address resolution first, then the traffic.
public struct PathFollower: Sendable {
  public let a: Int
  public let b: Int

  enum Kind: Int, Sendable { case request, answer, traffic }

  /// Frames of one kind on their way from one end to the other, by point.
  struct Counts: Sendable {
    var atPoint: [Int: UInt64] = [:]
    /// Frames at tunnel points under a VNI that is not the network's.
    var wrongVNI: [Int: [UInt32: UInt64]] = [:]
    /// Frames with the sender's local VLAN left on them.
    var tagged: [Int: UInt64] = [:]
  }

  /// `[from a or b][kind]`
  var counts: [[Counts]] = Array(repeating: Array(repeating: Counts(), count: 3), count: 2)
  private let targets: [Set<UInt32>]
  private let macs: [Set<MACAddress>]

  public init(a: Int, b: Int, in deployment: Deployment) {
    self.a = a
    self.b = b
    let ports = [deployment.ports[a], deployment.ports[b]]
    targets = ports.map { Set($0.addresses.map(\.shortHash)) }
    macs = ports.map { Set($0.macs + $0.allowedMACs) }
  }

  /// Counts one group of equal frames; the resolver holds its trajectories.
  mutating func note(_ group: [Observation], _ resolver: TrajectoryResolver) {
    guard let head = group.first, let sender = side(of: head.source, group, resolver) else { return }
    let receiver = 1 - sender
    let kind: Kind
    switch head.frameClass {
    case .arpRequest, .neighborSolicitation:
      guard targets[receiver].contains(head.target) else { return }
      kind = .request
    case .arpReply, .neighborAdvertisement:
      guard isFor(receiver, group) else { return }
      kind = .answer
    default:
      guard isFor(receiver, group) else { return }
      kind = .traffic
    }
    let (from, to) = sender == 0 ? (a, b) : (b, a)
    count(group, resolver, from: from, to: to, into: &counts[sender][kind.rawValue])
  }

  /// Which of the two sent it. With cloned tenants a MAC alone does not tell.
  private func side(of mac: MACAddress, _ group: [Observation], _ resolver: TrajectoryResolver) -> Int? {
    for passage in resolver.passages where passage.direction == .fromGuest {
      if Int(passage.port) == a { return 0 }
      if Int(passage.port) == b { return 1 }
    }
    if resolver.entryCount > 0 { return nil }
    if macs[0].contains(mac) { return 0 }
    return macs[1].contains(mac) ? 1 : nil
  }

  private func isFor(_ receiver: Int, _ group: [Observation]) -> Bool {
    group.contains { macs[receiver].contains($0.destination) }
  }

  private func count(
    _ group: [Observation], _ resolver: TrajectoryResolver, from: Int, to: Int, into counts: inout Counts
  ) {
    let topology = resolver.topology
    let ports = topology.deployment.ports
    let vni = topology.vni(ofNetwork: Int(topology.portNetwork[from]))
    for passage in resolver.passages {
      let right =
        Int(passage.port) == from && passage.direction == .fromGuest
        || Int(passage.port) == to && passage.direction == .toGuest
      guard right else { continue }
      for index in Int(passage.first)...max(Int(passage.first), Int(passage.last)) {
        let seen = group[index]
        if topology.points[Int(seen.point)].port == passage.port { counts.atPoint[Int(seen.point), default: 0] += 1 }
      }
    }
    // One count a trajectory, though a flood has several copies.
    var lastEntry: Int32 = -2
    for at in resolver.tunnels.indices {
      let tunnel = resolver.tunnels[at]
      let leaving = tunnel.direction == .out && Int(tunnel.host) == ports[from].host
      let arriving = tunnel.direction == .in && Int(tunnel.host) == ports[to].host
      guard leaving || arriving, ports[from].host != ports[to].host else { continue }
      if leaving {
        if tunnel.entry == lastEntry, tunnel.entry >= 0 || resolver.entryCount == 0 { continue }
        lastEntry = tunnel.entry
      } else if tunnel.peer != Int32(ports[from].host) {
        continue
      }
      let seen = group[Int(tunnel.observation)]
      if let vni, tunnel.vni != vni {
        counts.wrongVNI[Int(seen.point), default: [:]][tunnel.vni, default: 0] += 1
      } else {
        counts.atPoint[Int(seen.point), default: 0] += 1
        for other in resolver.series where Int(other.tunnel) == at {
          counts.atPoint[Int(group[Int(other.observation)].point), default: 0] += 1
        }
        if seen.tagCount > 0, tunnel.entry < 0 || seen.tagCount > resolver.passages[Int(tunnel.entry)].tagCount {
          counts.tagged[Int(seen.point), default: 0] += 1
        }
      }
    }
  }
}
