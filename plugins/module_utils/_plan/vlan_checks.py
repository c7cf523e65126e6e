# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused before the first change, for all declared VLANs at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import MAX_PORTS
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import (
    DEFAULT_PROTOCOL,
    DeclaredVlan,
    VlanLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import (
    Claim,
    addresses_twice,
    ipv6_is_off,
    is_link_local,
    small_mtu,
    subnet_clashes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_ports import what_it_is, why_no_port
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

# Of more VLANs with one problem, only the first are named.
_NAMED = 3


@dataclass(eq=False)
class VlanPlan:
    """One VLAN as it is, and as it becomes. ``link`` is the device of its name, ``before`` None where it is no VLAN.

    ``after`` is None where there shall be none, or where what is there is in its way.
    """

    declared: DeclaredVlan
    link: Optional[SeenLink]
    before: Optional[VlanLink] = None
    after: Optional[VlanLink] = None
    # Addresses that are not this task's to remove, and are in neither.
    kept_addresses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def is_removed(self) -> bool:
        return self.before is not None and self.declared.state == "absent"

    @property
    def come(self) -> Sequence[str]:
        """The addresses that it does not have yet."""
        present = (self.before and self.before.addresses) or ()
        return [each for each in (self.after and self.after.addresses) or () if each not in present]

    @property
    def mismatch(self) -> Optional[str]:
        """Why the device of its name is not the declared VLAN."""
        if self.link is None:
            return None
        if self.link.vlan is None:
            return (
                f"name: this host's device of that name is not a VLAN but {what_it_is(self.link)}. Choose another name"
            )
        wanted, vlan = self.declared.vlan, self.link.vlan
        parent = "a device of another network namespace" if self.link.other_namespace else self.link.below
        if (
            wanted.parent in (None, self.link.below)
            and wanted.id in (None, vlan.id)
            and wanted.protocol in (None, vlan.protocol)
        ):
            return None
        return (
            f"name: this host's VLAN of that name has the ID {vlan.id} on {parent} by {vlan.protocol}, and this cannot "
            "be changed. Choose another name, or remove that one first with state: absent"
        )


Plans = Mapping[str, VlanPlan]


@dataclass(frozen=True)
class _Refusal:
    name: str
    text: str
    missing: bool = False


def devices_below(name: Optional[str], plans: Plans, seen: SeenHost) -> list[str]:
    """The device, the one that it is on if it is a VLAN, and so on. They need not be there."""
    below: list[str] = []
    while name and name not in below:
        below.append(name)
        plan, link = plans.get(name), seen.links.get(name)
        if plan is not None and plan.after is not None:
            name = plan.after.parent
        else:
            name = link.below if link is not None and link.vlan is not None else None
    return below


def check_vlans(plans: Plans, seen: SeenHost) -> list[Problem]:
    """Every reason why the VLANs, as they would be after this run, cannot be had."""
    refusals: list[_Refusal] = []
    for plan in plans.values():
        texts = [plan.mismatch] if plan.mismatch else [*_removal_texts(plan, plans, seen)]
        refusals += [_Refusal(plan.name, text) for text in texts]
        if plan.after is not None:
            refusals += _parent_refusals(plan, plan.after, plans, seen)
            refusals += _bridge_refusals(plan, plan.after, plans, seen)
            texts = [*_address_texts(plan, plan.after), *_link_texts(plan, plan.after, plans, seen)]
            refusals += [_Refusal(plan.name, text) for text in texts]
    refusals += _identity_refusals(plans, seen)
    refusals += _missing_bridges(plans, seen)
    refusals += _full_bridges(plans, seen)
    return [*_merged(refusals), *_ipv6_problems(plans, seen), *_subnet_problems(plans, seen)]


def _merged(refusals: Sequence[_Refusal]) -> Iterator[Problem]:
    """Each problem once, with all VLANs that have it."""
    names: dict[tuple[str, bool], list[str]] = {}
    for each in refusals:
        names.setdefault((each.text, each.missing), []).append(each.name)
    for (text, missing), having in names.items():
        yield Problem(f"{' '.join(_listed(having, 'VLAN'))}: {text}", missing=missing)


def _listed(names: Sequence[str], noun: str) -> tuple[str, str]:
    """The noun, in the plural where it must be, and the names."""
    named = ", ".join(map(repr, names[:_NAMED])) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return noun if len(names) == 1 else f"{noun}s", named


# Which VLAN it is.


def _identity_refusals(plans: Plans, seen: SeenHost) -> Iterator[_Refusal]:
    """The kernel has each ID of a parent once per protocol, whatever its name."""
    there: dict[tuple[object, ...], str] = {
        (link.below, link.vlan.id, link.vlan.protocol): link.name
        for link in seen.links.values()
        if link.vlan is not None and link.below is not None
    }
    owners: dict[tuple[object, ...], str] = {}
    for plan in plans.values():
        if plan.after is not None:
            key = (plan.after.parent, plan.after.id, plan.after.protocol)
            owner = owners.setdefault(key, plan.name)
            words = f"the ID {plan.after.id} on {plan.after.parent} by {plan.after.protocol}"
            if owner != plan.name:
                yield _Refusal(plan.name, f"id: {words} is declared as {owner!r} too. Keep one")
            found = there.get(key)
            if found not in (None, plan.name) and not (found in plans and plans[found].is_removed):
                yield _Refusal(
                    plan.name,
                    f"id: {words} is there under the name {found!r}, and the kernel takes no second one. Give it as "
                    "name, or remove that VLAN first",
                )
        elif plan.declared.state == "absent" and plan.link is None and not plan.declared.is_named:
            wanted = plan.declared.vlan
            found = there.get((wanted.parent, wanted.id, wanted.protocol or DEFAULT_PROTOCOL))
            if found is not None and found not in plans:
                yield _Refusal(
                    plan.name,
                    f"id: the ID {wanted.id} on {wanted.parent} is there under the name {found!r}. Give it as name to "
                    "have it removed",
                )


def _removal_texts(plan: VlanPlan, plans: Plans, seen: SeenHost) -> Iterator[str]:
    along = going_along(plan, plans, seen)
    if along and not plan.declared.force:
        yield (
            f"state: it cannot be removed, because these are on it and would go along: {', '.join(along)}. Remove them "
            "too, or give force: true"
        )


def going_along(plan: VlanPlan, plans: Plans, seen: SeenHost) -> list[str]:
    """The devices on a VLAN that is removed which are not declared to be, and which the kernel removes too."""
    if not plan.is_removed:
        return []
    on_it = [each.name for each in seen.stacked_on(plan.name)]
    return [name for name in on_it if not (name in plans and plans[name].is_removed)]


# What it is on.


def _parent_refusals(plan: VlanPlan, after: VlanLink, plans: Plans, seen: SeenHost) -> Iterator[_Refusal]:
    parent = after.parent or ""
    link, other = seen.links.get(parent), plans.get(parent)
    if plan.name in devices_below(parent, plans, seen):
        yield _Refusal(plan.name, "parent: it would be on itself. Name another")
    elif other is not None and other.declared.state == "absent":
        yield _Refusal(plan.name, f"parent: {parent!r} is declared with state: absent. Keep it, or name another")
    elif other is not None:
        if after.up and other.after is not None and not other.after.up:
            yield _Refusal(
                plan.name,
                f"up: a VLAN cannot be up while its parent is down, and {parent!r} is declared so. Change one",
            )
    elif link is None:
        text = f"parent: this host has no device {parent!r}. Make it first, or name another"
        yield _Refusal(plan.name, text, missing=True)
    elif link.loopback or not link.ethernet:
        kind = "the loopback device" if link.loopback else link.kind or "its hardware is of another type"
        text = f"parent: {parent!r} is not an Ethernet device ({kind}), and only these have VLANs. Name another"
        yield _Refusal(plan.name, text)
    limit = _mtu(parent, plans, seen)
    if plan.declared.vlan.mtu is not None and limit is not None and plan.declared.vlan.mtu > limit:
        yield _Refusal(
            plan.name,
            f"mtu: {plan.declared.vlan.mtu} is more than the {limit} of its parent {parent!r}, and the kernel takes no "
            "more. Raise the parent's first, or choose a smaller one",
        )


def _mtu(name: str, plans: Plans, seen: SeenHost) -> Optional[int]:
    """What the device will have. None where it is not known."""
    limits = []
    for each in devices_below(name, plans, seen):
        plan, link = plans.get(each), seen.links.get(each)
        declared = plan.declared.vlan.mtu if plan is not None else None
        if declared is not None:
            limits.append(declared)
            break
        if link is not None:
            # A VLAN's is made smaller along with its parent's.
            limits.append(link.mtu)
    return min(limits, default=None)


def _link_texts(plan: VlanPlan, after: VlanLink, plans: Plans, seen: SeenHost) -> Iterator[str]:
    if plan.before is None or not plan.before.up or after.up or plan.declared.force:
        return
    others = [each.name for each in seen.stacked_on(plan.name) if each.up and each.name not in plans]
    if others:
        yield (
            f"up: it cannot be taken down, because these are on it and would go down too: {', '.join(others)}. Take "
            "them down first, or give force: true"
        )


# What it is in.


def _bridge_refusals(plan: VlanPlan, after: VlanLink, plans: Plans, seen: SeenHost) -> Iterator[_Refusal]:
    name, link = plan.declared.vlan.bridge, plan.link
    if name:
        bridge = seen.links.get(name)
        if name == plan.name or name in plans or (bridge is not None and bridge.kind != "bridge"):
            kind = "a VLAN" if bridge is None or name in plans else what_it_is(bridge)
            yield _Refusal(plan.name, f"bridge: {name!r} is not a Linux bridge but {kind}. Name another")
        elif bridge is not None and name in devices_below(after.parent, plans, seen):
            yield _Refusal(plan.name, f"bridge: the VLAN is on {name!r} itself, and cannot be its port. Name another")
        elif link is not None and link.master != name:
            reason = why_no_port(link, seen)
            if reason:
                yield _Refusal(plan.name, f"bridge: {reason}")
            elif link.master is not None and not plan.declared.force:
                text = f"bridge: it is a port of {link.master} already. Take it out of there first, or give force: true"
                yield _Refusal(plan.name, text)
    if after.bridge and not plan.declared.force:
        joins = plan.before is None or plan.before.bridge != after.bridge
        there = [*(after.addresses or ()), *plan.kept_addresses]
        addresses = [each for each in (there if joins else plan.come) if not is_link_local(each)]
        if addresses:
            yield _Refusal(
                plan.name,
                f"addresses: as a port of {after.bridge} it does not receive what is sent to {', '.join(addresses)}: "
                "you may cut yourself off. Give them to the bridge, or give force: true to have it all the same",
            )


def _missing_bridges(plans: Plans, seen: SeenHost) -> Iterator[_Refusal]:
    missing: dict[str, str] = {}
    for plan in plans.values():
        bridge = plan.after.bridge if plan.after is not None else None
        if bridge and bridge not in seen.links and bridge not in plans:
            missing[plan.name] = bridge
    if missing:
        noun, which = _listed(list(dict.fromkeys(missing.values())), "bridge")
        text = f"bridge: this host has no {noun} {which}. Make {'it' if noun == 'bridge' else 'them'} first"
        yield from (_Refusal(name, text, missing=True) for name in missing)


def _full_bridges(plans: Plans, seen: SeenHost) -> Iterator[_Refusal]:
    ports: dict[str, set[str]] = {}
    for plan in plans.values():
        if plan.after is not None and plan.after.bridge:
            ports.setdefault(plan.after.bridge, set()).add(plan.name)
    for bridge, wanted in ports.items():
        present = {link.name for link in seen.ports_of(bridge)}
        stay = {name for name in present if name not in plans or (plans[name].after and name in wanted)}
        count = len(stay | wanted)
        if count > max(MAX_PORTS, len(present)):
            text = f"bridge: {bridge!r} would have {count} ports, and {MAX_PORTS} is the most. Use several bridges"
            for name in sorted(wanted - present):
                yield _Refusal(name, text)


# Addresses.


def _address_texts(plan: VlanPlan, after: VlanLink) -> Iterator[str]:
    yield from addresses_twice(plan.declared.vlan.addresses)
    yield from small_mtu("VLAN", plan.declared.vlan.mtu, after.addresses)


def _ipv6_problems(plans: Plans, seen: SeenHost) -> Iterator[Problem]:
    for plan in plans.values():
        if plan.come:
            present = None if plan.before is None else plan.before.addresses or ()
            wanted = (plan.after and plan.after.addresses) or ()
            yield from ipv6_is_off(f"VLAN {plan.name!r}", plan.name, present, wanted, seen)


def _subnet_problems(plans: Plans, seen: SeenHost) -> Iterator[Problem]:
    claims = [Claim(f"VLAN {plan.name!r}", plan.name, plan.come, plan.declared.force) for plan in plans.values()]
    leaving = {}
    for plan in plans.values():
        if plan.is_removed and plan.link is not None:
            leaving[plan.name] = {*plan.link.addresses}
        elif plan.before is not None and plan.after is not None:
            leaving[plan.name] = {*(plan.before.addresses or ())} - {*(plan.after.addresses or ())}
    return subnet_clashes(claims, leaving, seen)
