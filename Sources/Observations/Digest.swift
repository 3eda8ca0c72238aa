import Wire

/// Digest of a frame's content, equal wherever the same frame is seen: tags, destination MAC (cooked
/// captures lack it), padding, and what offloads or decapsulation rewrite (IPv4 header checksum, ECN
/// bits, TCP and UDP checksums) are left out.
///
/// `depth` is how many bytes of the network packet go in; all points of a run use the same.
/// nil where fewer were captured than that and the packet is longer.
@inlinable
public func contentDigest(
  _ bytes: Span<UInt8>, _ headers: FrameHeaders, wireLength: Int, depth: Int, seed: UInt64
) -> UInt64? {
  let start = Int(headers.networkOffset)
  let captured = bytes.count
  guard start > 0, start <= captured else { return nil }
  var length = min(Int(headers.networkLength), max(0, wireLength - start))
  let available = captured - start
  // A short capture may hold part of an IPv6 header: enough to know the frame by.
  let isCutIPv6 = headers.network == .none && headers.etherType == 0x86dd && available >= 8
  if isCutIPv6 {
    let claimed = 40 + (Int(bytes[start + 4]) << 8 | Int(bytes[start + 5]))
    length = min(claimed, max(0, wireLength - start))
  } else if headers.network == .other || headers.network == .none {
    // Padding cannot be told from content here: trailing zeros do not count.
    length = min(length, available)
    while length > 0, bytes[start + length - 1] == 0 { length -= 1 }
  }
  let used = min(length, depth)
  guard used <= available else { return nil }

  var hash = FrameHash(seed: seed)
  hash.mix(headers.source.rawValue | UInt64(headers.etherType) << 48)
  let end = start + used
  switch headers.network {
  case .ipv4 where used >= 20:
    // Words of the fixed header, with ECN and the header checksum masked.
    hash.mix(loadBigEndian(bytes, start) & ~0x0003_0000_0000_0000)
    let second = loadBigEndian(bytes, start + 8) & ~0x0000_ffff_0000_0000
    hash.mix(second)
    hash.mix(UInt64(loadBigEndian32(bytes, start + 16)) | UInt64(truncatingIfNeeded: length) << 32)
    mixTransport(&hash, bytes, from: start + 20, to: end, headers)
  case .ipv6 where used >= 40:
    hash.mix(loadBigEndian(bytes, start) & ~0x0030_0000_0000_0000)
    hash.mix(loadBigEndian(bytes, start + 8))
    hash.mix(loadBigEndian(bytes, start + 16))
    hash.mix(loadBigEndian(bytes, start + 24))
    hash.mix(loadBigEndian(bytes, start + 32))
    mixTransport(&hash, bytes, from: start + 40, to: end, headers)
  case .ipv6 where used >= 8, .none where isCutIPv6 && used >= 8:
    hash.mix(loadBigEndian(bytes, start) & ~0x0030_0000_0000_0000)
    hash.mix(bytes, from: start + 8, to: end)
  default:
    hash.mix(UInt64(truncatingIfNeeded: length))
    hash.mix(bytes, from: start, to: end)
  }
  return hash.finished
}

/// Mixes options, transport header and payload, without the transport checksum.
@inlinable
func mixTransport(
  _ hash: inout FrameHash, _ bytes: Span<UInt8>, from: Int, to end: Int, _ headers: FrameHeaders
) {
  let transport = Int(headers.transportOffset)
  let checksum: Int
  switch headers.transport {
  case .tcp: checksum = transport + 16
  case .udp: checksum = transport + 6
  default:
    hash.mix(bytes, from: from, to: end)
    return
  }
  guard transport >= from, checksum < end else {
    hash.mix(bytes, from: from, to: min(end, max(from, checksum)))
    return
  }
  hash.mix(bytes, from: from, to: checksum)
  if checksum + 2 < end { hash.mix(bytes, from: checksum + 2, to: end) }
}

/// Multiply-and-fold hash over 64-bit words.
@usableFromInline
struct FrameHash {
  @usableFromInline var state: UInt64

  @inlinable
  init(seed: UInt64) { state = seed ^ 0x9e37_79b9_7f4a_7c15 }

  @inlinable
  mutating func mix(_ word: UInt64) {
    let product = (state ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    state = product.high ^ product.low ^ word.byteSwapped
  }

  /// Mixes a byte range as big-endian words; the last one is padded and carries the length.
  @inlinable
  mutating func mix(_ bytes: Span<UInt8>, from: Int, to end: Int) {
    var at = from
    while at + 8 <= end {
      mix(loadBigEndian(bytes, at))
      at += 8
    }
    guard at < end else { return }
    var tail: UInt64 = 0
    let left = end - at
    while at < end {
      tail = tail << 8 | UInt64(bytes[at])
      at += 1
    }
    mix(tail | UInt64(truncatingIfNeeded: left) << 56)
  }

  @inlinable
  var finished: UInt64 {
    let product = (state ^ 0xe703_7ed1_a0b4_28db).multipliedFullWidth(by: 0x8ebc_6af0_9c88_c6e3)
    let value = product.high ^ product.low
    return value == 0 ? 1 : value
  }
}

@inlinable
func loadBigEndian(_ bytes: Span<UInt8>, _ at: Int) -> UInt64 {
  let a = UInt64(bytes[at]) << 56 | UInt64(bytes[at + 1]) << 48 | UInt64(bytes[at + 2]) << 40
  let b = UInt64(bytes[at + 3]) << 32 | UInt64(bytes[at + 4]) << 24 | UInt64(bytes[at + 5]) << 16
  return a | b | UInt64(bytes[at + 6]) << 8 | UInt64(bytes[at + 7])
}

@inlinable
func loadBigEndian32(_ bytes: Span<UInt8>, _ at: Int) -> UInt32 {
  UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
}
