import Deployment
import Observations
import Wire

/// The UDP ports on which the hosts' tunnels send and receive: as configured, else as their frames show. Hosts may have
/// Geneve tunnels beside those of VXLAN.
struct TunnelPortPlan: Sendable {
  /// VXLAN's by IANA.
  static var standard: UInt16 { 4789 }
  /// The port that most tunnels use.
  let usual: UInt16?
  /// By host and far host, where a tunnel between them is configured.
  private var pairs: [UInt64: UInt16] = [:]
  /// The same for Geneve.
  private var genevePairs: [UInt64: UInt16] = [:]
  /// Geneve's port: a host that has none for VXLAN's tunnels there may well have for these.
  private let geneve: UInt16
  /// By host, VXLAN's; nil where its tunnels differ, or nothing is known.
  private var hosts: [UInt16?]
  /// Of hosts without known tunnels: who sends to whom on which port.
  private var sendings: Set<Sending> = []

  private struct Sending: Hashable {
    var from: Int32
    var to: Int32
    var port: UInt16
  }

  init(_ survey: SurveyResult) {
    let deployment = survey.deployment
    geneve = survey.plan.tunnelPorts.geneve
    let tunnels = deployment.hosts.indices.map { deployment.tunnels(of: $0) }
    var votes: [UInt16: Int] = [:]
    hosts = tunnels.map { tunnels in
      let configured = Set(tunnels.filter { $0.kind == .vxlan }.map(\.destinationPort))
      return configured.count == 1 ? configured.first : nil
    }
    for host in tunnels.indices {
      for tunnel in tunnels[host] where tunnel.kind != .gre {
        if tunnel.kind == .vxlan { votes[tunnel.destinationPort, default: 0] += 1 }
        guard let remote = tunnel.remote else { continue }
        let index = survey.plan.vteps.index(of: remote)
        guard Int(index) < survey.plan.vteps.hosts.count, let peer = survey.plan.vteps.hosts[Int(index)] else { continue }
        let key = TunnelPortPlan.key(Int32(host), Int32(peer))
        if tunnel.kind == .vxlan { pairs[key] = tunnel.destinationPort } else { genevePairs[key] = tunnel.destinationPort }
      }
    }
    // Another overlay may share the addresses: what most frames use is ours.
    var sent: [Int: [UInt16: Int]] = [:]
    for seen in survey.sample where seen.tunnelPort != 0 && seen.tunnelPort != geneve && seen.direction == .out {
      sent[survey.plan.points[Int(seen.point)].host, default: [:]][seen.tunnelPort, default: 0] += 1
    }
    let ends = survey.plan.vteps.hosts
    for seen in survey.sample where seen.tunnelPort != 0 && Int(seen.outerFrom) < ends.count && Int(seen.outerTo) < ends.count {
      guard let from = ends[Int(seen.outerFrom)], let to = ends[Int(seen.outerTo)],
        tunnels[from].isEmpty, tunnels[to].isEmpty
      else { continue }
      sendings.insert(Sending(from: Int32(from), to: Int32(to), port: seen.tunnelPort))
    }
    for (host, counts) in sent where hosts[host] == nil && tunnels[host].isEmpty {
      hosts[host] = TunnelPortPlan.most(counts)
      if let port = hosts[host] { votes[port, default: 0] += 1 }
    }
    usual = TunnelPortPlan.most(votes)
  }

  /// A tie goes to the port that IANA assigned to VXLAN.
  private static func most(_ votes: [UInt16: Int]) -> UInt16? {
    votes.max { ($0.value, $0.key == standard ? 1 : 0, $1.key) < ($1.value, $1.key == standard ? 1 : 0, $0.key) }?.key
  }

  private static func key(_ host: Int32, _ peer: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: host)) << 32 | UInt64(UInt32(bitPattern: peer))
  }

  /// Whether two hosts whose tunnels are known by frames only send to each other on a port.
  func isAgreed(_ host: Int32, _ peer: Int32, _ port: UInt16) -> Bool {
    !sendings.isEmpty && sendings.contains(Sending(from: host, to: peer, port: port))
      && sendings.contains(Sending(from: peer, to: host, port: port))
  }

  /// The port that a host uses for its tunnel to another, where a frame was seen on `seen`; nil where that is not known.
  func of(_ host: Int32, towards peer: Int32, seen: UInt16) -> UInt16? {
    guard host >= 0 else { return nil }
    let key = TunnelPortPlan.key(host, peer)
    if genevePairs[key] == seen { return seen }
    if seen == geneve { return pairs[key] }
    return pairs[key] ?? hosts[Int(host)]
  }
}
