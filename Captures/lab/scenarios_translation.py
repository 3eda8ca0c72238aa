"""Translation: the right local VLAN and the right VNI, on every host."""

import changes
import packets
from overlays import pair
from scenario import scenario
from tunnel_flows import tunnel_flows


def tun_flow(lab, host, find):
    """The flow of a host's br-tun that a piece of text tells from all others."""
    flows = {flow for flow in tunnel_flows(lab.tunnel_plan(host)) if find in flow}
    if len(flows) != 1:
        raise ValueError(f"{len(flows)} flows have {find}")
    return flows.pop()


def two_tenants(lab, hosts=2, **options):
    """Two networks on the first two hosts, with a pair of guests each."""
    one, two = lab.add_hosts(hosts)[:2]
    net, other = lab.network("net", **options), lab.network("other", **options)
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c, d = lab.guest("gamma", one, other), lab.guest("delta", two, other)
    return one, two, net, other, (a, b), (c, d)


@scenario("wrong-vni-unicast", "fault", "one l2population entry sends a MAC's frames on the VNI of another tenant",
          rule="wrong-vni")
def wrong_vni_unicast(lab, bundle):
    lab.l2population = lab.responder = True
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=3)
    lab.guest("epsilon", lab.hosts[2], net)
    lab.build()
    old = tun_flow(lab, one, f"dl_vlan={one.vlans[net]},dl_dst={b.mac}")
    new = old.replace(f"set_field:{net.vni:#x}->tun_id", f"set_field:{other.vni:#x}->tun_id")
    bundle.breaks(one, f"frames for {b.mac} leave on VNI {other.vni}", changes.swap_flow(one, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 6)
        traffic.udp(a, b, 5)
        traffic.chat(c, d, tcp=3000)
        traffic.ping(b, lab.guests[-1], 4)
        traffic.announce_all([a, c])
    bundle.expected.finds("wrong-vni", one, net, cause="table=20")
    bundle.expected.allows("cross-network-delivery", "frame-lost")


@scenario("two-lanes-at-once", "fault", "a host floods a network on its own VNI and, beside that, to one host on another tenant's",
          rule="wrong-vni")
def two_lanes_at_once(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=3)
    three = lab.hosts[2]
    e = lab.guest("epsilon", three, net)
    lab.build()
    old = tun_flow(lab, one, f",dl_vlan={one.vlans[net]} ")
    tunnel = lab.ofport(one, one.tunnel(two, "vxlan"))
    bundle.breaks(one, f"floods of VLAN {one.vlans[net]} leave for {two.name} on VNI {other.vni}, too",
                  changes.swap_flow(one, "br-tun", old, f"{old},set_field:{other.vni:#x}->tun_id,output:{tunnel}"))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=0)
        traffic.ping(e, a, 4)
        traffic.announce_all([a, a, c, e])
    bundle.expected.finds("wrong-vni", one, net, cause="table=22").allows("cross-network-delivery")


@scenario("wrong-key-gre", "fault", "a host's GRE flood leaves with another tenant's key", rule="wrong-vni")
def wrong_key_gre(lab, bundle):
    lab.kinds = ["gre"]
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=3)
    lab.build()
    old = tun_flow(lab, two, f",dl_vlan={two.vlans[other]} ")
    new = old.replace(f"set_field:{other.vni:#x}->", f"set_field:{net.vni:#x}->")
    bundle.breaks(two, f"floods of VLAN {two.vlans[other]} leave with key {net.vni}",
                  changes.swap_flow(two, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.ping(d, c, 4)
        traffic.announce_all([d, d, a])
    bundle.expected.finds("wrong-vni", two, other, cause="table=22")
    bundle.expected.allows("cross-network-delivery", "frame-lost")


@scenario("wrong-vlan-geneve", "fault", "a host maps a network's VNI to the VLAN of another network (Geneve)",
          rule="wrong-local-vlan")
def wrong_vlan_geneve(lab, bundle):
    lab.kinds = ["geneve"]
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    old = tun_flow(lab, one, f"tun_id={net.vni:#x} ")
    new = old.replace(f"set_field:{4096 + one.vlans[net]}->", f"set_field:{4096 + one.vlans[other]}->")
    bundle.breaks(one, f"VNI {net.vni} goes to VLAN {one.vlans[other]}", changes.swap_flow(one, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.ping(b, a, 6)
        traffic.udp(b, a, 5)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([b, d])
    bundle.expected.finds("wrong-local-vlan", one, net, cause="table=6")
    bundle.expected.allows("cross-network-delivery", "wrong-vni", "mapping-conflict", "frame-lost")


@scenario("wrong-vlan-in-br-int", "fault", "a stray flow of br-int moves a port's frames to another network's VLAN",
          rule="wrong-local-vlan")
def wrong_vlan_in_br_int(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    port = lab.ofport(one, a.ovs_port)
    new = f"table=60,priority=90,in_port={port} actions=push_vlan:0x8100,set_field:{4096 + one.vlans[other]}->vlan_vid,normal"
    patch = lab.ofport(one, "patch-tun")
    new = new.replace("normal", f"output:{patch}")
    bundle.breaks(one, f"frames of {a.ovs_port} are tagged {one.vlans[other]}", changes.add_flow(one, "br-int", new))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 5)
        traffic.ping(b, a, 4)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([a, b])
    bundle.expected.finds("wrong-local-vlan", one, net, cause="table=60")
    bundle.expected.allows("cross-network-delivery", "wrong-vni", "frame-lost")


@scenario("no-strip-l2pop", "fault", "an l2population entry forgets to take the local tag off", rule="vlan-not-stripped")
def no_strip_l2pop(lab, bundle):
    lab.l2population = True
    one, two, net, a, b = pair(lab)
    lab.build()
    old = tun_flow(lab, two, f"dl_vlan={two.vlans[net]},dl_dst={a.mac}")
    bundle.breaks(two, f"frames for {a.mac} keep their tag",
                  changes.swap_flow(two, "br-tun", old, old.replace("pop_vlan,", "")))
    with bundle.recording() as traffic:
        traffic.ping(b, a, 6)
        traffic.ping(a, b, 6)
        traffic.announce_all([a, b])
    bundle.expected.finds("vlan-not-stripped", two, net, cause="table=20").allows("frame-lost")


@scenario("guest-tag-like-local-vlan", "near", "guests tag frames themselves, with the very number of the sender's local VLAN",
          rule="vlan-not-stripped")
def guest_tag_like_local_vlan(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a = lab.guest("alpha", one, net, protected=False)
    b = lab.guest("beta", two, net, protected=False)
    lab.build()
    for host, guest in ((one, a), (two, b)):
        host.switch.vsctl("set", "port", guest.ovs_port, "vlan_mode=dot1q-tunnel", "other_config:qinq-ethtype=802.1q")
        host.switch.vsctl("set", "open_vswitch", ".", "other_config:vlan-limit=2")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        for guest, peer in ((a, b), (b, a)):
            frames = [packets.ethernet(packets.BROADCAST, guest.mac, 0x0800, packets.udp4(
                guest.ip, peer.ip, 4000, 4001, b"tagged by the guest %d" % n, 700 + n), tags=[guest.vlan]) for n in range(5)]
            packets.send_frames(guest.namespace, guest.device, frames)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("tag-delivered", "fault", "a flow of br-int hands a guest's unicast to its port without taking the tag off",
          rule="unexpected-vlan-tag")
def tag_delivered(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    new = (f"table=60,priority=90,dl_vlan={two.vlans[net]},dl_dst={b.mac} "
           f"actions=output:{lab.ofport(two, b.ovs_port)}")
    bundle.breaks(two, f"frames for {b.mac} keep tag {two.vlans[net]}", changes.add_flow(two, "br-int", new))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 5)
        traffic.ping(b, a, 5)
        traffic.announce_all([a, a, b])
    bundle.expected.finds("unexpected-vlan-tag", two, net, cause="table=60").allows("frame-lost")


@scenario("unknown-vni", "fault", "two hosts carry a VNI that no network has; lanecheck.yaml says that it lists all",
          rule="unknown-vni")
def unknown_vni(lab, bundle):
    one, two, other = network_in_no_books(lab, bundle, complete=True)
    bundle.expected.finds("unknown-vni").allows("unknown-vni")


def network_in_no_books(lab, bundle, complete):
    """Two hosts have a network that no agent's record and no list names."""
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    for host, guest in ((one, c), (two, d)):
        host.switch.vsctl("clear", "port", guest.ovs_port, "other_config", "--", "clear", "interface", guest.ovs_port,
                          "external_ids")
    bundle.use_manifest(complete=complete)
    kept = [line for line in bundle.intent["lanecheck.yaml"].splitlines()
            if not line.startswith("  other:") and "network: other" not in line]
    bundle.intent["lanecheck.yaml"] = "\n".join(kept).replace(f"other: {one.vlans[other]}", "").replace(
        f"other: {two.vlans[other]}", "").replace(",  }", " }") + "\n"
    if complete:
        bundle.breaks(one, f"network of VNI {other.vni} is in nobody's books")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, c])
    return one, two, other


@scenario("flood-to-hosts-without-ports", "near", "floods reach a host that has no port of the network: dropped there, rightly",
          rule="unmapped-vni")
def flood_to_hosts_without_ports(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=4)
    e = lab.guest("epsilon", lab.hosts[3], other)
    lab.build()
    bundle.capture_all()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, e, tcp=0)
        traffic.announce_all([a, b, c, d, e])
    bundle.expected.forbids("unknown-vni").covers(one, net).covers(two, net).covers(lab.hosts[3], other)


@scenario("unmapped-vni", "fault", "a host has a port of the network and no flow for its key (GRE)", rule="unmapped-vni")
def unmapped_vni(lab, bundle):
    lab.kinds = ["gre"]
    one, two, net, other, (a, b), (c, d) = two_tenants(lab, hosts=3)
    e = lab.guest("epsilon", lab.hosts[2], net, plug="direct")
    lab.build()
    old = tun_flow(lab, two, f"tun_id={net.vni:#x} ")
    bundle.breaks(two, f"no flow for key {net.vni}", changes.swap_flow(two, "br-tun", old, None))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4)
        traffic.chat(a, e, tcp=3000)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([a, b])
    bundle.expected.finds("unmapped-vni", two, net, cause=f"tun_id={net.vni:#x}").allows("frame-lost")
