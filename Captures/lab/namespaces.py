"""Network namespaces of one run: their names, sockets inside them, and their removal."""

import ctypes
import os
import pathlib
import shutil
import socket
import tempfile
import threading

from commands import LabError, run
from interruption import held

PREFIX = "lanelab"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespaces:
    """All namespaces of this run; names carry the process id, so that runs side by side do not meet."""

    def __init__(self):
        self.prefix = f"{PREFIX}-{os.getpid()}-"
        self.names = []

    def add(self, name):
        full = self.prefix + name
        with held():
            run("ip", "netns", "add", full)
            self.names.append(full)
        run("ip", "link", "set", "lo", "up", namespace=full)
        for setting in ("accept_dad", "router_solicitations", "autoconf", "accept_ra"):
            set_sysctl(full, f"ipv6/conf/default/{setting}", 0)
        return full

    def remove_all(self):
        for name in reversed(self.names):
            run("ip", "netns", "delete", name, check=False)
        self.names = []


def is_left_over(name):
    """Is this the name of something that a recorder made whose process is gone?"""
    parts = name.split("-")
    return parts[0] == PREFIX and len(parts) > 2 and parts[1].isdigit() and not os.path.exists(f"/proc/{parts[1]}")


def remove_leftovers():
    """Removes namespaces and scratch directories of runs that were killed outright; returns their names."""
    namespaces = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.split()]
    removed = [name for name in namespaces if is_left_over(name)]
    for name in removed:
        run("ip", "netns", "delete", name)
    for directory in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if is_left_over(directory.name):
            shutil.rmtree(directory, ignore_errors=True)
            removed.append(str(directory))
    return removed


class inside:
    """The calling thread, inside a namespace. Sockets opened meanwhile stay in it."""

    def __init__(self, name):
        self.path = f"/run/netns/{name}"

    def __enter__(self):
        self.home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        try:
            self._enter(self.path)
        except BaseException:
            os.close(self.home)
            raise
        return self

    def __exit__(self, *_):
        try:
            if _libc.setns(self.home, _CLONE_NEWNET) != 0:
                raise LabError("cannot return from a network namespace")
        finally:
            os.close(self.home)

    @staticmethod
    def _enter(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
                raise LabError(f"cannot enter {path}: {os.strerror(ctypes.get_errno())}")
        finally:
            os.close(descriptor)


def socket_in(namespace, *arguments):
    with inside(namespace):
        return socket.socket(*arguments)


def set_sysctl(namespace, setting, value):
    """A setting below net of a namespace; what this kernel does not have is left alone."""
    with inside(namespace):
        try:
            with open(f"/proc/sys/net/{setting}", "w", encoding="ascii") as file:
                file.write(str(value))
        except FileNotFoundError:
            return False
    return True
