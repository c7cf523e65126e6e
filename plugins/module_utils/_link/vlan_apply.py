# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Steps on VLAN sub-interfaces over rtnetlink."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.apply import apply_bridge_step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import index_of, netlink_errors
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import PROTOCOLS, VlanLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan_steps import ChangeVlan, CreateVlan


def apply_vlan_step(route: Any, step: LinkStep, indexes: MutableMapping[str, int]) -> None:
    """Do one step. ``indexes`` are the links' as they were read; those of links made here are added.

    Raises ApplyFailed with the kernel's reason.
    """
    if not isinstance(step, (CreateVlan, ChangeVlan)):
        apply_bridge_step(route, step, indexes)
        return

    def index(name: str) -> int:
        if name not in indexes:
            indexes[name] = index_of(name)
        return indexes[name]

    vlan = step.properties
    with netlink_errors(ApplyFailed, step.words):
        if isinstance(step, ChangeVlan):
            route.link("set", index=index(step.name), **_attributes(vlan, index))
        else:
            route.link(
                "add",
                ifname=step.name,
                kind="vlan",
                link=index(vlan.parent or ""),
                vlan_id=vlan.id,
                vlan_protocol=PROTOCOLS[vlan.protocol or ""],
                **_attributes(vlan, index),
            )


def _attributes(vlan: VlanLink, index: Callable[[str], int]) -> dict[str, Any]:
    """What a VLAN is made with and can be changed to."""
    found: dict[str, Any] = {}
    if vlan.mac is not None:
        found["address"] = vlan.mac
    if vlan.mtu is not None:
        found["mtu"] = vlan.mtu
    if vlan.bridge is not None:
        found["master"] = index(vlan.bridge) if vlan.bridge else 0
    if vlan.up is not None:
        found["state"] = "up" if vlan.up else "down"
    return found
