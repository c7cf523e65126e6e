# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Planner of VLAN sub-interfaces: what is declared and what was read give the steps. Pure: no Ansible, no backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Scalar,
    declarations,
    declared_part,
    overlay,
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink, SeenVlan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import (
    DEFAULT_PROTOCOL,
    DeclaredVlan,
    VlanLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import (
    change_addresses,
    new_addresses,
    own_and_kept,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import BringUp, Change
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import (
    Delete,
    PutAddress,
    RemoveAddress,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Plan, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan_checks import (
    VlanPlan,
    check_vlans,
    devices_below,
    going_along,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan_steps import ChangeVlan, CreateVlan


@dataclass(eq=False)
class _Draft(VlanPlan):
    """The plan of one VLAN while it is being made."""

    steps: list[Step] = field(default_factory=list)
    # What changes beside the properties, for the diff.
    was: dict[str, Any] = field(default_factory=dict)
    will_be: dict[str, Any] = field(default_factory=dict)


def plan_vlans(declared: Sequence[DeclaredVlan], seen: SeenHost) -> Plan:
    """Steps, differences and problems for all declared VLANs at once.

    What is removed goes first, so that its name and its ID are free. A VLAN on another one comes after that.
    """
    drafts = [_draft(each, seen) for each in declared]
    by_name = {draft.name: draft for draft in drafts}
    steps = list(_delete([draft for draft in drafts if draft.is_removed], by_name, seen))
    raised: set[str] = set()
    fixed: set[str] = set()
    for draft in _in_order(by_name):
        if draft.after is not None:
            _plan_parent(draft, draft.after, by_name, raised, seen)
            _plan_bridge(draft, draft.after, fixed, seen)
            _plan_link(draft, draft.after, by_name, raised, seen)
            steps += draft.steps
    return Plan(
        steps=steps,
        differences=[difference for draft in drafts if (difference := _difference(draft)) is not None],
        problems=check_vlans(by_name, seen),
        result={"vlans": [_summary(draft) for draft in drafts]},
    )


def _delete(drafts: Sequence[_Draft], by_name: Mapping[str, _Draft], seen: SeenHost) -> Iterator[Step]:
    names = [draft.name for draft in drafts]
    along: list[str] = []
    for draft in drafts:
        on_it = going_along(draft, by_name, seen)
        if on_it:
            draft.was["devices_on_it"] = on_it
            along += on_it
    if names:
        words = f"remove VLAN{'s' if len(names) > 1 else ''} {', '.join(names)}"
        words += f", and what is on {'them' if len(names) > 1 else 'it'}: {', '.join(along)}" if along else ""
        yield Delete(words, names[0], tuple(names[1:]))


def _in_order(drafts: Mapping[str, _Draft]) -> list[_Draft]:
    """In the order declared, but for VLANs on others of the same task. A circle is for the checks to find.

    Those that shall be down come last, because a parent that is brought up takes its VLANs along.
    """
    ordered: dict[str, _Draft] = {}
    for draft in drafts.values():
        pile: list[_Draft] = []
        current: Optional[_Draft] = draft
        while current is not None and current.name not in ordered and current not in pile:
            pile.append(current)
            current = drafts.get((current.after and current.after.parent) or "")
        ordered.update((each.name, each) for each in reversed(pile))
    return sorted(ordered.values(), key=lambda each: each.after is not None and not each.after.up)


# Before and after.


def _draft(declared: DeclaredVlan, seen: SeenHost) -> _Draft:
    draft = _Draft(declared, seen.links.get(declared.name))
    if draft.link is not None and draft.link.vlan is not None:
        draft.before = _as_read(draft, draft.link, draft.link.vlan, seen)
    if declared.state == "absent" or draft.mismatch:
        return draft
    wanted = replace(declared.vlan, up=declared.vlan.up is not False)
    if draft.before is None:
        wanted = replace(wanted, protocol=wanted.protocol or DEFAULT_PROTOCOL)
    draft.after = overlay(draft.before or VlanLink(), wanted)
    return draft


def _as_read(draft: _Draft, link: SeenLink, vlan: SeenVlan, seen: SeenHost) -> VlanLink:
    """The VLAN as it is, without the addresses that are not this task's to remove."""
    own, draft.kept_addresses = own_and_kept(link, draft.declared.vlan.addresses)
    master = seen.links.get(link.master or "")
    return VlanLink(
        name=link.name,
        parent=link.below,
        id=vlan.id,
        protocol=vlan.protocol,
        bridge=master.name if master is not None and master.kind == "bridge" else None,
        mac=link.mac,
        mtu=link.mtu,
        up=link.up,
        addresses=own,
    )


# Steps.


def _plan_parent(
    draft: _Draft, after: VlanLink, drafts: Mapping[str, _Draft], raised: set[str], seen: SeenHost
) -> None:
    """The kernel brings a VLAN up only when its parent is, and brings up all VLANs of a parent along with it."""
    if not after.up or (draft.before is not None and draft.before.up):
        return
    below = [seen.links[name] for name in devices_below(after.parent, drafts, seen) if name in seen.links]
    down = [link.name for link in below if not (link.up or link.name in raised or _is_kept(drafts.get(link.name)))]
    for name in reversed(down):
        draft.steps.append(BringUp(f"bring up {name}, the parent of VLAN {draft.name}", name, name))
        raised.add(name)
    if down:
        draft.was["parents_down"], draft.will_be["parents_down"] = down, []


def _is_kept(draft: Optional[_Draft]) -> bool:
    """Whether this task has steps of its own for the device."""
    return draft is not None and draft.after is not None


def _plan_bridge(draft: _Draft, after: VlanLink, fixed: set[str], seen: SeenHost) -> None:
    """Whoever is connected to a bridge knows it by its MAC address, and a new port can change it."""
    bridge = seen.links.get(after.bridge or "")
    if bridge is None or bridge.bridge is None or bridge.bridge.fixed_mac is not False or bridge.name in fixed:
        return
    if (draft.link is not None and draft.link.master == bridge.name) or not seen.ports_of(bridge.name):
        return
    fixed.add(bridge.name)
    words = f"keep the MAC address {bridge.mac} of bridge {bridge.name}"
    draft.steps.append(Change(words, bridge.name, Bridge(mac=bridge.mac)))
    draft.was["bridge_mac_follows_ports"], draft.will_be["bridge_mac_follows_ports"] = True, False


def _plan_link(draft: _Draft, after: VlanLink, drafts: Mapping[str, _Draft], raised: set[str], seen: SeenHost) -> None:
    title, name, before = f"VLAN {draft.name}", draft.name, draft.before
    if draft.link is None or before is None:
        draft.steps.append(CreateVlan(f"create {title}: {_identity(after)}", name, replace(after, addresses=None)))
        draft.steps += new_addresses(title, name, after.addresses or ())
        return
    changed = {
        option
        for option, declared in declarations(VlanLink)
        if isinstance(declared, Scalar) and getattr(before, option) != getattr(after, option)
    }
    if not after.up and not before.up and any(each in raised for each in devices_below(after.parent, drafts, seen)):
        changed.add("up")
        draft.was["up_with_its_parent"], draft.will_be["up_with_its_parent"] = True, False
    if changed:
        properties = VlanLink(**{option: getattr(after, option) for option in changed})
        if "bridge" in changed:
            properties = replace(properties, bridge=after.bridge or "")
        draft.steps.append(ChangeVlan(f"change {title}: {', '.join(_words(properties))}", name, properties))
        if "up" in changed and after.up:
            raised.add(name)
    change = change_addresses(title, draft.link, before.addresses or (), after.addresses or (), draft.kept_addresses)
    if change.lasts:
        draft.was["temporary_addresses"] = list(change.lasts)
    if "up" in changed and not after.up:
        # Taken down, a device loses its IPv6 addresses.
        draft.steps += [step for step in change.steps if not (isinstance(step, RemoveAddress) and ":" in step.address)]
        left = [each for each in before.addresses or () if ":" in each and each in (after.addresses or ())]
        draft.steps += [PutAddress(f"put address {each} back on {title}", name, each) for each in left]
    else:
        draft.steps += change.steps
    # The kernel makes it smaller along with the parent's.
    parent = drafts.get(after.parent or "")
    limit = parent.after if parent is not None else None
    if limit is not None and limit.mtu is not None and draft.declared.vlan.mtu is None:
        draft.after = replace(after, mtu=min(after.mtu or limit.mtu, limit.mtu))


def _identity(vlan: VlanLink) -> str:
    words = f"ID {vlan.id} on {vlan.parent}"
    if vlan.protocol != DEFAULT_PROTOCOL:
        words += f" by {vlan.protocol}"
    return words + (f", port of bridge {vlan.bridge}" if vlan.bridge else "")


def _words(vlan: VlanLink) -> Iterator[str]:
    for option, value in to_options(vlan).items():
        if option == "up":
            yield "up" if value else "down"
        elif option == "bridge" and not value:
            yield "no bridge"
        else:
            yield f"{option} {value}"


# What the user sees.


def _difference(draft: _Draft) -> Optional[Difference]:
    title = f"VLAN {draft.name}"
    if draft.is_removed and draft.before is not None:
        return Difference(title, {**_shown(draft.before), **draft.was}, {"state": "absent"})
    if draft.after is None or not draft.steps:
        return None
    desired = replace(draft.declared.vlan, name=draft.name, up=True)
    if draft.before is None:
        desired = replace(desired, protocol=draft.after.protocol)
        after = {**_shown(declared_part(draft.after, desired)), **draft.will_be}
        return Difference(title, {"state": "absent", **draft.was}, after)
    # What the kernel changes along with what is declared is shown too.
    shown = replace(
        desired,
        **{
            option: getattr(draft.after, option)
            for option, _declared in declarations(VlanLink)
            if getattr(draft.before, option) != getattr(draft.after, option) and getattr(desired, option) is None
        },
    )
    return Difference(
        title,
        {**_shown(declared_part(draft.before, shown)), **draft.was},
        {**_shown(declared_part(draft.after, shown)), **draft.will_be},
    )


def _shown(vlan: VlanLink) -> dict[str, Any]:
    options = to_options(vlan)
    return {"name": options.pop("name", None), "state": "present", **options}


def _summary(draft: _Draft) -> dict[str, Any]:
    """What the task returns for each VLAN: all of it after the run, with what is not this task's."""
    if draft.after is None:
        return {"name": draft.name, "state": "absent"}
    addresses = tuple(sorted((*(draft.after.addresses or ()), *draft.kept_addresses)))
    return _shown(replace(draft.after, addresses=addresses))
