# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A Linux bridge, each property declared once. The places are attributes of rtnetlink messages.

Source of the attributes: include/uapi/linux/if_link.h and if_addr.h in the kernel. What the kernel takes is in
net/bridge/br_private_stp.h and br_stp.c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import (
    Route,
    completed,
    route_problems,
    shown_destination,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Items,
    Scalar,
    Values,
    declare,
    from_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import LAST_VLAN

# With the spanning tree protocol on (BR_MIN_FORWARD_DELAY, BR_MAX_FORWARD_DELAY). With it off, nothing waits for it.
STP_FORWARD_DELAY = (2, 30)
# BR_PORT_BITS is 10, and there is no port 0.
MAX_PORTS = 1023


class Seconds(kinds.Integer):
    """Whole seconds for the user; the kernel counts in hundredths (USER_HZ)."""


# The protocols of VLAN tags, and their numbers (ETH_P_8021Q and ETH_P_8021AD in include/uapi/linux/if_ether.h).
ETHER_TYPES = {"802.1q": 0x8100, "802.1ad": 0x88A8}


class EtherType(kinds.Choice):
    """A protocol of VLAN tags by its name; the kernel has its number."""

    def __init__(self) -> None:
        super().__init__(*ETHER_TYPES)


class BridgeMac(kinds.Mac):
    def canonical(self, value: Any) -> str:
        mac = super().canonical(value)
        if not mac:
            raise ValueError("this cannot be empty, because a bridge always has one. Omit it to leave it alone")
        return mac


@dataclass(frozen=True)
class Bridge:
    name: Optional[str] = declare(Scalar(kinds.InterfaceName(), "IFLA_IFNAME", required=True))
    # Of the ports' own messages, and of the addresses' own.
    ports: Optional[tuple[str, ...]] = declare(Values(kinds.InterfaceName(), "IFLA_MASTER"))
    addresses: Optional[tuple[str, ...]] = declare(Values(kinds.InterfaceAddress(), "IFA_LOCAL"))
    mac: Optional[str] = declare(Scalar(BridgeMac(), "IFLA_ADDRESS"))
    # 68 is the least IPv4 asks of a link (RFC 791), 65535 the most the kernel's bridge takes (net/bridge/br_device.c).
    mtu: Optional[int] = declare(Scalar(kinds.Integer(68, 65535), "IFLA_MTU"))
    stp: Optional[bool] = declare(Scalar(kinds.Boolean(), "IFLA_BR_STP_STATE"))
    forward_delay: Optional[int] = declare(Scalar(Seconds(0, 30), "IFLA_BR_FORWARD_DELAY"))
    hello_time: Optional[int] = declare(Scalar(Seconds(1, 10), "IFLA_BR_HELLO_TIME"))
    max_age: Optional[int] = declare(Scalar(Seconds(6, 40), "IFLA_BR_MAX_AGE"))
    priority: Optional[int] = declare(Scalar(kinds.Integer(0, 65535), "IFLA_BR_PRIORITY"))
    # The most IEEE 802.1D knows; the kernel takes more.
    ageing_time: Optional[int] = declare(Scalar(Seconds(0, 1_000_000), "IFLA_BR_AGEING_TIME"))
    mcast_snooping: Optional[bool] = declare(Scalar(kinds.Boolean(), "IFLA_BR_MCAST_SNOOPING"))
    # One for all three: None where they differ.
    nf_call: Optional[bool] = declare(
        Scalar(kinds.Boolean(), "IFLA_BR_NF_CALL_IPTABLES IFLA_BR_NF_CALL_IP6TABLES IFLA_BR_NF_CALL_ARPTABLES")
    )
    vlan_filtering: Optional[bool] = declare(Scalar(kinds.Boolean(), "IFLA_BR_VLAN_FILTERING"))
    vlan_protocol: Optional[str] = declare(Scalar(EtherType(), "IFLA_BR_VLAN_PROTOCOL"))
    default_pvid: Optional[int] = declare(Scalar(kinds.Integer(0, LAST_VLAN), "IFLA_BR_VLAN_DEFAULT_PVID"))
    # Of the ports' own messages, and of the routes' own.
    port_options: Optional[tuple[PortOptions, ...]] = declare(
        Items(PortOptions, "IFLA_PROTINFO", lambda port: port.name, "port")
    )
    routes: Optional[tuple[Route, ...]] = declare(Items(Route, "RTM_NEWROUTE", lambda route: route.key, "route"))


# The times that a bridge takes over from the root of its spanning tree.
ROOT_TIMES = ("forward_delay", "hello_time", "max_age")
# What a kernel without VLANs on bridges (CONFIG_BRIDGE_VLAN_FILTERING) does not have.
VLAN_OPTIONS = ("vlan_filtering", "vlan_protocol", "default_pvid")


@dataclass(frozen=True)
class DeclaredBridge:
    """A bridge as one task declares it: its properties, its state, and what may be done to reach it."""

    bridge: Bridge
    state: str = "present"
    purge_ports: bool = True
    force: bool = False
    # The device that hands its addresses and routes over to the bridge.
    take_over: Optional[str] = None
    # The order of the ports means nothing but for this one, whose MAC address a new bridge takes.
    first_port: Optional[str] = None

    @property
    def name(self) -> str:
        return self.bridge.name or ""


def declared_bridge(options: Mapping[str, Any], problems: list[str]) -> DeclaredBridge:
    """One bridge from the options of the task, canonical. Problems are named by bridge and option."""
    where = f"bridge {options.get('name')!r}: "
    uplink = _uplink(options.get("take_over"), where, problems)
    found = len(problems)
    bridge = from_options(Bridge, options, where, problems)
    if bridge.routes is not None and len(problems) == found:
        bridge = replace(bridge, routes=_routes(bridge.routes, where, problems))
    return DeclaredBridge(
        bridge=bridge,
        state=options.get("state") or "present",
        purge_ports=options.get("purge_ports") is not False,
        force=bool(options.get("force")),
        take_over=uplink,
        first_port=uplink or next(iter(options.get("ports") or ()), None),
    )


def _uplink(given: Optional[str], where: str, problems: list[str]) -> Optional[str]:
    if given is None:
        return None
    try:
        uplink = kinds.InterfaceName().canonical(given)
        if not uplink:
            raise ValueError("this cannot be empty. Omit it for no device")
    except ValueError as error:
        problems.append(f"{where}take_over: {error}.")
        return None
    return uplink


def _routes(routes: Sequence[Route], where: str, problems: list[str]) -> tuple[Route, ...]:
    complete: dict[str, Route] = {}
    for written in routes:
        route = completed(written)
        spot = f"{where}routes[{shown_destination(route.destination or '')}]"
        problems += [f"{spot}.{text}." for text in route_problems(route)]
        if route.key in complete:
            problems.append(f"{spot}: a route to there with the metric {route.metric} stands there already. Keep one.")
        complete[route.key] = route
    return tuple(sorted(complete.values(), key=lambda route: route.key))
