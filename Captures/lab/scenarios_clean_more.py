"""Ordinary networks: other deployments, older releases, provider networks."""

import packets
import plumbing
from commands import run
from expectation import cover_all
from overlays import pair
from scenario import scenario


@scenario("five-hosts", "clean", "five hosts, three networks, eight guests, not every network everywhere")
def five_hosts(lab, bundle):
    hosts = lab.add_hosts(5)[:5]
    nets = [lab.network(name) for name in ("blue", "green", "red")]
    places = [(0, 0), (1, 0), (4, 0), (1, 1), (2, 1), (3, 2), (0, 2), (4, 1)]
    guests = [lab.guest(f"vm{number}", hosts[host], nets[net], plug="direct" if number % 3 == 2 else "hybrid")
              for number, (host, net) in enumerate(places)]
    lab.build()
    bundle.capture_all(points=("qvo",), snap=192)
    with bundle.recording() as traffic:
        traffic.ping(guests[0], guests[1])
        traffic.chat(guests[1], guests[2], tcp=0)
        traffic.chat(guests[3], guests[4], tcp=3000)
        traffic.ping(guests[7], guests[4])
        traffic.chat(guests[5], guests[6], tcp=0)
        traffic.announce_all([guests[0], guests[7], guests[5]])
    cover_all(lab, bundle)


@scenario("old-neutron", "clean", "the tables of Havana and Icehouse, dumped in the spelling of OpenFlow 1.0; GRE and VXLAN")
def old_neutron(lab, bundle):
    lab.old = True
    lab.kinds = ["gre", "vxlan"]
    one, two, three = lab.add_hosts(3)[:3]
    net, other = lab.network("net", "gre"), lab.network("other", "vxlan")
    a, b, c = lab.guest("alpha", one, net), lab.guest("beta", two, net), lab.guest("gamma", three, net)
    d, e = lab.guest("delta", two, other), lab.guest("epsilon", three, other)
    lab.build()
    bundle.spelling = "10"
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.ping(b, c)
        traffic.chat(d, e, tcp=3000)
        traffic.announce_all([a, d])
    cover_all(lab, bundle)


@scenario("provider-network", "near", "a provider network beside the overlay: its VLAN is on the wire and its number is also "
          "a VNI of another network", rule="wrong-vni")
def provider_network(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net", vni=lab.random.randint(100, 4000))
    outside = lab.network("outside", "vlan", vni=net.vni, physical="physnet1")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c, d = lab.guest("gamma", one, outside), lab.guest("delta", two, outside)
    original = lab.build_tunnels

    def with_provider(host):
        original(host)
        add_provider_bridge(lab, host, outside)

    lab.build_tunnels = with_provider
    lab.build()
    bundle.bridges = ("br-ex",)
    bundle.capture_all()
    for host in (one, two):
        bundle.capture(host, "prov0", "provider")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([a, c])
    bundle.expected.forbids("missing-mapping")
    cover_all(lab, bundle)


def add_provider_bridge(lab, host, network):
    """br-ex with a NIC of its own, joined with br-int by patches; each bridge rewrites the other's VLAN."""
    lab.attach(host.namespace, "prov0", lab.naming.mac(lab.naming.nic_prefix), f"p{host.number}")
    switch = host.switch
    switch.bridge("br-ex")
    switch.vsctl("add-port", "br-ex", "prov0", "--", "add-port", "br-int", "int-br-ex", "--", "set", "interface",
                 "int-br-ex", "type=patch", "options:peer=phy-br-ex", "--", "add-port", "br-ex", "phy-br-ex", "--", "set",
                 "interface", "phy-br-ex", "type=patch", "options:peer=int-br-ex")
    inner, outer = switch.ofport("phy-br-ex"), switch.ofport("int-br-ex")
    local = host.vlans[network]
    switch.add_flows("br-ex", [
        f"table=0,priority=4,in_port={inner},dl_vlan={local} actions=mod_vlan_vid:{network.vni},normal",
        f"table=0,priority=2,in_port={inner} actions=drop", "table=0,priority=0 actions=normal"], "OpenFlow10")
    host.physical.append((outer, network.vni, local))
    host.ofports["int-br-ex"] = ("br-int", outer)


@scenario("host-noise", "near", "hosts' own IPv6, STP and LLDP at tap, qbr, qvb, qvo and NIC", rule="spoofed-source-mac")
def host_noise(lab, bundle):
    lab.noisy = True
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.capture_all(points=("tap", "qvb", "qvo"))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        for host, guest in ((one, a), (two, b)):
            body = b"\x02\x07\x04" + packets.mac_bytes(host.nic_mac) + b"\x04\x05\x05eth1\x06\x02\x00\x78\x00\x00"
            frame = packets.ethernet("01:80:c2:00:00:0e", host.nic_mac, 0x88CC, body + b"\0" * 20)
            for device in (host.nic, guest.qvb):
                packets.send_frames(host.namespace, device, [frame] * 2)
            # The kernel's own announcements, when a device comes up.
            for device in (guest.qbr, guest.qvo):
                run("ip", "link", "set", device, "down", namespace=host.namespace)
                plumbing.up(host.namespace, device)
        # Ports of qbr listen and learn first: STP's forward delay is two seconds at least, and passes twice.
        lab.pause(6)
        traffic.chat(b, a, tcp=0)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)
    bundle.expected.forbids("spoof-blocked")


@scenario("named-by-manifest", "clean", "lanecheck.yaml names networks and ports and says that they are all there are")
def named_by_manifest(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net, other = lab.network("net"), lab.network("other")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    c, d = lab.guest("gamma", two, other), lab.guest("delta", three, other)
    lab.build()
    bundle.use_manifest(complete=True)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([a, d])
    cover_all(lab, bundle)


@scenario("high-vlans", "clean", "VNI 2^24-1 and 1, local VLANs 4094 and 1, two guests of a network on one host")
def high_vlans(lab, bundle):
    one, two = lab.add_hosts(2)[:2]
    top, bottom = lab.network("top", vni=(1 << 24) - 1), lab.network("bottom", vni=1)
    one.vlans = {top: 4094, bottom: 1}
    two.vlans = {top: 1, bottom: 4094}
    a, b, c = lab.guest("alpha", one, top), lab.guest("beta", one, top), lab.guest("gamma", two, top)
    d, e = lab.guest("delta", one, bottom), lab.guest("epsilon", two, bottom, plug="direct")
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(a, c, tcp=3000)
        traffic.chat(d, e, tcp=3000)
        traffic.announce_all([b, c, e])
    cover_all(lab, bundle)


@scenario("ovs-firewall", "near", "the openvswitch firewall driver: conntrack in br-int drops what is not allowed in",
          rule="frame-lost")
def ovs_firewall(lab, bundle):
    lab.firewall = ["icmp", "icmp6", "tcp"]
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net, plug="direct"), lab.guest("beta", two, net, plug="direct")
    c = lab.guest("gamma", two, net, plug="direct")
    lab.build()
    with bundle.recording() as traffic:
        traffic.ping(a, b, 4)
        traffic.ping(b, a, 3)
        traffic.ping6(a, b, 3)
        traffic.tcp(a, b, 4000)
        traffic.ping(b, c, 3)
        traffic.udp(a, b, count=8, answer=False)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)
