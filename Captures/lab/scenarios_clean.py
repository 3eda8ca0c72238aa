"""Ordinary networks, in which lanecheck must find nothing."""

from scenario import scenario


@scenario("clean-vxlan", "clean", "one network on three hosts over VXLAN; a DHCP port plugged by its tap alone")
def clean_vxlan(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    dhcp = lab.guest("dhcp", three, net, plug="direct", owner="network:dhcp", protected=False)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b)
        traffic.chat(b, dhcp, tcp=3000)
        traffic.announce_all([a, b, dhcp])
    for host in (one, two, three):
        bundle.expected.covers(host, net)
