import OpenFlow
import Wire

extension Packet {
  /// A frame of which only the MACs and the kind are known: conditions on the rest may be met or not.
  /// - Parameters:
  ///   - etherType: the ethertype behind its tags.
  ///   - ipProtocol: of IP the protocol, of ARP the operation.
  public init(source: MACAddress, destination: MACAddress, etherType: UInt16, ipProtocol: UInt8) {
    self.init()
    self.source = source
    self.destination = destination
    self.etherType = etherType
    self.ipProtocol = ipProtocol
    let unknown: [Field] =
      if isARP {
        [.arpSenderAddress, .arpTargetAddress, .arpTargetMAC]
      } else if isIP {
        [
          .ipv4Source, .ipv4Destination, .ipv6Source, .ipv6Destination, .ipv6FlowLabel, .ipTTL, .ipTOS,
          .transportSource, .transportDestination, .tcpFlags, .icmpType, .icmpCode, .neighborTarget,
          .neighborSourceMAC, .neighborTargetMAC,
        ]
      } else {
        []
      }
    if isARP { senderMAC = source.rawValue }
    for field in unknown { markUnknown(field) }
  }
}
