# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of the sandbox: builds the rooms, starts libvirt, runs the command, reaps, ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import traceback
from types import FrameType
from typing import NoReturn

from . import devices, kernel, mounts, network
from .requirements import SEARCH_PATH
from .signals import FORWARDED, exit_code, sent_by_terminal

LIBVIRTD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "libvirtd")


class _Interrupted(Exception):
    """A signal came before the command was started."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_as_first_process(command: list[str], launcher_alive: int) -> NoReturn:
    """Never returns: the end of this process is the end of the sandbox."""
    code = 70
    try:
        code = _run(command, launcher_alive)
    except _Interrupted as interrupted:
        code = 128 + interrupted.number
    except subprocess.CalledProcessError as error:
        print(f"sandbox/run: {' '.join(error.cmd)} failed with exit code {error.returncode}", file=sys.stderr)
    except OSError as error:
        print(f"sandbox/run: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(command: list[str], launcher_alive: int) -> int:
    kernel.die_with_parent()
    _end_if_launcher_is_gone(launcher_alive)
    os.close(launcher_alive)
    # Ansible reads the service manager from the name of process 1: this one is none it knows.
    kernel.set_process_name("sandbox-init")

    for number in FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _build()
    # From here on signals wait in the queue until _wait() passes them on.
    signal.pthread_sigmask(signal.SIG_BLOCK, [*FORWARDED, signal.SIGCHLD])
    for number in FORWARDED:
        if signal.getsignal(number) == _interrupt:
            signal.signal(number, signal.SIG_DFL)

    try:
        child = os.posix_spawnp(
            command[0], command, os.environ, setsigmask=[], setsigdef=[signal.SIGPIPE, signal.SIGXFSZ]
        )
    except FileNotFoundError:
        print(f"sandbox/run: {command[0]}: command not found", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"sandbox/run: {command[0]}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 126
    return _wait(child)


def _build() -> None:
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{SEARCH_PATH}".lstrip(":")
    folder = os.getcwd()
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
    mounts.make_private()
    # Otherwise a command started in /etc would still write to the host's.
    os.chdir(folder if os.path.isdir(folder) else "/")
    os.environ["VIRTNET_SANDBOX"] = "1"
    os.environ["VIRTNET_SANDBOX_DIR"] = mounts.SCRATCH
    os.environ["TMPDIR"] = mounts.SCRATCH + "/tmp"
    # Both point to sockets of the host's session, which are not reachable from here.
    os.environ.pop("XDG_RUNTIME_DIR", None)
    os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
    devices.start_macvtap_nodes()
    network.build()
    subprocess.run([LIBVIRTD, "start"], check=True)


def _wait(child: int) -> int:
    while True:
        info = signal.sigwaitinfo([*FORWARDED, signal.SIGCHLD])
        if info.si_signo == signal.SIGCHLD:
            status = _reap(child)
            if status is not None:
                return exit_code(status)
        elif not sent_by_terminal(info):
            os.kill(child, info.si_signo)


def _reap(child: int) -> int | None:
    """Collect every process that ended; the status of the command if it was among them."""
    found = None
    while True:
        try:
            done, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if done == 0:
            return found
        if done == child:
            found = status


def _end_if_launcher_is_gone(launcher_alive: int) -> None:
    """It may have died between the fork and the request for its death signal."""
    poll = select.poll()
    poll.register(launcher_alive)
    if poll.poll(0):
        os._exit(70)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Interrupted(number)
