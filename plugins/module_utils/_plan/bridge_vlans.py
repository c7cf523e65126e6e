# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""VLANs and isolation of a bridge's ports, and the VLANs of the bridge itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import VLAN_OPTIONS, Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import joined, spelled_ids, vlan_ids
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import Isolate, SetVlans, VlanEntry
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

# What the kernel gives new bridges (br_vlan_init() in net/bridge/br_vlan.c).
_FIRST_DEFAULT_PVID = 1


def as_read(wanted: Sequence[PortOptions], members: Collection[str], seen: SeenHost) -> tuple[PortOptions, ...]:
    """The declared ports as they are. ``members`` are the bridge and its ports; others have nothing yet."""
    return tuple(
        seen.port_options.get(port.name or "", PortOptions(name=port.name))
        if port.name in members
        else PortOptions(name=port.name)
        for port in wanted
    )


def becoming(
    wanted: Sequence[PortOptions], present: Sequence[PortOptions], before: Bridge, after: Bridge
) -> tuple[tuple[PortOptions, ...], dict[str, list[LinkStep]]]:
    """What the declared ports become, and the steps to it, by port."""
    ends: list[PortOptions] = []
    steps: dict[str, list[LinkStep]] = {}
    for options, seen in zip(wanted, present):
        start = _start(seen, before.default_pvid, after.default_pvid)
        end = _end(start, options)
        ends.append(end)
        name, own = options.name or "", after.name or ""
        todo = steps.setdefault(name, [])
        if options.has_vlans and _vlans(start) != _vlans(end):
            todo.append(_set_vlans(own, name, {*vlan_ids(seen.vids or ""), *vlan_ids(start.vids or "")}, end))
        if options.isolated is not None and bool(start.isolated) != options.isolated:
            words = "isolate" if options.isolated else "no longer isolate"
            todo.append(Isolate(f"{words} port {name} of bridge {own}", own, name, options.isolated))
    return tuple(ends), steps


def _vlans(options: PortOptions) -> tuple[Optional[str], Optional[int], Optional[str]]:
    return options.vids, options.pvid, options.untagged


def _start(seen: PortOptions, was: Optional[int], becomes: Optional[int]) -> PortOptions:
    """What the kernel makes of a port by itself: __br_vlan_set_default_pvid() and nbp_vlan_init()."""
    default = _FIRST_DEFAULT_PVID if becomes is None else becomes
    if seen.vids is None:
        ids = str(default or "")
        return PortOptions(name=seen.name, vids=ids, pvid=default, untagged=ids, isolated=False)
    vids, untagged, pvid = vlan_ids(seen.vids), vlan_ids(seen.untagged or ""), seen.pvid
    has_default = was is not None and pvid == was and was in untagged
    if was == default or (was and not has_default) or (default and default in vids):
        return seen
    if was:
        vids.discard(was)
        untagged.discard(was)
        pvid = 0
    if default:
        vids.add(default)
        untagged.add(default)
        pvid = default
    return replace(seen, vids=spelled_ids(vids), pvid=pvid, untagged=spelled_ids(untagged))


def _end(start: PortOptions, options: PortOptions) -> PortOptions:
    vids = start.vids if options.vids is None else options.vids
    ids = vlan_ids(vids or "")
    untagged = options.untagged
    if untagged is None:
        untagged = spelled_ids(vlan_ids(start.untagged or "") & ids)
    pvid = options.pvid
    if pvid is None:
        pvid = start.pvid if start.pvid in ids else 0
    isolated = start.isolated if options.isolated is None else options.isolated
    return PortOptions(name=options.name, vids=vids, pvid=pvid, untagged=untagged, isolated=isolated)


def _set_vlans(bridge: str, port: str, present: set[int], end: PortOptions) -> SetVlans:
    ids, untagged = vlan_ids(end.vids or ""), vlan_ids(end.untagged or "")
    pvid = {end.pvid} & ids
    put = [
        *(VlanEntry(first, last, False, False) for first, last in joined(ids - untagged - pvid)),
        *(VlanEntry(first, last, True, False) for first, last in joined(ids & untagged - pvid)),
        *(VlanEntry(number, number, number in untagged, True) for number in pvid if number),
    ]
    whose = f"bridge {bridge} itself" if port == bridge else f"port {port} of bridge {bridge}"
    parts = [f"{end.vids or 'none'}"]
    parts += [f"pvid {end.pvid}"] if end.pvid else []
    parts += [f"untagged {end.untagged}"] if end.untagged else []
    return SetVlans(f"set VLANs of {whose}: {', '.join(parts)}", bridge, port, tuple(put), tuple(joined(present - ids)))


# What is refused, and warned of.


def port_option_problems(
    name: str, wanted: Optional[Bridge], after: Bridge, members: Collection[str], seen: SeenHost
) -> Iterator[Problem]:
    """``wanted`` is what is declared, ``members`` are the ports in the end."""
    if wanted is None:
        return
    link = seen.links.get(name)
    known = seen.knows_vlans if link is None or link.bridge is None else _has_vlans(link.bridge.properties)
    declared = [option for option in VLAN_OPTIONS if getattr(wanted, option) is not None]
    declared += [f"port_options[{port.name}]" for port in wanted.port_options or () if port.has_vlans]
    if declared and not known:
        yield Problem(
            f"bridge {name!r}: {', '.join(declared)}: this host's kernel has no VLANs on bridges "
            "(CONFIG_BRIDGE_VLAN_FILTERING). Use a kernel that has, or one bridge per VLAN with "
            "virtnet.hypervisor.virt_vlan"
        )
    ends = {port.name: port for port in after.port_options or ()}
    for port in wanted.port_options or ():
        where = f"bridge {name!r}: port_options[{port.name}]"
        if port.name == name:
            if port.isolated is not None:
                yield Problem(f"{where}.isolated: the bridge itself cannot be isolated, only its ports. Omit it here")
        elif port.name not in members:
            yield Problem(
                f"{where}: {port.name} is not a port of the bridge. Name it in ports, plug it in first, or omit it here"
            )
        for text in _vlan_problems(port, ends[port.name]):
            yield Problem(f"{where}.{text}")


def _has_vlans(bridge: Bridge) -> bool:
    """vlan_filtering is there on every kernel, and means nothing on some."""
    return bridge.default_pvid is not None


def _vlan_problems(port: PortOptions, end: PortOptions) -> Iterator[str]:
    ids = vlan_ids(end.vids or "")
    if port.pvid and port.pvid not in ids:
        yield f"pvid: {port.pvid} is not among its VLANs, which are {end.vids or 'none'}. Add it to vids"
    missing = vlan_ids(port.untagged or "") - ids
    if missing:
        yield (
            f"untagged: {spelled_ids(missing)} is not among its VLANs, which are {end.vids or 'none'}. Add it to vids, "
            "or omit it here"
        )


def has_no_effect(wanted: Bridge, after: Bridge) -> Optional[str]:
    """What to warn of: VLANs that the bridge keeps and does not heed."""
    ports = [port.name or "" for port in wanted.port_options or () if port.has_vlans]
    if not ports or after.vlan_filtering:
        return None
    return (
        f"port_options[{', '.join(ports)}]: the VLANs have no effect, because the bridge does not filter them. Set "
        "vlan_filtering: true for that"
    )
