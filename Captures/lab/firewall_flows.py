"""Flows of br-int with Neutron's openvswitch firewall driver: conntrack, registers, tables 71 to 94 (shortened)."""


def firewall_flows(ports, cookie, services):
    """`ports` are (OpenFlow port, guest); `services` are matches that everybody may reach, such as icmp or tcp,tp_dst=80."""
    flows = [
        "table=0,priority=65535,dl_vlan=4095 actions=drop",
        "table=0,priority=0 actions=goto_table:60",
        "table=60,priority=1 actions=normal",
        "table=71,priority=0 actions=drop",
        "table=72,priority=0 actions=drop",
        "table=73,priority=0 actions=drop",
        "table=81,priority=0 actions=drop",
        "table=82,priority=0 actions=drop",
        "table=91,priority=1 actions=goto_table:94",
        "table=93,priority=0 actions=drop",
        "table=94,priority=1 actions=normal",
    ]
    for port, guest in ports:
        flows += of_port(port, guest, services)
    return [flow.replace(",", f",cookie={cookie:#x},", 1) for flow in flows]


def of_port(port, guest, services):
    registers = f"set_field:{port:#x}->reg5,set_field:{guest.vlan:#x}->reg6"
    track = "zone=NXM_NX_REG6[0..15]"
    own = f"reg5={port:#x}"
    flows = [
        f"table=0,priority=100,in_port={port} actions={registers},goto_table:71",
        f"table=60,priority=90,dl_vlan={guest.vlan},dl_dst={guest.mac} actions={registers},pop_vlan,goto_table:81",
        f"table=71,priority=95,arp,{own},in_port={port},dl_src={guest.mac},arp_spa={guest.ip} actions=goto_table:94",
        f"table=71,priority=65,ip,{own},in_port={port},dl_src={guest.mac},nw_src={guest.ip} actions=ct(table=72,{track})",
        f"table=71,priority=10,{own},in_port={port} actions=ct_clear,goto_table:93",
        f"table=72,priority=74,ct_state=+est-rel-rpl,{own} actions=goto_table:73",
        f"table=72,priority=74,ct_state=+new-est,ip,{own} actions=goto_table:73",
        f"table=72,priority=74,ct_state=+new-est,ipv6,{own} actions=goto_table:73",
        f"table=72,priority=50,ct_state=+inv+trk,{own} actions=goto_table:93",
        f"table=72,priority=50,ct_state=+est-rel+rpl,ct_zone={guest.vlan},ct_mark=0,{own} actions=goto_table:94",
        f"table=72,priority=40,ct_state=-est,{own} actions=goto_table:93",
        f"table=73,priority=100,reg6={guest.vlan:#x},dl_dst={guest.mac} actions=set_field:{port:#x}->reg5,goto_table:81",
        f"table=73,priority=90,ct_state=+new-est,ip,{own} actions=ct(commit,{track}),goto_table:91",
        f"table=73,priority=90,ct_state=+new-est,ipv6,{own} actions=ct(commit,{track}),goto_table:91",
        f"table=73,priority=80,{own} actions=goto_table:94",
        f"table=81,priority=100,arp,{own} actions=output:{port}",
        f"table=81,priority=95,ct_state=-trk,ip,{own} actions=ct(table=82,{track})",
        f"table=81,priority=95,ct_state=-trk,ipv6,{own} actions=ct(table=82,{track})",
        f"table=81,priority=90,ct_state=+trk,{own} actions=goto_table:82",
        f"table=82,priority=50,ct_state=+inv+trk,{own} actions=goto_table:93",
        f"table=82,priority=50,ct_state=+est-rel+rpl,ct_zone={guest.vlan},ct_mark=0,{own} actions=output:{port}",
        f"table=82,priority=40,ct_state=-est,{own} actions=goto_table:93",
    ]
    for source in (guest.ip6, guest.link_local):
        for kind in (130, 131, 132, 135, 136, 143):
            flows.append(f"table=71,priority=95,icmp6,{own},in_port={port},dl_src={guest.mac},ipv6_src={source},"
                         f"icmp_type={kind} actions=goto_table:94")
        flows.append(f"table=71,priority=65,ipv6,{own},in_port={port},dl_src={guest.mac},ipv6_src={source} "
                     f"actions=ct(table=72,{track})")
    for kind in (130, 135, 136):
        flows.append(f"table=81,priority=100,icmp6,{own},icmp_type={kind} actions=output:{port}")
    for service in services:
        flows += [f"table=82,priority=77,ct_state=+est-rel-rpl,{service},{own} actions=output:{port}",
                  f"table=82,priority=77,ct_state=+new-est,{service},{own} actions=ct(commit,{track}),output:{port}"]
    return flows
