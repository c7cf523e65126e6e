# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which firewall libvirt uses. This room is the only one that runs nft."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

# From 10.4 on libvirt can use nftables, and with it keeps the commands that remove a network's rules. A live change of
# a DNS entry or a portgroup makes it forget them, so that the rules stay when the network stops: networkUpdate() calls
# virNetworkObjSetFwRemoval() with nothing for those sections. Seen in 11.3.
LOSES_RULES_SINCE = 10_004_000

TABLES = (("ip", "libvirt_network"), ("ip6", "libvirt_network"))
_TIMEOUT_S = 60


def uses_nftables() -> bool:
    """Whether libvirt's networks have rules in nftables tables of their own.

    The tables alone do not tell: they stay, empty, when the daemon is told to use iptables. Whoever may not see them is
    told the worse.
    """
    return os.geteuid() != 0 or any(rules(family, table) for family, table in TABLES)


def nft() -> str:
    """Path of the program, empty where there is none."""
    return shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin") or ""


def rules(family: str, table: str) -> list[dict[str, Any]]:
    """The rules of a table as nft -j gives them, none where there is no such table, or no nft."""
    if not nft():
        return []
    command = [nft(), "--json", "--handle", "list", "table", family, table]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if found.returncode != 0:
        return []
    return [each["rule"] for each in json.loads(found.stdout)["nftables"] if "rule" in each]
