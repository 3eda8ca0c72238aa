import Wire

/// Outer packets that were fragmented on the underlay, put together again (RFC 791, 3.2; RFC 8200, 4.5), as far as
/// their beginnings matter: a digest needs no more than the first few hundred octets.
///
/// Bounded in packets, fragments and time. Fragments that overlap others in part, or contradict each other's ends, are
/// refused with their packet (RFC 5722).
struct FragmentTable: Sendable {
  /// Octets of payload that are kept: outer UDP, Geneve with all its options, inner headers and the depth of digests.
  static var headRoom: Int { 640 }
  static var mostPackets: Int { 64 }
  static var mostFragments: Int { 64 }
  /// Fragments of one packet come within this, in nanoseconds; sightings must not come later than files are out of
  /// order.
  static var longestWait: Int64 { 250_000_000 }

  struct Key: Hashable {
    var source: IPAddress
    var destination: IPAddress
    var identification: UInt32
    var ipProtocol: UInt8
    var point: Int
  }

  /// A packet that is whole: its first octets as one frame, and how long it was on the wire.
  struct Whole {
    var bytes: [UInt8]
    var wireLength: Int
    /// Of the first fragment.
    var frame: UInt64
    var time: Int64
  }

  private struct Packet {
    var key: Key
    var started: Int64
    /// Link and IP headers of the first fragment, for the packet as a whole.
    var header: [UInt8] = []
    /// Where its IP header begins: fragments may come with different tags.
    var network = 0
    var head: [UInt8] = []
    var ranges: [Range<Int>] = []
    var total: Int?
    var frame: UInt64 = 0
    var time: Int64 = 0
    var isRefused = false
  }
  private var packets: [Packet] = []
  /// Fragments of packets that were refused, or for which there was no room.
  private(set) var refused: UInt64 = 0

  /// Takes a fragment; returns the packet where it is the last that was missing.
  mutating func add(
    _ bytes: Span<UInt8>, _ headers: FrameHeaders, point: Int, frame: UInt64, time: Int64
  ) -> Whole? {
    let network = Int(headers.networkOffset)
    // Of IPv6 only packets whose fragment header follows the fixed one.
    let headerLength: Int
    switch headers.network {
    case .ipv4: headerLength = network < bytes.count ? Int(bytes[network] & 0x0f) * 4 : 0
    case .ipv6: headerLength = network + 48 <= bytes.count && bytes[network + 6] == 44 ? 48 : 0
    default: headerLength = 0
    }
    let offset = Int(headers.fragmentOffset)
    let length = Int(headers.networkLength) - headerLength
    guard headerLength >= 20, network + headerLength <= bytes.count, length > 0, offset + length <= 65_535,
      !headers.moreFragments || length & 7 == 0
    else {
      refused += 1
      return nil
    }
    forget(before: time &- FragmentTable.longestWait)
    let key = Key(
      source: headers.sourceAddress, destination: headers.destinationAddress, identification: headers.identification,
      ipProtocol: headers.ipProtocol, point: point)
    let at = place(of: key, time: time)
    guard insert(offset..<(offset + length), isLast: !headers.moreFragments, at) else {
      refused += 1
      return nil
    }
    keepHead(bytes, from: network + headerLength, offset: offset, length: length, at)
    if offset == 0 {
      packets[at].network = network
      packets[at].header = Array(0..<(network + (headers.network == .ipv4 ? headerLength : 40))).map { bytes[$0] }
      if headers.network == .ipv6 { packets[at].header[network + 6] = bytes[network + 40] }
      packets[at].frame = frame
      packets[at].time = time
    }
    guard let total = packets[at].total, packets[at].ranges.reduce(0, { $0 + $1.count }) == total,
      !packets[at].header.isEmpty
    else { return nil }
    let packet = packets.remove(at: at)
    return FragmentTable.whole(packet, total: total, isIPv4: headers.network == .ipv4)
  }

  private mutating func forget(before time: Int64) { packets.removeAll { $0.started < time } }

  private mutating func place(of key: Key, time: Int64) -> Int {
    if let known = packets.firstIndex(where: { $0.key == key }) { return known }
    if packets.count >= FragmentTable.mostPackets { packets.removeFirst() }
    packets.append(Packet(key: key, started: time))
    return packets.count - 1
  }

  private mutating func insert(_ range: Range<Int>, isLast: Bool, _ at: Int) -> Bool {
    guard !packets[at].isRefused else { return false }
    // The same fragment again is ordinary: captured at both sides of a bridge, or repeated on the way.
    if packets[at].ranges.contains(range) { return true }
    let overlaps = packets[at].ranges.contains { $0.overlaps(range) }
    let isBehindEnd = packets[at].total.map { range.upperBound > $0 || isLast && range.upperBound != $0 } ?? false
    let isShort = isLast && packets[at].ranges.contains { $0.upperBound > range.upperBound }
    guard !overlaps, !isBehindEnd, !isShort, packets[at].ranges.count < FragmentTable.mostFragments else {
      packets[at].isRefused = true
      return false
    }
    packets[at].ranges.append(range)
    if isLast { packets[at].total = range.upperBound }
    return true
  }

  /// Keeps what a fragment adds to the first octets, if it follows what is there.
  private mutating func keepHead(_ bytes: Span<UInt8>, from start: Int, offset: Int, length: Int, _ at: Int) {
    let kept = packets[at].head.count
    guard offset <= kept, kept < FragmentTable.headRoom else { return }
    let end = min(bytes.count, start + length, start + FragmentTable.headRoom - offset)
    var next = start + kept - offset
    while next < end {
      packets[at].head.append(bytes[next])
      next += 1
    }
  }

  private static func whole(_ packet: Packet, total: Int, isIPv4: Bool) -> Whole {
    var bytes = packet.header
    let network = packet.network
    let length = isIPv4 ? bytes.count - network + total : total
    let field = network + (isIPv4 ? 2 : 4)
    bytes[field] = UInt8(truncatingIfNeeded: length >> 8)
    bytes[field + 1] = UInt8(truncatingIfNeeded: length)
    if isIPv4 {
      bytes[network + 6] &= 0x40
      bytes[network + 7] = 0
    }
    let wireLength = bytes.count + total
    bytes.append(contentsOf: packet.head)
    return Whole(bytes: bytes, wireLength: wireLength, frame: packet.frame, time: packet.time)
  }
}
