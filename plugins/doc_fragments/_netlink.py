# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # Every module that talks to the kernel about its network devices.
    DOCUMENTATION = r"""
options: {}
notes:
  - Run it as root (C(become=true)).
  - It manages what the running kernel has, in the network namespace that the module runs in. It writes no configuration
    files, so what it makes does not survive a reboot.
  - A program that manages the same devices, such as NetworkManager or systemd-networkd, may undo what is done here.
    Tell it to leave them alone.
requirements:
  - Python >= 3.9 on the target
  - pyroute2 >= 0.5.14 (python3-pyroute2)
"""
