"""Captures that show more than there was."""

import json
import struct

import plumbing
from overlays import pair
from scenario import scenario
from scenarios_translation import two_tenants


def write_twice(path, every):
    """Puts every n-th frame of a capture into it once more, two microseconds later; returns how many."""
    data = path.read_bytes()
    out, at, number, added = data[:24], 24, 0, 0
    while at < len(data):
        length = struct.unpack("<I", data[at + 8:at + 12])[0]
        record = data[at:at + 16 + length]
        out += record
        number += 1
        if number % every == 0:
            out += record[:4] + struct.pack("<I", min(struct.unpack("<I", record[4:8])[0] + 2, 999_999)) + record[8:]
            added += 1
        at += 16 + length
    path.write_bytes(out)
    return added


@scenario("written-twice", "near", "a capture has frames twice that were there once: the next point shows each once",
          rule="frame-duplicated")
def written_twice(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    bundle.points = ("tap", "qvo")
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(a, b, 12)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == two.name and told["point"] == "tunnel":
            added = write_twice(bundle.directory / told["file"], 3)
            told["packets"] += added
            told["written_twice"] = added
    bundle.expected.covers(one, net).covers(two, net)


@scenario("late-host", "near", "all captures of one host begin when traffic has been running for a while", rule="frame-lost")
def late_host(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.ping(a, b, 30, interval=0.02)
        lab.pause(0.2)
        lab.note(f"captures of {two.name} begin")
        began = lab.events[-1]["t"]
        lab.pause(0.2)
        traffic.ping(a, b, 40, interval=0.02)
        traffic.chat(b, a, tcp=0)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == two.name:
            told["packets"] = begin_at(bundle.directory / told["file"], began)
            told["note"] = "what came before was taken out of the file after the recording"
    bundle.expected.covers(one, net).covers(two, net)


def begin_at(path, time):
    """Takes the frames before a time out of a capture; returns how many are left."""
    data = path.read_bytes()
    out, at, kept = data[:24], 24, 0
    while at < len(data):
        seconds, fraction, length = struct.unpack("<III", data[at:at + 12])
        if seconds + fraction / 1e6 >= time:
            out += data[at:at + 16 + length]
            kept += 1
        at += 16 + length
    path.write_bytes(out)
    return kept


@scenario("mirror-in-any", "near", "an OVS mirror captured with -i any, whose captures show no tags", rule="wrong-local-vlan")
def mirror_in_any(lab, bundle):
    one, two, net, other, (a, b), (c, d) = two_tenants(lab)
    lab.build()
    plumbing.veth(two.namespace, "monitor0", two.namespace, "watch0")
    for device in ("monitor0", "watch0"):
        plumbing.quiet(two.namespace, device)
    plumbing.up(two.namespace, "monitor0", "watch0")
    two.switch.vsctl("add-port", "br-int", "monitor0", "--", "--id=@p", "get", "port", "monitor0", "--", "--id=@b", "get",
                     "port", b.ovs_port, "--", "--id=@m", "create", "mirror", "name=watch", "select-src-port=@b",
                     "select-dst-port=@b", "output-port=@p", "--", "set", "bridge", "br-int", "mirrors=@m")
    two.ofports["monitor0"] = ("br-int", two.switch.ofport("monitor0"))
    bundle.keep_small()
    bundle.with_links = True
    bundle.tables = ("mirror",)
    bundle.capture_guests(a, c)
    bundle.capture_underlay(one)
    bundle.capture(two, "any", "any")
    with bundle.recording() as traffic:
        traffic.ping(a, b)
        traffic.ping(b, a)
        traffic.ping(c, d)
        traffic.announce_all([a, c])
    bundle.expected.covers(one, net).covers(two, net)


def shift(path, seconds, since=0.0):
    """Moves the frames of a capture in time, those from a moment on."""
    data = bytearray(path.read_bytes())
    at = 24
    while at < len(data):
        whole, fraction, length = struct.unpack("<III", data[at:at + 12])
        if whole + fraction / 1e6 >= since:
            total = whole * 1_000_000 + fraction + round(seconds * 1e6)
            data[at:at + 8] = struct.pack("<II", *divmod(total, 1_000_000))
        at += 16 + length
    path.write_bytes(data)


@scenario("clocks-apart", "near", "two hosts' clocks differ by minutes: the traffic itself aligns them",
          rule="clock-uncertain")
def clocks_apart(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(b, a, 10)
        traffic.announce_all([a, b])
    ahead = 187.25
    for told in bundle.told:
        if told["host"] == two.name:
            shift(bundle.directory / told["file"], ahead)
            told["note"] = f"frames were moved by {ahead} s after the recording: the clock of a host that is so much ahead"
    path = bundle.directory / two.name / "collected.json"
    document = json.loads(path.read_text())
    document["taken"] = {name: round(time + ahead, 3) for name, time in document["taken"].items()}
    path.write_text(json.dumps(document, indent=1) + "\n")
    bundle.expected.forbids("clock-uncertain", "frame-reordered").covers(one, net).covers(two, net)


@scenario("clock-set-back", "near", "a host's clock is set back by three seconds while frames are captured: it is followed",
          rule="clock-uncertain")
def clock_set_back(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(b, a, 30, interval=0.05)
        traffic.stream(a, b, 30)
        lab.note(f"the clock of {two.name} is set back")
        set_at = lab.events[-1]["t"]
        traffic.stream(a, b, 30)
        traffic.ping(b, a, 30, interval=0.05)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == two.name:
            shift(bundle.directory / told["file"], -3, since=set_at)
            told["note"] = "frames from the moment on were moved back by 3 s after the recording: a clock that was set"
    bundle.expected.forbids("clock-uncertain", "frame-reordered").covers(one, net).covers(two, net)


@scenario("nic-stamps", "fault", "a NIC stamps frames itself, in a clock of its own (TAI, 37 s ahead): a remark", rule="clock-uncertain")
def nic_stamps(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.keep_small()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.ping(b, a, 10)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == two.name and told["point"] == "tunnel":
            shift(bundle.directory / told["file"], 37)
            told["note"] = "frames were moved by 37 s after the recording: as a NIC stamps them whose clock counts TAI"
    bundle.breaks(two, f"{two.nic} stamps frames 37 s ahead")
    bundle.expected.finds("clock-uncertain", two, verdict="pass").covers(one, net).covers(two, net)


@scenario("partial-without-state", "near", "two of four hosts were captured, and nothing else: other addresses send tunnel frames, and nothing tells "
          "whose they are", rule="unknown-vtep")
def partial_without_state(lab, bundle):
    hosts = lab.add_hosts(4)[:4]
    net = lab.network("net")
    guests = [lab.guest(f"vm{number}", host, net) for number, host in enumerate(hosts)]
    lab.build()
    bundle.with_state = False
    bundle.points = ("tap",)
    for host, guest in list(zip(hosts, guests))[:2]:
        bundle.capture_guests(guest)
        bundle.capture_underlay(host)
    with bundle.recording() as traffic:
        traffic.chat(guests[0], guests[1], tcp=0, six=False)
        traffic.ping(guests[0], guests[2])
        traffic.ping(guests[3], guests[1])
        traffic.announce_all(guests)
    bundle.expected.forbids("unknown-vtep")
