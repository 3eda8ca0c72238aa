/// Builds frames from the outside in, with right lengths and checksums.
///
///     var frame = FrameBuilder()
///     frame.ethernet(to: b, from: a)
///     frame.tag(VLANTag(tpid: EtherType.vlan, tci: 7))
///     frame.ipv4(from: x, to: y) {
///       $0.udp(from: 49152, to: 4789, hasChecksum: false) {
///         $0.vxlan(vni: 57)
///         $0.append(inner)
///       }
///     }
///     frame.bytes
///
/// A header fills in the ethertype or protocol number of the one before it, and closes its own length
/// and checksum when its content is complete. Lengths that do not fit their field are written as 0,
/// as superframes have them.
public struct FrameBuilder: Sendable {
  public private(set) var bytes: [UInt8] = []
  /// Offset of an ethertype, and of a protocol number, that the next header fills in.
  private var typeField: Int?
  private var protocolField: Int?
  /// Offset of the IP header around what is being built, for pseudo headers.
  private var ipHeader: Int?

  public init() {}

  // MARK: Octets

  public mutating func append(_ octets: some Sequence<UInt8>) { bytes.append(contentsOf: octets) }

  public mutating func append(_ value: UInt8) { bytes.append(value) }

  /// Appends in network byte order.
  public mutating func append(_ value: UInt16) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  public mutating func append(_ value: UInt32) {
    append(UInt16(truncatingIfNeeded: value >> 16))
    append(UInt16(truncatingIfNeeded: value))
  }

  public mutating func append(_ address: MACAddress) {
    append(UInt16(truncatingIfNeeded: address.rawValue >> 32))
    append(UInt32(truncatingIfNeeded: address.rawValue))
  }

  /// 4 octets of an IPv4 address, 16 of an IPv6 address, none of no address.
  public mutating func append(_ address: IPAddress) {
    switch address.family {
    case .none: break
    case .v4: append(UInt32(truncatingIfNeeded: address.low))
    case .v6:
      append(UInt32(truncatingIfNeeded: address.high >> 32))
      append(UInt32(truncatingIfNeeded: address.high))
      append(UInt32(truncatingIfNeeded: address.low >> 32))
      append(UInt32(truncatingIfNeeded: address.low))
    }
  }

  /// Appends zeros up to a length, as senders do to the least length of an Ethernet frame (60).
  public mutating func pad(to length: Int) {
    while bytes.count < length { bytes.append(0) }
  }

  private mutating func set(_ value: UInt16, at offset: Int) {
    bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  private func fieldValue(_ length: Int) -> UInt16 { UInt16(exactly: length) ?? 0 }

  // MARK: Link layer

  /// Ethernet II header; the ethertype follows from what comes next, or from `type`.
  public mutating func ethernet(to destination: MACAddress, from source: MACAddress) {
    append(destination)
    append(source)
    typeField = bytes.count
    append(0 as UInt16)
  }

  /// A VLAN tag behind the Ethernet header or another tag.
  public mutating func tag(_ tag: VLANTag) {
    type(tag.tpid)
    append(tag.tci)
    typeField = bytes.count
    append(0 as UInt16)
  }

  /// Fills in the ethertype (or 802.3 length) of the header before.
  public mutating func type(_ etherType: UInt16) {
    if let field = typeField { set(etherType, at: field) }
    typeField = nil
  }

  /// ARP for Ethernet and IPv4 (RFC 826). Operation: 1 request, 2 reply.
  public mutating func arp(
    operation: UInt16, senderMAC: MACAddress, sender: IPAddress, targetMAC: MACAddress, target: IPAddress
  ) {
    type(EtherType.arp)
    append(1 as UInt16)
    append(EtherType.ipv4)
    append(6 as UInt8)
    append(4 as UInt8)
    append(operation)
    append(senderMAC)
    append(UInt32(truncatingIfNeeded: sender.low))
    append(targetMAC)
    append(UInt32(truncatingIfNeeded: target.low))
  }

  // MARK: IP

  /// The parts of an IP header that are seldom given. Of IPv6, traffic class and hop limit.
  public struct IPFields: Sendable {
    public var trafficClass: UInt8 = 0
    public var hopLimit: UInt8 = 64
    public var identification: UInt16 = 0
    public var dontFragment = false
    public var moreFragments = false
    /// In octets, a multiple of 8.
    public var fragmentOffset: UInt16 = 0
    /// IPv4 options; padded to a multiple of four octets, 40 at most.
    public var options: [UInt8] = []

    public init() {}
  }

  /// IPv4 header and what it carries (RFC 791).
  public mutating func ipv4(
    from source: IPAddress, to destination: IPAddress, fields: IPFields = IPFields(),
    _ content: (inout FrameBuilder) -> Void
  ) {
    type(EtherType.ipv4)
    let start = bytes.count
    let optionsLength = min(40, (fields.options.count + 3) / 4 * 4)
    append(UInt8(truncatingIfNeeded: 0x45 + optionsLength / 4))
    append(fields.trafficClass)
    append(0 as UInt16)
    append(fields.identification)
    append((fields.dontFragment ? 0x4000 : 0) | (fields.moreFragments ? 0x2000 : 0) | fields.fragmentOffset >> 3)
    append(fields.hopLimit)
    let protocolOffset = bytes.count
    append(0 as UInt8)
    append(0 as UInt16)
    append(UInt32(truncatingIfNeeded: source.low))
    append(UInt32(truncatingIfNeeded: destination.low))
    append(fields.options.prefix(40))
    pad(to: start + 20 + optionsLength)
    carry(inIPHeaderAt: start, protocolAt: protocolOffset, content)
    set(fieldValue(bytes.count - start), at: start + 2)
    var checksum = InternetChecksum()
    checksum.add(bytes.span.extracting(start..<(start + 20 + optionsLength)))
    set(checksum.value, at: start + 10)
  }

  /// IPv6 header and what it carries (RFC 8200).
  public mutating func ipv6(
    from source: IPAddress, to destination: IPAddress, fields: IPFields = IPFields(),
    _ content: (inout FrameBuilder) -> Void
  ) {
    type(EtherType.ipv6)
    let start = bytes.count
    append(0x6000_0000 | UInt32(fields.trafficClass) << 20)
    append(0 as UInt16)
    let protocolOffset = bytes.count
    append(IPProtocol.none)
    append(fields.hopLimit)
    append(IPAddress(v6High: source.high, low: source.low))
    append(IPAddress(v6High: destination.high, low: destination.low))
    carry(inIPHeaderAt: start, protocolAt: protocolOffset, content)
    set(fieldValue(bytes.count - start - 40), at: start + 4)
  }

  private mutating func carry(
    inIPHeaderAt start: Int, protocolAt protocolOffset: Int, _ content: (inout FrameBuilder) -> Void
  ) {
    let outer = ipHeader
    ipHeader = start
    protocolField = protocolOffset
    content(&self)
    protocolField = nil
    ipHeader = outer
  }

  /// Fills in the protocol number of the IP or extension header before.
  public mutating func ipProtocol(_ number: UInt8) {
    if let field = protocolField { bytes[field] = number }
    protocolField = nil
  }

  /// An IPv6 extension header of six octets and any number of eights; shorter content is padded with
  /// zeros. A fragment header (44) holds offset and flags (2 octets) and identification (4).
  public mutating func ipv6Extension(_ number: UInt8, _ content: [UInt8] = []) {
    ipProtocol(number)
    let start = bytes.count
    protocolField = start
    append(IPProtocol.none)
    append(0 as UInt8)
    append(content)
    pad(to: start + (content.count + 9) / 8 * 8)
    let length = bytes.count - start
    if number != 44 { bytes[start + 1] = UInt8(truncatingIfNeeded: number == 51 ? length / 4 - 2 : length / 8 - 1) }
  }

  // MARK: Transport

  /// UDP header and what it carries (RFC 768).
  public mutating func udp(
    from source: UInt16, to destination: UInt16, hasChecksum: Bool = true,
    _ content: (inout FrameBuilder) -> Void = { _ in }
  ) {
    ipProtocol(IPProtocol.udp)
    let start = bytes.count
    append(source)
    append(destination)
    append(0 as UInt16)
    append(0 as UInt16)
    content(&self)
    set(fieldValue(bytes.count - start), at: start + 4)
    guard hasChecksum else { return }
    let checksum = pseudoHeaderChecksum(IPProtocol.udp, from: start)
    // A checksum of zero means none.
    set(checksum == 0 ? 0xffff : checksum, at: start + 6)
  }

  /// TCP header and what it carries (RFC 9293). Options are padded to a multiple of four octets, 40 at most.
  public mutating func tcp(
    from source: UInt16, to destination: UInt16, sequence: UInt32 = 0, acknowledgment: UInt32 = 0,
    flags: UInt8 = 0x10, window: UInt16 = 0xffff, options: [UInt8] = [],
    _ content: (inout FrameBuilder) -> Void = { _ in }
  ) {
    ipProtocol(IPProtocol.tcp)
    let start = bytes.count
    let optionsLength = min(40, (options.count + 3) / 4 * 4)
    append(source)
    append(destination)
    append(sequence)
    append(acknowledgment)
    append(UInt8(truncatingIfNeeded: (5 + optionsLength / 4) << 4))
    append(flags)
    append(window)
    append(0 as UInt32)
    append(options.prefix(40))
    pad(to: start + 20 + optionsLength)
    content(&self)
    set(pseudoHeaderChecksum(IPProtocol.tcp, from: start), at: start + 16)
  }

  /// ICMP message (RFC 792). `rest` is its second word: of echoes, identifier and sequence.
  public mutating func icmp(
    type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, _ content: (inout FrameBuilder) -> Void = { _ in }
  ) {
    ipProtocol(IPProtocol.icmp)
    let start = bytes.count
    appendICMP(type: type, code: code, rest: rest, content)
    var checksum = InternetChecksum()
    checksum.add(bytes.span.extracting(droppingFirst: start))
    set(checksum.value, at: start + 2)
  }

  /// ICMPv6 message (RFC 4443). A neighbour solicitation is type 135 with the target address as content.
  public mutating func icmpv6(
    type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, _ content: (inout FrameBuilder) -> Void = { _ in }
  ) {
    ipProtocol(IPProtocol.icmpv6)
    let start = bytes.count
    appendICMP(type: type, code: code, rest: rest, content)
    set(pseudoHeaderChecksum(IPProtocol.icmpv6, from: start), at: start + 2)
  }

  private mutating func appendICMP(
    type: UInt8, code: UInt8, rest: UInt32, _ content: (inout FrameBuilder) -> Void
  ) {
    append(type)
    append(code)
    append(0 as UInt16)
    append(rest)
    content(&self)
  }

  /// Checksum of everything from `start` on, whose checksum field is still zero, and of the pseudo
  /// header of the IP header around it. Without one, only of the content.
  private func pseudoHeaderChecksum(_ number: UInt8, from start: Int) -> UInt16 {
    var checksum = InternetChecksum()
    if let ipHeader {
      let isIPv6 = bytes[ipHeader] >> 4 == 6
      checksum.add(bytes.span.extracting((ipHeader + (isIPv6 ? 8 : 12))..<(ipHeader + (isIPv6 ? 40 : 20))))
      checksum.add(UInt32(truncatingIfNeeded: bytes.count - start))
      checksum.add(UInt16(number))
    }
    checksum.add(bytes.span.extracting(droppingFirst: start))
    return checksum.value
  }

  // MARK: Overlay

  /// VXLAN header (RFC 7348); an Ethernet frame follows. The upper octet of `vni` is not carried.
  public mutating func vxlan(vni: UInt32, flags: UInt8 = 0x08) {
    append(UInt32(flags) << 24)
    append(vni << 8)
  }

  /// GRE header (RFC 2784, RFC 2890) and the Ethernet frame that it carries.
  public mutating func gre(
    key: UInt32? = nil, sequence: UInt32? = nil, hasChecksum: Bool = false, _ content: (inout FrameBuilder) -> Void
  ) {
    ipProtocol(IPProtocol.gre)
    let start = bytes.count
    append((hasChecksum ? 0x8000 : 0) | (key == nil ? 0 : 0x2000) | (sequence == nil ? 0 : 0x1000) as UInt16)
    append(EtherType.bridging)
    if hasChecksum { append(0 as UInt32) }
    if let key { append(key) }
    if let sequence { append(sequence) }
    content(&self)
    guard hasChecksum else { return }
    var checksum = InternetChecksum()
    checksum.add(bytes.span.extracting(droppingFirst: start))
    set(checksum.value, at: start + 4)
  }

  /// Geneve header (RFC 8926); an Ethernet frame follows. Options are padded to a multiple of four
  /// octets, 252 at most.
  public mutating func geneve(vni: UInt32, flags: UInt8 = 0, options: [UInt8] = []) {
    let optionsLength = min(252, (options.count + 3) / 4 * 4)
    append(UInt8(truncatingIfNeeded: optionsLength / 4))
    append(flags)
    append(EtherType.bridging)
    append(vni << 8)
    let start = bytes.count
    append(options.prefix(252))
    pad(to: start + optionsLength)
  }
}
