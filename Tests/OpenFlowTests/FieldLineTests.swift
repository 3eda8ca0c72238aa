import OpenFlow
import Testing

/// Lines of dumps that users of Neutron published between 2014 and 2024.
@Suite("Lines from the field")
struct FieldLineTests {
  static let lines: [(String, table: UInt8, priority: UInt16, actions: Int)] = [
    (
      "cookie=0x0, duration=9636.347s, table=2, n_packets=657, n_bytes=68175, idle_age=1003, priority="
        + "1,tun_id=0x3 actions=mod_vlan_vid:1,resubmit(,10)",
      2, 1, 2
    ),
    (
      "cookie=0x0, duration=9636.651s, table=21, n_packets=10, n_bytes=1208, idle_age=1700, hard_age=9"
        + "628, priority=1,dl_vlan=1 actions=strip_vlan,set_tunnel:0x3,output:3,output:2",
      21, 1, 4
    ),
    (
      "cookie=0x0, duration=328.465s, table=2, n_packets=22, n_bytes=2212, idle_age=29, priority=0,dl_"
        + "dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,22)",
      2, 0, 1
    ),
    (
      "cookie=0x0, duration=327.742s, table=10, n_packets=12, n_bytes=1451, idle_age=33, priority=1 ac"
        + "tions=learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF"
        + "_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_POR"
        + "T[]),output:1",
      10, 1, 2
    ),
    (
      "cookie=0x0, duration=38.551s, table=20, n_packets=9, n_bytes=694, hard_timeout=300, idle_age=33"
        + ", hard_age=33, priority=1,vlan_tci=0x0001/0x0fff,dl_dst=fa:16:3e:83:95:fa actions=load:0->NXM_O"
        + "F_VLAN_TCI[],load:0x3e9->NXM_NX_TUN_ID[],output:2",
      20, 1, 3
    ),
    (
      "cookie=0x0, duration=50.94s, table=22, n_packets=11, n_bytes=1334, idle_age=29, dl_vlan=1 actio"
        + "ns=strip_vlan,set_tunnel:0x3e9,output:2",
      22, 32768, 3
    ),
    (
      "cookie=0x98005a9960fa437, duration=113.139s, table=20, n_packets=1, n_bytes=42, priority=2,dl_v"
        + "lan=2,dl_dst=fa:16:3e:4f:41:24 actions=strip_vlan,load:0x1ba->NXM_NX_TUN_ID[],output:\"vxlan-ac"
        + "10010a\"",
      20, 2, 3
    ),
    (
      "cookie=0x8a8d4d7575036c1a, duration=616.221s, table=4, n_packets=68, n_bytes=8211, priority=1,t"
        + "un_id=0xef actions=mod_vlan_vid:3,resubmit(,10)",
      4, 1, 2
    ),
    (
      "cookie=0x9b32c8053d494869, duration=2200.748s, table=0, n_packets=0, n_bytes=0, priority=65535,"
        + "dl_vlan=4095 actions=drop",
      0, 65535, 0
    ),
    (
      "cookie=0x9b32c8053d494869, duration=2197.193s, table=0, n_packets=236, n_bytes=35076, priority="
        + "3,in_port=\"int-br-provider\",vlan_tci=0x0000/0x1fff actions=mod_vlan_vid:2,resubmit(,58)",
      0, 3, 2
    ),
    (
      "cookie=0x9b32c8053d494869, duration=587.924s, table=60, n_packets=67, n_bytes=8141, priority=90"
        + ",dl_vlan=3,dl_dst=fa:16:3e:61:21:c6 actions=load:0x4->NXM_NX_REG5[],load:0x3->NXM_NX_REG6[],str"
        + "ip_vlan,resubmit(,81)",
      60, 90, 4
    ),
  ]

  @Test("are read without anything unknown", arguments: lines)
  func reads(_ line: String, table: UInt8, priority: UInt16, count: Int) throws {
    let flow = try flow(line)
    #expect(flow.table == table && flow.priority == priority && flow.actions.count == count)
    #expect(flow.match.unknown == [])
    #expect(!flow.actions.contains { if case .unknown = $0 { true } else { false } })
    #expect(line.hasSuffix(flow.text))
    #expect(flow.durationNanoseconds != nil && flow.packets != nil && flow.bytes != nil)
  }
}
