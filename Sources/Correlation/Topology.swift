import Deployment
import Observations
import Wire

extension MACAddress {
  /// A virtual address of VRRP or CARP (RFC 5798, 7.3), which moves by design.
  public var isVirtualRouter: Bool { rawValue >> 16 == 0x0000_5e00 }

  /// The address under which a host of Neutron's distributed routers sends routed frames into tunnels
  /// (`dvr_base_mac`, fa:16:3f:00:00:00 unless configured).
  public var isDistributedRouterHost: Bool { rawValue >> 24 == 0xfa163f }
}

/// The deployment and its capture points as flat tables, for the joins of every frame.
public struct Topology: Sendable {
  public struct Point: Sendable, BitwiseCopyable {
    public var host: Int32
    public var port: Int32
    public var rank: Int8
    public var isGuestSide: Bool
    public var isTunnel: Bool
    public var isMirror: Bool
  }

  /// What the judging of every frame asks of a port, without its names and lists.
  public struct PortFacts: Sendable, BitwiseCopyable {
    public var isActive: Bool
    public var hasSubports: Bool
    public var mac: MACAddress
    public var macCount: Int32
    /// -1 where unset or unknown.
    public var installedTag: Int32
  }

  public let deployment: Deployment
  public let plan: ObservationPlan
  public let points: [Point]
  /// Network of each port; -1 where unknown.
  public let portNetwork: [Int32]
  public let portHost: [Int32]
  public let portFacts: [PortFacts]
  /// VNI of each network; -1 where it has none.
  public let vniOfNetwork: [Int64]
  /// Tunnel points of each host, and guest-side points of each port.
  public let tunnelPoints: [[Int]]
  public let guestPoints: [[Int]]
  /// Host of each VTEP; -1 for peers that are no host here.
  public let vtepHost: [Int32]
  /// Whether a tunnel point of the host was captured; a guest-side point of the port.
  public let hostHasTunnelPoint: [Bool]
  public let portIsCaptured: [Bool]
  /// A point of the port on br-int's side of qbr was captured, or it has no qbr: what is missing there was not
  /// dropped by a security group.
  public let portIsCapturedAtBridge: [Bool]
  /// Overlay networks by VNI; -1 for a VNI that two networks claim.
  public let networkOfVNI: [UInt32: Int32]
  /// Ports by the MACs that they may use.
  public let portsOfMAC: [MACAddress: [Int]]
  /// Ports whose installed tag, before or after, is not the VLAN of their network there.
  public let hasWrongTag: [Bool]
  /// Ports of br-int without a tag, though their network has a VLAN there.
  public let isUntagged: [Bool]
  /// MACs of the hosts' own devices.
  public let deviceMACs: Set<MACAddress>
  /// Ports of each host by network: `[host][network]`.
  public let portsOn: [[Int: [Int]]]
  /// Longest frame that a guest's device sends in one piece, by the MTUs of the hosts' devices; longer ones are
  /// superframes.
  public let longestFrame: UInt32
  /// Networks of a trunk port's subports, by the VLAN on the guest's side; empty for other ports.
  private let subportNetworks: [[UInt16: Int32]]
  private let portsOnCell: [[Int]]
  private let networkCount: Int

  public init(_ deployment: Deployment, _ plan: ObservationPlan) {
    self.deployment = deployment
    self.plan = plan
    points = plan.points.map { point in
      Point(
        host: Int32(point.host), port: Int32(point.port ?? -1), rank: Int8(point.rank),
        isGuestSide: point.kind.isGuestSide && point.port != nil, isTunnel: point.kind == .tunnel,
        isMirror: point.kind == .mirror)
    }
    portNetwork = deployment.ports.map { Int32($0.network ?? -1) }
    portHost = deployment.ports.map { Int32($0.host) }
    portFacts = deployment.ports.map { port in
      PortFacts(
        isActive: port.active, hasSubports: !port.subports.isEmpty, mac: port.macs.first ?? .zero,
        macCount: Int32(clamping: port.macs.count), installedTag: port.installedTag.map { Int32($0) } ?? -1)
    }
    vniOfNetwork = deployment.networks.map { $0.isOverlay ? $0.segmentationID.map { Int64($0) } ?? -1 : -1 }
    tunnelPoints = deployment.hosts.indices.map { host in
      plan.points.indices.filter { plan.points[$0].host == host && plan.points[$0].kind == .tunnel }
    }
    var guestPoints = deployment.ports.map { _ in [Int]() }
    for (index, point) in plan.points.enumerated() where point.kind.isGuestSide {
      if let port = point.port { guestPoints[port].append(index) }
    }
    self.guestPoints = guestPoints
    let mtus = deployment.hosts.flatMap(\.interfaces).filter { device in
      ["tap", "qvo", "qvb", "vhu"].contains { device.name.hasPrefix($0) }
    }.compactMap(\.mtu)
    // Ethernet header and two tags; 1600 where no MTU is known.
    longestFrame = UInt32(clamping: mtus.max().map { min($0, 65_535) + 22 } ?? 1600)
    let networkCount = deployment.networks.count
    self.networkCount = networkCount
    vtepHost = plan.vteps.hosts.map { Int32($0 ?? -1) }
    var tunnels = Array(repeating: false, count: deployment.hosts.count)
    var captured = Array(repeating: false, count: deployment.ports.count)
    var atBridge = captured
    for point in plan.points where !point.captures.isEmpty {
      if point.kind == .tunnel { tunnels[point.host] = true }
      guard let port = point.port, point.kind.isGuestSide else { continue }
      captured[port] = true
      if point.kind != .tap || deployment.ports[port].bridgePort == point.interface { atBridge[port] = true }
    }
    hostHasTunnelPoint = tunnels
    portIsCaptured = captured
    portIsCapturedAtBridge = atBridge
    var byVNI: [UInt32: Int32] = [:]
    for (index, network) in deployment.networks.enumerated() where network.isOverlay {
      guard let vni = network.segmentationID else { continue }
      byVNI[vni] = byVNI[vni] == nil ? Int32(index) : -1
    }
    networkOfVNI = byVNI
    var byMAC: [MACAddress: [Int]] = [:]
    var byHost: [[Int: [Int]]] = Array(repeating: [:], count: deployment.hosts.count)
    for (index, port) in deployment.ports.enumerated() {
      for mac in Set(port.macs + port.allowedMACs) { byMAC[mac, default: []].append(index) }
      for network in Set((port.network.map { [$0] } ?? []) + port.subports.map(\.network)) {
        byHost[port.host][network, default: []].append(index)
      }
    }
    subportNetworks = deployment.ports.map { port in
      Dictionary(port.subports.map { ($0.vlan, Int32($0.network)) }) { first, _ in first }
    }
    portsOfMAC = byMAC
    hasWrongTag = deployment.ports.map { $0.wrongTag(in: deployment) != nil }
    portsOn = byHost
    portsOnCell = byHost.flatMap { ports in (0..<networkCount).map { ports[$0] ?? [] } }
    isUntagged = deployment.ports.map { port in
      guard port.subports.isEmpty, port.expectedTag(in: deployment) != nil, let name = port.bridgePort,
        let state = deployment.hosts[port.host].state
      else { return false }
      let ports = state.bridges.flatMap(\.ports).filter { $0.name == name }
      return ports.count == 1 && ports[0].tag == nil && ports[0].trunks.isEmpty && ports[0].vlanMode == nil
    }
    let guests = Set(byMAC.keys)
    deviceMACs = Set(deployment.hosts.flatMap { $0.interfaces.compactMap(\.mac) }).subtracting(guests)
  }

  /// VNI of a network; nil where it has none.
  public func vni(ofNetwork network: Int) -> UInt32? {
    guard network >= 0, vniOfNetwork[network] >= 0 else { return nil }
    return UInt32(truncatingIfNeeded: vniOfNetwork[network])
  }

  /// The network whose lane a VNI is; -1 where none or more than one has it.
  public func network(ofVNI vni: UInt32) -> Int32 { networkOfVNI[vni] ?? -1 }

  /// The network of a frame at a port: on a trunk, that of its outermost tag; -1 where unknown, and for tags that
  /// no subport has.
  public func network(ofPort port: Int32, tagsKnown: Bool, tagCount: UInt8, vid: UInt16) -> Int32 {
    let index = Int(port)
    guard portFacts[index].hasSubports else { return portNetwork[index] }
    guard tagsKnown else { return -1 }
    if tagCount == 0 || vid == 0 { return portNetwork[index] }
    return subportNetworks[index][vid] ?? -1
  }

  /// Ports of a network on a host.
  public func ports(on host: Int32, of network: Int32) -> [Int] { portsOnCell[Int(host) * networkCount + Int(network)] }

  /// Whether a MAC is one of a port's own.
  public func isOwn(_ mac: MACAddress, of port: Int) -> Bool {
    let facts = portFacts[port]
    if facts.mac == mac { return facts.macCount > 0 }
    return facts.macCount > 1 && deployment.ports[port].macs.contains(mac)
  }

  public func name(ofPoint point: Int) -> String {
    "\(deployment.hosts[plan.points[point].host].name)/\(plan.points[point].interface)"
  }

  /// The point, with the guest's name where intent gives it one.
  public func place(ofPoint point: Int) -> String {
    let place = name(ofPoint: point)
    guard let number = plan.points[point].port else { return place }
    let port = deployment.ports[number]
    let interfaces = [port.bridgePort, port.tap, port.qvo, port.qvb, port.qbr]
    return interfaces.contains(port.name) ? place : "\(place) (\(port.name))"
  }

  /// Whether a MAC belongs to several ports at once (HA, DVR, allowed address pairs, cloned tenants). A guest that
  /// migrates has one port on each host, with the same UUID; a distributed or redundant router has so for good.
  public func livesInSeveralPlaces(_ mac: MACAddress) -> Bool {
    if mac.isVirtualRouter || mac.isDistributedRouterHost { return true }
    guard let owners = portsOfMAC[mac], owners.count > 1 else { return false }
    if owners.contains(where: { deployment.ports[$0].deviceOwner?.hasPrefix("network:router") ?? false }) { return true }
    guard let uuid = deployment.ports[owners[0]].uuid else { return true }
    return owners.contains { deployment.ports[$0].uuid != uuid }
  }
}
