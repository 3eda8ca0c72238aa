import CaptureFiles
import Deployment
import Wire

/// What the survey learned before the run.
public struct SurveyResult: Sendable {
  public var plan = ObservationPlan()
  /// The deployment with what had to be inferred from the captures.
  public var deployment = Deployment()
  /// Captures that could not be opened; the others have nil.
  public var errors: [CaptureFileError?] = []
  /// Interfaces of each capture as far as the sample reached.
  public var interfaces: [[CaptureInterface]] = []
  /// Ports whose network was inferred from the VNIs of their frames.
  public var inferredPorts: Set<Int> = []
  /// Hosts whose VTEP was inferred.
  public var inferredVTEPs: Set<Int> = []
  /// No source names any network: the translation as a whole is inferred.
  public var inferredNetworks = false
  /// Earliest time among the first frames of each capture, in its host's own clock; nil where there are none.
  public var starts: [Int64?] = []
  /// Observations of the sample, in the hosts' own clocks.
  public var sample: [Observation] = []

  public init() {}
}

/// Reads the head of every capture: points, tunnel addresses, the depth that all have, and, where
/// there is no state, the translation itself. Bounded: `limit` frames a capture are kept (fewer where there are many
/// captures), and a capture that starts early is passed over for at most `reach` frames until all points have begun.
public func survey(
  _ deployment: Deployment, seed: UInt64, limit: Int = 16_384, reach: Int = 1_000_000
) -> SurveyResult {
  var run = Survey(deployment, seed: seed, limit: limit, reach: reach)
  run.openCaptures()
  run.assignPoints()
  run.census()
  run.settleVTEPs()
  run.settleDepth()
  run.observe()
  run.inferOwnAddresses()
  run.inferNetworks()
  return run.result
}

struct Survey {
  var result = SurveyResult()
  let limit: Int
  let reach: Int
  /// Frames that all samples together hold about at most.
  private static var mostKept: Int { 1 << 18 }
  /// Tunnel frames at each point, by address: how often it was one end of it.
  private var tunnelFrames: [Int] = []
  private var tunnelEnds: [[IPAddress: Int]] = []
  private var tunnelSources: [[IPAddress: Int]] = []
  /// Least number of network bytes that a cut frame had.
  private var leastDepth = Int.max

  init(_ deployment: Deployment, seed: UInt64, limit: Int, reach: Int) {
    result.deployment = deployment
    result.plan.seed = seed
    self.limit = min(limit, max(256, Survey.mostKept / max(1, deployment.captures.count)))
    self.reach = reach
  }

  // MARK: Points

  mutating func openCaptures() {
    for capture in result.deployment.captures {
      var interfaces: [CaptureInterface] = []
      var failure: CaptureFileError?
      var start: Int64?
      do throws(CaptureFileError) {
        var reader = try CaptureReader(path: capture.path)
        var batch = FrameBatch()
        // Interfaces of a pcapng file may be described behind the first frames.
        for _ in 0..<8 {
          guard try reader.next(into: &batch, limit: 512) else { break }
          for record in batch.frames where record.hasTime { start = min(start ?? record.time, record.time) }
        }
        interfaces = reader.interfaces
      } catch {
        failure = error
      }
      result.errors.append(failure)
      result.interfaces.append(interfaces)
      result.starts.append(start)
    }
    for host in result.deployment.hosts.indices {
      let own = result.deployment.captures.indices.filter { result.deployment.captures[$0].host == host }
      result.deployment.addPorts(
        capturedOn: host, interfaces: own.flatMap { result.interfaces[$0].compactMap(\.name) })
    }
  }

  mutating func assignPoints() {
    for (index, capture) in result.deployment.captures.enumerated() {
      result.plan.routes.append(route(of: capture, result.interfaces[index], index))
    }
    preferDedicatedCaptures()
    tunnelFrames = Array(repeating: 0, count: result.plan.points.count)
    tunnelEnds = Array(repeating: [:], count: result.plan.points.count)
    tunnelSources = tunnelEnds
  }

  private mutating func route(
    of capture: CaptureSource, _ interfaces: [CaptureInterface], _ index: Int
  ) -> ObservationPlan.Route {
    // A capture that cannot be decoded sees nothing: it must not stand for a point.
    guard interfaces.isEmpty || interfaces.contains(where: { isDecoded(linkType: $0.linkType) }) else { return .none }
    let named = capture.interface.map { result.deployment.role(of: $0, on: capture.host).kind }
    // A file's name that is no interface's does not overrule the names inside.
    let namesInside = interfaces.contains { $0.name != nil && $0.name != capture.interface }
    if let interface = capture.interface, named != .any, named != .unknown || !namesInside {
      // Without MAC addresses only tunnels can be told from each other.
      let isBare = !interfaces.isEmpty && interfaces.allSatisfy { LinkType.isBareIP($0.linkType) }
      if isBare, named != .tunnel, named != .unknown { return .none }
      return .point(point(capture.host, interface, capture: index))
    }
    if interfaces.contains(where: { $0.linkType == 276 }) {
      var indices: [UInt32: Int] = [:]
      for device in result.deployment.hosts[capture.host].interfaces {
        guard let number = device.index else { continue }
        indices[number] = point(capture.host, device.name, capture: index)
      }
      return .indices(indices)
    }
    let names = interfaces.map(\.name)
    if names.contains(where: { $0 != nil && $0 != "any" }) {
      return .interfaces(
        interfaces.map { interface in
          guard let name = interface.name, name != "any", isDecoded(linkType: interface.linkType) else { return nil }
          return point(capture.host, name, capture: index)
        })
    }
    guard !interfaces.isEmpty else { return .none }
    return .point(point(capture.host, capture.interface ?? capture.name, capture: index))
  }

  private mutating func point(_ host: Int, _ interface: String, capture: Int) -> Int {
    if let known = result.plan.points.firstIndex(where: { $0.host == host && $0.interface == interface }) {
      result.plan.points[known].captures.append(capture)
      return known
    }
    let role = result.deployment.role(of: interface, on: host)
    var point = CapturePoint(host: host, interface: interface, kind: role.kind, port: role.port)
    point.captures = [capture]
    point.isFarEnd = result.deployment.isFarEnd(interface, role.kind, on: host)
    result.plan.points.append(point)
    return result.plan.points.count - 1
  }

  /// An interface with a capture of its own is not read from `any` as well: each frame would count twice.
  private mutating func preferDedicatedCaptures() {
    var dedicated = Array(repeating: false, count: result.plan.points.count)
    for route in result.plan.routes {
      if case .point(let point) = route { dedicated[point] = true }
    }
    for (index, route) in result.plan.routes.enumerated() {
      switch route {
      case .interfaces(let points):
        result.plan.routes[index] = .interfaces(points.map { $0.flatMap { dedicated[$0] ? nil : $0 } })
      case .indices(let points):
        result.plan.routes[index] = .indices(points.filter { !dedicated[$0.value] })
      case .point, .none: break
      }
    }
    for (index, point) in result.plan.points.enumerated() where dedicated[index] {
      result.plan.points[index].captures = point.captures.filter {
        if case .point = result.plan.routes[$0] { return true }
        return false
      }
    }
  }

  // MARK: Census

  /// When the last point of a host had begun; of a point that was captured to several files, the first counts.
  private func commonStart(of host: Int) -> Int64 {
    var common = Int64.min
    for point in result.plan.points where point.host == host {
      if let start = point.captures.compactMap({ result.starts[$0] }).min() { common = max(common, start) }
    }
    return common
  }

  /// Calls `body` with the frames of a capture's sample.
  func sample(
    _ capture: Int, _ body: (borrowing FrameBatch, [CaptureInterface]) -> Void
  ) {
    guard result.errors[capture]?.kind != .unreadable, result.errors[capture]?.kind != .notACapture else { return }
    // Clocks of other hosts may be anything.
    let host = result.deployment.captures[capture].host
    let from = clamped(commonStart(of: host), minus: 2_000_000_000)
    var kept = 0
    var passed = 0
    do throws(CaptureFileError) {
      var reader = try CaptureReader(path: result.deployment.captures[capture].path)
      var batch = FrameBatch()
      while kept < limit, try reader.next(into: &batch, limit: 4096) {
        if passed < reach, let last = batch.frames.last, last.time < from {
          passed += batch.frames.count
          continue
        }
        kept += batch.frames.count
        body(batch, reader.interfaces)
      }
    } catch {
      // The run itself reports what cannot be read.
    }
  }

  mutating func census() {
    result.plan.tunnelPorts = tunnelPorts()
    findTunnelPorts()
    result.plan.longestFrame = result.deployment.longestFrame
    var frame = DecodedFrame()
    for capture in result.deployment.captures.indices {
      var seen: [(point: Int, from: IPAddress, to: IPAddress)] = []
      var least = leastDepth
      var addresses = addressesOfMAC
      let route = result.plan.routes[capture]
      let plan = result.plan
      var hasSuperframes = false
      sample(capture) { batch, interfaces in
        let bytes = batch.bytes.span
        for record in batch.frames {
          let linkType = record.interface < interfaces.count ? interfaces[record.interface].linkType : 1
          decode(
            bytes.extracting(record.start..<(record.start + record.capturedLength)), wireLength: record.wireLength,
            linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
          guard let point = route.point(of: record, frame) else { continue }
          let kind = plan.points[point].kind
          learnAddress(&addresses, frame)
          let opened = (kind == .tunnel || kind == .unknown) && frame.tunnel.kind != .none && frame.hasInner
          if opened || kind != .tunnel, isSuperframe(frame, opened, record, plan) { hasSuperframes = true }
          if opened { seen.append((point, frame.outer.sourceAddress, frame.outer.destinationAddress)) }
          if record.capturedLength < record.wireLength {
            let offset = Int(opened ? frame.inner.networkOffset : frame.outer.networkOffset)
            if offset > 0, offset < record.capturedLength { least = min(least, record.capturedLength - offset) }
          }
        }
      }
      if hasSuperframes { result.plan.hasSuperframes = true }
      leastDepth = least
      addressesOfMAC = addresses
      for (point, from, to) in seen {
        tunnelFrames[point] += 1
        tunnelEnds[point][from, default: 0] += 1
        if to != from { tunnelEnds[point][to, default: 0] += 1 }
        tunnelSources[point][from, default: 0] += 1
      }
    }
    // An interface of no known kind that carries tunnels is where the host meets the underlay.
    for (index, point) in result.plan.points.enumerated() where point.kind == .unknown && tunnelFrames[index] > 0 {
      result.plan.points[index].kind = .tunnel
    }
  }

  private func isSuperframe(
    _ frame: DecodedFrame, _ isOpened: Bool, _ record: FrameRecord, _ plan: ObservationPlan
  ) -> Bool {
    let transport = isOpened ? frame.inner.transport : frame.outer.transport
    let start = isOpened ? Int(frame.inner.start) : 0
    return record.wireLength - start > Int(plan.longestFrame) && (transport == .tcp || transport == .udp)
  }

  /// Whose address is whose, from ARP: the sender speaks of itself.
  private var addressesOfMAC: [MACAddress: Set<IPAddress>] = [:]

  private func learnAddress(_ known: inout [MACAddress: Set<IPAddress>], _ frame: DecodedFrame) {
    let headers = frame.tunnel.kind != .none && frame.hasInner ? frame.inner : frame.outer
    let (mac, address): (MACAddress, IPAddress)
    if headers.network == .arp, headers.etherType == 0x0806 {
      (mac, address) = (headers.arpSenderMAC, headers.sourceAddress)
    } else if headers.transport == .icmpv6, headers.icmpType == 136 {
      (mac, address) = (headers.source, headers.neighborTarget)
    } else {
      return
    }
    guard address.family != .none, address.low != 0 else { return }
    // Bounded: an attacker may announce any number.
    guard known.count < 65_536 || known[mac] != nil, (known[mac]?.count ?? 0) < 16 else { return }
    known[mac, default: []].insert(address)
  }

  /// Gives ports whose addresses no source names those that their MACs announced.
  private mutating func nameAddresses() {
    for index in result.deployment.ports.indices where result.deployment.ports[index].addresses.isEmpty {
      let seen = result.deployment.ports[index].macs.flatMap { addressesOfMAC[$0] ?? [] }
      result.deployment.ports[index].addresses = Set(seen).sorted()
    }
  }

  /// The UDP ports that the deployment's tunnels use, besides the standard ones.
  private func tunnelPorts() -> TunnelPorts {
    var ports = TunnelPorts.common
    var others: Set<UInt16> = []
    for host in result.deployment.hosts.indices {
      for tunnel in result.deployment.tunnels(of: host) {
        if tunnel.kind == .vxlan, tunnel.destinationPort != 4789, tunnel.destinationPort != 8472 {
          others.insert(tunnel.destinationPort)
        }
        if tunnel.kind == .geneve { ports.geneve = tunnel.destinationPort }
      }
    }
    let sorted = others.sorted()
    if let first = sorted.first { ports.vxlan2 = first }
    if sorted.count > 1 { ports.vxlan3 = sorted[1] }
    return ports
  }

  // MARK: VTEPs

  mutating func settleVTEPs() {
    var named: Set<IPAddress> = []
    for (index, host) in result.deployment.hosts.enumerated() {
      for address in host.vteps {
        _ = result.plan.vteps.insert(address, host: index)
        named.insert(address)
      }
    }
    for host in result.deployment.hosts.indices {
      for remote in result.deployment.tunnelRemotes(of: host).sorted() {
        _ = result.plan.vteps.insert(remote, host: nil)
      }
    }
    // Hosts of which nothing is known: the address that every tunnel frame there has at one end.
    let unnamed = result.deployment.hosts.indices.filter { result.deployment.hosts[$0].vteps.isEmpty }
    for host in unnamed {
      var candidates: Set<IPAddress>?
      for (index, point) in result.plan.points.enumerated() where point.host == host && tunnelFrames[index] > 0 {
        // Strays (a neighbour's flood, an address that was just moved) do not count.
        let enough = tunnelFrames[index] - tunnelFrames[index] / 20
        let ends = Set(tunnelEnds[index].filter { $0.value >= enough && !named.contains($0.key) }.keys)
        candidates = candidates.map { $0.intersection(ends) } ?? ends
      }
      guard let candidates else { continue }
      if candidates.count == 1, let only = candidates.first {
        setVTEP(only, of: host)
      } else {
        ambiguous[host] = candidates.sorted()
      }
    }
    // One more round: what the others took is free no longer.
    for host in unnamed {
      guard let candidates = ambiguous[host] else { continue }
      let taken = Set(result.deployment.hosts.flatMap(\.vteps))
      let left = candidates.filter { !taken.contains($0) }
      if left.count == 1 {
        setVTEP(left[0], of: host)
        ambiguous[host] = nil
      }
    }
    // Without a list of tunnels every address that sends tunnel frames is taken for a VTEP: an intent that does not
    // claim to be complete need not name those of other hosts.
    for (index, sources) in tunnelEnds.enumerated() {
      let isListed = result.deployment.complete || result.deployment.hasTunnelList(result.plan.points[index].host)
      guard !unnamed.isEmpty || !isListed else { continue }
      for address in sources.keys.sorted() { _ = result.plan.vteps.insert(address, host: nil) }
    }
    refreshHostVTEPs()
  }

  /// Hosts with several addresses that could be their own.
  private var ambiguous: [Int: [IPAddress]] = [:]

  private mutating func setVTEP(_ address: IPAddress, of host: Int) {
    result.deployment.hosts[host].vteps = [address]
    _ = result.plan.vteps.insert(address, host: host)
    result.inferredVTEPs.insert(host)
  }

  private mutating func refreshHostVTEPs() {
    result.plan.hostVTEPs = result.deployment.hosts.map { host in
      host.vteps.map { result.plan.vteps.index(of: $0) }
    }
  }

  // MARK: Depth

  mutating func settleDepth() {
    var depth = result.plan.depth
    for (index, interfaces) in result.interfaces.enumerated() {
      for interface in interfaces where interface.snapLength > 0 && interface.snapLength < 300 {
        // Headers before the inner network packet: Ethernet, or that with IPv4, UDP and VXLAN before.
        let tunnel: Bool
        if case .point(let point) = result.plan.routes[index] {
          tunnel = result.plan.points[point].kind == .tunnel
        } else {
          tunnel = true
        }
        depth = min(depth, Int(interface.snapLength) - (tunnel ? 64 : 20))
      }
    }
    if leastDepth < depth { depth = leastDepth }
    // Room for one tag that a fault may have left on a frame.
    if depth < result.plan.depth { depth -= 4 }
    result.plan.depth = max(20, depth)
  }

  // MARK: Inference from the sample

  mutating func observe() {
    for (index, source) in result.deployment.captures.enumerated() {
      var builder = ObservationBuilder(capture: index, plan: result.plan)
      var observations: [Observation] = []
      sample(index) { batch, interfaces in
        builder.add(batch, interfaces: interfaces, host: source.host, direction: source.direction, to: &observations)
      }
      result.sample.append(contentsOf: observations)
    }
  }

  /// Sightings of each frame of the sample, in order of time within a host.
  private func sightings() -> [[Observation]] {
    var groups: [UInt64: [Observation]] = [:]
    for observation in result.sample { groups[observation.digest, default: []].append(observation) }
    return groups.keys.sorted().compactMap { digest in
      guard let group = groups[digest], group.count > 1, group.count < 64 else { return nil }
      return group.sorted { ($0.time, $0.capture, $0.frame) < ($1.time, $1.capture, $1.frame) }
    }
  }

  /// Where two addresses are left for a host: a frame that a port showed before the tunnel was sent by the
  /// host, one that it showed after was received.
  mutating func inferOwnAddresses() {
    guard !ambiguous.isEmpty else { return }
    var votes: [Int: [UInt16: Int]] = [:]
    for group in sightings() {
      for tunnel in group where result.plan.points[Int(tunnel.point)].kind == .tunnel {
        let host = result.plan.points[Int(tunnel.point)].host
        guard ambiguous[host] != nil else { continue }
        for guest in group {
          let point = result.plan.points[Int(guest.point)]
          guard point.host == host, point.kind.isGuestSide, guest.time != tunnel.time,
            abs(guest.time &- tunnel.time) < 100_000_000
          else { continue }
          votes[host, default: [:]][guest.time < tunnel.time ? tunnel.outerFrom : tunnel.outerTo, default: 0] += 1
        }
      }
    }
    for host in ambiguous.keys.sorted() {
      let taken = Set(result.deployment.hosts.flatMap(\.vteps))
      let counts = (votes[host] ?? [:]).filter {
        Int($0.key) < result.plan.vteps.addresses.count && !taken.contains(result.plan.vteps.addresses[Int($0.key)])
      }
      let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      if let best = sorted.first, sorted.count == 1 || best.value > 4 * sorted[1].value {
        setVTEP(result.plan.vteps.addresses[Int(best.key)], of: host)
      }
    }
    refreshHostVTEPs()
    result.sample.removeAll()
    observe()
  }

  /// Networks of ports that no source names: by the VNI under which their frames travel.
  mutating func inferNetworks() {
    defer { nameAddresses() }
    let unknown = Set(result.deployment.ports.indices.filter { result.deployment.ports[$0].network == nil })
    if result.deployment.networks.isEmpty { result.inferredNetworks = true }
    // Ports that only `ovs-vsctl show` lists: whose they are shows in what they send.
    let nameless = Set(
      result.deployment.ports.indices.filter {
        result.deployment.ports[$0].macs.isEmpty && result.deployment.ports[$0].source == .installed
      })
    guard !unknown.isEmpty || !nameless.isEmpty || result.inferredNetworks else { return }
    var votes: [Int: [UInt32: Int]] = [:]
    /// Of frames that leave without the tag that their guest gave them, as from a trunk: port → tag → VNI.
    var tagVotes: [Int: [UInt16: [UInt32: Int]]] = [:]
    /// Of frames that arrive with a tag that they did not have in the tunnel.
    var tagged: [Int: [UInt32: Int]] = [:]
    var macs: [Int: [MACAddress: Int]] = [:]
    var vnis: [UInt32: Int] = [:]
    for group in sightings() {
      for (i, guest) in group.enumerated() {
        let point = result.plan.points[Int(guest.point)]
        guard point.kind.isGuestSide, let port = point.port, unknown.contains(port) || nameless.contains(port) else { continue }
        for (j, tunnel) in group.enumerated()
        where result.plan.points[Int(tunnel.point)].kind == .tunnel
          && result.plan.points[Int(tunnel.point)].host == point.host
        {
          guard abs(guest.time &- tunnel.time) < 500_000_000 else { continue }
          let leaving = i < j
          guard tunnel.direction == (leaving ? .out : .in), !leaving || isEntry(i, in: group) else { continue }
          if leaving { macs[port, default: [:]][guest.source, default: 0] += 1 }
          guard unknown.contains(port) else { continue }
          if guest.tagCount <= tunnel.tagCount || guest.vid == 0 {
            votes[port, default: [:]][tunnel.vni, default: 0] += 1
          } else if !leaving {
            tagged[port, default: [:]][tunnel.vni, default: 0] += 1
          } else {
            tagVotes[port, default: [:]][guest.vid, default: [:]][tunnel.vni, default: 0] += 1
          }
        }
      }
    }
    for tunnel in result.sample where tunnel.vni != 0 || tunnel.outerFrom != VTEPTable.none {
      if tunnel.outerFrom < ObservationBuilder.unknownBase { vnis[tunnel.vni, default: 0] += 1 }
    }
    let kind = overlayKind()
    let silent = unknown.union(nameless).filter { macs[$0] == nil && result.deployment.ports[$0].macs.isEmpty }
    if !silent.isEmpty {
      for (port, own) in lonelySources() where silent.contains(port) { macs[port] = own }
    }
    for port in nameless.sorted() where !unknown.contains(port) { nameOwner(of: port, macs) }
    // A guest that sends no such frames has no trunk.
    for (port, counts) in tagged where tagVotes[port] == nil { votes[port, default: [:]].merge(counts, uniquingKeysWith: +) }
    let named = Set((Array(votes.values) + tagVotes.values.flatMap(\.values)).flatMap(\.keys))
    for vni in vnis.keys.sorted() where result.inferredNetworks || named.contains(vni) {
      if result.deployment.networks.contains(where: { $0.isOverlay && $0.segmentationID == vni }) { continue }
      result.deployment.networks.append(
        Network(name: "vni-\(vni)", kind: kind, segmentationID: vni, source: .inferred))
    }
    func network(of counts: [UInt32: Int]) -> Int? {
      guard let best = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
      return result.deployment.networks.firstIndex { $0.isOverlay && $0.segmentationID == best.key }
    }
    for port in unknown.sorted() {
      let untagged = votes[port].flatMap { network(of: $0) }
      // A tag that is lost on the way of a guest's own frames makes no trunk: another network does.
      let subports = (tagVotes[port] ?? [:]).sorted { $0.key < $1.key }.compactMap { tag, counts in
        network(of: counts).flatMap { $0 == untagged ? nil : Subport(vlan: tag, network: $0) }
      }
      guard untagged != nil || !subports.isEmpty else { continue }
      result.deployment.ports[port].network = untagged
      if result.deployment.ports[port].subports.isEmpty { result.deployment.ports[port].subports = subports }
      result.inferredPorts.insert(port)
      if result.deployment.ports[port].macs.isEmpty { nameOwner(of: port, macs) }
    }
  }

  /// By port: MACs that nothing but its own points shows as a source, by ARP or IPv4 frames. Where nothing of what a
  /// guest sends leaves its host, no other point tells who it is.
  private func lonelySources() -> [Int: [MACAddress: Int]] {
    var places: [MACAddress: (port: Int, frames: Int)] = [:]
    for seen in result.sample where seen.direction != .toGuest {
      let point = result.plan.points[Int(seen.point)]
      let port = point.kind.isGuestSide ? point.port ?? -1 : -1
      if let known = places[seen.source], known.port != port {
        places[seen.source]?.port = -1
        continue
      }
      // Devices of the host speak IPv6 there.
      let isGuests =
        switch seen.frameClass {
        case .arpRequest, .arpReply, .icmpRequest, .icmpReply, .tcp, .udp: true
        default: false
        }
      places[seen.source, default: (port, 0)].frames += isGuests ? 1 : 0
    }
    var result: [Int: [MACAddress: Int]] = [:]
    for (mac, place) in places where place.port >= 0 && place.frames > 0 { result[place.port, default: [:]][mac] = place.frames }
    return result
  }

  /// Gives a port the MACs that it sends from: no source says that it may use no others.
  private mutating func nameOwner(of port: Int, _ macs: [Int: [MACAddress: Int]]) {
    let own = ownMACs(of: port, macs)
    guard !own.isEmpty else { return }
    result.deployment.ports[port].macs = own
    result.deployment.ports[port].source = .inferred
  }

  /// Whether a sighting at a port is of a frame that entered there: what is flooded to a port may show there before it
  /// leaves its host, but after the port where it entered, and farther from the guest first.
  private func isEntry(_ index: Int, in group: [Observation]) -> Bool {
    let own = result.plan.points[Int(group[index].point)]
    for (place, other) in group.enumerated() where place != index {
      // The same bytes may be sent again.
      guard abs(other.time &- group[index].time) < 50_000_000 else { continue }
      let point = result.plan.points[Int(other.point)]
      guard point.host == own.host, point.kind.isGuestSide, let port = point.port else { continue }
      if port == own.port {
        if point.rank != own.rank, (point.rank > own.rank) == (place < index) { return false }
      } else if place < index {
        return false
      }
    }
    return true
  }

  /// MACs that a port sends from: the one that it sends from most, and those that no other port sends from more. Floods
  /// of a guest that came to the host show at its neighbours before they leave.
  private func ownMACs(of port: Int, _ macs: [Int: [MACAddress: Int]]) -> [MACAddress] {
    let own = macs[port] ?? [:]
    let most = own.values.max() ?? 0
    return own.filter { mac, count in count == most || !macs.contains { $0.key != port && $0.value[mac] ?? 0 > count } }.keys
      .sorted()
  }

  private func overlayKind() -> Network.Kind {
    result.sample.contains { $0.outerFrom != VTEPTable.none && $0.tunnelPort == 0 } ? .gre : .vxlan
  }
}
