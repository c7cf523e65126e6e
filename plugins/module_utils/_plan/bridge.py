# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Planner of Linux bridges: what is declared and what was read give the steps. Pure: no Ansible, no backend."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    ROOT_TIMES,
    STP_FORWARD_DELAY,
    Bridge,
    DeclaredBridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Scalar,
    declarations,
    overlay,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    SeenBridge,
    SeenHost,
    SeenLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import (
    own_and_kept,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_checks import check_bridges
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_draft import Draft, difference, summary
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_give_back import (
    give_back_problems,
    give_back_step,
    give_back_warnings,
    returned,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_parts import (
    DEFAULT_MTU,
    change_step,
    clashing_routes,
    plan_parts,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_ports import (
    is_in_container,
    is_of_guest,
    what_it_is,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    BringUp,
    Change,
    Create,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_take_over import (
    with_uplink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_vlans import (
    as_read,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import Delete
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Problem, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.routes import (
    is_default,
    own_routes,
)


def plan_bridges(declared: Sequence[DeclaredBridge], seen: SeenHost) -> Plan:
    """Steps, differences and problems for all declared bridges at once.

    What is taken away comes first, so that it is free for those that come.
    """
    drafts = [_draft(with_uplink(each, seen), seen) for each in declared]
    problems = [problem for draft in drafts for problem in draft.problems]
    problems += clashing_routes(drafts, seen)
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
        differences=[each for draft in drafts if (each := difference(draft)) is not None],
        problems=problems,
        warnings=[warning for draft in drafts for warning in draft.warnings],
        result={"bridges": [summary(draft) for draft in drafts]},
    )


def _delete(names: Sequence[str]) -> Iterator[Step]:
    if names:
        noun = "bridge" if len(names) == 1 else "bridges"
        yield Delete(f"remove {noun} {', '.join(names)}", names[0], tuple(names[1:]))


def _draft(declared: DeclaredBridge, seen: SeenHost) -> Draft:
    draft = Draft(declared, seen.links.get(declared.name))
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


def _plan_removal(draft: Draft, seen: SeenHost) -> None:
    where = f"bridge {draft.name!r}: state:"
    network = seen.libvirt_bridges.get(draft.name)
    if network is not None:
        draft.problems.append(
            Problem(
                f"{where} it is the bridge of libvirt's network {network!r}. Remove or stop the network with "
                "virtnet.hypervisor.virt_net instead"
            )
        )
    others = [link for link in seen.ports_of(draft.name) if link.name != draft.declared.take_over]
    guests = [link.name for link in others if is_of_guest(link) or is_in_container(link)]
    if guests and not draft.declared.force:
        draft.problems.append(
            Problem(
                f"{where} it cannot be removed, because guests or containers are connected to it: {', '.join(guests)}. "
                "Disconnect or stop them, or give force: true to cut them off"
            )
        )
    _plan_return(draft, seen)
    stay = draft.given.routes if draft.given else ()
    routes = [each.route for each in seen.routes_through(draft.name) if is_default(each) and each not in stay]
    if routes and not draft.declared.force:
        draft.problems.append(
            Problem(
                f"{where} it cannot be removed, because the host's default route is through it: "
                f"{', '.join(route.words for route in routes)}. You may cut yourself off: give it back to the uplink "
                "with take_over, give the host another one first, or give force: true to do it all the same"
            )
        )


def _plan_return(draft: Draft, seen: SeenHost) -> None:
    """What goes back to the uplink before the bridge is removed."""
    declared, bridge = draft.declared, seen.links[draft.name]
    draft.given = found = returned(declared, bridge, seen)
    draft.problems += give_back_problems(declared, bridge, found, seen)
    if found is None or declared.take_over is None:
        return
    for text in give_back_warnings(declared.take_over, found):
        draft.warn(text)
    draft.removals.append(give_back_step(draft.name, declared.take_over, found))
    shown = found.shown_of(declared.take_over)
    draft.was.update({name: [] for name in shown})
    draft.will_be.update(shown)


# Making.


def _plan_new(draft: Draft, seen: SeenHost) -> None:
    name, declared = draft.name, draft.declared
    after = overlay(Bridge(), declared.bridge)
    # Chosen here and set at once. The kernel's choice would follow the ports, and udev might change it a moment later.
    after = replace(after, mac=after.mac or _first_port_mac(declared, seen) or _own_mac(seen.machine_id, name))
    draft.after = after
    # The kernel takes an MTU for the administrator's only when it is set on an existing bridge.
    properties = replace(after, ports=None, addresses=None, mtu=None, port_options=None, routes=None)
    draft.steps.append(Create(f"create bridge {name}", name, properties))
    plan_parts(draft, SeenLink(name, 0, "bridge", None, DEFAULT_MTU), Bridge(), seen)


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


def _plan_change(draft: Draft, link: SeenLink, bridge: SeenBridge, seen: SeenHost) -> None:
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
    follows = bridge.fixed_mac is not True if ports_change else bridge.fixed_mac is False and draft.declares("mac")
    if follows and "mac" not in changed:
        step = Change(f"keep the MAC address {before.mac} of bridge {name}", name, Bridge(mac=before.mac))
        (draft.removals if ports_change else draft.steps).append(step)
        draft.was["mac_follows_ports"], draft.will_be["mac_follows_ports"] = True, False
    if before.stp and not after.stp and "forward_delay" in changed:
        # The kernel looks at the delay first, and with the protocol still on it takes no short one.
        changed -= {"stp"}
        draft.steps.append(change_step(name, {"stp"}, after))
    if "vlan_filtering" in changed and after.vlan_filtering:
        # When the ports have their VLANs.
        changed -= {"vlan_filtering"}
    if changed:
        draft.steps.append(change_step(name, changed, after))
    if not link.up:
        draft.steps.append(BringUp(f"bring up bridge {name}", name, name))
        draft.was["up"], draft.will_be["up"] = False, True
    plan_parts(draft, link, before, seen)


def _as_read(draft: Draft, link: SeenLink, bridge: SeenBridge, seen: SeenHost) -> Bridge:
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


def _stays(draft: Draft, port: SeenLink) -> bool:
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


def _becomes(draft: Draft, before: Bridge, bridge: SeenBridge) -> Bridge:
    """What the bridge becomes, with what the kernel makes of it."""
    after = overlay(before, draft.declared.bridge)
    least, most = STP_FORWARD_DELAY
    if after.stp and not before.stp and not draft.declares("forward_delay"):
        after = replace(after, forward_delay=min(max(after.forward_delay or 0, least), most))
    if not bridge.is_root:
        reason = "another bridge is the root of the spanning tree. Its times are in force, and the kernel does not tell"
        after = _leave(draft, ROOT_TIMES, before, after, f"{reason} this bridge's own")
    if bridge.tree_changes:
        reason = "the spanning tree is changing. A short one is in force, and the kernel does not tell the bridge's own"
        after = _leave(draft, ("ageing_time",), before, after, f"{reason}. Run again in a minute")
    return after


def _leave(draft: Draft, options: Sequence[str], before: Bridge, after: Bridge, reason: str) -> Bridge:
    """What the bridge becomes when those of the options stay that the kernel does not tell."""
    unknown = [option for option in options if getattr(before, option) != getattr(after, option)]
    if unknown:
        draft.warn(f"{', '.join(unknown)}: left alone, because {reason}")
    return replace(after, **{option: getattr(before, option) for option in unknown})
