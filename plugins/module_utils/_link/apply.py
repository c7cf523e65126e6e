# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Steps on bridges over rtnetlink."""

from __future__ import annotations

import contextlib
import ipaddress
import random
from collections.abc import MutableMapping, Sequence
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.apply_routes import apply_route
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.host_files import promoting_secondaries
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.link_record import attributes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import (
    DELETE_ADDRESS,
    PUT_ADDRESS,
    index_of,
    netlink_errors,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.port_messages import apply_port_step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.take_over import give_back, take_over
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    Create,
    GiveBack,
    Isolate,
    PutRoute,
    RemovePort,
    RemoveRoute,
    SetVlans,
    TakeOver,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import (
    Delete,
    LinkStep,
    PutAddress,
    RemoveAddress,
)

# An IPv4 subnet of two addresses (RFC 3021) or one has no address for broadcasts.
_LAST_PREFIX_WITH_BROADCAST = 30


def apply_bridge_step(route: Any, step: LinkStep, indexes: MutableMapping[str, int]) -> None:
    """Do one step. ``indexes`` are the links' as they were read; those of links made here are added.

    Raises ApplyFailed with the kernel's reason.
    """

    def index(name: str) -> int:
        if name not in indexes:
            indexes[name] = index_of(name)
        return indexes[name]

    with netlink_errors(ApplyFailed, step.words):
        if isinstance(step, Create):
            route.link("add", ifname=step.name, state="up", **{"kind": "bridge", **attributes(step.properties)})
        elif isinstance(step, Change):
            route.link("set", index=index(step.name), **attributes(step.properties))
        elif isinstance(step, BringUp):
            route.link("set", index=index(step.device), state="up")
        elif isinstance(step, AddPort):
            route.link("set", index=index(step.port), master=index(step.name), state="up")
        elif isinstance(step, RemovePort):
            route.link("set", index=index(step.port), master=0)
        elif isinstance(step, PutAddress):
            route.addr(PUT_ADDRESS, index=index(step.name), **_with_broadcast(step.address))
        elif isinstance(step, RemoveAddress):
            with contextlib.nullcontext() if step.alone else promoting_secondaries(step.name):
                route.addr(DELETE_ADDRESS, index=index(step.name), **_address(step.address))
        elif isinstance(step, (SetVlans, Isolate)):
            apply_port_step(step, index)
        elif isinstance(step, (PutRoute, RemoveRoute)):
            apply_route(step.route, index(step.name), step.words, remove=isinstance(step, RemoveRoute))
        elif isinstance(step, TakeOver):
            take_over(step, index)
        elif isinstance(step, GiveBack):
            give_back(step, index)
        elif isinstance(step, Delete):
            _delete(route, [index(name) for name in step.names])
            for name in step.names:
                del indexes[name]
        else:
            raise TypeError(f"{type(step).__name__} is not a step on a bridge")


def _address(text: str) -> dict[str, Any]:
    address, _slash, prefix = text.partition("/")
    return {"address": address, "prefixlen": int(prefix)}


def _with_broadcast(text: str) -> dict[str, Any]:
    """With the broadcast address that DHCP servers and others ask the interface for."""
    network = ipaddress.ip_interface(text).network
    if network.version == 6 or network.prefixlen > _LAST_PREFIX_WITH_BROADCAST:
        return _address(text)
    return {**_address(text), "broadcast": str(network.broadcast_address)}


def _delete(route: Any, indexes: Sequence[int]) -> None:
    """Remove links. Several are put into a group of devices that has nothing else, and the group is removed.

    For each message that removes something the kernel waits until nobody looks at it any more, so one message for all
    takes half the time.
    """
    if len(indexes) == 1:
        route.link("del", index=indexes[0])
        return
    group = random.randrange(1 << 20, 1 << 31)
    for index in indexes:
        route.link("set", index=index, group=group)
    members = {link.index for link in route.get_links() if link.get_attr("IFLA_GROUP") == group}
    if members != set(indexes):
        raise ApplyFailed(f"the group of devices {group} has others in it than those to be removed")
    route.link("del", group=group)
