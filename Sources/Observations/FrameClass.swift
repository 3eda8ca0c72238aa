import Wire

/// Hash of the address that a frame of ARP or neighbour discovery is about; of other packets, their selector.
func target(_ headers: FrameHeaders) -> UInt32 {
  switch headers.network {
  // A reply speaks of its sender.
  case .arp: headers.arpOperation == 2 ? headers.sourceAddress.shortHash : headers.destinationAddress.shortHash
  case .ipv6 where headers.transport == .icmpv6 && (headers.icmpType == 135 || headers.icmpType == 136):
    headers.neighborTarget.shortHash
  default: selector(headers)
  }
}

/// The class of a frame, from its headers.
func frameClass(_ headers: FrameHeaders) -> Observation.Class {
  switch headers.network {
  case .arp:
    if headers.etherType == 0x8035 { return .rarp }
    return headers.arpOperation == 1 ? .arpRequest : headers.arpOperation == 2 ? .arpReply : .other
  case .ipv4, .ipv6:
    if headers.isFragment, headers.fragmentOffset > 0 { return .fragment }
    // Of a packet whose transport header was cut off, its protocol is known all the same.
    if headers.transport == .none {
      return headers.ipProtocol == IPProtocol.tcp ? .tcp : headers.ipProtocol == IPProtocol.udp ? .udp : .other
    }
    switch headers.transport {
    case .tcp: return .tcp
    case .udp: return .udp
    case .icmp: return headers.icmpType == 8 ? .icmpRequest : headers.icmpType == 0 ? .icmpReply : .other
    case .icmpv6:
      switch headers.icmpType {
      case 128: return .icmpRequest
      case 129: return .icmpReply
      case 135: return .neighborSolicitation
      case 136: return .neighborAdvertisement
      default: return .other
      }
    default: return .other
    }
  default: return .other
  }
}
