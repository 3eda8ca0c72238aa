import Correlation
import Deployment
import Wire

/// What the judging of every frame asks of the installed flows, by host × network in flat tables.
struct InstalledFacts: Sendable {
  /// A cell's flows map the network's VNI to no VLAN.
  private(set) var unmapped: [Bool]
  /// Whether its flows learn from what arrives; -1 where that is not known.
  private(set) var learns: [Int8]
  /// By host: how long what its flows learned stays, in nanoseconds.
  let learnedLifetime: [Int64]
  /// A contradiction that frames which arrive would meet; that frames which leave would meet.
  private var watchesIn: [Bool]
  /// By port: its guest may hand on others' frames to another of its ports, on another network.
  let mayForward: [Bool]
  let hasForwarders: Bool
  private(set) var watchesOut: [Bool]
  /// When flows that arriving frames would meet were there, of cells where that was so for a part of the time.
  private var inwardSpans: [Int: InstalledTimeline.Span] = [:]
  /// The cells of `watchesIn` on hosts whose tunnel interface was not captured; mostly none.
  let blindInward: [(host: Int32, network: Int32)]
  /// Hosts that the cell's floods leave out; most cells have none.
  private(set) var unflooded: [[Int32]]
  /// The cell's flows send what comes out of a tunnel into tunnels again.
  private(set) var reflects: [Bool]
  /// Cell and MAC that a flow sends where it does not live → nothing.
  private var misplaced: Set<UInt64> = []
  private let hasMisplaced: [Bool]
  /// Cell and MAC → flows that name it and were put in, not learned: where they send it, and when they were there.
  private var named: [UInt64: [(remotes: [IPAddress], span: InstalledTimeline.Span)]] = [:]
  /// Where flows hand a network's broadcasts to a port of another that was not captured; mostly nowhere.
  let leaks: [InstalledPaths.Leak]

  init(
    _ topology: Topology, _ installed: InstalledView, _ contradictions: [InstalledCheck.Contradiction],
    leaks: [InstalledPaths.Leak] = []
  ) {
    self.leaks = leaks
    let deployment = topology.deployment
    let networks = max(1, deployment.networks.count)
    let cells = deployment.hosts.count * networks
    var unmapped = Array(repeating: false, count: cells)
    var learns = Array(repeating: Int8(-1), count: cells)
    for host in deployment.hosts.indices {
      for (number, network) in deployment.networks.enumerated() where network.isOverlay {
        guard let vni = network.segmentationID else { continue }
        let cell = host * networks + number
        unmapped[cell] = installed.hasFlows[host] && installed.isUnmapped(host: host, vni: vni, kind: topology.sharedKind(ofNetwork: number))
        if let known = installed.learning[host][vni] { learns[cell] = known ? 1 : 0 }
      }
    }
    var watchesIn = Array(repeating: false, count: cells)
    var watchesOut = watchesIn
    var unflooded = Array(repeating: [Int32](), count: cells)
    var hasMisplaced = watchesIn
    var reflects = watchesIn
    for contradiction in contradictions {
      guard let network = contradiction.network else { continue }
      let cell = contradiction.host * networks + network
      switch contradiction.kind {
      case .inbound:
        watchesIn[cell] = true
        inwardSpans[cell] = contradiction.span
      case .outboundVNI, .outboundTag, .outboundMissing: watchesOut[cell] = true
      case .floodPeer(let peer), .tunnel(let peer):
        watchesOut[cell] = true
        unflooded[cell].append(Int32(peer))
      case .location(let mac):
        hasMisplaced[cell] = true
        misplaced.insert(InstalledFacts.key(cell, mac))
      case .reflection: reflects[cell] = true
      case .learning, .other: break
      }
    }
    for host in deployment.hosts.indices {
      for (network, vlan) in deployment.hosts[host].localVLANs {
        for entry in installed.outbound[host] where entry.vlan == vlan {
          guard let mac = entry.destination, let flow = entry.flow, !flow.isLearned, let span = flow.span else { continue }
          named[InstalledFacts.key(host * networks + network, mac), default: []].append((entry.remotes, span))
        }
      }
    }
    mayForward = InstalledFacts.forwarders(topology, installed)
    hasForwarders = mayForward.contains(true)
    learnedLifetime = installed.learnedLifetime
    blindInward = watchesIn.indices.filter { watchesIn[$0] && !topology.hostHasTunnelPoint[$0 / networks] }
      .map { (Int32($0 / networks), Int32($0 % networks)) }
    self.unmapped = unmapped
    self.learns = learns
    self.watchesIn = watchesIn
    self.watchesOut = watchesOut
    self.unflooded = unflooded
    self.hasMisplaced = hasMisplaced
    self.reflects = reflects
  }

  /// Whether what arrives for a cell meets a contradiction at a time, for certain.
  func meetsInbound(_ cell: Int, at time: Int64) -> Bool {
    guard watchesIn[cell] else { return false }
    return inwardSpans.isEmpty || inwardSpans[cell].map { $0.presence(at: time) == .yes } ?? true
  }

  private static func key(_ cell: Int, _ mac: MACAddress) -> UInt64 {
    mac.rawValue ^ UInt64(truncatingIfNeeded: cell) &* 0x9e37_79b9_7f4a_7c15
  }

  /// Whether a flow sends unicast for this MAC where it does not live.
  func isMisplaced(_ cell: Int, _ mac: MACAddress) -> Bool {
    hasMisplaced[cell] && misplaced.contains(InstalledFacts.key(cell, mac))
  }

  /// Whether flows that name this MAC and were there at a time for certain send it to that address, and nothing else does.
  func isNamed(_ cell: Int, _ mac: MACAddress, towards remote: IPAddress, at time: Int64) -> Bool {
    guard !named.isEmpty, let flows = named[InstalledFacts.key(cell, mac)] else { return false }
    return flows.contains { $0.remotes == [remote] && $0.span.presence(at: time) == .yes }
  }
}
