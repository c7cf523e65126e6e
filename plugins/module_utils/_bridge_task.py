# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_bridge does: the kernel's links read in one pass, planned, and changed step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.apply import apply_bridge_step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read import read_host
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    Bridge,
    DeclaredBridge,
    declared_bridge,
)
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
        seen = read_host(self._route, frozenset(each.name for each in self._declared))
        self._indexes = {link.name: link.index for link in seen.links.values()}
        return plan_bridges(self._declared, seen)

    def apply(self, step: Step) -> None:
        if isinstance(step, LinkStep):
            apply_bridge_step(self._route, step, self._indexes)

    def report(self, plan: Plan) -> Mapping[str, Any]:
        return {}
