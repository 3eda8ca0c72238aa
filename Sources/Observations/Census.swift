import CaptureFiles
import Deployment
import Wire

/// What the frames of the samples show as they are: ends of tunnels, whose address is whose, how much captures cut off.
struct Census {
  /// Tunnel frames at each point, and by address: how often it was an end of them, and how often the source.
  private(set) var tunnelFrames: [Int]
  private(set) var tunnelEnds: [[IPAddress: Int]]
  private(set) var tunnelSources: [[IPAddress: Int]]
  /// Tunnel frames between the deployment's VTEPs (any, where none is known) that passed a bridge or a provider's port.
  private(set) var bridgedFrames: [Int]
  private let vteps: Set<IPAddress>
  /// Least number of network bytes that a cut frame had.
  private(set) var leastDepth = Int.max
  /// Whose address is whose, from ARP and neighbour discovery: the sender speaks of itself.
  private(set) var addressesOfMAC: [MACAddress: Set<IPAddress>] = [:]
  private(set) var hasSuperframes = false
  private(set) var unnamedPorts = UnnamedTunnelPorts()

  init(points: Int = 0, vteps: Set<IPAddress> = []) {
    self.vteps = vteps
    tunnelFrames = Array(repeating: 0, count: points)
    bridgedFrames = tunnelFrames
    tunnelEnds = Array(repeating: [:], count: points)
    tunnelSources = tunnelEnds
  }

  /// Takes a frame that was seen at a point.
  /// - Parameter bytes: what was captured of it.
  mutating func add(
    _ frame: DecodedFrame, _ record: FrameRecord, _ bytes: Span<UInt8>, at point: Int, _ plan: ObservationPlan
  ) {
    let kind = plan.points[point].kind
    learnAddress(frame)
    unnamedPorts.add(frame, bytes, at: kind)
    let isOpened = (kind == .tunnel || kind == .unknown) && frame.tunnel.kind != .none && frame.hasInner
    if isOpened || kind != .tunnel, isSuperframe(frame, isOpened, record, plan) { hasSuperframes = true }
    if isOpened {
      let (from, to) = (frame.outer.sourceAddress, frame.outer.destinationAddress)
      tunnelFrames[point] += 1
      tunnelEnds[point][from, default: 0] += 1
      if to != from { tunnelEnds[point][to, default: 0] += 1 }
      tunnelSources[point][from, default: 0] += 1
    }
    if kind == .bridge || kind == .provider, frame.tunnel.kind != .none, frame.hasInner,
      vteps.isEmpty || vteps.contains(frame.outer.sourceAddress) && vteps.contains(frame.outer.destinationAddress)
    {
      bridgedFrames[point] += 1
    }
    if record.capturedLength < record.wireLength {
      let offset = Int(isOpened ? frame.inner.networkOffset : frame.outer.networkOffset)
      if offset > 0, offset < record.capturedLength { leastDepth = min(leastDepth, record.capturedLength - offset) }
    }
  }

  private func isSuperframe(
    _ frame: DecodedFrame, _ isOpened: Bool, _ record: FrameRecord, _ plan: ObservationPlan
  ) -> Bool {
    let transport = isOpened ? frame.inner.transport : frame.outer.transport
    let start = isOpened ? Int(frame.inner.start) : 0
    return record.wireLength - start > Int(plan.longestFrame) && (transport == .tcp || transport == .udp)
  }

  private mutating func learnAddress(_ frame: DecodedFrame) {
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
    let known = addressesOfMAC[mac]?.count ?? 0
    guard addressesOfMAC.count < 65_536 || known > 0, known < 16 else { return }
    addressesOfMAC[mac, default: []].insert(address)
  }
}

extension Survey {
  mutating func takeCensus() {
    result.plan.tunnelPorts = result.deployment.namedTunnelPorts()
    result.plan.longestFrame = result.deployment.longestFrame
    census = censusOfSamples()
    let guests = Set(result.deployment.ports.flatMap { $0.macs + $0.allowedMACs })
    if census.unnamedPorts.name(in: &result.plan.tunnelPorts, guests) { census = censusOfSamples() }
    result.plan.hasSuperframes = census.hasSuperframes
    // An interface of no known kind that carries tunnels is where the host meets the underlay.
    for (index, point) in result.plan.points.enumerated() where point.kind == .unknown && census.tunnelFrames[index] > 0 {
      result.plan.points[index].kind = .tunnel
    }
    openBridges()
  }

  /// A bridge that carries the host's tunnels is where it meets the underlay, too, though no list of addresses says so:
  /// unless another point of the host is.
  private mutating func openBridges() {
    let points = result.plan.points.indices.filter { index in
      let host = result.plan.points[index].host
      let isIntegration = result.plan.points[index].interface == "br-int"
      return census.bridgedFrames[index] > 0 && !isIntegration
        && !result.plan.points.contains { $0.host == host && $0.kind == .tunnel }
    }
    guard !points.isEmpty else { return }
    for index in points { result.plan.points[index].kind = .tunnel }
    census = censusOfSamples()
  }

  private func censusOfSamples() -> Census {
    var census = Census(points: result.plan.points.count, vteps: Set(result.deployment.hosts.flatMap(\.vteps)))
    var frame = DecodedFrame()
    let plan = result.plan
    for capture in result.deployment.captures.indices {
      let route = plan.routes[capture]
      sample(capture) { batch, interfaces in
        let bytes = batch.bytes.span
        for record in batch.frames {
          let captured = bytes.extracting(record.start..<(record.start + record.capturedLength))
          let linkType = record.interface < interfaces.count ? interfaces[record.interface].linkType : 1
          decode(captured, wireLength: record.wireLength, linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
          guard let point = route.point(of: record, frame) else { continue }
          census.add(frame, record, captured, at: point, plan)
        }
      }
    }
    return census
  }
}

extension Deployment {
  /// The UDP ports that the deployment's tunnels use, besides the standard ones.
  fileprivate func namedTunnelPorts() -> TunnelPorts {
    var ports = TunnelPorts.common
    var others: Set<UInt16> = []
    for host in hosts.indices {
      for tunnel in tunnels(of: host) {
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
}
