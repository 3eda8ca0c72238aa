"""What a lab is made of: hosts, networks and guests, with the names that Neutron and Nova would give them."""

import dataclasses
import ipaddress
import uuid

TUNNEL_TABLE = {"gre": 3, "vxlan": 4, "geneve": 6}


@dataclasses.dataclass(eq=False)
class Network:
    name: str
    kind: str
    vni: int
    uuid: str
    subnet: ipaddress.IPv4Network
    subnet6: ipaddress.IPv6Network
    physical: str = None

    @property
    def tunnelled(self):
        return self.kind in TUNNEL_TABLE

    @property
    def report_name(self):
        """The name that lanecheck gives it from the agent's records alone."""
        return f"net-{self.uuid[:8]}"


@dataclasses.dataclass(eq=False)
class Guest:
    name: str
    host: "Host"
    network: Network
    mac: str
    ip: str
    ip6: str
    port_id: str
    # hybrid: tap, qbr, qvb, qvo. direct: the tap is a port of br-int. trunk: the tap is on a trunk bridge.
    # subport: a VLAN of a trunk's tap.
    plug: str = "hybrid"
    owner: str = "compute:nova"
    protected: bool = True
    allowed: list = dataclasses.field(default_factory=list)
    namespace: str = None
    device: str = "eth0"
    mtu: int = 1450
    # The tag that Open vSwitch really has for the port, where it is not the network's.
    tag: int = None
    extra: dict = dataclasses.field(default_factory=dict)
    hosts: list = dataclasses.field(default_factory=list)

    @property
    def short(self):
        return self.port_id[:11]

    @property
    def tap(self):
        if self.plug == "subport":
            return None
        prefix = "qr-" if self.owner.startswith(("network:router_interface", "network:ha_router")) else "tap"
        return prefix + self.short

    @property
    def qbr(self):
        return "qbr" + self.short if self.plug == "hybrid" else None

    @property
    def qvb(self):
        return "qvb" + self.short if self.plug == "hybrid" else None

    @property
    def qvo(self):
        return "qvo" + self.short if self.plug == "hybrid" else None

    @property
    def ovs_port(self):
        if self.plug in ("trunk", "subport"):
            return {"trunk": "tpi-", "subport": "spi-"}[self.plug] + self.short
        return self.qvo or self.tap

    @property
    def vlan(self):
        return self.host.vlans[self.network]

    @property
    def link_local(self):
        return link_local(self.mac)


@dataclasses.dataclass(eq=False)
class Host:
    name: str
    number: int
    vtep: str
    nic: str
    nic_mac: str
    vlans: dict = dataclasses.field(default_factory=dict)
    namespace: str = None
    switch: object = None
    # peer Host → name of the tunnel port, by kind of tunnel
    tunnels: dict = dataclasses.field(default_factory=dict)
    ofports: dict = dataclasses.field(default_factory=dict)
    captured: bool = True
    udp_port: int = None
    # (OpenFlow port of br-int, provider VLAN or None, local VLAN)
    physical: list = dataclasses.field(default_factory=list)
    restarts: int = 0
    nics: list = dataclasses.field(default_factory=list)

    def tunnel(self, peer, kind):
        return self.tunnels[(peer, kind)]


def link_local(mac):
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    packed = bytes([0xFE, 0x80] + [0] * 6 + octets[:3] + [0xFF, 0xFE] + octets[3:])
    return str(ipaddress.IPv6Address(packed))


def tunnel_port_name(kind, remote):
    """As Neutron names tunnel ports: the remote IPv4 address as eight hexadecimal digits; a hash for IPv6."""
    prefix = {"vxlan": "vxlan-", "gre": "gre-", "geneve": "genev-"}[kind]
    address = ipaddress.ip_address(remote)
    if address.version == 4:
        return f"{prefix}{int(address):08x}"
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    number = int(uuid.uuid5(uuid.NAMESPACE_DNS, remote))
    return prefix + "".join(digits[(number >> (5 * place)) & 31] for place in range(8))
