# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The order in which networks change, where one takes what another gives up. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import OWN_BRIDGE_MODES, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem


def in_order(after: Mapping[str, Optional[Network]], seen: SeenHypervisor) -> tuple[list[str], list[Problem]]:
    """Names of the declared networks, whoever gives before whoever takes, and why there is no such order.

    libvirt has a bridge name in one definition only, and a subnet in one running network.
    """
    waits_for = {name: set(_givers(name, after, seen)) for name in after}
    try:
        return list(TopologicalSorter(waits_for).static_order()), []
    except CycleError as error:
        circle = [str(name) for name in error.args[1]][:-1]
        names = " and ".join(repr(name) for name in circle)
        text = (
            f"network {circle[0]!r}: bridge.name, ips: {names} take bridges or subnets from each other, and none of "
            "them can be the first. Give one of them something else in a task before"
        )
        return list(after), [Problem(text)]


def _givers(name: str, after: Mapping[str, Optional[Network]], seen: SeenHypervisor) -> Iterator[str]:
    """Networks that have now what ``name`` is to have. Where one of them keeps it, that is refused elsewhere."""
    mine = after[name]
    if mine is None or mine.mode not in OWN_BRIDGE_MODES:
        return
    for other in after:
        known = seen.networks.get(other)
        if other == name or known is None:
            continue
        copies = [copy for copy in (known.config, known.live) if copy is not None and copy.mode in OWN_BRIDGE_MODES]
        has_bridge = mine.bridge_name in [copy.bridge_name for copy in copies if copy.bridge_name]
        has_subnet = known.live is not None and known.live in copies and _overlap(mine, known.live)
        if has_bridge or has_subnet:
            yield other


def _overlap(one: Network, other: Network) -> bool:
    subnets = [[ipaddress.ip_interface(ip.address or "").network for ip in each.ips or ()] for each in (one, other)]
    return any(a.version == b.version and a.overlaps(b) for a in subnets[0] for b in subnets[1])
