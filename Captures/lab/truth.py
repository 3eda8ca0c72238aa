"""truth.json: what was really built, sent and broken, by the recorder's own knowledge."""


def truth(bundle):
    lab = bundle.lab
    hosts = lab.hosts
    return {
        "scenario": bundle.scenario.name,
        "kind": bundle.scenario.kind,
        "rule": bundle.scenario.rule,
        "teaches": bundle.scenario.teaches,
        "seed": lab.seed,
        "started": bundle.started,
        "ended": bundle.ended,
        "tunnel_type": lab.kinds[0] if len(lab.kinds) == 1 else lab.kinds,
        "datapath": f"netdev (userspace), Open vSwitch {bundle.version}",
        "vm_mtu": lab.guest_mtu,
        "underlay_mtu": lab.underlay_mtu,
        "offloads": "on" if lab.offloads else "off",
        "vlan_limit": "default (1)",
        "hosts": [of_host(host) for host in hosts],
        "networks": [of_network(network, hosts) for network in lab.networks],
        "ports": [of_guest(guest) for guest in lab.guests],
        "captures": bundle.told,
        "fault": bundle.fault,
        "events": lab.events,
        "traffic": lab.traffic,
        "measured": bundle.measured,
    }


def of_host(host):
    return {
        "name": host.name,
        "vtep": host.vtep,
        "underlay_if": host.nic if len(host.nics) == 1 else host.nics,
        "underlay_mac": host.nic_mac,
        "captured": host.captured,
        "ofports": {name: {"bridge": bridge, "ofport": number} for name, (bridge, number) in host.ofports.items()},
        "tunnel_ports": {name: peer.vtep for (peer, _), name in host.tunnels.items()},
        "udp_port": host.udp_port or 4789,
    }


def of_network(network, hosts):
    return {
        "name": network.name,
        "vni": network.vni,
        "local_vlans": {host.name: host.vlans[network] for host in hosts if network in host.vlans},
        "type": network.kind,
        "uuid": network.uuid,
    }


def of_guest(guest):
    return {
        "vm": guest.name,
        "host": guest.host.name,
        "hosts": guest.hosts,
        "network": guest.network.name,
        "mac": guest.mac,
        "ip": guest.ip,
        "ip6": guest.ip6,
        "ll6": guest.link_local,
        "port_id": guest.port_id,
        "plug": guest.plug,
        "owner": guest.owner,
        "tap": guest.tap,
        "qbr": guest.qbr,
        "qvb": guest.qvb,
        "qvo": guest.qvo,
        "local_vlan": guest.vlan,
        "actual_tag": guest.vlan if guest.tag is None else guest.tag,
        "guest_if": guest.device,
        "ovs_port": guest.ovs_port,
    }
