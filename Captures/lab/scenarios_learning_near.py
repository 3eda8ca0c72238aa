"""Learning: what floods, moves and comes back by itself."""

import struct
import threading

import changes
import packets
from commands import run
from overlays import trio
from scenario import scenario
from scenarios_translation import tun_flow


@scenario("late-learning", "near", "for a second and a half a host does not learn yet: frames are flooded a little longer",
          rule="flooded-after-learned")
def late_learning(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    slow = "table=10,priority=100"
    with bundle.recording() as traffic:
        changes.add_flow(one, "br-tun", f"{slow} actions=output:{lab.ofport(one, 'patch-int')}")
        traffic.ping(a, b, 10, interval=0.1)
        one.switch.ofctl("--strict", "del-flows", "br-tun", slow)
        lab.note(f"{one.name} learns from now on")
        traffic.chat(a, b, tcp=0)
        traffic.ping(b, c)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("guest-reflects", "near", "a guest sends wake-up broadcasts on as they are, with their sender's MAC: its host did not "
          "reflect them", rule="tunnel-reflection")
def guest_reflects(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("beta", two, net)
    middle = lab.guest("reflector", three, net, protected=False)
    lab.build()
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    traffic_port = 40009

    def is_wake_up(frame):
        return (frame[:6] == b"\xff" * 6 and frame[12:14] == b"\x08\x00" and frame[23] == 17
                and frame[36:38] == struct.pack("!H", traffic_port))

    changes.reflect(lab, middle, is_wake_up)
    with bundle.recording() as traffic:
        traffic.ping(a, b)
        traffic.ping(a, middle)
        traffic.port = traffic_port - 1
        traffic.broadcast(a, 5, gap=0.2)
        lab.pause(0.3)
        traffic.ping(a, b)
        traffic.announce_all([a, b])
    bundle.expected.allows("mac-moved").covers(one, net)


def knows(guest, peer):
    """The guest need not ask for its peer's MAC, and never will."""
    run("ip", "neigh", "replace", peer.ip, "lladdr", peer.mac, "dev", guest.device, "nud", "permanent", namespace=guest.namespace)


@scenario("restart-and-silence", "near", "an agent restarts, and the guest that others send to says nothing for a while: what was "
          "learned is gone", rule="flooded-after-learned")
def restart_and_silence(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    bundle.with_after = True
    knows(a, b)
    knows(b, a)
    with bundle.recording() as traffic:
        traffic.ping(a, b)
        traffic.ping(b, a)
        traffic.udp(a, b)
        lab.pause(2.5)
        changes.restart_agent(lab, one)
        traffic.stream(a, b, 14, gap=0.5)
        traffic.ping(a, b)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("floods-while-restarting", "near", "an agent puts its flood flow in step by step: what is sent meanwhile misses a host",
          rule="incomplete-flood")
def floods_while_restarting(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    bundle.with_after = True
    for guest, peer in ((a, b), (b, a), (c, a), (a, c)):
        knows(guest, peer)
    whole = tun_flow(lab, one, "table=22,cookie=" + hex(lab.tunnel_plan(one).cookie) + ",priority=1")
    part = whole.replace(f",output:{lab.ofport(one, one.tunnel(three, 'vxlan'))}", "")
    frames = [packets.ethernet(packets.BROADCAST, a.mac, 0x0800, packets.udp4(
        a.ip, str(net.subnet.broadcast_address), 9000, 9001, b"to all %d" % n, 70 + n)) for n in range(6)]
    with bundle.recording() as traffic:
        traffic.ping(b, a)
        traffic.ping(c, a)
        changes.swap_flow(one, "br-tun", whole, part)
        packets.send_frames(a.namespace, a.device, frames, gap=0.1)
        changes.restart_agent(lab, one)
        traffic.ping(b, a)
        traffic.udp(c, a)
    bundle.expected.covers(one, net)


@scenario("l2population-lags", "near", "a guest moved, and l2population's entry follows a second later", rule="stale-location")
def l2population_lags(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("mover", two, net), lab.guest("gamma", three, net)
    lab.guest("stayer", two, net)
    lab.build()
    bundle.keep_small()
    stale = tun_flow(lab, one, f"dl_dst={b.mac}")
    bundle.capture_all()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(c, b)
        changes.migrate(lab, b, three)
        fresh = tun_flow(lab, one, f"dl_dst={b.mac}")
        changes.swap_flow(one, "br-tun", fresh, stale)
        traffic.broadcast(b, 2)
        traffic.stream(a, b, 8, gap=0.08)
        changes.swap_flow(one, "br-tun", stale, fresh)
        lab.note(f"{one.name} sends to {three.name} from now on")
        lab.pause(2.5)
        traffic.ping(a, b, 4)
        traffic.broadcast(b, 2)
    bundle.expected.allows("mac-moved", "frame-lost")


@scenario("short-flooding", "near", "a host learns late, and floods a few frames more than it should: too few, and not for long",
          rule="flooded-after-learned")
def short_flooding(lab, bundle):
    one, two, three, net, a, b, c = trio(lab)
    lab.build()
    bundle.keep_small()
    slow = "table=10,priority=100"
    with bundle.recording() as traffic:
        changes.add_flow(one, "br-tun", f"{slow} actions=output:{lab.ofport(one, 'patch-int')}")
        traffic.ping(a, b, 2)
        lab.pause(2.3)
        traffic.ping(a, b, 6, interval=0.1)
        one.switch.ofctl("--strict", "del-flows", "br-tun", slow)
        lab.note(f"{one.name} learns from now on")
        traffic.ping(b, a, 4)
        traffic.ping(b, c)
        traffic.announce_all([a, b, c])
    bundle.expected.covers(one, net).covers(two, net)


@scenario("router-failover", "near", "a redundant router (L3 HA) fails over: its one port is on two hosts, with one MAC",
          rule="mac-moved")
def router_failover(lab, bundle):
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    options = {"plug": "direct", "owner": "network:ha_router_replicated_interface", "protected": False}
    a = lab.guest("master", one, net, **options)
    b = lab.guest("standby", two, net, mac=a.mac, ip=a.ip, ip6=a.ip6, **options)
    b.port_id = a.port_id
    c = lab.guest("client", three, net)
    lab.build()
    bundle.keep_small()
    bundle.use_neutron()

    def takes_over(new, old):
        if old:
            run("ip", "addr", "flush", "dev", old.device, namespace=old.namespace)
        run("ip", "addr", "replace", f"{a.ip}/{net.subnet.prefixlen}", "dev", new.device, namespace=new.namespace)
        announced = packets.ethernet(packets.BROADCAST, a.mac, 0x0806,
                                     packets.arp(1, a.mac, a.ip, "00:00:00:00:00:00", a.ip))
        packets.send_frames(new.namespace, new.device, [announced] * 2)

    takes_over(a, b)
    with bundle.recording() as traffic:
        traffic.chat(c, a, tcp=0, six=False)
        lab.note("the router fails over from master to standby")
        takes_over(b, a)
        traffic.chat(c, b, tcp=0, six=False)
    bundle.expected.forbids("mac-moved", "duplicate-address").covers(three, net)


@scenario("shared-mac", "near", "two guests of a cluster send from one MAC; l2population knows the one that has it for its own",
          rule="stale-location")
def shared_mac(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("first", two, net), lab.guest("second", three, net)
    c.allowed = [(b.mac, lab.spare_address(net))]
    lab.build()
    bundle.keep_small()
    bundle.use_neutron()
    for guest, peer in ((a, b), (b, a)):
        knows(guest, peer)
    alive = [packets.ethernet(packets.BROADCAST, b.mac, 0x88B5, b"the second is alive %d" % n + b"." * 30) for n in range(24)]
    with bundle.recording() as traffic:
        traffic.ping(b, a)
        traffic.chat(c, a, tcp=0, six=False)
        packets.send_frames(c.namespace, c.device, alive[:16], gap=0.2)
        for frame in alive[16:]:
            packets.send_frames(c.namespace, c.device, [frame])
            traffic.stream(a, b, 2)
        traffic.announce_all([a])
    bundle.expected.forbids("stale-location").covers(one, net)


@scenario("there-and-back", "near", "a guest moves to a host without its captures and back again, while two others ping it",
          rule="stale-location")
def there_and_back(lab, bundle):
    one, two, three, four = lab.add_hosts(4)[:4]
    net = lab.network("net")
    a, b, c = lab.guest("alpha", one, net), lab.guest("mover", two, net), lab.guest("gamma", four, net)
    lab.guest("stayer", three, net)
    lab.build()
    bundle.capture_all()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        others = [threading.Thread(target=traffic.ping, args=(guest, b, 60), kwargs={"interval": 0.1}) for guest in (a, c)]
        for other in others:
            other.start()
        lab.pause(1.2)
        changes.migrate(lab, b, three)
        lab.pause(1.5)
        changes.migrate(lab, b, two)
        for other in others:
            other.join()
        traffic.announce_all([a, b, c])
    bundle.expected.allows("mac-moved", "frame-lost", "point-not-covered")


@scenario("moved-while-restarting", "near", "a guest moves out of sight without a word while an agent restarts, which knows by l2population "
          "where it lives now", rule="stale-location")
def moved_while_restarting(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    a, b = lab.guest("alpha", one, net), lab.guest("mover", two, net)
    c = lab.guest("stayer", two, net)
    lab.build()
    bundle.keep_small()
    bundle.with_after = True
    three.captured = False
    bundle.capture_guests(a, b, c)
    bundle.capture_underlay(one, two)
    for guest, peer in ((a, b), (b, a)):
        knows(guest, peer)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0, six=False)
        traffic.ping(c, a)
        changes.migrate(lab, b, three, announce=False, flows_follow=False)
        changes.restart_agent(lab, one)
        lab.install_flows(two)
        lab.install_flows(three)
        lab.pause(2.2)
        traffic.ping(c, a)
        traffic.stream(a, b, 8)
        traffic.ping(a, c)
    bundle.expected.forbids("stale-location").covers(one, net)
