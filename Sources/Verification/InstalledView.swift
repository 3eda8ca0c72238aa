import Deployment
import Wire

/// A flow as evidence: where it stands and how it reads.
struct FlowEvidence: Hashable, Sendable {
  var host: Int
  var bridge: String
  var table: Int
  /// Match and actions, without statistics.
  var text: String
  var file: String?
  var line: Int?
}

/// What the hosts' installed flows do between local VLANs and tunnels.
struct InstalledView: Sendable {
  /// From br-int's side: frames of a VLAN that leave in a tunnel.
  struct Outbound: Sendable {
    var vlan: UInt16
    /// nil: for all destinations that no other entry names.
    var destination: MACAddress?
    /// Broadcast and multicast.
    var isGroup: Bool
    /// nil: dropped.
    var vni: UInt32?
    var stripsTag: Bool
    var remotes: [IPAddress]
    var flow: FlowEvidence?
  }
  /// From the tunnels' side.
  struct Inbound: Sendable {
    var vni: UInt32
    /// nil: dropped.
    var vlan: UInt16?
    /// The flow that maps, or the one that drops.
    var flow: FlowEvidence?
  }

  /// By host; empty where there is no dump.
  var outbound: [[Outbound]]
  var inbound: [[Inbound]]
  /// Whether the host's flows were dumped.
  var hasFlows: [Bool]

  init(_ deployment: Deployment) {
    outbound = deployment.hosts.map { _ in [] }
    inbound = deployment.hosts.map { _ in [] }
    hasFlows = deployment.hosts.map { _ in false }
  }

  /// The flow by which a host sends frames of `vlan` to `destination` under `vni`.
  func flow(host: Int, vlan: UInt16, destination: MACAddress?, vni: UInt32) -> FlowEvidence? {
    let candidates = outbound[host].filter { $0.vlan == vlan && $0.vni == vni }
    if let destination, let exact = candidates.first(where: { $0.destination == destination }) { return exact.flow }
    let group = destination?.isGroup ?? true
    return (candidates.first { $0.destination == nil && $0.isGroup == group } ?? candidates.first)?.flow
  }

  /// The flow by which a host sends frames of `vlan` with their tag left on.
  func unstripping(host: Int, vlan: UInt16) -> FlowEvidence? {
    outbound[host].first { $0.vlan == vlan && !$0.stripsTag && $0.vni != nil }?.flow
  }

  func inbound(host: Int, vni: UInt32) -> Inbound? { inbound[host].first { $0.vni == vni } }
}
