# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was read of the host and its hypervisor, before anything is planned."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import Vlan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route


@dataclass(frozen=True)
class GuestNic:
    """A running guest's interface on a libvirt network, or on a bridge that is no network's now (``network`` is '').

    ``domain`` is '' where no guest of this connection has it.

    ``bridge`` is the bridge it names instead of a network, ``device`` the tap on the host, ``mtu`` the interface's own
    in bytes where it has one, ``isolated`` whether it may not talk to other isolated ports, ``vlan`` its tags.
    """

    domain: str
    mac: str
    network: str
    device: Optional[str]
    mtu: Optional[int] = None
    isolated: bool = False
    bridge: Optional[str] = None
    vlan: Optional[Vlan] = None

    @property
    def owner(self) -> str:
        """Who would be cut off, for messages."""
        return self.domain or f"{self.device} (a device of no guest of this connection)"


@dataclass(frozen=True)
class SeenNetwork:
    """A network as libvirt has it. ``config`` is what the next start takes, ``live`` what runs; one may be missing.

    ``hides_config`` where the driver shows nothing but what runs, so that ``config`` is a copy of ``live``.
    ``busy`` are the devices of a pool that guests are on.
    """

    name: str
    uuid: str
    active: bool
    autostart: bool
    config: Optional[Network]
    live: Optional[Network]
    hides_config: bool = False
    busy: frozenset[str] = frozenset()

    @property
    def persistent(self) -> bool:
        return self.config is not None

    @property
    def newest(self) -> Network:
        """The persistent definition where there is one, otherwise the running one."""
        return self.config or self.live or Network(name=self.name)


@dataclass(frozen=True)
class SeenBridge:
    """What is particular to a bridge. Its ports are known from their ``master``, its addresses from its link.

    ``is_root``: it is the root of its spanning tree. Where it is not, the times in ``properties`` are the root's.
    ``tree_changes``: the ageing time in ``properties`` is a short one for the time being. ``fixed_mac``: the MAC
    address stays whatever ports come and go; None where that is not known.
    """

    properties: Bridge
    is_root: bool = True
    tree_changes: bool = False
    fixed_mac: Optional[bool] = None


@dataclass(frozen=True)
class SeenVlan:
    """What is particular to a VLAN sub-interface. Its parent is what it has ``below``."""

    id: int
    protocol: str


@dataclass(frozen=True)
class SeenLink:
    """A network device of the host. ``kind`` is the kernel's name for its type, None for hardware.

    ``lasting`` are those of the ``addresses`` that do not expire and have no peer. ``below`` is the device that this
    one is stacked on, or the other end of a veth pair; ``other_namespace`` tells that it is in another network
    namespace.
    ``bridge`` is read for the bridges that were asked for, ``vlan`` for every VLAN sub-interface.
    """

    name: str
    index: int
    kind: Optional[str]
    master: Optional[str]
    mtu: int
    addresses: tuple[str, ...] = ()
    lasting: tuple[str, ...] = ()
    mac: Optional[str] = None
    up: bool = True
    ethernet: bool = True
    loopback: bool = False
    below: Optional[str] = None
    other_namespace: bool = False
    bridge: Optional[SeenBridge] = None
    vlan: Optional[SeenVlan] = None


# enum rt_class_t and RTPROT_*, include/uapi/linux/rtnetlink.h.
MAIN_TABLE = 254
KERNEL_MADE, MADE_BY_HAND = 2, (0, 3, 4)


@dataclass(frozen=True)
class HostRoute:
    """A route of the host in any table. ``route`` is complete.

    ``protocol`` tells who made it, as a number of the kernel's. ``is_shared``: it has several ways, or one that other
    routes have too (``ip nexthop``).
    """

    route: Route
    devices: tuple[str, ...]
    table: int = MAIN_TABLE
    protocol: int = MADE_BY_HAND[-1]
    is_shared: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether neither the kernel, nor a router, a DHCP client or a routing daemon made it."""
        return self.protocol in MADE_BY_HAND


@dataclass(frozen=True)
class SeenHost:
    """One pass over the kernel's network devices.

    ``libvirt_bridges`` are the bridges that libvirt made, with the network of each. ``without_ipv6`` are the devices
    that take no IPv6 address. ``machine_id`` is the host's own, empty where it has none.
    ``routes`` and ``port_options`` are read where a task needs them. ``knows_vlans``: as far as can be told, new
    bridges of this kernel can have VLANs.
    """

    links: Mapping[str, SeenLink] = field(default_factory=dict)
    libvirt_bridges: Mapping[str, str] = field(default_factory=dict)
    without_ipv6: frozenset[str] = frozenset()
    machine_id: str = ""
    routes: tuple[HostRoute, ...] = ()
    port_options: Mapping[str, PortOptions] = field(default_factory=dict)
    knows_vlans: bool = True

    def ports_of(self, name: str) -> Sequence[SeenLink]:
        return self._by_master.get(name, ())

    def stacked_on(self, name: str) -> Sequence[SeenLink]:
        """The devices that have this one below them."""
        return self._by_device_below.get(name, ())

    def routes_through(self, name: str) -> Sequence[HostRoute]:
        return self._by_way.get(name, ())

    @cached_property
    def _by_way(self) -> Mapping[str, Sequence[HostRoute]]:
        ways: dict[str, list[HostRoute]] = {}
        for route in self.routes:
            for device in route.devices:
                ways.setdefault(device, []).append(route)
        return ways

    @cached_property
    def _by_master(self) -> Mapping[str, Sequence[SeenLink]]:
        return _grouped(self.links.values(), lambda link: link.master)

    @cached_property
    def _by_device_below(self) -> Mapping[str, Sequence[SeenLink]]:
        return _grouped(self.links.values(), lambda link: link.below)


def _grouped(links: Iterable[SeenLink], name: Callable[[SeenLink], Optional[str]]) -> Mapping[str, Sequence[SeenLink]]:
    groups: dict[str, list[SeenLink]] = {}
    for link in links:
        groups.setdefault(name(link) or "", []).append(link)
    return groups


@dataclass(frozen=True)
class SeenRoute:
    """A route of the host's main table, without the default route and those that come with an address."""

    destination: str
    device: str


def nat_subnets(networks: Iterable[SeenNetwork]) -> frozenset[str]:
    """The subnets (CIDR) of the running networks that translate addresses."""
    return frozenset(
        str(ipaddress.ip_interface(ip.address or "").network)
        for network in networks
        if network.live is not None and network.live.mode == "nat"
        for ip in network.live.ips or ()
    )


@dataclass(frozen=True)
class SeenHypervisor:
    """One pass over libvirt. ``links`` is None where the host's devices were not, or cannot be, read.

    The same goes for ``routes`` and ``missing_folders``, which of the declared folders are not there.
    ``stale_rules``: how many firewall rules there are of networks that are gone.
    ``can_hold``: libvirt's firewall rules can be stood in for while it makes them anew; ``held``: a run that was killed
    has left it so.
    ``loses_rules``: a live change of a DNS entry or a portgroup makes this libvirt forget firewall rules.
    """

    version: int
    networks: Mapping[str, SeenNetwork] = field(default_factory=dict)
    nics: tuple[GuestNic, ...] = ()
    links: Optional[Mapping[str, SeenLink]] = None
    routes: tuple[SeenRoute, ...] = ()
    missing_folders: frozenset[str] = frozenset()
    loses_rules: bool = False
    stale_rules: int = 0
    can_hold: bool = False
    held: bool = False
