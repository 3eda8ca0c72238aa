/// Where decoding stands in a frame, and how far the headers around it say that it goes.
///
/// Two bounds hold at once: what was captured (the span's count) and what is claimed (the
/// length on the wire, narrowed by each header's own length field). A header must fit both.
struct Cursor {
  /// Offset from the first captured byte; never behind the last one.
  var at: Int
  /// Bytes from `at` on that the frame has by its length on the wire and its headers' lengths.
  var claimed: Int
  /// Which length set `claimed`.
  var limit: DecodeStop.Limit
  /// Inside the first of several fragments: what lies behind `claimed` travels in another frame,
  /// so a header that does not fit contradicts nothing.
  var isPartial = false

  @inline(__always)
  init(wireLength: Int) {
    at = 0
    claimed = wireLength
    limit = .wire
  }

  @inline(__always)
  var offset: UInt32 { UInt32(truncatingIfNeeded: at) }

  /// Bytes that are both captured and claimed.
  @inline(__always)
  func available(in bytes: Span<UInt8>) -> Int { min(bytes.count &- at, claimed) }

  @inline(__always)
  func has(_ need: Int, in bytes: Span<UInt8>) -> Bool { need <= claimed && need <= bytes.count &- at }

  /// Only for a length that is there.
  @inline(__always)
  func advanced(by length: Int) -> Cursor {
    var next = self
    next.at &+= length
    next.claimed &-= length
    return next
  }

  /// The stop for a layer at `at` that needs more than is there.
  @inline(never)
  func shortage(of need: Int, layer: DecodeStop.Layer, in bytes: Span<UInt8>) -> DecodeStop {
    let captured = bytes.count &- at
    let behindClaim = need > claimed && (!isPartial || captured >= claimed)
    return DecodeStop(
      reason: behindClaim && !isPartial ? .malformed : .cutByCapture, layer: layer,
      limit: behindClaim ? limit : .captured, offset: offset, need: UInt32(clamping: need),
      have: UInt32(clamping: behindClaim ? claimed : min(captured, claimed)))
  }
}

extension Span<UInt8> {
  // Big-endian reads at constant offsets of a span whose length was checked. Composed from the low
  // octet up and then swapped, each is one load, also where several are combined into one value.

  @inline(__always)
  func uint16(_ offset: Int) -> UInt16 { (UInt16(self[offset]) | UInt16(self[offset &+ 1]) &<< 8).byteSwapped }

  @inline(__always)
  func uint32(_ offset: Int) -> UInt32 {
    (UInt32(self[offset]) | UInt32(self[offset &+ 1]) &<< 8 | UInt32(self[offset &+ 2]) &<< 16
      | UInt32(self[offset &+ 3]) &<< 24).byteSwapped
  }

  @inline(__always)
  func uint64(_ offset: Int) -> UInt64 { UInt64(uint32(offset)) &<< 32 | UInt64(uint32(offset &+ 4)) }

  @inline(__always)
  func macAddress(_ offset: Int) -> MACAddress {
    MACAddress(rawValue: UInt64(uint16(offset)) &<< 32 | UInt64(uint32(offset &+ 2)))
  }

  @inline(__always)
  func ipv6Address(_ offset: Int) -> IPAddress { IPAddress(v6High: uint64(offset), low: uint64(offset &+ 8)) }
}
