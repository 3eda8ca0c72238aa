"""Encapsulation and the underlay: VLANs that differ in order."""

import struct

import changes
import packets
import trunk
from overlays import pair, trio
from scenario import scenario
from scenarios_isolation import rogue_box


def tagged(vlan):
    return struct.pack("!HH", 0x8100, vlan)


@scenario("routed-underlay", "near", "hosts in different VLANs of the underlay, with a router between them", rule="outer-vlan-mismatch")
def routed_underlay(lab, bundle):
    one, two, net, a, b = pair(lab)
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


@scenario("too-big-for-others", "near", "ICMP errors tell a host that packets of another service were too large: nothing of the tunnels",
          rule="exceeds-underlay-mtu")
def too_big_for_others(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    namespace, mac = rogue_box(lab, 5)
    router = str(lab.naming.underlay[50])
    frames = []
    for n in range(4):
        segment = packets.ipv4(one.vtep, two.vtep, 6, struct.pack("!HHI", 40000 + n, 22, 1) + b"\0" * 8, 700 + n)
        error = struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + segment[:28]
        error = error[:2] + struct.pack("!H", packets.checksum(error)) + error[4:]
        frames.append(packets.ethernet(one.nic_mac, mac, 0x0800, packets.ipv4(router, one.vtep, 1, error, 90 + n)))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(namespace, "eth0", frames)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("headers-cut-by-snap", "near", "a capture's snap length cuts tunnel packets within the inner header: they were whole on the wire",
          rule="malformed-encapsulation")
def headers_cut_by_snap(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    bundle.capture_guests(a, b, c)
    bundle.capture_underlay(one, two)
    bundle.capture_underlay(three, snap=58)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, a)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)
    # What that capture does not show cannot be judged.
    bundle.expected.verdict = "inconclusive"


def in_one_vlan(lab, bundle):
    """Two hosts whose tunnels are in one VLAN; the first has a VLAN device for it, the second a tag in its bridge."""
    one, two, net, a, b = pair(lab)
    vlan = 640
    nic, device = one.nic, f"{one.nic}.{vlan}"
    one.nics = [device]
    lab.outer_vlans = {two: vlan}
    attach = lab.attach

    def with_vlan_device(namespace, name, mac, end, *rest, **options):
        attach(namespace, nic if name == device else name, mac, end, *rest, **options)
        if name == device:
            lab.relays.append(trunk.vlan_device(namespace, nic, vlan, lab.underlay_mtu, mac))

    lab.attach = with_vlan_device
    lab.build()
    for host, peer in ((one, two), (two, one)):
        host.switch.appctl("tnl/neigh/set", "br-phy", peer.vtep, peer.nic_mac)
    bundle.keep_small()
    bundle.points = ("tap",)
    bundle.capture_all()
    bundle.expected.covers(one, net).covers(two, net)
    return one, nic, a, b


@scenario("vlan-device", "near", "both hosts' tunnels are in one VLAN; of one the NIC was captured, of the other the VLAN device on it, which shows "
          "no tag", rule="outer-vlan-mismatch")
def vlan_device(lab, bundle):
    one, nic, a, b = in_one_vlan(lab, bundle)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.announce_all([a, b])
    bundle.expected.forbids("outer-vlan-mismatch")


@scenario("devices-in-series", "near", "a host's NIC and the VLAN device on it were both captured: each tunnel packet shows twice there",
          rule="frame-duplicated")
def devices_in_series(lab, bundle):
    one, nic, a, b = in_one_vlan(lab, bundle)
    bundle.capture(one, nic, "tunnel")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.announce_all([a, b])
