# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Planner of libvirt networks: what is declared and what was read give the steps. Pure: no Ansible, no backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    OWN_BRIDGE_MODES,
    DeclaredNetwork,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    declared_part,
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    GuestNic,
    SeenHypervisor,
    SeenNetwork,
    nat_subnets,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_change import (
    add_sweep,
    plan_change,
    plug,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_checks import check_networks
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_draft import Draft
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_order import in_order
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Describe,
    Plug,
    Release,
    SetAutostart,
    Start,
    Stop,
    Sweep,
    Undefine,
    Update,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Plan, Step


def plan_networks(declared: Sequence[DeclaredNetwork], seen: SeenHypervisor) -> Plan:
    """Steps, differences and problems for all declared networks at once.

    A network that gives up a bridge or a subnet comes before the one that takes it.
    """
    drafts = [_draft(each, seen) for each in declared]
    after = {draft.declared.name: draft.after for draft in drafts}
    problems = [problem for draft in drafts for problem in draft.problems]
    problems += check_networks(declared, after, seen)
    order, circles = in_order(after, seen)
    steps = {draft.declared.name: draft.steps for draft in drafts}
    # Left by a run that was killed.
    let_go: list[Step] = [Release("let go of firewall rules that an earlier run holds")] if seen.held else []
    if seen.stale_rules:
        words = f"remove {seen.stale_rules} firewall rules that libvirt has left of networks that are gone"
        let_go.append(Sweep(words, nat_subnets(seen.networks.values())))
    return Plan(
        steps=let_go + [step for name in order for step in steps[name]],
        differences=[difference for draft in drafts if (difference := _difference(draft)) is not None],
        problems=[*problems, *circles],
        warnings=[warning for draft in drafts for warning in draft.warnings],
        result={
            "networks": [_summary(draft) for draft in drafts],
            "pending_restart": [draft.declared.name for draft in drafts if draft.pending],
        },
    )


def needs_links(declared: Sequence[DeclaredNetwork], seen: SeenHypervisor) -> bool:
    """Whether planning needs the host's devices.

    They cost a library of their own to read, and a run that finds all as declared, with no guest to check, needs none.
    """
    names = {each.name for each in declared}
    if any(nic.network in names for nic in seen.nics):
        return True
    return any(_may_need_links(each, seen.networks.get(each.name)) for each in declared)


def _may_need_links(declared: DeclaredNetwork, known: Optional[SeenNetwork]) -> bool:
    if declared.state in ("absent", "inactive") and known is not None and known.active:
        # Others than guests of this connection may be on its bridge.
        return True
    return declared.state != "absent" and (
        known is None
        or any(copy and becomes(copy, declared.network) != copy for copy in (known.config, known.live))
        or (declared.state == "active" and not known.active)
    )


def _draft(declared: DeclaredNetwork, seen: SeenHypervisor) -> Draft:
    known = seen.networks.get(declared.name)
    draft = Draft(declared, known)
    nics = [nic for nic in seen.nics if nic.network == declared.name]
    if declared.state == "absent":
        _plan_removal(draft, nics, seen)
        return draft
    draft.after = becomes(known.newest if known else Network(forward=Forward(mode="isolated")), declared.network)
    if draft.after.bridge_name and draft.after.mode in OWN_BRIDGE_MODES:
        nics += [nic for nic in seen.nics if not nic.network and nic.bridge == draft.after.bridge_name]
    if known is None:
        draft.steps.append(Define(f"define network {declared.name}", declared.name, draft.after, declared.xml))
    else:
        plan_change(draft, known, draft.after, nics, seen)
    _plan_state(draft, nics, seen)
    _plan_autostart(draft)
    _plan_plugs(draft, nics, seen)
    return draft


def _plan_removal(draft: Draft, nics: Sequence[GuestNic], seen: SeenHypervisor) -> None:
    name, known = draft.declared.name, draft.seen
    if known is None:
        return
    if known.active:
        _refuse_in_use(draft, nics, "removed")
        draft.steps.append(Stop(f"stop network {name}", name))
        add_sweep(draft, seen)
    if known.persistent:
        draft.steps.append(Undefine(f"undefine network {name}", name))


def _refuse_in_use(draft: Draft, nics: Sequence[GuestNic], what: str) -> None:
    if nics and not draft.declared.force:
        guests = ", ".join(sorted({nic.owner for nic in nics}))
        draft.refuse(
            "state",
            f"it cannot be {what}, because running guests are connected: {guests}. Disconnect or stop them, or give "
            "force: true to cut them off",
        )


def _plan_state(draft: Draft, nics: Sequence[GuestNic], seen: SeenHypervisor) -> None:
    name, state, active = draft.declared.name, draft.declared.state, bool(draft.seen and draft.seen.active)
    if state == "active" and not active:
        draft.steps.append(Start(f"start network {name}", name))
    if state == "inactive" and active:
        _refuse_in_use(draft, nics, "stopped")
        draft.steps.append(Stop(f"stop network {name}", name))
        add_sweep(draft, seen)


def _plan_autostart(draft: Draft) -> None:
    name, wanted = draft.declared.name, draft.declared.wanted_autostart
    if wanted is None or wanted == bool(draft.seen and draft.seen.autostart):
        return
    words = f"start network {name} with the host" if wanted else f"do not start network {name} with the host"
    draft.steps.append(SetAutostart(words, name, wanted))


def _plan_plugs(draft: Draft, nics: Sequence[GuestNic], seen: SeenHypervisor) -> None:
    """Taps that a restart of the network, ours when it was killed or somebody's, left without a bridge."""
    after, known = draft.after, draft.seen
    if draft.restarts or draft.declared.state == "inactive" or seen.links is None or after is None:
        return
    will_run = draft.declared.state == "active" or bool(known and known.active)
    bridge = ((known.live if known else None) or after).bridge_name
    if not will_run or not (bridge or after.mode in OWN_BRIDGE_MODES):
        return
    for nic in nics:
        link = seen.links.get(nic.device or "")
        if link is not None and link.master is None and link.kind == "tun":
            draft.steps.append(plug(draft, nic, bridge, seen))


def _difference(draft: Draft) -> Optional[Difference]:
    if not draft.steps:
        return None
    declared, known = draft.declared, draft.seen
    title = f"network {declared.name}"
    if draft.after is None:
        return Difference(title, _shown(known, known.newest if known else None), {"state": "absent"})
    if known is None:
        before: Mapping[str, Any] = {"state": "absent"}
    else:
        current = known.newest
        live_only = [step for step in draft.steps if isinstance(step, Describe) or _is_live_only(step)]
        if live_only or draft.restarts:
            # The definition may be right already, and what runs is what changes.
            current = known.live or current
        before = _shown(known, declared_part(current, declared.network))
        unplugged = [step.nic.device for step in draft.steps if isinstance(step, Plug)]
        if unplugged and not draft.restarts:
            before = {**before, "unplugged_taps": unplugged}
    return Difference(title, before, _after(draft, draft.after))


def _is_live_only(step: Step) -> bool:
    return isinstance(step, Update) and not step.config


def _shown(known: Optional[SeenNetwork], network: Optional[Network]) -> dict[str, Any]:
    if known is None or network is None:
        return {}
    return {
        **to_options(replace(network, name=known.name)),
        "state": "active" if known.active else "inactive",
        "autostart": known.autostart,
        **({} if known.persistent else {"persistent": False}),
    }


def _after(draft: Draft, after: Network) -> dict[str, Any]:
    declared, known = draft.declared, draft.seen
    active = bool(known and known.active)
    if declared.state in ("active", "inactive"):
        active = declared.state == "active"
    autostart = declared.wanted_autostart
    return {
        **to_options(replace(declared_part(after, declared.network), name=declared.name)),
        "state": "active" if active else "inactive",
        "autostart": bool(known and known.autostart) if autostart is None else autostart,
        **({"persistent": True} if known and not known.persistent else {}),
    }


def _summary(draft: Draft) -> dict[str, Any]:
    """What the task returns for each network: its complete definition after the run."""
    if draft.after is None:
        return {"name": draft.declared.name, "state": "absent"}
    shown = _after(draft, draft.after)
    return {
        **to_options(draft.after),
        "state": shown["state"],
        "autostart": shown["autostart"],
        "pending_restart": bool(draft.pending),
    }
