"""Isolation: nothing is delivered where it does not belong, nothing is believed that is forged."""

import changes
import packets
import plumbing
from overlays import pair, trio
from scenario import scenario
from scenarios_translation import two_tenants


def rogue_box(lab, last):
    """A box on the underlay that is no host of the deployment."""
    namespace = lab.namespaces.add("rogue")
    mac = "02:00:00:00:66:%02x" % last
    lab.attach(namespace, "eth0", mac, "rogue")
    return namespace, mac


def forged_arp(guest_mac, ip, count):
    return [packets.ethernet(packets.BROADCAST, guest_mac, 0x0806,
                             packets.arp(1, guest_mac, ip, "00:00:00:00:00:00", ip)) for _ in range(count)]


@scenario("copied-to-another-tenant", "fault", "a stray flow of br-int copies a network's broadcasts to a port of another",
          rule="cross-network-delivery")
def copied_to_another_tenant(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    new = (f"table=60,priority=50,dl_vlan={two.vlans[net]},dl_dst=ff:ff:ff:ff:ff:ff "
           f"actions=normal,pop_vlan,output:{lab.ofport(two, d.ovs_port)}")
    bundle.breaks(two, f"broadcasts of VLAN {two.vlans[net]} also go to {d.ovs_port}",
                  changes.add_flow(two, "br-int", new))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, a, a])
    bundle.expected.finds("cross-network-delivery", two, net, cause="table=60")


@scenario("monitor-port", "near", "an OVS mirror gives a monitoring port what other tenants' ports get", rule="untagged-port")
def monitor_port(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    plumbing.veth(two.namespace, "monitor0", two.namespace, "watch0")
    for device in ("monitor0", "watch0"):
        plumbing.quiet(two.namespace, device)
    plumbing.up(two.namespace, "monitor0", "watch0")
    two.switch.vsctl("add-port", "br-int", "monitor0", "--", "--id=@p", "get", "port", "monitor0", "--", "--id=@b", "get",
                     "port", b.ovs_port, "--", "--id=@d", "get", "port", d.ovs_port, "--", "--id=@m", "create", "mirror",
                     "name=watch", "select-dst-port=@b,@d", "select-src-port=@b,@d", "output-port=@p", "--", "set",
                     "bridge", "br-int", "mirrors=@m")
    two.ofports["monitor0"] = ("br-int", two.switch.ofport("monitor0"))
    bundle.tables += ("mirror",)
    bundle.capture_all()
    bundle.capture(two, "monitor0", "mirror")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, c])
    bundle.expected.covers(two, net).covers(two, other)


@scenario("untagged-port", "fault", "a port of br-int lost its tag and gets the frames of every network", rule="untagged-port")
def untagged_port(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    two.switch.vsctl("clear", "port", d.ovs_port, "tag")
    d.tag = 0
    bundle.breaks(two, f"{d.ovs_port} has no tag")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, d, 3)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("untagged-port", two, other, cause=d.ovs_port)
    bundle.expected.allows("cross-network-delivery", "frame-lost", "unexpected-vlan-tag", "port-tag-mismatch")


@scenario("unknown-vtep", "fault", "tunnel frames from an address that is no VTEP; lanecheck.yaml lists all hosts",
          rule="unknown-vtep")
def unknown_vtep(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.use_manifest(complete=True)
    namespace, mac = rogue_box(lab, 7)
    source = str(lab.naming.underlay[40])
    bundle.breaks(two, f"{source} sends tunnel frames to {two.name}")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        frames = [packets.outer_vxlan(mac, two.nic_mac, source, two.vtep, net.vni, inner)
                  for inner in forged_arp("fa:16:3e:66:66:66", a.ip, 12)]
        packets.send_frames(namespace, "eth0", frames)
        traffic.announce_all([a, b])
    bundle.expected.finds("unknown-vtep", two)


@scenario("forged-tunnel-frame", "fault",
          "a box steals a VTEP's address and a guest's MAC: the VTEP's own capture lacks the frames",
          rule="forged-tunnel-frame")
def forged_tunnel_frame(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    namespace, mac = rogue_box(lab, 9)
    bundle.breaks(three, f"a box sends as {one.vtep} to {three.name}")
    with bundle.recording() as traffic:
        traffic.chat(a, c, tcp=0)
        inner = [packets.ethernet(c.mac, b.mac, 0x0800, packets.udp4(b.ip, c.ip, 5000, 5001, b"forged %d" % n, 900 + n))
                 for n in range(10)]
        frames = [packets.outer_vxlan(mac, three.nic_mac, one.vtep, three.vtep, net.vni, frame) for frame in inner]
        packets.send_frames(namespace, "eth0", frames)
        traffic.chat(b, c, tcp=0)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("forged-tunnel-frame", three, net)
    bundle.expected.allows("mac-moved", "stale-location", "duplicate-address")


@scenario("sender-not-captured", "near", "frames come from a VTEP whose NIC nobody captured: that proves nothing",
          rule="forged-tunnel-frame")
def sender_not_captured(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.capture_guests(a, b, c)
    bundle.capture_underlay(one, three)
    with bundle.recording() as traffic:
        traffic.chat(b, c, tcp=3000)
        traffic.chat(a, b, tcp=0)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(three, net)


@scenario("spoofed-mac", "fault", "for a moment MAC protection is gone: frames with a foreign source leave the host, and no dump shows why",
          rule="spoofed-source-mac")
def spoofed_mac(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    stray = f"table=0,priority=200,in_port={lab.ofport(one, a.ovs_port)}"
    foreign = "de:ad:be:ef:00:42"
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        frames = [packets.ethernet(b.mac if n % 2 else packets.BROADCAST, foreign, 0x0800, packets.udp4(
            a.ip, b.ip, 6000, 6001, b"spoofed %d" % n, 40 + n)) for n in range(12)]
        bundle.breaks(one, f"for a moment, in no dump, {a.ovs_port} is let past protection",
                      changes.add_flow(one, "br-int", stray + " actions=goto_table:58"))
        packets.send_frames(a.namespace, a.device, frames)
        one.switch.ofctl("--strict", "del-flows", "br-int", stray)
        traffic.announce_all([a, b])
    bundle.expected.finds("spoofed-source-mac", one, net).forbids("spoof-blocked")


@scenario("spoof-blocked", "near", "a guest sends with a foreign MAC, and br-int stops it: a remark", rule="spoofed-source-mac")
def spoof_blocked(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net, plug="direct")
    lab.build()
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        frames = [packets.ethernet(b.mac if n % 2 else packets.BROADCAST, "de:ad:be:ef:00:43", 0x0800, packets.udp4(
            a.ip, b.ip, 6000, 6001, b"spoofed %d" % n, 40 + n)) for n in range(12)]
        packets.send_frames(a.namespace, a.device, frames)
        traffic.announce_all([a, b])
    bundle.expected.finds("spoof-blocked", one, verdict="pass")


@scenario("duplicate-address", "fault", "two guests of a network have the same address: two MACs answer", rule="duplicate-address")
def duplicate_address(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c = lab.guest("twin", three, net, ip=b.ip, ip6=str(net.subnet6[0x7777]))
    lab.build()
    bundle.breaks(three, f"{c.name} has the address of {b.name}, {b.ip}")
    with bundle.recording() as traffic:
        for _ in range(4):
            traffic.forget(a)
            traffic.ping(a, b, 2)
        traffic.announce_all([a, b, c])
    bundle.expected.finds("duplicate-address", network=net, verdict="pass").allows("stale-location", "frame-lost")
