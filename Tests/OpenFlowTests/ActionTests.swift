import OpenFlow
import Testing

private let tunnelBits = Field.tunnelID.allBits
private let macBits = Field.ethernetSource.allBits

@Suite("Actions")
struct ActionTests {
  static let cases: [(String, [Action])] = [
    ("drop", []),
    ("NORMAL", [.output(.normal)]), ("normal", [.output(.normal)]), ("IN_PORT", [.output(.inPort)]),
    ("LOCAL", [.output(.local)]), ("FLOOD", [.output(.flood)]), ("ALL", [.output(.all)]),
    ("output:LOCAL", [.output(.local)]), ("output:3", [.output(.number(3))]), ("3", [.output(.number(3))]),
    ("output:\"vxlan-c0000202\"", [.output(.name("vxlan-c0000202"))]), ("output:eth1", [.output(.name("eth1"))]),
    ("output:NXM_NX_REG5[]", [.outputField(Subfield(.reg5))]),
    ("output:NXM_NX_REG1[5..10]", [.outputField(Subfield(.reg1, offset: 5, width: 6))]),
    ("output(port=2,max_len=100)", [.outputTruncated(.number(2), maxLength: 100)]),
    ("enqueue:2:7", [.enqueue(.number(2), queue: 7)]), ("enqueue(2,7)", [.enqueue(.number(2), queue: 7)]),
    ("CONTROLLER:65535", [.controller("CONTROLLER:65535")]), ("output:CONTROLLER:65535", [.controller("CONTROLLER")]),
    (
      "controller(reason=no_match,max_len=64,userdata=00.01),drop",
      [.controller("controller(reason=no_match,max_len=64,userdata=00.01)")]
    ),
    ("strip_vlan", [.popVLAN]), ("pop_vlan", [.popVLAN]),
    ("mod_vlan_vid:3,resubmit(,10)", [.modVLANVID(3), .resubmit(port: nil, table: 10, connectionTracking: false)]),
    (
      "push_vlan:0x8100,set_field:4099->vlan_vid,goto_table:10",
      [.pushVLAN(tpid: 0x8100), .set(.vlanVID, value: 3, mask: 0xfff), .gotoTable(10)]
    ),
    ("push_vlan:0x88a8,set_field:3->vlan_pcp", [.pushVLAN(tpid: 0x88a8), .set(.vlanPCP, value: 3, mask: 7)]),
    ("mod_vlan_pcp:5", [.modVLANPCP(5)]), ("set_vlan_vid:5", [.set(.vlanVID, value: 5, mask: 0xfff)]),
    ("load:0->NXM_OF_VLAN_TCI[]", [.set(.vlanTCI, value: 0, mask: 0xffff)]),
    ("load:0x5->NXM_OF_VLAN_TCI[0..11]", [.set(.vlanTCI, value: 5, mask: 0xfff)]),
    ("load:0x1->NXM_OF_VLAN_TCI[12]", [.set(.vlanTCI, value: 0x1000, mask: 0x1000)]),
    ("load:0x5->OXM_OF_VLAN_VID[]", [.set(.vlanVID, value: 5, mask: 0xfff)]),
    ("set_tunnel:0x39", [.set(.tunnelID, value: 0x39, mask: tunnelBits)]),
    ("set_tunnel64:0x100000000", [.set(.tunnelID, value: 0x1_0000_0000, mask: tunnelBits)]),
    ("load:0x39->NXM_NX_TUN_ID[]", [.set(.tunnelID, value: 0x39, mask: tunnelBits)]),
    ("set_field:0x39->tun_id", [.set(.tunnelID, value: 0x39, mask: tunnelBits)]),
    ("set_field:0x10/0xf0->reg0", [.set(.reg0, value: 0x10, mask: 0xf0)]),
    ("load:0x2->NXM_NX_REG0[4..7]", [.set(.reg0, value: 0x20, mask: 0xf0)]),
    ("set_field:192.0.2.9->tun_dst", [.set(.tunnelDestination, value: 0xc000_0209, mask: 0xffff_ffff)]),
    ("set_field:2001:db8::9->ipv6_dst", [.set(.ipv6Destination, value: 0x2001_0db8 << 96 | 9, mask: .max)]),
    ("set_field:fa:16:3e:00:00:01->eth_src", [.set(.ethernetSource, value: 0xfa16_3e00_0001, mask: macBits)]),
    ("mod_dl_src:fa:16:3e:00:00:01", [.set(.ethernetSource, value: 0xfa16_3e00_0001, mask: macBits)]),
    ("mod_dl_dst:fa:16:3e:00:00:01", [.set(.ethernetDestination, value: 0xfa16_3e00_0001, mask: macBits)]),
    ("mod_nw_src:10.0.0.1", [.set(.ipv4Source, value: 0x0a00_0001, mask: 0xffff_ffff)]),
    ("set_field:10.0.0.1->ip_src", [.set(.ipv4Source, value: 0x0a00_0001, mask: 0xffff_ffff)]),
    ("mod_nw_tos:184", [.set(.ipTOS, value: 184, mask: 0xfc)]),
    ("set_field:46->ip_dscp", [.set(.ipTOS, value: 184, mask: 0xfc)]),
    ("mod_tp_dst:80", [.set(.transportDestination, value: 80, mask: 0xffff)]),
    ("set_field:80->tcp_dst", [.set(.transportDestination, value: 80, mask: 0xffff)]),
    ("set_field:2->arp_op", [.set(.arpOperation, value: 2, mask: 0xffff)]),
    ("set_field:\"patch-int\"->in_port", [.setInPort(.name("patch-int"))]),
    ("load:0->NXM_OF_IN_PORT[]", [.set(.inPort, value: 0, mask: 0xffff)]),
    ("write_metadata:0x5/0xff", [.set(.metadata, value: 5, mask: 0xff)]),
    (
      "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
      [.move(from: Subfield(.ethernetSource), to: Subfield(.ethernetDestination))]
    ),
    (
      "move:NXM_NX_REG6[0..11]->NXM_OF_VLAN_TCI[0..11]",
      [.move(from: Subfield(.reg6, offset: 0, width: 12), to: Subfield(.vlanTCI, offset: 0, width: 12))]
    ),
    ("push:NXM_NX_REG0[],pop:NXM_NX_REG1[]", [.push(Subfield(.reg0)), .pop(Subfield(.reg1))]),
    ("resubmit:5", [.resubmit(port: .number(5), table: nil, connectionTracking: false)]),
    ("resubmit(5,)", [.resubmit(port: .number(5), table: nil, connectionTracking: false)]),
    ("resubmit(\"qvo1\",5,ct)", [.resubmit(port: .name("qvo1"), table: 5, connectionTracking: true)]),
    ("resubmit(,)", [.resubmit(port: nil, table: nil, connectionTracking: false)]),
    (
      "ct(table=72,zone=NXM_NX_REG6[0..15])",
      [
        .conntrack(
          tracked {
            $0.table = 72
            $0.zone = .field(Subfield(.reg6, offset: 0, width: 16))
          })
      ]
    ),
    (
      "ct(commit,force,zone=7,nat(src=10.0.0.1-10.0.0.9:1024-2048),"
        + "exec(load:0x1->NXM_NX_CT_MARK[],set_field:0x2->ct_label),alg=ftp),drop",
      [
        .conntrack(
          tracked {
            $0.commit = true
            $0.force = true
            $0.zone = .number(7)
            $0.nat = "nat(src=10.0.0.1-10.0.0.9:1024-2048)"
            $0.exec = [
              .set(.connectionMark, value: 1, mask: 0xffff_ffff), .set(.connectionLabel, value: 2, mask: .max),
            ]
            $0.alg = "ftp"
          })
      ]
    ),
    ("ct_clear", [.conntrackClear]),
    (
      "conjunction(7,1/2),conjunction(8,2/3)",
      [.conjunction(id: 7, clause: 1, of: 2), .conjunction(id: 8, clause: 2, of: 3)]
    ),
    ("group:5", [.group(5)]), ("meter:3,output:1", [.meter(3), .output(.number(1))]),
    ("check_pkt_larger(1500)->NXM_NX_REG0[0]", [.checkPacketLarger(1500, Subfield(.reg0, offset: 0, width: 1))]),
    ("dec_ttl", [.decrementTTL]), ("dec_ttl(1,2)", [.decrementTTL]), ("exit", [.exit]),
    (
      "clone(set_tunnel:1,output:2),output:3",
      [.clone([.set(.tunnelID, value: 1, mask: tunnelBits), .output(.number(2))]), .output(.number(3))]
    ),
    ("clear_actions,write_actions(output:2,drop)", [.clearActions, .writeActions([.output(.number(2))])]),
    ("apply_actions(output:2),output:3", [.output(.number(2)), .output(.number(3))]),
    ("note:00.01.02.00.00.00,output:1", [.inert("note:00.01.02.00.00.00"), .output(.number(1))]),
    ("set_queue:3,pop_queue", [.inert("set_queue:3"), .inert("pop_queue")]),
    ("fin_timeout(idle_timeout=5,hard_timeout=9)", [.finTimeout(idle: 5, hard: 9)]),
    (
      "multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[]),bundle(eth_src,0,hrw,ofport,members:4,8)",
      [
        .unknown("multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])"),
        .unknown("bundle(eth_src,0,hrw,ofport,members:4,8)"),
      ]
    ),
    (
      "encap(nsh(md_type=1)),push_mpls:0x8847,newthing,output:1",
      [.unknown("encap(nsh(md_type=1))"), .unknown("push_mpls:0x8847"), .unknown("newthing"), .output(.number(1))]
    ),
    ("load:0x1->NXM_NX_FUTURE[]", [.unknown("load:0x1->NXM_NX_FUTURE[]")]),
    ("set_field:0x1->tun_metadata0,output:1", [.unknown("set_field:0x1->tun_metadata0"), .output(.number(1))]),
  ]

  @Test("every form of every action", arguments: cases)
  func forms(_ text: String, _ expected: [Action]) throws {
    #expect(try actions(text) == expected)
  }

  @Test("the ARP responder of l2population")
  func arpResponder() throws {
    let list = try actions(
      "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:fa:16:3e:00:00:02,load:0x2->NXM_OF_ARP_OP[],"
        + "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
        + "load:0xfa163e000002->NXM_NX_ARP_SHA[],load:0xa000002->NXM_OF_ARP_SPA[],IN_PORT")
    #expect(list.count == 8 && list.last == .output(.inPort))
    #expect(list[5] == .set(.arpSenderMAC, value: 0xfa16_3e00_0002, mask: macBits))
    #expect(list[6] == .set(.arpSenderAddress, value: 0x0a00_0002, mask: 0xffff_ffff))
  }

  @Test("learn with every option and every kind of spec")
  func learn() throws {
    let list = try actions(
      "learn(table=20,idle_timeout=5,hard_timeout=300,fin_idle_timeout=2,fin_hard_timeout=3,priority=1,send_flow_rem,"
        + "delete_learned,cookie=0xa1,limit=9,result_dst=NXM_NX_REG0[8],NXM_OF_VLAN_TCI[0..11],"
        + "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],eth_type=0x800,ip_dst=10.0.0.1,NXM_NX_REG1[0..7]=0x5,in_port=\"p1\","
        + "load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:1")
    guard case .learn(let learn)? = list.first, list.count == 2 else {
      Issue.record("no learn action")
      return
    }
    #expect(learn.table == 20 && learn.priority == 1 && learn.cookie == 0xa1 && learn.limit == 9)
    #expect(learn.idleTimeout == 5 && learn.hardTimeout == 300)
    #expect(learn.finIdleTimeout == 2 && learn.finHardTimeout == 3)
    #expect(learn.sendFlowRemoved && learn.deleteLearned && learn.unknown.isEmpty)
    #expect(learn.resultDestination == Subfield(.reg0, offset: 8, width: 1))
    let tci = Subfield(.vlanTCI, offset: 0, width: 12)
    #expect(
      learn.specs == [
        .matchField(tci, source: tci),
        .matchField(Subfield(.ethernetDestination), source: Subfield(.ethernetSource)),
        .matchValue(Subfield(.etherType), 0x800), .matchValue(Subfield(.ipv4Destination), 0x0a00_0001),
        .matchValue(Subfield(.reg1, offset: 0, width: 8), 5), .matchInPort(.name("p1")),
        .loadValue(0, into: Subfield(.vlanTCI)), .loadField(Subfield(.tunnelID), into: Subfield(.tunnelID)),
        .output(Subfield(.inPort)),
      ])
  }

  @Test("learn as releases before 2017 wrote it")
  func oldLearn() throws {
    let list = try actions(
      "learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        + "load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:1")
    guard case .learn(let learn)? = list.first else {
      Issue.record("no learn action")
      return
    }
    #expect(learn.specs.last == .output(Subfield(.inPort, offset: 0, width: 16)))
  }
}

private func tracked(_ change: (inout Conntrack) -> Void) -> Conntrack {
  var result = Conntrack()
  change(&result)
  return result
}
