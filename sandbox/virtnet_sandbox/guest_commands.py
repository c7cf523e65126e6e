# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line into a guest: one side of the protocol that `sandbox/guest/command-loop` speaks."""

from __future__ import annotations

import base64
import itertools
import math
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class GuestError(Exception):
    """A guest did not do what it was asked to; the text has what it printed."""


class Output(NamedTuple):
    rc: int
    output: str


class CommandChannel:
    """A serial port that QEMU offers as a Unix socket. Commands from several threads take turns."""

    def __init__(self, guest: str, path: Path, console: Callable[[], str]) -> None:
        self._guest = guest
        self._path = path
        self._console = console
        self._socket: socket.socket | None = None
        self._received = b""
        self._numbers = itertools.count(1)
        self._turn = threading.RLock()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        with self._turn:
            if self._socket:
                self._socket.close()
            self._socket = None
            self._received = b""

    def wait_until_ready(self, timeout: float) -> None:
        with self._turn:
            if self._socket is None:
                self._connect(time.monotonic() + timeout, timeout)

    def run(self, command: str, timeout: float) -> Output:
        """Only after wait_until_ready()."""
        with self._turn:
            number = next(self._numbers)
            # The guest kills the command itself, and so is ready for the next one; the difference is for its answer.
            code = base64.b64encode(command.encode()).decode()
            self._send(f"run {number} {math.ceil(timeout)} {code}\n")
            deadline = time.monotonic() + timeout + 10
            late = f"did not answer `{command}` within {timeout:.0f} s"
            words: list[str] = []
            while words[:2] != ["result", str(number)]:
                words = self._line(deadline, late).split()
            encoded = ""
            while (line := self._line(deadline, late)) != f"end {number}":
                encoded += line
            rc = int(words[2])
            output = base64.b64decode(encoded).decode(errors="replace")
            if rc == 137:
                raise GuestError(
                    self._complaint(f"killed `{command}` after {timeout:.0f} s. It had printed:\n{output}")
                )
            return Output(rc, output)

    def _connect(self, deadline: float, timeout: float) -> None:
        """The port loses what is sent before the guest opens it, so keep asking until it answers."""
        while True:
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX)
                    self._socket.connect(str(self._path))
                number = next(self._numbers)
                self._send(f"\nhello {number}\n")
                until = time.monotonic() + 0.3
                while self._line(until, "") != f"ready {number}":
                    pass
                return
            except (OSError, GuestError):
                if time.monotonic() > deadline:
                    self.close()
                    raise GuestError(self._complaint(f"did not boot within {timeout:.0f} s")) from None
                time.sleep(0.05)

    def _send(self, text: str) -> None:
        assert self._socket is not None
        self._socket.settimeout(10)
        self._socket.sendall(text.encode())

    def _line(self, deadline: float, late: str) -> str:
        assert self._socket is not None
        while b"\n" not in self._received:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise GuestError(self._complaint(late)) from None
            if not data:
                self.close()
                raise GuestError(self._complaint("has gone: QEMU closed its command port"))
            self._received += data
        line, _newline, self._received = self._received.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _complaint(self, what: str) -> str:
        tail = "\n".join(self._console().splitlines()[-15:])
        return f"guest {self._guest} {what}\nThe end of its console:\n{tail}"
