# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The plan of one bridge while it is being made, and how the user sees it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    Bridge,
    DeclaredBridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    declarations,
    declared_part,
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_take_over import (
    Handover,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Problem, Step


@dataclass
class Draft:
    """The plan of one bridge while it is being made."""

    declared: DeclaredBridge
    link: Optional[SeenLink]
    # As it is, and as it becomes, without the ports and addresses that are not this task's to remove. None: no bridge.
    before: Optional[Bridge] = None
    after: Optional[Bridge] = None
    # Those ports and addresses.
    kept_ports: tuple[str, ...] = ()
    kept_addresses: tuple[str, ...] = ()
    # What the bridge takes over from its uplink, or gives back to it when it is removed.
    given: Optional[Handover] = None
    # What has to be done first, over all bridges: ports that leave one may be wanted by another.
    removals: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # What changes beside the properties, for the diff.
    was: dict[str, Any] = field(default_factory=dict)
    will_be: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def is_removed(self) -> bool:
        return self.before is not None and self.after is None

    def declares(self, option: str) -> bool:
        return getattr(self.declared.bridge, option) is not None

    def warn(self, text: str) -> None:
        self.warnings.append(f"bridge {self.name!r}: {text}")


def difference(draft: Draft) -> Optional[Difference]:
    title = f"bridge {draft.name}"
    if draft.is_removed and draft.before is not None:
        return Difference(title, {**_shown(draft.before), **draft.was}, {"state": "absent", **draft.will_be})
    if draft.after is None or not (draft.steps or draft.removals):
        return None
    desired = replace(draft.declared.bridge, name=draft.name)
    if draft.given is not None:
        desired = replace(desired, addresses=draft.after.addresses)
    if draft.before is None:
        shown = replace(_part(draft.after, desired), mac=draft.after.mac)
        return Difference(title, {"state": "absent", **draft.was}, {**_shown(shown), **draft.will_be})
    # What the kernel changes along with what is declared is shown too.
    shown = replace(
        desired,
        **{
            option: getattr(draft.after, option)
            for option, _declared in declarations(Bridge)
            if getattr(draft.before, option) != getattr(draft.after, option)
        },
    )
    return Difference(
        title,
        {**_shown(_part(draft.before, shown)), **draft.was},
        {**_shown(_part(draft.after, shown)), **draft.will_be},
    )


def _part(bridge: Bridge, shown: Bridge) -> Bridge:
    """What of the bridge is shown. Of a route it is all: what is not declared of one is not there."""
    return replace(declared_part(bridge, shown), routes=None if shown.routes is None else bridge.routes)


def _shown(bridge: Bridge) -> dict[str, Any]:
    options = to_options(bridge)
    return {"name": options.pop("name", None), "state": "present", **options}


def summary(draft: Draft) -> dict[str, Any]:
    """What the task returns for each bridge: all of it after the run, with what is not this task's."""
    bridge = draft.after
    if bridge is None:
        return {"name": draft.name, "state": "absent"}
    return _shown(
        replace(
            bridge,
            ports=tuple(sorted((*(bridge.ports or ()), *draft.kept_ports))),
            addresses=tuple(sorted((*(bridge.addresses or ()), *draft.kept_addresses))),
        )
    )
