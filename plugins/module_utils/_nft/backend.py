# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which firewall libvirt uses, and what it holds."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.program import program, run

# From 10.4 on libvirt can use nftables, and with it keeps the commands that remove a network's rules. A live change of
# a DNS entry or a portgroup makes it forget them, so that the rules stay when the network stops: networkUpdate() calls
# virNetworkObjSetFwRemoval() with nothing for those sections. Seen in 11.3.
LOSES_RULES_SINCE = 10_004_000

TABLES = (("ip", "libvirt_network"), ("ip6", "libvirt_network"))


def uses_nftables() -> bool:
    """Whether libvirt's networks have rules in nftables tables of their own.

    The tables alone do not tell: they stay, empty, when the daemon is told to use iptables. Whoever may not see them is
    told the worse.
    """
    return os.geteuid() != 0 or any(rules(family, table) for family, table in TABLES)


def rules(family: str, table: str) -> list[dict[str, Any]]:
    """The rules of a table as nft -j gives them, none where there is no such table, or no nft."""
    nft = program("nft")
    if not nft:
        return []
    try:
        listed = run([nft, "--json", "--handle", "list", "table", family, table])
    except ApplyFailed:
        return []
    return [each["rule"] for each in json.loads(listed)["nftables"] if "rule" in each]
