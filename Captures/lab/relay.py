"""Devices in series joined by a program: what a faulty wire, a VLAN device or a bad NIC does to frames."""

import heapq
import itertools
import select
import socket
import struct
import threading
import time

from namespaces import inside
from packets import raw_socket

PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_MR_PROMISC = 1
TP_STATUS_VLAN_VALID = 1 << 4


def open_promiscuous(namespace, device):
    handle = raw_socket(namespace, device)
    with inside(namespace):
        index = socket.if_nametoindex(device)
    handle.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8s", index, PACKET_MR_PROMISC, 0, b""))
    handle.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    handle.setblocking(False)
    return handle


def receive(handle):
    """The next whole frame with its 802.1Q tag put back; None for a frame that left through the device."""
    data, ancillary, _, address = handle.recvmsg(65600, 128)
    if address[2] == PACKET_OUTGOING:
        return None
    for level, kind, body in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(body) >= 20:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", body[:20])
            if status & TP_STATUS_VLAN_VALID:
                data = data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
    return data


class Relay:
    """Joins two devices. `change(frame, forward)` gives the frames to send instead, each with a delay in seconds."""

    def __init__(self, first, second, change):
        self.ends = [open_promiscuous(*first), open_promiscuous(*second)]
        self.change = change
        self.waiting = []
        self.order = itertools.count()
        self.stopping = False
        self.counts = {"in": 0, "out": 0}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            patience = 0.1
            if self.waiting:
                patience = max(0.0, min(patience, self.waiting[0][0] - time.monotonic()))
            readable, _, _ = select.select(self.ends, [], [], patience)
            for handle in readable:
                self._take(handle)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, end, frame = heapq.heappop(self.waiting)
                self._send(end, frame)

    def _take(self, handle):
        for _ in range(64):
            try:
                frame = receive(handle)
            except (BlockingIOError, OSError):
                return
            if frame is None:
                continue
            self.counts["in"] += 1
            forward = handle is self.ends[0]
            for delay, changed in self.change(frame, forward):
                target = self.ends[1 if forward else 0]
                if delay:
                    heapq.heappush(self.waiting, (time.monotonic() + delay, next(self.order), target, changed))
                else:
                    self._send(target, changed)

    def _send(self, end, frame):
        try:
            end.send(frame)
            self.counts["out"] += 1
        except OSError:
            pass

    def stop(self):
        self.stopping = True
        self.thread.join(2)
        for end in self.ends:
            end.close()


class Reflector(Relay):
    """One device: what `change` gives for a frame that comes in goes out by it again."""

    def __init__(self, end, change):
        super().__init__(end, end, change)

    def _take(self, handle):
        if handle is self.ends[0]:
            super()._take(handle)
            return
        # The second socket only sends: what it hears is the first one's to take.
        while True:
            try:
                receive(handle)
            except (BlockingIOError, OSError):
                return


def unchanged(frame, _forward):
    return [(0, frame)]


