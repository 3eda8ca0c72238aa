import Datapath
import Deployment
import Wire

/// The kind of frame that `trace` sends.
public enum TraceProtocol: String, CaseIterable, Sendable {
  case arp, icmp, icmp6, nd, tcp, udp
  /// An ethertype for experiments (0x88b5), for which no flow is special.
  case ethernet
}

/// One end of a traced exchange.
struct TraceParty: Sendable {
  /// How the trace names it.
  var name: String
  var mac: MACAddress
  var ipv4: IPAddress?
  var ipv6: IPAddress?

  func address(_ kind: TraceProtocol) -> IPAddress? {
    switch kind {
    case .arp, .icmp: ipv4
    case .icmp6, .nd: ipv6
    case .tcp, .udp, .ethernet: ipv4 ?? ipv6
    }
  }
}

/// The frames of an exchange between two parties: requests of the first and answers of the second.
struct TraceExchange: Sendable {
  var kind: TraceProtocol
  var sender: TraceParty
  var receiver: TraceParty
  var sourcePort: UInt16 = 49152
  var destinationPort: UInt16
  /// The guest's own tags, outermost first.
  var vlans: [UInt16] = []
  /// Destination MAC of requests, where it is not the receiver's.
  var destination: MACAddress?

  /// The frame with a number from 0: the even ones go there, the odd ones back.
  func frame(_ number: Int) -> FabricFrame {
    let isAnswer = number % 2 == 1
    let (from, to) = isAnswer ? (receiver, sender) : (sender, receiver)
    let sequence = UInt16(truncatingIfNeeded: number / 2 + 1)
    var builder = FrameBuilder()
    builder.ethernet(to: target(isAnswer), from: from.mac)
    for vid in vlans { builder.tag(VLANTag(tpid: EtherType.vlan, tci: vid)) }
    let source = from.address(kind) ?? .none
    let destination = to.address(kind) ?? .none
    switch kind {
    case .arp:
      builder.arp(
        operation: isAnswer ? 2 : 1, senderMAC: from.mac, sender: source, targetMAC: isAnswer ? to.mac : .zero,
        target: destination)
    case .nd:
      // RFC 4861: solicitations go to the solicited-node group of the target.
      let target = isAnswer ? source : destination
      var fields = FrameBuilder.IPFields()
      fields.hopLimit = 255
      builder.ipv6(from: source, to: isAnswer ? destination : TraceExchange.group(of: destination), fields: fields) {
        $0.icmpv6(type: isAnswer ? 136 : 135, rest: isAnswer ? 0x6000_0000 : 0) {
          $0.append(target)
          $0.append([isAnswer ? 2 : 1, 1] as [UInt8])
          $0.append(from.mac)
        }
      }
    case .icmp:
      builder.ipv4(from: source, to: destination) {
        $0.icmp(type: isAnswer ? 0 : 8, rest: 0x0001_0000 | UInt32(sequence)) { $0.append([UInt8](repeating: 0, count: 56)) }
      }
    case .icmp6:
      builder.ipv6(from: source, to: destination) {
        $0.icmpv6(type: isAnswer ? 129 : 128, rest: 0x0001_0000 | UInt32(sequence)) {
          $0.append([UInt8](repeating: 0, count: 56))
        }
      }
    case .tcp, .udp:
      let ports = isAnswer ? (destinationPort, sourcePort) : (sourcePort, destinationPort)
      let content: (inout FrameBuilder) -> Void = { builder in
        if kind == .udp {
          builder.udp(from: ports.0, to: ports.1) { $0.append([UInt8](repeating: 0, count: 26)) }
        } else {
          // The handshake, then data.
          let flags: UInt8 = number == 0 ? 0x02 : number == 1 ? 0x12 : 0x10
          builder.tcp(from: ports.0, to: ports.1, sequence: UInt32(sequence), flags: flags)
        }
      }
      if source.family == .v6 {
        builder.ipv6(from: source, to: destination, content)
      } else {
        builder.ipv4(from: source, to: destination, content)
      }
    case .ethernet: builder.type(0x88b5)
    }
    builder.pad(to: 60)
    return FabricFrame(builder.bytes)
  }

  private func target(_ isAnswer: Bool) -> MACAddress {
    if isAnswer { return sender.mac }
    if let destination { return destination }
    switch kind {
    case .arp: return .broadcast
    case .nd:
      let address = TraceExchange.group(of: receiver.ipv6 ?? .none)
      return MACAddress(rawValue: 0x3333_0000_0000 | address.low & 0xffff_ffff)
    default: return receiver.mac
    }
  }

  /// The solicited-node group of an address (RFC 4291, 2.7.1).
  private static func group(of address: IPAddress) -> IPAddress {
    IPAddress(v6High: 0xff02_0000_0000_0000, low: 0x0000_0001_ff00_0000 | address.low & 0xff_ffff)
  }

  /// `test sends test2 an ICMP echo request`.
  func title(_ number: Int) -> String {
    let isAnswer = number % 2 == 1
    let (from, to) = isAnswer ? (receiver.name, sender.name) : (sender.name, receiver.name)
    let what =
      switch kind {
      case .arp: isAnswer ? "an ARP answer" : "an ARP request"
      case .nd: isAnswer ? "a neighbour advertisement" : "a neighbour solicitation"
      case .icmp: isAnswer ? "an ICMP echo answer" : "an ICMP echo request"
      case .icmp6: isAnswer ? "an ICMPv6 echo answer" : "an ICMPv6 echo request"
      case .tcp: number == 0 ? "a TCP SYN" : number == 1 ? "a TCP SYN-ACK" : "a TCP segment"
      case .udp: "a UDP datagram"
      case .ethernet: "a frame of ethertype 0x88b5"
      }
    return "\(from) sends \(to) \(what)"
  }
}

/// A frame in the words of flow text.
func flowText(_ frame: FabricFrame, port: String, outer: OuterHeader?) -> String {
  var decoded = DecodedFrame()
  var closed = TunnelPorts()
  closed.vxlan0 = 0
  closed.geneve = 0
  closed.gre = false
  decode(frame.bytes.span, wireLength: frame.wireLength, linkType: 1, tunnels: closed, into: &decoded)
  let headers = decoded.outer
  var parts: [String] = []
  if let outer {
    parts.append("tun_id=\(outer.tunnelID.map { "0x" + String($0, radix: 16) } ?? "none")")
    parts.append("tun_src=\(outer.source),tun_dst=\(outer.destination)")
  }
  if !port.isEmpty { parts.append("in_port=\"\(port)\"") }
  let isV6 = headers.network == .ipv6
  switch (headers.network, headers.transport) {
  case (.arp, _): parts.append(headers.etherType == EtherType.reverseARP ? "rarp" : "arp")
  case (.ipv4, .tcp), (.ipv6, .tcp): parts.append(isV6 ? "tcp6" : "tcp")
  case (.ipv4, .udp), (.ipv6, .udp): parts.append(isV6 ? "udp6" : "udp")
  case (.ipv4, .icmp): parts.append("icmp")
  case (.ipv6, .icmpv6): parts.append("icmp6")
  case (.ipv4, _): parts.append("ip,nw_proto=\(headers.ipProtocol)")
  case (.ipv6, _): parts.append("ipv6,nw_proto=\(headers.ipProtocol)")
  default: parts.append("dl_type=0x\(String(headers.etherType, radix: 16))")
  }
  for index in 0..<headers.tags.held { parts.append("dl_vlan\(index == 0 ? "" : "\(index + 1)")=\(headers.tags[index].vid)") }
  parts.append("dl_src=\(headers.source),dl_dst=\(headers.destination)")
  switch headers.network {
  case .arp:
    parts.append("arp_spa=\(headers.sourceAddress),arp_tpa=\(headers.destinationAddress),arp_op=\(headers.arpOperation)")
    parts.append("arp_sha=\(headers.arpSenderMAC),arp_tha=\(headers.arpTargetMAC)")
  case .ipv4: parts.append("nw_src=\(headers.sourceAddress),nw_dst=\(headers.destinationAddress),nw_ttl=\(headers.hopLimit)")
  case .ipv6: parts.append("ipv6_src=\(headers.sourceAddress),ipv6_dst=\(headers.destinationAddress)")
  default: break
  }
  switch headers.transport {
  case .tcp, .udp: parts.append("tp_src=\(headers.sourcePort),tp_dst=\(headers.destinationPort)")
  case .icmp, .icmpv6: parts.append("icmp_type=\(headers.icmpType),icmp_code=\(headers.icmpCode)")
  default: break
  }
  return parts.joined(separator: ",")
}
