import CaptureFiles
import Deployment
import Wire

/// Turns the frames of one capture into observations.
public struct ObservationBuilder: Sendable {
  public let capture: Int
  public let plan: ObservationPlan
  public internal(set) var counts = CaptureCounts()
  /// Addresses met that the plan does not know; observations number them from `unknownBase`.
  public private(set) var unknown = VTEPTable()
  public internal(set) var anomalies: [EncapsulationAnomaly] = []
  /// Records of TCP segments since they were last taken, where they are kept.
  public private(set) var segments: [SegmentRecord] = []
  public var keepsSegments: Bool
  /// Whether a superframe was met.
  public private(set) var metSuperframe = false
  var frame = DecodedFrame()
  var fragments = FragmentTable()
  var outerTags = OuterTagCache()
  /// Octets over which checksums were computed.
  var octetsSummed = 0
  /// Frames with wrong checksums of late, by their content.
  var wrongSums: [(content: UInt64, time: Int64)] = Array(repeating: (0, 0), count: 16)
  /// What of the frames is to be judged; all where nil. Other frames are observed all the same.
  public var filter: InnerFilter?
  private var closedPorts: TunnelPorts
  // Of the plan, what every frame asks for, as flat values.
  private var route = Route.none
  private let kinds: [PointKind]
  private let changesContents: Bool
  private let isFarEnd: [Bool]
  /// Whether a VTEP is the host's own, by its index.
  private var isOwn: [Bool]
  var linkTypes: [UInt16] = []

  private enum Route {
    case none
    case point(Int)
    case interfaces
    case indices
  }
  /// By interface number of the file; -1 where frames have no point.
  private var pointOfInterface: [Int] = []
  /// Where in the host's clock each interface of the file is.
  private var cursors: [ClockCursor] = []

  public static let unknownBase: UInt16 = 0x8000
  static let cursorBound = 256

  public init(capture: Int, plan: ObservationPlan) {
    self.capture = capture
    self.plan = plan
    closedPorts = TunnelPorts()
    closedPorts.vxlan0 = 0
    closedPorts.geneve = 0
    closedPorts.gre = false
    if plan.takes.contains(.guestsOverlays) { closedPorts = plan.tunnelPorts }
    keepsSegments = plan.hasSuperframes
    changesContents = !plan.takes.isDisjoint(with: .contents)
    kinds = plan.points.map(\.kind)
    isFarEnd = plan.points.map(\.isFarEnd)
    isOwn = Array(repeating: false, count: plan.vteps.addresses.count)
    var points: [Int] = []
    switch plan.routes[capture] {
    case .none: break
    case .point(let point):
      route = .point(point)
      points = [point]
    case .interfaces(let list):
      route = .interfaces
      pointOfInterface = list.map { $0 ?? -1 }
      points = list.compactMap { $0 }
    case .indices(let list):
      route = .indices
      points = list.values.sorted()
    }
    // All points of a capture are its host's.
    if let point = points.first {
      for index in plan.hostVTEPs[plan.points[point].host] where Int(index) < isOwn.count { isOwn[Int(index)] = true }
    }
  }

  /// Appends the observations of a batch to `output`.
  public mutating func add(
    _ batch: borrowing FrameBatch, interfaces: [CaptureInterface], host: Int, direction: CaptureSource.Direction?,
    to output: inout [Observation]
  ) {
    let bytes = batch.bytes.span
    let clock = plan.captureClocks[capture] ?? (host < plan.clocks.count ? plan.clocks[host] : ClockCorrection())
    let steady = clock.pieces.first ?? ClockPiece(origin: 0, offset: 0, rate: 0, first: 0, last: 0)
    let isSteady = clock.jumps.isEmpty
    // Interfaces are only ever added.
    for interface in interfaces.dropFirst(linkTypes.count) { linkTypes.append(interface.linkType) }
    var first = counts.first ?? .max
    var last = counts.last ?? .min
    var start = counts.start ?? .max
    var end = counts.end ?? .min
    var cut: UInt64 = 0
    for record in batch.frames {
      guard record.hasTime else {
        counts.untimed += 1
        continue
      }
      first = min(first, record.time)
      last = max(last, record.time)
      if record.capturedLength < record.wireLength { cut += 1 }
      let captured = bytes.extracting(record.start..<(record.start + record.capturedLength))
      let linkType = record.interface < linkTypes.count ? linkTypes[record.interface] : 1
      let time = isSteady ? steady.toReference(record.time) : stepped(record, clock)
      start = min(start, time)
      end = max(end, time)
      add(captured, record, linkType: linkType, time: time, direction: direction, to: &output)
    }
    counts.frames += UInt64(batch.frames.count)
    counts.cut += cut
    guard first <= last else { return }
    counts.first = first
    counts.last = last
    counts.start = start
    counts.end = end
  }

  /// The time of a frame where the clock was set. Interfaces of one file may be out of order among each other.
  private mutating func stepped(_ record: FrameRecord, _ clock: ClockCorrection) -> Int64 {
    let interface = min(record.interface, ObservationBuilder.cursorBound - 1)
    while cursors.count <= interface { cursors.append(ClockCursor()) }
    return cursors[interface].toReference(record.time, clock)
  }

  private mutating func add(
    _ bytes: Span<UInt8>, _ record: FrameRecord, linkType: UInt16, time: Int64,
    direction: CaptureSource.Direction?, to output: inout [Observation]
  ) {
    // Where the point depends on the cooked header, decode first; one capture rarely mixes kinds.
    let pointIndex: Int
    var decoded = false
    switch route {
    case .point(let point): pointIndex = point
    case .interfaces:
      guard record.interface < pointOfInterface.count, pointOfInterface[record.interface] >= 0 else {
        counts.unrouted += 1
        return
      }
      pointIndex = pointOfInterface[record.interface]
    case .indices:
      decode(bytes, wireLength: record.wireLength, linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
      decoded = true
      guard case .indices(let points) = plan.routes[capture], let point = points[frame.link.interfaceIndex] else {
        counts.unrouted += 1
        return
      }
      pointIndex = point
    case .none:
      counts.unrouted += 1
      return
    }
    let kind = kinds[pointIndex]
    if kind == .tunnel {
      if !decoded {
        decode(bytes, wireLength: record.wireLength, linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
      }
      addTunnel(bytes, record, point: pointIndex, time: time, direction: direction, to: &output)
    } else {
      // Tunnels of guests are payload: never opened at their own points.
      decode(bytes, wireLength: record.wireLength, linkType: linkType, tunnels: closedPorts, into: &frame)
      addPlain(bytes, record, point: pointIndex, time: time, direction: direction, to: &output)
    }
  }

  private mutating func addPlain(
    _ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64, direction: CaptureSource.Direction?,
    to output: inout [Observation]
  ) {
    guard frame.outer.hasSource else {
      if frame.link.kind == .bareIP { counts.withoutAddresses += 1 } else { counts.malformed += 1 }
      return
    }
    var (way, basis) = flow(of: record, direction: direction)
    if way != .unknown {
      // Into the host at a tap is from the guest; elsewhere the guest lies on the transmitting side.
      let inbound = way == .in
      let fromGuest = isFarEnd[point] ? !inbound : inbound
      way = fromGuest ? .fromGuest : .toGuest
    } else {
      basis = .none
    }
    if plan.takes.contains(.guestsOverlays), frame.tunnel.kind != .none, frame.hasInner {
      append(bytes, frame.inner, record, point: point, time: time, direction: way, basis: basis, to: &output)
      return
    }
    append(
      bytes, frame.outer, record, point: point, time: time, direction: way, basis: basis, to: &output)
  }

  private mutating func addTunnel(
    _ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64, direction: CaptureSource.Direction?,
    to output: inout [Observation]
  ) {
    if frame.outer.isFragment {
      addFragment(bytes, record, point: point, time: time, direction: direction, to: &output)
      return
    }
    addWhole(bytes, record, point: point, time: time, direction: direction, to: &output)
  }

  /// An outer packet that is no fragment, or was put together of all.
  mutating func addWhole(
    _ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64,
    direction: CaptureSource.Direction?, to output: inout [Observation]
  ) {
    guard frame.tunnel.kind != .none else {
      if frame.outer.transport == .icmp || frame.outer.transport == .icmpv6 {
        noteTooBig(bytes, record, point: point, time: time)
      }
      if frame.outer.transport == .icmp, frame.outer.icmpType == 3, frame.outer.icmpCode == 3 {
        notePortUnreachable()
      }
      noteCutTunnelHeader(record, point: point, time: time)
      if plan.takes.contains(.foreignGRE), frame.outer.ipProtocol == IPProtocol.gre {
        noteForeign(record, point: point, time: time)
      }
      // So short that a tunnel could not be told from other traffic.
      let isCut = record.capturedLength < record.wireLength && frame.outer.stop.reason == .cutByCapture
      if isCut { counts.tooShort += 1 } else { counts.other += 1 }
      return
    }
    var from = plan.vteps.index(of: frame.outer.sourceAddress)
    var to = plan.vteps.index(of: frame.outer.destinationAddress)
    // A tunnel is opened where an outer address is a VTEP of the deployment.
    guard from != VTEPTable.none || to != VTEPTable.none else {
      counts.foreignTunnels += 1
      return
    }
    if from == VTEPTable.none { from = internUnknown(frame.outer.sourceAddress) }
    if to == VTEPTable.none { to = internUnknown(frame.outer.destinationAddress) }
    let sends = Int(from) < isOwn.count && isOwn[Int(from)]
    let receives = Int(to) < isOwn.count && isOwn[Int(to)]
    var way = Observation.Direction.unknown
    var basis = Observation.Basis.none
    if sends != receives {
      way = sends ? .out : .in
      basis = .outerSource
    } else {
      (way, basis) = flow(of: record, direction: direction)
      // What a switch of the underlay floods to all reaches the NIC, and is not received.
      if way == .in, !receives, Int(to) < plan.vteps.hosts.count, plan.vteps.hosts[Int(to)] != nil, isOwn.contains(true) {
        (way, basis) = (.unknown, .none)
      }
    }
    // What the capture cut off is not missing on the wire.
    if frame.tunnel.hasID, !frame.hasInner, frame.inner.stop.reason == .cutByCapture, !plan.takes.contains(.cutHeaders) {
      counts.tooShort += 1
      return
    }
    let anomaly: EncapsulationAnomaly.Kind? =
      if !frame.tunnel.hasID {
        frame.tunnel.kind == .gre ? .greWithoutKey : .vxlanWithoutID
      } else if !frame.hasInner {
        .cutHeader
      } else if frame.tunnel.kind == .vxlan, frame.tunnel.reserved != 0 || frame.tunnel.flags & 0xf7 != 0 {
        .reservedBits
      } else { nil }
    if let anomaly {
      note(anomaly, record, point: point, time: time, from: from, to: to)
      guard anomaly == .reservedBits else { return }
    }
    guard frame.hasInner, frame.inner.hasSource else {
      counts.malformed += 1
      return
    }
    if plan.takes.contains(.guestsOverlays) {
      let start = Int(frame.inner.start)
      let own = bytes.extracting(start..<bytes.count)
      var nested = DecodedFrame()
      decode(own, wireLength: record.wireLength - start, linkType: 1, tunnels: plan.tunnelPorts, into: &nested)
      if nested.tunnel.kind != .none, nested.hasInner, nested.inner.hasSource {
        frame = nested
        var record = record
        record.wireLength -= start
        append(
          own, frame.inner, record, point: point, time: time, direction: way, basis: basis, from: from, receiver: to,
          to: &output)
        return
      }
    }
    if frame.inner.isFragment, plan.takes.contains(.guestsFragments) {
      note(.init(kind: .fragmented, point: UInt16(truncatingIfNeeded: point), from: from, to: to), record, time: time)
    }
    if way == .out || way == .in { noteOuterTag(record, point: point, time: time, from: from, to: to) }
    if way == .in || way == .out && plan.takes.contains(.unfinishedAtSenders) {
      checkChecksum(bytes, record, point: point, time: time, from: from, to: to)
    }
    append(
      bytes, frame.inner, record, point: point, time: time, direction: way, basis: basis, from: from, receiver: to,
      to: &output)
  }

  /// Direction as the capture itself states it: `in` to the host at that interface, or `out`.
  private func flow(
    of record: FrameRecord, direction: CaptureSource.Direction?
  ) -> (Observation.Direction, Observation.Basis) {
    if frame.link.packetType != .none {
      return (frame.link.packetType == .outgoing ? .out : .in, .packetType)
    }
    switch record.direction {
    case .inbound: return (.in, .packetFlags)
    case .outbound: return (.out, .packetFlags)
    case .unknown: break
    }
    switch direction {
    case .inbound: return (.in, .captureDirection)
    case .outbound: return (.out, .captureDirection)
    case nil: return (.unknown, .none)
    }
  }

  private mutating func internUnknown(_ address: IPAddress) -> UInt16 {
    let index = unknown.insert(address, host: nil)
    return index == VTEPTable.none ? index : index + ObservationBuilder.unknownBase
  }

  private mutating func notePortUnreachable() {
    let from = plan.vteps.index(of: frame.outer.sourceAddress)
    guard from != VTEPTable.none, plan.vteps.index(of: frame.outer.destinationAddress) != VTEPTable.none else {
      return
    }
    counts.portUnreachable[from, default: 0] += 1
  }

  private mutating func append(
    _ bytes: Span<UInt8>, _ headers: FrameHeaders, _ record: FrameRecord, point: Int, time: Int64,
    direction: Observation.Direction, basis: Observation.Basis, from: UInt16 = VTEPTable.none,
    receiver: UInt16 = VTEPTable.none, to output: inout [Observation]
  ) {
    guard
      var digest = contentDigest(
        bytes, headers, wireLength: record.wireLength, depth: plan.depth, seed: plan.seed)
    else {
      counts.tooShort += 1
      return
    }
    if changesContents { digest = changed(digest, bytes, headers, record) }
    let length = UInt32(truncatingIfNeeded: record.wireLength) &- headers.start
    if length > plan.longestFrame, headers.transport == .tcp || headers.transport == .udp { metSuperframe = true }
    if keepsSegments { keepSegment(bytes, headers, record, time: time) }
    let isTunnel = from != VTEPTable.none || receiver != VTEPTable.none
    output.append(
      Observation(
        digest: digest, time: time, source: headers.source,
        destination: headers.hasDestination ? headers.destination : .zero,
        outer: (isTunnel && frame.outer.hasSource ? frame.outer.source.rawValue : 0) | UInt64(innerFlow(headers)) << 48,
        frame: UInt32(truncatingIfNeeded: record.number), capture: UInt16(truncatingIfNeeded: capture), point: UInt16(truncatingIfNeeded: point),
        vni: isTunnel ? frame.tunnel.id : 0, outerFrom: from, outerTo: receiver,
        tunnelPort: isTunnel ? frame.outer.destinationPort : 0,
        bits: tagBits(bytes, headers, record), target: target(headers),
        length: length,
        tagCount: headers.tags.count, direction: direction, basis: basis, frameClass: frameClass(headers)))
  }

  /// The VID, and what the filter says of the frame.
  @inline(__always)
  private mutating func tagBits(_ bytes: Span<UInt8>, _ headers: FrameHeaders, _ record: FrameRecord) -> UInt16 {
    let vid = headers.tags.count > 0 ? headers.tags[0].vid : 0
    guard let outcome = filter?.outcome(bytes, headers, wireLength: record.wireLength) else { return vid }
    return vid | outcome.rawValue << 12
  }

  /// A digest with what is no content.
  private func changed(_ digest: UInt64, _ bytes: Span<UInt8>, _ headers: FrameHeaders, _ record: FrameRecord) -> UInt64 {
    var digest = digest
    func mix(_ more: Int) { digest = (digest ^ UInt64(truncatingIfNeeded: more)) &* 0x9e37_79b9_7f4a_7c15 }
    if plan.takes.contains(.padding) { mix(record.wireLength - Int(headers.networkOffset)) }
    let checksum = Int(headers.transportOffset) + (headers.transport == .tcp ? 16 : 6)
    if plan.takes.contains(.checksums), headers.transport == .tcp || headers.transport == .udp, checksum + 2 <= bytes.count {
      mix(Int(bytes[checksum]) << 8 | Int(bytes[checksum + 1]))
    }
    return digest
  }

  private mutating func keepSegment(
    _ bytes: Span<UInt8>, _ headers: FrameHeaders, _ record: FrameRecord, time: Int64
  ) {
    let segment = SegmentRecord(
      bytes, headers, wireLength: record.wireLength, time: time, frame: UInt32(truncatingIfNeeded: record.number),
      capture: UInt16(truncatingIfNeeded: capture), seed: plan.seed)
    if let segment { segments.append(segment) }
  }

  /// Hands over the records of segments kept since the last time.
  public mutating func takeSegments() -> [SegmentRecord] {
    guard !segments.isEmpty else { return [] }
    defer { segments.removeAll() }
    return segments
  }
}
