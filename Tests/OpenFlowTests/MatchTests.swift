import OpenFlow
import Testing

private let mac: UInt128 = 0xffff_ffff_ffff

@Suite("Matches")
struct MatchTests {
  @Test(
    "VLAN conditions in all spellings are one condition on the TCI",
    arguments: [
      ("dl_vlan=3", 0x1003, 0x1fff), ("dl_vlan=0x3", 0x1003, 0x1fff), ("vlan_vid=0x1003", 0x1003, 0x1fff),
      ("vlan_vid=0x1003/0x1fff", 0x1003, 0x1fff), ("vlan_tci=0x1003/0x1fff", 0x1003, 0x1fff),
      ("vlan_tci=0x0003/0x0fff", 0x0003, 0x0fff), ("vlan_tci=0x0000/0x1fff", 0, 0x1fff),
      ("vlan_tci=0x0000", 0, 0xffff), ("dl_vlan=65535", 0, 0xffff), ("dl_vlan=0", 0x1000, 0x1fff),
      ("vlan_tci=0x1000/0x1000", 0x1000, 0x1000), ("vlan_vid=0x1000/0x1000", 0x1000, 0x1000),
      ("dl_vlan_pcp=5", 0xb000, 0xf000), ("dl_vlan=3,dl_vlan_pcp=5", 0xb003, 0xffff), ("vlan_vid=0", 0, 0x1fff),
    ])
  func vlan(_ text: String, _ value: Int, _ mask: Int) throws {
    #expect(try match(text) == terms((.vlanTCI, UInt128(value), UInt128(mask))))
  }

  @Test("the VID that a match asks for")
  func vlanID() throws {
    #expect(try match("dl_vlan=3").vlanID == 3)
    #expect(try match("vlan_tci=0x0003/0x0fff").vlanID == 3)
    #expect(try match("vlan_tci=0x0000/0x1fff").vlanID == nil)
    #expect(try match("vlan_tci=0x1000/0x1000").vlanID == nil)
    #expect(try match("dl_vlan1=7").vlanID == nil)
    #expect(try match("dl_vlan1=7") == terms((.innerVLANTCI, 0x1007, 0x1fff)))
  }

  static let cases: [(String, Match)] = [
    ("ip", terms((.etherType, 0x0800, 0xffff))),
    ("dl_type=0x0800", terms((.etherType, 0x0800, 0xffff))),
    ("tcp,tp_dst=22", terms((.etherType, 0x0800, 0xffff), (.ipProtocol, 6, 0xff), (.transportDestination, 22, 0xffff))),
    (
      "udp6,tp_src=0x0440/0xfff8",
      terms((.etherType, 0x86dd, 0xffff), (.ipProtocol, 17, 0xff), (.transportSource, 0x440, 0xfff8))
    ),
    ("icmp6,icmp_type=136", terms((.etherType, 0x86dd, 0xffff), (.ipProtocol, 58, 0xff), (.icmpType, 136, 0xff))),
    ("sctp,udp_src=5", terms((.etherType, 0x0800, 0xffff), (.ipProtocol, 132, 0xff), (.transportSource, 5, 0xffff))),
    ("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", terms((.ethernetDestination, 1 << 40, 1 << 40))),
    ("eth_src=fa:16:3e:0:0:1", terms((.ethernetSource, 0xfa16_3e00_0001, mac))),
    ("ip,nw_dst=10.1.0.0/16", terms((.etherType, 0x0800, 0xffff), (.ipv4Destination, 0x0a01_0000, 0xffff_0000))),
    ("ip,nw_src=10.0.0.1/255.0.0.255", terms((.etherType, 0x0800, 0xffff), (.ipv4Source, 0x0a00_0001, 0xff00_00ff))),
    (
      "ipv6,ipv6_dst=ff02::/16",
      terms((.etherType, 0x86dd, 0xffff), (.ipv6Destination, 0xff02 << 112, 0xffff << 112))
    ),
    (
      "ipv6,ipv6_src=2001:db8::192.0.2.1",
      terms((.etherType, 0x86dd, 0xffff), (.ipv6Source, 0x2001_0db8 << 96 | 0xc000_0201, .max))
    ),
    ("ipv6_src=::/ffff::", terms((.ipv6Source, 0, 0xffff << 112))),
    (
      "arp,arp_spa=10.0.0.1,arp_op=1",
      terms((.etherType, 0x0806, 0xffff), (.arpSenderAddress, 0x0a00_0001, 0xffff_ffff), (.arpOperation, 1, 0xffff))
    ),
    (
      "arp,nw_src=10.0.0.1,nw_proto=1",
      terms((.etherType, 0x0806, 0xffff), (.arpSenderAddress, 0x0a00_0001, 0xffff_ffff), (.arpOperation, 1, 0xffff))
    ),
    ("arp_tha=ff:ff:ff:ff:ff:ff", terms((.arpTargetMAC, mac, mac))),
    ("tun_id=0x39", terms((.tunnelID, 0x39, UInt128(UInt64.max)))),
    ("tun_id=0x100/0xff00", terms((.tunnelID, 0x100, 0xff00))),
    ("tun_src=192.0.2.1", terms((.tunnelSource, 0xc000_0201, 0xffff_ffff))),
    ("tun_ipv6_dst=2001:db8::1", terms((.tunnelDestination6, 0x2001_0db8 << 96 | 1, .max))),
    ("reg5=0x7,reg15=1/1", terms((.reg5, 7, 0xffff_ffff), (.reg15, 1, 1))),
    ("metadata=0x1/0xff", terms((.metadata, 1, 0xff))),
    ("pkt_mark=0x4/0x4", terms((.packetMark, 4, 4))),
    ("ct_state=+new-est+trk", terms((.connectionState, 0x21, 0x23))),
    ("ct_state=0x21/0x23", terms((.connectionState, 0x21, 0x23))),
    ("ct_state=est|trk", terms((.connectionState, 0x22, 0xffff_ffff))),
    ("ct_state=-trk", terms((.connectionState, 0, 0x20))),
    ("ct_zone=0x5,ct_mark=0x1/0x1", terms((.connectionZone, 5, 0xffff), (.connectionMark, 1, 1))),
    ("ct_label=0x10000000000000000/0x10000000000000000", terms((.connectionLabel, 1 << 64, 1 << 64))),
    ("tcp,tcp_flags=+syn-ack", terms((.etherType, 0x0800, 0xffff), (.ipProtocol, 6, 0xff), (.tcpFlags, 0x02, 0x12))),
    ("tcp_flags=syn|ack", terms((.tcpFlags, 0x12, 0xfff))),
    ("tcp_flags=+[800]", terms((.tcpFlags, 0x320, 0x320))),
    ("ip,nw_tos=184,nw_ecn=1", terms((.etherType, 0x0800, 0xffff), (.ipTOS, 185, 0xff))),
    ("ip,ip_dscp=46", terms((.etherType, 0x0800, 0xffff), (.ipTOS, 184, 0xfc))),
    ("ip,nw_frag=later", terms((.etherType, 0x0800, 0xffff), (.ipFragment, 3, 3))),
    ("ip_frag=not_later", terms((.ipFragment, 0, 2))),
    ("nd_target=fe80::1", terms((.neighborTarget, 0xfe80 << 112 | 1, .max))),
    ("conj_id=7", terms((.conjunctionID, 7, 0xffff_ffff))),
    ("tun_flags=+oam", terms((.tunnelFlags, 1, 1))),
    ("eth,dl_type=0x88cc", terms((.etherType, 0x88cc, 0xffff))),
    ("xreg1=0x100000002", terms((.xreg1, 0x1_0000_0002, UInt128(UInt64.max)))),
    ("dl_dst=ANY", Match()),
  ]

  @Test("conditions on every field", arguments: cases)
  func conditions(_ text: String, _ expected: Match) throws {
    #expect(try match(text) == expected)
  }

  @Test(
    "ports by number, name and reserved word",
    arguments: [
      ("1", PortReference.number(1)), ("\"patch-int\"", .name("patch-int")), ("br0", .name("br0")),
      ("LOCAL", .local), ("65534", .local), ("4294967294", .local), ("CONTROLLER", .controller),
      ("\"a\\\"b\\\\\"", .name("a\"b\\")), ("\"caf\\u00e9\"", .name("café")),
      ("vxlan-c0000202", .name("vxlan-c0000202")),
    ])
  func ports(_ text: String, _ port: PortReference) throws {
    #expect(try match("in_port=\(text)").inPort == port)
    #expect(try match("priority=1,in_port=\(text),dl_vlan=1").inPort == port)
  }

  @Test("what is unknown is kept as text")
  func unknown() throws {
    let flow = try flow(" table=1, priority=5,nsh_mdtype=1,tun_metadata0=0x1/0xf,newproto,dl_vlan=2 actions=drop")
    #expect(flow.match.unknown == ["nsh_mdtype=1", "tun_metadata0=0x1/0xf", "newproto"])
    #expect(flow.match.vlanID == 2)
    #expect(flow.text == "priority=5,nsh_mdtype=1,tun_metadata0=0x1/0xf,newproto,dl_vlan=2 actions=drop")
  }

  @Test("the order of conditions does not matter")
  func order() throws {
    #expect(
      try match("dl_dst=fa:16:3e:00:00:01,dl_vlan=1,reg0=1") == match("reg0=1,dl_vlan=1,dl_dst=fa:16:3e:00:00:01"))
  }
}
