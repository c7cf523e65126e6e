# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A bridge that is removed gives its uplink back what it took over: addresses and routes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import DeclaredBridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import is_link_local
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import GiveBack
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_take_over import (
    Handover,
    made_routes,
    movable_routes,
    shared_problems,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem


def returned(declared: DeclaredBridge, bridge: SeenLink, seen: SeenHost) -> Optional[Handover]:
    """What the bridge still has to give back. None: nothing, or to nobody."""
    if declared.take_over is None:
        return None
    wanted = declared.bridge.addresses
    present = [each for each in bridge.addresses if not is_link_local(each)]
    addresses = [each for each in present if wanted is None or each in wanted or each not in bridge.lasting]
    routes = made_routes(bridge.name, seen)
    own = [each for each in routes if not each.is_shared]
    found = Handover(
        bridge,
        addresses=tuple(addresses),
        lasting=tuple(each for each in addresses if each in bridge.lasting),
        routes=tuple(movable_routes(declared, own, addresses if len(addresses) < len(present) else None)),
        shared=tuple(each for each in routes if each.is_shared),
    )
    uplink = seen.links.get(declared.take_over)
    is_port = uplink is not None and uplink.master == bridge.name
    return found if is_port or found.parts else None


def give_back_step(name: str, uplink: str, found: Handover) -> GiveBack:
    words = f"take {uplink} out of {name}"
    if found.parts:
        words = f"give {', '.join(found.parts)} of bridge {name} back to {uplink}"
    return GiveBack(words, name, uplink, found.addresses, found.routes)


def give_back_problems(
    declared: DeclaredBridge, bridge: SeenLink, found: Optional[Handover], seen: SeenHost
) -> Iterator[Problem]:
    if declared.take_over is None:
        return
    where, uplink = f"bridge {declared.name!r}:", seen.links.get(declared.take_over)
    if uplink is None:
        yield Problem(
            f"{where} take_over: this host has no device {declared.take_over!r}, so nothing can be given back to it. "
            "Name the uplink that is a port of the bridge, or omit take_over"
        )
        return
    if found is not None and uplink.master != declared.name:
        yield Problem(
            f"{where} take_over: {uplink.name} is not a port of the bridge, so what the bridge has cannot be given "
            "back to it. Name the uplink that is one, or omit take_over"
        )
    if found is not None:
        yield from shared_problems(f"{where} take_over:", found)
    unknown = [each for each in declared.bridge.addresses or () if each not in (*bridge.addresses, *uplink.addresses)]
    if unknown:
        yield Problem(
            f"{where} addresses: {', '.join(unknown)} cannot be given back to {uplink.name}, because the bridge does "
            "not have it. Remove it, or omit addresses to give all of them back"
        )


def give_back_warnings(uplink: str, found: Handover) -> Iterator[str]:
    if found.expiring:
        yield (
            f"take_over: {', '.join(found.expiring)} came by DHCP or from a router, and keeps its time to live on "
            f"{uplink}. Have the DHCP client run there again, and see that it has its routes: systemd-networkd removes "
            f"the default route, and puts it back with networkctl reconfigure {uplink}"
        )
