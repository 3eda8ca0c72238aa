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
public final class Topology: Sendable {
  public struct Point: Sendable, BitwiseCopyable {
    public var host: Int32
    public var port: Int32
    public var rank: Int8
    public var isGuestSide: Bool
    public var isTunnel: Bool
    public var isMirror: Bool
    /// `vxlan_sys_4789` and its like: inner frames without their VNI, between the underlay and the switch.
    public var isTunnelDevice: Bool
    /// Its place among the tunnel points of its host, as a bit; 0 elsewhere.
    public var tunnelBit: UInt64
    /// Two captures of it ran side by side, or may have.
    public var hasSeveralCaptures: Bool
  }

  /// What the judging of every frame asks of a port, without its names and lists.
  public struct PortFacts: Sendable, BitwiseCopyable {
    public var isActive: Bool
    public var hasSubports: Bool
    /// A Linux bridge lies between the guest and br-int: security groups are applied there.
    public var isHybrid: Bool
    public var mac: MACAddress
    public var macCount: Int32
    /// -1 where unset or unknown.
    public var installedTag: Int32
  }

  public let deployment: Deployment
  public let plan: ObservationPlan
  public let points: [Point]
  /// Points of which only one direction was captured (`NAME.in.pcap` alone): what they lack may have gone the other way.
  public let showsOneWay: [Bool]
  /// Network of each port; -1 where unknown.
  public let portNetwork: [Int32]
  public let portHost: [Int32]
  public let portFacts: [PortFacts]
  /// VNI of each network; -1 where it has none.
  public let vniOfNetwork: [Int64]
  /// Tunnel points of each host, and guest-side points of each port.
  public let tunnelPoints: [[Int]]
  /// For each host, the ways in which its tunnel frames are seen whole, each as the points that must all be recording:
  /// any point in series (a bond, a VLAN device), or all members of a bond. None where only some members were captured.
  public let tunnelProofs: [[[Int]]]
  public let guestPoints: [[Int]]
  /// Points of each port by rank, four a port (tap, qbr, qvb, qvo); -1 where none was captured, or several.
  public let pointOfRank: [Int32]
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
  /// The same where networks of several kinds of tunnel share a VNI, by both; mostly empty.
  private let networkOfSharedVNI: [SharedLane: Int32]
  /// Ports by the MACs that they may use.
  public let portsOfMAC: FlatTable<MACAddress, [Int]>
  /// Ports whose installed tag, before or after, is not the VLAN of their network there.
  private let hasWrongTag: [Bool]
  /// Subports of trunks whose port on br-int has another tag: port and network.
  private let wrongSubports: Set<UInt64>
  /// Ports of br-int without a tag, though their network has a VLAN there.
  public let isUntagged: [Bool]
  /// Ports that hand frames to their guests with tags: trunks, by Neutron or by hand, and tunnels of 802.1Q.
  public let carriesTags: [Bool]
  /// MACs of the hosts' own devices.
  public let deviceMACs: Set<MACAddress>
  /// Ports of each host by network: `[host][network]`.
  public let portsOn: [[Int: [Int]]]
  /// Longest frame that a guest's device sends in one piece, by the MTUs of the hosts' devices; longer ones are
  /// superframes.
  public let longestFrame: UInt32
  /// Networks of a trunk port's subports, by the VLAN on the guest's side; empty for other ports.
  private let subportNetworks: [[UInt16: Int32]]
  /// Networks that an intent which says it is complete does not know; empty where there is none.
  public let undeclared: Set<Int32>
  /// Hosts whose captures may lack what was forwarded: a NIC does it by itself.
  public let hidesFrames: [Bool]
  private let portsOnCell: [[Int]]
  private let networkCount: Int

  public init(_ deployment: Deployment, _ plan: ObservationPlan) {
    self.deployment = deployment
    self.plan = plan
    let tunnelPoints = deployment.hosts.indices.map { host in
      plan.points.indices.filter { plan.points[$0].host == host && plan.points[$0].kind == .tunnel }
    }
    points = plan.points.enumerated().map { index, point in
      let place = tunnelPoints[point.host].firstIndex(of: index)
      return Point(
        host: Int32(point.host), port: Int32(point.port ?? -1), rank: Int8(point.rank),
        isGuestSide: point.kind.isGuestSide && point.port != nil, isTunnel: point.kind == .tunnel,
        isMirror: point.kind == .mirror, isTunnelDevice: point.kind == .tunnelDevice,
        tunnelBit: place.map { 1 << UInt64($0 & 63) } ?? 0, hasSeveralCaptures: point.captures.count > 1)
    }
    showsOneWay = plan.points.map { point in
      let ways = Set(point.captures.map { deployment.captures.indices.contains($0) ? deployment.captures[$0].direction : nil })
      return ways.count == 1 && ways != [nil]
    }
    portNetwork = deployment.ports.map { Int32($0.network ?? -1) }
    portHost = deployment.ports.map { Int32($0.host) }
    portFacts = deployment.ports.map { port in
      PortFacts(
        isActive: port.active, hasSubports: !port.subports.isEmpty,
        isHybrid: port.qvo != nil || port.qvb != nil || port.qbr != nil, mac: port.macs.first ?? .zero,
        macCount: Int32(clamping: port.macs.count), installedTag: port.installedTag.map { Int32($0) } ?? -1)
    }
    vniOfNetwork = deployment.networks.map { $0.isOverlay ? $0.segmentationID.map { Int64($0) } ?? -1 : -1 }
    self.tunnelPoints = tunnelPoints
    tunnelProofs = deployment.hosts.indices.map { host in
      deployment.wholeViews(of: host, among: tunnelPoints[host].map { ($0, plan.points[$0].interface) })
    }
    var guestPoints = deployment.ports.map { _ in [Int]() }
    for (index, point) in plan.points.enumerated() where point.kind.isGuestSide {
      if let port = point.port { guestPoints[port].append(index) }
    }
    self.guestPoints = guestPoints
    pointOfRank = guestPoints.flatMap { own in
      (0..<4).map { rank in
        let same = own.filter { plan.points[$0].rank == rank && !plan.points[$0].captures.isEmpty }
        return same.count == 1 ? Int32(same[0]) : -1
      }
    }
    longestFrame = deployment.longestFrame
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
    var byLane: [SharedLane: Int32] = [:]
    for (index, network) in deployment.networks.enumerated() where network.isOverlay {
      guard let vni = network.segmentationID else { continue }
      byVNI[vni] = byVNI[vni] == nil ? Int32(index) : -1
      let lane = SharedLane(vni: vni, kind: network.kind)
      byLane[lane] = byLane[lane] == nil ? Int32(index) : -1
    }
    networkOfVNI = byVNI
    networkOfSharedVNI = byLane.filter { $0.value >= 0 && byVNI[$0.key.vni] == -1 }
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
    portsOfMAC = FlatTable(byMAC)
    hasWrongTag = deployment.ports.map { $0.wrongTag(in: deployment) != nil }
    wrongSubports = Set(
      deployment.ports.enumerated().flatMap { index, port in
        port.wrongSubportTags(in: deployment).map { Topology.lane(Int32(index), Int32($0.patch.network)) }
      })
    portsOn = byHost
    portsOnCell = byHost.flatMap { ports in (0..<networkCount).map { ports[$0] ?? [] } }
    isUntagged = deployment.ports.map { port in
      guard port.subports.isEmpty, port.expectedTag(in: deployment) != nil, let name = port.bridgePort,
        let state = deployment.hosts[port.host].state
      else { return false }
      let ports = state.bridges.flatMap(\.ports).filter { $0.name == name }
      return ports.count == 1 && ports[0].tag == nil && ports[0].trunks.isEmpty && ports[0].vlanMode == nil
    }
    carriesTags = deployment.ports.map { port in
      if !port.subports.isEmpty || port.vlanMode.map({ $0 != "access" }) ?? false { return true }
      let ports = deployment.hosts[port.host].state?.bridges.flatMap(\.ports) ?? []
      return ports.contains { $0.name == port.bridgePort && !$0.trunks.isEmpty }
    }
    undeclared = Set(deployment.undeclaredNetworks.map { Int32($0) })
    hidesFrames = deployment.hosts.map(\.hidesFrames)
    let guests = Set(byMAC.keys)
    deviceMACs = Set(deployment.hosts.flatMap { $0.interfaces.compactMap(\.mac) }).subtracting(guests)
  }

  private struct SharedLane: Hashable {
    var vni: UInt32
    var kind: Network.Kind
  }

  private static func lane(_ port: Int32, _ network: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: port)) << 32 | UInt64(UInt32(bitPattern: network))
  }

  /// Whether a port's tag, of a trunk that of the network's subport, is not the network's VLAN.
  public func hasWrongTag(_ port: Int, in network: Int32) -> Bool {
    guard portFacts[port].hasSubports, network != portNetwork[port] else { return hasWrongTag[port] }
    return !wrongSubports.isEmpty && wrongSubports.contains(Topology.lane(Int32(truncatingIfNeeded: port), network))
  }

  /// VNI of a network; nil where it has none.
  public func vni(ofNetwork network: Int) -> UInt32? {
    guard network >= 0, vniOfNetwork[network] >= 0 else { return nil }
    return UInt32(truncatingIfNeeded: vniOfNetwork[network])
  }

  /// The network whose lane a VNI is; -1 where none or more than one has it.
  public func network(ofVNI vni: UInt32) -> Int32 { networkOfVNI[vni] ?? -1 }

  /// The same of a frame in a tunnel: of networks that share a VNI, that of its kind of tunnel.
  /// - Parameter udpPort: destination port of the outer header; 0 for GRE.
  public func network(ofVNI vni: UInt32, udpPort: UInt16) -> Int32 {
    let network = networkOfVNI[vni] ?? -1
    guard network < 0, !networkOfSharedVNI.isEmpty else { return network }
    return networkOfSharedVNI[SharedLane(vni: vni, kind: plan.kind(ofTunnelTo: udpPort))] ?? -1
  }

  /// The kind of tunnel of a network, where another network has its VNI in tunnels of another kind; else nil.
  public func sharedKind(ofNetwork network: Int) -> Network.Kind? {
    guard network >= 0, !networkOfSharedVNI.isEmpty, let vni = vni(ofNetwork: network),
      networkOfSharedVNI[SharedLane(vni: vni, kind: deployment.networks[network].kind)] != nil
    else { return nil }
    return deployment.networks[network].kind
  }

  /// Whether a tunnel frame is in a network's lane.
  public func isLane(_ tunnel: TunnelSighting, of network: Int32) -> Bool {
    tunnel.network >= 0 ? tunnel.network == network : vni(ofNetwork: Int(network)) == tunnel.vni
  }

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

  /// Whether a port of a host may use a MAC.
  public func lives(_ mac: MACAddress, on host: Int32) -> Bool {
    guard let owners = portsOfMAC[mac] else { return false }
    return owners.contains { portHost[$0] == host }
  }

  public func name(ofPoint point: Int) -> String {
    "\(deployment.hosts[plan.points[point].host].name)/\(plan.points[point].interface)"
  }

  /// The point, with what people know the guest by.
  public func place(ofPoint point: Int) -> String {
    let place = name(ofPoint: point)
    guard let number = plan.points[point].port, let label = label(ofPort: number) else { return place }
    return "\(place) (\(label))"
  }

  /// The guest's name where intent gives it one, else its part (dhcp, router) and its address; nil where only
  /// interfaces are known.
  public func label(ofPort number: Int) -> String? {
    let port = deployment.ports[number]
    let interfaces = [port.bridgePort, port.tap, port.qvo, port.qvb, port.qbr]
    if !interfaces.contains(port.name) { return port.name }
    var words: [String] = []
    if let owner = port.deviceOwner, owner.hasPrefix("network:") {
      words.append(owner.contains("dhcp") ? "dhcp" : owner.contains("router") ? "router" : String(owner.dropFirst(8)))
    }
    if let address = port.addresses.first(where: { $0.family == .v4 }) ?? port.addresses.first {
      words.append("\(address)")
    }
    return words.isEmpty ? nil : words.joined(separator: " ")
  }

  /// Whether a port is a router's: plain, distributed, or one of those that stand in for each other.
  public func isRouters(port: Int) -> Bool {
    let owner = deployment.ports[port].deviceOwner ?? ""
    return owner.hasPrefix("network:router") || owner.hasPrefix("network:ha_router") || owner == "network:floatingip"
  }

  /// Whether a MAC belongs to several ports at once (HA, DVR, allowed address pairs, cloned tenants). A guest that
  /// migrates has one port on each host, with the same UUID; a distributed or redundant router has so for good.
  public func livesInSeveralPlaces(_ mac: MACAddress) -> Bool {
    if mac.isVirtualRouter { return true }
    // A prefix is a default, and guests may have MACs from any: whose MAC is known is no router's.
    guard let owners = portsOfMAC[mac] else { return mac.isDistributedRouterHost }
    guard owners.count > 1 else { return false }
    if owners.contains(where: { isRouters(port: $0) }) { return true }
    guard let uuid = deployment.ports[owners[0]].uuid else { return true }
    return owners.contains { deployment.ports[$0].uuid != uuid }
  }
}
