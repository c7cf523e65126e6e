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
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Items,
    Nested,
    Scalar,
    Values,
    declare,
    from_options,
)

YES_NO = ("yes", "no")
ON_OFF = ("on", "off")

# Modes in which libvirt makes the bridge itself and runs dnsmasq on it.
OWN_BRIDGE_MODES = ("nat", "route", "open", "isolated")
# Modes in which guests get macvtap devices on the forward interfaces. A bridge network can be either kind.
MACVTAP_MODES = ("bridge", "private", "vepa", "passthrough")


_DUID = r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})+"
_NETWORK_NAME = "a name for a network: at most 200 characters, no '/', no leading space"
_DNS_NAME = r"[A-Za-z0-9_*][A-Za-z0-9._*-]*"


def _values(*names: str) -> Any:
    return lambda record: tuple(getattr(record, name) for name in names)


@dataclass(frozen=True)
class Lease:
    """How long an address is leased. ``expiry`` 0 with any unit is an infinite lease (libvirt >= 6.3)."""

    expiry: Optional[int] = declare(Scalar(kinds.Integer(0, 4294967295), "@expiry", required=True))
    unit: Optional[str] = declare(Scalar(kinds.Choice("seconds", "minutes", "hours"), "@unit"))


@dataclass(frozen=True)
class DhcpRange:
    start: Optional[str] = declare(Scalar(kinds.Address(), "@start", required=True))
    end: Optional[str] = declare(Scalar(kinds.Address(), "@end", required=True))
    lease: Optional[Lease] = declare(Nested(Lease, "lease"))


@dataclass(frozen=True)
class DhcpHost:
    """A fixed lease. IPv4 knows the guest by its MAC, DHCPv6 by its DUID (``id``) or name."""

    mac: Optional[str] = declare(Scalar(kinds.Mac(), "@mac"))
    id: Optional[str] = declare(Scalar(kinds.Text(_DUID, "a DUID, such as 00:03:00:01:52:54:00:12:34:56"), "@id"))
    # libvirt wants a letter first, and a comma would begin another field in dnsmasq's file.
    name: Optional[str] = declare(
        Scalar(
            kinds.Text(r"[A-Za-z][A-Za-z0-9._-]*", "a host name (letters, digits, '-', '.'; a letter first)"), "@name"
        )
    )
    ip: Optional[str] = declare(Scalar(kinds.Address(), "@ip", required=True))
    lease: Optional[Lease] = declare(Nested(Lease, "lease"))


@dataclass(frozen=True)
class Dhcp:
    ranges: Optional[tuple[DhcpRange, ...]] = declare(Items(DhcpRange, "range", _values("start", "end"), "the range"))
    hosts: Optional[tuple[DhcpHost, ...]] = declare(
        Items(DhcpHost, "host", lambda host: host.mac or host.id or host.name, "the fixed lease of")
    )


@dataclass(frozen=True)
class Ip:
    """One address of the host on the network, and what is served there."""

    address: Optional[str] = declare(Scalar(kinds.InterfaceAddress(), "@address", required=True))
    tftp_root: Optional[str] = declare(Scalar(kinds.Text(r"/.*", "an absolute path"), "tftp/@root"))
    dhcp: Optional[Dhcp] = declare(Nested(Dhcp, "dhcp"))


@dataclass(frozen=True)
class Route:
    """A static route on the host to a network behind one of the guests."""

    address: Optional[str] = declare(Scalar(kinds.NetworkAddress(), "@address", required=True))
    gateway: Optional[str] = declare(Scalar(kinds.Address(), "@gateway", required=True))
    metric: Optional[int] = declare(Scalar(kinds.Integer(1, 4294967295, zero_unsets=True), "@metric"))


@dataclass(frozen=True)
class DnsHost:
    ip: Optional[str] = declare(Scalar(kinds.Address(), "@ip", required=True))
    # The first name is the one that is found for the address.
    names: Optional[tuple[str, ...]] = declare(
        Values(kinds.Text(_DNS_NAME, "a host name"), "hostname", ordered=True, required=True)
    )


@dataclass(frozen=True)
class DnsForwarder:
    """Where dnsmasq asks: for everything (``addr`` only), or for one domain."""

    addr: Optional[str] = declare(Scalar(kinds.Address(), "@addr"))
    domain: Optional[str] = declare(Scalar(kinds.Text(_DNS_NAME, "a domain name"), "@domain"))


@dataclass(frozen=True)
class Dns:
    enable: Optional[bool] = declare(Scalar(kinds.Boolean(), "@enable", YES_NO))
    # libvirt runs dnsmasq with strict-order: forwarders are asked in the order they stand.
    forwarders: Optional[tuple[DnsForwarder, ...]] = declare(
        Items(DnsForwarder, "forwarder", _values("domain", "addr"), "the forwarder", ordered=True)
    )
    hosts: Optional[tuple[DnsHost, ...]] = declare(Items(DnsHost, "host", lambda host: host.ip, "the DNS entry of"))


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
class Forward:
    """How guests reach what is outside. No ``<forward>`` element at all is the mode ``isolated``."""

    mode: Optional[str] = declare(
        Scalar(kinds.Choice("nat", "route", "open", "isolated", "bridge", "private", "vepa", "passthrough"), "@mode")
    )
    dev: Optional[str] = declare(Scalar(kinds.InterfaceName(), "@dev"))
    interfaces: Optional[tuple[str, ...]] = declare(Values(kinds.InterfaceName(), "interface/@dev"))
    nat: Optional[Nat] = declare(Nested(Nat, "nat"))


@dataclass(frozen=True)
class BridgeDevice:
    name: Optional[str] = declare(Scalar(kinds.InterfaceName(), "@name"))
    stp: Optional[bool] = declare(Scalar(kinds.Boolean(), "@stp", ON_OFF))
    delay: Optional[int] = declare(Scalar(kinds.Integer(0, 30), "@delay"))
    zone: Optional[str] = declare(Scalar(kinds.Text(r"\S+", "the name of a firewalld zone"), "@zone"))


@dataclass(frozen=True)
class Domain:
    """The DNS domain of the guests. ``local_only``: never ask other servers about it."""

    name: Optional[str] = declare(Scalar(kinds.Text(_DNS_NAME, "a domain name"), "@name"))
    local_only: Optional[bool] = declare(Scalar(kinds.Boolean(), "@localOnly", YES_NO))


@dataclass(frozen=True)
class Network:
    name: Optional[str] = declare(
        # libvirt keeps files of this name, with up to 50 bytes more, where a '/' would lead to another folder.
        Scalar(kinds.Text(r"[^/\s][^/\n]{0,199}", _NETWORK_NAME), "name", required=True)
    )
    title: Optional[str] = declare(Scalar(kinds.Text(), "title", since=9_007_000))
    # 68 is the least IPv4 asks of a link (RFC 791), 65535 the most the kernel's bridge takes (net/bridge/br_device.c).
    mtu: Optional[int] = declare(Scalar(kinds.Integer(68, 65535, zero_unsets=True), "mtu/@size"))
    mac: Optional[str] = declare(Scalar(kinds.Mac(), "mac/@address"))
    forward: Optional[Forward] = declare(Nested(Forward, "forward"))
    bridge: Optional[BridgeDevice] = declare(Nested(BridgeDevice, "bridge"))
    domain: Optional[Domain] = declare(Nested(Domain, "domain"))
    ips: Optional[tuple[Ip, ...]] = declare(
        Items(Ip, "ip", lambda ip: (ip.address or "").partition("/")[0], "the address")
    )
    routes: Optional[tuple[Route, ...]] = declare(Items(Route, "route", _values("address", "gateway"), "the route"))
    dns: Optional[Dns] = declare(Nested(Dns, "dns"))

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
