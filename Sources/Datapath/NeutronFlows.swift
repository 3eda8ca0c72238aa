import Deployment
import OpenFlow
import Wire

/// How Neutron's Open vSwitch agents are configured, as far as their flows depend on it
/// (`[agent]` of openvswitch_agent.ini).
public struct NeutronMode: Hashable, Sendable {
  /// `l2_population`: the agents are told where MACs live, and flood only to hosts with ports of a network.
  public var populatesTables: Bool
  /// `arp_responder`: ARP for known addresses is answered on the asking host. Only with `populatesTables`.
  public var answersARP: Bool
  /// Whether ports send only from their own MACs and addresses (port security with the hybrid firewall).
  public var preventsSpoofing: Bool

  public init(populatesTables: Bool = false, answersARP: Bool = false, preventsSpoofing: Bool = true) {
    self.populatesTables = populatesTables
    self.answersARP = answersARP && populatesTables
    self.preventsSpoofing = preventsSpoofing
  }

  /// Flood and learn.
  public static let plain = NeutronMode()
  public static let l2population = NeutronMode(populatesTables: true, answersARP: true)
}

/// The switches of one host as Neutron's agent would set them up for an intent: no dump is needed, and
/// none is looked at. Names and numbers of ports are those of the host's state where it has them.
public struct NeutronHost: Sendable {
  /// br-int, br-tun where the host has tunnels, bridges of trunks, and one bridge for provider networks.
  public var bridges: [BridgeState]
  /// Network (index into `Deployment.networks`) → local VLAN: that of the intent or of the agent's record, else a
  /// free one, in the order of networks. Every network with a port on the host has one.
  public var localVLANs: [Int: UInt16]
  /// Hosts with ports of the same networks that no tunnel can be made to: their tunnel endpoint is not known.
  public var unreachable: [Int]
}

/// Flows as Neutron's agent installs them (neutron plugins/ml2/drivers/openvswitch/agent/openflow/native:
/// br_tun.py, br_int.py, br_phys.py), made for one host of a deployment.
public enum NeutronFlows {
  /// - Parameter index: a host of the deployment; nil is returned for any other number.
  public static func host(_ index: Int, of deployment: Deployment, mode: NeutronMode = .plain) -> NeutronHost? {
    guard deployment.hosts.indices.contains(index) else { return nil }
    let plan = NeutronPlan(deployment, host: index)
    var bridges = [plan.integrationBridge(mode)]
    if let tunnels = plan.tunnelBridge(mode) { bridges.append(tunnels) }
    if let provider = plan.providerBridge() { bridges.append(provider) }
    bridges += plan.trunkBridges()
    return NeutronHost(bridges: bridges, localVLANs: plan.localVLANs, unreachable: plan.unreachable)
  }
}

extension HostDatapath {
  /// The switches of a host: as its dumps show them, else as Neutron would set them up.
  /// - Returns: nil where there is no such host; `isDumped` tells which of the two it is.
  public static func installedOrIntended(
    _ host: Int, of deployment: Deployment, mode: NeutronMode = .plain
  ) -> (datapath: HostDatapath, isDumped: Bool)? {
    guard deployment.hosts.indices.contains(host) else { return nil }
    if let state = deployment.hosts[host].state, state.bridges.contains(where: { !($0.flows?.flows.isEmpty ?? true) }) {
      return (HostDatapath(state), true)
    }
    return NeutronFlows.host(host, of: deployment, mode: mode).map { (HostDatapath(bridges: $0.bridges), false) }
  }
}

/// What one host needs for the intent: local VLANs, tunnels and ports, with their numbers.
struct NeutronPlan {
  struct Tunnel {
    var name: String
    var kind: TunnelSettings.Kind
    var peer: Int
    var remote: IPAddress
    var settings: TunnelSettings
  }

  let deployment: Deployment
  let host: Int
  private(set) var localVLANs: [Int: UInt16] = [:]
  private(set) var tunnels: [Tunnel] = []
  private(set) var unreachable: [Int] = []
  /// Ports of the host that br-int has, by index into `Deployment.ports`.
  let ports: [Int]
  /// By network: hosts other than this one that have active ports of it.
  private(set) var peers: [Int: Set<Int>] = [:]

  init(_ deployment: Deployment, host: Int) {
    self.deployment = deployment
    self.host = host
    ports = deployment.ports.indices.filter { deployment.ports[$0].host == host && deployment.ports[$0].network != nil }
    assignVLANs()
    for port in deployment.ports where port.host != host && port.active {
      for network in NeutronPlan.networks(of: port) where localVLANs[network] != nil {
        peers[network, default: []].insert(port.host)
      }
    }
    planTunnels()
  }

  static func networks(of port: Port) -> [Int] { (port.network.map { [$0] } ?? []) + port.subports.map(\.network) }

  var overlayNetworks: [(index: Int, vlan: UInt16, network: Network, id: UInt32)] {
    localVLANs.sorted { $0.key < $1.key }.compactMap { index, vlan in
      let network = deployment.networks[index]
      guard network.isOverlay, let id = network.segmentationID else { return nil }
      return (index, vlan, network, id)
    }
  }

  var providerNetworks: [(vlan: UInt16, segment: UInt16?)] {
    localVLANs.sorted { $0.key < $1.key }.compactMap { index, vlan in
      let network = deployment.networks[index]
      switch network.kind {
      case .vlan: return network.segmentationID.flatMap { UInt16(exactly: $0) }.map { (vlan, $0) }
      case .flat: return (vlan, nil)
      default: return nil
      }
    }
  }

  private mutating func assignVLANs() {
    let wanted = Set(ports.flatMap { NeutronPlan.networks(of: deployment.ports[$0]) })
    for (network, vlan) in deployment.hosts[host].localVLANs where deployment.networks.indices.contains(network) {
      localVLANs[network] = vlan
    }
    for index in ports {
      let port = deployment.ports[index]
      guard let network = port.network, localVLANs[network] == nil, let tag = port.installedTag,
        (1...4094).contains(tag), !localVLANs.values.contains(tag)
      else { continue }
      localVLANs[network] = tag
    }
    var used = Set(localVLANs.values)
    var next: UInt16 = 1
    for network in wanted.sorted() where localVLANs[network] == nil {
      while used.contains(next), next < 4094 { next += 1 }
      localVLANs[network] = next
      used.insert(next)
    }
  }

  private mutating func planTunnels() {
    let kinds = Set(deployment.networks.compactMap { TunnelSettings.Kind(rawValue: $0.kind.rawValue) })
    let own = deployment.hosts[host].vteps
    let configured = deployment.hosts.indices.flatMap { deployment.tunnels(of: $0) }
    for kind in kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
      // The port that most tunnels of this kind use.
      var votes: [UInt16: Int] = [:]
      for tunnel in configured where tunnel.kind.rawValue == kind.rawValue {
        votes[tunnel.destinationPort, default: 0] += 1
      }
      let port = votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
      for peer in deployment.hosts.indices where peer != host {
        let vteps = deployment.hosts[peer].vteps
        guard let remote = vteps.first(where: { address in own.isEmpty || own.contains { $0.family == address.family } })
        else { continue }
        let installed = deployment.tunnels(of: host).first { $0.kind.rawValue == kind.rawValue && $0.remote == remote }
        let settings = TunnelSettings(
          kind: kind, local: own.first { $0.family == remote.family }, remote: .fixed(remote), destinationPort: port)
        tunnels.append(
          Tunnel(
            name: installed?.name ?? NeutronPlan.tunnelName(kind, remote), kind: kind, peer: peer, remote: remote,
            settings: settings))
      }
    }
    tunnels.sort { ($0.kind.rawValue, $0.remote) < ($1.kind.rawValue, $1.remote) }
    let reached = Set(tunnels.map(\.peer))
    let needed = overlayNetworks.reduce(into: Set<Int>()) { $0.formUnion(peers[$1.index] ?? []) }
    unreachable = needed.subtracting(reached).sorted()
  }

  /// `vxlan-c0000202`; the low 32 bits stand for an IPv6 address, whose hash is the agent's own affair.
  private static func tunnelName(_ kind: TunnelSettings.Kind, _ remote: IPAddress) -> String {
    let digits = String(UInt64(UInt32(truncatingIfNeeded: remote.low)) | 1 << 32, radix: 16).dropFirst()
    return "\(kind.rawValue)-\(digits)"
  }

  // MARK: Ports

  /// Numbers of a bridge's ports: those of the host's state, else the next free ones.
  struct Numbers {
    private var known: [String: UInt32] = [:]
    private var used: Set<UInt32> = []
    private var next: UInt32 = 1

    init(_ bridge: String, _ state: HostState?) {
      for port in state?.bridges.first(where: { $0.name == bridge })?.ports ?? [] {
        guard let number = port.ofport.flatMap({ UInt32(exactly: $0) }), number > 0, number < 0xff00 else { continue }
        known[port.name] = number
        used.insert(number)
      }
    }

    mutating func number(of name: String) -> UInt32 {
      if let number = known[name] { return number }
      while used.contains(next) { next += 1 }
      used.insert(next)
      known[name] = next
      return next
    }
  }

  func numbers(_ bridge: String) -> Numbers { Numbers(bridge, deployment.hosts[host].state) }

  /// The name of the port by which a Neutron port is plugged into br-int.
  func bridgePort(_ index: Int) -> String {
    let port = deployment.ports[index]
    if !port.subports.isEmpty, port.bridgePort?.hasPrefix("tpi-") != true { return "tpi-" + NeutronPlan.suffix(port) }
    return port.bridgePort ?? port.qvo ?? port.tap ?? port.name
  }

  /// What the names of a port's interfaces end with.
  static func suffix(_ port: Port) -> String {
    if let uuid = port.uuid { return String(uuid.prefix(11)) }
    let name = port.tap ?? port.qvo ?? port.bridgePort ?? port.name
    return ["tap", "qvo", "vhu", "tpi"].contains(name.prefix(3)) ? String(name.dropFirst(3)) : name
  }

  /// A dump of flows that came from no switch.
  static func dump(_ lines: [String]) -> FlowDump {
    var dump = FlowDump(text: lines.joined(separator: "\n"))
    dump.dialect = .later(minor: 3)
    return dump
  }

  static func bridge(_ name: String, _ ports: [PortState], _ lines: [String]?) -> BridgeState {
    var state = BridgeState(
      name: name, ports: [PortState(name: name, number: nil, kind: .local)] + ports, flows: lines.map(dump))
    // The agent has just set it up: no MAC is known anywhere.
    state.fdbIsComplete = true
    state.isStandalone = lines == nil
    return state
  }

  /// A port's name as `ovs-ofctl --names` writes it.
  static func quoted(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) }
    guard !isPlain || name.utf8.first.map({ $0 < 0x3a }) ?? true else { return name }
    let escaped = name.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
    return "\"\(String(escaped))\""
  }

  static func hex(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }
}
