# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP server in the outside namespace that tells its clients the address it sees them under."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from . import kernel
from .network import OUTSIDE_ADDRESS, OUTSIDE_ADDRESS_6, OUTSIDE_NAMESPACE


@dataclass
class Connection:
    """One client, by the address and port the outside sees."""

    address: str
    port: int
    received: int = 0
    open: bool = True


class OutsideServer:
    """Sends `ADDRESS PORT` as the first line, then everything it gets back, until the client is done."""

    address = OUTSIDE_ADDRESS
    address_6 = OUTSIDE_ADDRESS_6

    def __init__(self, port: int = 0) -> None:
        self.connections: list[Connection] = []
        self._listener = _listen(OUTSIDE_NAMESPACE, port)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> OutsideServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        # Only this wakes up the thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def peers(self) -> list[str]:
        """The addresses that connected, in order."""
        return [connection.address for connection in self.connections]

    def wait_for_connection(self, number: int = 1, timeout: float = 30) -> Connection:
        """The number-th connection since the start."""
        deadline = time.monotonic() + timeout
        while len(self.connections) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the outside server saw {len(self.connections)} connections after {timeout:.0f} s")
            time.sleep(0.05)
        return self.connections[number - 1]

    def _accept(self) -> None:
        while True:
            try:
                client, peer = self._listener.accept()
            except OSError:
                return
            connection = Connection(peer[0].removeprefix("::ffff:"), peer[1])
            self.connections.append(connection)
            threading.Thread(target=_serve, args=(client, connection), daemon=True).start()


def _serve(client: socket.socket, connection: Connection) -> None:
    with client:
        try:
            client.sendall(f"{connection.address} {connection.port}\n".encode())
            while data := client.recv(65536):
                connection.received += len(data)
                client.sendall(data)
        except OSError:
            pass
    connection.open = False


def _listen(namespace: str, port: int) -> socket.socket:
    """A socket belongs to the namespace its thread was in when it was made, so a thread goes there for it."""
    result: list[socket.socket | BaseException] = []

    def make() -> None:
        try:
            descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
            try:
                kernel.setns(descriptor, kernel.CLONE_NEWNET)
            finally:
                os.close(descriptor)
            result.append(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]
