# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A libvirt network, each property declared once. The places are paths in libvirt's network XML.

Source of every element and attribute: https://libvirt.org/formatnetwork.html and network.rng in libvirt's schemas.
A path names elements below the record's own element; the last part is ``@attribute``, or an element whose text counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import (
    Bandwidth,
    PortGroup,
    VirtualPort,
    Vlan,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import (
    DNS_NAME,
    YES_NO,
    Dns,
    Ip,
    Route,
    values_of,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    ByNamespace,
    Items,
    Nested,
    Scalar,
    Values,
    declare,
    from_options,
)

ON_OFF = ("on", "off")

# Modes in which libvirt makes the bridge itself and runs dnsmasq on it.
OWN_BRIDGE_MODES = ("nat", "route", "open", "isolated")
# Modes in which guests get macvtap devices on the forward interfaces. A bridge network can be either kind.
MACVTAP_MODES = ("bridge", "private", "vepa", "passthrough")
# Modes in which guests are on what exists on the host, and libvirt makes no bridge and serves nothing.
HOST_DEVICE_MODES = (*MACVTAP_MODES, "hostdev")


_NETWORK_NAME = "a name for a network: at most 200 characters, no '/', no leading space"


@dataclass(frozen=True)
class AddressRange:
    start: Optional[str] = declare(Scalar(kinds.Address(), "@start", required=True))
    end: Optional[str] = declare(Scalar(kinds.Address(), "@end", required=True))


@dataclass(frozen=True)
class PortRange:
    start: Optional[int] = declare(Scalar(kinds.Integer(1, 65535, zero_unsets=True), "@start", required=True))
    end: Optional[int] = declare(Scalar(kinds.Integer(1, 65535, zero_unsets=True), "@end", required=True))


@dataclass(frozen=True)
class Nat:
    """What guests' connections look like outside: the source addresses and ports used."""

    addresses: Optional[AddressRange] = declare(Nested(AddressRange, "address"))
    ports: Optional[PortRange] = declare(Nested(PortRange, "port"))
    ipv6: Optional[bool] = declare(Scalar(kinds.Boolean(), "@ipv6", YES_NO))


@dataclass(frozen=True)
class HostdevDriver:
    """The host's driver for the devices of a hostdev pool."""

    name: Optional[str] = declare(Scalar(kinds.Choice("none", "vfio", "kvm", "xen", unset="none"), "@name"))
    model: Optional[str] = declare(
        Scalar(kinds.Text(r"[A-Za-z0-9_.+-]+", "the name of a kernel driver"), "@model", since=10_000_000)
    )


@dataclass(frozen=True)
class Forward:
    """How guests reach what is outside. No ``<forward>`` element at all is the mode ``isolated``.

    Devices for the guests are ``interfaces`` (macvtap), ``addresses`` (PCI, hostdev) or ``pf``: all virtual functions
    of that device.
    """

    mode: Optional[str] = declare(
        Scalar(
            kinds.Choice("nat", "route", "open", "isolated", "bridge", "private", "vepa", "passthrough", "hostdev"),
            "@mode",
        )
    )
    managed: Optional[bool] = declare(Scalar(kinds.Boolean(), "@managed", YES_NO))
    driver: Optional[HostdevDriver] = declare(Nested(HostdevDriver, "driver"))
    dev: Optional[str] = declare(Scalar(kinds.InterfaceName(), "@dev"))
    interfaces: Optional[tuple[str, ...]] = declare(Values(kinds.InterfaceName(), "interface/@dev"))
    addresses: Optional[tuple[str, ...]] = declare(Values(kinds.PciAddress(), "address"))
    pf: Optional[str] = declare(Scalar(kinds.InterfaceName(), "pf/@dev"))
    nat: Optional[Nat] = declare(Nested(Nat, "nat"))


@dataclass(frozen=True)
class BridgeDevice:
    name: Optional[str] = declare(Scalar(kinds.InterfaceName(), "@name"))
    stp: Optional[bool] = declare(Scalar(kinds.Boolean(), "@stp", ON_OFF))
    delay: Optional[int] = declare(Scalar(kinds.Integer(0, 30), "@delay"))
    zone: Optional[str] = declare(Scalar(kinds.Text(r"\S+", "the name of a firewalld zone"), "@zone"))
    mac_table_manager: Optional[str] = declare(
        Scalar(kinds.Choice("none", "kernel", "libvirt", unset="none"), "@macTableManager")
    )


@dataclass(frozen=True)
class Domain:
    """The DNS domain of the guests. ``local_only``: never ask other servers about it."""

    name: Optional[str] = declare(Scalar(kinds.Text(DNS_NAME, "a domain name"), "@name"))
    local_only: Optional[bool] = declare(Scalar(kinds.Boolean(), "@localOnly", YES_NO))
    register: Optional[bool] = declare(Scalar(kinds.Boolean(), "@register", YES_NO, since=10_001_000))


@dataclass(frozen=True)
class Network:
    name: Optional[str] = declare(
        # libvirt keeps files of this name, with up to 50 bytes more, where a '/' would lead to another folder.
        Scalar(kinds.Text(r"[^/\s][^/\n]{0,199}", _NETWORK_NAME), "name", required=True)
    )
    uuid: Optional[str] = declare(Scalar(kinds.Uuid(removable=False), "uuid"))
    title: Optional[str] = declare(Scalar(kinds.Text(), "title", since=9_007_000))
    description: Optional[str] = declare(Scalar(kinds.Prose(), "description", since=9_007_000))
    metadata: Optional[Mapping[str, str]] = declare(ByNamespace("metadata"))
    # Guests may talk IPv6 with each other on a network without an IPv6 address of the host.
    ipv6: Optional[bool] = declare(Scalar(kinds.Flag(), "@ipv6", YES_NO))
    trust_guest_rx_filters: Optional[bool] = declare(Scalar(kinds.Boolean(), "@trustGuestRxFilters", YES_NO))
    # 68 is the least IPv4 asks of a link (RFC 791), 65535 the most the kernel's bridge takes (net/bridge/br_device.c).
    mtu: Optional[int] = declare(Scalar(kinds.Integer(68, 65535, zero_unsets=True), "mtu/@size"))
    mac: Optional[str] = declare(Scalar(kinds.Mac(), "mac/@address"))
    forward: Optional[Forward] = declare(Nested(Forward, "forward"))
    bridge: Optional[BridgeDevice] = declare(Nested(BridgeDevice, "bridge"))
    domain: Optional[Domain] = declare(Nested(Domain, "domain"))
    bandwidth: Optional[Bandwidth] = declare(Nested(Bandwidth, "bandwidth"))
    vlan: Optional[Vlan] = declare(Nested(Vlan, "vlan"))
    port_isolation: Optional[bool] = declare(Scalar(kinds.Boolean(), "port/@isolated", YES_NO))
    ips: Optional[tuple[Ip, ...]] = declare(
        Items(Ip, "ip", lambda ip: (ip.address or "").partition("/")[0], "the address")
    )
    routes: Optional[tuple[Route, ...]] = declare(Items(Route, "route", values_of("address", "gateway"), "the route"))
    dns: Optional[Dns] = declare(Nested(Dns, "dns"))
    virtualport: Optional[VirtualPort] = declare(Nested(VirtualPort, "virtualport"))
    portgroups: Optional[tuple[PortGroup, ...]] = declare(
        Items(PortGroup, "portgroup", lambda group: group.name, "the portgroup")
    )
    # Lines for dnsmasq's own configuration, in this order. The prefix is bound in _libvirt/xml_record.py.
    dnsmasq_options: Optional[tuple[str, ...]] = declare(
        Values(kinds.Text(), "dnsmasq:option/@value", ordered=True, within="dnsmasq:options")
    )

    @property
    def mode(self) -> str:
        """The forward mode in force: libvirt's ``isolated`` is the absence of a ``<forward>``."""
        return (self.forward and self.forward.mode) or "isolated"

    @property
    def bridge_name(self) -> Optional[str]:
        return self.bridge.name if self.bridge else None

    @property
    def is_macvtap(self) -> bool:
        """Whether guests get macvtap devices rather than ports of a bridge."""
        return self.mode in MACVTAP_MODES and not self.bridge_name

    @property
    def has_ports(self) -> bool:
        """Whether guests are ports of a bridge."""
        return self.mode in OWN_BRIDGE_MODES or (self.mode == "bridge" and bool(self.bridge_name))


@dataclass(frozen=True)
class DeclaredNetwork:
    """A network as one task declares it: its properties, its state, and what may be done to reach it."""

    network: Network
    state: str = "active"
    autostart: Optional[bool] = None
    force: bool = False
    if_restart_needed: str = "defer"
    xml: Optional[str] = None

    @property
    def name(self) -> str:
        return self.network.name or ""

    @property
    def wanted_autostart(self) -> Optional[bool]:
        """``active`` means now and after a reboot; the other states leave the start with the host alone unless told."""
        if self.autostart is None and self.state == "active":
            return True
        return self.autostart


def declared_network(options: Mapping[str, Any], problems: list[str]) -> DeclaredNetwork:
    """One network from the options of the task, canonical. Problems are named by network and option."""
    where = f"network {options.get('name')!r}: "
    return DeclaredNetwork(
        network=from_options(Network, options, where, problems),
        state=options.get("state") or "active",
        autostart=options.get("autostart"),
        force=bool(options.get("force")),
        if_restart_needed=options.get("if_restart_needed") or "defer",
        xml=options.get("xml"),
    )
