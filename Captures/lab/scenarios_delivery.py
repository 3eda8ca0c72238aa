"""Delivery: frames lost, duplicated, changed and reordered; and what only looks like it."""

import changes
import packets
import wires
from overlays import trio
from scenario import scenario


def three_hosts(lab):
    one, two, three, net, *guests = trio(lab)
    lab.build()
    return (one, two, three), net, guests


@scenario("lost-on-the-underlay", "fault", "the underlay drops all tunnel packets from one host to another",
          rule="frame-lost")
def lost_on_the_underlay(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, one, wires.drop(lambda frame, out: out and wires.tunnel_to(frame, two.vtep)))
    bundle.breaks(None, f"the underlay drops UDP 4789 from {one.vtep} to {two.vtep}")
    with bundle.recording() as traffic:
        traffic.ping(c, b, 4)
        traffic.ping(a, b, 4, interval=0.2)
        traffic.ping(a, c, 4)
        traffic.announce_all([a, a, b, c])
        traffic.ping(b, a, 4, interval=0.2)
    bundle.expected.finds("frame-lost", network=net)


@scenario("firewall-drops-tunnels", "fault", "a host's own bridge drops tunnel packets from one peer: they arrive and vanish",
          rule="frame-lost")
def firewall_drops_tunnels(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    new = f"table=0,priority=100,udp,nw_src={one.vtep},tp_dst=4789 actions=drop"
    bundle.bridges = ("br-phy",)
    bundle.breaks(two, "br-phy drops UDP 4789 from " + one.vtep, changes.add_flow(two, "br-phy", new))
    with bundle.recording() as traffic:
        traffic.ping(c, b, 4)
        traffic.ping(a, b, 4, interval=0.2)
        traffic.ping(a, c, 4)
        traffic.announce_all([a, a, b, c])
        traffic.ping(b, a, 4, interval=0.2)
    bundle.expected.finds("frame-lost", two, net)


@scenario("partial-loss", "fault", "the underlay loses a fifth of all tunnel packets from one host: a warning",
          rule="frame-lost")
def partial_loss(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, one, wires.drop(
        lambda frame, out: out and wires.tunnel_to(frame, None) and lab.random.random() < 0.2))
    bundle.breaks(None, f"the underlay loses 20 % of what {one.name} sends")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 20)
        traffic.udp(a, b, 40, answer=False, gap=0.01)
        traffic.tcp(a, c, 8000, timeout=6)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("frame-lost", verdict="pass").allows("capture-gap", "frame-lost")


@scenario("duplicated", "fault", "the underlay delivers every third tunnel packet twice", rule="frame-duplicated")
def duplicated(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, two, wires.every(3, lambda frame: [(0, frame), (0.0005, frame)],
                                                 lambda frame, out: not out and wires.tunnel_to(frame, two.vtep)))
    bundle.breaks(None, f"every third tunnel packet to {two.name} arrives twice")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 12)
        traffic.udp(a, b, 12, answer=False)
        traffic.ping(a, c, 4)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("frame-duplicated", verdict="pass").allows("frame-duplicated")


@scenario("guest-repeats", "near", "a guest sends the same frame again and again: each is delivered once",
          rule="frame-duplicated")
def guest_repeats(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        same = packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(a.ip, b.ip, 7000, 7001, b"again", 5))
        packets.send_frames(a.namespace, a.device, [same] * 9, gap=0.004)
        packets.send_frames(a.namespace, a.device, [same] * 3, gap=0.3)
        for n in range(8):
            twin = packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(a.ip, b.ip, 7000, 7001, b"twice %d" % n, 20 + n))
            packets.send_frames(a.namespace, a.device, [twin] * 2, gap=0.006)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("modified", "fault", "a box on the way changes an octet of guests' datagrams and mends the checksum",
          rule="frame-modified")
def modified(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, one, wires.change(
        wires.flip_payload, lambda frame, out: out and wires.inner_udp(frame, 200)))
    bundle.breaks(None, f"two octets of datagrams that {one.name} sends are swapped on the way")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4)
        traffic.udp(a, b, 12, size=200, answer=False)
        traffic.udp(c, b, 6, size=200)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("frame-modified").allows("frame-lost", "bad-checksum-on-wire", "forged-tunnel-frame")


@scenario("reordered", "near", "every fourth tunnel packet is overtaken by those behind it: a remark", rule="frame-reordered")
def reordered(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, one, wires.every(4, lambda frame: [(0.04, frame)],
                                                 lambda frame, out: out and wires.tunnel_to(frame, two.vtep)))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 3)
        traffic.stream(a, b, 40, size=100, gap=0.01)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("frame-reordered", verdict="pass")


@scenario("bad-checksum", "fault", "inner UDP checksums are wrong when they arrive at the receiving host",
          rule="bad-checksum-on-wire")
def bad_checksum(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.breaks(one, f"{a.name} sends datagrams with wrong checksums, as a broken offload does")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        frames = [packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(
            a.ip, b.ip, 8000, 8001, b"wrong checksum %d" % n, 60 + n, good=False)) for n in range(10)]
        packets.send_frames(a.namespace, a.device, frames)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("bad-checksum-on-wire", verdict="pass")


@scenario("large-frames-vanish", "fault", "a link of the underlay has too small an MTU and drops large tunnel packets silently",
          rule="exceeds-underlay-mtu")
def large_frames_vanish(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    changes.underlay_relay(lab, two, wires.drop(lambda frame, out: len(frame) > 1300))
    bundle.breaks(None, f"the link of {two.name} drops packets of more than 1300 octets")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 6)
        traffic.ping(a, b, 5, size=1300, interval=0.2)
        traffic.ping(b, c, 5, size=1380, interval=0.2)
        traffic.ping(a, c, 4, size=1380)
        traffic.udp(a, b, 6, size=100)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("exceeds-underlay-mtu").allows("frame-lost", "exceeds-underlay-mtu")


@scenario("large-frames-pass", "near", "the largest frames that guests can send, and they arrive", rule="exceeds-underlay-mtu")
def large_frames_pass(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4, size=1422)
        traffic.ping6(b, a, 3, size=1402)
        traffic.tcp(a, c, 8000)
        traffic.ping(c, b, 3, size=2500)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)
