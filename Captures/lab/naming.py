"""Names and numbers of a lab, drawn from a seed: nothing about them is to be relied on."""

import ipaddress
import random
import uuid

HOST_NAMES = [
    lambda r: [f"compute-{letter}" for letter in "abcde"],
    lambda r: [f"node{n:02}" for n in r.sample(range(3, 80), 5)],
    lambda r: ["ctl", "net", "hv1", "hv2", "hv3"],
    lambda r: [f"rack{r.randint(1, 9)}-hv{n:02}" for n in r.sample(range(1, 40), 5)],
    lambda r: [f"os-cmp{n:03}" for n in r.sample(range(1, 200), 5)],
    lambda r: r.sample(["kepler", "tycho", "galileo", "halley", "brahe", "cassini", "lovell"], 5),
    lambda r: [f"compute{n}" for n in range(1, 6)],
]
NICS = ["eth1", "ens4", "enp3s0f1", "ens192", "eno2", "enp65s0f0np0", "eth0"]
UNDERLAYS = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.64/26", "172.29.236.0/22", "10.20.30.0/24", "100.64.8.0/21"]
SUBNETS = ["10.0.0.0/24", "192.168.50.0/24", "172.16.4.0/22", "10.77.3.0/26", "192.168.0.0/16", "10.1.0.0/20"]
MAC_PREFIXES = ["fa:16:3e", "fa:16:3e", "fa:16:3f", "02:42:7c", "52:54:00", "aa:bb:0c"]
VNIS = [(1, 99), (100, 999), (1000, 65535), (65536, 1 << 20), (1 << 20, (1 << 24) - 1)]
VLANS = [(1, 9), (1, 60), (100, 999), (1000, 4000)]


class Naming:
    def __init__(self, seed):
        self.random = random.Random(seed)
        r = self.random
        self.host_names = r.choice(HOST_NAMES)(r)
        self.nic = r.choice(NICS)
        self.underlay = ipaddress.ip_network(r.choice(UNDERLAYS))
        self.underlay6 = ipaddress.ip_network(f"fd{r.randrange(256):02x}:{r.randrange(65536):x}:{r.randrange(65536):x}::/64")
        self.vtep_offset = r.randint(1, 20)
        self.subnets = r.sample(SUBNETS, len(SUBNETS))
        self.mac_prefix = r.choice(MAC_PREFIXES)
        self.nic_prefix = "52:54:00" if self.mac_prefix != "52:54:00" else "3c:ec:ef"
        self.used = set()

    def vtep(self, number, version=4):
        network = self.underlay if version == 4 else self.underlay6
        return str(network[self.vtep_offset + number])

    def mac(self, prefix=None):
        while True:
            tail = [self.random.randrange(256) for _ in range(3)]
            mac = (prefix or self.mac_prefix) + "".join(f":{octet:02x}" for octet in tail)
            if mac not in self.used:
                self.used.add(mac)
                return mac

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def port_id(self):
        while True:
            value = self.uuid()
            if value[:11] not in self.used:
                self.used.add(value[:11])
                return value

    def vni(self):
        while True:
            value = self.random.randint(*self.random.choice(VNIS))
            if value not in self.used:
                self.used.add(value)
                return value

    def vlan(self, taken):
        while True:
            value = self.random.randint(*self.random.choice(VLANS))
            if value not in taken:
                return value
