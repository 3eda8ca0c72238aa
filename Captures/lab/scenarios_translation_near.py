"""Translation: tags that are in order."""

import changes
from expectation import cover_all
from scenario import scenario


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
