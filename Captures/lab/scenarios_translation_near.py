"""Translation: tags that are in order."""

import changes
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
