"""Translation: tags that are in order."""

import changes
import packets
from expectation import cover_all
from scenario import scenario
from scenarios_translation import network_in_no_books, tun_flow, two_tenants


@scenario("priority-tags", "near", "a flow marks a guest's frames with a priority: they reach it with a tag of VID 0, which they had not before",
          rule="unexpected-vlan-tag")
def priority_tags(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net, plug="direct")
    lab.build()
    changes.add_flow(two, "br-int", f"table=60,priority=50,dl_vlan={two.vlans[net]},dl_dst={b.mac} actions=pop_vlan,"
                     f"push_vlan:0x8100,set_field:4096->vlan_vid,set_field:5->vlan_pcp,output:{lab.ofport(two, b.ovs_port)}")
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("unlisted-network", "near", "two hosts carry a VNI that lanecheck.yaml does not name; it does not say that it names all",
          rule="unknown-vni")
def unlisted_network(lab, bundle):
    bundle.keep_small()
    one, two, _ = network_in_no_books(lab, bundle, complete=False)
    bundle.expected.covers(one, lab.networks[0]).covers(two, lab.networks[0])


@scenario("crossed-without-state", "near", "captures alone: a network's floods travel in two lanes, and nothing says which is right",
          rule="wrong-vni")
def crossed_without_state(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    old = tun_flow(lab, one, f"table=22,cookie={lab.tunnel_plan(one).cookie:#x},priority=1,dl_vlan={one.vlans[net]} ")
    changes.swap_flow(one, "br-tun", old, old.replace(f"set_field:{net.vni:#x}->", f"set_field:{other.vni:#x}->"))
    bundle.with_state = False
    with bundle.recording() as traffic:
        traffic.chat(c, d, tcp=0)
        traffic.ping(b, a, 4)
        traffic.announce_all([a, a, b])
        traffic.ping(a, b, 4)
    bundle.expected.finds("wrong-vni", verdict="inconclusive").allows("wrong-vni", "cross-network-delivery", "wrong-local-vlan", "frame-lost")


@scenario("dot1q-tunnel", "near", "a port is a tunnel of its guest's own VLANs (dot1q-tunnel), and a flow gives what it gets one of them",
          rule="unexpected-vlan-tag")
def dot1q_tunnel(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net, plug="direct", protected=False)
    lab.build()
    two.switch.vsctl("set", "port", b.ovs_port, "vlan_mode=dot1q-tunnel", "other_config:qinq-ethtype=802.1q")
    own = lab.naming.vlan(set(two.vlans.values()))
    changes.add_flow(two, "br-int", f"table=60,priority=50,udp,dl_vlan={two.vlans[net]},dl_dst={b.mac} actions=pop_vlan,"
                     f"push_vlan:0x8100,set_field:{4096 + own}->vlan_vid,output:{lab.ofport(two, b.ovs_port)}")
    bundle.keep_small()
    bundle.points = ("tap",)
    with bundle.recording() as traffic:
        traffic.ping(b, a)
        traffic.ping(a, b)
        traffic.stream(a, b, 8)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("lost-at-restart", "near", "an agent restarts and leaves one network without its inbound flow, as the only dump shows; what came "
          "before was delivered", rule="unmapped-vni")
def lost_at_restart(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    bundle.keep_small()
    bundle.with_state = False
    bundle.capture_guests(a, c, d)
    bundle.capture_underlay()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        traffic.chat(c, d, tcp=0, six=False)
        changes.restart_agent(lab, two)
        changes.swap_flow(two, "br-tun", tun_flow(lab, two, f"tun_id={net.vni:#x} "), None)
        lab.note(f"{two.name} has no flow for VNI {net.vni} from now on")
        for host in (one, two):
            bundle.collect(host, bundle.directory / host.name)
    bundle.expected.forbids("unmapped-vni").covers(two, other)


@scenario("guests-tags-arrive", "near", "guests' own VLAN tags reach other guests by ports that are tunnels of VLANs, as no state that was "
          "collected tells", rule="unexpected-vlan-tag")
def guests_tags_arrive(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a = lab.guest("alpha", one, net, protected=False)
    b = lab.guest("beta", two, net, protected=False)
    lab.build()
    for host, guest in ((one, a), (two, b)):
        host.switch.vsctl("set", "port", guest.ovs_port, "vlan_mode=dot1q-tunnel", "other_config:qinq-ethtype=802.1q")
        host.switch.vsctl("set", "open_vswitch", ".", "other_config:vlan-limit=2")
    bundle.keep_small()
    bundle.use_manifest()
    with bundle.recording() as traffic:
        # Only OVSDB's list of ports tells of the mode.
        for host in (one, two):
            (bundle.directory / host.name / "ovsdb-port.json").unlink()
        traffic.chat(a, b, tcp=0)
        for guest, peer in ((a, b), (b, a)):
            frames = [packets.ethernet(packets.BROADCAST, guest.mac, 0x0800, packets.udp4(
                guest.ip, peer.ip, 4000, 4001, b"tagged by the guest %d" % n, 700 + n), tags=[77]) for n in range(5)]
            packets.send_frames(guest.namespace, guest.device, frames)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)
