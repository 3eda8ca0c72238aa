"""Learning: flooding until a MAC is learned, unicast after; and what interrupts it."""

import changes
from commands import run
from expectation import cover_all
from namespaces import set_sysctl
from overlays import trio
from scenario import scenario
from scenarios_translation import tun_flow


@scenario("learn-expiry", "near", "learned entries expire after two seconds of silence: the next frames are rightly flooded",
          rule="flooded-after-learned")
def learn_expiry(lab, bundle):
    lab.hard_timeout = 2
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        for _ in range(2):
            lab.pause(3.5)
            traffic.udp(a, b, 5, answer=False, gap=0.1)
        traffic.ping(a, c)
    cover_all(lab, bundle)


@scenario("agent-restart", "near", "an agent restarts while guests talk: flows are reinstalled, what was learned is gone",
          rule="flooded-after-learned")
def agent_restart(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        lab.pause(2.5)
        changes.restart_agent(lab, one)
        traffic.udp(a, b, 5, answer=False, gap=0.05)
        traffic.ping(a, b)
        changes.restart_agent(lab, two)
        traffic.chat(b, c, tcp=3000)
    cover_all(lab, bundle)


@scenario("migration", "near", "a guest moves live to another host and announces itself there", rule="stale-location")
def migration(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("mover", two, net), lab.guest("gamma", three, net)
    lab.build()
    bundle.with_after = True
    bundle.capture_all()
    b.host = three
    bundle.capture_guests(b)
    b.host = two
    # The destination's devices are there only once the guest has arrived.
    late = [capture for capture in bundle.captures if capture.host is three and capture.interface in (b.tap, b.qvo)]
    bundle.captures = [capture for capture in bundle.captures if capture not in late]
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, b)
        lab.pause(1)
        changes.migrate(lab, b, three)
        lab.pause(0.5)
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, b)
        lab.pause(2.5)
        traffic.chat(a, b, tcp=0)
    bundle.expected.allows("mac-moved")


@scenario("no-learning-gre", "fault", "four hosts over GRE; one does not learn from its tunnels and floods for ever",
          rule="flooded-after-learned")
def no_learning_gre(lab, bundle):
    lab.kinds = ["gre"]
    one, two, three, four = lab.add_hosts(4)[:4]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.guest("gamma", three, net), lab.guest("delta", four, net)
    lab.build()
    patch = lab.ofport(two, "patch-int")
    two.switch.ofctl("del-flows", "br-tun", "table=10")
    cookie = lab.tunnel_plan(two).cookie
    new = f"table=10,cookie={cookie:#x},priority=1 actions=output:{patch}"
    bundle.breaks(two, "table 10 does not learn", changes.add_flow(two, "br-tun", new))
    with bundle.recording() as traffic:
        traffic.ping(a, b, 8, interval=0.4)
        traffic.udp(b, a, 30, gap=0.15)
        traffic.announce_all([a, b])
    bundle.expected.finds("flooded-after-learned", two, net, cause="table=10")


@scenario("stops-learning", "fault", "a host learns at first, and from the middle on it does not: the dump after shows it",
          rule="flooded-after-learned")
def stops_learning(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.with_after = True
    patch, cookie = lab.ofport(one, "patch-int"), lab.tunnel_plan(one).cookie
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        traffic.ping(b, c)
        one.switch.ofctl("del-flows", "br-tun", "table=10")
        one.switch.ofctl("del-flows", "br-tun", f"table=20,dl_dst={b.mac}")
        bundle.breaks(one, "table 10 does not learn any more", changes.add_flow(
            one, "br-tun", f"table=10,cookie={cookie:#x},priority=1 actions=output:{patch}"))
        traffic.ping(a, b, 16, interval=0.35)
        traffic.announce_all([b, c])
    bundle.expected.finds("flooded-after-learned", one, net, cause="table=10")


@scenario("stale-entry", "fault", "a guest moved and l2population's entry on one host still names its old host",
          rule="stale-location")
def stale_entry(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("mover", two, net), lab.guest("gamma", three, net)
    lab.guest("stayer", two, net)
    lab.build()
    stale = tun_flow(lab, one, f"dl_dst={b.mac}")
    bundle.capture_all()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, b)
        changes.migrate(lab, b, three)
        fresh = tun_flow(lab, one, f"dl_dst={b.mac}")
        bundle.breaks(one, f"{one.name} sends {b.mac} to {two.name} still", changes.swap_flow(one, "br-tun", fresh, stale))
        traffic.broadcast(b, 4)
        lab.pause(3)
        traffic.ping(a, b, 8, interval=0.3)
        traffic.broadcast(b, 2)
        traffic.ping(a, b, 4)
    bundle.expected.finds("stale-location", one, net, cause="table=20").allows("mac-moved", "frame-lost", "point-not-covered")


@scenario("stale-after-reinstall", "fault", "all flows are put in anew when a guest moves, and one host's still name its old host",
          rule="stale-location")
def stale_after_reinstall(lab, bundle):
    lab.l2population = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net = lab.network("net")
    a, b, c, d = (lab.guest(f"vm{number}", host, net) for number, host in enumerate((one, two, three, four)))
    lab.build()
    bundle.with_after = True
    bundle.capture_all()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        traffic.ping(c, b)
        stale = tun_flow(lab, one, f"dl_dst={b.mac}")
        changes.migrate(lab, b, four)
        fresh = tun_flow(lab, one, f"dl_dst={b.mac}")
        bundle.breaks(one, f"{one.name} sends {b.mac} to {two.name} still", changes.swap_flow(one, "br-tun", fresh, stale))
        traffic.ping(a, b, 24, interval=0.2)
        traffic.ping(c, d, 4)
    bundle.expected.finds("stale-location", one, net, cause="table=20").allows("mac-moved", "frame-lost", "point-not-covered")


@scenario("flood-misses-a-host", "fault", "l2population's flood list lacks a host that has a guest", rule="incomplete-flood")
def flood_misses_a_host(lab, bundle):
    lab.l2population = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    guests = [lab.guest(f"vm{number}", host, net) for number, host in enumerate((one, two, three))]
    lab.guest("elsewhere", four, other)
    lab.build()
    old = tun_flow(lab, two, "table=22,cookie=" + hex(lab.tunnel_plan(two).cookie) + ",priority=1")
    missing = lab.ofport(two, two.tunnel(three, "vxlan"))
    new = old.replace(f",output:{missing}", "")
    bundle.breaks(two, f"floods miss {three.name}", changes.swap_flow(two, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.chat(guests[0], guests[1], tcp=0)
        for _ in range(3):
            traffic.announce_all([guests[1]])
        traffic.ping(guests[1], guests[2])
        traffic.announce_all([guests[0], guests[2]])
    bundle.expected.finds("incomplete-flood", two, net, cause="table=22").allows("missing-flood-peer", "frame-lost")


@scenario("flood-skips-empty-hosts", "near", "l2population floods only to hosts with ports of the network",
          rule="incomplete-flood")
def flood_skips_empty_hosts(lab, bundle):
    lab.l2population = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", three, net)
    c, d = lab.guest("gamma", two, other), lab.guest("delta", four, other)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.chat(c, d, tcp=0)
        traffic.announce_all([a, b, c, d])
    cover_all(lab, bundle)


@scenario("reflecting-host", "fault", "a host floods what comes out of its tunnels into its tunnels", rule="tunnel-reflection")
def reflecting_host(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    back = lab.ofport(three, three.tunnel(two, "vxlan"))
    cookie = lab.tunnel_plan(three).cookie
    port = lab.ofport(three, three.tunnel(one, "vxlan"))
    old = f"table=0,cookie={cookie:#x},priority=1,in_port={port} actions=goto_table:4"
    new = old.replace("actions=", f"actions=output:{back},")
    bundle.breaks(three, f"what comes from {one.name} also goes to {two.name}",
                  changes.swap_flow(three, "br-tun", old, new))
    with bundle.recording() as traffic:
        traffic.ping(c, a, 4)
        traffic.ping(a, b, 4)
        traffic.announce_all([a, a, b])
    bundle.expected.finds("tunnel-reflection", three, net, cause="table=0")
    bundle.expected.allows("frame-duplicated", "mac-moved", "stale-location")


@scenario("guest-forwards", "near", "a guest forwards frames back into its network: the host did not reflect them",
          rule="tunnel-reflection")
def guest_forwards(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    middle = lab.guest("middle", three, net, protected=False)
    lab.build()
    for setting, value in (("ip_forward", 1), ("conf/all/send_redirects", 0), (f"conf/{middle.device}/send_redirects", 0)):
        set_sysctl(middle.namespace, f"ipv4/{setting}", value)
    for guest, peer in ((a, b), (b, a)):
        run("ip", "route", "add", f"{peer.ip}/32", "via", middle.ip, namespace=guest.namespace)
    with bundle.recording() as traffic:
        traffic.ping(a, b, 5)
        traffic.udp(b, a, 4)
        traffic.announce_all([a, b, middle])
    cover_all(lab, bundle)
