"""Neutron's answers about a lab, as `openstack network list` and `port list` would be saved through its API."""

import json


def networks(lab):
    return json.dumps({"networks": [{
        "id": network.uuid, "name": network.name, "provider:network_type": network.kind,
        "provider:segmentation_id": network.vni} for network in lab.networks]}, indent=1) + "\n"


def port(guest):
    return {
        "id": guest.port_id, "name": guest.name, "network_id": guest.network.uuid, "mac_address": guest.mac,
        "fixed_ips": [{"ip_address": guest.ip}, {"ip_address": guest.ip6}],
        "allowed_address_pairs": [{"mac_address": mac, "ip_address": ip} for mac, ip in guest.allowed],
        "port_security_enabled": guest.protected, "device_owner": guest.owner, "status": "ACTIVE",
        "binding:host_id": guest.host.name}


def ports(lab):
    """A port that several hosts have, as those of routers that stand in for each other, is bound to the first of them."""
    first = {guest.port_id: guest for guest in reversed(lab.guests)}
    return json.dumps({"ports": [port(guest) for guest in lab.guests if first[guest.port_id] is guest]}, indent=1) + "\n"
