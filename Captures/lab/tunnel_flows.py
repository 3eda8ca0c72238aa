"""Flows of br-tun, as Neutron's agent installs them: plain, with l2population and ARP responder, and of old releases."""

import dataclasses

from model import TUNNEL_TABLE

COOKIE = 0xA100000000000000


@dataclasses.dataclass
class Entry:
    """A remote port that l2population tells of."""

    vlan: int
    vni: int
    mac: str
    ip: str
    ofport: int


@dataclasses.dataclass
class TunnelPlan:
    """All that the flows of one br-tun depend on; ports by OpenFlow number."""

    patch: int
    # (OpenFlow port, kind)
    ports: list
    # (VNI, local VLAN, kind, [OpenFlow ports to flood to])
    networks: list
    entries: list = dataclasses.field(default_factory=list)
    responder: bool = False
    hard_timeout: int = 300
    cookie: int = COOKIE
    # since 2025: priority-2 twins in table 10
    twins: bool = True


def _mac_number(mac):
    return "0x" + mac.replace(":", "")


def _ip_number(ip):
    return "0x" + "".join(f"{int(octet):02x}" for octet in ip.split("."))


def learn_action(plan):
    return (f"learn(table=20,hard_timeout={plan.hard_timeout},priority=1,cookie={plan.cookie:#x},NXM_OF_VLAN_TCI[0..11],"
            "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],"
            f"load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:{plan.patch}")


def inbound(vni, vlan, kind):
    return (f"table={TUNNEL_TABLE[kind]},priority=1,tun_id={vni:#x} "
            f"actions=push_vlan:0x8100,set_field:{4096 + vlan}->vlan_vid,goto_table:10")


def flood(vni, vlan, ports):
    outputs = ",".join(f"output:{port}" for port in ports)
    return f"table=22,priority=1,dl_vlan={vlan} actions=pop_vlan,set_field:{vni:#x}->tun_id,{outputs}"


def unicast(entry):
    return (f"table=20,priority=2,dl_vlan={entry.vlan},dl_dst={entry.mac} "
            f"actions=pop_vlan,set_field:{entry.vni:#x}->tun_id,output:{entry.ofport}")


def arp_answer(entry):
    return (f"table=21,priority=1,arp,dl_vlan={entry.vlan},arp_tpa={entry.ip} "
            f"actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:{entry.mac},load:0x2->NXM_OF_ARP_OP[],"
            "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
            f"load:{_mac_number(entry.mac)}->NXM_NX_ARP_SHA[],load:{_ip_number(entry.ip)}->NXM_OF_ARP_SPA[],in_port")


def tunnel_flows(plan):
    """Flow lines for ovs-ofctl add-flows in OpenFlow 1.3."""
    flows = [f"table=0,priority=1,in_port={plan.patch} actions=goto_table:2", "table=0,priority=0 actions=drop"]
    for port, kind in plan.ports:
        flows.append(f"table=0,priority=1,in_port={port} actions=goto_table:{TUNNEL_TABLE[kind]}")
    if plan.responder:
        flows.append("table=2,priority=1,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21")
    flows += [
        "table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20",
        "table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22",
    ]
    flows += [f"table={table},priority=0 actions=drop" for table in sorted(TUNNEL_TABLE.values())]
    for vni, vlan, kind, _ in plan.networks:
        flows.append(inbound(vni, vlan, kind))
    learn = learn_action(plan)
    if plan.twins:
        flows += [f"table=10,priority=2,arp,arp_tha=ff:ff:ff:ff:ff:ff actions={learn}",
                  f"table=10,priority=2,icmp6,icmp_type=134 actions={learn}",
                  f"table=10,priority=2,icmp6,icmp_type=136 actions={learn}"]
    flows.append(f"table=10,priority=1 actions={learn}")
    flows.append("table=20,priority=0 actions=goto_table:22")
    for entry in plan.entries:
        flows.append(unicast(entry))
        if plan.responder and ":" not in entry.ip:
            flows.append(arp_answer(entry))
    if plan.responder:
        flows.append("table=21,priority=0 actions=goto_table:22")
    for vni, vlan, _, ports in plan.networks:
        if ports:
            flows.append(flood(vni, vlan, ports))
    flows.append("table=22,priority=0 actions=drop")
    return [with_cookie(flow, plan.cookie) for flow in flows]


def with_cookie(flow, cookie):
    table, _, rest = flow.partition(",")
    return f"{table},cookie={cookie:#x},{rest}"


def old_tunnel_flows(plan):
    """The tables of Havana and Icehouse, in OpenFlow 1.0: 1 patch, 2 GRE, 3 VXLAN, 10 learning, 20 unicast, 21 flood."""
    table = {"gre": 2, "vxlan": 3}
    flows = [f"table=0,priority=1,in_port={plan.patch} actions=resubmit(,1)", "table=0,priority=0 actions=drop"]
    for port, kind in plan.ports:
        flows.append(f"table=0,priority=1,in_port={port} actions=resubmit(,{table[kind]})")
    flows += [
        "table=1,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,20)",
        "table=1,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,21)",
        "table=2,priority=0 actions=drop", "table=3,priority=0 actions=drop",
    ]
    for vni, vlan, kind, _ in plan.networks:
        flows.append(f"table={table[kind]},priority=1,tun_id={vni:#x} actions=mod_vlan_vid:{vlan},resubmit(,10)")
    flows.append(
        f"table=10,priority=1 actions=learn(table=20,hard_timeout={plan.hard_timeout},priority=1,NXM_OF_VLAN_TCI[0..11],"
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],"
        f"output:NXM_OF_IN_PORT[]),output:{plan.patch}")
    flows.append("table=20,priority=0 actions=resubmit(,21)")
    for vni, vlan, _, ports in plan.networks:
        if ports:
            outputs = ",".join(f"output:{port}" for port in ports)
            flows.append(f"table=21,priority=1,dl_vlan={vlan} actions=strip_vlan,set_tunnel:{vni:#x},{outputs}")
    flows.append("table=21,priority=0 actions=drop")
    return flows
