# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The parts of a bridge that have messages of their own: ports and VLANs, addresses, routes, and its MTU. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    Bridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import MAIN_TABLE, SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import change_addresses
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_draft import Draft
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_ports import is_of_guest
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    RemovePort,
    TakeOver,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_take_over import (
    handover,
    take_over_problems,
    take_over_step,
    take_over_warnings,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_vlans import (
    as_read,
    becoming,
    has_no_effect,
    port_option_problems,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.routes import (
    change_routes,
    route_clashes,
    route_problems,
    sorted_routes,
)

# The kernel's MTU for a bridge without ports.
DEFAULT_MTU = 1500


def plan_parts(draft: Draft, link: SeenLink, before: Bridge, seen: SeenHost) -> None:
    """The bridge's ports with their VLANs, what it takes over, its addresses and routes. ``link`` is the bridge's."""
    draft.given = given = handover(draft.declared, seen)
    _plan_ends(draft, before)
    after = draft.after or Bridge()
    port_steps = _port_steps(draft, before, seen)
    draft.steps += port_steps.pop(draft.name, ())
    _plan_ports(draft, before, after, port_steps, seen)
    draft.steps += [step for steps in port_steps.values() for step in steps]
    if after.vlan_filtering and before.vlan_filtering is False:
        draft.steps.append(change_step(draft.name, {"vlan_filtering"}, after))
    _plan_mtu(draft, link.mtu, after, seen)
    if given is not None:
        link = replace(link, addresses=(*link.addresses, *given.addresses))
    _plan_addresses(draft, link, before, after)
    _plan_routes(draft, before, after)


def _plan_ends(draft: Draft, before: Bridge) -> None:
    """What becomes of the addresses and routes, and what is refused of a takeover."""
    given, declared, after = draft.given, draft.declared.bridge, draft.after or Bridge()
    draft.problems += take_over_problems(draft.declared, given)
    if given is not None:
        if declared.addresses is None:
            after = replace(after, addresses=tuple(sorted({*(before.addresses or ()), *given.lasting})))
        kept = [each for each in given.expiring if each not in (declared.addresses or ())]
        draft.kept_addresses = tuple(dict.fromkeys((*draft.kept_addresses, *kept)))
        for text in take_over_warnings(given):
            draft.warn(text)
        shown = given.shown_of(given.giver.name)
        draft.was.update(shown)
        draft.will_be.update({name: [] for name in shown})
    # A route is declared as a whole.
    draft.after = after = replace(after, routes=declared.routes)
    addresses = (*(after.addresses or ()), *draft.kept_addresses)
    draft.problems += route_problems(f"bridge {draft.name!r}", declared.routes or (), addresses)


def _port_steps(draft: Draft, before: Bridge, seen: SeenHost) -> dict[str, list[LinkStep]]:
    """Steps for the VLANs and the isolation of each declared port."""
    wanted, after = draft.declared.bridge, draft.after or Bridge()
    steps: dict[str, list[LinkStep]] = {}
    ends = None
    if wanted.port_options is not None:
        present = before.port_options or as_read(wanted.port_options, (), seen)
        ends, steps = becoming(wanted.port_options, present, before, after)
    draft.after = after = replace(after, port_options=ends)
    draft.problems += port_option_problems(draft.name, wanted, after, {*(after.ports or ()), *draft.kept_ports}, seen)
    text = has_no_effect(wanted, after)
    if text:
        draft.warn(text)
    return steps


def _plan_ports(
    draft: Draft, before: Bridge, after: Bridge, port_steps: dict[str, list[LinkStep]], seen: SeenHost
) -> None:
    """``port_steps`` of new ports come right behind their becoming ports, and are taken out."""
    name, old, new = draft.name, {*(before.ports or ())}, {*(after.ports or ())}
    given = draft.given
    draft.removals += [RemovePort(f"remove port {port} from bridge {name}", name, port) for port in sorted(old - new)]
    if given is not None:
        todo = port_steps.pop(given.giver.name, []) if given.giver.name not in old else []
        draft.steps.append(take_over_step(name, given, todo))
        new.discard(given.giver.name)
    for port in sorted(new - old):
        draft.steps += [AddPort(f"add port {port} to bridge {name}", name, port), *port_steps.pop(port, ())]
    down = [port for port in draft.declared.bridge.ports or () if port in old and not seen.links[port].up]
    draft.steps += [BringUp(f"bring up port {port} of bridge {name}", name, port) for port in down]
    if down:
        draft.was["ports_down"], draft.will_be["ports_down"] = down, []


def _plan_mtu(draft: Draft, current: int, after: Bridge, seen: SeenHost) -> None:
    """An MTU that was never set follows the ports, so it is set after them."""
    if not draft.declares("mtu") or after.mtu is None:
        return
    name, wanted = draft.name, after.mtu
    ports = [seen.links[port] for port in (*(after.ports or ()), *draft.kept_ports) if port in seen.links]
    ports_change = any(isinstance(step, (AddPort, RemovePort, TakeOver)) for step in (*draft.removals, *draft.steps))
    may_follow = ports_change and min((port.mtu for port in ports), default=DEFAULT_MTU) != wanted
    if current != wanted or may_follow:
        draft.steps.append(change_step(name, {"mtu"}, after))
    small = [f"{port.name} ({port.mtu})" for port in ports if port.mtu < wanted and not is_of_guest(port)]
    if small:
        draft.warn(
            f"mtu: {wanted} is more than these ports take, and what is larger does not pass them: {', '.join(small)}"
        )


def _plan_addresses(draft: Draft, link: SeenLink, before: Bridge, after: Bridge) -> None:
    old = (*(before.addresses or ()), *(draft.given.lasting if draft.given else ()))
    change = change_addresses(
        f"bridge {draft.name}", link, tuple(dict.fromkeys(old)), after.addresses or (), draft.kept_addresses
    )
    draft.steps += change.steps
    if change.lasts:
        draft.was["temporary_addresses"] = list(change.lasts)


def _plan_routes(draft: Draft, before: Bridge, after: Bridge) -> None:
    if after.routes is None:
        return
    taken = draft.given.routes if draft.given else ()
    mine = [each for each in taken if each.table == MAIN_TABLE and (each.by_hand or each.route in after.routes)]
    old = [*(before.routes or ()), *(each.route for each in mine)]
    draft.steps += change_routes(f"bridge {draft.name}", draft.name, sorted_routes(old), after.routes)


def clashing_routes(drafts: Sequence[Draft], seen: SeenHost) -> Iterator[Problem]:
    gone = {draft.name for draft in drafts if draft.is_removed}
    gone |= {draft.given.giver.name for draft in drafts if draft.given}
    wanted: dict[str, Sequence[Route]] = {}
    leaving: dict[str, set[Route]] = {}
    for draft in drafts:
        if draft.is_removed and draft.given is not None:
            # What it gives back stays this host's.
            stay = {each.route for each in draft.given.routes}
            gone.discard(draft.name)
            leaving[draft.name] = {each.route for each in seen.routes_through(draft.name)} - stay
    for draft in drafts:
        if draft.after is not None and draft.after.routes is not None:
            wanted[draft.name] = draft.after.routes
            old = (draft.before or Bridge()).routes or ()
            leaving[draft.name] = {*old} - {*draft.after.routes}
    return route_clashes(wanted, gone, leaving, seen)


def change_step(name: str, options: set[str], after: Bridge) -> Change:
    given = {option: value for option, value in to_options(after).items() if option in options}
    words = [f"{option} {_spelled(value)}" for option, value in given.items()]
    return Change(f"change bridge {name}: {', '.join(words)}", name, Bridge(**given))


def _spelled(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
