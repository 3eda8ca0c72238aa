"""Trunk ports: a bridge per trunk, patches to br-int for the parent and each subport, as Neutron wires them."""

import struct

import plumbing
from relay import Relay


def patch(switch, bridge, port, other_bridge, other):
    switch.vsctl("add-port", bridge, port, "--", "set", "interface", port, "type=patch", f"options:peer={other}",
                 "--", "add-port", other_bridge, other, "--", "set", "interface", other, "type=patch",
                 f"options:peer={port}")


def label(guest):
    """Moves the agent's records and the tag of a guest's port onto its patch in br-int."""
    network = guest.network
    guest.host.switch.vsctl(
        "set", "port", guest.ovs_port, f"tag={guest.vlan if guest.tag is None else guest.tag}",
        f'other_config:net_uuid="{network.uuid}"', f'other_config:network_type="{network.kind}"',
        f'other_config:segmentation_id="{network.vni}"', 'other_config:physical_network="None"',
        f'other_config:tag="{guest.vlan}"', "--", "set", "interface", guest.ovs_port,
        f'external_ids:attached-mac="{guest.mac}"', f'external_ids:iface-id="{guest.port_id}"',
        'external_ids:iface-status="active"')
    guest.host.ofports[guest.ovs_port] = ("br-int", guest.host.switch.ofport(guest.ovs_port))


def plug_parent(guest):
    plumbing.make_guest_device(guest)
    switch = guest.host.switch
    guest.extra["trunk"] = "tbr-" + guest.extra["vm"][:11]
    switch.bridge(guest.extra["trunk"], secure=False)
    switch.vsctl("add-port", guest.extra["trunk"], guest.tap)
    patch(switch, guest.extra["trunk"], "tpt-" + guest.short, "br-int", guest.ovs_port)
    label(guest)


def plug_subport(guest):
    parent, vid = guest.extra["parent"], guest.extra["vid"]
    switch = guest.host.switch
    patch(switch, parent.extra["trunk"], "spt-" + guest.short, "br-int", guest.ovs_port)
    switch.vsctl("set", "port", "spt-" + guest.short, f"tag={vid}")
    label(guest)
    guest.namespace = parent.namespace
    guest.device = f"{parent.device}.{vid}"
    return vlan_device(guest.namespace, parent.device, vid, guest.mtu, guest.mac)


def vlan_device(namespace, parent, vid, mtu, mac):
    """A VLAN device on another: a pair of veth and a relay that tags, for kernels without 802.1Q have no other."""
    device, end = f"{parent}.{vid}", f"tag{vid}"
    plumbing.veth(namespace, device, namespace, end, mtu, mac)
    plumbing.quiet(namespace, end)
    for name in (device, end):
        plumbing.offloads_off(namespace, name)
    plumbing.up(namespace, device, end)

    def change(frame, forward):
        if forward:
            return [(0, frame[:12] + struct.pack("!HH", 0x8100, vid) + frame[12:])]
        if frame[12:14] == b"\x81\x00" and struct.unpack("!H", frame[14:16])[0] & 0xFFF == vid:
            return [(0, frame[:12] + frame[16:])]
        return []

    return Relay((namespace, end), (namespace, parent), change)
