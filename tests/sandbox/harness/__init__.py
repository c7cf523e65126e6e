# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests do things with and look at things with.

Nothing here uses the collection's own code to look: the oracles are virsh, ip, nft and the guests themselves.
"""

from __future__ import annotations

from virtnet_sandbox.guest import Background, Guest, GuestError, Output, Ping
from virtnet_sandbox.outside import Connection, OutsideServer

from .host import CLOCKS, explain_comparison, host_state, libvirtd, on_the_way, settled_state, virsh, wipe
from .modules import ModuleCrashed, module, start_module
from .playbooks import PlaybookRun, Task, playbook

outside_server = OutsideServer

__all__ = [
    "CLOCKS",
    "Background",
    "Connection",
    "Guest",
    "GuestError",
    "ModuleCrashed",
    "Output",
    "OutsideServer",
    "Ping",
    "PlaybookRun",
    "Task",
    "explain_comparison",
    "host_state",
    "libvirtd",
    "module",
    "on_the_way",
    "outside_server",
    "playbook",
    "settled_state",
    "start_module",
    "virsh",
    "wipe",
]
