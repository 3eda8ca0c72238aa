"""Captures: what they hide, and what they cannot show."""

import shutil
import struct

import wires
from captures import CaptureRun
from expectation import cover_all
from overlays import pair
from scenario import scenario


@scenario("partial-hosts", "near", "two of five hosts were captured: frames come from and go to hosts that nobody saw",
          rule="unknown-vtep")
def partial_hosts(lab, bundle):
    hosts = lab.add_hosts(5)[:5]
    net, other = lab.network("net"), lab.network("other")
    guests = [lab.guest(f"vm{number}", host, net) for number, host in enumerate(hosts)]
    d, e = lab.guest("delta", hosts[1], other), lab.guest("epsilon", hosts[4], other)
    lab.build()
    for host in hosts[:2]:
        bundle.capture_guests(*[guest for guest in lab.guests if guest.host is host])
        bundle.capture_underlay(host)
    for host in hosts[2:]:
        host.captured = False
    with bundle.recording() as traffic:
        traffic.chat(guests[0], guests[1], tcp=3000)
        traffic.ping(guests[0], guests[3])
        traffic.chat(d, e, tcp=0)
        traffic.announce_all([guests[2], guests[4], guests[0]])
    cover_all(lab, bundle)


@scenario("no-state", "clean", "captures alone: the translation is inferred, and the verdict says what could not be checked")
def no_state(lab, bundle):
    one, two, net, a, b = pair(lab)
    other = lab.network("other")
    c, d = lab.guest("gamma", one, other), lab.guest("delta", two, other)
    lab.build()
    bundle.with_state = False
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.chat(c, d, tcp=3000)
        traffic.announce_all([a, b, c, d])
    bundle.expected.forbids("direction-unknown")


@scenario("one-tap", "near", "one tap alone, without state: nothing tells what came from the guest and what went to it",
          rule="direction-unknown")
def one_tap(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.with_state = False
    bundle.capture_guests(a, points=("tap",))
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    bundle.expected.finds("direction-unknown", verdict="inconclusive")


@scenario("state-of-one-host", "near", "the second host's state is missing", rule="wrong-local-vlan")
def state_of_one_host(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    for path in list((bundle.directory / two.name).iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".pcap":
            path.unlink()


@scenario("several-in-one-pcapng", "clean", "all interfaces of a host in one pcapng file")
def several_in_one_pcapng(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    for guest in (a, b):
        host = guest.host
        bundle.capture(host, "all", "several", interfaces=[guest.tap, guest.qvo, host.nic])
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("in-and-out-files", "clean", "one file a direction at the NICs (tcpdump -Q), nanosecond time stamps")
def in_and_out_files(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.capture_guests(a, b, nano=True)
    for host in (one, two):
        for direction in ("in", "out"):
            bundle.capture(host, host.nic, "tunnel", direction=direction, nano=True)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    cover_all(lab, bundle)


@scenario("underlay-only", "near", "only the NICs were captured: nothing is known of what entered", rule="point-not-covered")
def underlay_only(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    bundle.capture_underlay()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    bundle.expected.finds("point-not-covered", host=one, verdict="pass")
    bundle.expected.finds("point-not-covered", host=two, verdict="pass")


@scenario("cut-captures", "near", "two files end in the middle of a frame: what is before counts", rule="capture-truncated")
def cut_captures(lab, bundle):
    one, two, net, a, b = pair(lab)
    bundle.points = ("tap", "qvo")
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        traffic.announce_all([a, b])
    for path in (f"{one.name}/{one.nic}.pcap", bundle.captures[1].path):
        file = bundle.directory / path
        file.write_bytes(file.read_bytes()[:-23])
        for told in bundle.told:
            if told["file"] == path:
                told["packets"] -= 1
                told["cut"] = 23
    bundle.expected.finds("capture-truncated", verdict="pass")


@scenario("late-and-short", "near", "captures begin late, end early, and one point's filter hides a protocol",
          rule="frame-lost")
def late_and_short(lab, bundle):
    one, two, net, a, b = pair(lab, hosts=3)
    bundle.points = ("tap", "qvo")
    third = lab.hosts[2]
    c = lab.guest("gamma", third, net)
    lab.build()
    bundle.capture_guests(a, c)
    bundle.capture_underlay(one, third)
    bundle.capture(two, b.qvo, "qvo")
    bundle.capture(two, two.nic, "tunnel", expression="not port 68")
    early = bundle.captures.pop(1)
    late = bundle.capture(two, b.tap, "tap")
    bundle.captures.remove(late)
    with bundle.recording() as traffic:
        first = CaptureRun(bundle.directory)
        first.begin([early])
        traffic.ping(a, b)
        traffic.udp(a, c)
        bundle.told += first.finish()
        last = CaptureRun(bundle.directory)
        last.begin([late])
        traffic.chat(b, a, tcp=3000)
        traffic.chat(a, c, tcp=0)
        traffic.announce_all([a, b])
        bundle.told += last.finish()
        traffic.ping(b, c)
    bundle.expected.forbids("capture-gap")
    cover_all(lab, bundle)


@scenario("gap-in-capture", "fault", "a capture missed a second of traffic, as an overrun does: a remark, and no loss",
          rule="capture-gap")
def gap_in_capture(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=3000)
        lab.note("gap begins")
        began = lab.events[-1]["t"]
        traffic.ping(a, b, 10, interval=0.1)
        lab.note("gap ends")
        ended = lab.events[-1]["t"]
        traffic.chat(b, a, tcp=3000)
        traffic.announce_all([a, b])
    path = bundle.directory / two.name / f"{two.nic}.pcap"
    data, kept, at = path.read_bytes(), [], 24
    kept.append(data[:24])
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack("<IIII", data[at:at + 16])
        if not began <= seconds + fraction / 1e6 <= ended:
            kept.append(data[at:at + 16 + length])
        at += 16 + length
    path.write_bytes(b"".join(kept))
    for told in bundle.told:
        if told["file"] == f"{two.name}/{two.nic}.pcap":
            told["packets"] = len(kept) - 1
            told["note"] = "the frames of the gap were taken out of the file after the recording"
    bundle.expected.finds("capture-gap", host=two, verdict="pass")


@scenario("hardware-offload", "near", "hardware offload is switched on: captures may lack what the NIC forwards by itself",
          rule="unsupported-mode")
def hardware_offload(lab, bundle):
    one, two, net, a, b = pair(lab)
    lab.build()
    two.switch.vsctl("set", "open_vswitch", ".", "other_config:hw-offload=true")
    bundle.keep_small()
    bundle.tables = ("open_vswitch",)
    with bundle.recording() as traffic:
        traffic.chat(a, b, tcp=0)
        traffic.stream(a, b, 24, size=300)
        traffic.announce_all([a, b])
    for told in bundle.told:
        if told["host"] == two.name:
            told["packets"] -= offload(bundle.directory / told["file"], 300)
            told["note"] = "all but the first datagrams of a flow were taken out after the recording: the NIC forwards them"
    bundle.expected.finds("unsupported-mode", host=two, verdict="pass")


def offload(path, size):
    """Takes all but the first three datagrams of a size out of a capture; returns how many."""
    data = path.read_bytes()
    out, at, met = data[:24], 24, 0
    while at < len(data):
        end = at + 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
        frame = data[at + 16:end]
        is_plain = frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[38:40] == struct.pack("!H", size + 8)
        met += is_plain or wires.inner_udp(frame, size)
        if met <= 3 or not (is_plain or wires.inner_udp(frame, size)):
            out += data[at:end]
        at = end
    path.write_bytes(out)
    return max(0, met - 3)
