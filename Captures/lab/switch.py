"""Open vSwitch of one host: its own database server and daemon, with the userspace datapath."""

import os
import pathlib
import signal
import time

from commands import LabError, end, find_program, run, start
from interruption import held

VARIABLES = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")


def schema():
    """vswitch.ovsschema of the Open vSwitch that is on the PATH."""
    places = []
    if "OVS_PKGDATADIR" in os.environ:
        places.append(pathlib.Path(os.environ["OVS_PKGDATADIR"]))
    program = find_program("ovs-vswitchd")
    if program:
        places.append(pathlib.Path(os.path.realpath(program)).parent.parent / "share/openvswitch")
    places += [pathlib.Path("/usr/local/share/openvswitch"), pathlib.Path("/usr/share/openvswitch")]
    for place in places:
        if (place / "vswitch.ovsschema").exists():
            return place / "vswitch.ovsschema"
    raise LabError("vswitch.ovsschema not found; set OVS_PKGDATADIR to the directory that has it")


def version():
    return run("ovs-vswitchd", "--version").split("\n")[0].split()[-1]


class OpenVSwitch:
    def __init__(self, namespace, scratch):
        self.namespace = namespace
        self.directory = pathlib.Path(scratch)
        self.directory.mkdir(parents=True)
        self.environment = {name: str(self.directory) for name in VARIABLES}
        self.processes = []

    def start(self):
        database = self.directory / "conf.db"
        self.run("ovsdb-tool", "create", database, schema())
        self._start("ovsdb-server", database, f"--remote=punix:{self.directory}/db.sock", "--pidfile", "--no-chdir")
        self._await(self.directory / "db.sock")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "open_vswitch", ".", "other_config:n-handler-threads=1",
                   "other_config:n-revalidator-threads=1")
        self._start("ovs-vswitchd", f"unix:{self.directory}/db.sock", "--pidfile", "--no-chdir")
        self._await(self.directory / "ovs-vswitchd.pid")

    def _start(self, program, *arguments):
        log = open(self.directory / f"{program}.out", "wb")
        with log, held():
            self.processes.append(start(
                program, *arguments, "-vconsole:off", f"--log-file={self.directory}/{program}.log",
                namespace=self.namespace, environment=self.environment, log=log))

    def _await(self, path):
        deadline = time.monotonic() + 15
        while not path.exists():
            for process in self.processes:
                if process.poll() is not None:
                    raise LabError(f"Open vSwitch did not start: {self.complaints()}")
            if time.monotonic() > deadline:
                raise LabError(f"Open vSwitch did not start: no {path.name}")
            time.sleep(0.02)

    def complaints(self):
        lines = []
        for log in sorted(self.directory.glob("*.log")) + sorted(self.directory.glob("*.out")):
            text = log.read_text(errors="replace").splitlines()
            lines += [line for line in text if "WARN" in line or "ERR" in line or "EMER" in line or log.suffix == ".out"]
        return " / ".join(lines[-3:]) or "no message"

    def stop(self):
        for process in reversed(self.processes):
            end(process, signal.SIGTERM, patience=3)
        self.processes = []

    def run(self, *arguments, **options):
        return run(*arguments, namespace=self.namespace, environment=self.environment, **options)

    def vsctl(self, *arguments):
        return self.run("ovs-vsctl", "-t", "10", *arguments)

    def appctl(self, *arguments):
        return self.run("ovs-appctl", *arguments)

    def ofctl(self, *arguments, dialect="OpenFlow13", given=None):
        return self.run("ovs-ofctl", "-O", dialect, *arguments, given=given)

    def add_flows(self, bridge, flows, dialect="OpenFlow13"):
        self.ofctl("add-flows", bridge, "-", dialect=dialect, given="\n".join(flows) + "\n")

    def bridge(self, name, *columns, secure=True):
        arguments = ["--may-exist", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                     "protocols=OpenFlow10,OpenFlow13,OpenFlow14", *columns]
        if secure:
            arguments.append("fail_mode=secure")
        self.vsctl(*arguments)

    def ofport(self, interface):
        deadline = time.monotonic() + 5
        while True:
            value = self.vsctl("--if-exists", "get", "interface", interface, "ofport").strip()
            if value.isdigit():
                return int(value)
            if time.monotonic() > deadline:
                raise LabError(f"interface {interface} got no OpenFlow port: {value or 'none'}; {self.complaints()}")
            time.sleep(0.02)
