/// The Internet checksum (RFC 1071) over pieces of a packet. Every piece but the last must have an
/// even number of octets.
public struct InternetChecksum: Sendable, BitwiseCopyable {
  private var sum: UInt64 = 0

  public init() {}

  public mutating func add(_ bytes: Span<UInt8>) {
    // 32 bits at a time: one's complement sums of any word width fold to the same 16 bits.
    var rest = bytes
    while rest.count >= 4 {
      add(rest.uint32(0))
      rest = rest.extracting(droppingFirst: 4)
    }
    if rest.count >= 2 {
      add(rest.uint16(0))
      rest = rest.extracting(droppingFirst: 2)
    }
    if rest.count == 1 { add(UInt16(rest[0]) << 8) }
  }

  /// Adds a value in host byte order, as it stands on the wire in network byte order.
  @inline(__always)
  public mutating func add(_ value: UInt32) {
    let (result, carry) = sum.addingReportingOverflow(UInt64(value))
    sum = carry ? result &+ 1 : result
  }

  public mutating func add(_ value: UInt16) { add(UInt32(value)) }

  /// Adds an address of either family.
  public mutating func add(_ address: IPAddress) {
    add(UInt32(truncatingIfNeeded: address.high >> 32))
    add(UInt32(truncatingIfNeeded: address.high))
    add(UInt32(truncatingIfNeeded: address.low >> 32))
    add(UInt32(truncatingIfNeeded: address.low))
  }

  /// The one's complement sum. 0xffff over data that holds its own right checksum.
  public var folded: UInt16 {
    var value = sum
    while value > 0xffff { value = (value & 0xffff) + (value >> 16) }
    return UInt16(truncatingIfNeeded: value)
  }

  /// What a checksum field holds: the complement of the sum.
  public var value: UInt16 { ~folded }
}

/// What can be said of a checksum.
public enum ChecksumState: UInt8, Sendable, BitwiseCopyable {
  case correct
  /// The field holds the sum of the pseudo header alone, for a device to finish (checksum offload):
  /// ordinary in captures at the sender.
  case unfinished
  case wrong
  /// A UDP checksum of zero: none was computed (RFC 768; for tunnels over IPv6, RFC 6935).
  case absent
  /// Cut by the capture, a fragment, a length that contradicts the frame, a destination that a
  /// routing header will change, or a protocol without a checksum that is known here.
  case uncheckable
}

extension FrameHeaders {
  /// Checks the IPv4 header checksum (RFC 791, 3.1).
  /// - Parameter bytes: the captured bytes that these headers were decoded from.
  public func ipv4HeaderChecksum(in bytes: Span<UInt8>) -> ChecksumState {
    let start = Int(networkOffset)
    guard network == .ipv4, start < bytes.count else { return .uncheckable }
    let length = Int(bytes[start] & 0x0f) * 4
    guard length >= 20, length <= bytes.count - start else { return .uncheckable }
    var checksum = InternetChecksum()
    checksum.add(bytes.extracting(start..<(start + length)))
    return checksum.folded == 0xffff ? .correct : .wrong
  }

  /// Checks the checksum of the TCP, UDP, ICMP or ICMPv6 packet (RFC 9293, 768, 792, 4443; pseudo
  /// header of IPv6: RFC 8200, 8.1).
  /// - Parameter bytes: the captured bytes that these headers were decoded from.
  public func transportChecksum(in bytes: Span<UInt8>) -> ChecksumState {
    let fieldOffset: Int
    switch transport {
    case .udp: fieldOffset = 6
    case .tcp: fieldOffset = 16
    case .icmp, .icmpv6: fieldOffset = 2
    default: return .uncheckable
    }
    let start = Int(transportOffset)
    guard !isFragment, stop.reason != .malformed, start <= bytes.count, bytes.count - start >= fieldOffset + 2 else {
      return .uncheckable
    }
    let field = bytes.extracting(droppingFirst: start + fieldOffset).uint16(0)
    if transport == .udp && field == 0 { return .absent }

    let headersLength = start - Int(networkOffset)
    guard headersLength >= 0, headersLength <= Int(networkLength) else { return .uncheckable }
    var length = Int(networkLength) - headersLength
    if transport == .udp && udpLength != 0 {
      guard Int(udpLength) <= length else { return .uncheckable }
      length = Int(udpLength)
    }
    guard length >= fieldOffset + 2, length <= bytes.count - start, !hasPendingRoute(in: bytes) else {
      return .uncheckable
    }

    var checksum = InternetChecksum()
    if transport != .icmp {
      checksum.add(sourceAddress)
      checksum.add(destinationAddress)
      checksum.add(UInt32(truncatingIfNeeded: length))
      checksum.add(UInt16(ipProtocol))
    }
    let pseudoHeader = checksum.folded
    checksum.add(bytes.extracting(start..<(start + length)))
    if checksum.folded == 0xffff { return .correct }
    return transport != .icmp && field == pseudoHeader ? .unfinished : .wrong
  }

  /// Whether an IPv6 routing header has segments left: the pseudo header then holds the final
  /// destination, which is not in the fixed header.
  private func hasPendingRoute(in bytes: Span<UInt8>) -> Bool {
    guard network == .ipv6 else { return false }
    let end = min(Int(transportOffset), bytes.count)
    var at = Int(networkOffset) + 40
    guard at <= end else { return false }
    var next = bytes[Int(networkOffset) + 6]
    while end - at >= 8 {
      if next == 43 && bytes[at + 3] != 0 { return true }
      let length = FrameHeaders.extensionLength(next, octet: bytes[at + 1])
      next = bytes[at]
      guard length <= end - at else { return false }
      at += length
    }
    return false
  }
}
