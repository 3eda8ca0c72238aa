"""What faulty wires do to frames: functions for Relay, and what they look for in a tunnel packet."""

import socket
import struct

from packets import checksum


def drop(chosen):
    return lambda frame, out: [] if chosen(frame, out) else [(0, frame)]


def change(changed, chosen):
    return lambda frame, out: [(0, changed(frame))] if chosen(frame, out) else [(0, frame)]


def every(number, changed, chosen):
    """Every n-th of the chosen frames."""
    seen = [0]

    def step(frame, out):
        if not chosen(frame, out):
            return [(0, frame)]
        seen[0] += 1
        return changed(frame) if seen[0] % number == 0 else [(0, frame)]

    return step


def tunnel_to(frame, vtep):
    """Is this a VXLAN packet on IPv4, to this address?"""
    return (frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == struct.pack("!H", 4789)
            and (vtep is None or frame[30:34] == socket.inet_aton(vtep)))


INNER = 50


def inner_udp(frame, size):
    """Is its inner frame a UDP datagram on IPv4 of so many octets of payload?"""
    if not tunnel_to(frame, None) or frame[INNER + 12:INNER + 14] != b"\x08\x00" or frame[INNER + 23] != 17:
        return False
    return struct.unpack("!H", frame[INNER + 38:INNER + 40])[0] == size + 8


def flip_payload(frame):
    """Changes two octets of the inner datagram so that its checksum stays right."""
    at = INNER + 14 + 20 + 8 + 40
    one, two = struct.unpack("!HH", frame[at:at + 4])
    return frame[:at] + struct.pack("!HH", (one + 1) & 0xFFFF, (two - 1) & 0xFFFF) + frame[at + 4:]


def retag(before, after):
    """Changes one outer VLAN into another, in both directions."""

    def step(frame, out):
        old, new = (before, after) if out else (after, before)
        if frame[12:14] == b"\x81\x00" and struct.unpack("!H", frame[14:16])[0] & 0xFFF == old:
            frame = frame[:14] + struct.pack("!H", new) + frame[16:]
        return [(0, frame)]

    return step


def fragments(frame, largest):
    """The IPv4 packet of a frame, in fragments of at most so many octets; a small one as it is."""
    if frame[12:14] != b"\x08\x00" or len(frame) - 14 <= largest:
        return [frame]
    header, payload = frame[14:34], frame[34:14 + struct.unpack("!H", frame[16:18])[0]]
    step = (largest - 20) // 8 * 8
    parts = []
    for at in range(0, len(payload), step):
        part = payload[at:at + step]
        more = 0x2000 if at + step < len(payload) else 0
        head = header[:2] + struct.pack("!HHH", 20 + len(part), 0x77, more | at // 8) + header[8:10] + b"\0\0" + header[12:]
        parts.append(frame[:14] + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + part)
    return parts


def pad_inner(frame, least=60):
    """A tunnel packet whose inner frame has at least so many octets, as boxes make them that hand frames to Ethernet."""
    missing = least - (len(frame) - INNER)
    if not tunnel_to(frame, None) or missing <= 0:
        return frame
    header = bytearray(frame[14:34])
    header[2:4] = struct.pack("!H", struct.unpack("!H", header[2:4])[0] + missing)
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", checksum(bytes(header)))
    length = struct.pack("!H", struct.unpack("!H", frame[38:40])[0] + missing)
    return frame[:14] + bytes(header) + frame[34:38] + length + b"\0\0" + frame[42:] + b"\0" * missing
