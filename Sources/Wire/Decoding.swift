// The contract of every decoder in this room:
//
// - No input traps. Whatever the bytes, the lengths and the link type, decode() returns. All reads go
//   through `Span`, behind a check of the whole header they belong to; lengths taken from the wire
//   are only compared, or subtracted from counts that are known to be larger.
// - No input loops. Each round of a loop over tags or extension headers consumes bytes.
// - Nothing is allocated, thrown or boxed. Why decoding ended is a value, `stop`.
// - What was decoded before the stop stands. A header that is there in its fixed part is kept even if
//   its options are cut or its lengths contradict each other; a header that is not there leaves its
//   fields at their defaults, and its kind (`network`, `transport`, `tunnel.kind`) at `none`.
// - Offsets never lie behind the captured bytes. Lengths are as claimed, and may.
// - Two limits apply to every header: what was captured, and what the frame claims to be. A header
//   that is missing because of the first is `cutByCapture`, because of the second `malformed`, unless
//   the rest travels in another fragment: then it is `cutByCapture` with the packet's own limit.
// - A length field beyond the frame that carries it is `malformed`, yet what is there is decoded on.
//   Empty length fields of TCP and UDP superframes are not a fault.

/// Whether frames of a link type (LINKTYPE_ value) are decoded.
public func isDecoded(linkType: UInt16) -> Bool {
  linkType == LinkType.ethernet || linkType == LinkType.cookedV1 || linkType == LinkType.cookedV2
    || LinkType.isBareIP(linkType)
}

/// Decodes one captured frame.
///
/// All of `frame` is set, save `inner` where no tunnel was opened. A tunnel is opened once: inside the
/// inner frame, further overlay headers are payload. Where a tunnel header was found and `hasInner` is
/// false, `inner.stop` tells why.
/// - Parameters:
///   - bytes: what was captured.
///   - wireLength: how long the frame was on the wire; never less than `bytes.count` is assumed.
///   - linkType: LINKTYPE_ value: 1 Ethernet, 113 Linux cooked v1, 276 Linux cooked v2, and those of bare IP.
///   - tunnels: which UDP ports are opened as overlay, once.
public func decode(
  _ bytes: Span<UInt8>, wireLength: Int, linkType: UInt16, tunnels: TunnelPorts, into frame: inout DecodedFrame
) {
  frame.link = LinkHeader()
  frame.outer = FrameHeaders()
  frame.tunnel = TunnelHeader()
  frame.hasInner = false

  let frameStart = Cursor(wireLength: max(wireLength, bytes.count))
  let network: Cursor?
  switch linkType {
  case 1: network = frame.outer.decodeEthernet(bytes, frameStart)
  case 113: network = frame.decodeCookedV1(bytes, frameStart)
  case 276: network = frame.decodeCookedV2(bytes, frameStart)
  case 0, 12, 14, 101, 108, 228, 229: network = frame.decodeBareIP(bytes, frameStart, linkType: linkType)
  default:
    frame.link.kind = .unsupported
    frame.outer.stop = DecodeStop(reason: .unknownProtocol, limit: .value)
    return
  }
  guard let network, let payload = frame.outer.decodeNetwork(bytes, network),
    let innerStart = frame.openTunnel(bytes, payload, tunnels)
  else { return }

  frame.inner = FrameHeaders()
  guard let innerNetwork = frame.inner.decodeEthernet(bytes, innerStart) else {
    // Cut inside the tags, the addresses are there all the same.
    frame.hasInner = frame.inner.hasDestination
    return
  }
  frame.hasInner = true
  _ = frame.inner.decodeNetwork(bytes, innerNetwork)
}

extension DecodedFrame {
  /// The overlay header behind the outer transport header, if the caller wants such opened.
  @inline(__always)
  mutating func openTunnel(_ bytes: Span<UInt8>, _ cursor: Cursor, _ tunnels: TunnelPorts) -> Cursor? {
    switch outer.transport {
    case .udp:
      let port = outer.destinationPort
      // A port of 0 in `tunnels` stands for none.
      guard port != 0 else { return nil }
      if port == tunnels.vxlan0 || port == tunnels.vxlan1 || port == tunnels.vxlan2 || port == tunnels.vxlan3 {
        return decodeVXLAN(bytes, cursor)
      }
      return port == tunnels.geneve ? decodeGeneve(bytes, cursor) : nil
    case .gre: return tunnels.gre ? decodeGRE(bytes, cursor) : nil
    default: return nil
    }
  }
}
