# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a network that is defined comes to be another: live, by a restart, or at its next start. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import OWN_BRIDGE_MODES, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import declared_part, to_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    GuestNic,
    SeenHypervisor,
    SeenNetwork,
    nat_subnets,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_draft import Draft
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Describe,
    Hold,
    Plug,
    Release,
    Start,
    Stop,
    Sweep,
    Update,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_update import (
    FIREWALLED_MODES,
    LiveChange,
    live_changes,
    rebuilds,
)

_DESCRIBES_LIVE_SINCE = 9_007_000
_RENEWS_PORTS_SINCE = 10_008_000
# Each change of a lease or range rebuilds the firewall, in 0.2 to 0.5 s during which what is forwarded is refused. A
# restart takes as long once, and is a gap in all traffic of the guests: it has to save something. Where the rules can
# be held, a change costs time but no packet, and the restart has to save more.
_REBUILDS_WORTH_A_RESTART = 3
_HELD_REBUILDS_WORTH_A_RESTART = 10
# What a guest's port has from the network, of which a re-plug restores what the guest started with.
_OF_PORTS = ("vlan", "virtualport", "port_isolation")
# An isolated network forwards nothing.
_FORWARDING_MODES = ("nat", "route")


def plan_change(
    draft: Draft, known: SeenNetwork, after: Network, nics: Sequence[GuestNic], seen: SeenHypervisor
) -> None:
    """Bring both copies of the network to what is declared, each from what it is."""
    declared, name = draft.declared, draft.declared.name
    running = known.live if declared.state != "inactive" else None
    live: list[LiveChange] = []
    if running is not None:
        live_after = becomes(running, declared.network)
        live, reached = live_changes(running, live_after, loses_rules=seen.loses_rules, busy=known.busy)
        if _without_description(reached) != _without_description(live_after):
            _plan_restart(draft, reached, live_after, nics, known)
        else:
            _plan_cheapest(draft, rebuilds(live, running), running, nics, seen)
    config_changes, config_reached = (
        live_changes(known.config, after, loses_rules=seen.loses_rules, busy=known.busy)
        if known.config is not None
        else ([], None)
    )
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
            draft.refuse("state", f"{text}. Stop the network first (state: inactive)")
    if running is not None:
        _add_updates(draft, running, live, seen, config=not define and bool(config_changes))
    if draft.restarts:
        _add_restart(draft, known, after, nics, seen)
    elif running is not None and seen.version >= _DESCRIBES_LIVE_SINCE:
        _add_descriptions(draft, running, live_after)


def _add_updates(
    draft: Draft, running: Network, live: Sequence[LiveChange], seen: SeenHypervisor, *, config: bool
) -> None:
    name = draft.declared.name
    held = seen.can_hold and running.mode in _FORWARDING_MODES and rebuilds(live, running) > 0
    if held:
        draft.steps.append(_hold(name, running, "libvirt rebuilds them"))
    draft.steps.extend(_update(name, change, config=config) for change in live)
    if held:
        draft.steps.append(_release(name))


def _release(name: str) -> Release:
    return Release(f"let go of the firewall rules of network {name}")


def _hold(name: str, running: Network, while_: str) -> Hold:
    subnets = [ipaddress.ip_interface(ip.address or "").network for ip in running.ips or ()]
    words = f"hold the firewall rules of network {name} while {while_}"
    return Hold(words, name, running.bridge_name or "", tuple(map(str, subnets)))


def _update(name: str, change: LiveChange, *, config: bool) -> Update:
    return Update(
        f"{change.words} of network {name}" + ("" if config else ", as it runs"),
        name,
        section=change.section,
        command=change.command,
        item=change.item,
        ip=change.ip,
        live=True,
        config=config,
    )


def _without_description(network: Network) -> Network:
    """Without what nothing depends on: libvirt shows the definition's at the next start, or when it is told."""
    return replace(network, title=None, description=None, metadata=None)


def _add_descriptions(draft: Draft, running: Network, after: Network) -> None:
    name = draft.declared.name
    for kind in ("title", "description"):
        if getattr(running, kind) != getattr(after, kind):
            text = getattr(after, kind) or ""
            draft.steps.append(Describe(f"set the {kind} of network {name}, as it runs", name, kind, text))


# Restarts.


def _plan_restart(draft: Draft, live: Network, after: Network, nics: Sequence[GuestNic], known: SeenNetwork) -> None:
    """The running network, all live changes made, differs in something that libvirt takes only at its start."""
    what = ", ".join(_changed_options(live, after))
    in_use = known.busy - set((after.forward and after.forward.interfaces) or ()) if live.is_macvtap else frozenset()
    if in_use and draft.declared.if_restart_needed != "defer":
        draft.refuse(
            f"forward.interfaces[{', '.join(sorted(in_use))}]",
            f"running guests are on it: {', '.join(sorted({nic.owner for nic in nics}))}. Stop them, or use "
            "if_restart_needed: defer",
        )
        return
    if draft.declared.if_restart_needed == "restart":
        stuck = _cannot_be_plugged(known.live or live, after, nics)
        if stuck:
            draft.refuse(
                what,
                f"this takes a restart, and guests with macvtap devices, devices of the host or Open vSwitch ports "
                f"cannot be re-plugged: {', '.join(stuck)}. Stop them, or use if_restart_needed: defer",
            )
        draft.restarts = True
        return
    if draft.declared.if_restart_needed == "fail":
        draft.refuse(
            what,
            "libvirt cannot change this on a running network. Use if_restart_needed: restart (guests are re-plugged) "
            "or defer (takes effect at the next start)",
        )
        return
    draft.pending = {"running": to_options(declared_part(live, draft.declared.network))}
    draft.warn(
        what,
        "defined, and takes effect when the network starts next. Use if_restart_needed: restart to have it now",
    )


def _cannot_be_plugged(live: Network, after: Network, nics: Sequence[GuestNic]) -> list[str]:
    """Guests that a restart would cut off."""
    if not nics or (live.has_ports and after.has_ports and not _moves_to_open_vswitch(live, after)):
        return []
    return sorted({nic.owner for nic in nics})


def _moves_to_open_vswitch(live: Network, after: Network) -> bool:
    is_ovs = [bool(each.virtualport and each.virtualport.type) for each in (live, after)]
    return any(is_ovs) and live.bridge_name != after.bridge_name


def _changed_options(before: Network, after: Network) -> list[str]:
    old, new = to_options(_without_description(before)), to_options(_without_description(after))
    return sorted(name for name in {**old, **new} if old.get(name) != new.get(name))


def _plan_cheapest(draft: Draft, count: int, running: Network, nics: Sequence[GuestNic], seen: SeenHypervisor) -> None:
    """Many leases or ranges: one restart is cheaper than as many rebuilds of the firewall, where it is allowed."""
    held = seen.can_hold or running.mode not in _FORWARDING_MODES
    if count < (_HELD_REBUILDS_WORTH_A_RESTART if held else _REBUILDS_WORTH_A_RESTART):
        return
    if draft.declared.if_restart_needed == "restart" and not _cannot_be_plugged(running, running, nics):
        draft.restarts = True
        return
    cost = "about half a second each time"
    if not held:
        cost = "and refuses what is forwarded for a part of a second each time"
    draft.warn(
        "ips",
        f"libvirt rebuilds the network's firewall rules for each of the {count} changes of leases and ranges, {cost}. "
        "if_restart_needed: restart does all in one",
    )


def _add_restart(
    draft: Draft, known: SeenNetwork, after: Network, nics: Sequence[GuestNic], seen: SeenHypervisor
) -> None:
    name = draft.declared.name
    live = known.live or after
    stays = live.mode not in OWN_BRIDGE_MODES and live.bridge_name == after.bridge_name
    plugs: list[Plug] = []
    if after.has_ports and not stays:
        plugs = [plug(draft, nic, after.bridge_name, seen) for nic in nics if nic.device]
    guests = ", ".join(sorted({nic.owner for nic in nics}))
    # A bridge of the host keeps its ports, whatever libvirt does.
    kept = [option for option in _OF_PORTS if getattr(live, option) != getattr(after, option)]
    if nics and kept and (stays or kept != ["port_isolation"] or not after.port_isolation):
        draft.warn(
            ", ".join(kept), f"this is for guests that start from now on. Running ones keep what they have: {guests}"
        )
    # Without any rule that needs it, the kernel ends the tracking of connections: answers from outside would reach the
    # host itself, and it would reset the connections of its guests.
    held = seen.can_hold and live.mode == "nat"
    if held:
        draft.steps.append(_hold(name, live, "it restarts"))
    draft.steps.append(Stop(f"stop network {name} for a restart", name))
    add_sweep(draft, seen)
    draft.steps.append(Start(f"start network {name} again", name, after_stop=True, plugs=tuple(plugs)))
    draft.steps.extend(plugs)
    if held:
        draft.steps.append(_release(name))


def add_sweep(draft: Draft, seen: SeenHypervisor) -> None:
    """Whoever has changed a DNS entry live, libvirt leaves the rules of the network that was stopped."""
    name = draft.declared.name
    if seen.loses_rules and draft.seen and draft.seen.live and draft.seen.live.mode in FIREWALLED_MODES:
        others = nat_subnets(each for each in seen.networks.values() if each.name != name)
        draft.steps.append(Sweep(f"remove firewall rules that libvirt has left of network {name}, if any", others))


def plug(draft: Draft, nic: GuestNic, bridge: Optional[str], seen: SeenHypervisor) -> Plug:
    name, after = draft.declared.name, draft.after or Network()
    if after.port_isolation and not nic.isolated:
        nic = replace(nic, isolated=True)
    where = bridge or f"the bridge of network {name}"
    whose = f" of guest {nic.domain}" if nic.domain else ""
    return Plug(
        f"plug {nic.device}{whose} into {where}",
        name,
        nic,
        bridge,
        own=after.mode in OWN_BRIDGE_MODES,
        # The host's end of a veth pair has another address than the guest's.
        static=bool(nic.domain and after.bridge and after.bridge.mac_table_manager == "libvirt"),
        renew=bool(nic.domain) and seen.version >= _RENEWS_PORTS_SINCE and nic.bridge is None,
    )
