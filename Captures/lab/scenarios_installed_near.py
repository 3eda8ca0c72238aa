"""Installed state that is in order though it looks odd."""

from commands import run
from scenario import scenario
from scenarios_installed import state_of_two_tenants


@scenario("check-unused-port", "near", "state alone: a port on VLAN 4095 that is not in use, as the agent leaves new ports", rule="dead-vlan")
def check_unused_port(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle)
    idle = lab.guest("idle", two, net, plug="direct", tag=4095)
    lab.build()
    two.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status", "--", "clear", "port",
                     idle.ovs_port, "other_config")
    run("ip", "link", "set", idle.tap, "down", namespace=two.namespace)
    bundle.keep_small()
    with bundle.recording():
        pass


@scenario("check-tracked-connections", "near", "state alone: the openvswitch firewall lets pass what security groups allow",
          rule="unreachable-port")
def check_tracked_connections(lab, bundle):
    lab.firewall = ["icmp", "tcp"]
    one, two = lab.add_hosts(2)[:2]
    net = lab.network("net")
    lab.guest("alpha", one, net, plug="direct"), lab.guest("beta", two, net, plug="direct")
    lab.build()
    bundle.state_only = True
    bundle.keep_small()
    with bundle.recording():
        pass


@scenario("check-no-shared-network", "near", "state alone: hosts that share no network have no tunnel to each other, and no place in "
          "each other's floods", rule="missing-flood-peer")
def check_no_shared_network(lab, bundle):
    lab.l2population = True
    one, two, three, four = lab.add_hosts(4)[:4]
    net, other = lab.network("net"), lab.network("other")
    lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.guest("gamma", three, other), lab.guest("delta", four, other)
    lab.build()
    for host in lab.hosts:
        here = {guest.network for guest in lab.guests if guest.host is host}
        for peer in lab.hosts:
            there = {guest.network for guest in lab.guests if guest.host is peer}
            if peer is not host and not here & there:
                name = host.tunnels.pop((peer, "vxlan"))
                host.ofports.pop(name, None)
                host.switch.vsctl("del-port", "br-tun", name)
    bundle.state_only = True
    bundle.keep_small()
    with bundle.recording():
        pass


@scenario("check-tunnels-stay", "near", "state alone: one host's flood list leaves out a host that has no port of the network",
          rule="missing-flood-peer")
def check_tunnels_stay(lab, bundle):
    lab.l2population = True
    one, two, three = lab.add_hosts(3)[:3]
    net, other = lab.network("net"), lab.network("other")
    lab.guest("alpha", one, net), lab.guest("beta", two, net)
    lab.guest("gamma", one, other), lab.guest("delta", three, other)
    lab.build()
    bundle.state_only = True
    bundle.keep_small()
    with bundle.recording():
        pass


@scenario("check-unused-conflict", "near", "state alone: the record of a port that is not in use has another VNI than its network: a remark",
          rule="mapping-conflict")
def check_unused_conflict(lab, bundle):
    one, two, net, other, b = state_of_two_tenants(lab, bundle, hosts=3)
    three = lab.hosts[2]
    idle = lab.guest("idle", three, net, plug="direct", tag=4095)
    lab.build()
    three.switch.vsctl("remove", "interface", idle.ovs_port, "external_ids", "iface-status", "--", "set", "port", idle.ovs_port,
                       f'other_config:segmentation_id="{lab.naming.vni()}"')
    run("ip", "link", "set", idle.tap, "down", namespace=three.namespace)
    bundle.keep_small()
    with bundle.recording():
        pass
    bundle.expected.finds("mapping-conflict", three, net, verdict="pass")
