"""Flows of br-int, as Neutron's agent installs them: local switching, and protection against spoofed ARP and MACs."""

COOKIE = 0xB200000000000000


def integration_flows(ports, cookie=COOKIE, physical=()):
    """Flow lines of a bridge: `ports` are (OpenFlow port, guest) of protected ports, `physical` (port, VLAN, local VLAN)."""
    flows = [
        "table=0,priority=65535,dl_vlan=4095 actions=drop",
        "table=0,priority=0 actions=resubmit(,58)",
        "table=23,priority=0 actions=drop",
        "table=24,priority=0 actions=drop",
        "table=30,priority=0 actions=resubmit(,58)",
        "table=31,priority=0 actions=resubmit(,58)",
        "table=58,priority=0 actions=resubmit(,59)",
        "table=59,priority=0 actions=resubmit(,60)",
        "table=60,priority=1 actions=normal",
        "table=62,priority=3 actions=normal",
    ]
    for port, vlan, local in physical:
        match = f"dl_vlan={vlan}" if vlan is not None else "vlan_tci=0x0000/0x1fff"
        flows.append(f"table=0,priority=3,in_port={port},{match} actions=mod_vlan_vid:{local},resubmit(,58)")
        flows.append(f"table=0,priority=2,in_port={port} actions=drop")
    for port, guest in ports:
        flows += protection(port, guest)
    return [flow.replace(",", f",cookie={cookie:#x},", 1) for flow in flows]


def protection(port, guest):
    addresses = [(guest.mac, guest.ip), *guest.allowed]
    macs = sorted({mac for mac, _ in addresses})
    flows = [f"table=0,priority=10,icmp6,in_port={port},icmp_type=136 actions=resubmit(,24)",
             f"table=0,priority=10,arp,in_port={port} actions=resubmit(,24)",
             f"table=0,priority=9,in_port={port} actions=resubmit(,25)"]
    for target in [guest.ip6, guest.link_local]:
        flows.append(f"table=24,priority=2,icmp6,in_port={port},icmp_type=136,nd_target={target} actions=resubmit(,58)")
    for ip in sorted({ip for _, ip in addresses}):
        flows.append(f"table=24,priority=2,arp,in_port={port},arp_spa={ip} actions=resubmit(,25)")
    for mac in macs:
        flows.append(f"table=25,priority=2,in_port={port},dl_src={mac} actions=resubmit(,30)")
    return flows


def old_integration_flows():
    """Havana and Icehouse: all frames are switched."""
    return ["priority=1 actions=normal", "table=23,priority=0 actions=drop"]
