"""One bundle being recorded: captures, state before and after, truth.json, expect.yaml."""

import contextlib
import gzip
import json
import os
import shutil
import time

import expectation
import manifest
import neutron
import state
import switch
import truth
from captures import Capture, CaptureRun
from traffic import Traffic


class Bundle:
    """What a scenario records, and what it says about it."""

    def __init__(self, lab, scenario):
        self.lab = lab
        self.scenario = scenario
        self.directory = lab.scratch / "bundle"
        self.directory.mkdir()
        self.captures = []
        self.traffic = Traffic(lab.traffic)
        # Not everybody collects everything.
        self.spelling = lab.random.choice(["13", "13", "both", "14"])
        self.tables = ("bridge", "open_vswitch") if lab.random.random() < 0.4 else ()
        self.with_state, self.with_after = True, lab.random.random() < 0.4
        # State without captures: for `lanecheck check`.
        self.state_only = False
        self.with_links = lab.random.random() < 0.5
        self.points = lab.random.choice([("tap", "qvo"), ("tap", "qvo"), ("qvo",), ("tap",)])
        self.evidence = []
        # Bridges whose flows are dumped beside those of br-int and br-tun.
        self.bridges = ()
        # Bridges whose flows nobody dumped.
        self.undumped = ()
        self.fault = None
        self.told = []
        self.started = self.ended = None
        self.expected = expectation.Expectation(scenario.name)
        self.version = switch.version()
        self.measured = {"affected_frame_numbers": {}}
        # Files at the top of the bundle, by name.
        self.intent = {}

    # What to capture

    def capture(self, host, interface, kind, **options):
        capture = Capture(host, interface, kind, **options)
        self.captures.append(capture)
        return capture

    def capture_guests(self, *guests, points=None, **options):
        for guest in guests:
            for point in points or self.points:
                interface = getattr(guest, point) or (guest.tap if point == "qvo" else None)
                if interface and not any(c.host is guest.host and c.interface == interface for c in self.captures):
                    self.capture(guest.host, interface, "tap" if interface == guest.tap else point, **options)

    def capture_underlay(self, *hosts, **options):
        for host in hosts or self.lab.hosts:
            for nic in host.nics:
                self.capture(host, nic, "tunnel", **options)

    def capture_all(self, points=None, **options):
        self.capture_guests(*self.lab.guests, points=points, **options)
        self.capture_underlay(**options)

    # Recording

    @contextlib.contextmanager
    def recording(self):
        """State, then captures; the traffic runs inside; then the rest of the captures, and state again."""
        lab = self.lab
        self.started = time.time()
        if not self.captures and not self.state_only:
            self.capture_all()
        if self.with_state:
            for host in self.hosts_of_captures():
                self.collect(host, self.directory / host.name)
        run = CaptureRun(self.directory)
        try:
            run.begin(self.captures)
            yield self.traffic
            self.told += run.finish()
        finally:
            run.abandon()
        if self.with_state and self.with_after and not self.state_only:
            for host in self.hosts_of_captures():
                self.collect(host, self.directory / host.name / "after")
        self.ended = time.time()
        lab.note("captures ended")

    def take_state(self):
        """The state alone, with no traffic and no capture."""
        with self.recording():
            pass

    def collect(self, host, directory):
        state.collect(host, directory, self.version, self.spelling, self.tables, self.bridges, self.with_links,
                      self.undumped)
        for name, *command in self.evidence:
            state.add_evidence(host, directory, name, *command)

    def hosts_of_captures(self):
        if self.state_only:
            return list(self.lab.hosts)
        seen = []
        for capture in self.captures:
            if capture.host not in seen:
                seen.append(capture.host)
        return seen

    def breaks(self, host, injected, changes=()):
        """Notes the fault that was injected."""
        self.fault = {"name": self.scenario.name, "host": host.name if host else None, "injected": injected,
                      "flow_changes": list(changes)}

    def use_manifest(self, complete=False):
        """The bundle gets a lanecheck.yaml, and its networks have their names in the report."""
        self.intent["lanecheck.yaml"] = manifest.manifest(self.lab, complete)
        self.expected.named_by_manifest = True

    def use_neutron(self):
        """The bundle gets Neutron's lists of networks and ports, as they are now."""
        self.intent["neutron-networks.json"] = neutron.networks(self.lab)
        self.intent["neutron-ports.json"] = neutron.ports(self.lab)
        self.expected.named_by_manifest = True

    def keep_small(self):
        """No more state than the question needs."""
        self.spelling, self.tables, self.with_after, self.with_links = "13", (), False, False

    # Writing

    def write(self, target, compressed=False):
        """Moves the finished bundle to its place; nothing is there before it is whole."""
        document = truth.truth(self)
        if compressed:
            compress_captures(self.directory, document["captures"])
        (self.directory / "truth.json").write_text(json.dumps(document, indent=1) + "\n")
        (self.directory / "expect.yaml").write_text(self.expected.text(self.scenario))
        for name, text in self.intent.items():
            (self.directory / name).write_text(text)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copytree(self.directory, partial)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)


def compress_captures(directory, captures):
    """Puts captures through gzip, save those that are small or were cut on purpose; what truth.json says follows."""
    told = {capture["file"]: capture for capture in captures}
    for path in sorted(directory.glob("*/*.pcap*")):
        capture = told.get(str(path.relative_to(directory)), {})
        if path.suffix == ".gz" or path.stat().st_size < 4096 or "cut" in capture:
            continue
        compressed = path.with_name(path.name + ".gz")
        # Without the time, the same capture always gives the same file.
        compressed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
        if capture:
            capture["file"] = str(compressed.relative_to(directory))
