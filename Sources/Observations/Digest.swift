import Wire

/// Digest of a frame's content, equal wherever the same frame is seen: tags, destination MAC (cooked
/// captures lack it), padding, and what offloads or decapsulation rewrite (IPv4 header checksum, ECN
/// bits, TCP and UDP checksums) are left out.
///
/// `depth` is how many bytes of the network packet go in; all points of a run use the same.
/// nil where fewer were captured than that and the packet is longer.
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
    // Padding cannot be told from content here: trailing zeros do not count, nor what lies behind the depth.
    length = min(headers.network == .none ? max(0, wireLength - start) : length, depth)
    guard length <= available else { return nil }
    while length > 0, bytes[start + length - 1] == 0 { length -= 1 }
  }
  let used = min(length, depth)
  guard used <= available else { return nil }

  var hash = FrameHash(seed: seed)
  hash.mix(headers.source.rawValue | UInt64(headers.etherType) << 48, UInt64(truncatingIfNeeded: length))
  let end = start + used
  switch headers.network {
  case .ipv4 where used >= 20:
    // Words of the fixed header, with ECN and the header checksum masked.
    hash.mix(word(bytes, start) & ~0x0300, word(bytes, start + 8) & ~0xffff_0000)
    hash.mix(UInt64(halfWord(bytes, start + 16)))
    mixTransport(&hash, bytes, from: start + 20, to: end, headers)
  case .ipv6 where used >= 40:
    hash.mix(word(bytes, start) & ~0x3000, word(bytes, start + 8))
    hash.mix(word(bytes, start + 16), word(bytes, start + 24))
    hash.mix(word(bytes, start + 32))
    mixTransport(&hash, bytes, from: start + 40, to: end, headers)
  default:
    hash.mix(bytes, from: start, to: end)
  }
  return hash.finished
}

/// Mixes options, transport header and payload, without the transport checksum.
@inline(__always)
private func mixTransport(
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

/// Multiply-and-fold hash over pairs of 64-bit words. Both factors of a product depend on the seed, so that no
/// content can be chosen that makes one of them zero.
private struct FrameHash {
  private var state: UInt64
  private let secret: UInt64

  init(seed: UInt64) {
    secret = FrameHash.fold(seed ^ 0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f) | 1
    state = seed
  }

  @inline(__always)
  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  @inline(__always)
  mutating func mix(_ first: UInt64, _ second: UInt64 = 0) {
    state = FrameHash.fold(first ^ secret, second ^ state) ^ second.byteSwapped
  }

  /// Mixes a byte range. Its length is known from what was mixed before: where it is no multiple of 16, the last
  /// words overlap those before.
  @inline(__always)
  mutating func mix(_ bytes: Span<UInt8>, from: Int, to end: Int) {
    var at = from
    while end - at >= 16 {
      mix(word(bytes, at), word(bytes, at + 8))
      at += 16
    }
    guard at < end else { return }
    if end - from >= 16 {
      mix(word(bytes, end - 16), word(bytes, end - 8))
    } else if end - at >= 8 {
      mix(word(bytes, at), word(bytes, end - 8))
    } else {
      var tail: UInt64 = 0
      while at < end {
        tail = tail << 8 | UInt64(bytes[at])
        at += 1
      }
      mix(tail)
    }
  }

  var finished: UInt64 {
    let value = FrameHash.fold(state ^ 0xe703_7ed1_a0b4_28db, secret ^ 0x8ebc_6af0_9c88_c6e3)
    return value == 0 ? 1 : value
  }
}

/// Eight octets, the first lowest: checked once, and read in one load.
@inline(__always)
private func word(_ bytes: Span<UInt8>, _ at: Int) -> UInt64 {
  let octets = bytes.extracting(at..<at + 8)
  let low = UInt64(octets[0]) | UInt64(octets[1]) &<< 8 | UInt64(octets[2]) &<< 16 | UInt64(octets[3]) &<< 24
  let high = UInt64(octets[4]) &<< 32 | UInt64(octets[5]) &<< 40 | UInt64(octets[6]) &<< 48 | UInt64(octets[7]) &<< 56
  return low | high
}

@inline(__always)
private func halfWord(_ bytes: Span<UInt8>, _ at: Int) -> UInt32 {
  let octets = bytes.extracting(at..<at + 4)
  return UInt32(octets[0]) | UInt32(octets[1]) &<< 8 | UInt32(octets[2]) &<< 16 | UInt32(octets[3]) &<< 24
}
