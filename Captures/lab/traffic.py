"""What guests do: ARP, ping, UDP, TCP, broadcast and multicast, all from inside their namespaces, in seconds."""

import socket
import struct
import threading
import time

from commands import CommandFailed, run
from namespaces import inside


def datagram_ends(a, b, port):
    """Sockets of a and b, from a to a port of b."""
    with inside(b.namespace):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((b.ip, port))
    with inside(a.namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((b.ip, port))
    return client, server


def datagram(number, size):
    return struct.pack("!I", number) + bytes([number % 251]) * (size - 4)


class Traffic:
    """Traffic of one lab; what was sent and how it went is kept for truth.json."""

    def __init__(self, log):
        self.log = log
        self.port = 20000

    def _told(self, guest, what, began, outcome):
        self.log.append({"vm": guest.name, "t0": began, "t1": time.time(), "what": what, "outcome": outcome})
        return outcome

    def next_port(self):
        self.port += 1
        return self.port

    def forget(self, guest):
        """The guest asks for its neighbours' MACs again."""
        run("ip", "neigh", "flush", "all", namespace=guest.namespace, check=False)

    def ping(self, a, b, count=4, size=56, interval=0.05, ip=None, wait=1):
        address = ip or b.ip
        began = time.time()
        options = ["-6"] if ":" in address else []
        try:
            text = run("ping", *options, "-n", "-c", count, "-i", interval, "-W", wait, "-s", size, address,
                       namespace=a.namespace)
        except CommandFailed as failed:
            text = failed.output
        summary = [line for line in text.splitlines() if "transmitted" in line]
        return self._told(a, f"ping {address} count {count} size {size}", began, summary[0] if summary else text.strip())

    def ping6(self, a, b, count=3, size=56):
        return self.ping(a, b, count, size, ip=b.ip6)

    def udp(self, a, b, count=6, size=200, gap=0.02, answer=True, port=None):
        """Datagrams from a to b, each answered."""
        began, port = time.time(), port or self.next_port()
        client, server = datagram_ends(a, b, port)
        got = 0
        with server, client:
            server.settimeout(0.3)
            client.settimeout(0.3)
            for number in range(count):
                try:
                    client.send(datagram(number, size))
                except OSError:
                    continue
                try:
                    data, peer = server.recvfrom(65536)
                    if answer:
                        server.sendto(data[:64], peer)
                        client.recv(65536)
                    got += 1
                except OSError:
                    pass
                time.sleep(gap)
        return self._told(a, f"udp to {b.ip}:{port} count {count} size {size}", began, f"{got} arrived")

    def stream(self, a, b, count=40, size=200, gap=0.01, port=None):
        """Datagrams from a to b, one after the other, whether they have arrived or not."""
        began, port = time.time(), port or self.next_port()
        client, server = datagram_ends(a, b, port)
        got = 0
        with server, client:
            for number in range(count):
                try:
                    client.send(datagram(number, size))
                except OSError:
                    continue
                time.sleep(gap)
            server.settimeout(0.3)
            try:
                while got < count:
                    server.recv(65536)
                    got += 1
            except OSError:
                pass
        return self._told(a, f"udp to {b.ip}:{port} count {count} size {size} without a pause", began, f"{got} arrived")

    def tcp(self, a, b, size=12000, timeout=3, port=None):
        """One connection: `size` octets from a to b, a short answer back."""
        began, port = time.time(), port or self.next_port()
        with inside(b.namespace):
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((b.ip, port))
            server.listen(1)
        received = [0]

        def serve():
            try:
                server.settimeout(timeout)
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(timeout)
                    while received[0] < size:
                        data = connection.recv(65536)
                        if not data:
                            break
                        received[0] += len(data)
                    connection.sendall(b"thank you")
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        with inside(a.namespace):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            with client:
                client.settimeout(timeout)
                client.connect((b.ip, port))
                client.sendall(bytes(range(256)) * (size // 256 + 1))
                client.shutdown(socket.SHUT_WR)
                client.recv(100)
        except OSError:
            pass
        thread.join()
        server.close()
        return self._told(a, f"tcp to {b.ip}:{port} of {size} octets", began, f"{received[0]} octets arrived")

    def broadcast(self, a, count=3, size=64, gap=0.05):
        began, port = time.time(), self.next_port()
        with inside(a.namespace):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for number in range(count):
                sender.sendto(struct.pack("!I", number) + b"b" * (size - 4), (str(a.network.subnet.broadcast_address), port))
                time.sleep(gap)
        return self._told(a, f"udp broadcast count {count}", began, "sent")

    def multicast(self, a, count=3, group="239.1.2.3", gap=0.05):
        began, port = time.time(), self.next_port()
        with inside(a.namespace):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(a.ip))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
            for number in range(count):
                sender.sendto(struct.pack("!I", number) + b"m" * 60, (group, port))
                time.sleep(gap)
        return self._told(a, f"udp multicast {group} count {count}", began, "sent")

    def join(self, guest, group, seconds_held):
        """The guest is a member of a multicast group while the returned socket is open."""
        with inside(guest.namespace):
            member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          socket.inet_aton(group) + socket.inet_aton(guest.ip))
        self._told(guest, f"joined {group}", time.time(), f"for {seconds_held} s")
        return member

    def chat(self, a, b, big=1200, six=True, tcp=12000):
        """Everything once between two guests, in both directions."""
        self.ping(a, b, 4)
        self.ping(b, a, 3)
        if big:
            self.ping(a, b, 2, size=big)
        if six:
            self.ping6(a, b, 3)
        self.udp(a, b, 5)
        if tcp:
            self.tcp(b, a, tcp)

    def announce_all(self, guests):
        for guest in guests:
            self.broadcast(guest, 2)
            self.multicast(guest, 1)
