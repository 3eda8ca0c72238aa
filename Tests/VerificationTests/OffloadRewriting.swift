import CaptureFiles
import Deployment
import Foundation
import Wire

/// Rewrites captures as hosts with segmentation and receive offload record them: TCP segments that follow each other
/// are joined into superframes, differently at each point.
///
/// As in Linux, a superframe joins segments of one size of which only the last may be shorter, with the same
/// acknowledgment; it keeps the headers of the first, and FIN and PSH of the last. Its checksum is unfinished. What is
/// sent shows when the first segment did, what is received when the last one did.
struct OffloadRewriting {
  /// Superframes join no more segments than this, by file; 1 leaves a file as it is.
  var most: (_ file: String) -> Int
  /// Segments further apart are not joined, in nanoseconds.
  var pause: Int64 = 2_000_000
  /// Whether PSH ends a superframe, as it does in Linux.
  var endsAtPush = true
  /// MACs of guests by host: what they send leaves the host.
  private let senders: [String: Set<MACAddress>]

  init(_ bundle: String, most: @escaping (_ file: String) -> Int) throws {
    self.most = most
    let deployment = try loadBundle(path: Bundles.path(bundle))
    var senders: [String: Set<MACAddress>] = [:]
    for port in deployment.ports { senders[deployment.hosts[port.host].name, default: []].formUnion(port.macs) }
    self.senders = senders
  }

  /// The captures of a bundle that change, rewritten, and how many segments were joined with one before.
  static func captures(
    _ bundle: String, most: @escaping (_ file: String) -> Int = { _ in 16 }
  ) throws -> (files: [String: Data], joined: Int) {
    let rewriting = try OffloadRewriting(bundle, most: most)
    var files: [String: Data] = [:]
    var joined = 0
    for file in Bundles.files(bundle) where Bundles.isCapture(file) {
      let (data, count) = try rewriting.capture(bundle, file)
      joined += count
      if count > 0 { files[file] = data }
    }
    return (files, joined)
  }

  private struct Frame {
    var bytes: [UInt8]
    var time: Int64
    var wireLength: Int
    var interface: Int
  }

  /// A superframe that grows, at the end of the frames so far or before.
  private struct Growing {
    var index: Int
    var next: UInt32
    var acknowledgment: UInt32
    var segment: Int
    var segments: Int
    var last: Int64
    var isClosed: Bool
  }

  private struct Flow: Hashable {
    var interface: Int
    var tunnel: UInt32
    var outer: [IPAddress]
    var macs: [MACAddress]
    var inner: [IPAddress]
    var ports: [UInt16]
  }

  /// One capture rewritten, and how many of its segments were joined with one before.
  func capture(_ bundle: String, _ file: String) throws -> (data: Data, joined: Int) {
    var reader = try CaptureReader(path: Bundles.path(bundle) + "/" + file)
    let host = String(file.prefix { $0 != "/" })
    var batch = FrameBatch()
    var frames: [Frame] = []
    var growing: [Flow: Growing] = [:]
    var joined = 0
    while try reader.next(into: &batch) {
      for record in batch.frames {
        let bytes = Array(batch.bytes[record.start..<(record.start + record.capturedLength)])
        let frame = Frame(
          bytes: bytes, time: record.time, wireLength: record.wireLength, interface: record.interface)
        let linkType =
          record.interface < reader.interfaces.count ? reader.interfaces[record.interface].linkType : 1
        if join(frame, linkType: linkType, most: most(file), host, &frames, &growing) { joined += 1 }
      }
    }
    let sorted = frames.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
    return (try write(sorted.map(\.element), reader.interfaces, like: file), joined)
  }

  /// Adds a frame, or joins it with a superframe: then true.
  private func join(
    _ frame: Frame, linkType: UInt16, most: Int, _ host: String, _ frames: inout [Frame],
    _ growing: inout [Flow: Growing]
  ) -> Bool {
    var decoded = DecodedFrame()
    decode(frame.bytes.span, wireLength: frame.wireLength, linkType: linkType, tunnels: .common, into: &decoded)
    let headers = decoded.hasInner ? decoded.inner : decoded.outer
    guard headers.transport == .tcp, !headers.isFragment, headers.stop.reason == .complete else {
      frames.append(frame)
      return false
    }
    let flow = Flow(
      interface: frame.interface, tunnel: decoded.hasInner ? decoded.tunnel.id : .max,
      outer: decoded.hasInner ? [decoded.outer.sourceAddress, decoded.outer.destinationAddress] : [],
      macs: [headers.source, headers.destination], inner: [headers.sourceAddress, headers.destinationAddress],
      ports: [headers.sourcePort, headers.destinationPort])
    let payload = Int(headers.networkLength) - Int(headers.payloadOffset - headers.networkOffset)
    let isPlain = headers.tcpFlags & ~0x19 == 0 && headers.tcpFlags & 0x10 != 0
    let ends = headers.tcpFlags & (endsAtPush ? 0x09 : 0x01) != 0
    if payload > 0, isPlain, let into = growing[flow], !into.isClosed, into.segments < most,
      into.next == headers.tcpSequence, into.acknowledgment == headers.tcpAcknowledgment, payload <= into.segment,
      frame.time - into.last <= pause, frames[into.index].wireLength + payload < 65_000
    {
      let isSent = senders[host]?.contains(headers.source) == true
      append(frame, payload: payload, headers, decoded, to: &frames[into.index])
      if !isSent { frames[into.index].time = frame.time }
      growing[flow] = Growing(
        index: into.index, next: into.next &+ UInt32(payload), acknowledgment: into.acknowledgment,
        segment: into.segment, segments: into.segments + 1, last: frame.time, isClosed: ends || payload < into.segment)
      return true
    }
    growing[flow] = Growing(
      index: frames.count, next: headers.tcpSequence &+ UInt32(max(0, payload)),
      acknowledgment: headers.tcpAcknowledgment, segment: payload, segments: 1, last: frame.time,
      isClosed: !isPlain || ends || payload <= 0)
    frames.append(frame)
    return false
  }

  /// Appends a segment's payload, as far as it was captured, and adapts lengths, flags and checksum.
  private func append(
    _ frame: Frame, payload: Int, _ headers: FrameHeaders, _ decoded: DecodedFrame, to whole: inout Frame
  ) {
    let isWhole = whole.bytes.count >= whole.wireLength
    whole.wireLength += payload
    if isWhole {
      let start = Int(headers.payloadOffset)
      whole.bytes.append(contentsOf: frame.bytes[start..<min(frame.bytes.count, start + payload)])
    }
    // Of one flow and without options that vary, the headers lie where they lie in the first segment.
    let inner = Int(headers.networkOffset)
    grow(&whole.bytes, at: inner, headers.network, by: payload)
    if decoded.hasInner {
      grow(&whole.bytes, at: Int(decoded.outer.networkOffset), decoded.outer.network, by: payload)
      if decoded.outer.transport == .udp { add(payload, at: Int(decoded.outer.transportOffset) + 4, &whole.bytes) }
    }
    let transport = Int(headers.transportOffset)
    whole.bytes[transport + 13] |= headers.tcpFlags & 0x09
    // Unfinished: the sum of the pseudo header alone.
    guard whole.bytes.count >= transport + 18 else { return }
    var checksum = InternetChecksum()
    checksum.add(headers.sourceAddress)
    checksum.add(headers.destinationAddress)
    let field = inner + (headers.network == .ipv4 ? 2 : 4)
    let total = Int(whole.bytes[field]) << 8 | Int(whole.bytes[field + 1])
    checksum.add(UInt32(total - (headers.network == .ipv4 ? transport - inner : transport - inner - 40)))
    checksum.add(UInt16(headers.ipProtocol))
    whole.bytes[transport + 16] = UInt8(truncatingIfNeeded: checksum.folded >> 8)
    whole.bytes[transport + 17] = UInt8(truncatingIfNeeded: checksum.folded)
  }

  private func grow(_ bytes: inout [UInt8], at network: Int, _ kind: FrameHeaders.Network, by payload: Int) {
    guard kind == .ipv4 else {
      add(payload, at: network + 4, &bytes)
      return
    }
    add(payload, at: network + 2, &bytes)
    let length = Int(bytes[network] & 0x0f) * 4
    bytes[network + 10] = 0
    bytes[network + 11] = 0
    var checksum = InternetChecksum()
    checksum.add(bytes.span.extracting(network..<(network + length)))
    bytes[network + 10] = UInt8(truncatingIfNeeded: checksum.value >> 8)
    bytes[network + 11] = UInt8(truncatingIfNeeded: checksum.value)
  }

  private func add(_ value: Int, at offset: Int, _ bytes: inout [UInt8]) {
    let sum = (Int(bytes[offset]) << 8 | Int(bytes[offset + 1])) + value
    bytes[offset] = UInt8(truncatingIfNeeded: sum >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: sum)
  }

  private func write(_ frames: [Frame], _ interfaces: [CaptureInterface], like file: String) throws -> Data {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("lanecheck-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: copy) }
    if file.contains(".pcapng") {
      var writer = try PcapngWriter(path: copy.path)
      for interface in interfaces { _ = try writer.addInterface(interface) }
      for frame in frames {
        try writer.write(
          frame.bytes.span, time: frame.time, interface: frame.interface, wireLength: frame.wireLength)
      }
      try writer.finish()
    } else {
      var writer = try PcapWriter(
        path: copy.path, linkType: interfaces.first?.linkType ?? 1, snapLength: interfaces.first?.snapLength ?? 0)
      for frame in frames { try writer.write(frame.bytes.span, time: frame.time, wireLength: frame.wireLength) }
      try writer.finish()
    }
    return try Data(contentsOf: copy)
  }
}
