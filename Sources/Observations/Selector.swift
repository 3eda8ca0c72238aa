import Wire

/// A hash of the header fields by which an IP packet is known everywhere, though its content be changed: addresses,
/// protocol, identification, ports, sequence numbers. 0 for packets that these do not tell apart: IPv4 without
/// identification, IPv6 that is no echo, fragments, and what is no IP.
func selector(_ headers: FrameHeaders) -> UInt32 {
  guard !headers.isFragment else { return 0 }
  let ports = UInt64(headers.sourcePort) << 16 | UInt64(headers.destinationPort)
  let echo = UInt64(headers.icmpIdentifier) << 16 | UInt64(headers.icmpSequence)
  switch headers.network {
  case .ipv4 where headers.identification != 0:
    let sequence = UInt64(headers.tcpSequence)
    return fold(
      headers.sourceAddress.low << 32 | headers.destinationAddress.low & 0xffff_ffff,
      UInt64(headers.identification) << 8 | UInt64(headers.ipProtocol), ports << 32 | sequence ^ echo)
  case .ipv6 where headers.transport == .icmpv6 && (headers.icmpType == 128 || headers.icmpType == 129):
    return fold(
      headers.sourceAddress.low ^ headers.sourceAddress.high, headers.destinationAddress.low ^ headers.destinationAddress.high,
      echo << 8 | UInt64(headers.icmpType))
  default: return 0
  }
}

/// A hash of what switches and NICs tell flows by: addresses, protocol, ports. 0 for fragments and what is no IP.
func innerFlow(_ headers: FrameHeaders) -> UInt16 {
  guard headers.network == .ipv4 || headers.network == .ipv6, !headers.isFragment else { return 0 }
  let hasPorts = headers.transport == .tcp || headers.transport == .udp
  let ports = hasPorts ? UInt64(headers.sourcePort) << 16 | UInt64(headers.destinationPort) : 0
  return UInt16(
    truncatingIfNeeded: fold(
      headers.sourceAddress.low ^ headers.sourceAddress.high, headers.destinationAddress.low ^ headers.destinationAddress.high,
      ports << 8 | UInt64(headers.ipProtocol)) >> 8) | 1
}

@inline(__always)
private func fold(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> UInt32 {
  let first = (a ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: b ^ 0xa076_1d64_78bd_642f)
  let second = (first.high ^ first.low ^ c).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
  return UInt32(truncatingIfNeeded: second.high ^ second.low) | 1
}
