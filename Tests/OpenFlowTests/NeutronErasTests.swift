import OpenFlow
import Testing

/// Lines as `ovs-ofctl dump-flows` printed them over the years, from public logs, documentation and tutorials of
/// OpenStack, and as `ovs-ofctl` 3.1 prints what Neutron installs today.
@Suite("Dumps of Neutron's releases")
struct NeutronErasTests {
  struct Era: Sendable, CustomTestStringConvertible {
    var name: String
    var lines: String
    var testDescription: String { name }
  }

  static let eras: [Era] = [
    Era(
      name: "grizzly",
      lines: """
        NXST_FLOW reply (xid=0x4):
         cookie=0x0, duration=1423.5s, table=0, n_packets=12, n_bytes=936, priority=4,in_port=1,dl_vlan=1 actions=set_tunnel:0x1,NORMAL
         cookie=0x0, duration=1423.6s, table=0, n_packets=0, n_bytes=0, priority=3,tun_id=0x1,dl_dst=fa:16:3e:24:1f:c1 actions=mod_vlan_vid:1,NORMAL
         cookie=0x0, duration=1423.4s, table=0, n_packets=0, n_bytes=0, priority=3,tun_id=0x2,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=mod_vlan_vid:1,output:1
         cookie=0x0, duration=15382.1s, table=0, n_packets=5, n_bytes=390, priority=1 actions=drop
        """),
    Era(
      name: "havana",
      lines: """
        NXST_FLOW reply (xid=0x4):
         cookie=0x0, duration=10970.064s, table=0, n_packets=189, n_bytes=16232, idle_age=16, priority=1,in_port=1 actions=resubmit(,1)
         cookie=0x0, duration=10969.631s, table=1, n_packets=163, n_bytes=10966, idle_age=21, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,21)
         cookie=0x0, duration=688.456s, table=2, n_packets=29, n_bytes=5736, idle_age=16, priority=1,tun_id=0x1 actions=mod_vlan_vid:1,resubmit(,10)
         cookie=0x0, duration=10969.2s, table=10, n_packets=29, n_bytes=5736, idle_age=16, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:1
         cookie=0x0, duration=682.603s, table=20, n_packets=26, n_bytes=5266, hard_timeout=300, idle_age=16, hard_age=16, priority=1,vlan_tci=0x0001/0x0fff,dl_dst=fa:16:3e:32:0d:db actions=load:0->NXM_OF_VLAN_TCI[],load:0x1->NXM_NX_TUN_ID[],output:2
         cookie=0x0, duration=688.6s, table=21, n_packets=161, n_bytes=10818, idle_age=21, priority=1,dl_vlan=1 actions=strip_vlan,set_tunnel:0x1,output:2
         cookie=0x0, duration=9636.651s, table=21, n_packets=10, n_bytes=1208, idle_age=1700, hard_age=9628, priority=1,dl_vlan=1 actions=strip_vlan,set_tunnel:0x3,output:3,output:2
         cookie=0x0, duration=875.765s, table=19, n_packets=1, n_bytes=42, idle_age=609, priority=1,arp,dl_vlan=1,arp_tpa=10.0.1.1 actions=drop
        """),
    Era(
      name: "juno with distributed routers",
      lines: """
        NXST_FLOW reply (xid=0x4):
         cookie=0x0, duration=66294.732s, table=4, n_packets=19, n_bytes=2025, idle_age=3598, hard_age=65534, priority=1,tun_id=0x3e9 actions=mod_vlan_vid:2,resubmit(,9)
         cookie=0x0, duration=69453.507s, table=9, n_packets=0, n_bytes=0, idle_age=65534, hard_age=65534, priority=1,dl_src=fa:16:3f:fe:49:e9 actions=output:1
         cookie=0x0, duration=69453.23s, table=9, n_packets=56, n_bytes=6028, idle_age=3598, hard_age=65534, priority=0 actions=resubmit(,10)
         cookie=0x0, duration=66293.658s, table=1, n_packets=0, n_bytes=0, idle_age=65534, priority=3,arp,dl_vlan=3,arp_tpa=172.20.20.1 actions=drop
         cookie=0x0, duration=66293.658s, table=1, n_packets=0, n_bytes=0, idle_age=65534, priority=2,dl_vlan=3,dl_dst=fa:16:3e:86:9a:22 actions=drop
         cookie=0x0, duration=66293.658s, table=1, n_packets=0, n_bytes=0, idle_age=65534, priority=1,dl_vlan=3,dl_src=fa:16:3e:86:9a:22 actions=mod_dl_src:fa:16:3f:fe:49:e9,resubmit(,2)
         cookie=0x0, duration=70039.903s, table=0, n_packets=0, n_bytes=0, idle_age=65534, priority=2,in_port=3,dl_src=fa:16:3f:fe:49:e9 actions=resubmit(,1)
         cookie=0x0, duration=66293.658s, table=1, n_packets=0, n_bytes=0, idle_age=65534, priority=4,dl_vlan=2,dl_dst=fa:16:3e:fe:62:c9 actions=strip_vlan,mod_dl_src:fa:16:3e:c7:0f:89,output:12
         cookie=0x0, duration=66293.658s, table=1, n_packets=0, n_bytes=0, idle_age=65534, priority=2,ip,dl_vlan=2,nw_dst=10.0.0.0/24 actions=strip_vlan,mod_dl_src:fa:16:3e:c7:0f:89,output:12
        """),
    Era(
      name: "liberty with ARP responder",
      lines: """
        NXST_FLOW reply (xid=0x4):
         cookie=0xb637cdfd05911130, duration=266437.459s, table=0, n_packets=0, n_bytes=0, idle_age=65534, hard_age=65534, priority=10,arp,in_port=3 actions=resubmit(,24)
         cookie=0xb637cdfd05911130, duration=266437.421s, table=0, n_packets=0, n_bytes=0, idle_age=65534, hard_age=65534, priority=4,in_port=1,dl_src=fa:16:3f:24:77:e3 actions=resubmit(,2)
         cookie=0xb637cdfd05911130, duration=351157.550s, table=0, n_packets=946, n_bytes=90471, idle_age=65534, hard_age=65534, priority=3,in_port=1,vlan_tci=0x0000/0x1fff actions=mod_vlan_vid:3,NORMAL
         cookie=0x98005a9960fa437, duration=113.139s, table=20, n_packets=1, n_bytes=42, priority=2,dl_vlan=2,dl_dst=fa:16:3e:4f:41:24 actions=strip_vlan,load:0x1ba->NXM_NX_TUN_ID[],output:"vxlan-ac10010a"
         cookie=0x9e2d1be1b6a2b9a3, duration=100.1s, table=21, n_packets=2, n_bytes=84, idle_age=9, priority=1,arp,dl_vlan=1,arp_tpa=10.0.0.11 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:fa:16:3e:39:00:01,load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:0xfa163e390001->NXM_NX_ARP_SHA[],load:0xa00000b->NXM_OF_ARP_SPA[],IN_PORT
         cookie=0x8a8d4d7575036c1a, duration=300.5s, table=24, n_packets=4, n_bytes=168, idle_age=2, priority=2,arp,in_port=3,arp_spa=10.0.0.11 actions=resubmit(,25)
         cookie=0x8a8d4d7575036c1a, duration=300.5s, table=24, n_packets=4, n_bytes=352, idle_age=2, priority=2,icmp6,in_port=3,icmp_type=136,nd_target=fe80::f816:3eff:fe39:1 actions=resubmit(,60)
        """),
    Era(
      name: "newton to queens, in OpenFlow 1.3",
      lines: """
        OFPST_FLOW reply (OF1.3) (xid=0x2):
         cookie=0x8a8d4d7575036c1a, duration=616.221s, table=4, n_packets=68, n_bytes=8211, priority=1,tun_id=0xef actions=push_vlan:0x8100,set_field:4099->vlan_vid,goto_table:10
         cookie=0x8a8d4d7575036c1a, duration=616.221s, table=10, n_packets=68, n_bytes=8211, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x8a8d4d7575036c1a,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:1
         cookie=0x8a8d4d7575036c1a, duration=616.2s, table=22, n_packets=9, n_bytes=900, priority=1,dl_vlan=3 actions=pop_vlan,set_field:0xef->tun_id,output:2,output:3
         cookie=0x8a8d4d7575036c1a, duration=616.2s, table=2, n_packets=9, n_bytes=900, priority=1,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21
         cookie=0x8a8d4d7575036c1a, duration=616.2s, table=60, n_packets=9, n_bytes=900, priority=3 actions=NORMAL
         cookie=0x8a8d4d7575036c1a, duration=616.2s, table=0, n_packets=9, n_bytes=900, send_flow_rem priority=2,in_port=1 actions=drop
        """),
    Era(
      name: "train to yoga, openvswitch firewall, names",
      lines: """
         cookie=0x495e20e8d5566065, duration=483.563s, table=71, n_packets=2, n_bytes=180, priority=65,ipv6,reg5=0x5,in_port="tap0ab9a23c-99",dl_src=fa:16:3e:ac:ee:39,ipv6_src=fe80::f816:3eff:feac:ee39 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
         cookie=0x495e20e8d5566065, duration=483.563s, table=71, n_packets=6, n_bytes=392, priority=10,reg5=0x5,in_port="tap0ab9a23c-99" actions=ct_clear,resubmit(,93)
         cookie=0x495e20e8d5566065, duration=12724.898s, table=72, n_packets=80, n_bytes=7120, priority=74,ct_state=+est-rel-rpl,ip,reg5=0x3 actions=resubmit(,73)
         cookie=0x495e20e8d5566065, duration=377.814s, table=72, n_packets=2, n_bytes=180, priority=50,ct_state=+inv+trk actions=resubmit(,93)
         cookie=0x495e20e8d5566065, duration=377.814s, table=72, n_packets=0, n_bytes=0, priority=50,ct_mark=0x1,reg5=0x3 actions=resubmit(,93)
         cookie=0x495e20e8d5566065, duration=377.814s, table=72, n_packets=19, n_bytes=3596, priority=50,ct_state=+est-rel+rpl,ct_zone=1,ct_mark=0,reg5=0x3 actions=resubmit(,94)
         cookie=0x495e20e8d5566065, duration=377.814s, table=72, n_packets=0, n_bytes=0, priority=40,ct_state=+est,ip,reg5=0x3 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(load:0x1->NXM_NX_CT_MARK[]))
         cookie=0x574b6b102b172bf4, duration=4371.514s, table=82, n_packets=0, n_bytes=0, priority=77,ct_state=+new-est,tcp,reg5=0x3,tp_dst=22 actions=ct(commit,zone=NXM_NX_REG6[0..15]),output:"tap8811e933-5c",resubmit(,92)
         cookie=0x574b6b102b172bf4, duration=4371.514s, table=82, n_packets=0, n_bytes=0, priority=70,conj_id=17,ct_state=+new-est,ip,reg5=0x3 actions=load:0x11->NXM_NX_REG7[],ct(commit,zone=NXM_NX_REG6[0..15]),output:"tap8811e933-5c",resubmit(,92)
         table=82, priority=71,ct_state=+est-rel-rpl,ip,reg6=0x284,nw_src=192.168.0.1 actions=conjunction(18,1/2)
         table=82, priority=73,ct_state=+est-rel-rpl,tcp,reg5=0x2,tp_dst=0x60/0xffe0 actions=conjunction(22,2/2)
         cookie=0x9b32c8053d494869, duration=2197.193s, table=0, n_packets=236, n_bytes=35076, priority=3,in_port="int-br-provider",vlan_tci=0x0000/0x1fff actions=mod_vlan_vid:2,resubmit(,58)
         cookie=0x9b32c8053d494869, duration=587.924s, table=60, n_packets=67, n_bytes=8141, priority=90,dl_vlan=3,dl_dst=fa:16:3e:61:21:c6 actions=load:0x4->NXM_NX_REG5[],load:0x3->NXM_NX_REG6[],strip_vlan,resubmit(,81)
         cookie=0x9b32c8053d494869, duration=2200.748s, table=0, n_packets=0, n_bytes=0, priority=65535,dl_vlan=4095 actions=drop
         cookie=0x9b32c8053d494869, duration=587.9s, table=94, n_packets=4, n_bytes=168, priority=12,reg6=0x3,dl_dst=fa:16:3e:61:21:c6 actions=output:"tap648437e1-0d"
         cookie=0x9b32c8053d494869, duration=587.9s, table=94, n_packets=4, n_bytes=168, priority=10,reg6=0x3,dl_src=fa:16:3e:61:21:c6,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=mod_vlan_vid:3,output:"patch-tun"
        """),
    Era(
      name: "2023 and later: local IP, metadata path, QoS meters, DHCP, router advertisements",
      lines: """
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=31, n_packets=0, n_bytes=0, priority=10,arp,reg6=0x1,arp_op=1,arp_tpa=10.0.0.100 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:fa:16:3e:00:00:64,load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:0xfa163e000064->NXM_NX_ARP_SHA[],load:0xa000064->NXM_OF_ARP_SPA[],IN_PORT
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=30, n_packets=0, n_bytes=0, priority=10,ip,reg6=0x1,nw_dst=10.0.0.100 actions=mod_dl_dst:fa:16:3e:00:00:0b,ct(commit,table=60,zone=65534,nat(dst=10.0.0.11))
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=31, n_packets=0, n_bytes=0, priority=11,ct_state=-trk,ip,reg6=0x1,dl_src=fa:16:3e:00:00:0b,nw_src=10.0.0.11 actions=ct(table=60,zone=65534,nat)
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=58, n_packets=0, n_bytes=0, priority=100,in_port=7 actions=meter:1,goto_table:59
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=59, n_packets=0, n_bytes=0, priority=100,dl_vlan=1,dl_dst=fa:16:3e:00:00:0b actions=meter:2,goto_table:60
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=77, n_packets=0, n_bytes=0, priority=101,udp,in_port=7,nw_src=0.0.0.0,nw_dst=255.255.255.255,tp_src=68,tp_dst=67 actions=CONTROLLER:0
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=78, n_packets=0, n_bytes=0, priority=101,udp6,in_port=7,ipv6_dst=ff02::1:2,tp_src=546,tp_dst=547 actions=CONTROLLER:0
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=60, n_packets=0, n_bytes=0, priority=210,tcp,in_port=7,nw_dst=169.254.169.254,tp_dst=80 actions=load:0x7->NXM_NX_REG5[],resubmit(,80)
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=80, n_packets=0, n_bytes=0, priority=100,tcp,dl_vlan=1 actions=learn(table=87,idle_timeout=30,priority=200,cookie=0x5d1a2b7c9e0f3344,eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[]=NXM_OF_TCP_DST[],load:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],output:NXM_NX_REG5[0..15]),output:9
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=10, n_packets=0, n_bytes=0, priority=2,arp,arp_tha=ff:ff:ff:ff:ff:ff actions=output:"patch-int"
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=10, n_packets=0, n_bytes=0, priority=2,icmp6,icmp_type=134 actions=output:"patch-int"
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=61, n_packets=0, n_bytes=0, priority=12,dl_dst=fa:16:3e:00:00:0b actions=output:7
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=62, n_packets=0, n_bytes=0, idle_timeout=60, idle_age=3, priority=3,reg5=0x7 actions=push_vlan:0x8100,move:NXM_NX_REG6[0..11]->OXM_OF_VLAN_VID[],output:1
         cookie=0x5d1a2b7c9e0f3344, duration=50.1s, table=0, n_packets=0, n_bytes=0, priority=5,in_port="patch-int",dl_vlan=5 actions=set_queue:2,mod_nw_tos:184,resubmit(,2)
        """),
    Era(
      name: "trunks and TaaS",
      lines: """
         cookie=0xd6b2f6c4a1, duration=9.9s, table=0, n_packets=0, n_bytes=0, priority=0 actions=NORMAL
         cookie=0xd6b2f6c4a1, duration=9.9s, table=0, n_packets=0, n_bytes=0, priority=25,in_port="patch-tap-int",dl_vlan=3920 actions=output:"patch-int-tap"
         cookie=0xd6b2f6c4a1, duration=9.9s, table=0, n_packets=0, n_bytes=0, priority=20,in_port=4 actions=NORMAL,mod_vlan_vid:3921,output:6
         cookie=0xd6b2f6c4a1, duration=9.9s, table=0, n_packets=0, n_bytes=0, priority=20,dl_vlan=1,dl_dst=fa:16:3e:00:00:0b actions=NORMAL,mod_vlan_vid:3921,output:6
         cookie=0xd6b2f6c4a1, duration=9.9s, table=30, n_packets=0, n_bytes=0, priority=1,tun_id=0xf51 actions=mod_vlan_vid:3921,resubmit(,31)
         cookie=0xd6b2f6c4a1, duration=9.9s, table=31, n_packets=0, n_bytes=0, priority=2,reg0=0x1 actions=resubmit(,32)
         cookie=0xd6b2f6c4a1, duration=9.9s, table=36, n_packets=0, n_bytes=0, priority=1 actions=learn(table=37,hard_timeout=60,priority=1,NXM_OF_VLAN_TCI[0..11],load:NXM_OF_VLAN_TCI[0..11]->NXM_NX_TUN_ID[0..11],load:0->NXM_OF_VLAN_TCI[0..11],load:0x2->NXM_NX_REG0[0..1],output:NXM_OF_IN_PORT[]),IN_PORT
         cookie=0xd6b2f6c4a1, duration=9.9s, table=33, n_packets=0, n_bytes=0, priority=1,reg0=0x1 actions=group:1
         cookie=0xd6b2f6c4a1, duration=9.9s, table=39, n_packets=0, n_bytes=0, priority=1,dl_vlan=1,dl_vlan1=2,dl_vlan_pcp1=3 actions=pop_vlan,push_vlan:0x88a8,output:2
        """),
  ]

  @Test("every line becomes a flow whose fields and actions are all known", arguments: eras)
  func reads(_ era: Era) {
    let dump = FlowDump(text: era.lines)
    let lines = era.lines.split(separator: "\n").filter { $0.contains("actions=") }
    #expect(dump.errors == [])
    #expect(dump.flows.count == lines.count)
    for (flow, line) in zip(dump.flows, lines) {
      #expect(flow.match.unknown == [], "\(line)")
      #expect(!NeutronErasTests.hasUnknown(flow.actions), "\(line)")
      #expect(line.hasSuffix(flow.text))
      // Statistics or none, names or none of the bridge's name, CRLF or LF: the same flow.
      let plain = FlowDump(text: "table=\(flow.table), " + flow.text + "\r\n").flows.first
      #expect(plain?.match == flow.match && plain?.actions == flow.actions && plain?.priority == flow.priority)
    }
  }

  private static func hasUnknown(_ actions: [Action]) -> Bool {
    actions.contains { action in
      switch action {
      case .unknown: true
      case .learn(let learn): !learn.unknown.isEmpty
      case .conntrack(let tracked): !tracked.unknown.isEmpty || hasUnknown(tracked.exec)
      case .clone(let nested), .writeActions(let nested): hasUnknown(nested)
      default: false
      }
    }
  }

  @Test(
    "the same flow in the words of several versions",
    arguments: [
      ["tun_id=0x3 actions=drop", "tunnel_id=0x3 actions=drop", "tun_id=3 actions=drop"],
      ["dl_vlan=3 actions=drop", "vlan_vid=0x1003 actions=drop", "dl_vlan=0x3 actions=drop", "vlan_vid=4099/0x1fff actions=drop", "vlan_tci=0x1003/0x1fff actions=drop"],
      ["vlan_tci=0x0000/0x1fff actions=drop", "vlan_vid=0 actions=drop", "vlan_tci=0/0x1fff actions=drop"],
      ["tcp,nw_src=10.0.0.0/8,tp_dst=80 actions=drop", "dl_type=0x0800,nw_proto=6,ip_src=10.0.0.0/255.0.0.0,tcp_dst=80 actions=drop", "eth_type=0x800,ip_proto=6,nw_src=10.0.0.0/8,tp_dst=0x50 actions=drop"],
      ["arp,arp_spa=10.0.0.1,arp_op=1 actions=drop", "arp,nw_src=10.0.0.1,nw_proto=1 actions=drop", "dl_type=0x0806,arp_op=0x1,arp_spa=10.0.0.1 actions=drop"],
      ["icmp6,icmp_type=135 actions=drop", "icmpv6,icmpv6_type=135 actions=drop", "ipv6,nw_proto=58,icmp_type=0x87 actions=drop"],
      ["dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop", "eth_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions="],
      ["actions=set_tunnel:0x39", "actions=load:0x39->NXM_NX_TUN_ID[]", "actions=set_field:0x39->tun_id", "actions=set_tunnel64:0x39", "actions=set_field:57->tunnel_id", "actions=load:0x39->OXM_OF_TUNNEL_ID[]"],
      ["actions=strip_vlan", "actions=pop_vlan"],
      ["actions=mod_dl_src:fa:16:3e:00:00:01", "actions=set_field:fa:16:3e:00:00:01->eth_src", "actions=load:0xfa163e000001->NXM_OF_ETH_SRC[]", "actions=set_field:fa:16:3e:00:00:01->dl_src"],
      ["actions=mod_nw_dst:10.0.0.1", "actions=set_field:10.0.0.1->ip_dst", "actions=load:0xa000001->NXM_OF_IP_DST[]", "actions=set_field:10.0.0.1->nw_dst"],
      ["actions=load:0x2->NXM_OF_ARP_OP[]", "actions=set_field:2->arp_op"],
      ["actions=load:0x5->NXM_NX_REG5[]", "actions=set_field:0x5->reg5"],
      ["actions=IN_PORT", "actions=in_port", "actions=output:IN_PORT"],
      ["actions=NORMAL", "actions=normal", "actions=output:NORMAL"],
      ["actions=output:3", "actions=3"],
      ["actions=apply_actions(output:3,output:4)", "actions=output:3,output:4"],
      ["actions=resubmit(,3)", "actions=resubmit(,3),"],
      ["actions=set_field:0x1->reg0,goto_table:5", "actions=set_field:0x1->reg0 goto_table:5"],
    ])
  func spellings(_ lines: [String]) throws {
    let flows = try lines.map(flow)
    for other in flows.dropFirst() {
      #expect(other.match == flows[0].match)
      #expect(other.actions == flows[0].actions)
    }
  }

  @Test("what is not known is kept as text; what cannot be read is told, and the rest is used")
  func unreadable() {
    let text = """
      table=0, priority=1,nsh_mdtype=1,tun_metadata0=0x5 actions=dec_nsh_ttl,sample(probability=1),encap(nsh),output:1
      table=0, priority=1,dl_vlan=9999 actions=output:1
      table=300, actions=drop
      table=0, priority=2,in_port=1
      table=0, priority=3 actions=output:2
      table=L3Forwarding, priority=3 actions=drop
       cookie=0x0, duration=1.2s, table=0, n_packets=1, n_bytes=2, priority=4,ip,nw_src=10.0.0 actions=drop
      2026-01-01T00:00:00Z|00001|vconn|WARN|unix:/var/run/openvswitch/br-tun.mgmt: version negotiation failed
      ovs-ofctl: br-tun is not a bridge or a socket
      """
    let dump = FlowDump(text: text)
    #expect(dump.flows.map(\.priority) == [1, 3])
    #expect(dump.flows.first?.match.unknown == ["nsh_mdtype=1", "tun_metadata0=0x5"])
    #expect(dump.errors.map(\.line) == [2, 3, 4, 6, 7, 8, 9])
    #expect(dump.errors.map(\.column).first == 29)
    #expect(dump.errors.allSatisfy { !$0.reason.isEmpty && !$0.text.isEmpty })
  }
}
