# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_vlan does: the kernel's links read in one pass, planned, and changed step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read import read_host, with_fixed_macs
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.vlan_apply import apply_vlan_step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import (
    DeclaredVlan,
    VlanLink,
    declared_vlans,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import one_or_many, record_spec
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan import plan_vlans

# Options of one VLAN. The model has the defaults, so that an option beside the list form is noticed and refused.
VLAN_SPEC: dict[str, Any] = {
    **record_spec(VlanLink),
    "state": {"type": "str", "choices": ["present", "absent"]},
    "force": {"type": "bool"},
}
# Only an element of the list can stand for several VLANs.
ELEMENT_SPEC: dict[str, Any] = {**VLAN_SPEC, "ids": {"type": "str"}}


def vlan_arguments() -> dict[str, Any]:
    """Arguments for AnsibleModule. A VLAN needs no name: it can be made of the parent and the ID."""
    arguments = one_or_many("vlans", VLAN_SPEC)
    arguments["argument_spec"]["vlans"]["options"] = ELEMENT_SPEC
    arguments["required_one_of"] = [("name", "parent", "vlans")]
    return arguments


@contextlib.contextmanager
def vlan_task(params: Mapping[str, Any]) -> Iterator[VlanTask]:
    """The declared VLANs on this host. What can be refused without asking the kernel, is refused first."""
    problems: list[str] = []
    elements = params["vlans"] if params.get("vlans") is not None else [params]
    declared = declared_vlans(elements, problems)
    if problems:
        raise InvalidDeclaration(problems)
    with opened() as route:
        yield VlanTask(route, declared)


def _is_port(vlan: VlanLink, seen: SeenHost) -> bool:
    """Whether the sub-interface is in its bridge already."""
    link = seen.links.get(vlan.name or "")
    return link is not None and link.master == vlan.bridge


class VlanTask:
    """A task on VLANs, over one netlink socket."""

    def __init__(self, route: Any, declared: Sequence[DeclaredVlan]) -> None:
        self._route, self._declared = route, declared
        self._indexes: dict[str, int] = {}

    def plan(self) -> Plan:
        vlans = [each.vlan for each in self._declared]
        names = {each.name or "" for each in vlans if any(":" in address for address in each.addresses or ())}
        seen = read_host({each.bridge for each in vlans if each.bridge}, with_ipv6=names)
        # A new port can change the MAC address of a bridge that has ports.
        used = {link.master for link in seen.links.values()}
        joined = {each.bridge for each in vlans if each.bridge and each.bridge in used and not _is_port(each, seen)}
        seen = with_fixed_macs(seen, joined)
        self._indexes = {link.name: link.index for link in seen.links.values()}
        return plan_vlans(self._declared, seen)

    def apply(self, step: Step) -> None:
        if isinstance(step, LinkStep):
            apply_vlan_step(self._route, step, self._indexes)

    def report(self, plan: Plan) -> Mapping[str, Any]:
        return {}
