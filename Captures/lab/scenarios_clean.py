"""Ordinary networks, in which lanecheck must find nothing."""

import packets
import plumbing
from commands import run
from expectation import cover_all
from namespaces import set_sysctl
from overlays import pair
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
    cover_all(lab, bundle)


@scenario("ipv6-underlay", "clean", "VXLAN over an IPv6 underlay: tunnel ports are named by a hash")
def ipv6_underlay(lab, bundle):
    lab.underlay_version = 6
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net, plug="direct")
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("same-macs", "near", "two tenants cloned from one template: same MACs, same addresses, same frames, "
          "local VLANs crossed", rule="cross-network-delivery")
def same_macs(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    subnet = lab.naming.subnets[0]
    red, blue = lab.network("red", subnet=subnet), lab.network("blue", subnet=subnet)
    two.vlans[red], two.vlans[blue] = one.vlans[blue], one.vlans[red]
    blue.subnet6 = red.subnet6
    a, b = lab.guest("red1", one, red), lab.guest("red2", two, red)
    c = lab.guest("blue1", one, blue, mac=a.mac, ip=a.ip, ip6=a.ip6)
    d = lab.guest("blue2", two, blue, mac=b.mac, ip=b.ip, ip6=b.ip6)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=6000)
        traffic.chat(c, d, tcp=6000)
        # The same octets in both networks, again and again, close together.
        frame = packets.ethernet(packets.BROADCAST, a.mac, 0x0806,
                                 packets.arp(1, a.mac, a.ip, "00:00:00:00:00:00", b.ip))
        for guest in (a, c, a, c):
            packets.send_frames(guest.namespace, guest.device, [frame] * 2, gap=0.003)
        traffic.announce_all([a, c])
    cover_all(lab, bundle)


@scenario("l2population", "clean", "l2population with ARP responder: ARP is answered on the spot, floods go where ports are")
def l2population(lab, bundle):
    lab.l2population = lab.responder = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    a, b, c = lab.guest("alpha", one, net), lab.guest("beta", two, net), lab.guest("gamma", three, net)
    d, e = lab.guest("delta", one, other), lab.guest("epsilon", four, other)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=6000)
        traffic.ping(b, c)
        traffic.ping(c, a)
        traffic.chat(d, e, tcp=0)
        traffic.announce_all([a, c, e])
    cover_all(lab, bundle)


@scenario("direct-taps", "clean", "taps plugged straight into br-int, with no qbr, qvb and qvo; one host has two guests")
def direct_taps(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net, plug="direct"), lab.guest("beta", two, net, plug="direct")
    c, d = lab.guest("gamma", two, net), lab.guest("delta", three, net, plug="direct")
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=6000)
        traffic.ping(b, c)
        traffic.udp(c, b)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([b, c])
    bundle.expected.forbids("unsupported-mode")
    cover_all(lab, bundle)


@scenario("router", "clean", "a router namespace with two qr- ports: frames change MACs and TTL between two networks")
def router(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    left, right = lab.network("left"), lab.network("right")
    a, b = lab.guest("alpha", one, left), lab.guest("beta", two, right)
    options = {"plug": "direct", "owner": "network:router_interface", "protected": False}
    first = lab.guest("router", three, left, ip=str(left.subnet[1]), ip6=str(left.subnet6[1]), **options)
    second = lab.guest("router-right", three, right, ip=str(right.subnet[1]), ip6=str(right.subnet6[1]), device="eth1",
                       extra={"with": first}, **options)
    lab.build()
    set_sysctl(first.namespace, "ipv4/ip_forward", 1)
    for guest, gateway in ((a, first), (b, second)):
        run("ip", "route", "add", "default", "via", gateway.ip, namespace=guest.namespace)
    with bundle.recording() as traffic:
        traffic.ping(a, first)
        traffic.ping(b, second)
        traffic.ping(a, b)
        traffic.udp(b, a)
        traffic.tcp(a, b, 6000)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("trunk", "near", "a trunk port: its guest's VLAN 100 and 200 are two more networks, rightly tagged at the tap",
          rule="unexpected-vlan-tag")
def trunk(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    parent, first, second = lab.network("parent"), lab.network("first"), lab.network("second")
    options = {"protected": False}
    p = lab.guest("trunked", one, parent, plug="trunk", **options)
    s1 = lab.guest("sub100", one, first, plug="subport", mac=p.mac, extra={"parent": p, "vid": 100}, **options)
    s2 = lab.guest("sub200", one, second, plug="subport", extra={"parent": p, "vid": 200}, **options)
    a, b, c = lab.guest("alpha", two, parent), lab.guest("beta", two, first), lab.guest("gamma", two, second)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(p, a, tcp=3000)
        traffic.chat(s1, b, tcp=3000)
        traffic.chat(s2, c, tcp=3000)
        traffic.broadcast(b)
    cover_all(lab, bundle)


@scenario("vrrp", "near", "allowed address pairs: a virtual MAC and address move between two guests (VRRP)",
          rule="spoofed-source-mac")
def vrrp(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    mac, ip = "00:00:5e:00:01:2a", str(net.subnet[42])
    a = lab.guest("master", one, net, allowed=[(mac, ip)], ip=str(net.subnet[3]))
    b = lab.guest("backup", two, net, allowed=[(mac, ip)], ip=str(net.subnet[4]))
    c = lab.guest("client", three, net, ip=str(net.subnet[9]))
    lab.build()

    def advertise(guest, count, ident):
        body = bytes([0x21, 42, 100, 1, 0, 1, 0, 0]) + bytes(int(x) for x in ip.split("."))
        body = body[:6] + packets.checksum(body).to_bytes(2, "big") + body[8:]
        frames = [packets.ethernet("01:00:5e:00:00:12", mac, 0x0800,
                                   packets.ipv4(guest.ip, "224.0.0.18", 112, body, ident + n, ttl=255))
                  for n in range(count)]
        packets.send_frames(guest.namespace, guest.device, frames, gap=0.15)

    def announce(guest):
        frame = packets.ethernet(packets.BROADCAST, mac, 0x0806, packets.arp(1, mac, ip, "00:00:00:00:00:00", ip))
        packets.send_frames(guest.namespace, guest.device, [frame] * 2)

    with bundle.recording() as traffic:
        announce(a)
        advertise(a, 6, 100)
        traffic.chat(c, a, tcp=0)
        lab.note("the virtual MAC fails over from master to backup")
        announce(b)
        advertise(b, 6, 500)
        traffic.chat(c, b, tcp=0)
    cover_all(lab, bundle)
    bundle.expected.forbids("mac-moved")


@scenario("security-groups", "near", "security groups in qbr drop what a guest must not get: seen at qvo, absent at the tap",
          rule="frame-lost")
def security_groups(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    set_sysctl(two.namespace, "bridge/bridge-nf-call-iptables", 1)
    chain = "neutron-openvswi-i" + b.short[:10]
    for rule in ([["-N", chain], ["-A", "FORWARD", "-m", "physdev", "--physdev-out", b.tap, "--physdev-is-bridged",
                                  "-j", chain], ["-A", chain, "-p", "icmp", "-j", "RETURN"],
                  ["-A", chain, "-p", "tcp", "-j", "RETURN"], ["-A", chain, "-j", "DROP"]]):
        run("iptables", "-w", *rule, namespace=two.namespace)
    bundle.evidence = [("iptables-save.txt", "iptables-save")]
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.ping(a, b)
        traffic.tcp(a, b, 4000)
        traffic.udp(a, b, count=8, answer=False)
        traffic.ping(b, a)
        traffic.broadcast(a)
    cover_all(lab, bundle)
    bundle.expected.finds("dropped-by-policy", host=two, network=net, verdict="pass")


@scenario("igmp-snooping", "near", "IGMP snooping on br-int: multicast reaches members only", rule="incomplete-flood")
def igmp_snooping(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("sender", one, net), lab.guest("member", two, net)
    c, d = lab.guest("outsider", two, net), lab.guest("member2", three, net, plug="direct")
    lab.build()
    for host in (one, two, three):
        host.switch.vsctl("set", "bridge", "br-int", "mcast_snooping_enable=true",
                          "other_config:mcast-snooping-disable-flood-unregistered=true")
        host.switch.vsctl("set", "port", "patch-tun", "other_config:mcast-snooping-flood=true",
                          "other_config:mcast-snooping-flood-reports=true")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        with traffic.join(b, "239.7.7.7", 1), traffic.join(d, "239.7.7.7", 1):
            lab.pause(0.5)
            traffic.multicast(a, 6, "239.7.7.7")
        traffic.ping(c, d)
        traffic.announce_all([a])
    cover_all(lab, bundle)


@scenario("bond-underlay", "clean", "two NICs in a bond of Open vSwitch carry the tunnels; the second is a spare")
def bond_underlay(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    for host in lab.hosts:
        host.nics = [host.nic, host.nic + "b"] if len(host.nic) < 14 else host.nics
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("vlan-underlay", "near", "the underlay puts its own 802.1Q tag around VXLAN; its number is also a local VLAN",
          rule="vlan-not-stripped")
def vlan_underlay(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    lab.outer_vlans = {host: one.vlans[net] for host in lab.hosts}
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("overlay-in-guests", "near", "guests run VXLAN of their own, with a VNI that another tenant has too",
          rule="wrong-vni")
def overlay_in_guests(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net, other = lab.network("net"), lab.network("other")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c, d = lab.guest("gamma", one, other), lab.guest("delta", two, other)
    lab.build()
    for guest, peer, last in ((a, b, 1), (b, a, 2)):
        run("ip", "link", "add", "inner", "type", "vxlan", "id", other.vni, "dstport", 4789, "remote", peer.ip,
            "local", guest.ip, namespace=guest.namespace)
        run("ip", "addr", "add", f"10.99.0.{last}/24", "dev", "inner", namespace=guest.namespace)
        plumbing.quiet(guest.namespace, "inner")
        plumbing.up(guest.namespace, "inner")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.ping(a, b, 6, ip="10.99.0.2")
        traffic.ping(b, a, 3, ip="10.99.0.1", size=800)
    cover_all(lab, bundle)


@scenario("foreign-overlay", "near", "another overlay (UDP 8472, VNI 1) between the same hosts' addresses",
          rule="nonstandard-tunnel-port")
def foreign_overlay(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    for host, peer, last in ((one, two, 1), (two, one, 2)):
        run("ip", "link", "add", "flannel.1", "type", "vxlan", "id", 1, "dstport", 8472, "remote", peer.vtep,
            "local", host.vtep, "dev", "br-phy", namespace=host.namespace)
        plumbing.quiet(host.namespace, "flannel.1")
        run("ip", "addr", "add", f"10.244.0.{last}/24", "dev", "flannel.1", namespace=host.namespace)
        plumbing.up(host.namespace, "flannel.1")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        run("ping", "-c", 6, "-i", "0.05", "-W", 1, "10.244.0.2", namespace=one.namespace, check=False)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("geneve", "clean", "Geneve tunnels")
def geneve(lab, bundle):
    lab.kinds = ["geneve"]
    one, two, three = lab.add_hosts(3)[:3]
    net, other = lab.network("net"), lab.network("other")
    a, b, c = lab.guest("alpha", one, net), lab.guest("beta", two, net), lab.guest("gamma", three, net)
    d, e = lab.guest("delta", three, other), lab.guest("epsilon", one, other, plug="direct")
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=6000)
        traffic.ping(b, c)
        traffic.chat(d, e, tcp=3000)
        traffic.announce_all([a, e])
    cover_all(lab, bundle)


@scenario("mixed-tunnels", "clean", "VXLAN, GRE and Geneve networks on the same hosts, one with the same tunnel ID as another")
def mixed_tunnels(lab, bundle):
    lab.kinds = ["vxlan", "gre", "geneve"]
    one, two = lab.add_hosts(2)[:2]
    nets = [lab.network("xnet", "vxlan"), lab.network("gnet", "gre")]
    nets.append(lab.network("nnet", "geneve"))
    pairs = [(lab.guest(f"{net.name}1", one, net), lab.guest(f"{net.name}2", two, net)) for net in nets]
    lab.build()
    with bundle.recording() as traffic:
        for a, b in pairs:
            traffic.chat(a, b, tcp=3000)
            traffic.broadcast(a)
    cover_all(lab, bundle)
