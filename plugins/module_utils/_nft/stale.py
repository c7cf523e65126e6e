# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules that libvirt left in its own nftables tables, of networks that are gone.

It happens to a network whose DNS entries or portgroups somebody has changed live (see LOSES_RULES_SINCE): libvirt does
not remove its rules when it stops, and makes new ones when it starts. Addresses go on being translated although the
network is only routed by then, and the rules for the old bridge refer to a device that may come to be another one.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.backend import TABLES, rules
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.program import program, run

_OF_BRIDGES = ("guest_cross", "guest_input", "guest_output")
_OF_SUBNETS = "guest_nat"


def count_stale(subnets: Collection[str]) -> int:
    """How many rules there are of networks that are gone. ``subnets`` (CIDR) are those that run with NAT."""
    return sum(1 for _rule in _stale(subnets))


def sweep(subnets: Collection[str]) -> None:
    """Delete those rules in one transaction. Raises ApplyFailed."""
    lines = ["delete rule {family} {table} {chain} handle {handle}\n".format_map(rule) for rule in _stale(subnets)]
    if lines:
        run([program("nft"), "--file", "-"], "".join(lines))


def _stale(subnets: Collection[str]) -> Iterator[Mapping[str, Any]]:
    for family, table in TABLES:
        yield from stale_among(rules(family, table), subnets)


def stale_among(listed: Sequence[Mapping[str, Any]], subnets: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """The stale ones of a table's rules, which are as nft -j lists them."""
    seen: set[str] = set()
    for rule in listed:
        matches = [each["match"] for each in rule["expr"] if "match" in each]
        if rule["chain"] in _OF_BRIDGES:
            if any(_is_gone(str(match["right"])) for match in matches if _is_interface(match)):
                yield rule
        elif rule["chain"] == _OF_SUBNETS:
            # libvirt inserts rules at the head, so that of two alike the second is the old one.
            text = json.dumps([each for each in rule["expr"] if "counter" not in each], sort_keys=True)
            sources = [_subnet(match["right"]) for match in matches if _is_source(match)]
            if text in seen or any(source and source not in subnets for source in sources):
                yield rule
            seen.add(text)


def _is_gone(device: str) -> bool:
    """A device that is not there any more has no name, only the number it had."""
    if not device.isdecimal():
        return False
    try:
        socket.if_nametoindex(device)
    except OSError:
        return True
    return False


def _is_interface(match: Mapping[str, Any]) -> bool:
    left = match["left"]
    return isinstance(left, dict) and left.get("meta", {}).get("key") in ("iif", "oif")


def _is_source(match: Mapping[str, Any]) -> bool:
    left = match["left"]
    return match["op"] == "==" and isinstance(left, dict) and left.get("payload", {}).get("field") == "saddr"


def _subnet(right: Any) -> str:
    if isinstance(right, dict) and "prefix" in right:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    return ""
