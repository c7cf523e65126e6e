# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused of guests' ports: VLAN tags, bandwidth, virtual ports, portgroups. Pure.

The rules are those of networkValidate() and networkAllocatePort() in libvirt's src/network/bridge_driver.c. The latter
is asked when a guest starts, so that a mistake would cut off a guest long after the run that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    MACVTAP_MODES,
    OWN_BRIDGE_MODES,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import (
    PARAMETERS,
    PARAMETERS_OF,
    Bandwidth,
    PortGroup,
    VirtualPort,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import spell_version

_VLAN_ON_LINUX_BRIDGE_SINCE = 11_000_000


def port_problems(network: Network, version: int) -> Iterator[str]:
    if network.bandwidth:
        yield from _bandwidth_problems("bandwidth", network.bandwidth, network)
    if network.virtualport:
        yield from _virtualport_problems("virtualport", network.virtualport, network)
        if not network.virtualport.type:
            types = ", ".join(PARAMETERS_OF)
            yield f"virtualport.type: parameters belong to a type. Give one of {types}, or remove the parameters"
    groups = network.portgroups or ()
    for group in groups:
        where = f"portgroups[{group.name}]."
        if group.bandwidth:
            yield from _bandwidth_problems(f"{where}bandwidth", group.bandwidth, network)
        if group.virtualport:
            yield from _virtualport_problems(f"{where}virtualport", group.virtualport, network)
        if _is_tagged(group) or _is_tagged(network):
            yield from _vlan_problems(f"{where}vlan", group, network, version)
    defaults = [str(group.name) for group in groups if group.default]
    if len(defaults) > 1:
        yield f"portgroups: {' and '.join(defaults)} are both the default. Keep default: true in one of them"
    if _is_tagged(network) and not defaults:
        # With a default portgroup, no guest is on the network without one.
        yield from _vlan_problems("vlan", None, network, version)
    yield from _tag_problems("vlan", network)
    for group in groups:
        yield from _tag_problems(f"portgroups[{group.name}].vlan", group)


def _is_tagged(owner: Union[Network, PortGroup]) -> bool:
    return bool(owner.vlan and owner.vlan.tags)


def _bandwidth_problems(where: str, bandwidth: Bandwidth, network: Network) -> Iterator[str]:
    if not network.has_ports:
        yield f"{where}: only ports of a bridge are limited, and there is none in mode {network.mode}. Remove it"
    for direction, rate in (("inbound", bandwidth.inbound), ("outbound", bandwidth.outbound)):
        if rate is None or rate.average:
            continue
        for option in ("peak", "burst"):
            if getattr(rate, option):
                yield f"{where}.{direction}.{option}: this goes with an average. Give average too, or set {option}: 0"


def _vlan_problems(where: str, group: Optional[PortGroup], network: Network, version: int) -> Iterator[str]:
    """Only some kinds of ports can have tags."""
    port = (group.virtualport if group else None) or network.virtualport
    if network.mode == "bridge" and network.bridge_name:
        if port is None and version < _VLAN_ON_LINUX_BRIDGE_SINCE:
            yield (
                f"{where}: libvirt {spell_version(version)} sets VLAN tags on Open vSwitch ports only, and "
                f"{spell_version(_VLAN_ON_LINUX_BRIDGE_SINCE)} on a Linux bridge too. Use a bridge for each VLAN, set "
                "virtualport.type: openvswitch, or upgrade"
            )
        elif port is not None and port.type not in (None, "openvswitch"):
            yield f"{where}: a port of type {port.type} has no VLAN tags. Remove one of them"
    elif network.mode not in ("hostdev", "passthrough") or (group is not None and group.virtualport):
        yield (
            f"{where}: a network in mode {network.mode} has no VLAN tags. Remove it, or use the "
            "mode hostdev, passthrough, or bridge with bridge.name"
        )


def _tag_problems(where: str, owner: Union[Network, PortGroup]) -> Iterator[str]:
    native = [str(tag.id) for tag in (owner.vlan.tags or () if owner.vlan else ()) if tag.native_mode]
    if len(native) > 1:
        yield f"{where}.tags: {' and '.join(native)} are both native. Keep native_mode in one of them"


def _virtualport_problems(where: str, port: VirtualPort, network: Network) -> Iterator[str]:
    if network.mode in OWN_BRIDGE_MODES:
        fitting: tuple[str, ...] = ()
    elif network.has_ports:
        fitting = ("openvswitch", "midonet")
    else:
        fitting = ("802.1Qbg", "802.1Qbh") if network.mode in MACVTAP_MODES else ("802.1Qbh",)
    if not fitting:
        yield f"{where}: ports of a bridge that libvirt makes have none. Remove it (type: none)"
    elif port.type and port.type not in fitting:
        yield f"{where}.type: {port.type} does not go with the mode {network.mode}. Use {' or '.join(fitting)}"
    if port.type:
        for option in PARAMETERS:
            if getattr(port, option) is not None and option not in PARAMETERS_OF[port.type]:
                yield f"{where}.{option}: a port of type {port.type} has none. Remove it"
    if port.type == "midonet" and not port.interface_id:
        yield f"{where}.interface_id: a port of type midonet needs one. Give its UUID"
