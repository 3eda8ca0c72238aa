"""Installed state that cannot work, with the traffic that suffers from it."""

import changes
from commands import run
from expectation import cover_all
from overlays import trio
from scenario import scenario
from scenarios_translation import tun_flow, two_tenants


@scenario("two-vnis-one-vlan", "fault", "two VNIs are mapped to one VLAN on a host", rule="mapping-conflict")
def two_vnis_one_vlan(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    old = tun_flow(lab, one, f"tun_id={other.vni:#x} ")
    new = old.replace(f"set_field:{4096 + one.vlans[other]}->", f"set_field:{4096 + one.vlans[net]}->")
    bundle.breaks(one, f"VNIs {net.vni} and {other.vni} go to VLAN {one.vlans[net]}",
                  changes.swap_flow(one, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(d, c, 4)
        traffic.announce_all([b, d])
    bundle.expected.finds("wrong-local-vlan", one, other).allows("cross-network-delivery", "mapping-conflict", "wrong-vni")


@scenario("missing-mapping-outbound", "fault", "a host has no outbound flow for a network's VLAN: it hears and cannot answer",
          rule="missing-mapping")
def missing_mapping_outbound(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    old = tun_flow(lab, two, f",dl_vlan={two.vlans[net]} ")
    bundle.breaks(two, f"no flood flow for VLAN {two.vlans[net]}, and nothing is learned",
                  changes.swap_flow(two, "br-tun", old, None))
    two.switch.ofctl("del-flows", "br-tun", "table=10")
    patch = lab.ofport(two, "patch-int")
    changes.add_flow(two, "br-tun", f"table=10,priority=1 actions=output:{patch}")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4, interval=0.2)
        traffic.ping(b, a, 4, interval=0.2)
        traffic.announce_all([a, b, b])
    bundle.expected.finds("frame-lost", two, net).allows("missing-mapping", "frame-lost", "incomplete-flood")


@scenario("missing-tunnel", "fault", "a host has no tunnel to one of its peers", rule="missing-tunnel")
def missing_tunnel(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    name = one.tunnels.pop((three, "vxlan"))
    one.switch.vsctl("del-port", "br-tun", name)
    one.ofports.pop(name)
    lab.install_flows(one)
    bundle.breaks(one, f"tunnel port {name} is missing")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(a, c, 4, interval=0.2)
        traffic.ping(c, a, 4, interval=0.2)
        traffic.announce_all([a, a, b, c])
    bundle.expected.finds("incomplete-flood", one, net).allows("missing-tunnel", "missing-flood-peer", "frame-lost")


@scenario("dead-vlan", "fault", "a port is left on VLAN 4095: its guest is cut off", rule="dead-vlan")
def dead_vlan(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    b.tag = 4095
    lab.build()
    bundle.breaks(two, f"{b.ovs_port} has tag 4095")
    with bundle.recording() as traffic:
        traffic.chat(c, d, tcp=0)
        traffic.ping(a, b, 4, interval=0.2)
        traffic.announce_all([a, b])
    bundle.expected.finds("dead-vlan", two, verdict="fail").allows("frame-lost", "port-tag-mismatch")


@scenario("port-on-other-tag", "fault", "a port's tag is that of another tenant, against the agent's record",
          rule="port-tag-mismatch")
def port_on_other_tag(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=3)
    e = lab.guest("epsilon", lab.hosts[2], net)
    b.tag = two.vlans[other]
    lab.build()
    bundle.breaks(two, f"{b.ovs_port} has tag {b.tag}, its record says {two.vlans[net]}")
    with bundle.recording() as traffic:
        traffic.chat(c, d, tcp=0)
        traffic.ping(a, e, 3)
        traffic.ping(a, b, 3, interval=0.2)
        traffic.ping(b, a, 3, interval=0.2)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("port-tag-mismatch", two, net, cause=b.ovs_port)
    bundle.expected.allows("cross-network-delivery", "wrong-vni", "frame-lost", "unmapped-vni")


@scenario("missing-flood-peer", "fault", "a flood list lacks a peer that has a port; check finds it with no packet",
          rule="missing-flood-peer")
def missing_flood_peer(lab, bundle):
    lab.kinds = ["geneve"]
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    old = tun_flow(lab, three, f",dl_vlan={three.vlans[net]} ")
    missing = lab.ofport(three, three.tunnel(one, "geneve"))
    new = old.replace(f"output:{missing},", "")
    bundle.breaks(three, f"floods miss {one.name}", changes.swap_flow(three, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(a, c, 3)
        for _ in range(3):
            traffic.announce_all([c])
    bundle.expected.finds("incomplete-flood", three, net, cause="table=22").allows("missing-flood-peer", "frame-lost")


@scenario("unused-dead-port", "near", "a port on VLAN 4095 that is down and not active, as the agent leaves new ports",
          rule="dead-vlan")
def unused_dead_port(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    idle = lab.guest("idle", two, net, plug="direct", tag=4095)
    lab.build()
    two.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status", "--", "clear", "port",
                     idle.ovs_port, "other_config")
    run("ip", "link", "set", idle.tap, "down", namespace=two.namespace)
    bundle.capture_guests(a, b, c, d)
    bundle.capture_underlay()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, c])
    cover_all(lab, bundle)


@scenario("tunnels-on-demand", "near", "l2population makes tunnels only between hosts that share a network",
          rule="missing-tunnel")
def tunnels_on_demand(lab, bundle):
    lab.l2population = lab.responder = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c, d = lab.guest("gamma", three, other), lab.guest("delta", four, other)
    lab.build()
    for host in lab.hosts:
        here = {guest.network for guest in lab.guests if guest.host is host}
        for peer in lab.hosts:
            there = {guest.network for guest in lab.guests if guest.host is peer}
            if peer is not host and not here & there:
                name = host.tunnels.pop((peer, "vxlan"))
                host.ofports.pop(name)
                host.switch.vsctl("del-port", "br-tun", name)
        lab.install_flows(host)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, b, c, d])
    cover_all(lab, bundle)
    # Two islands: nothing relates the clocks of one to those of the other.
    for _ in range(2):
        bundle.expected.finds("clock-uncertain", verdict="pass")


@scenario("renumbered-vlans", "near", "an agent restarts while guests talk and gives its networks other local VLANs: tags, "
          "records and flows change together", rule="port-tag-mismatch")
def renumbered_vlans(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    bundle.with_after = True
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        lab.pause(0.5)
        changes.renumber(lab, two, [net, other])
        lab.pause(0.5)
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, b, c, d])
    bundle.expected.forbids("mapping-conflict")
    cover_all(lab, bundle)


# Without any capture: what `lanecheck check` says.


def state_of_two_tenants(lab, bundle, hosts=2, **options):
    bundle.state_only = True
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts, **options)
    return one, two, net, other, b


@scenario("check-clean", "clean", "state alone, of three hosts, and nothing wrong in it")
def check_clean(lab, bundle):
    state_of_two_tenants(lab, bundle, hosts=3)
    lab.build()
    bundle.take_state()


@scenario("check-two-vnis-one-vlan", "fault", "state alone: two VNIs go to one VLAN", rule="mapping-conflict")
def check_two_vnis_one_vlan(lab, bundle):
    one, two, net, other, _ = state_of_two_tenants(lab, bundle)
    lab.build()
    old = tun_flow(lab, two, f"tun_id={net.vni:#x} ")
    new = old.replace(f"set_field:{4096 + two.vlans[net]}->", f"set_field:{4096 + two.vlans[other]}->")
    bundle.breaks(two, f"VNIs {net.vni} and {other.vni} go to VLAN {two.vlans[other]}",
                  changes.swap_flow(two, "br-tun", old, new))
    bundle.take_state()
    bundle.expected.finds("mapping-conflict", two)


@scenario("check-no-inbound-flow", "fault", "state alone: no flow maps a network's VNI to its VLAN", rule="missing-mapping")
def check_no_inbound_flow(lab, bundle):
    one, two, net, other, _ = state_of_two_tenants(lab, bundle, hosts=3)
    lab.build()
    bundle.breaks(one, f"no flow for VNI {other.vni}",
                  changes.swap_flow(one, "br-tun", tun_flow(lab, one, f"tun_id={other.vni:#x} "), None))
    bundle.take_state()
    bundle.expected.finds("missing-mapping", one, other)


@scenario("check-no-outbound-flow", "fault", "state alone: no flow floods a network's VLAN", rule="missing-mapping")
def check_no_outbound_flow(lab, bundle):
    one, two, net, other, _ = state_of_two_tenants(lab, bundle)
    lab.build()
    bundle.breaks(one, f"no flow for VLAN {one.vlans[net]}",
                  changes.swap_flow(one, "br-tun", tun_flow(lab, one, f",dl_vlan={one.vlans[net]} "), None))
    bundle.take_state()
    bundle.expected.finds("missing-mapping", one, net)


@scenario("check-missing-flood-peer", "fault", "state alone: a flood list lacks a peer that has a port of the network",
          rule="missing-flood-peer")
def check_missing_flood_peer(lab, bundle):
    one, two, net, other, _ = state_of_two_tenants(lab, bundle, hosts=3)
    lab.guest("epsilon", lab.hosts[2], net)
    lab.build()
    old = tun_flow(lab, two, f",dl_vlan={two.vlans[net]} ")
    missing = lab.ofport(two, two.tunnel(one, "vxlan"))
    bundle.breaks(two, f"floods miss {one.name}",
                  changes.swap_flow(two, "br-tun", old, old.replace(f"output:{missing},", "")))
    bundle.take_state()
    bundle.expected.finds("missing-flood-peer", two, net)


@scenario("check-unreachable-port", "fault", "state alone: a flow that was left behind drops what a port sends",
          rule="unreachable-port")
def check_unreachable_port(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle)
    lab.build()
    bundle.breaks(two, f"br-int drops what {b.name} sends",
                  changes.add_flow(two, "br-int", f"table=0,priority=200,in_port={lab.ofport(two, b.ovs_port)} actions=drop"))
    bundle.take_state()
    bundle.expected.finds("unreachable-port", two, net, cause="table=0")


@scenario("check-missing-tunnel", "fault", "state alone: no tunnel port to a peer that has a port of the network",
          rule="missing-tunnel")
def check_missing_tunnel(lab, bundle):
    one, two, net, other, _ = state_of_two_tenants(lab, bundle, hosts=3)
    lab.guest("epsilon", lab.hosts[2], net)
    lab.build()
    name = two.tunnels.pop((lab.hosts[2], "vxlan"))
    two.ofports.pop(name)
    two.switch.vsctl("del-port", "br-tun", name)
    lab.install_flows(two)
    bundle.breaks(two, f"tunnel port {name} is missing")
    bundle.take_state()
    bundle.expected.finds("missing-tunnel", two).allows("missing-flood-peer")


@scenario("check-port-tag", "fault", "state alone: a port's tag is not what the agent noted", rule="port-tag-mismatch")
def check_port_tag(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle)
    b.tag = two.vlans[other]
    lab.build()
    bundle.breaks(two, f"{b.ovs_port} has tag {b.tag}")
    bundle.take_state()
    bundle.expected.finds("port-tag-mismatch", two, net)


@scenario("check-dead-vlan", "fault", "state alone: an active port is left on VLAN 4095", rule="dead-vlan")
def check_dead_vlan(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle)
    b.tag = 4095
    lab.build()
    bundle.breaks(two, f"{b.ovs_port} has tag 4095")
    bundle.take_state()
    bundle.expected.finds("dead-vlan", two, net, verdict="pass")
