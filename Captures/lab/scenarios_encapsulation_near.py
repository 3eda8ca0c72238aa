"""Encapsulation and the underlay: VLANs that differ in order."""

import struct

import changes
import packets
from scenario import scenario


def tagged(vlan):
    return struct.pack("!HH", 0x8100, vlan)


@scenario("routed-underlay", "near", "hosts in different VLANs of the underlay, with a router between them", rule="outer-vlan-mismatch")
def routed_underlay(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    vlans = {one: 1210, two: 1220}
    lab.outer_vlans = vlans
    lab.build()
    router = "00:1c:73:00:00:99"
    for host, peer in ((one, two), (two, one)):
        host.switch.appctl("tnl/neigh/set", "br-phy", peer.vtep, router)

    def route(frame, out):
        source, target = (two, one) if out else (one, two)
        if frame[:6] != packets.mac_bytes(router) or frame[12:16] != tagged(vlans[source]):
            return []
        return [(0, packets.mac_bytes(target.nic_mac) + packets.mac_bytes(router) + tagged(vlans[target]) + frame[16:])]

    changes.underlay_relay(lab, two, route)
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.announce_all([a, b])
    bundle.expected.forbids("outer-vlan-mismatch").covers(one, net).covers(two, net)
