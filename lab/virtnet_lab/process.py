# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive the program that started them, and the ports they use."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .machine import LOOPBACK


@dataclass(frozen=True)
class Process:
    """A process by its id and the time it began at, in clock ticks since the boot: ids are used again."""

    pid: int
    began: int

    @property
    def running(self) -> bool:
        return _began(self.pid) == self.began

    def end(self, patience: float = 10) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.running:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            deadline = time.monotonic() + patience
            while self.running and time.monotonic() < deadline:
                time.sleep(0.05)


def start(command: Sequence[str], log: Path) -> Process:
    """Start a process in a session of its own, so that the terminal's signals do not reach it."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Process(child.pid, _began(child.pid) or 0)


def _began(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None when there is no such process, or only its exit code is left."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def free_ports(kinds: Sequence[socket.SocketKind]) -> list[int]:
    """As many free ports on loopback, TCP for SOCK_STREAM and UDP for SOCK_DGRAM."""
    with contextlib.ExitStack() as stack:
        ports = []
        for kind in kinds:
            one = stack.enter_context(socket.socket(socket.AF_INET, kind))
            one.bind((LOOPBACK, 0))
            ports.append(one.getsockname()[1])
        return ports
