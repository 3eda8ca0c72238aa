/// How the text of a field's value is written.
enum ValueFormat: UInt8 {
  case integer, mac, ipv4, ipv6, port, connectionState, tcpFlags, tunnelFlags, fragment
  /// `dl_vlan`, `vlan_vid`, `vlan_pcp` and their kin, which all speak of one TCI.
  case vlanVID, vlanPCP
}

/// What a field's name in flow text stands for.
struct FieldSpelling {
  var field: Field
  var format: ValueFormat
  /// Where the named bits lie in `field`.
  var shift: UInt8
  /// The bits that the name covers, in `field`'s position.
  var bits: UInt128

  init(_ field: Field, _ format: ValueFormat, shift: UInt8 = 0, bits: UInt128? = nil) {
    self.field = field
    self.format = format
    self.shift = shift
    self.bits = bits ?? field.allBits
  }

  var width: UInt8 {
    let used = bits >> UInt128(shift)
    return UInt8(truncatingIfNeeded: 128 - used.leadingZeroBitCount)
  }
}

/// Every name, short, NXM or OXM, under which flow text refers to a field (ovs-fields(7), lib/meta-flow.h).
enum FieldNames {
  static let table: [String: FieldSpelling] = {
    var table: [String: FieldSpelling] = [:]
    func add(_ spelling: FieldSpelling, _ names: String...) {
      for name in names { table[name] = spelling }
    }
    add(.init(.tunnelID, .integer), "tun_id", "tunnel_id", "NXM_NX_TUN_ID", "OXM_OF_TUNNEL_ID")
    add(.init(.tunnelSource, .ipv4), "tun_src", "NXM_NX_TUN_IPV4_SRC")
    add(.init(.tunnelDestination, .ipv4), "tun_dst", "NXM_NX_TUN_IPV4_DST")
    add(.init(.tunnelSource6, .ipv6), "tun_ipv6_src", "NXM_NX_TUN_IPV6_SRC")
    add(.init(.tunnelDestination6, .ipv6), "tun_ipv6_dst", "NXM_NX_TUN_IPV6_DST")
    add(.init(.tunnelFlags, .tunnelFlags), "tun_flags", "NXM_NX_TUN_FLAGS")
    add(.init(.tunnelGBPID, .integer), "tun_gbp_id", "NXM_NX_TUN_GBP_ID")
    add(.init(.tunnelGBPFlags, .integer), "tun_gbp_flags", "NXM_NX_TUN_GBP_FLAGS")
    add(.init(.inPort, .port), "in_port_oxm", "OXM_OF_IN_PORT")
    add(.init(.inPort, .port, bits: 0xffff), "in_port", "NXM_OF_IN_PORT")
    add(.init(.packetMark, .integer), "pkt_mark", "NXM_NX_PKT_MARK")
    add(.init(.connectionState, .connectionState), "ct_state", "NXM_NX_CT_STATE")
    add(.init(.connectionZone, .integer), "ct_zone", "NXM_NX_CT_ZONE")
    add(.init(.connectionMark, .integer), "ct_mark", "NXM_NX_CT_MARK")
    add(.init(.connectionLabel, .integer), "ct_label", "NXM_NX_CT_LABEL")
    add(.init(.connectionSource, .ipv4), "ct_nw_src", "NXM_NX_CT_NW_SRC")
    add(.init(.connectionDestination, .ipv4), "ct_nw_dst", "NXM_NX_CT_NW_DST")
    add(.init(.connectionSource6, .ipv6), "ct_ipv6_src", "NXM_NX_CT_IPV6_SRC")
    add(.init(.connectionDestination6, .ipv6), "ct_ipv6_dst", "NXM_NX_CT_IPV6_DST")
    add(.init(.connectionProtocol, .integer), "ct_nw_proto", "NXM_NX_CT_NW_PROTO")
    add(.init(.connectionTransportSource, .integer), "ct_tp_src", "NXM_NX_CT_TP_SRC")
    add(.init(.connectionTransportDestination, .integer), "ct_tp_dst", "NXM_NX_CT_TP_DST")
    add(.init(.conjunctionID, .integer), "conj_id", "NXM_NX_CONJ_ID")
    add(.init(.metadata, .integer), "metadata", "OXM_OF_METADATA")
    addRegisters(to: &table)
    add(.init(.ethernetSource, .mac), "dl_src", "eth_src", "NXM_OF_ETH_SRC", "OXM_OF_ETH_SRC")
    add(.init(.ethernetDestination, .mac), "dl_dst", "eth_dst", "NXM_OF_ETH_DST", "OXM_OF_ETH_DST")
    add(.init(.etherType, .integer), "dl_type", "eth_type", "NXM_OF_ETH_TYPE", "OXM_OF_ETH_TYPE")
    add(.init(.vlanTCI, .integer), "vlan_tci", "NXM_OF_VLAN_TCI")
    add(.init(.vlanVID, .vlanVID), "dl_vlan", "vlan_vid", "OXM_OF_VLAN_VID")
    add(.init(.vlanPCP, .vlanPCP), "dl_vlan_pcp", "vlan_pcp", "OXM_OF_VLAN_PCP")
    add(.init(.innerVLANTCI, .integer), "vlan_tci1")
    add(.init(.innerVLANTCI, .vlanVID, bits: 0x0fff), "dl_vlan1")
    add(.init(.innerVLANTCI, .vlanPCP, shift: 13, bits: 0xe000), "dl_vlan_pcp1")
    add(.init(.mplsLabel, .integer), "mpls_label", "OXM_OF_MPLS_LABEL")
    add(.init(.mplsTrafficClass, .integer), "mpls_tc", "OXM_OF_MPLS_TC")
    add(.init(.mplsBottom, .integer), "mpls_bos", "OXM_OF_MPLS_BOS")
    add(.init(.mplsTTL, .integer), "mpls_ttl", "NXM_NX_MPLS_TTL")
    add(.init(.ipv4Source, .ipv4), "nw_src", "ip_src", "NXM_OF_IP_SRC", "OXM_OF_IPV4_SRC")
    add(.init(.ipv4Destination, .ipv4), "nw_dst", "ip_dst", "NXM_OF_IP_DST", "OXM_OF_IPV4_DST")
    add(.init(.ipv6Source, .ipv6), "ipv6_src", "NXM_NX_IPV6_SRC", "OXM_OF_IPV6_SRC")
    add(.init(.ipv6Destination, .ipv6), "ipv6_dst", "NXM_NX_IPV6_DST", "OXM_OF_IPV6_DST")
    add(.init(.ipv6FlowLabel, .integer), "ipv6_label", "NXM_NX_IPV6_LABEL", "OXM_OF_IPV6_FLABEL")
    add(.init(.ipProtocol, .integer), "nw_proto", "ip_proto", "NXM_OF_IP_PROTO", "OXM_OF_IP_PROTO")
    add(.init(.ipTTL, .integer), "nw_ttl", "NXM_NX_IP_TTL")
    add(.init(.ipFragment, .fragment), "nw_frag", "ip_frag", "NXM_NX_IP_FRAG")
    add(.init(.ipTOS, .integer, bits: 0xfc), "nw_tos", "NXM_OF_IP_TOS")
    add(.init(.ipTOS, .integer, shift: 2, bits: 0xfc), "ip_dscp", "OXM_OF_IP_DSCP")
    add(.init(.ipTOS, .integer, bits: 0x03), "nw_ecn", "ip_ecn", "NXM_NX_IP_ECN", "OXM_OF_IP_ECN")
    add(.init(.arpOperation, .integer), "arp_op", "NXM_OF_ARP_OP", "OXM_OF_ARP_OP")
    add(.init(.arpSenderAddress, .ipv4), "arp_spa", "NXM_OF_ARP_SPA", "OXM_OF_ARP_SPA")
    add(.init(.arpTargetAddress, .ipv4), "arp_tpa", "NXM_OF_ARP_TPA", "OXM_OF_ARP_TPA")
    add(.init(.arpSenderMAC, .mac), "arp_sha", "NXM_NX_ARP_SHA", "OXM_OF_ARP_SHA")
    add(.init(.arpTargetMAC, .mac), "arp_tha", "NXM_NX_ARP_THA", "OXM_OF_ARP_THA")
    add(
      .init(.transportSource, .integer), "tp_src", "tcp_src", "udp_src", "sctp_src", "NXM_OF_TCP_SRC",
      "NXM_OF_UDP_SRC", "OXM_OF_TCP_SRC", "OXM_OF_UDP_SRC", "OXM_OF_SCTP_SRC")
    add(
      .init(.transportDestination, .integer), "tp_dst", "tcp_dst", "udp_dst", "sctp_dst", "NXM_OF_TCP_DST",
      "NXM_OF_UDP_DST", "OXM_OF_TCP_DST", "OXM_OF_UDP_DST", "OXM_OF_SCTP_DST")
    add(.init(.tcpFlags, .tcpFlags), "tcp_flags", "NXM_NX_TCP_FLAGS", "ONFOXM_ET_TCP_FLAGS", "OXM_OF_TCP_FLAGS")
    add(
      .init(.icmpType, .integer), "icmp_type", "icmpv6_type", "NXM_OF_ICMP_TYPE", "NXM_NX_ICMPV6_TYPE",
      "OXM_OF_ICMPV4_TYPE", "OXM_OF_ICMPV6_TYPE")
    add(
      .init(.icmpCode, .integer), "icmp_code", "icmpv6_code", "NXM_OF_ICMP_CODE", "NXM_NX_ICMPV6_CODE",
      "OXM_OF_ICMPV4_CODE", "OXM_OF_ICMPV6_CODE")
    add(.init(.neighborTarget, .ipv6), "nd_target", "NXM_NX_ND_TARGET", "OXM_OF_IPV6_ND_TARGET")
    add(.init(.neighborSourceMAC, .mac), "nd_sll", "NXM_NX_ND_SLL", "OXM_OF_IPV6_ND_SLL")
    add(.init(.neighborTargetMAC, .mac), "nd_tll", "NXM_NX_ND_TLL", "OXM_OF_IPV6_ND_TLL")
    return table
  }()

  /// The names under which Open vSwitch prints each field: short in matches, long in `load` and `move`.
  static let printed: [Field: (short: String, long: String)] = {
    var result: [Field: (short: String, long: String)] = [:]
    for (name, spelling) in table.sorted(by: { $0.key < $1.key }) where spelling.shift == 0 {
      let isLong = name.hasPrefix("NXM_") || name.hasPrefix("OXM_")
      var names = result[spelling.field] ?? ("", "")
      // Of several names the one that current releases print: NXM before OXM, `dl_` and `nw_` before `eth_`
      // and `ip_`.
      if isLong {
        if names.long.isEmpty || !names.long.hasPrefix("NXM_") { names.long = name }
      } else if names.short.isEmpty || name.hasPrefix("dl_") || name.hasPrefix("nw_") || name.hasPrefix("tp_") {
        names.short = name
      }
      result[spelling.field] = names
    }
    return result
  }()

  private static func addRegisters(to table: inout [String: FieldSpelling]) {
    for index in UInt8(0)..<16 {
      guard let field = Field.register(index) else { continue }
      table["reg\(index)"] = .init(field, .integer)
      table["NXM_NX_REG\(index)"] = .init(field, .integer)
      if index < 8, let pair = Field(rawValue: Field.xreg0.rawValue + index) {
        table["xreg\(index)"] = .init(pair, .integer)
        table["OXM_OF_PKT_REG\(index)"] = .init(pair, .integer)
      }
      if index < 4, let four = Field(rawValue: Field.xxreg0.rawValue + index) {
        table["xxreg\(index)"] = .init(four, .integer)
        table["NXM_NX_XXREG\(index)"] = .init(four, .integer)
      }
    }
  }

  /// Words that stand for an ethertype, and a protocol where one goes with it.
  static let protocols: [String: (etherType: UInt16, ipProtocol: UInt8?)] = [
    "ip": (0x0800, nil), "ipv6": (0x86dd, nil), "arp": (0x0806, nil), "rarp": (0x8035, nil),
    "icmp": (0x0800, 1), "tcp": (0x0800, 6), "udp": (0x0800, 17), "sctp": (0x0800, 132),
    "icmp6": (0x86dd, 58), "icmpv6": (0x86dd, 58), "tcp6": (0x86dd, 6), "udp6": (0x86dd, 17),
    "sctp6": (0x86dd, 132), "mpls": (0x8847, nil), "mplsm": (0x8848, nil),
  ]

  /// Names of flag bits, least significant first; an unnamed bit is empty.
  static let connectionStates = ["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"]
  static let tcpFlags = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"]
  static let tunnelFlags = ["oam"]
}

extension Field {
  /// The name in matches: `dl_dst`.
  public var name: String { FieldNames.printed[self]?.short ?? "\(self)" }
  /// The name in `load` and `move`: `NXM_OF_ETH_DST`.
  public var longName: String {
    guard let long = FieldNames.printed[self]?.long, !long.isEmpty else { return name }
    return long
  }
}
