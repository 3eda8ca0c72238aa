"""What happens to a running deployment: flows changed, agents restarted, guests moved."""

import packets
import plumbing
from commands import run
from relay import Reflector, Relay


def swap_flow(host, bridge, old, new):
    """Takes one flow out and, if given, puts another in; returns what changed, for truth.json."""
    match = ",".join(part for part in old.split(" actions=")[0].split(",") if not part.startswith("cookie="))
    host.switch.ofctl("--strict", "del-flows", bridge, match)
    if new:
        host.switch.ofctl("add-flow", bridge, new)
    return ["-" + old] + (["+" + new] if new else [])


def add_flow(host, bridge, new):
    host.switch.ofctl("add-flow", bridge, new)
    return ["+" + new]


def restart_agent(lab, host):
    """New flows with a new cookie, then the old ones go, and with them what was learned."""
    host.restarts += 1
    lab.install_flows(host)
    lab.note(f"agent of {host.name} restarted: flows reinstalled, learned entries gone")


def migrate(lab, guest, target, announce=True, flows_follow=True):
    """The guest stops on its host and goes on on another, with the same port, MAC and addresses."""
    source = guest.host
    lab.note(f"{guest.name} paused on {source.name}")
    plumbing.unplug(guest)
    source.ofports.pop(guest.ovs_port, None)
    guest.host = target
    guest.hosts.append(target.name)
    plumbing.plug(guest, lab.offloads, lab.noisy)
    plumbing.give_addresses(guest)
    lab.install_integration_flows(target)
    if flows_follow and lab.l2population:
        for host in lab.hosts:
            lab.install_flows(host)
    lab.note(f"{guest.name} running on {target.name}")
    if announce:
        frames = [packets.announcement(guest),
                  packets.ethernet(packets.BROADCAST, guest.mac, 0x0806,
                                   packets.arp(1, guest.mac, guest.ip, "00:00:00:00:00:00", guest.ip))]
        packets.send_frames(guest.namespace, guest.device, frames * 2)
        lab.note(f"{guest.name} announced (RARP, gratuitous ARP)")


def underlay_relay(lab, host, change):
    """Puts a program between a host's cable and the underlay's switch."""
    end = f"w{host.number}-0"
    plumbing.veth(lab.wire, f"r{host.number}", lab.wire, f"s{host.number}", 9000)
    for device in (f"r{host.number}", f"s{host.number}"):
        plumbing.quiet(lab.wire, device)
        plumbing.offloads_off(lab.wire, device)
        plumbing.up(lab.wire, device)
    run("ip", "link", "set", end, "nomaster", namespace=lab.wire)
    run("ip", "link", "set", f"s{host.number}", "master", "wire", namespace=lab.wire)
    relay = Relay((lab.wire, end), (lab.wire, f"r{host.number}"), change)
    lab.relays.append(relay)
    return relay


def reflect(lab, guest, chosen):
    """The guest sends some of the frames that reach it out again, each as it is."""
    seen = set()

    def change(frame, forward):
        if not forward or not chosen(frame) or frame in seen:
            return []
        seen.add(frame)
        return [(0.005, frame)]

    reflection = Reflector((guest.namespace, guest.device), change)
    lab.relays.append(reflection)
    return reflection


def renumber(lab, host, networks):
    """An agent restarts and gives its networks other local VLANs: tags, records and flows change together."""
    taken = set(host.vlans.values())
    for network in networks:
        host.vlans[network] = lab.naming.vlan(taken)
        taken.add(host.vlans[network])
    for guest in lab.guests:
        if guest.host is host and guest.network in networks:
            host.switch.vsctl("set", "port", guest.ovs_port, f"tag={guest.vlan}", f'other_config:tag="{guest.vlan}"')
    host.restarts += 1
    lab.install_flows(host)
    lab.note(f"agent of {host.name} restarted with other local VLANs")
