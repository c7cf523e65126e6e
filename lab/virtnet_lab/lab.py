# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab: both machines, from their start to their end. All it leaves behind is one folder, and down() removes that."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import access, emulator, image
from .common import ROOT, LabError, run, say, tail
from .machine import CABLES, MACHINES, Cable, Machine, Ports, command, seed
from .process import Process, free_ports, start

# The longest path of a Unix socket is 107 bytes; ssh appends 17 characters while it makes one.
_LONGEST_FOLDER = 70
# Without KVM a machine boots in 40 to 160 s. One of the first fifteen boots hung there, without a word on the console.
_PATIENCE = 300
_ATTEMPTS = 3

NAMES = " and ".join(machine.name for machine in MACHINES)


class Lab:
    def __init__(self, name: str) -> None:
        self.folder = ROOT / "build" / "lab" / name
        self._state = self.folder / "state.json"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory" / "hosts.yml"

    def processes(self) -> dict[str, Process]:
        """What was started, by the machine's name. It may have ended since."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {name: Process(*numbers) for name, numbers in state["processes"].items()}

    def running(self) -> bool:
        processes = self.processes()
        return len(processes) == len(MACHINES) and all(process.running for process in processes.values())

    def up(self) -> None:
        """Boot both machines and wait until they can be logged into. A running lab stays as it is."""
        with self._alone():
            if self.running():
                say("it runs already")
                return
            qemu = emulator.choose()
            images = {machine: image.ensure(machine.release) for machine in MACHINES}
            self._remove()
            began = time.monotonic()
            try:
                ports = self._prepare()
                say(f"booting {NAMES}{'' if qemu.hardware else ', without KVM'}")
                boots = {
                    machine: functools.partial(self._start, machine, images[machine], qemu, ports[machine])
                    for machine in MACHINES
                }
                for boot in boots.values():
                    boot()
                for machine, boot in boots.items():
                    self._wait(machine, began, boot)
            except BaseException:
                self._remove()
                raise
            say(f"{NAMES} are up ({time.monotonic() - began:.0f} s)")

    def down(self) -> None:
        with self._alone():
            self._remove()

    def ssh(self, machine: str, arguments: list[str]) -> list[str]:
        return ["ssh", "-F", str(self.ssh_config), machine, *arguments]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f".{self.folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare(self) -> dict[Machine, Ports]:
        """Make what both machines share."""
        self.folder.mkdir()
        ports = _ports()
        for name in ("id", "host"):
            key = str(self.folder / f"{name}_ed25519")
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "virtnet-lab", "-f", key], "no key could be made")
        self._tell_how_to_reach({machine.name: ports[machine].ssh for machine in MACHINES})
        return ports

    def _start(self, machine: Machine, base: image.Image, qemu: emulator.Emulator, ports: Ports) -> None:
        """Boot a machine from a new disk, instead of the one that runs under this name."""
        processes = self.processes()
        if machine.name in processes:
            processes[machine.name].end()
        folder = self.folder / machine.name
        self._prepare_disk(machine, base, folder)
        processes[machine.name] = start(command(qemu, machine, base, folder, ports), folder / "qemu.log")
        self._write_state(processes)

    def _tell_how_to_reach(self, ports: dict[str, int]) -> None:
        sockets = self.folder
        if len(str(sockets)) > _LONGEST_FOLDER:
            sockets = Path(tempfile.mkdtemp(prefix="virtnet-lab-"))
            (self.folder / "sockets").symlink_to(sockets)
        host_key = (self.folder / "host_ed25519.pub").read_text(encoding="utf-8")
        self.ssh_config.write_text(access.config(ports, self.folder, sockets), encoding="utf-8")
        (self.folder / "known_hosts").write_text(access.known_hosts(ports, host_key), encoding="utf-8")
        self.inventory.parent.mkdir()
        self.inventory.write_text(access.inventory(ports, self.folder), encoding="utf-8")

    def _prepare_disk(self, machine: Machine, base: image.Image, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base.disk), str(folder / "disk.qcow2")],
            f"the disk of {machine.name} could not be made",
        )
        host_key = (self.folder / "host_ed25519").read_bytes()
        own = seed(machine, host_key, (self.folder / "id_ed25519.pub").read_bytes())
        # The kernel unpacks one archive after the other.
        (folder / "initrd").write_bytes(base.initrd.read_bytes() + own)

    def _write_state(self, processes: dict[str, Process]) -> None:
        numbers = {name: (process.pid, process.began) for name, process in processes.items()}
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps({"processes": numbers}), encoding="utf-8")
        new.rename(self._state)

    def _wait(self, machine: Machine, began: float, boot: Callable[[], None]) -> None:
        """Wait until a machine can be logged into. One that hangs as it boots gets another try."""
        for attempt in range(1, _ATTEMPTS + 1):
            if self._answers(machine, began + _PATIENCE):
                return
            problem = f"{machine.name} cannot be logged into after {_PATIENCE} s. {self._last_words(machine)}"
            if attempt < _ATTEMPTS:
                say(f"{problem}\nIt boots again.")
                began = time.monotonic()
                boot()
        raise LabError(problem)

    def _answers(self, machine: Machine, deadline: float) -> bool:
        """Whether a machine can be logged into before the deadline, which may be over: the other one was waited for."""
        process = self.processes()[machine.name]
        while True:
            # Into a file: the connection stays open for what follows, and with it whatever ssh writes to.
            with (
                (self.folder / machine.name / "ssh.log").open("wb") as log,
                contextlib.suppress(subprocess.TimeoutExpired),
            ):
                login = self.ssh(machine.name, ["true"])
                done = subprocess.run(login, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60)
                if done.returncode == 0:
                    return True
            if not process.running:
                raise LabError(f"{machine.name} has ended. {self._last_words(machine)}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)

    def _last_words(self, machine: Machine) -> str:
        texts = []
        for name in ("qemu.log", "ssh.log", "console.log"):
            file = self.folder / machine.name / name
            text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
            texts.append(f"Its {name}:\n{tail(text)}")
        return "\n".join(texts)

    def _remove(self) -> None:
        if not self.folder.exists():
            return
        for name, process in self.processes().items():
            if self.ssh_config.exists():
                subprocess.run(
                    ["ssh", "-F", str(self.ssh_config), "-O", "exit", name],
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            process.end()
        sockets = self.folder / "sockets"
        if sockets.is_symlink():
            shutil.rmtree(sockets.resolve(), ignore_errors=True)
        shutil.rmtree(self.folder)


def _ports() -> dict[Machine, Ports]:
    kinds = [socket.SOCK_STREAM] * len(MACHINES) + [socket.SOCK_DGRAM] * 2 * len(CABLES)
    free = iter(free_ports(kinds))
    logins = [next(free) for _machine in MACHINES]
    left = {name: Cable(next(free), next(free)) for name in CABLES}
    right = {name: Cable(here=cable.there, there=cable.here) for name, cable in left.items()}
    first, second = MACHINES
    return {first: Ports(logins[0], left), second: Ports(logins[1], right)}
