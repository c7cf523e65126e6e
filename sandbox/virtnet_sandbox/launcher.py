# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that the user starts: makes the PID namespace, passes signals in and the exit code out.

It stays outside, so its pid is the one to kill. However it ends, the kernel kills the first process of the
namespace (the parent death signal), and with that one everything in it.
"""

from __future__ import annotations

import os
import signal
import sys

from . import guest_image, kernel, requirements, user_mode_linux
from .init import run_as_first_process
from .signals import FORWARDED, exit_code, sent_by_terminal

USAGE = """\
usage: sandbox/run [--die-with-parent] [--kernel] [--] CMD...
  --kernel   on a User-Mode Linux kernel, which has 802.1Q and bridges that filter VLANs"""


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    options = []
    while arguments[:1] in (["--die-with-parent"], ["--kernel"]):
        options.append(arguments.pop(0))
    tie_to_parent, other_kernel = "--die-with-parent" in options, "--kernel" in options
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    elif arguments and arguments[0].startswith("-"):
        print(f"sandbox/run: unknown option {arguments[0]}\n{USAGE}", file=sys.stderr)
        return 64
    if not arguments:
        print(USAGE, file=sys.stderr)
        return 64

    try:
        requirements.check()
        if other_kernel:
            user_mode_linux.check()
    except requirements.NotReady as reason:
        print(f"sandbox/run: {reason}", file=sys.stderr)
        return 69
    if other_kernel:
        return user_mode_linux.run(arguments, tie_to_parent=tie_to_parent)
    if tie_to_parent:
        kernel.die_with_parent()
    try:
        # Inside there is no way to Debian's packages any more.
        guest_image.ensure()
    except guest_image.ImageUnavailable as reason:
        print(f"sandbox/run: guests will not start in this sandbox: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130

    signal.pthread_sigmask(signal.SIG_BLOCK, [*FORWARDED, signal.SIGCHLD])
    terminal_owner = _terminal_owner()
    try:
        kernel.unshare(kernel.CLONE_NEWPID)
    except OSError as error:
        print(
            f"sandbox/run: the kernel refuses new namespaces ({error.strerror}). In a container, run it privileged.",
            file=sys.stderr,
        )
        return 69
    alive_read, alive_write = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(alive_write)
        run_as_first_process(arguments, alive_read)
    os.close(alive_read)

    status = _wait(first)
    if terminal_owner is not None:
        _return_terminal(terminal_owner)
    return exit_code(status)


def _wait(first: int) -> int:
    while True:
        info = signal.sigwaitinfo([*FORWARDED, signal.SIGCHLD])
        if info.si_signo == signal.SIGCHLD:
            done, status = os.waitpid(first, os.WNOHANG)
            if done:
                return status
        elif not sent_by_terminal(info):
            os.kill(first, info.si_signo)


def _terminal_owner() -> int | None:
    try:
        return os.tcgetpgrp(0)
    except OSError:
        return None


def _return_terminal(owner: int) -> None:
    """An interactive shell takes the terminal, but cannot hand it back to a process group outside its PID namespace."""
    try:
        if os.tcgetpgrp(0) != owner:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, owner)
    except OSError:
        pass
