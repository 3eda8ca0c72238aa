"""Delivery: what is missing, doubled or overtaken in order."""

import socket
import struct

import changes
import packets
import wires
from commands import run
from expectation import cover_all
from namespaces import set_sysctl
from overlays import pair
from scenario import scenario
from scenarios_delivery import three_hosts


@scenario("bridging-guest", "near", "a guest sends nothing but spanning tree and LLDP frames, which no bridge forwards",
          rule="frame-lost")
def bridging_guest(lab, bundle):
    one, two, net, a, b = pair(lab)
    bridge = lab.guest("bridge", one, net, plug="direct", protected=False)
    lab.build()
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    mac = packets.mac_bytes(bridge.mac)
    hello = b"\x42\x42\x03" + b"\0" * 5 + b"\x80\x00" + mac + b"\0" * 4 + b"\x80\x00" + mac + b"\x80\x01\0\0\x14\0\x02\0\x0f\0"
    neighbour = b"\x02\x07\x04" + mac + b"\x04\x05\x05eth0\x06\x02\x00\x78\x00\x00" + b"\0" * 20
    frames = []
    for n in range(6):
        frames += [packets.ethernet("01:80:c2:00:00:00", bridge.mac, len(hello), hello + bytes([n]) * 8),
                   packets.ethernet("01:80:c2:00:00:0e", bridge.mac, 0x88CC, neighbour + bytes([n]) * 4)]
    other = [packets.ethernet(packets.BROADCAST, a.mac, 0x88B5, b"local experiment %02d" % n + b"\0" * 40) for n in range(4)]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(bridge.namespace, bridge.device, frames, gap=0.05)
        packets.send_frames(a.namespace, a.device, other)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("asked-again", "near", "an ARP responder answers a guest that asks again and again: the questions leave no host",
          rule="frame-lost")
def asked_again(lab, bundle):
    lab.l2population = lab.responder = True
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    question = packets.ethernet(packets.BROADCAST, a.mac, 0x0806, packets.arp(1, a.mac, a.ip, "00:00:00:00:00:00", b.ip))
    strange = packets.ethernet(packets.BROADCAST, a.mac, 0x0806,
                               packets.arp(1, a.mac, a.ip, "00:00:00:00:00:00", lab.spare_address(net)))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(a.namespace, a.device, [strange] * 4, gap=0.05)
        packets.send_frames(a.namespace, a.device, [question] * 12, gap=0.05)
        packets.send_frames(a.namespace, a.device, [strange] * 2, gap=0.05)
        traffic.ping(a, c)
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("overtaken-at-start", "near", "only the first frames of each flow are overtaken, as when upcalls delay them",
          rule="frame-reordered")
def overtaken_at_start(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()

    def is_early(frame, out):
        number = wires.INNER + 14 + 20 + 8
        return (out and wires.inner_udp(frame, 100)
                and struct.unpack("!I", frame[number:number + 4])[0] in (1, 3, 5, 7))

    changes.underlay_relay(lab, one, lambda frame, out: [(0.018 if is_early(frame, out) else 0, frame)])
    with bundle.recording() as traffic:
        traffic.ping(a, b, 3)
        for _ in range(4):
            traffic.stream(a, b, 14, size=100, gap=0.012)
        traffic.announce_all([a, b, c])
    bundle.expected.forbids("frame-reordered").covers(one, net).covers(two, net)


@scenario("security-groups-at-tap", "near", "security groups in qbr drop datagrams, and only taps were captured behind it",
          rule="frame-lost")
def security_groups_at_tap(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    set_sysctl(two.namespace, "bridge/bridge-nf-call-iptables", 1)
    chain = "neutron-openvswi-i" + b.short[:10]
    for rule in ([["-N", chain], ["-A", "FORWARD", "-m", "physdev", "--physdev-out", b.tap, "--physdev-is-bridged",
                                  "-j", chain], ["-A", chain, "-p", "icmp", "-j", "RETURN"], ["-A", chain, "-j", "DROP"]]):
        run("iptables", "-w", *rule, namespace=two.namespace)
    bundle.keep_small()
    bundle.points = ("tap",)
    with bundle.recording() as traffic:
        traffic.udp(b, a, count=4, answer=False)
        traffic.ping(a, b, 40, interval=0.02)
        traffic.stream(a, b, 16)
        traffic.ping(b, a, 10)
    cover_all(lab, bundle)


@scenario("firewall-in-br-int", "near", "the openvswitch firewall driver drops datagrams in one direction while most frames pass",
          rule="frame-lost")
def firewall_in_br_int(lab, bundle):
    lab.firewall = ["icmp", "icmp6"]
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net, plug="direct"), lab.guest("beta", two, net, plug="direct")
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.udp(b, a, count=4, answer=False)
        traffic.ping(a, b, 40, interval=0.02)
        traffic.stream(a, b, 16)
        traffic.ping(b, a, 10)
    cover_all(lab, bundle)


@scenario("large-datagrams-blocked", "fault", "a box of the underlay drops large datagrams while pings of that size pass: loss, and "
          "no matter of the MTU", rule="frame-lost")
def large_datagrams_blocked(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    changes.underlay_relay(lab, two, wires.drop(lambda frame, out: not out and wires.inner_udp(frame, 1100)))
    bundle.breaks(None, f"a box before {two.name} drops datagrams of 1100 octets")
    with bundle.recording() as traffic:
        traffic.ping(a, b, 10)
        traffic.ping(a, b, 6, size=1300)
        traffic.stream(a, b, 30, size=100)
        traffic.stream(a, b, 10, size=1100)
        traffic.stream(a, b, 5, size=100)
        traffic.ping(a, b, 6, size=1300)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("frame-lost", verdict="pass").allows("frame-lost")


@scenario("unheard-multicast", "near", "a guest sends nothing but multicast that nobody asked for: IGMP snooping keeps it on its host",
          rule="frame-lost")
def unheard_multicast(lab, bundle):
    one, two, net, a, b = pair(lab)
    sender = lab.guest("sender", one, net, plug="direct")
    lab.build()
    for host in (one, two):
        host.switch.vsctl("set", "bridge", "br-int", "mcast_snooping_enable=true",
                          "other_config:mcast-snooping-disable-flood-unregistered=true")
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    frames = [packets.ethernet("01:00:5e:07:07:07", sender.mac, 0x0800, packets.udp4(
        sender.ip, "239.7.7.7", 5004, 5004, b"a stream that nobody hears %d" % n, 30 + n)) for n in range(12)]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(sender.namespace, sender.device, frames, gap=0.05)
        traffic.ping(b, a)
        traffic.broadcast(a, 2)
    bundle.expected.covers(one, net).covers(two, net)


@scenario("quarantined-port", "near", "an operator's flow in br-int drops datagrams to a guest: the frames are dropped on purpose",
          rule="frame-lost")
def quarantined_port(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    changes.add_flow(two, "br-int", f"table=60,priority=50,udp,dl_vlan={two.vlans[net]},dl_dst={b.mac} actions=drop")
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.udp(b, a, count=4, answer=False)
        traffic.ping(a, b, 40, interval=0.02)
        traffic.stream(a, b, 16)
        traffic.ping(b, a, 10)
    cover_all(lab, bundle)
    bundle.expected.finds("dropped-by-policy", two, net, cause="priority=50", verdict="pass")


@scenario("quarantined-sender", "near", "an operator's flow in br-int drops the datagrams of a guest: the frames are dropped on purpose",
          rule="frame-lost")
def quarantined_sender(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    changes.add_flow(one, "br-int", f"table=58,priority=50,udp,in_port={lab.ofport(one, a.ovs_port)},nw_dst={b.ip} actions=drop")
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.udp(b, a, count=4, answer=False)
        traffic.ping(a, b, 40, interval=0.02)
        traffic.stream(a, b, 16)
        traffic.ping(b, a, 10)
    cover_all(lab, bundle)
    bundle.expected.finds("dropped-by-policy", one, net, cause="priority=50", verdict="pass")


def finish_checksum(frame, out):
    """The inner UDP or TCP checksum of a tunnel packet, computed as a NIC does it."""
    at = wires.INNER
    if not out or not wires.tunnel_to(frame, None) or frame[at + 12:at + 14] != b"\x08\x00" or frame[at + 23] not in (6, 17):
        return [(0, frame)]
    end = at + 14 + struct.unpack("!H", frame[at + 16:at + 18])[0]
    body, place = bytearray(frame[at + 34:end]), 16 if frame[at + 23] == 6 else 6
    body[place:place + 2] = b"\0\0"
    pseudo = frame[at + 26:at + 34] + struct.pack("!BBH", 0, frame[at + 23], len(body))
    body[place:place + 2] = struct.pack("!H", packets.checksum(pseudo + bytes(body)) or 0xFFFF)
    return [(0, frame[:at + 34] + bytes(body) + frame[end:])]


@scenario("checksums-by-the-nic", "near", "checksums are unfinished where a host sends and right where another receives: its NIC does them",
          rule="bad-checksum-on-wire")
def checksums_by_the_nic(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    changes.underlay_relay(lab, one, finish_checksum)
    frames = [packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(
        a.ip, b.ip, 8000, 8001, b"unfinished checksum %d" % n, 60 + n, good=False)) for n in range(10)]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(a.namespace, a.device, frames)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("two-bad-checksums", "near", "a guest sends two datagrams with wrong checksums: too few for a fault of its host",
          rule="bad-checksum-on-wire")
def two_bad_checksums(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    frames = [packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(
        a.ip, b.ip, 8000, 8001, b"wrong checksum %d" % n, 60 + n, good=False)) for n in range(2)]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        packets.send_frames(a.namespace, a.device, frames)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("two-lost-frames", "near", "two frames of many are missing where they should arrive: a missing sighting alone proves nothing",
          rule="frame-lost")
def two_lost_frames(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    number = wires.INNER + 14 + 20 + 8
    changes.underlay_relay(lab, one, wires.drop(lambda frame, out: out and wires.inner_udp(frame, 100) and struct.unpack(
        "!I", frame[number:number + 4])[0] in (15, 31)))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 20, interval=0.02)
        traffic.stream(a, b, 40, size=100)
        traffic.ping(b, a, 10, interval=0.02)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("two-overtaken-frames", "near", "two frames of a long flow are overtaken: too few to speak of", rule="frame-reordered")
def two_overtaken_frames(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    number = wires.INNER + 14 + 20 + 8

    def is_late(frame, out):
        return out and wires.inner_udp(frame, 100) and struct.unpack("!I", frame[number:number + 4])[0] in (20, 30)

    changes.underlay_relay(lab, one, lambda frame, out: [(0.025 if is_late(frame, out) else 0, frame)])
    with bundle.recording() as traffic:
        traffic.ping(a, b, 3)
        traffic.stream(a, b, 40, size=100, gap=0.012)
        traffic.announce_all([a, b, c])
    bundle.expected.forbids("frame-reordered").covers(one, net).covers(two, net)


@scenario("padded", "near", "a box on the way pads short frames inside the tunnel to what Ethernet asks for", rule="frame-modified")
def padded(lab, bundle):
    (one, two, three), net, (a, b, c) = three_hosts(lab)
    bundle.keep_small()
    changes.underlay_relay(lab, one, lambda frame, out: [(0, wires.pad_inner(frame))])
    with bundle.recording() as traffic:
        traffic.ping(a, b, 8, size=4)
        traffic.ping(b, a, 4, size=4)
        traffic.forget(a)
        traffic.udp(a, b, size=4)
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("two-refused-frames", "near", "security groups in qbr refuse two datagrams, and qbr holds back multicast that nobody listens to: too few, "
          "and no policy", rule="dropped-by-policy")
def two_refused_frames(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    set_sysctl(two.namespace, "bridge/bridge-nf-call-iptables", 1)
    run("iptables", "-w", "-A", "FORWARD", "-m", "physdev", "--physdev-out", b.tap, "--physdev-is-bridged", "-p", "udp",
        "--dport", 7101, "-j", "DROP", namespace=two.namespace)
    run("bridge", "link", "set", "dev", b.tap, "mcast_flood", "off", namespace=two.namespace)
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    refused = [packets.ethernet(b.mac, a.mac, 0x0800, packets.udp4(
        a.ip, b.ip, 7100, 7101, b"refused %d" % n, 90 + n)) for n in range(2)]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        packets.send_frames(a.namespace, a.device, refused)
        traffic.multicast(a, 6)
        traffic.ping(a, b, 10)
        traffic.broadcast(b, 2)
    bundle.expected.forbids("dropped-by-policy")
    cover_all(lab, bundle)


def unfinished(source, target, number):
    """A segment without payload whose checksum is left to a device: that of the pseudo header alone."""
    segment = struct.pack("!HHIIBBHHH", 41000, 41001, 1000 + number, 1, 0x50, 0x10, 512, 0, 0)
    pseudo = socket.inet_aton(source.ip) + socket.inet_aton(target.ip) + struct.pack("!BBH", 0, 6, len(segment))
    partial = ~packets.checksum(pseudo) & 0xFFFF
    segment = segment[:16] + struct.pack("!H", partial) + segment[18:]
    return packets.ethernet(target.mac, source.mac, 0x0800, packets.ipv4(source.ip, target.ip, 6, segment, 300 + number))


@scenario("unfinished-on-virtual-wires", "near", "checksums are still unfinished where frames arrive: the underlay is made of virtual devices, "
          "which know", rule="bad-checksum-on-wire")
def unfinished_on_virtual_wires(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    bundle.points = ("tap",)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        packets.send_frames(a.namespace, a.device, [unfinished(a, b, n) for n in range(8)])
        traffic.ping(b, a)
        traffic.broadcast(a, 2)
    cover_all(lab, bundle)
