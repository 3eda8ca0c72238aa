import OpenFlow
import Wire

/// What a host's flows make of VLANs and tunnel IDs, found by sending probes through them: table numbers play
/// no part. Nothing is learned from a probe.
public struct TranslationTable: Sendable {
  /// A local VLAN on its way out, at one entry to the overlay.
  public struct Outbound: Sendable {
    public var vlan: UInt16
    /// The bridge with the tunnels, and the patch port by which frames come to it.
    public var bridge: String
    public var entryPort: String
    /// Copies of a broadcast, and of a unicast frame to a MAC that no flow knows, that leave by tunnels.
    public var flood: [Delivery] = []
    public var unknownUnicast: [Delivery] = []
    /// Where a broadcast ended that no tunnel took.
    public var drop: FlowReference?
    public var isUncertain = false

    /// Tunnel IDs in use, ascending. More than one: the copies disagree.
    public var tunnelIDs: [UInt64] { Set((flood + unknownUnicast).compactMap(\.tunnelID)).sorted() }
    /// The flow that set the tunnel ID.
    public var flow: FlowReference? { flood.first?.tunnelIDFlow ?? unknownUnicast.first?.tunnelIDFlow }
    /// Whether the VLAN's tag is still on a copy.
    public var keepsTag: Bool { (flood + unknownUnicast).contains { $0.tags.count > 0 } }
  }

  /// A unicast destination that flows name: learned, or put there by l2population.
  public struct Unicast: Sendable {
    public var vlan: UInt16
    public var destination: MACAddress
    public var bridge: String
    public var entryPort: String
    public var deliveries: [Delivery]
    public var drop: FlowReference?
    public var isUncertain = false
  }

  /// A tunnel ID on its way in, at tunnel ports that the flows treat alike.
  public struct Inbound: Sendable {
    public var kind: TunnelSettings.Kind
    public var tunnelID: UInt64
    public var bridge: String
    public var ports: [String]
    /// Where the frame goes on: the first bridge behind the one with the tunnels.
    public var crossings: [Crossing] = []
    /// Ports of the host that a broadcast reaches.
    public var delivered: [Delivery] = []
    /// Copies that go out into tunnels again.
    public var reflected: [Delivery] = []
    /// Where it ended, if it went nowhere.
    public var drop: FlowReference?
    public var isUncertain = false

    /// The local VLAN; nil where the frame is dropped, or goes on untagged.
    public var vlan: UInt16? { crossings.first?.vlanID }
    /// The flow that set it.
    public var flow: FlowReference? { crossings.first?.vlanFlow }
    public var isDropped: Bool { crossings.isEmpty && delivered.isEmpty && reflected.isEmpty }
  }

  public var outbound: [Outbound] = []
  public var unicast: [Unicast] = []
  public var inbound: [Inbound] = []

  public init() {}

  /// Actions and copies of all probes together; what is beyond them is not probed, and counts as uncertain.
  static let mostSteps = 1 << 25

  /// - Parameters:
  ///   - host: the host's switches.
  ///   - time: nanoseconds since the epoch; decides which learned flows are still there.
  ///   - unicast: whether to follow every destination that flows name, too.
  public init(_ host: HostDatapath, at time: Int64, unicast: Bool = true) {
    let host = host.knowingNoLocations()
    var budget = TranslationTable.mostSteps
    for bridge in host.bridges.indices where host.hasTunnels(bridge) && host.bridges[bridge].hasFlows {
      let named = host.namedValues(bridge)
      for (port, state) in host.bridges[bridge].ports.enumerated() {
        guard let peer = host.bridges[bridge].peers[port] else { continue }
        let vlans = named.vlans.union(host.accessVLANs(peer.bridge))
        for vlan in vlans.sorted() { outbound.append(Outbound(host, bridge, state, vlan, time, &budget)) }
        if unicast {
          for pair in named.destinations where vlans.contains(pair.vlan) {
            self.unicast.append(Unicast(host, bridge, state, pair.vlan, pair.mac, time, &budget))
          }
        }
      }
      for group in host.tunnelGroups(bridge) {
        for tunnelID in named.tunnelIDs { inbound.append(Inbound(host, bridge, group, tunnelID, time, &budget)) }
      }
    }
  }
}

/// Source of the probes: a locally administered address that no flow names.
private let probeSource = MACAddress(rawValue: 0x026c_616e_6501)
private let probeDestination = MACAddress(rawValue: 0x026c_616e_6502)

extension Packet {
  /// A frame of an ethertype for experiments (IEEE 802, 0x88b5), which only flows for all frames match.
  fileprivate static func probe(to destination: MACAddress, vlan: UInt16?) -> Packet {
    var packet = Packet()
    packet.source = probeSource
    packet.destination = destination
    packet.etherType = 0x88b5
    packet.length = 60
    if let vlan { packet.pushTag(tpid: 0x8100, vid: vlan) }
    return packet
  }
}

extension Delivery {
  fileprivate var isTunnel: Bool { if case .tunnel = kind { true } else { false } }
}

extension Outcome {
  fileprivate var isUncertain: Bool { isIncomplete || !uncertainties.isEmpty }
}

extension TranslationTable.Outbound {
  fileprivate init(
    _ host: HostDatapath, _ bridge: Int, _ port: PortState, _ vlan: UInt16, _ time: Int64, _ budget: inout Int
  ) {
    self.init(vlan: vlan, bridge: host.bridges[bridge].name, entryPort: port.name)
    let broadcast = host.probe(.probe(to: .broadcast, vlan: vlan), bridge, port, time, &budget)
    let unicast = host.probe(.probe(to: probeDestination, vlan: vlan), bridge, port, time, &budget)
    flood = broadcast.deliveries.filter(\.isTunnel)
    unknownUnicast = unicast.deliveries.filter(\.isTunnel)
    if flood.isEmpty { drop = broadcast.drops.first ?? nil }
    isUncertain = broadcast.isUncertain || unicast.isUncertain
  }
}

extension TranslationTable.Unicast {
  fileprivate init(
    _ host: HostDatapath, _ bridge: Int, _ port: PortState, _ vlan: UInt16, _ mac: MACAddress, _ time: Int64,
    _ budget: inout Int
  ) {
    let outcome = host.probe(.probe(to: mac, vlan: vlan), bridge, port, time, &budget)
    self.init(
      vlan: vlan, destination: mac, bridge: host.bridges[bridge].name, entryPort: port.name,
      deliveries: outcome.deliveries, drop: outcome.deliveries.isEmpty ? outcome.drops.first ?? nil : nil,
      isUncertain: outcome.isUncertain)
  }
}

extension TranslationTable.Inbound {
  fileprivate init(
    _ host: HostDatapath, _ bridge: Int, _ group: HostDatapath.TunnelGroup, _ tunnelID: UInt64, _ time: Int64,
    _ budget: inout Int
  ) {
    let ports = host.bridges[bridge].ports
    self.init(
      kind: group.kind, tunnelID: tunnelID, bridge: host.bridges[bridge].name, ports: group.ports.map { ports[$0].name }
    )
    guard let first = group.ports.first else { return }
    var packet = Packet.probe(to: .broadcast, vlan: nil)
    packet.tunnelID = tunnelID
    if case .tunnel(let settings) = ports[first].kind {
      if case .fixed(let remote) = settings.remote { packet.tunnelSource = remote }
      packet.tunnelDestination = settings.local ?? .none
    }
    let outcome = host.probe(packet, bridge, ports[first], time, &budget)
    crossings = outcome.crossings.filter { $0.fromBridge == self.bridge }
    delivered = outcome.deliveries.filter { !$0.isTunnel }
    reflected = outcome.deliveries.filter(\.isTunnel)
    if isDropped { drop = outcome.drops.first ?? nil }
    isUncertain = outcome.isUncertain
  }
}

extension HostDatapath {
  fileprivate func hasTunnels(_ bridge: Int) -> Bool {
    bridges[bridge].ports.contains { if case .tunnel = $0.kind { true } else { false } }
  }

  /// Without any forwarding entries: what is flooded is what could be reached.
  fileprivate func knowingNoLocations() -> HostDatapath {
    var copy = self
    for bridge in copy.bridges.indices {
      copy.bridges[bridge].fdb = [:]
      copy.bridges[bridge].fdbIsComplete = true
    }
    return copy
  }

  /// - Parameter budget: what all probes together may still take. Without any the outcome is not known.
  fileprivate func probe(
    _ packet: Packet, _ bridge: Int, _ port: PortState, _ time: Int64, _ budget: inout Int
  ) -> Outcome {
    guard budget > 0 else {
      var unknown = Outcome()
      unknown.isIncomplete = true
      return unknown
    }
    var packet = packet
    packet.inPort = port.number ?? 0
    let (runs, isIncomplete) = passages(packet, bridge, at: time, trace: false)
    budget -= 1 + (runs.last?.stepsTaken ?? 0)
    return outcome(of: runs, isIncomplete: isIncomplete)
  }

  /// Access VLANs of a bridge's ports.
  fileprivate func accessVLANs(_ bridge: Int) -> Set<UInt16> {
    Set(bridges[bridge].ports.filter { $0.vlans.mode != .trunk && $0.vlans.tag != 0 }.map(\.vlans.tag))
  }

  struct NamedValues {
    var vlans: Set<UInt16> = []
    var tunnelIDs: [UInt64] = []
    var destinations: [(vlan: UInt16, mac: MACAddress)] = []
  }

  /// VLANs, tunnel IDs and destinations that a bridge's flows speak of.
  fileprivate func namedValues(_ bridge: Int) -> NamedValues {
    var result = NamedValues()
    var tunnelIDs: Set<UInt64> = []
    var pairs: Set<BridgeRuntime.FDBKey> = []
    for flow in bridges[bridge].liveFlows {
      var vlan: UInt16?
      var mac: UInt64?
      for term in flow.terms {
        switch term.field {
        case .vlanTCI where term.mask & 0xfff == 0xfff && (term.mask & 0x1000 == 0 || term.value & 0x1000 != 0):
          vlan = UInt16(truncatingIfNeeded: term.value & 0xfff)
        case .tunnelID where term.mask == Field.tunnelID.allBits:
          tunnelIDs.insert(UInt64(truncatingIfNeeded: term.value))
        case .ethernetDestination where term.mask == Field.ethernetDestination.allBits:
          mac = UInt64(truncatingIfNeeded: term.value)
        default: break
        }
      }
      if let vlan { result.vlans.insert(vlan) }
      if let vlan, let mac, !MACAddress(rawValue: mac).isGroup { pairs.insert(.init(vlan: vlan, mac: mac)) }
      HostDatapath.note(flow.actions, &result.vlans, &tunnelIDs)
    }
    result.vlans.remove(0)
    result.tunnelIDs = tunnelIDs.sorted()
    result.destinations = pairs.sorted { ($0.vlan, $0.mac) < ($1.vlan, $1.mac) }
      .map { ($0.vlan, MACAddress(rawValue: $0.mac)) }
    return result
  }

  private static func note(_ actions: [Action], _ vlans: inout Set<UInt16>, _ tunnelIDs: inout Set<UInt64>) {
    for action in actions {
      switch action {
      case .modVLANVID(let vid): vlans.insert(vid)
      case .set(.vlanVID, let value, 0xfff), .set(.vlanTCI, let value, 0xfff):
        vlans.insert(UInt16(truncatingIfNeeded: value & 0xfff))
      case .set(.vlanTCI, let value, 0xffff): vlans.insert(UInt16(truncatingIfNeeded: value & 0xfff))
      case .set(.tunnelID, let value, Field.tunnelID.allBits):
        tunnelIDs.insert(UInt64(truncatingIfNeeded: value))
      case .clone(let nested), .writeActions(let nested): note(nested, &vlans, &tunnelIDs)
      default: break
      }
    }
  }

  struct TunnelGroup {
    var kind: TunnelSettings.Kind
    var ports: [Int]
  }

  /// Tunnel ports of a bridge, those together that differ in no flow but for the port itself.
  fileprivate func tunnelGroups(_ bridge: Int) -> [TunnelGroup] {
    struct Mention: Hashable {
      var table: UInt8
      var priority: UInt16
      var terms: [MatchTerm]
      var actions: [Action]
    }
    struct Key: Hashable {
      var kind: TunnelSettings.Kind
      var mentions: Set<Mention>
    }
    var mentions: [UInt32: Set<Mention>] = [:]
    var readsSource = false
    for flow in bridges[bridge].liveFlows {
      if flow.terms.contains(where: { $0.field == .tunnelSource || $0.field == .tunnelSource6 }) { readsSource = true }
      guard let term = flow.terms.first(where: { $0.field == .inPort }) else { continue }
      let number = UInt32(truncatingIfNeeded: term.value)
      mentions[number, default: []].insert(
        Mention(
          table: flow.table, priority: flow.priority, terms: flow.terms.filter { $0.field != .inPort },
          actions: flow.actions))
    }
    var groups: [TunnelGroup] = []
    var places: [Key: Int] = [:]
    for (index, port) in bridges[bridge].ports.enumerated() {
      guard case .tunnel(let settings) = port.kind, let number = port.number else { continue }
      let key = Key(kind: settings.kind, mentions: mentions[number] ?? [])
      if let place = places[key], !readsSource {
        groups[place].ports.append(index)
      } else {
        places[key] = groups.count
        groups.append(TunnelGroup(kind: settings.kind, ports: [index]))
      }
    }
    return groups
  }
}

extension BridgeRuntime {
  /// Flows that are there, without the places that removed ones left.
  var liveFlows: [InstalledFlow] {
    let free = Set(freeSlots)
    return flows.indices.filter { !free.contains(Int32($0)) }.map { flows[$0] }
  }
}
