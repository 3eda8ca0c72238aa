import Correlation
import Datapath
import Deployment
import OpenFlow
import Wire

/// Frames sent through the installed flows of all hosts together: from every port of a network, to everybody and to
/// each other port. What was learned when the dumps were taken plays no part; what the probes teach does.
struct InstalledPaths {
  /// Visits of hosts by all probes together; what is beyond them is not sent.
  static let mostVisits = 1 << 15

  private let deployment: Deployment
  private let topology: Topology
  private var fabric: Fabric
  private let isAfter: Bool
  /// Where a port's frames come in and go out; nil for ports that are left out.
  private var places: [FabricPort?]
  private var portOfPlace: [FabricPort: Int] = [:]
  private var left = InstalledPaths.mostVisits
  private(set) var faults: [Fault] = []
  struct Pair: Hashable {
    var sender: Int
    var receiver: Int
  }

  struct Fault {
    enum Kind: Hashable {
      /// Frames do not come through.
      case unreachable
      /// Frames of another network do.
      case leak, untagged
      /// Frames leave in another lane.
      case lane(UInt64)
      /// Frames get to a port with more tags than they had.
      case tagged
    }
    var kind: Kind
    /// Where it goes wrong.
    var host: Int
    var pair: Pair
    /// Of frames that are for all.
    var isBroadcast = false
    var flow: FlowReference?
    /// Line of the dump `file`.
    var file: String?
    var text: String
  }

  /// Sends all frames through the first dumps, and through the later ones where there are any.
  /// - Parameters:
  ///   - leavesOut: hosts whose flows ask what no dump tells, or are not known.
  ///   - looksAtRouters: whether ports of trunks and routers are looked at, too, and MACs that live in several places.
  static func runs(
    _ deployment: Deployment, _ topology: Topology, leavesOut: (Int) -> Bool, looksAtRouters: Bool = false
  ) -> [InstalledPaths] {
    let states = deployment.hosts.contains { $0.after != nil } ? [false, true] : [false]
    return states.map { isAfter in
      var paths = InstalledPaths(deployment, topology, isAfter: isAfter, leavesOut: leavesOut, looksAtRouters)
      paths.run()
      return paths
    }
  }

  private init(
    _ deployment: Deployment, _ topology: Topology, isAfter: Bool, leavesOut: (Int) -> Bool, _ looksAtRouters: Bool
  ) {
    self.deployment = deployment
    self.topology = topology
    self.isAfter = isAfter
    fabric = Fabric(deployment.withoutLearning, after: isAfter, mode: .plain)
    places = []
    var owners: [MACAddress: Int] = [:]
    for port in deployment.ports where port.active { for mac in port.macs { owners[mac, default: 0] += 1 } }
    for (index, port) in deployment.ports.enumerated() {
      let place = place(of: port)
      let isPlain = port.subports.isEmpty && !port.isOfRouter && port.macs.allSatisfy { owners[$0] == 1 }
      guard let place, let network = port.network, deployment.networks[network].isOverlay, port.active,
        isPlain || looksAtRouters, !port.macs.isEmpty,
        port.wrongTag(in: deployment) == nil, !port.isDead, !deployment.hosts[port.host].vteps.isEmpty,
        !fabric.isIntended(port.host), !leavesOut(port.host)
      else {
        places.append(nil)
        continue
      }
      places.append(place)
      portOfPlace[place] = index
    }
  }

  /// Whether frames between two ports were looked at.
  func covers(_ pair: Pair) -> Bool { places[pair.sender] != nil && places[pair.receiver] != nil }

  private func place(of port: Port) -> FabricPort? {
    for name in [port.bridgePort, port.qvo, port.tap, port.name].compactMap({ $0 }) {
      guard let found = fabric.port(named: name, on: port.host), let settings = fabric.settings(of: found) else { continue }
      return settings.kind == .device && !settings.isMirrorOutput ? found : nil
    }
    return nil
  }

  private mutating func run() {
    for network in deployment.networks.indices where deployment.networks[network].isOverlay {
      let ports = places.indices.filter { places[$0] != nil && deployment.ports[$0].network == network }
      guard ports.count > 1 else { continue }
      for sender in ports { send(from: sender, to: ports.filter { $0 != sender }, broadcast: true) }
      // By now all have been heard.
      var hosts: Set<Int> = []
      for sender in ports where hosts.insert(deployment.ports[sender].host).inserted {
        for receiver in ports where receiver != sender { send(from: sender, to: [receiver], broadcast: false) }
      }
    }
  }

  private mutating func send(from sender: Int, to receivers: [Int], broadcast: Bool) {
    guard left > 0, let place = places[sender], let source = deployment.ports[sender].macs.first,
      let destination = broadcast ? .broadcast : deployment.ports[receivers[0]].macs.first
    else { return }
    // An ethertype for experiments, for which no flow is special.
    var builder = FrameBuilder()
    builder.ethernet(to: destination, from: source)
    builder.type(0x88b5)
    builder.pad(to: 60)
    let journey = fabric.send(FabricFrame(builder.bytes), at: place, time: 0, telling: true)
    left -= journey.visits.count
    guard journey.cut == nil else { return }
    var got: Set<Int> = []
    for visit in journey.visits {
      for (number, exit) in visit.exits.enumerated() {
        if let port = portOfPlace[exit.port] { got.insert(port) }
        guard exit.certainty == .certain, visit.certainty == .certain else { continue }
        let known = faults.count
        look(at: exit, visit.outcome.flatMap { number < $0.deliveries.count ? $0.deliveries[number] : nil }, visit, sender)
        for index in known..<faults.count { faults[index].isBroadcast = broadcast }
      }
    }
    for receiver in receivers {
      let pair = Pair(sender: sender, receiver: receiver)
      if !got.contains(receiver) { noteLoss(of: pair, journey, broadcast) }
    }
  }

  /// Looks whether a copy that leaves may leave there.
  private mutating func look(at exit: Exit, _ delivery: Delivery?, _ visit: Visit, _ sender: Int) {
    guard let network = deployment.ports[sender].network, let delivery, !delivery.isRewritten else { return }
    let pair = Pair(sender: sender, receiver: portOfPlace[exit.port] ?? sender)
    if let outer = exit.outer {
      guard let id = outer.tunnelID, visit.hops == 0, let own = deployment.networks[network].segmentationID,
        id != UInt64(own)
      else { return }
      // A flow of the first bridge that took it to another network's VLAN is why it leaves there.
      let vlan = deployment.hosts[visit.host].localVLANs[network]
      let crossing = visit.outcome?.crossings.first { $0.vlanID != vlan && $0.vlanFlow != nil }
      add(.lane(id), visit.host, pair, crossing?.vlanFlow ?? delivery.tunnelIDFlow, "VNI \(id)")
      return
    }
    guard let receiver = portOfPlace[exit.port], let other = deployment.ports[receiver].network else { return }
    if other != network {
      let isTrunk = fabric.settings(of: exit.port).map { $0.vlans.mode == .trunk } ?? false
      add(isTrunk ? .untagged : .leak, visit.host, pair, delivery.outputFlow, "")
    } else if delivery.tags.count > 0, delivery.tags[0].vid != 0, let settings = fabric.settings(of: exit.port),
      settings.vlans.mode == .access
    {
      // A tag of VID 0 is a priority: it is no VLAN.
      add(.tagged, visit.host, pair, delivery.outputFlow, "VLAN \(delivery.tags[0].vid)")
    }
  }

  /// Says where a frame ended that did not come to its port; nothing where that is not certain.
  private mutating func noteLoss(of pair: Pair, _ journey: Journey, _ broadcast: Bool) {
    let (from, to) = (deployment.ports[pair.sender].host, deployment.ports[pair.receiver].host)
    func isOpen(_ visit: Visit) -> Bool {
      visit.certainty == .may || visit.exits.contains { $0.certainty == .may }
        || visit.outcome.map { $0.isIncomplete || !$0.uncertainties.isEmpty || $0.wentToController } ?? false
    }
    let concerned = journey.visits.filter { $0.host == from || $0.host == to }
    guard let first = journey.visits.first, !concerned.contains(where: isOpen) else { return }
    // Tunnels to addresses that no host here has: one of them may be the receiver's under another name.
    if first.exits.contains(where: { $0.outer != nil && $0.destination == nil }) { return }
    let what = broadcast ? "broadcasts" : "unicast"
    if from != to, let last = journey.visits.first(where: { $0.host == to && $0.hops > 0 }) {
      if last.refusal == .noTunnelPort, case .tunnel(let outer, _) = last.arrival {
        add(.unreachable, to, pair, nil, "no tunnel port there takes \(what) from \(outer.source)")
      } else {
        add(.unreachable, to, pair, last.exits.isEmpty ? last.outcome?.drops.first ?? nil : nil, "\(what) from there end on \(deployment.hosts[to].name)")
      }
    } else {
      // A frame that was answered or routed on its way went where it should.
      if first.outcome?.deliveries.contains(where: \.isRewritten) ?? false { return }
      let flow = first.exits.isEmpty ? first.outcome?.drops.first ?? nil : nil
      add(.unreachable, from, pair, flow, "\(what) do not leave \(deployment.hosts[from].name)")
    }
  }

  private mutating func add(_ kind: Fault.Kind, _ host: Int, _ pair: Pair, _ flow: FlowReference?, _ text: String) {
    let state = isAfter ? deployment.hosts[host].after ?? deployment.hosts[host].before : deployment.hosts[host].state
    let file = flow.flatMap { flow in state?.bridges.first { $0.name == flow.bridge }?.flowsFile }
    faults.append(Fault(kind: kind, host: host, pair: pair, flow: flow, file: file, text: text))
  }
}

extension Port {
  /// Routers' ports have ways of their own: distributed ones answer on every host, and rewrite what they send.
  fileprivate var isOfRouter: Bool {
    if let owner = deviceOwner, owner.hasPrefix("network:"), owner != "network:dhcp" { return true }
    return [bridgePort, tap, name].contains { name in
      name.map { name in ["qr-", "qg-", "sg-", "fg-", "ha-"].contains { name.hasPrefix($0) } } ?? false
    }
  }
}

extension Deployment {
  /// Without learned flows and forwarding entries.
  fileprivate var withoutLearning: Deployment {
    func forgetful(_ state: HostState?) -> HostState? {
      guard var state else { return nil }
      for index in state.bridges.indices {
        state.bridges[index].fdb = []
        state.bridges[index].flows?.flows.removeAll { $0.hardTimeout > 0 || $0.idleTimeout > 0 }
      }
      return state
    }
    var copy = self
    for index in copy.hosts.indices {
      copy.hosts[index].before = forgetful(copy.hosts[index].before)
      copy.hosts[index].after = forgetful(copy.hosts[index].after)
    }
    return copy
  }
}
