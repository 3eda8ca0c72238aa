"""Devices between a guest and br-int: tap, qbr, qvb and qvo, or the tap alone."""

from commands import run
from namespaces import set_sysctl


def offloads_off(namespace, device):
    run("ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
        namespace=namespace, check=False)


def quiet(namespace, device):
    """No IPv6 of the host's own on a device, as Nova and Neutron set it."""
    set_sysctl(namespace, f"ipv6/conf/{device}/disable_ipv6", 1)


def veth(namespace, name, peer_namespace, peer, mtu=None, mac=None, peer_mac=None):
    command = ["ip", "link", "add", name]
    if mac:
        command += ["address", mac]
    if mtu:
        command += ["mtu", mtu]
    command += ["type", "veth", "peer", "name", peer]
    if peer_mac:
        command += ["address", peer_mac]
    if mtu:
        command += ["mtu", mtu]
    if peer_namespace != namespace:
        command += ["netns", peer_namespace]
    run(*command, namespace=namespace)


def up(namespace, *devices):
    for device in devices:
        run("ip", "link", "set", device, "up", namespace=namespace)


def make_guest_device(guest, offloads=False):
    """The guest's namespace end and its tap on the host."""
    host = guest.host.namespace
    # Like libvirt, the host's end has the guest's MAC with the first octet fe.
    veth(host, guest.tap, guest.namespace, guest.device, guest.mtu, "fe" + guest.mac[2:], guest.mac)
    quiet(host, guest.tap)
    up(host, guest.tap)
    if not offloads:
        offloads_off(host, guest.tap)
        offloads_off(guest.namespace, guest.device)
    up(guest.namespace, guest.device)


def give_addresses(guest):
    set_sysctl(guest.namespace, f"ipv6/conf/{guest.device}/mldv1_unsolicited_report_interval", 100)
    run("ip", "addr", "add", f"{guest.ip}/{guest.network.subnet.prefixlen}", "brd", "+", "dev", guest.device,
        namespace=guest.namespace)
    run("ip", "-6", "addr", "add", f"{guest.ip6}/64", "dev", guest.device, "nodad", namespace=guest.namespace)


def make_hybrid(guest, noisy=False):
    """tap ─ qbr ─ qvb ═ qvo, as Nova plugs a port whose security groups are enforced by iptables."""
    host = guest.host.namespace
    run("ip", "link", "add", guest.qbr, "mtu", guest.mtu, "type", "bridge", "forward_delay", 0, "stp_state",
        1 if noisy else 0, "mcast_snooping", 0, "ageing_time", 0, namespace=host)
    veth(host, guest.qvb, host, guest.qvo, guest.mtu)
    for device in (guest.qbr, guest.qvb, guest.qvo):
        if not noisy:
            quiet(host, device)
    for device in (guest.qvb, guest.qvo):
        offloads_off(host, device)
        run("ip", "link", "set", device, "promisc", "on", namespace=host)
    for device in (guest.tap, guest.qvb):
        run("ip", "link", "set", device, "master", guest.qbr, namespace=host)
    up(host, guest.qbr, guest.qvb, guest.qvo)


def plug(guest, offloads=False, noisy=False):
    """All devices of a guest up to the port of br-int, which gets its tag and the agent's records."""
    make_guest_device(guest, offloads)
    if guest.plug == "hybrid":
        make_hybrid(guest, noisy)
    add_port(guest)


def unplug(guest):
    """Takes the guest's devices from its host; its namespace stays."""
    guest.host.switch.vsctl("--if-exists", "del-port", "br-int", guest.ovs_port)
    host = guest.host.namespace
    run("ip", "link", "delete", guest.tap, namespace=host)
    if guest.plug == "hybrid":
        run("ip", "link", "delete", guest.qvo, namespace=host)
        run("ip", "link", "delete", guest.qbr, namespace=host)


def add_port(guest, bridge="br-int"):
    tag = guest.vlan if guest.tag is None else guest.tag
    network = guest.network
    record = {"net_uuid": network.uuid, "network_type": network.kind, "tag": guest.vlan}
    if network.kind != "flat":
        record["segmentation_id"] = network.vni
    record["physical_network"] = network.physical or "None"
    columns = [f'other_config:{key}="{value}"' for key, value in record.items()]
    identifiers = {"attached-mac": guest.mac, "iface-id": guest.port_id, "iface-status": "active"}
    if guest.owner.startswith("compute:"):
        identifiers["vm-uuid"] = guest.extra["vm"]
    command = ["add-port", bridge, guest.ovs_port, "--", "set", "port", guest.ovs_port, *columns]
    if tag:
        command.append(f"tag={tag}")
    command += ["--", "set", "interface", guest.ovs_port]
    command += [f'external_ids:{key}="{value}"' for key, value in identifiers.items()]
    guest.host.switch.vsctl(*command)
    guest.host.ofports[guest.ovs_port] = ("br-int", guest.host.switch.ofport(guest.ovs_port))
