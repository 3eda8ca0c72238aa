"""Captures that show more than there was."""

import struct

from scenario import scenario
from scenarios_capture import pair


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
