# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true before a sandbox can open. Everything is checked before anything is done."""

from __future__ import annotations

import os
import shutil

# /usr/sbin is not in everybody's PATH, and Debian keeps half of these there.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

TOOLS = ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "dnsmasq", "ip", "iptables", "nft", "bash")


class NotReady(Exception):
    """The machine cannot open a sandbox; the text says why and what to run."""


def check() -> None:
    if os.geteuid() != 0:
        raise NotReady(
            "a sandbox needs root to make its namespaces. Run the same command as root, for example with sudo."
        )
    missing = [tool for tool in TOOLS if shutil.which(tool, path=SEARCH_PATH) is None]
    if missing:
        raise NotReady(f"these programs are missing: {', '.join(missing)}. Run: make setup")
