# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a sandbox of its own: a NAT network and a guest with a lease, then waits to be told to go on.

Says `ready ADDRESS` when the guest has its lease. Started by test_sandbox.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "sandbox"))
sys.path.insert(0, str(HERE.parent))

from harness import Guest, virsh  # noqa: E402
from harness.examples import define_nat_network  # noqa: E402

define_nat_network("shared-name")
guest = Guest("same-guest", ["shared-name"])
print("ready", guest.wait_for_address(timeout=120), flush=True)
sys.stdin.readline()
print("still", guest.check("ip -4 -o addr show dev eth0").split()[3].split("/")[0], flush=True)
print("networks", *virsh("net-list", "--name").split(), flush=True)
