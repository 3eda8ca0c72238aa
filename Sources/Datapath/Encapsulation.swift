import Deployment
import Wire

/// What a host puts around the frames of its tunnels beside addresses and key (lib/netdev-native-tnl.c).
public struct Encapsulation: Hashable, Sendable {
  public var sourceMAC: MACAddress
  public var destinationMAC: MACAddress
  /// `options:ttl`; 64 unless given.
  public var ttl: UInt8 = 64
  public var trafficClass: UInt8 = 0
  /// `options:df_default`.
  public var dontFragment = true
  /// `options:csum`: a checksum over the outer UDP packet, or over GRE.
  public var hasChecksum = false

  public init(sourceMAC: MACAddress, destinationMAC: MACAddress) {
    self.sourceMAC = sourceMAC
    self.destinationMAC = destinationMAC
  }

  /// Takes over what a tunnel port's `Interface.options` say.
  public mutating func apply(_ options: [String: String]) {
    if let text = options["ttl"], let value = UInt8(text), value > 0 { ttl = value }
    if let text = options["tos"], let value = UInt8(text) { trafficClass = value }
    if options["df_default"] == "false" { dontFragment = false }
    if let text = options["csum"] { hasChecksum = text == "true" }
  }

  /// The whole packet as the underlay carries it. A frame that the capture cut is cut here too.
  public func packet(around frame: FabricFrame, _ outer: OuterHeader) -> FabricFrame {
    var inner = frame.bytes
    // Lengths speak of the whole frame. Bounded: nothing longer fits in an IP packet.
    let missing = max(0, min(frame.wireLength, 0xffff) - inner.count)
    inner += [UInt8](repeating: 0, count: missing)
    var fields = FrameBuilder.IPFields()
    fields.hopLimit = ttl
    fields.trafficClass = trafficClass
    fields.dontFragment = dontFragment
    let key = outer.tunnelID.map { UInt32(truncatingIfNeeded: $0) }
    let source = Encapsulation.sourcePort(of: frame)
    // Over IPv6, Open vSwitch always computes the UDP checksum.
    let sums = hasChecksum || outer.destination.family == .v6
    var builder = FrameBuilder()
    builder.ethernet(to: destinationMAC, from: sourceMAC)
    let content: (inout FrameBuilder) -> Void = { builder in
      switch outer.kind {
      case .gre: builder.gre(key: key, hasChecksum: hasChecksum) { $0.append(inner) }
      case .vxlan:
        builder.udp(from: source, to: outer.destinationPort, hasChecksum: sums) {
          $0.vxlan(vni: key ?? 0)
          $0.append(inner)
        }
      case .geneve:
        builder.udp(from: source, to: outer.destinationPort, hasChecksum: sums) {
          $0.geneve(vni: key ?? 0)
          $0.append(inner)
        }
      }
    }
    if outer.destination.family == .v6 {
      builder.ipv6(from: outer.source, to: outer.destination, fields: fields, content)
    } else {
      builder.ipv4(from: outer.source, to: outer.destination, fields: fields, content)
    }
    let whole = builder.bytes
    return FabricFrame(Array(whole.prefix(whole.count - missing)), wireLength: whole.count - inner.count + frame.wireLength)
  }

  /// The same for all frames of an inner flow, between 32768 and 60999 as Open vSwitch's is.
  private static func sourcePort(of frame: FabricFrame) -> UInt16 {
    let headers = frame.headers
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ word: UInt64, _ hash: inout UInt64) { hash = (hash ^ word) &* 0x0000_0100_0000_01b3 ^ (hash >> 29) }
    if headers.network == .ipv4 || headers.network == .ipv6 {
      for address in [headers.sourceAddress, headers.destinationAddress] {
        add(address.high, &hash)
        add(address.low, &hash)
      }
      add(UInt64(headers.ipProtocol), &hash)
      // Fragments of one packet stay together.
      if !headers.isFragment { add(UInt64(headers.sourcePort) << 16 | UInt64(headers.destinationPort), &hash) }
    } else {
      add(headers.source.rawValue, &hash)
      add(headers.destination.rawValue, &hash)
      add(UInt64(headers.etherType), &hash)
    }
    hash ^= hash >> 32
    return 32768 + UInt16(truncatingIfNeeded: (hash & 0xffff_ffff) &* 28232 >> 32)
  }
}
