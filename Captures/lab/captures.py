"""Captures of a run: tcpdump or dumpcap at interfaces of hosts."""

import dataclasses
import os
import signal
import struct
import subprocess
import time

from commands import LabError, end, start
from interruption import held


@dataclasses.dataclass
class Capture:
    host: object
    interface: str
    kind: str
    snap: int = 262144
    nano: bool = False
    direction: str = None
    # several interfaces into one pcapng
    interfaces: list = None
    expression: str = None
    # begins or ends that many seconds late or early: done by the scenario
    file: str = None

    def __post_init__(self):
        if self.file is None:
            suffix = f".{self.direction}" if self.direction else ""
            self.file = "all.pcapng" if self.interfaces else f"{self.interface}{suffix}.pcap"

    @property
    def path(self):
        return f"{self.host.name}/{self.file}"


class CaptureRun:
    """Starts captures, waits until all of them listen, and ends them when they have seen everything."""

    def __init__(self, directory):
        self.directory = directory
        self.running = []

    def begin(self, captures):
        for capture in captures:
            target = self.directory / capture.path
            target.parent.mkdir(parents=True, exist_ok=True)
            log = self.directory.parent / f"capture-{capture.path.replace('/', '-')}.log"
            with open(log, "wb") as file, held():
                process = start(*command(capture, target), namespace=capture.host.namespace, log=file)
                self.running.append((capture, process, log))
        deadline = time.monotonic() + 20
        for capture, process, log in self.running:
            while not self.listens(capture, log):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"no capture of {capture.path}: {log.read_text().strip()}")
                time.sleep(0.01)
        time.sleep(0.2 if captures else 0)

    @staticmethod
    def listens(capture, log):
        text = log.read_text(errors="replace")
        return ("File:" in text) if capture.interfaces else ("listening on" in text)

    def finish(self):
        """Ends the captures; returns what truth.json says of each."""
        time.sleep(0.4 if self.running else 0)
        told = []
        for _, process, _ in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for capture, process, log in self.running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                end(process)
            told.append(describe(capture, self.directory / capture.path, log.read_text(errors="replace")))
        self.running = []
        return told

    def abandon(self):
        for _, process, _ in self.running:
            end(process, signal.SIGKILL)


def command(capture, target):
    if capture.interfaces:
        arguments = ["dumpcap", "-q", "-n", "-s", capture.snap, "-w", target]
        for interface in capture.interfaces:
            arguments += ["-i", interface]
        return arguments
    arguments = ["tcpdump", "-i", capture.interface, "-s", capture.snap, "--immediate-mode", "-n", "-U", "-w", target]
    if os.geteuid() == 0:
        arguments += ["-Z", "root"]
    if capture.nano:
        arguments.append("--nano")
    if capture.direction:
        arguments += ["-Q", capture.direction]
    if capture.interface == "any":
        arguments += ["-y", "LINUX_SLL2"]
    if capture.expression:
        arguments.append(capture.expression)
    return arguments


def describe(capture, path, log):
    def number(words):
        for line in log.splitlines():
            if words in line:
                return int(line.split()[0])
        return 0

    count, links = count_frames(path)
    told = {
        "file": capture.path, "host": capture.host.name, "point": capture.kind, "iface": capture.interface,
        "snaplen": capture.snap, "precision": "nano" if capture.nano or capture.interfaces else "micro",
        "tool": "dumpcap" if capture.interfaces else "tcpdump", "received_by_filter": number("received by filter"),
        "dropped_by_kernel": number("dropped by kernel"), "packets": count, "linktypes": links,
    }
    if capture.interfaces:
        told["iface"] = list(capture.interfaces)
        told["received_by_filter"] = count
    return told


def count_frames(path):
    """Frames of a capture file and its link types."""
    data = path.read_bytes()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return count_pcapng(data)
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    return sum(1 for _ in frames(data)), [link]


def frames(data):
    """(time in seconds, bytes) of each frame of a pcap file."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1e-9 if data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack(order + "IIII", data[at:at + 16])
        yield seconds + fraction * unit, data[at + 16:at + 16 + length]
        at += 16 + length


def count_pcapng(data):
    count, links, at = 0, [], 0
    while at + 12 <= len(data):
        kind, length = struct.unpack("<II", data[at:at + 8])
        if kind == 1:
            links.append(struct.unpack("<H", data[at + 8:at + 10])[0])
        if kind in (2, 3, 6):
            count += 1
        if length < 12:
            break
        at += length
    return count, links

