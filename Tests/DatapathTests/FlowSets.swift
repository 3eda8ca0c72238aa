import Deployment
import OpenFlow
import Testing
import Wire

@testable import Datapath

/// Flow sets of Neutron's agent: those that are generated for an intent, and, written out and shortened to what
/// differs, those of modes that are not (br_dvr_process.py, linux/openvswitch_firewall).
struct FlowSet: Sendable, CustomTestStringConvertible {
  var name: String
  var bridges: [BridgeState]
  var tracksConnections = false
  var testDescription: String { name }

  /// Bridges with the flows given, and ports of every VLAN mode on br-int.
  private static func bridges(integration: String, tunnel: [String]) -> [BridgeState] {
    let integrationPorts = [
      PortState(name: "patch-tun", number: 1, kind: .patch(peer: "patch-int")),
      PortState(name: "tapa", number: 2, vlans: VLANPolicy(tag: 1)),
      PortState(name: "tapb", number: 3, vlans: VLANPolicy(tag: 2)),
      PortState(name: "tapc", number: 4, vlans: VLANPolicy(tag: 1)),
      PortState(name: "trunk0", number: 5, vlans: VLANPolicy(mode: .nativeUntagged, tag: 1, trunks: [2, 7])),
      PortState(name: "trunk1", number: 6, vlans: VLANPolicy(mode: .nativeTagged, tag: 2, trunks: [1])),
      PortState(name: "trunk2", number: 7, vlans: VLANPolicy(trunks: [0, 1, 2])),
    ]
    let generated = GeneratedHosts.bridges(GeneratedHosts.deployment([.vxlan, .vxlan]), .l2population)
    var bridges = [NeutronPlan.bridge("br-int", integrationPorts, integration.split(separator: "\n").map(String.init))]
    for bridge in generated where bridge.name == "br-tun" {
      var copy = bridge
      if !tunnel.isEmpty { copy.flows = NeutronPlan.dump(tunnel) }
      bridges.append(copy)
    }
    return bridges
  }

  private static let learning =
    "learn(table=20,hard_timeout=300,priority=1,cookie=0xa1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
    + "load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[])"

  /// Routed between two networks on the host itself: MACs and TTL rewritten.
  private static let routed = """
    table=0,priority=65535,dl_vlan=4095 actions=drop
    table=0,priority=2,in_port=1,dl_src=fa:16:3f:00:00:77 actions=resubmit(,1)
    table=0,priority=1 actions=resubmit(,60)
    table=1,priority=4,dl_vlan=1,dl_dst=fa:16:3e:00:00:01 actions=mod_dl_src:fa:16:3e:00:00:fe,resubmit(,60)
    table=1,priority=2,ip,dl_vlan=1,nw_dst=10.0.0.0/24 actions=strip_vlan,mod_dl_src:fa:16:3e:00:00:fe,output:2
    table=1,priority=1 actions=drop
    table=60,priority=4,dl_vlan=1,dl_dst=fa:16:3e:00:00:01 actions=mod_dl_src:fa:16:3e:00:00:fe,strip_vlan,output:2
    table=60,priority=9,ip,in_port=2,dl_dst=fa:16:3e:00:00:fe actions=dec_ttl,mod_dl_src:fa:16:3f:00:00:77,\
    mod_dl_dst:fa:16:3e:00:00:99,mod_nw_tos:32,NORMAL
    table=60,priority=3 actions=NORMAL
    """

  private static let routedTunnel = """
    table=0,priority=1,in_port=1 actions=goto_table:1
    table=0,priority=1,in_port=2 actions=goto_table:4
    table=0,priority=1,in_port=3 actions=goto_table:4
    table=0,priority=0 actions=drop
    table=1,priority=3,arp,dl_vlan=1,arp_tpa=10.0.0.1 actions=drop
    table=1,priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:fe actions=drop
    table=1,priority=1,dl_vlan=1,dl_src=fa:16:3e:00:00:fe actions=set_field:fa:16:3f:00:00:77->eth_src,goto_table:2
    table=1,priority=0 actions=goto_table:2
    table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20
    table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22
    table=4,priority=1,tun_id=0x39 actions=push_vlan:0x8100,set_field:4097->vlan_vid,goto_table:9
    table=4,priority=1,tun_id=0x40 actions=push_vlan:0x8100,set_field:4098->vlan_vid,goto_table:9
    table=4,priority=0 actions=drop
    table=9,priority=1,dl_src=fa:16:3f:00:00:78 actions=output:1
    table=9,priority=0 actions=goto_table:10
    table=10,priority=1 actions=\(learning),output:1
    table=20,priority=0 actions=goto_table:22
    table=22,priority=1,dl_vlan=1 actions=pop_vlan,set_field:0x39->tun_id,output:2,output:3
    table=22,priority=1,dl_vlan=2 actions=pop_vlan,set_field:0x40->tun_id,output:2
    table=22,priority=0 actions=drop
    """

  private static let firewall = """
    table=0,priority=100,in_port=2 actions=set_field:0x2->reg5,set_field:0x1->reg6,resubmit(,71)
    table=0,priority=100,in_port=3 actions=set_field:0x3->reg5,set_field:0x2->reg6,resubmit(,71)
    table=0,priority=90,dl_vlan=1,dl_dst=fa:16:3e:00:00:01 actions=set_field:0x2->reg5,set_field:0x1->reg6,pop_vlan,\
    resubmit(,81)
    table=0,priority=0 actions=NORMAL
    table=71,priority=95,arp,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:01,arp_spa=10.0.0.1 actions=resubmit(,94)
    table=71,priority=95,icmp6,reg5=0x2,in_port=2,icmp_type=135 actions=resubmit(,94)
    table=71,priority=65,ip,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:01 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
    table=71,priority=65,ip,reg5=0x3,in_port=3 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
    table=71,priority=10,ct_state=-trk,reg5=0x2 actions=resubmit(,93)
    table=71,priority=0 actions=drop
    table=72,priority=77,ct_state=+est-rel-rpl,ip,reg5=0x2 actions=resubmit(,73)
    table=72,priority=75,ct_state=+est-rel+rpl,ip actions=resubmit(,94)
    table=72,priority=74,ct_state=+new-est,ip,reg5=0x2 actions=resubmit(,73)
    table=72,priority=71,ct_state=+new,udp,reg5=0x3 actions=conjunction(9,2/2)
    table=72,priority=71,ct_state=+new,ip,reg5=0x3,nw_dst=10.0.0.99 actions=conjunction(9,1/2)
    table=72,priority=71,ct_state=+new,ip,reg5=0x3,nw_dst=10.0.0.1 actions=conjunction(9,1/2)
    table=72,priority=71,conj_id=9,ct_state=+new,reg5=0x3 actions=resubmit(,73)
    table=72,priority=50,ct_state=+inv+trk actions=resubmit(,93)
    table=72,priority=0 actions=drop
    table=73,priority=80,reg5=0x2,reg6=0x1,dl_dst=fa:16:3e:00:00:01 actions=resubmit(,81)
    table=73,priority=70,ct_state=+new-est,ip actions=ct(commit,zone=NXM_NX_REG6[0..15]),resubmit(,91)
    table=73,priority=0 actions=resubmit(,91)
    table=81,priority=100,arp,reg5=0x2 actions=output:2
    table=81,priority=95,ct_state=-trk,ip,reg5=0x2 actions=ct(table=82,zone=NXM_NX_REG6[0..15])
    table=81,priority=0 actions=drop
    table=82,priority=77,ct_state=+est-rel-rpl,tcp,reg5=0x2 actions=output:2
    table=82,priority=73,ct_state=+new-est,tcp,reg5=0x2,tp_dst=80 actions=ct(commit,zone=NXM_NX_REG6[0..15]),\
    output:2,resubmit(,92)
    table=82,priority=50,ct_state=+inv+trk actions=resubmit(,93)
    table=82,priority=0 actions=drop
    table=91,priority=1 actions=resubmit(,94)
    table=92,priority=0 actions=drop
    table=93,priority=0 actions=drop
    table=94,priority=1 actions=NORMAL
    """

  static let sets: [FlowSet] =
    generated + [
      FlowSet(name: "plain with ports of every VLAN mode", bridges: bridges(integration: plain, tunnel: [])),
      FlowSet(
        name: "distributed routers",
        bridges: bridges(integration: routed, tunnel: routedTunnel.split(separator: "\n").map(String.init))),
      FlowSet(
        name: "openvswitch firewall", bridges: bridges(integration: firewall, tunnel: []), tracksConnections: true),
    ]

  private static let plain = """
    table=0,priority=0 actions=NORMAL
    table=0,priority=65535,dl_vlan=4095 actions=drop
    """

  /// Made for an intent by the same code that stands in for missing dumps.
  private static let generated: [FlowSet] = [
    FlowSet(name: "plain", bridges: GeneratedHosts.bridges(GeneratedHosts.deployment([.vxlan, .vxlan]), .plain)),
    FlowSet(
      name: "VXLAN, GRE and Geneve",
      bridges: GeneratedHosts.bridges(GeneratedHosts.deployment([.vxlan, .gre, .geneve]), .plain)),
    FlowSet(
      name: "l2population with ARP responder",
      bridges: GeneratedHosts.bridges(GeneratedHosts.deployment([.vxlan, .gre, .geneve]), .l2population)),
    FlowSet(
      name: "provider networks",
      bridges: GeneratedHosts.bridges(GeneratedHosts.deployment([.vxlan, .vlan, .flat]), .plain)),
    FlowSet(
      name: "trunks", bridges: GeneratedHosts.bridges(GeneratedHosts.trunks([.vxlan, .vxlan]), .plain)),
  ]
}
