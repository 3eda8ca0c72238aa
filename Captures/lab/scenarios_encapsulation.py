"""Encapsulation: ports, headers and the outer packet."""

import struct

import changes
import packets
import wires
from commands import run
from overlays import pair, trio
from scenario import scenario


@scenario("other-udp-port", "fault", "one host's tunnels use UDP 8472 and its peers 4789: neither hears the other",
          rule="nonstandard-tunnel-port")
def other_udp_port(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    two.udp_port = 8472
    lab.build()
    bundle.breaks(two, "options:dst_port=8472 on all tunnel ports")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4, interval=0.3)
        traffic.ping(b, c, 4, interval=0.3)
        traffic.chat(a, c, tcp=3000)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("nonstandard-tunnel-port", two, cause="dst_port").allows("frame-lost")


@scenario("agreed-udp-port", "near", "all hosts agree on UDP 8472", rule="nonstandard-tunnel-port")
def agreed_udp_port(lab, bundle):
    one, two, net, a, b = pair(lab)
    for host in lab.hosts:
        host.udp_port = 8472
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


def tunnel_frames(host, peer, guest, vni, count, flags):
    inner = [packets.ethernet(packets.BROADCAST, guest.mac, 0x0800, packets.udp4(
        guest.ip, "255.255.255.255", 9000, 9001, b"odd header %d" % n, 300 + n)) for n in range(count)]
    return [packets.outer_vxlan(host.nic_mac, peer.nic_mac, host.vtep, peer.vtep, vni, frame, flags) for frame in inner]


@scenario("malformed-vxlan", "fault", "a host's tunnel packets have the I flag clear, and some end within the header",
          rule="malformed-encapsulation")
def malformed_vxlan(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.breaks(one, f"{one.name} sends VXLAN without the I flag, and cut headers")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        frames = tunnel_frames(one, two, a, net.vni, 8, 0x00)
        udp = packets.ipv4(one.vtep, two.vtep, 17, b"\xc0\x00\x12\xb5\x00\x0c\x00\x00" + b"\x08\x00\x00\x00", 0)
        frames += [packets.ethernet(two.nic_mac, one.nic_mac, 0x0800, udp)] * 3
        packets.send_frames(one.namespace, one.nic, frames)
        traffic.announce_all([a, b])
    bundle.expected.finds("malformed-encapsulation", one).allows("malformed-encapsulation")


@scenario("reserved-bits", "fault", "reserved bits of the VXLAN header are set on the way: RFC 7348 has receivers ignore them, "
          "Open vSwitch drops the packets", rule="frame-lost")
def reserved_bits(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()

    def set_bits(frame):
        return frame[:43] + b"\x01" + frame[44:]

    changes.underlay_relay(lab, one, wires.change(
        set_bits, lambda frame, out: out and wires.tunnel_to(frame, None)))
    bundle.breaks(None, f"what {one.name} sends arrives with a reserved bit set")
    with bundle.recording() as traffic:
        traffic.chat(b, a, tcp=0)
        traffic.announce_all([a, b])
    bundle.expected.finds("frame-lost", two, net).allows("malformed-encapsulation")


@scenario("foreign-gre", "near", "GRE of others on the underlay: version 1 (PPTP) and keyless GRE, in a VXLAN deployment",
          rule="malformed-encapsulation")
def foreign_gre(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        bodies = [b"\x30\x81\x88\x0b\x00\x04\x00\x07" + struct.pack("!II", n, n) + b"\xff\x03\x00\x21"
                  for n in range(5)]
        bodies += [b"\x00\x00\x08\x00" + packets.udp4("10.8.0.1", "10.8.0.2", 53, 53, b"not ours", n) for n in range(5)]
        frames = [packets.ethernet(two.nic_mac, one.nic_mac, 0x0800, packets.ipv4(one.vtep, two.vtep, 47, body, n))
                  for n, body in enumerate(bodies)]
        packets.send_frames(one.namespace, one.nic, frames)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("outer-vlan-mismatch", "fault", "hosts put different outer VLANs around their tunnels and a switch translates",
          rule="outer-vlan-mismatch")
def outer_vlan_mismatch(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.outer_vlans = {one: 310, two: 320, three: 310}
    lab.build()
    changes.underlay_relay(lab, two, wires.retag(320, 310))
    bundle.breaks(two, f"{two.name} uses outer VLAN 320, the others 310")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 8, interval=0.2)
        traffic.chat(a, c, tcp=0)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("outer-vlan-mismatch", verdict="pass")
    # A remark: it works.
    bundle.expected.fail_on = "warning"


@scenario("outer-fragments", "fault", "tunnel packets are fragmented on the underlay; the switch does not put them together",
          rule="underlay-fragmented")
def outer_fragments(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    changes.underlay_relay(lab, one, lambda frame, out: [
        (0, part) for part in (wires.fragments(frame, 900) if out else [frame])])
    bundle.breaks(None, f"packets of {one.name} are fragmented at 900 octets")
    with bundle.recording() as traffic:
        traffic.chat(a, b, big=0, tcp=0)
        traffic.ping(a, b, 4, size=1200, interval=0.2)
        traffic.udp(a, b, 5, size=100)
        traffic.announce_all([a, b])
    bundle.expected.finds("underlay-fragmented", verdict="pass").allows("frame-lost", "exceeds-underlay-mtu")


@scenario("guest-fragments", "near", "guests' own fragments inside the tunnel, and others' between the hosts: no tunnel packet is fragmented",
          rule="underlay-fragmented")
def guest_fragments(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(a, b, 4, size=4000)
        traffic.udp(b, a, 4, size=3000)
        traffic.ping6(a, b, 3, size=3000)
        run("ping", "-c", 3, "-i", 0.1, "-s", 3000, two.vtep, namespace=one.namespace)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)
