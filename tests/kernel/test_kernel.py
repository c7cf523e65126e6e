# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place itself: a sandbox on a kernel that has what the others need."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from harness import virsh


def test_it_is_another_kernel_with_a_sandbox_in_it() -> None:
    assert "User Mode Linux" in Path("/proc/cpuinfo").read_text(encoding="ascii")
    assert os.environ["VIRTNET_SANDBOX"] == "1"
    assert virsh("uri").strip() == "qemu:///system"
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
    assert [link["ifname"] for link in links] == ["lo", "uplink0"]
