"""Frames made by hand, and raw sockets to send them with."""

import ipaddress
import socket
import struct
import time

from namespaces import socket_in

ETH_P_ALL = 3
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ethernet(destination, source, kind, payload, tags=()):
    header = mac_bytes(destination) + mac_bytes(source)
    for tag in tags:
        header += struct.pack("!HH", 0x8100, tag)
    return header + struct.pack("!H", kind) + payload


def arp(operation, sender_mac, sender_ip, target_mac, target_ip):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac_bytes(sender_mac) + socket.inet_aton(sender_ip)
            + mac_bytes(target_mac) + socket.inet_aton(target_ip))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, protocol, payload, ident=1, ttl=64, flags=0x4000):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, flags, ttl, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp4(source, destination, source_port, port, payload, ident=1, good=True):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", source_port, port, length, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 17, length)
    total = checksum(pseudo + header + payload) or 0xFFFF
    if not good:
        total ^= 0x5A5A
    return ipv4(source, destination, 17, header[:6] + struct.pack("!H", total) + payload, ident)


def vxlan(vni, frame, flags=0x08):
    return struct.pack("!BBHI", flags, 0, 0, vni << 8) + frame


def outer_vxlan(source_mac, destination_mac, source, destination, vni, frame, flags=0x08, source_port=49152, port=4789):
    payload = struct.pack("!HHHH", source_port, port, 8 + 8 + len(frame), 0) + vxlan(vni, frame, flags)
    if ipaddress.ip_address(source).version != 4:
        raise ValueError("IPv4 underlay only")
    return ethernet(destination_mac, source_mac, 0x0800, ipv4(source, destination, 17, payload, 0))


def announcement(guest):
    """RARP, as QEMU sends it when a guest has arrived on another host."""
    body = (struct.pack("!HHBBH", 1, 0x0800, 6, 4, 3) + mac_bytes(guest.mac) + b"\0" * 4 + mac_bytes(guest.mac)
            + b"\0" * 4)
    return ethernet(BROADCAST, guest.mac, 0x8035, body)


def raw_socket(namespace, device):
    handle = socket_in(namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    handle.bind((device, ETH_P_ALL))
    return handle


def send_frames(namespace, device, frames, gap=0.02):
    """Sends whole frames out of a device."""
    handle = socket_in(namespace, socket.AF_PACKET, socket.SOCK_RAW, 0)
    with handle:
        handle.bind((device, 0))
        for frame in frames:
            handle.send(frame)
            time.sleep(gap)
