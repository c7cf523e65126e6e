# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Planner of Linux bridges: what is declared and what was read give the steps. Pure: no Ansible, no backend."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    ROOT_TIMES,
    STP_FORWARD_DELAY,
    Bridge,
    DeclaredBridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Scalar,
    declarations,
    declared_part,
    overlay,
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    MAIN_TABLE,
    SeenBridge,
    SeenHost,
    SeenLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import (
    change_addresses,
    own_and_kept,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_checks import check_bridges
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_ports import (
    is_in_container,
    is_of_guest,
    what_it_is,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    Create,
    RemovePort,
    TakeOver,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_take_over import (
    Handover,
    handover,
    take_over_problems,
    take_over_step,
    take_over_warnings,
    with_uplink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_vlans import (
    as_read,
    becoming,
    has_no_effect,
    port_option_problems,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import Delete, LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Plan, Problem, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.routes import (
    change_routes,
    is_default,
    own_routes,
    route_clashes,
    route_problems,
    sorted_routes,
)

# The kernel's MTU for a bridge without ports.
_DEFAULT_MTU = 1500


@dataclass
class _Draft:
    """The plan of one bridge while it is being made."""

    declared: DeclaredBridge
    link: Optional[SeenLink]
    # As it is, and as it becomes, without the ports and addresses that are not this task's to remove. None: no bridge.
    before: Optional[Bridge] = None
    after: Optional[Bridge] = None
    # Those ports and addresses.
    kept_ports: tuple[str, ...] = ()
    kept_addresses: tuple[str, ...] = ()
    # What the bridge takes over from its uplink.
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

    def warn(self, text: str) -> None:
        self.warnings.append(f"bridge {self.name!r}: {text}")


def plan_bridges(declared: Sequence[DeclaredBridge], seen: SeenHost) -> Plan:
    """Steps, differences and problems for all declared bridges at once.

    What is taken away comes first, so that it is free for those that come.
    """
    drafts = [_draft(with_uplink(each, seen), seen) for each in declared]
    problems = [problem for draft in drafts for problem in draft.problems]
    problems += _route_clashes(drafts, seen)
    problems += check_bridges(
        [draft.declared for draft in drafts if draft.link is None or draft.link.bridge],
        {draft.name: draft.before for draft in drafts},
        {draft.name: draft.after for draft in drafts},
        seen,
    )
    removed = [draft.name for draft in drafts if draft.is_removed]
    return Plan(
        steps=[
            *(step for draft in drafts for step in draft.removals),
            *_delete(removed),
            *(step for draft in drafts for step in draft.steps),
        ],
        differences=[difference for draft in drafts if (difference := _difference(draft)) is not None],
        problems=problems,
        warnings=[warning for draft in drafts for warning in draft.warnings],
        result={"bridges": [_summary(draft) for draft in drafts]},
    )


def _delete(names: Sequence[str]) -> Iterator[Step]:
    if names:
        noun = "bridge" if len(names) == 1 else "bridges"
        yield Delete(f"remove {noun} {', '.join(names)}", names[0], tuple(names[1:]))


def _draft(declared: DeclaredBridge, seen: SeenHost) -> _Draft:
    draft = _Draft(declared, seen.links.get(declared.name))
    if draft.link is not None and draft.link.bridge is None:
        draft.problems.append(
            Problem(
                f"bridge {draft.name!r}: name: this host's device of that name is not a Linux bridge but "
                f"{what_it_is(draft.link)}. Choose another name"
            )
        )
    elif declared.state == "absent":
        if draft.link is not None and draft.link.bridge is not None:
            draft.before = _as_read(draft, draft.link, draft.link.bridge, seen)
            _plan_removal(draft, seen)
    elif draft.link is None or draft.link.bridge is None:
        _plan_new(draft, seen)
    else:
        _plan_change(draft, draft.link, draft.link.bridge, seen)
    return draft


# Removing.


def _plan_removal(draft: _Draft, seen: SeenHost) -> None:
    where = f"bridge {draft.name!r}: state:"
    network = seen.libvirt_bridges.get(draft.name)
    if network is not None:
        draft.problems.append(
            Problem(
                f"{where} it is the bridge of libvirt's network {network!r}. Remove or stop the network with "
                "virtnet.hypervisor.virt_net instead"
            )
        )
    guests = [link.name for link in seen.ports_of(draft.name) if is_of_guest(link) or is_in_container(link)]
    if guests and not draft.declared.force:
        draft.problems.append(
            Problem(
                f"{where} it cannot be removed, because guests or containers are connected to it: {', '.join(guests)}. "
                "Disconnect or stop them, or give force: true to cut them off"
            )
        )
    routes = [each.route for each in seen.routes_through(draft.name) if is_default(each)]
    if routes and not draft.declared.force:
        draft.problems.append(
            Problem(
                f"{where} it cannot be removed, because the host's default route is through it: "
                f"{', '.join(route.words for route in routes)}. You may cut yourself off: give the host another one "
                "first, or give force: true to do it all the same"
            )
        )


# Making.


def _plan_new(draft: _Draft, seen: SeenHost) -> None:
    name, declared = draft.name, draft.declared
    after = overlay(Bridge(), declared.bridge)
    # Chosen here and set at once. The kernel's choice would follow the ports, and udev might change it a moment later.
    after = replace(after, mac=after.mac or _first_port_mac(declared, seen) or _own_mac(seen.machine_id, name))
    draft.after = after
    # The kernel takes an MTU for the administrator's only when it is set on an existing bridge.
    properties = replace(after, ports=None, addresses=None, mtu=None, port_options=None, routes=None)
    draft.steps.append(Create(f"create bridge {name}", name, properties))
    _plan_parts(draft, SeenLink(name, 0, "bridge", None, _DEFAULT_MTU), Bridge(), seen)


def _first_port_mac(declared: DeclaredBridge, seen: SeenHost) -> Optional[str]:
    port = seen.links.get(declared.first_port or "")
    return port.mac if port is not None and port.ethernet else None


def _own_mac(machine_id: str, name: str) -> Optional[str]:
    """A locally administered address that is this host's and this bridge's, and the same after each reboot."""
    if not machine_id:
        return None
    digest = hashlib.sha256(f"virtnet.hypervisor bridge {machine_id} {name}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in bytes([digest[0] & 0xFC | 0x02]) + digest[1:6])


# Changing.


def _plan_change(draft: _Draft, link: SeenLink, bridge: SeenBridge, seen: SeenHost) -> None:
    name = draft.name
    before = _as_read(draft, link, bridge, seen)
    after = _becomes(draft, before, bridge)
    draft.before, draft.after = before, after
    changed = {
        option
        for option, declared in declarations(Bridge)
        if isinstance(declared, Scalar) and option != "mtu" and getattr(before, option) != getattr(after, option)
    }
    ports_change = before.ports != after.ports
    # Whoever is connected knows the bridge by this address. It may only change when it is declared.
    follows = bridge.fixed_mac is not True if ports_change else bridge.fixed_mac is False and _declares(draft, "mac")
    if follows and "mac" not in changed:
        step = Change(f"keep the MAC address {before.mac} of bridge {name}", name, Bridge(mac=before.mac))
        (draft.removals if ports_change else draft.steps).append(step)
        draft.was["mac_follows_ports"], draft.will_be["mac_follows_ports"] = True, False
    if before.stp and not after.stp and "forward_delay" in changed:
        # The kernel looks at the delay first, and with the protocol still on it takes no short one.
        changed -= {"stp"}
        draft.steps.append(_change(name, {"stp"}, after))
    if "vlan_filtering" in changed and after.vlan_filtering:
        # When the ports have their VLANs.
        changed -= {"vlan_filtering"}
    if changed:
        draft.steps.append(_change(name, changed, after))
    if not link.up:
        draft.steps.append(BringUp(f"bring up bridge {name}", name, name))
        draft.was["up"], draft.will_be["up"] = False, True
    _plan_parts(draft, link, before, seen)


def _declares(draft: _Draft, option: str) -> bool:
    return getattr(draft.declared.bridge, option) is not None


def _as_read(draft: _Draft, link: SeenLink, bridge: SeenBridge, seen: SeenHost) -> Bridge:
    """The bridge as it is, and what stays of its ports and addresses whatever is declared."""
    declared = draft.declared.bridge
    ports = seen.ports_of(link.name)
    if declared.ports is not None:
        kept = [each for each in ports if each.name not in declared.ports and _stays(draft, each)]
        draft.kept_ports = tuple(each.name for each in kept)
    own, draft.kept_addresses = own_and_kept(link, declared.addresses)
    members = (link.name, *(each.name for each in ports))
    wanted_ports, wanted_routes = declared.port_options, declared.routes
    return replace(
        bridge.properties,
        port_options=None if wanted_ports is None else as_read(wanted_ports, members, seen),
        routes=None if wanted_routes is None else own_routes(link.name, wanted_routes, seen),
        ports=tuple(sorted(each.name for each in ports if each.name not in draft.kept_ports)),
        addresses=own,
    )


def _stays(draft: _Draft, port: SeenLink) -> bool:
    """Whether a port that is not declared is left alone."""
    if not draft.declared.purge_ports or is_of_guest(port):
        return True
    if is_in_container(port):
        draft.warn(
            f"ports: {port.name} is not declared and stays, because its other end is in another network namespace: a "
            f"container may be using it. If none is, remove it with: ip link set {port.name} nomaster"
        )
        return True
    return False


def _becomes(draft: _Draft, before: Bridge, bridge: SeenBridge) -> Bridge:
    """What the bridge becomes, with what the kernel makes of it."""
    after = overlay(before, draft.declared.bridge)
    least, most = STP_FORWARD_DELAY
    if after.stp and not before.stp and not _declares(draft, "forward_delay"):
        after = replace(after, forward_delay=min(max(after.forward_delay or 0, least), most))
    if not bridge.is_root:
        reason = "another bridge is the root of the spanning tree. Its times are in force, and the kernel does not tell"
        after = _leave(draft, ROOT_TIMES, before, after, f"{reason} this bridge's own")
    if bridge.tree_changes:
        reason = "the spanning tree is changing. A short one is in force, and the kernel does not tell the bridge's own"
        after = _leave(draft, ("ageing_time",), before, after, f"{reason}. Run again in a minute")
    return after


def _leave(draft: _Draft, options: Sequence[str], before: Bridge, after: Bridge, reason: str) -> Bridge:
    """What the bridge becomes when those of the options stay that the kernel does not tell."""
    unknown = [option for option in options if getattr(before, option) != getattr(after, option)]
    if unknown:
        draft.warn(f"{', '.join(unknown)}: left alone, because {reason}")
    return replace(after, **{option: getattr(before, option) for option in unknown})


def _change(name: str, options: set[str], after: Bridge) -> Change:
    given = {option: value for option, value in to_options(after).items() if option in options}
    words = [f"{option} {_spelled(value)}" for option, value in given.items()]
    return Change(f"change bridge {name}: {', '.join(words)}", name, Bridge(**given))


def _spelled(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


# Parts of a bridge.


def _plan_parts(draft: _Draft, link: SeenLink, before: Bridge, seen: SeenHost) -> None:
    """The bridge's ports with their VLANs, what it takes over, its addresses and routes. ``link`` is the bridge's."""
    draft.given = given = handover(draft.declared, seen)
    _plan_ends(draft, before)
    after = draft.after or Bridge()
    port_steps = _port_steps(draft, before, seen)
    draft.steps += port_steps.pop(draft.name, ())
    _plan_ports(draft, before, after, port_steps, seen)
    draft.steps += [step for steps in port_steps.values() for step in steps]
    if after.vlan_filtering and before.vlan_filtering is False:
        draft.steps.append(_change(draft.name, {"vlan_filtering"}, after))
    _plan_mtu(draft, link.mtu, after, seen)
    if given is not None:
        link = replace(link, addresses=(*link.addresses, *given.addresses))
    _plan_addresses(draft, link, before, after)
    _plan_routes(draft, before, after)


def _plan_ends(draft: _Draft, before: Bridge) -> None:
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
        uplink = given.uplink.name
        taken = {
            f"addresses_of_{uplink}": [*given.addresses, *given.dropped],
            f"routes_of_{uplink}": [each.route.words for each in (*given.routes, *given.dropped_routes)],
        }
        draft.was.update({name: values for name, values in taken.items() if values})
        draft.will_be.update({name: [] for name, values in taken.items() if values})
    # A route is declared as a whole.
    draft.after = after = replace(after, routes=declared.routes)
    addresses = (*(after.addresses or ()), *draft.kept_addresses)
    draft.problems += route_problems(f"bridge {draft.name!r}", declared.routes or (), addresses)


def _port_steps(draft: _Draft, before: Bridge, seen: SeenHost) -> dict[str, list[LinkStep]]:
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
    draft: _Draft, before: Bridge, after: Bridge, port_steps: dict[str, list[LinkStep]], seen: SeenHost
) -> None:
    """``port_steps`` of new ports come right behind their becoming ports, and are taken out."""
    name, old, new = draft.name, {*(before.ports or ())}, {*(after.ports or ())}
    given = draft.given
    draft.removals += [RemovePort(f"remove port {port} from bridge {name}", name, port) for port in sorted(old - new)]
    if given is not None:
        todo = port_steps.pop(given.uplink.name, []) if given.uplink.name not in old else []
        draft.steps.append(take_over_step(name, given, todo))
        new.discard(given.uplink.name)
    for port in sorted(new - old):
        draft.steps += [AddPort(f"add port {port} to bridge {name}", name, port), *port_steps.pop(port, ())]
    down = [port for port in draft.declared.bridge.ports or () if port in old and not seen.links[port].up]
    draft.steps += [BringUp(f"bring up port {port} of bridge {name}", name, port) for port in down]
    if down:
        draft.was["ports_down"], draft.will_be["ports_down"] = down, []


def _plan_mtu(draft: _Draft, current: int, after: Bridge, seen: SeenHost) -> None:
    """An MTU that was never set follows the ports, so it is set after them."""
    if not _declares(draft, "mtu") or after.mtu is None:
        return
    name, wanted = draft.name, after.mtu
    ports = [seen.links[port] for port in (*(after.ports or ()), *draft.kept_ports) if port in seen.links]
    ports_change = any(isinstance(step, (AddPort, RemovePort, TakeOver)) for step in (*draft.removals, *draft.steps))
    may_follow = ports_change and min((port.mtu for port in ports), default=_DEFAULT_MTU) != wanted
    if current != wanted or may_follow:
        draft.steps.append(_change(name, {"mtu"}, after))
    small = [f"{port.name} ({port.mtu})" for port in ports if port.mtu < wanted and not is_of_guest(port)]
    if small:
        draft.warn(
            f"mtu: {wanted} is more than these ports take, and what is larger does not pass them: {', '.join(small)}"
        )


def _plan_addresses(draft: _Draft, link: SeenLink, before: Bridge, after: Bridge) -> None:
    old = (*(before.addresses or ()), *(draft.given.lasting if draft.given else ()))
    change = change_addresses(
        f"bridge {draft.name}", link, tuple(dict.fromkeys(old)), after.addresses or (), draft.kept_addresses
    )
    draft.steps += change.steps
    if change.lasts:
        draft.was["temporary_addresses"] = list(change.lasts)


def _plan_routes(draft: _Draft, before: Bridge, after: Bridge) -> None:
    if after.routes is None:
        return
    taken = draft.given.routes if draft.given else ()
    old = [*(before.routes or ()), *(each.route for each in taken if each.table == MAIN_TABLE)]
    draft.steps += change_routes(f"bridge {draft.name}", draft.name, sorted_routes(old), after.routes)


def _route_clashes(drafts: Sequence[_Draft], seen: SeenHost) -> Iterator[Problem]:
    gone = {draft.name for draft in drafts if draft.is_removed}
    gone |= {draft.given.uplink.name for draft in drafts if draft.given}
    wanted: dict[str, Sequence[Route]] = {}
    leaving: dict[str, set[Route]] = {}
    for draft in drafts:
        if draft.after is not None and draft.after.routes is not None:
            wanted[draft.name] = draft.after.routes
            old = (draft.before or Bridge()).routes or ()
            leaving[draft.name] = {*old} - {*draft.after.routes}
    return route_clashes(wanted, gone, leaving, seen)


# What the user sees.


def _difference(draft: _Draft) -> Optional[Difference]:
    title = f"bridge {draft.name}"
    if draft.is_removed and draft.before is not None:
        return Difference(title, _shown(draft.before), {"state": "absent"})
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


def _summary(draft: _Draft) -> dict[str, Any]:
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
