# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Planner of libvirt networks: what is declared and what was read give the steps. Pure: no Ansible, no backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_checks import check_networks
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_order import in_order
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Plug,
    SetAutostart,
    Start,
    Stop,
    Undefine,
    Update,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_update import LiveChange, live_changes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Plan, Problem, Step


@dataclass
class _Draft:
    """The plan of one network while it is being made."""

    declared: DeclaredNetwork
    seen: Optional[SeenNetwork]
    # What the persistent definition becomes. None where the network goes away.
    after: Optional[Network] = None
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pending: Mapping[str, Any] = field(default_factory=dict)
    restarts: bool = False


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
    return Plan(
        steps=[step for name in order for step in steps[name]],
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
    return any(
        each.state != "absent"
        and (
            (known := seen.networks.get(each.name)) is None
            or becomes(known.newest, each.network) != known.newest
            or (each.state == "active" and not known.active)
        )
        for each in declared
    )


def _draft(declared: DeclaredNetwork, seen: SeenHypervisor) -> _Draft:
    known = seen.networks.get(declared.name)
    draft = _Draft(declared, known)
    nics = [nic for nic in seen.nics if nic.network == declared.name]
    if declared.state == "absent":
        _plan_removal(draft, nics)
        return draft
    draft.after = becomes(known.newest if known else Network(forward=Forward(mode="isolated")), declared.network)
    if draft.after.bridge_name and draft.after.mode in OWN_BRIDGE_MODES:
        nics += [nic for nic in seen.nics if not nic.network and nic.bridge == draft.after.bridge_name]
    if known is None:
        draft.steps.append(Define(f"define network {declared.name}", declared.name, draft.after, declared.xml))
    else:
        _plan_change(draft, known, draft.after, nics, seen.version)
    _plan_state(draft, nics)
    _plan_autostart(draft)
    _plan_plugs(draft, nics, seen)
    return draft


def _plan_removal(draft: _Draft, nics: Sequence[GuestNic]) -> None:
    name, known = draft.declared.name, draft.seen
    if known is None:
        return
    if known.active:
        _refuse_in_use(draft, nics, "removed")
        draft.steps.append(Stop(f"stop network {name}", name))
    if known.persistent:
        draft.steps.append(Undefine(f"undefine network {name}", name))


def _refuse_in_use(draft: _Draft, nics: Sequence[GuestNic], what: str) -> None:
    if nics and not draft.declared.force:
        guests = ", ".join(sorted({nic.domain for nic in nics}))
        draft.problems.append(
            Problem(
                f"network {draft.declared.name!r}: state: it cannot be {what}, because running guests are connected: "
                f"{guests}. Disconnect or stop them, or give force: true to cut them off"
            )
        )


def _plan_change(draft: _Draft, known: SeenNetwork, after: Network, nics: Sequence[GuestNic], version: int) -> None:
    declared, name = draft.declared, draft.declared.name
    config_changes, config_reached = (
        live_changes(known.config, after, version=version) if known.config is not None else ([], None)
    )
    running = known.live if declared.state != "inactive" else None
    live: list[LiveChange] = []
    if running is not None:
        live_after = becomes(running, declared.network)
        live, live_reached = live_changes(running, live_after, version=version)
        if live_reached != live_after:
            _plan_restart(draft, live_reached, live_after, nics)
    if draft.restarts:
        live = []
    # Defining is one cheap call whatever it changes; it is left out only where updates of both copies do everything.
    define = config_reached != after or (
        bool(config_changes) and (running is None or draft.restarts or config_changes != live)
    )
    if define:
        words = f"change the definition of network {name}" if known.persistent else f"make network {name} persistent"
        draft.steps.append(Define(words, name, after))
        if known.hides_config and running is not None:
            text = "this driver shows no definition of a running network, so a change of it could not be verified"
            draft.problems.append(Problem(f"network {name!r}: state: {text}. Stop the network first (state: inactive)"))
    for change in live:
        config = not define and bool(config_changes)
        draft.steps.append(
            Update(
                f"{change.words} of network {name}" + ("" if config else ", as it runs"),
                name,
                section=change.section,
                command=change.command,
                item=change.item,
                ip=change.ip,
                live=True,
                config=config,
            )
        )
    if draft.restarts:
        draft.steps.append(Stop(f"stop network {name} for a restart", name))
        draft.steps.append(Start(f"start network {name} again", name))
        draft.steps.extend(_plug(name, nic, after.bridge_name) for nic in nics if nic.device and after.bridge_name)


def _plan_restart(draft: _Draft, live: Network, after: Network, nics: Sequence[GuestNic]) -> None:
    """The running network, all live changes made, differs in something that libvirt takes only at its start."""
    declared = draft.declared
    what = ", ".join(sorted(_changed_options(live, after)))
    if declared.if_restart_needed == "restart":
        if (live.is_macvtap or after.is_macvtap) and nics:
            draft.problems.append(
                Problem(
                    f"network {declared.name!r}: {what}: this takes a restart, and guests with macvtap devices cannot "
                    f"be re-plugged: {', '.join(sorted({nic.domain for nic in nics}))}. Stop them, or use "
                    "if_restart_needed: defer"
                )
            )
        draft.restarts = True
        return
    if declared.if_restart_needed == "fail":
        draft.problems.append(
            Problem(
                f"network {declared.name!r}: {what}: libvirt cannot change this on a running network. Use "
                "if_restart_needed: restart (guests are re-plugged) or defer (takes effect at the next start)"
            )
        )
        return
    draft.pending = {"running": to_options(declared_part(live, declared.network))}
    draft.warnings.append(
        f"network {declared.name!r}: {what}: defined, and takes effect when the network starts next. "
        "Use if_restart_needed: restart to have it now"
    )


def _changed_options(before: Network, after: Network) -> list[str]:
    old, new = to_options(before), to_options(after)
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _plan_state(draft: _Draft, nics: Sequence[GuestNic]) -> None:
    name, state, active = draft.declared.name, draft.declared.state, bool(draft.seen and draft.seen.active)
    if state == "active" and not active:
        draft.steps.append(Start(f"start network {name}", name))
    if state == "inactive" and active:
        _refuse_in_use(draft, nics, "stopped")
        draft.steps.append(Stop(f"stop network {name}", name))


def _plan_autostart(draft: _Draft) -> None:
    name, wanted = draft.declared.name, draft.declared.wanted_autostart
    if wanted is None or wanted == bool(draft.seen and draft.seen.autostart):
        return
    words = f"start network {name} with the host" if wanted else f"do not start network {name} with the host"
    draft.steps.append(SetAutostart(words, name, wanted))


def _plan_plugs(draft: _Draft, nics: Sequence[GuestNic], seen: SeenHypervisor) -> None:
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
            draft.steps.append(_plug(draft.declared.name, nic, bridge))


def _plug(name: str, nic: GuestNic, bridge: Optional[str]) -> Plug:
    where = bridge or f"the bridge of network {name}"
    return Plug(f"plug {nic.device} of guest {nic.domain} into {where}", name, nic, bridge)


def _difference(draft: _Draft) -> Optional[Difference]:
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
        if any(isinstance(step, Update) and not step.config for step in draft.steps) or draft.restarts:
            # The definition may be right already, and what runs is what changes.
            current = known.live or current
        before = _shown(known, declared_part(current, declared.network))
        unplugged = [step.nic.device for step in draft.steps if isinstance(step, Plug)]
        if unplugged and not draft.restarts:
            before = {**before, "unplugged_taps": unplugged}
    return Difference(title, before, _after(draft, draft.after))


def _shown(known: Optional[SeenNetwork], network: Optional[Network]) -> dict[str, Any]:
    if known is None or network is None:
        return {}
    return {
        **to_options(replace(network, name=known.name)),
        "state": "active" if known.active else "inactive",
        "autostart": known.autostart,
        **({} if known.persistent else {"persistent": False}),
    }


def _after(draft: _Draft, after: Network) -> dict[str, Any]:
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


def _summary(draft: _Draft) -> dict[str, Any]:
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
