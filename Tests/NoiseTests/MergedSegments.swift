import CaptureFiles
import Deployment
import Observations
import Wire

/// Rewrites TCP segments as a kernel with offloads shows them: joined at receiving points behind GRO, and not yet
/// cut at sending ones before GSO. All points of a host show the same joined frames; sender and receiver join
/// differently.
struct MergedSegments {
  enum Side: String, Hashable, Sendable, CaseIterable { case receiving, sending, both }

  /// Of one TCP connection, one way.
  private struct Flow: Hashable {
    var source: IPAddress
    var destination: IPAddress
    var ports: UInt32
    var vni: UInt32
  }
  private struct Segment: Hashable {
    var flow: Flow
    var sequence: UInt32
  }
  /// A frame that may take more segments, or be one.
  private struct Piece {
    var flow: Flow
    var isSending: Bool
    var headers: FrameHeaders
    var outer: FrameHeaders?
    var isUDP: Bool
    var payload: Int
    var isLast: Bool
    var next: UInt32 { headers.tcpSequence &+ UInt32(truncatingIfNeeded: payload) }
  }
  private struct Place: Hashable {
    var host: String
    var isSending: Bool
  }

  /// Segments further apart are not joined, in nanoseconds.
  private static let pause: Int64 = 500_000

  private let side: Side
  /// Segments that are joined to those before them.
  private var joined: [Place: Set<Segment>] = [:]

  init(_ bundle: RecordedBundle, _ side: Side) {
    self.side = side
    for host in bundle.hosts {
      for isSending in [false, true] where side == .both || (side == .sending) == isSending {
        joined[Place(host: host, isSending: isSending)] = MergedSegments.plan(bundle, host, isSending)
      }
    }
  }

  /// What is joined on a host, from the point that shows most of it: its tunnel, or else its ports.
  private static func plan(_ bundle: RecordedBundle, _ host: String, _ isSending: Bool) -> Set<Segment> {
    // A guest's device is told to hand over less in one piece than the receiver may join.
    let most = isSending ? 8 : 17
    var best: Set<Segment> = []
    for recording in bundle.recordings where recording.host == host {
      var found: Set<Segment> = []
      var last: [Flow: (piece: Piece, time: Int64, count: Int)] = [:]
      for frame in recording.frames {
        guard let piece = piece(frame, recording, bundle), piece.isSending == isSending else { continue }
        var flow = piece.flow
        flow.vni = 0
        guard let before = last[piece.flow], before.piece.next == piece.headers.tcpSequence,
          frame.time - before.time < pause, before.count < most, !before.piece.isLast,
          piece.headers.tcpAcknowledgment == before.piece.headers.tcpAcknowledgment,
          piece.payload <= before.piece.payload
        else {
          last[piece.flow] = (piece, frame.time, 1)
          continue
        }
        found.insert(Segment(flow: flow, sequence: piece.headers.tcpSequence))
        last[piece.flow] = (piece, frame.time, before.count + 1)
      }
      if found.count > best.count { best = found }
    }
    return best
  }

  func apply(to bundle: inout RecordedBundle) {
    for index in bundle.recordings.indices {
      var output: [Recording.Frame] = []
      /// Where in the output each flow's last frame lies, by interface.
      var open: [Int: [Flow: (at: Int, next: UInt32)]] = [:]
      for frame in bundle.recordings[index].frames {
        guard let piece = MergedSegments.piece(frame, bundle.recordings[index], bundle) else {
          output.append(frame)
          continue
        }
        var segment = Segment(flow: piece.flow, sequence: piece.headers.tcpSequence)
        segment.flow.vni = 0
        let place = Place(host: bundle.recordings[index].host, isSending: piece.isSending)
        if joined[place]?.contains(segment) ?? false, let head = open[frame.interface]?[piece.flow],
          head.next == piece.headers.tcpSequence
        {
          MergedSegments.append(frame, piece, to: &output[head.at])
          open[frame.interface]?[piece.flow]?.next = piece.next
        } else {
          open[frame.interface, default: [:]][piece.flow] = (output.count, piece.next)
          output.append(frame)
        }
      }
      bundle.recordings[index].frames = output
    }
  }

  // MARK: Frames

  /// A frame that offloads may join with others: TCP with data and nothing else to say.
  private static func piece(_ frame: Recording.Frame, _ recording: Recording, _ bundle: RecordedBundle) -> Piece? {
    var decoded = DecodedFrame()
    let linkType = recording.interfaces.indices.contains(frame.interface) ? recording.interfaces[frame.interface].linkType : 1
    decode(
      frame.bytes.span, wireLength: frame.wireLength, linkType: linkType, tunnels: bundle.survey.plan.tunnelPorts,
      into: &decoded)
    let plan = bundle.survey.plan
    let number: Int? =
      switch plan.routes[recording.capture] {
      case .none: nil
      case .point(let point): point
      case .interfaces(let points): points.indices.contains(frame.interface) ? points[frame.interface] : nil
      case .indices(let points): points[decoded.link.interfaceIndex]
      }
    guard let number else { return nil }
    let point = plan.points[number]
    let isTunnel = point.kind == .tunnel
    guard isTunnel ? decoded.hasInner : point.kind.isGuestSide else { return nil }
    let headers = isTunnel ? decoded.inner : decoded.outer
    guard headers.transport == .tcp, !headers.isFragment, headers.tcpFlags & ~0x18 == 0, headers.transportOffset > 0,
      headers.stop.reason == .complete
    else { return nil }
    let payload = Int(headers.networkOffset) + Int(headers.networkLength) - Int(headers.payloadOffset)
    guard payload > 0 else { return nil }
    let isSending: Bool
    if isTunnel {
      isSending = bundle.survey.deployment.hosts[point.host].vteps.contains(decoded.outer.sourceAddress)
    } else {
      guard let port = point.port else { return nil }
      isSending = bundle.survey.deployment.ports[port].macs.contains(headers.source)
    }
    return Piece(
      flow: Flow(
        source: headers.sourceAddress, destination: headers.destinationAddress,
        ports: UInt32(headers.sourcePort) << 16 | UInt32(headers.destinationPort),
        vni: isTunnel ? decoded.tunnel.id : UInt32.max),
      isSending: isSending, headers: headers, outer: isTunnel ? decoded.outer : nil,
      isUDP: decoded.outer.transport == .udp, payload: payload, isLast: headers.tcpFlags & 0x08 != 0)
  }

  /// Adds a segment's data to the frame before. What a snap length cut off stays missing.
  private static func append(_ frame: Recording.Frame, _ piece: Piece, to head: inout Recording.Frame) {
    let end = Int(piece.headers.networkOffset) + Int(piece.headers.networkLength)
    if head.bytes.count == head.wireLength, frame.bytes.count >= end {
      head.bytes += frame.bytes[Int(piece.headers.payloadOffset)..<end]
    }
    head.wireLength += piece.payload
    head.time = frame.time
    let transport = Int(piece.headers.transportOffset)
    head.bytes[transport + 13] |= frame.bytes[transport + 13] & 0x08
    grow(&head.bytes, piece.headers, by: piece.payload)
    setUnfinishedChecksum(&head.bytes, piece.headers)
    if let outer = piece.outer {
      grow(&head.bytes, outer, by: piece.payload)
      if piece.isUDP { add(&head.bytes, at: Int(outer.transportOffset) + 4, piece.payload) }
    }
  }

  /// Makes an IP header's length larger.
  private static func grow(_ bytes: inout [UInt8], _ headers: FrameHeaders, by size: Int) {
    let start = Int(headers.networkOffset)
    if headers.network == .ipv6 {
      add(&bytes, at: start + 4, size)
    } else {
      add(&bytes, at: start + 2, size)
      set(&bytes, at: start + 10, 0)
      let length = Int(bytes[start] & 0x0f) * 4
      set(&bytes, at: start + 10, ~fold(sum(bytes[start..<(start + length)])))
    }
  }

  /// What the kernel leaves in the field until the NIC, or nobody, finishes it: the sum of the pseudo header.
  private static func setUnfinishedChecksum(_ bytes: inout [UInt8], _ headers: FrameHeaders) {
    let start = Int(headers.networkOffset)
    let transport = Int(headers.transportOffset)
    let addresses = headers.network == .ipv6 ? bytes[(start + 8)..<(start + 40)] : bytes[(start + 12)..<(start + 20)]
    let length =
      headers.network == .ipv6
      ? Int(bytes[start + 4]) << 8 + Int(bytes[start + 5]) : Int(bytes[start + 2]) << 8 + Int(bytes[start + 3]) - (transport - start)
    set(&bytes, at: transport + 16, fold(sum(addresses) + 6 + UInt64(max(0, length))))
  }

  private static func sum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var total: UInt64 = 0
    for (offset, byte) in bytes.enumerated() { total += offset % 2 == 0 ? UInt64(byte) << 8 : UInt64(byte) }
    return total
  }

  private static func fold(_ total: UInt64) -> UInt16 {
    var total = total
    while total > 0xffff { total = total >> 16 + total & 0xffff }
    return UInt16(total)
  }

  private static func add(_ bytes: inout [UInt8], at: Int, _ size: Int) {
    set(&bytes, at: at, UInt16(truncatingIfNeeded: Int(bytes[at]) << 8 + Int(bytes[at + 1]) + size))
  }

  private static func set(_ bytes: inout [UInt8], at: Int, _ value: UInt16) {
    bytes[at] = UInt8(value >> 8)
    bytes[at + 1] = UInt8(truncatingIfNeeded: value)
  }
}
