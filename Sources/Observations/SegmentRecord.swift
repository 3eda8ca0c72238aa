import Wire

/// Where the payload of a frame lies in the stream of its flow: by that, superframes and the segments that NICs and
/// kernels cut them into (TSO, GSO) or join (GRO) are known as the same data. Kept beside the observations, and only
/// in runs that met superframes.
public struct SegmentRecord: Sendable, BitwiseCopyable {
  /// Hash of source MAC, addresses, protocol and ports; the destination MAC is left out, as in digests.
  public var flow: UInt64
  /// As in the observation of the same frame.
  public var time: Int64
  /// Sum over the payload that can be added up: the sums of segments give that of their superframe. 0 where not all
  /// of the payload was captured.
  public var content: UInt64
  /// Frame number in its file, from 1.
  public var frame: UInt32
  public var capture: UInt16
  /// UDP: superframes are cut into datagrams, which have no sequence numbers but count IPv4 identifications on.
  public var isDatagram: Bool
  public var hasContent: Bool
  /// TCP sequence number of the first octet; of datagrams, the IPv4 identification, 0 for IPv6.
  public var sequence: UInt32
  /// Octets of payload; where the length of the TCP header was cut off (`header` 0), together with that header.
  public var length: UInt32
  /// Octets of the transport header; 0 where it was cut by the capture.
  public var header: UInt8

  /// Octets of payload, given the length that TCP headers of the flow have elsewhere.
  public func payload(header known: UInt8) -> UInt32? {
    if header > 0 { return length }
    return known > 0 && length > UInt32(known) ? length - UInt32(known) : nil
  }
}

extension SegmentRecord {
  /// The record of a TCP segment or UDP datagram with payload; nil for other frames, and where too little was
  /// captured to know how long the payload is.
  init?(
    _ bytes: Span<UInt8>, _ headers: FrameHeaders, wireLength: Int, time: Int64, frame: UInt32, capture: UInt16,
    seed: UInt64
  ) {
    guard headers.transport == .tcp || headers.transport == .udp, !headers.isFragment else { return nil }
    let transport = Int(headers.transportOffset)
    let before = transport - Int(headers.networkOffset)
    guard before > 0, Int(headers.networkLength) <= wireLength - Int(headers.networkOffset) else { return nil }
    var headerLength = 0
    if headers.transport == .tcp {
      if bytes.count - transport >= 13 {
        headerLength = Int(bytes[transport + 12] >> 4) * 4
        guard headerLength >= 20 else { return nil }
      }
      sequence = headers.tcpSequence
    } else {
      headerLength = 8
      // IPv6 has none: a flow with superframes cannot be placed, and nothing of it be missed.
      sequence = headers.network == .ipv4 ? headers.identification : 0
    }
    let payload = Int(headers.networkLength) - before - headerLength
    guard payload > (headerLength == 0 ? 20 : 0) else { return nil }
    header = UInt8(truncatingIfNeeded: headerLength)
    isDatagram = headers.transport == .udp
    length = UInt32(clamping: payload)
    flow = SegmentRecord.flow(headers, seed: seed)
    self.time = time
    self.frame = frame
    self.capture = capture
    let start = transport + headerLength
    hasContent = headerLength > 0 && bytes.count - start >= payload
    content =
      hasContent && !isDatagram
      ? SegmentRecord.sum(bytes.extracting(start..<(start + payload)), at: headers.tcpSequence, seed: seed) : 0
  }

  private static func flow(_ headers: FrameHeaders, seed: UInt64) -> UInt64 {
    var hash = fold(headers.source.rawValue ^ UInt64(headers.ipProtocol) << 56, seed ^ 0xa076_1d64_78bd_642f)
    hash = fold(hash ^ headers.sourceAddress.high, headers.sourceAddress.low ^ 0xe703_7ed1_a0b4_28db)
    hash = fold(hash ^ headers.destinationAddress.high, headers.destinationAddress.low ^ 0x8ebc_6af0_9c88_c6e3)
    return fold(hash ^ UInt64(headers.sourcePort) << 16 ^ UInt64(headers.destinationPort), 0x5899_65cc_7537_4cc3)
  }

  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low ^ a
  }

  /// Sum of a payload that begins at a sequence number: words of eight octets, on multiples of eight in the stream,
  /// each weighed by its place. Where a payload ends within a word, the next one's sum adds the rest of it.
  static func sum(_ payload: Span<UInt8>, at sequence: UInt32, seed: UInt64) -> UInt64 {
    var sum: UInt64 = 0
    var place = UInt64(sequence >> 3)
    var at = 0
    let lead = Int(sequence & 7)
    if lead > 0 {
      var word: UInt64 = 0
      while at < payload.count, lead + at < 8 {
        word |= UInt64(payload[at]) << UInt64((lead + at) * 8)
        at += 1
      }
      sum &+= word &* weight(place, seed)
      place = (place &+ 1) & 0x1fff_ffff
    }
    while payload.count - at >= 8 {
      let octets = payload.extracting(at..<at + 8)
      let low = UInt64(octets[0]) | UInt64(octets[1]) &<< 8 | UInt64(octets[2]) &<< 16 | UInt64(octets[3]) &<< 24
      let high =
        UInt64(octets[4]) &<< 32 | UInt64(octets[5]) &<< 40 | UInt64(octets[6]) &<< 48 | UInt64(octets[7]) &<< 56
      sum &+= (low | high) &* weight(place, seed)
      place = (place &+ 1) & 0x1fff_ffff
      at += 8
    }
    var word: UInt64 = 0
    var shift: UInt64 = 0
    while at < payload.count {
      word |= UInt64(payload[at]) << shift
      shift += 8
      at += 1
    }
    return sum &+ word &* weight(place, seed)
  }

  @inline(__always)
  private static func weight(_ place: UInt64, _ seed: UInt64) -> UInt64 {
    let mixed = (place ^ seed) &* 0x9e37_79b9_7f4a_7c15
    return (mixed ^ mixed &>> 29) | 1
  }
}
