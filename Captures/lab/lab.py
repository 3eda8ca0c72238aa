"""One overlay: hosts with their switches, networks, guests and the underlay between them."""

import ipaddress
import pathlib
import shutil
import tempfile
import time

import firewall_flows
import integration_flows
import plumbing
import trunk
import tunnel_flows
from commands import LabError, run
from model import Guest, Host, Network, tunnel_port_name
from namespaces import Namespaces, set_sysctl
from naming import Naming
from switch import OpenVSwitch

UNDERLAY_MTU = 1600
GUEST_MTU = 1450


class Lab:
    """Scenarios declare hosts, networks and guests, build(), break something, and record."""

    def __init__(self, seed, hosts=None):
        self.seed = seed
        self.naming = Naming(seed)
        self.random = self.naming.random
        self.wanted_hosts = hosts
        self.hosts, self.networks, self.guests = [], [], []
        self.namespaces = Namespaces()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix=self.namespaces.prefix))
        self.kinds = ["vxlan"]
        self.underlay_version = 4
        self.underlay_mtu = UNDERLAY_MTU
        self.guest_mtu = GUEST_MTU
        self.outer_vlans = {}
        self.l2population = False
        self.responder = False
        self.hard_timeout = 300
        self.old = False
        self.offloads = False
        self.noisy = False
        # Matches of what the openvswitch firewall driver lets in; None for the hybrid one.
        self.firewall = None
        self.events, self.traffic, self.relays = [], [], []

    # What there is

    def add_hosts(self, count):
        """As many hosts as the scenario wants, or as the user does, if that is no fewer."""
        count = max(count, self.wanted_hosts or 0)
        if count > len(self.naming.host_names):
            raise LabError(f"at most {len(self.naming.host_names)} hosts")
        for number in range(count):
            nic = self.naming.nic
            self.hosts.append(Host(
                self.naming.host_names[number], number, self.naming.vtep(number, self.underlay_version), nic,
                self.naming.mac(self.naming.nic_prefix), nics=[nic]))
        return self.hosts

    def network(self, name, kind=None, vni=None, subnet=None, physical=None):
        number = len(self.networks)
        subnet = ipaddress.ip_network(subnet or self.naming.subnets[number % len(self.naming.subnets)])
        tag = self.random.randrange(1 << 16)
        network = Network(
            name, kind or self.kinds[0], self.naming.vni() if vni is None else vni, self.naming.uuid(), subnet,
            ipaddress.ip_network(f"fd00:{tag:x}::/64"), physical)
        self.networks.append(network)
        for host in self.hosts:
            host.vlans[network] = self.naming.vlan(set(host.vlans.values()))
        return network

    def guest(self, name, host, network, **options):
        taken = {guest.ip for guest in self.guests if guest.network is network}
        while "ip" not in options:
            last = self.random.randint(2, min(250, network.subnet.num_addresses - 2))
            if str(network.subnet[last]) not in taken:
                options["ip"] = str(network.subnet[last])
        suffix = int(ipaddress.ip_address(options["ip"])) - int(network.subnet.network_address)
        options.setdefault("ip6", str(network.subnet6[0x1000 + suffix]))
        options.setdefault("mac", self.naming.mac())
        options.setdefault("mtu", self.guest_mtu)
        guest = Guest(name, host, network, port_id=self.naming.port_id(), **options)
        guest.hosts = [host.name]
        guest.extra.setdefault("vm", self.naming.uuid())
        guest.extra.setdefault("instance", f"instance-{self.random.randrange(1 << 20):08x}")
        self.guests.append(guest)
        return guest

    def spare_address(self, network, number=0):
        """An address of a network that no guest has; different ones by number."""
        taken = {guest.ip for guest in self.guests if guest.network is network}
        last = 40
        while True:
            address = str(network.subnet[last])
            if address not in taken:
                if number == 0:
                    return address
                number -= 1
            last = last % (network.subnet.num_addresses - 2) + 1

    # Building

    def build(self):
        self.build_underlay()
        for host in self.hosts:
            self.build_host(host)
        for host in self.hosts:
            self.build_tunnels(host)
        for guest in self.guests:
            self.build_guest(guest)
        for host in self.hosts:
            self.install_flows(host)
        self.resolve_neighbours()

    def build_underlay(self):
        self.wire = self.namespaces.add("wire")
        run("ip", "link", "add", "wire", "mtu", 9000, "type", "bridge", "forward_delay", 0, "mcast_snooping", 0,
            namespace=self.wire)
        plumbing.quiet(self.wire, "wire")
        plumbing.up(self.wire, "wire")

    def attach(self, namespace, device, mac, end, mtu=None, bridge="wire"):
        """A cable from a device to the underlay's switch."""
        plumbing.veth(namespace, device, self.wire, end, mtu or self.underlay_mtu, mac)
        plumbing.quiet(namespace, device)
        plumbing.quiet(self.wire, end)
        plumbing.offloads_off(namespace, device)
        plumbing.offloads_off(self.wire, end)
        run("ip", "link", "set", end, "mtu", 9000, "master", bridge, namespace=self.wire)
        plumbing.up(self.wire, end)
        plumbing.up(namespace, device)

    def build_host(self, host):
        host.namespace = self.namespaces.add(host.name)
        for number, nic in enumerate(host.nics):
            self.attach(host.namespace, nic, host.nic_mac if number == 0 else self.naming.mac(self.naming.nic_prefix),
                        f"w{host.number}-{number}")
            # The kernel sees the NIC's frames too: only br-phy, which has the address, may answer them.
            set_sysctl(host.namespace, f"ipv4/conf/{nic}/rp_filter", 1)
            set_sysctl(host.namespace, f"ipv4/conf/{nic}/arp_ignore", 1)
        host.switch = OpenVSwitch(host.namespace, self.scratch / host.name)
        host.switch.start()
        switch = host.switch
        switch.vsctl("set", "open_vswitch", ".", f"external_ids:hostname={host.name}",
                     f"external_ids:system-id={self.naming.uuid()}")
        switch.bridge("br-phy", f'other_config:hwaddr="{host.nic_mac}"', secure=False)
        if len(host.nics) > 1:
            switch.vsctl("add-bond", "br-phy", "bond0", *host.nics, "--", "set", "port", "bond0",
                         "bond_mode=active-backup")
        else:
            switch.vsctl("add-port", "br-phy", host.nics[0])
        vlan = self.outer_vlans.get(host)
        if vlan:
            switch.vsctl("set", "port", "br-phy", f"tag={vlan}")
        run("ip", "link", "set", "br-phy", "mtu", self.underlay_mtu, namespace=host.namespace, check=False)
        plumbing.up(host.namespace, "br-phy")
        prefix = (self.naming.underlay if self.underlay_version == 4 else self.naming.underlay6).prefixlen
        options = ["nodad"] if self.underlay_version == 6 else []
        if self.underlay_version == 4:
            plumbing.quiet(host.namespace, "br-phy")
        run("ip", "addr", "add", f"{host.vtep}/{prefix}", "dev", "br-phy", *options, namespace=host.namespace)
        switch.bridge("br-int")
        switch.bridge("br-tun")
        switch.vsctl("add-port", "br-int", "patch-tun", "--", "set", "interface", "patch-tun", "type=patch",
                     "options:peer=patch-int", "--", "add-port", "br-tun", "patch-int", "--", "set", "interface",
                     "patch-int", "type=patch", "options:peer=patch-tun")
        for bridge, port in (("br-int", "patch-tun"), ("br-tun", "patch-int")):
            host.ofports[port] = (bridge, switch.ofport(port))

    def build_tunnels(self, host):
        for peer in self.hosts:
            for kind in self.kinds:
                if peer is not host:
                    self.add_tunnel(host, peer, kind)

    def add_tunnel(self, host, peer, kind):
        name = tunnel_port_name(kind, peer.vtep)
        options = {"local_ip": host.vtep, "remote_ip": peer.vtep, "in_key": "flow", "out_key": "flow",
                   "df_default": "true", "egress_pkt_mark": "0"}
        if host.udp_port and kind == "vxlan":
            options["dst_port"] = str(host.udp_port)
        host.switch.vsctl("add-port", "br-tun", name, "--", "set", "interface", name, f"type={kind}",
                          *[f'options:{key}="{value}"' for key, value in options.items()])
        host.tunnels[(peer, kind)] = name
        host.ofports[name] = ("br-tun", host.switch.ofport(name))

    def build_guest(self, guest):
        if guest.namespace is None:
            other = guest.extra.get("with")
            guest.namespace = other.namespace if other else self.namespaces.add("vm-" + guest.name)
        if guest.plug == "subport":
            self.relays.append(trunk.plug_subport(guest))
        elif guest.plug == "trunk":
            trunk.plug_parent(guest)
        else:
            plumbing.plug(guest, self.offloads, self.noisy)
        plumbing.give_addresses(guest)

    def resolve_neighbours(self):
        """Open vSwitch learns the peers' addresses from the answers to these pings."""
        for host in self.hosts:
            for peer in self.hosts:
                if peer is not host and self.outer_vlans.get(host) == self.outer_vlans.get(peer):
                    run("ping", "-c", 1, "-W", 1, peer.vtep, namespace=host.namespace, check=False)
                    host.switch.appctl("tnl/neigh/set", "br-phy", peer.vtep, peer.nic_mac)

    # Flows

    def tunnel_plan(self, host):
        def port(peer, kind):
            return host.ofports[host.tunnels[(peer, kind)]][1]

        plan = tunnel_flows.TunnelPlan(
            patch=host.ofports["patch-int"][1],
            ports=[(host.ofports[name][1], kind) for (_, kind), name in host.tunnels.items()], networks=[],
            responder=self.responder, hard_timeout=self.hard_timeout,
            cookie=self.cookie(host, tunnel_flows.COOKIE))
        here = {guest.network for guest in self.guests if guest.host is host}
        for network in self.networks:
            if not network.tunnelled or network not in here:
                continue
            peers = [peer for peer in self.hosts if (peer, network.kind) in host.tunnels]
            remote = [g for g in self.guests if g.network is network and g.host in peers]
            if self.l2population:
                peers = [peer for peer in peers if any(guest.host is peer for guest in remote)]
            vlan = host.vlans[network]
            plan.networks.append((network.vni, vlan, network.kind, [port(peer, network.kind) for peer in peers]))
            if self.l2population:
                for g in remote:
                    for mac, ip in [(g.mac, g.ip), (g.mac, g.ip6)]:
                        if mac:
                            plan.entries.append(tunnel_flows.Entry(vlan, network.vni, mac, ip, port(g.host, network.kind)))
        return plan

    def install_flows(self, host):
        """All flows of a host, as its agent does at its start: those of an earlier start go when the new ones are in."""
        switch = host.switch
        if host.restarts == 0:
            for bridge in ("br-tun", "br-int"):
                switch.ofctl("del-flows", bridge)
        if self.old:
            switch.add_flows("br-tun", tunnel_flows.old_tunnel_flows(self.tunnel_plan(host)), "OpenFlow10")
            switch.add_flows("br-int", integration_flows.old_integration_flows(), "OpenFlow10")
            return
        switch.add_flows("br-tun", tunnel_flows.tunnel_flows(self.tunnel_plan(host)))
        self.install_integration_flows(host)
        if host.restarts:
            host.restarts -= 1
            stale = {bridge: self.cookie(host, base) for bridge, base in
                     (("br-tun", tunnel_flows.COOKIE), ("br-int", integration_flows.COOKIE))}
            host.restarts += 1
            for bridge, cookie in stale.items():
                switch.ofctl("del-flows", bridge, f"cookie={cookie:#x}/-1")

    def install_integration_flows(self, host):
        ports = [(host.ofports[guest.ovs_port][1], guest) for guest in self.guests
                 if guest.host is host and guest.protected and guest.ovs_port in host.ofports]
        if self.firewall:
            host.switch.add_flows("br-int", firewall_flows.firewall_flows(
                ports, self.cookie(host, integration_flows.COOKIE), self.firewall))
            return
        host.switch.add_flows("br-int", integration_flows.integration_flows(
            ports, self.cookie(host, integration_flows.COOKIE), host.physical), "OpenFlow10")

    @staticmethod
    def cookie(host, base):
        """An agent draws a new cookie at every start."""
        return base + (host.number + 1) * 0x1111 + host.restarts * 0x500000

    def ofport(self, host, name):
        return host.ofports[name][1]

    # The run

    def note(self, what):
        self.events.append({"t": time.time(), "what": what})

    def pause(self, seconds):
        time.sleep(seconds)

    def close(self):
        """Ends every process and removes every namespace and file of this lab; never stops half-way."""
        problems = []

        def attempt(action):
            try:
                action()
            except Exception as error:  # whatever it is, the rest is cleaned too
                problems.append(str(error))

        for relay in self.relays:
            attempt(relay.stop)
        for host in self.hosts:
            if host.switch:
                attempt(host.switch.stop)
        attempt(self.namespaces.remove_all)
        attempt(lambda: shutil.rmtree(self.scratch, ignore_errors=True))
        return problems

