"""Installed state that is in order though it looks odd."""

import changes
import tunnel_flows
from commands import run
from overlays import pair
from scenario import scenario
from scenarios_installed import state_of_two_tenants


@scenario("check-unused-port", "near", "state alone: a port on VLAN 4095 that is not in use, as the agent leaves new ports", rule="dead-vlan")
def check_unused_port(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle)
    idle = lab.guest("idle", two, net, plug="direct", tag=4095)
    lab.build()
    two.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status", "--", "clear", "port",
                     idle.ovs_port, "other_config")
    run("ip", "link", "set", idle.tap, "down", namespace=two.namespace)
    bundle.keep_small()
    bundle.take_state()


@scenario("check-tracked-connections", "near", "state alone: the openvswitch firewall lets pass what security groups allow",
          rule="unreachable-port")
def check_tracked_connections(lab, bundle):
    lab.firewall = ["icmp", "tcp"]
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    lab.guest("alpha", one, net, plug="direct"), lab.guest("beta", two, net, plug="direct")
    lab.build()
    bundle.state_only = True
    bundle.keep_small()
    bundle.take_state()


@scenario("check-no-shared-network", "near", "state alone: hosts that share no network have no tunnel to each other, and no place in "
          "each other's floods", rule="missing-flood-peer")
def check_no_shared_network(lab, bundle):
    lab.l2population = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.guest("gamma", three, other), lab.guest("delta", four, other)
    lab.build()
    for host in lab.hosts:
        here = {guest.network for guest in lab.guests if guest.host is host}
        for peer in lab.hosts:
            there = {guest.network for guest in lab.guests if guest.host is peer}
            if peer is not host and not here & there:
                name = host.tunnels.pop((peer, "vxlan"))
                host.ofports.pop(name, None)
                host.switch.vsctl("del-port", "br-tun", name)
    bundle.state_only = True
    bundle.keep_small()
    bundle.take_state()


@scenario("check-tunnels-stay", "near", "state alone: one host's flood list leaves out a host that has no port of the network",
          rule="missing-flood-peer")
def check_tunnels_stay(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net, other = lab.network("net"), lab.network("other")
    lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.guest("gamma", one, other), lab.guest("delta", three, other)
    lab.build()
    bundle.state_only = True
    bundle.keep_small()
    bundle.take_state()


@scenario("check-unused-conflict", "near", "state alone: the record of a port that is not in use has another VNI than its network: a remark",
          rule="mapping-conflict")
def check_unused_conflict(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle, hosts=3)
    three = lab.hosts[2]
    idle = lab.guest("idle", three, net, plug="direct", tag=4095)
    lab.build()
    three.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status", "--", "set", "port", idle.ovs_port,
                       f'other_config:segmentation_id="{lab.naming.vni()}"')
    run("ip", "link", "set", idle.tap, "down", namespace=three.namespace)
    bundle.keep_small()
    bundle.take_state()
    bundle.expected.finds("mapping-conflict", three, net, verdict="pass")


@scenario("check-flow-based-tunnels", "near", "state alone: one tunnel port serves all peers, and flows say where to (remote_ip=flow)",
          rule="missing-tunnel")
def check_flow_based_tunnels(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle, hosts=3)
    lab.guest("third", lab.hosts[2], net)
    lab.build()
    bundle.keep_small()
    for host in lab.hosts:
        peers = [peer for peer, _ in host.tunnels]
        for name in host.tunnels.values():
            host.ofports.pop(name, None)
            host.switch.vsctl("del-port", "br-tun", name)
        host.switch.vsctl("add-port", "br-tun", "vxlan-all", "--", "set", "interface", "vxlan-all", "type=vxlan",
                          "options:remote_ip=flow", "options:key=flow", f'options:local_ip="{host.vtep}"')
        number = host.switch.ofport("vxlan-all")
        host.ofports["vxlan-all"] = ("br-tun", number)
        host.tunnels = {(peers[0], "vxlan"): "vxlan-all"}
        lab.install_flows(host)
        plan = lab.tunnel_plan(host)
        host.switch.ofctl("del-flows", "br-tun", "table=10")
        learn = tunnel_flows.learn_action(plan).replace(
            "output:OXM_OF_IN_PORT[]", "load:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[],output:OXM_OF_IN_PORT[]")
        host.switch.ofctl("add-flow", "br-tun", f"table=10,cookie={plan.cookie:#x},priority=1 actions={learn}")
        for network in sorted({guest.network for guest in lab.guests if guest.host is host}, key=lambda known: known.vni):
            match = f"table=22,priority=1,dl_vlan={host.vlans[network]}"
            copies = ",".join(f"set_field:{peer.vtep}->tun_dst,output:{number}" for peer in peers)
            host.switch.ofctl("--strict", "del-flows", "br-tun", match)
            host.switch.ofctl("add-flow", "br-tun", f"{match} actions=pop_vlan,set_field:{network.vni:#x}->tun_id,{copies}")
        host.tunnels = {(peer, "vxlan"): "vxlan-all" for peer in peers}
    bundle.take_state()


@scenario("plugged-meanwhile", "near", "a port waits on VLAN 4095 while its agent binds it, and has its VLAN when captures end",
          rule="dead-vlan")
def plugged_meanwhile(lab, bundle):
    one, two, net, a, b = pair(lab)
    late = lab.guest("newcomer", two, net, plug="direct", tag=4095)
    lab.build()
    bundle.keep_small()
    bundle.with_after = True
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        two.switch.vsctl("set", "port", late.ovs_port, f"tag={late.vlan}")
        lab.note(f"the agent of {two.name} binds {late.ovs_port}")
        traffic.ping(a, late)
        traffic.ping(late, b)
        traffic.announce_all([a, b, late])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("check-priority-tags", "near", "state alone: a flow gives a port's frames a priority tag (VID 0), which is no VLAN",
          rule="unexpected-vlan-tag")
def check_priority_tags(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    lab.guest("alpha", one, net)
    b = lab.guest("beta", two, net, plug="direct")
    lab.build()
    changes.add_flow(two, "br-int", f"table=60,priority=50,dl_vlan={two.vlans[net]},dl_dst={b.mac} actions=pop_vlan,"
                     f"push_vlan:0x8100,set_field:4096->vlan_vid,set_field:5->vlan_pcp,output:{lab.ofport(two, b.ovs_port)}")
    bundle.state_only = True
    bundle.keep_small()
    bundle.take_state()


@scenario("check-lone-networks", "near", "state alone: a network that only one host has is flooded nowhere, and one whose only port is not in "
          "use has no flows there", rule="missing-mapping")
def check_lone_networks(lab, bundle):
    lab.l2population = True
    one, two = lab.add_hosts(2)[:2]
    net, lone, unused = lab.network("net"), lab.network("lone"), lab.network("unused")
    lab.guest("alpha", one, net), lab.guest("beta", two, net), lab.guest("gamma", one, lone)
    idle = lab.guest("idle", two, unused, plug="direct")
    lab.build()
    two.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status")
    run("ip", "link", "set", idle.tap, "down", namespace=two.namespace)
    two.switch.ofctl("--strict", "del-flows", "br-tun", f"table=4,priority=1,tun_id={unused.vni:#x}")
    bundle.state_only = True
    bundle.keep_small()
    bundle.take_state()


@scenario("check-distributed-router", "near", "state alone: a distributed router (DVR) has one port on every host, and what is for it leaves none",
          rule="unreachable-port")
def check_distributed_router(lab, bundle):
    one, two, net, a, b = pair(lab)
    options = {"plug": "direct", "owner": "network:router_interface_distributed", "protected": False}
    here = lab.guest("router", one, net, **options)
    there = lab.guest("router-too", two, net, mac=here.mac, ip=here.ip, ip6=here.ip6, **options)
    there.port_id = here.port_id
    lab.build()
    for host in (one, two):
        for match in (f"dl_src={here.mac}", f"dl_dst={here.mac}", f"arp,arp_tpa={here.ip}"):
            changes.add_flow(host, "br-tun", f"table=2,priority=50,{match},dl_vlan={host.vlans[net]} actions=drop")
    bundle.state_only = True
    bundle.keep_small()
    bundle.use_neutron()
    bundle.take_state()
