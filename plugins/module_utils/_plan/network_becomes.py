# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a definition becomes when a declaration is laid over it: also what one option implies for others. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    HOST_DEVICE_MODES,
    OWN_BRIDGE_MODES,
    BridgeDevice,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import (
    PARAMETERS,
    PARAMETERS_OF,
    PortGroup,
    VirtualPort,
    Vlan,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import Ip, Lease
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import normal, overlay


def becomes(current: Network, desired: Network) -> Network:
    """``desired`` over ``current``. What is not declared stays, unless it cannot be in what is declared."""
    after = overlay(current, desired)
    after = replace(after, forward=_forward_in_mode(after.mode, current, after, desired))
    after = replace(
        after,
        ips=tuple(_without_needless_bootp(_without_needless_units(ip), desired) for ip in after.ips or ()),
        vlan=_trunk_of_many(after.vlan),
        virtualport=_of_a_type(after.virtualport, desired.virtualport),
        portgroups=tuple(_settled(group, desired) for group in after.portgroups or ()),
    )
    if (
        after.domain is not None
        and not after.domain.name
        and (not desired.domain or (desired.domain.local_only, desired.domain.register) == (None, None))
    ):
        after = replace(after, domain=None)  # The rest is about the name, and libvirt drops it too.
    was_own, is_own = current.mode in OWN_BRIDGE_MODES, after.mode in OWN_BRIDGE_MODES
    if was_own != is_own:
        return normal(_with_another_bridge(after, desired))
    return normal(_with_its_bridge(after, current) if is_own else after)


def _forward_in_mode(mode: str, current: Network, after: Network, desired: Network) -> Forward:
    forward, wanted = after.forward or Forward(), desired.forward or Forward()
    if mode != "nat" and wanted.nat is None:
        forward = replace(forward, nat=None)
    if mode in OWN_BRIDGE_MODES and wanted.interfaces is None:
        forward = replace(forward, interfaces=())
    if current.mode == "hostdev" and mode != "hostdev":
        # These are about devices that are handed to guests.
        forward = replace(
            forward,
            managed=wanted.managed,
            driver=forward.driver if wanted.driver else None,
            addresses=forward.addresses if wanted.addresses else (),
        )
    if mode not in HOST_DEVICE_MODES and wanted.pf is None:
        forward = replace(forward, pf=None)
    # The devices come one way or another. Declaring one takes the place of the other.
    if wanted.pf and wanted.interfaces is None and wanted.addresses is None:
        forward = replace(forward, interfaces=(), addresses=())
    if (wanted.interfaces or wanted.addresses) and wanted.pf is None:
        forward = replace(forward, pf=None)
    leaves_no_device = mode in HOST_DEVICE_MODES or (mode in ("open", "isolated") and mode != current.mode)
    return replace(forward, dev=None) if leaves_no_device and wanted.dev is None else forward


def _with_another_bridge(after: Network, desired: Network) -> Network:
    """libvirt's own bridge and one of the host's have nothing in common: of the old one, nothing stays undeclared."""
    dns = after.dns
    if dns is not None and not (dns.forwarders or dns.hosts or dns.txts or dns.srvs):
        dns = desired.dns  # How nothing was served.
    return replace(after, bridge=desired.bridge, mac=desired.mac, dns=dns)


def _with_its_bridge(after: Network, current: Network) -> Network:
    """libvirt's own bridge always has a name and a MAC address. Removed, the ones it made up stay."""
    bridge = after.bridge or BridgeDevice()
    return replace(
        after,
        bridge=replace(bridge, name=bridge.name or current.bridge_name),
        mac=after.mac or current.mac,
    )


def _without_needless_units(ip: Ip) -> Ip:
    """A lease that does not end ends in no unit of time: libvirt drops it."""

    def settled(entries: Any) -> Any:
        endless = Lease(expiry=0)
        return tuple(
            replace(entry, lease=endless) if entry.lease and entry.lease.expiry == 0 else entry
            for entry in entries or ()
        )

    if ip.dhcp is None:
        return ip
    return replace(ip, dhcp=replace(ip.dhcp, ranges=settled(ip.dhcp.ranges), hosts=settled(ip.dhcp.hosts)))


def _without_needless_bootp(ip: Ip, desired: Network) -> Ip:
    """Without ranges and leases there is no DHCP to boot by: libvirt drops the rest."""
    dhcp = ip.dhcp
    if dhcp is None or dhcp.bootp is None or dhcp.ranges or dhcp.hosts:
        return ip
    wanted = next((each for each in desired.ips or () if each.address == ip.address), None)
    is_declared = wanted is not None and wanted.dhcp is not None and wanted.dhcp.bootp is not None
    return ip if is_declared else replace(ip, dhcp=replace(dhcp, bootp=None))


def _trunk_of_many(vlan: Optional[Vlan]) -> Optional[Vlan]:
    """Several tags are a trunk: libvirt writes it so. No tags are no VLAN."""
    if vlan is None or not vlan.tags:
        return None
    return replace(vlan, trunk=True) if len(vlan.tags) > 1 else vlan


def _of_a_type(after: Optional[VirtualPort], desired: Optional[VirtualPort]) -> Optional[VirtualPort]:
    """Parameters belong to a type. With another type, or none, only what is declared is left."""
    if desired is not None and desired.type is not None:
        foreign = [name for name in PARAMETERS if name not in PARAMETERS_OF.get(desired.type, ())]
        kept = {name: getattr(desired, name) for name in foreign}
        return normal(replace(after or VirtualPort(), **kept))
    return after


def _settled(group: PortGroup, desired: Network) -> PortGroup:
    wanted = next((each for each in desired.portgroups or () if each.name == group.name), None)
    return replace(
        group,
        vlan=_trunk_of_many(group.vlan),
        virtualport=_of_a_type(group.virtualport, wanted.virtualport if wanted else None),
    )
