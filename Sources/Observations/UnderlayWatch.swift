import CaptureFiles
import Deployment
import Wire

/// What the builder notes of the underlay itself, beside the frames in its tunnels.
extension ObservationBuilder {
  /// Takes a fragment of an outer packet. The packet is a sighting at the time of its first fragment, once all are
  /// there.
  mutating func addFragment(
    _ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64, direction: CaptureSource.Direction?,
    to output: inout [Observation]
  ) {
    counts.fragments += 1
    let outer = frame.outer
    let from = plan.vteps.index(of: outer.sourceAddress)
    let to = plan.vteps.index(of: outer.destinationAddress)
    guard from != VTEPTable.none || to != VTEPTable.none else {
      counts.other += 1
      return
    }
    if outer.fragmentOffset == 0, frame.tunnel.kind != .none || plan.takes.contains(.othersFragments), from != VTEPTable.none, to != VTEPTable.none {
      note(.init(kind: .fragmented, point: UInt16(truncatingIfNeeded: point), from: from, to: to), record, time: time)
    }
    guard let whole = fragments.add(bytes, outer, point: point, frame: record.number, time: time) else { return }
    let linkType = record.interface < linkTypes.count ? linkTypes[record.interface] : 1
    decode(
      whole.bytes.span, wireLength: whole.wireLength, linkType: linkType, tunnels: plan.tunnelPorts, into: &frame)
    guard frame.tunnel.kind != .none else {
      counts.other += 1
      return
    }
    let key = UnderlayEvidence.Key(kind: .fragmented, point: UInt16(truncatingIfNeeded: point), from: from, to: to)
    if let known = counts.underlay[key]?.octets {
      counts.underlay[key]?.octets = max(known, frame.outer.networkLength)
    }
    var joined = record
    joined.number = whole.frame
    joined.time = whole.time
    joined.capturedLength = whole.bytes.count
    joined.wireLength = whole.wireLength
    addWhole(whole.bytes.span, joined, point: point, time: whole.time, direction: direction, to: &output)
  }

  /// Notes an ICMP error about a tunnel packet between VTEPs, sent to the VTEP whose packet it was.
  mutating func noteTooBig(_ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64) {
    guard let quoted = QuotedPacket(bytes, frame.outer), quoted.source == frame.outer.destinationAddress else { return }
    let from = plan.vteps.index(of: quoted.source)
    let to = plan.vteps.index(of: quoted.destination)
    guard from != VTEPTable.none, to != VTEPTable.none else { return }
    let ports = plan.tunnelPorts
    let isTunnel =
      quoted.ipProtocol == IPProtocol.gre
      || quoted.ipProtocol == IPProtocol.udp && quoted.destinationPort != 0
        && [ports.vxlan0, ports.vxlan1, ports.vxlan2, ports.vxlan3, ports.geneve].contains(quoted.destinationPort)
    guard isTunnel || plan.takes.contains(.othersErrors) else { return }
    let key = UnderlayEvidence.Key(kind: .tooBig, point: UInt16(truncatingIfNeeded: point), from: from, to: to)
    note(key, record, time: time)
    let known = counts.underlay[key]?.octets ?? 0
    if quoted.mtu > 0, known == 0 || quoted.mtu < known { counts.underlay[key]?.octets = quoted.mtu }
  }

  /// Checks the inner checksum of a frame that was received, where all of it was captured. Superframes have none.
  mutating func checkChecksum(
    _ bytes: Span<UInt8>, _ record: FrameRecord, point: Int, time: Int64, from: UInt16, to: UInt16
  ) {
    let length = record.wireLength - Int(frame.inner.start)
    guard record.capturedLength >= record.wireLength, from < ObservationBuilder.unknownBase,
      length <= Int(plan.longestFrame)
    else { return }
    // Faults of this kind hit every frame of a sender: of many large ones a few are enough.
    guard length <= 128 || octetsSummed < ObservationBuilder.octetsToSum || record.number & 15 == 0 else { return }
    octetsSummed &+= length
    let kind: UnderlayEvidence.Kind
    switch frame.inner.transportChecksum(in: bytes) {
    case .wrong: kind = .wrongChecksum
    // Segments that the receiver joined (GRO) have an unfinished one; those without payload are never joined.
    case .unfinished
    where frame.inner.transport == .tcp
      && frame.inner.networkLength == frame.inner.payloadOffset &- frame.inner.networkOffset:
      kind = .unfinishedChecksum
    default: return
    }
    // Captures may write a frame twice.
    var content: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in Int(frame.inner.start)..<bytes.count { content = (content ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    let slot = Int(content >> 60)
    guard wrongSums[slot].content != content || abs(time &- wrongSums[slot].time) > 1_000_000 else { return }
    wrongSums[slot] = (content, time)
    note(.init(kind: kind, point: UInt16(truncatingIfNeeded: point), from: from, to: to), record, time: time)
  }

  static var octetsToSum: Int { 64 << 20 }

  /// Counts tunnel packets that a host sends or receives by outer VLAN. Cooked captures do not show tags.
  mutating func noteOuterTag(_ record: FrameRecord, point: Int, time: Int64, from: UInt16, to: UInt16) {
    guard frame.link.kind == .ethernet else { return }
    let vid = frame.outer.tags.count > 0 ? frame.outer.tags[0].vid : 0
    let key = UnderlayEvidence.Key(
      kind: .outerVLAN, point: UInt16(truncatingIfNeeded: point), from: from, to: to, vid: vid)
    outerTags.count(key, time: time, frame: record.number, frame.outer)
  }

  /// All counts, with those by outer VLAN.
  public var allCounts: CaptureCounts {
    var all = counts
    for (key, seen) in outerTags.evidence { all.underlay[key] = seen }
    return all
  }

  mutating func note(_ key: UnderlayEvidence.Key, _ record: FrameRecord, time: Int64) {
    guard counts.underlay[key] != nil || counts.underlay.count < UnderlayEvidence.mostKeys else { return }
    counts.underlay[key, default: UnderlayEvidence()].add(time: time, frame: record.number)
  }
}

/// Counts of a host's tunnel packets by sender, receiver and outer VLAN. Nearly every packet is like one a moment ago, and
/// found without hashing its key.
struct OuterTagCache: Sendable {
  private(set) var evidence: [(key: UnderlayEvidence.Key, seen: UnderlayEvidence)] = []
  private var places: [UnderlayEvidence.Key: Int] = [:]
  /// Of `evidence`, by a few bits of the key.
  private var recent: [Int32] = Array(repeating: -1, count: 256)

  mutating func count(_ key: UnderlayEvidence.Key, time: Int64, frame: UInt64, _ outer: FrameHeaders) {
    let packed = UInt64(key.from) << 48 | UInt64(key.to) << 32 | UInt64(key.vid) << 16 | UInt64(key.point)
    let slot = Int(truncatingIfNeeded: (packed &* 0x9e37_79b9_7f4a_7c15) >> 56)
    let at = Int(recent[slot])
    if at >= 0, evidence[at].key == key {
      evidence[at].seen.add(time: time, frame: frame)
      return
    }
    guard let place = places[key] ?? make(key, outer) else { return }
    recent[slot] = Int32(truncatingIfNeeded: place)
    evidence[place].seen.add(time: time, frame: frame)
  }

  private mutating func make(_ key: UnderlayEvidence.Key, _ outer: FrameHeaders) -> Int? {
    guard evidence.count < UnderlayEvidence.mostKeys else { return nil }
    var seen = UnderlayEvidence()
    seen.outerSource = outer.source
    seen.outerDestination = outer.destination
    evidence.append((key, seen))
    places[key] = evidence.count - 1
    return evidence.count - 1
  }
}
