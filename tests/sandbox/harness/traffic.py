# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that goes on while a network is changed: pings from the host, and connections that carry data both ways."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator

from virtnet_sandbox.guest import Guest, Ping
from virtnet_sandbox.outside import OutsideServer

INTERVAL = 0.05
# Requests whose answers may still be on their way when the pings end do not count when lost.
_LAST = 10
_ECHO_REQUEST, _ECHO_REPLY = 8, 0


@contextlib.contextmanager
def pinging(guest: Guest, target: str) -> Iterator[Ping]:
    """Twenty pings a second from a guest during the block, without its last half a second, counted when it ends."""
    job = guest.background(f"exec ping -i {INTERVAL} {target}")
    job.wait_for_output("bytes from")
    result = Ping()
    yield result
    job.signal("INT")
    result.read(job.wait(), after_the_block=_LAST)


@contextlib.contextmanager
def pinging_from_host(target: str) -> Iterator[Ping]:
    """The same from the host, which need not have a ping program."""
    pinger = _Pinger(target)
    pinger.start()
    pinger.wait_for_answer()
    result = Ping()
    yield result
    pinger.stop()
    result.sent, result.received = max(max(pinger.answered) + 1, pinger.sent - _LAST), len(pinger.answered)


class _Pinger(threading.Thread):
    """Echo requests with numbers. A request that cannot even be sent, because there is no route, was sent and lost."""

    def __init__(self, target: str) -> None:
        super().__init__(daemon=True)
        self.target = target
        self.sent = 0
        self.answered: set[int] = set()
        self._ended = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._id = self._socket.fileno() << 4 | 0x8000

    def wait_for_answer(self, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while not self.answered:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.target} did not answer the host's pings within {timeout:.0f} s")
            time.sleep(INTERVAL)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        with self._socket:
            due = time.monotonic()
            while not self._ended.is_set():
                with contextlib.suppress(OSError):
                    self._socket.sendto(_echo_request(self._id, self.sent), (self.target, 0))
                self.sent += 1
                due += INTERVAL
                self._read_until(due)

    def _read_until(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, (sender, _port) = self._socket.recvfrom(2048)
            except OSError:
                # The time is over, or the kernel tells of a request that found no way.
                continue
            kind, _code, _sum, identity, number = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
            if (kind, identity, sender) == (_ECHO_REPLY, self._id, self.target):
                self.answered.add(number)


def _echo_request(identity: int, number: int) -> bytes:
    header = struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, identity, number)
    total = sum(struct.unpack("!4H", header))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHHH", _ECHO_REQUEST, 0, checksum, identity, number)


class HostServer(OutsideServer):
    """The outside's server, on the host itself."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connections = []
        self._listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()


class Stream:
    """One TCP connection of a guest that carries data both ways all the time. It is never made anew."""

    def __init__(self, guest: Guest, server: OutsideServer) -> None:
        self.name = f"{guest.name} to {server.address}"
        # As long as it runs, the guest writes twenty lines a second, and the server sends each of them back.
        number = len(server.connections) + 1
        self._client = guest.background(
            f"(while echo x; do usleep 50000; done) 2>/dev/null | nc {server.address} {server.port}"
        )
        self._connection = server.wait_for_connection(number)

    def carries_data(self, timeout: float = 30) -> bool:
        """Whether new data comes both ways. After a pause TCP waits about as long again before it tries."""
        sent, received = self._connection.received, len(self._client.output())
        deadline = time.monotonic() + timeout
        while self._connection.open and time.monotonic() < deadline:
            if self._connection.received > sent + 10 and len(self._client.output()) > received + 10:
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        self._client.signal("TERM")


@contextlib.contextmanager
def streaming(guest: Guest, *servers: OutsideServer) -> Iterator[list[Stream]]:
    """A stream to each server during the block."""
    streams: list[Stream] = []
    try:
        for server in servers:
            streams.append(Stream(guest, server))
        yield streams
    finally:
        for stream in streams:
            stream.close()


def broken(streams: Iterable[Stream]) -> list[str]:
    """Names of the streams that carry no data any more."""
    return [stream.name for stream in streams if not stream.carries_data()]
