"""State of a host, collected as an operator would collect it."""

import json
import time

from commands import CommandFailed, run

def collect(host, directory, version, spelling="13", tables=(), extras=(), links=True, undumped=()):
    """Writes the state files of a host; collected.json has the time of each, in seconds since 1970."""
    directory.mkdir(parents=True, exist_ok=True)
    switch = host.switch
    taken = {}

    def write(name, text):
        (directory / name).write_text(text)
        taken[name] = round(time.time(), 3)

    write("ovs-vsctl-show.txt", switch.vsctl("show"))
    for bridge in ["br-tun", "br-int", *extras]:
        for name, text in flow_dumps(switch, bridge, spelling) if bridge not in undumped else ():
            write(name, text)
        write(f"{bridge}.ports", switch.ofctl("show", bridge, dialect="OpenFlow10"))
    write("br-int.fdb", switch.appctl("fdb/show", "br-int"))
    for table in ("port", "interface", *tables):
        write(f"ovsdb-{table}.json", switch.vsctl("--format=json", "list", table))
    write("ip-addr.json", switch.run("ip", "-j", "addr"))
    if links:
        write("ip-link.json", switch.run("ip", "-s", "-d", "-j", "link"))
    (directory / "collected.json").write_text(
        json.dumps({"host": host.name, "ovsVersion": version, "taken": taken}, indent=1) + "\n")
    return taken


def flow_dumps(switch, bridge, spelling):
    """both: OpenFlow 1.0 in NAME.flows and 1.3 in NAME.of13.flows. 13: only 1.3. 10: only 1.0. 14: without statistics."""
    if spelling in ("both", "10"):
        yield f"{bridge}.flows", switch.run("ovs-ofctl", "dump-flows", bridge)
    if spelling == "both":
        yield f"{bridge}.of13.flows", switch.run("ovs-ofctl", "-O", "OpenFlow13", "--names", "dump-flows", bridge)
    if spelling == "13":
        yield f"{bridge}.flows", switch.run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", bridge)
    if spelling == "14":
        yield f"{bridge}.flows", switch.run("ovs-ofctl", "-O", "OpenFlow14", "--names", "--no-stats", "dump-flows", bridge)


def add_evidence(host, directory, name, *command):
    """One more state file, from a program that may not be there."""
    try:
        text = run(*command, namespace=host.namespace, environment=host.switch.environment)
    except CommandFailed:
        return False
    (directory / name).write_text(text)
    told = json.loads((directory / "collected.json").read_text())
    told["taken"][name] = round(time.time(), 3)
    (directory / "collected.json").write_text(json.dumps(told, indent=1) + "\n")
    return True
