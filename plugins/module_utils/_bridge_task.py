# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_bridge does: the kernel's links read in one pass, planned, and changed step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.apply import apply_bridge_step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.host_files import bridges_know_vlans
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read import read_host, with_fixed_macs
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_port_options import read_port_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_routes import read_host_routes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    VLAN_OPTIONS,
    Bridge,
    DeclaredBridge,
    declared_bridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import record_spec
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge import plan_bridges
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Step

# Options of one bridge: its properties, and what the task may do to have them. The model has the defaults, so that
# an option written beside the list form is noticed and refused.
BRIDGE_SPEC: dict[str, Any] = {
    **record_spec(Bridge),
    "state": {"type": "str", "choices": ["present", "absent"]},
    "purge_ports": {"type": "bool"},
    "take_over": {"type": "str"},
    "force": {"type": "bool"},
}


@contextlib.contextmanager
def bridge_task(objects: Sequence[Mapping[str, Any]]) -> Iterator[BridgeTask]:
    """The declared bridges on this host. What can be refused without asking the kernel, is refused first."""
    problems: list[str] = []
    declared = [declared_bridge(options, problems) for options in objects]
    if problems:
        raise InvalidDeclaration(problems)
    with opened() as route:
        yield BridgeTask(route, declared)


class BridgeTask:
    """A task on bridges, over one netlink socket."""

    def __init__(self, route: Any, declared: Sequence[DeclaredBridge]) -> None:
        self._route, self._declared = route, declared
        self._indexes: dict[str, int] = {}

    def plan(self) -> Plan:
        addressed = {
            each.name
            for each in self._declared
            if each.take_over or any(":" in address for address in each.bridge.addresses or ())
        }
        seen = read_host({each.name for each in self._declared}, with_ipv6=addressed)
        # Only these can have another one behind this run.
        seen = with_fixed_macs(
            seen,
            [
                each.name
                for each in self._declared
                if each.bridge.ports is not None or each.bridge.mac or each.take_over
            ],
        )
        self._indexes = {link.name: link.index for link in seen.links.values()}
        return plan_bridges(self._declared, self._with_parts(seen))

    def _with_parts(self, seen: SeenHost) -> SeenHost:
        """What only some declarations need to be read."""
        if any(each.bridge.routes is not None or each.take_over or each.state == "absent" for each in self._declared):
            seen = replace(seen, routes=read_host_routes({link.index: link.name for link in seen.links.values()}))
        ports = {port.name or "" for each in self._declared for port in each.bridge.port_options or ()}
        if ports:
            seen = replace(seen, port_options=read_port_options(ports))
        if ports or any(getattr(each.bridge, option) is not None for each in self._declared for option in VLAN_OPTIONS):
            seen = replace(seen, knows_vlans=bridges_know_vlans())
        return seen

    def apply(self, step: Step) -> None:
        if isinstance(step, LinkStep):
            apply_bridge_step(self._route, step, self._indexes)

    def report(self, plan: Plan) -> Mapping[str, Any]:
        return {}
