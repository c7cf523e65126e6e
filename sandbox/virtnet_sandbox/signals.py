# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals and exit codes, as the launcher and the first process of the sandbox treat them alike."""

from __future__ import annotations

import os
import signal

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

_SI_KERNEL = 0x80


def sent_by_terminal(info: signal.struct_siginfo) -> bool:
    """The terminal sends Ctrl-C to the whole process group, so the command has it already."""
    return info.si_code == _SI_KERNEL


def exit_code(status: int) -> int:
    """The exit code a shell would show for this wait status."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
