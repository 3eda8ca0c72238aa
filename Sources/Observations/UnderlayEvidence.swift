import Wire

/// What a capture showed of the underlay itself, between two addresses: counted, with its first frames.
public struct UnderlayEvidence: Sendable {
  public enum Kind: UInt8, Sendable {
    /// A tunnel packet in fragments.
    case fragmented
    /// An ICMP error: a tunnel packet does not fit the next link.
    case tooBig
    /// A received frame whose inner checksum is wrong, or was never finished.
    case wrongChecksum, unfinishedChecksum
    /// A tunnel packet that a host sends or receives, by its outer VLAN.
    case outerVLAN
  }
  public struct Key: Hashable, Sendable {
    public var kind: Kind
    public var point: UInt16
    /// Whose tunnel packets: sender and receiver, as indices into the run's `VTEPTable`.
    public var from: UInt16
    public var to: UInt16
    /// VID of the outermost tag of the outer frame, 0 for none; else 0.
    public var vid: UInt16 = 0
  }
  public var count: UInt64 = 0
  public var first = Int64.max
  public var last = Int64.min
  /// Frame numbers in the capture, as far as `mostFrames`.
  public var frames: [UInt32] = []
  /// Least MTU that an error named, greatest length of a packet in fragments.
  public var octets: UInt32 = 0
  /// Outer MACs of the first such packet.
  public var outerSource = MACAddress.zero
  public var outerDestination = MACAddress.zero

  public static var mostFrames: Int { 1000 }
  /// An attacker may send between any addresses.
  public static var mostKeys: Int { 4096 }

  mutating func add(time: Int64, frame: UInt64) {
    count += 1
    first = min(first, time)
    last = max(last, time)
    if frames.count < UnderlayEvidence.mostFrames { frames.append(UInt32(truncatingIfNeeded: frame)) }
  }
}

/// The packet that an ICMP error quotes, as far as it tells whose it was (RFC 792; RFC 4443, 3.2).
struct QuotedPacket {
  var source: IPAddress
  var destination: IPAddress
  var ipProtocol: UInt8
  var destinationPort: UInt16 = 0
  /// MTU of the next link; 0 where the error does not say.
  var mtu: UInt32

  /// Nil where the frame is no "fragmentation needed" (RFC 1191) or "packet too big", or quotes too little.
  init?(_ bytes: Span<UInt8>, _ headers: FrameHeaders) {
    let isV4 = headers.transport == .icmp && headers.icmpType == 3 && headers.icmpCode == 4
    let isV6 = headers.transport == .icmpv6 && headers.icmpType == 2
    let icmp = Int(headers.transportOffset)
    let start = icmp + 8
    let length = isV4 ? 20 : 40
    guard isV4 || isV6, icmp > 0, bytes.count - start >= length + 4, bytes[start] >> 4 == (isV4 ? 4 : 6) else {
      return nil
    }
    func octets(_ at: Int, _ count: Int) -> UInt64 {
      var value: UInt64 = 0
      for index in at..<(at + count) { value = value << 8 | UInt64(bytes[index]) }
      return value
    }
    var transport = start + length
    if isV4 {
      mtu = UInt32(octets(icmp + 6, 2))
      transport = start + Int(bytes[start] & 0x0f) * 4
      ipProtocol = bytes[start + 9]
      source = IPAddress(v4: UInt32(octets(start + 12, 4)))
      destination = IPAddress(v4: UInt32(octets(start + 16, 4)))
    } else {
      mtu = UInt32(octets(icmp + 4, 4))
      ipProtocol = bytes[start + 6]
      source = IPAddress(v6High: octets(start + 8, 8), low: octets(start + 16, 8))
      destination = IPAddress(v6High: octets(start + 24, 8), low: octets(start + 32, 8))
    }
    if ipProtocol == IPProtocol.udp, bytes.count - transport >= 4 {
      destinationPort = UInt16(octets(transport + 2, 2))
    }
  }
}
