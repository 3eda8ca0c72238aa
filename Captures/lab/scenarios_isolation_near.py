"""Isolation: what is allowed though it looks like a forgery or a leak."""

import struct

import changes
import packets
from commands import run
from expectation import cover_all
from namespaces import set_sysctl
from overlays import pair, trio
from scenario import scenario
from scenarios_translation import two_tenants


def datagrams(source_mac, source_ip, target, count, first=100, port=7100):
    return [packets.ethernet(target.mac, source_mac, 0x0800, packets.udp4(
        source_ip, target.ip, port, port + 1, b"datagram %d" % n, first + n)) for n in range(count)]


def announced(mac, ip):
    return packets.ethernet(packets.BROADCAST, mac, 0x0806, packets.arp(1, mac, ip, "00:00:00:00:00:00", ip))


@scenario("cluster-mac", "near", "a guest sends from a MAC that its allowed address pairs name; only Neutron's list tells, no flows "
          "were dumped", rule="spoofed-source-mac")
def cluster_mac(lab, bundle):
    one, two, _, net, a, b, c = trio(lab)
    mac, ip = lab.naming.mac(), lab.spare_address(net)
    a.allowed = b.allowed = [(mac, ip)]
    lab.build()
    bundle.keep_small()
    bundle.use_neutron()
    bundle.undumped = ("br-int",)
    with bundle.recording() as traffic:
        traffic.chat(a, c, tcp=0)
        traffic.ping(b, c)
        packets.send_frames(a.namespace, a.device, [announced(mac, ip)] * 2 + datagrams(mac, ip, c, 8))
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("open-port", "near", "a guest whose port has no port security sends from a second MAC; no flows were dumped",
          rule="spoofed-source-mac")
def open_port(lab, bundle):
    one, two, _, net, a, b, c = trio(lab, alpha={"protected": False})
    mac, ip = lab.naming.mac(), lab.spare_address(net)
    lab.build()
    bundle.keep_small()
    bundle.use_neutron()
    bundle.undumped = ("br-int",)
    with bundle.recording() as traffic:
        traffic.chat(a, c, tcp=0)
        packets.send_frames(a.namespace, a.device, [announced(mac, ip)] * 2 + datagrams(mac, ip, c, 8))
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("virtual-router-mac", "near", "keepalived sends from its virtual router MAC, which no list of ports names, where nothing "
          "enforces MACs", rule="spoofed-source-mac")
def virtual_router_mac(lab, bundle):
    one, two, _, net, a, b, c = trio(lab, alpha={"protected": False}, beta={"protected": False})
    mac, ip = "00:00:5e:00:01:%02x" % lab.random.randrange(1, 255), lab.spare_address(net)
    lab.build()
    # Without a firewall driver nothing is enforced, whatever Neutron says of port security.
    for guest in (a, b):
        guest.protected = True
    bundle.keep_small()
    bundle.use_neutron()
    bundle.undumped = ("br-int",)
    with bundle.recording() as traffic:
        traffic.chat(a, c, tcp=0)
        traffic.ping(b, c)
        packets.send_frames(a.namespace, a.device, [announced(mac, ip)] * 2 + datagrams(mac, ip, c, 8))
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("nested-bridge", "near", "containers are bridged inside a guest whose port has no port security: the flows let their MACs "
          "pass", rule="spoofed-source-mac")
def nested_bridge(lab, bundle):
    one, two, _, net, a, b, c = trio(lab, alpha={"protected": False})
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        for n in range(3):
            mac = "02:42:ac:11:00:%02x" % (lab.random.randrange(1, 80) + 80 * n)
            ip = lab.spare_address(net, n)
            packets.send_frames(a.namespace, a.device, [announced(mac, ip)] + datagrams(mac, ip, b, 4, 200 + 10 * n))
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("shared-address", "near", "two guests of a cluster both answer for the address that their allowed pairs name",
          rule="duplicate-address")
def shared_address(lab, bundle):
    one, two, _, net, a, b, c = trio(lab)
    ip = lab.spare_address(net)
    for guest in (a, b):
        guest.allowed = [(guest.mac, ip)]
    lab.build()
    for guest in (a, b):
        run("ip", "addr", "add", f"{ip}/32", "dev", guest.device, namespace=guest.namespace)
    bundle.keep_small()
    bundle.use_neutron()
    question = packets.ethernet(packets.BROADCAST, c.mac, 0x0806, packets.arp(1, c.mac, c.ip, "00:00:00:00:00:00", ip))
    with bundle.recording() as traffic:
        traffic.chat(c, a, tcp=0)
        traffic.ping(c, b)
        packets.send_frames(c.namespace, c.device, [question] * 6, gap=0.15)
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


@scenario("proxy-arp", "near", "a router answers ARP for a guest beside the guest itself (proxy ARP)", rule="duplicate-address")
def proxy_arp(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    left, right = lab.network("left"), lab.network("right")
    a, b = lab.guest("alpha", one, left), lab.guest("beta", two, left)
    options = {"plug": "direct", "owner": "network:router_interface", "protected": False}
    first = lab.guest("router", three, left, ip=str(left.subnet[1]), ip6=str(left.subnet6[1]), **options)
    lab.guest("router-right", three, right, ip=str(right.subnet[1]), ip6=str(right.subnet6[1]), device="eth1",
              extra={"with": first}, **options)
    lab.build()
    for setting, value in (("ip_forward", 1), (f"conf/{first.device}/proxy_arp", 1), (f"neigh/{first.device}/proxy_delay", 0)):
        set_sysctl(first.namespace, f"ipv4/{setting}", value)
    run("ip", "route", "add", f"{b.ip}/32", "dev", "eth1", namespace=first.namespace)
    bundle.keep_small()
    question = packets.ethernet(packets.BROADCAST, a.mac, 0x0806, packets.arp(1, a.mac, a.ip, "00:00:00:00:00:00", b.ip))
    with bundle.recording() as traffic:
        traffic.ping(a, first)
        traffic.ping(b, a)
        packets.send_frames(a.namespace, a.device, [question] * 8, gap=0.15)
        traffic.announce_all([a, b])
    bundle.expected.covers(one, left).covers(two, left)


@scenario("router-on-two-hosts", "near", "both hosts of a redundant router (L3 HA) answer for a moment while it fails over, with one MAC",
          rule="duplicate-address")
def router_on_two_hosts(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    options = {"plug": "direct", "owner": "network:ha_router_replicated_interface", "protected": False}
    here = lab.guest("master", one, net, **options)
    there = lab.guest("standby", two, net, mac=here.mac, ip=here.ip, ip6=here.ip6, **options)
    there.port_id = here.port_id
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.build()
    bundle.keep_small()
    bundle.use_neutron()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        for n in range(5):
            for router in (here, there):
                packets.send_frames(router.namespace, router.device, [packets.ethernet(
                    packets.BROADCAST, here.mac, 0x0806, packets.arp(1, here.mac, here.ip, "00:00:00:00:00:00", here.ip))]
                    + datagrams(here.mac, here.ip, a if router is here else b, 1, 100 + n))
        traffic.announce_all([a, b])
    bundle.expected.forbids("mac-moved", "duplicate-address").covers(one, net).covers(two, net)


@scenario("false-claims", "near", "a guest claims another's address, and protection of br-int stops those ARP answers: they are not lost",
          rule="frame-lost")
def false_claims(lab, bundle):
    one, two, _, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    claims = [packets.ethernet(b.mac, a.mac, 0x0806, packets.arp(2, a.mac, c.ip, b.mac, b.ip))] * 8
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.forget(b)
        traffic.ping(b, c, 2)
        packets.send_frames(a.namespace, a.device, claims)
        traffic.forget(b)
        traffic.ping(b, c, 2)
        traffic.ping(b, a, 10)
        traffic.announce_all([a, b, c])
    cover_all(lab, bundle)


def out_of_sight(lab, bundle, is_known):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("mover", one, net), lab.guest("gamma", three, net)
    lab.guest("stayer", two, net)
    lab.build()
    bundle.keep_small()
    bundle.capture_guests(a, b, c)
    bundle.capture_underlay(one, three)
    two.captured = False
    if is_known:
        bundle.use_manifest()
    with bundle.recording() as traffic:
        traffic.chat(b, c, tcp=0)
        traffic.ping(a, c)
        changes.migrate(lab, b, two)
        lab.pause(0.5)
        traffic.ping(b, c, 8, interval=0.1)
        traffic.udp(b, c, 8)
        traffic.announce_all([b, c])


@scenario("moved-out-of-sight", "near", "a guest moves to a host of which nothing but its VTEP is known, and is found there",
          rule="stale-location")
def moved_out_of_sight(lab, bundle):
    out_of_sight(lab, bundle, False)


@scenario("moved-to-uncaptured-host", "near", "a guest moves to a host that nobody captured and goes on from there: that proves no "
          "forgery", rule="forged-tunnel-frame")
def moved_to_uncaptured_host(lab, bundle):
    out_of_sight(lab, bundle, True)


@scenario("mirror-to-guest", "near", "an OVS mirror hands what two tenants' ports get to the port of a monitoring guest",
          rule="cross-network-delivery")
def mirror_to_guest(lab, bundle):
    watched(lab, bundle)


@scenario("mirror-to-untagged-port", "near", "the port of a monitoring guest has no tag, as the output of an OVS mirror of two tenants' ports",
          rule="untagged-port")
def mirror_to_untagged_port(lab, bundle):
    watched(lab, bundle, tag=0)


def watched(lab, bundle, **options):
    """A guest gets by a mirror what two tenants' ports on its host send and get."""
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    watcher = lab.guest("watcher", two, net, protected=False, **options)
    lab.build()
    two.switch.vsctl("--id=@p", "get", "port", watcher.ovs_port, "--", "--id=@b", "get", "port", b.ovs_port, "--", "--id=@d",
                     "get", "port", d.ovs_port, "--", "--id=@m", "create", "mirror", "name=tap-as-a-service",
                     "select-dst-port=@b,@d", "select-src-port=@b,@d", "output-port=@p", "--", "set", "bridge", "br-int",
                     "mirrors=@m")
    bundle.keep_small()
    bundle.tables = ("bridge", "mirror")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, c])
    bundle.expected.covers(two, net).covers(two, other)


@scenario("sender-lost-frames", "near", "a sender's capture lost frames that it did send: nobody forged them", rule="forged-tunnel-frame")
def sender_lost_frames(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    bundle.capture_guests(b)
    bundle.capture_underlay()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(a, b, 20, interval=0.02)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == one.name and told["point"] == "tunnel":
            told["packets"] -= lose(bundle.directory / told["file"], 7)
            told["note"] = "every seventh frame was taken out of the file after the recording"
    bundle.expected.covers(two, net)


def lose(path, every):
    """Takes every n-th frame out of a capture; returns how many."""
    data = path.read_bytes()
    out, at, number, lost = data[:24], 24, 0, 0
    while at < len(data):
        end = at + 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
        number += 1
        if number % every:
            out += data[at:end]
        else:
            lost += 1
        at = end
    path.write_bytes(out)
    return lost
