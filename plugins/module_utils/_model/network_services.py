# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What libvirt serves on a network: addresses, DHCP, TFTP, DNS. The places are paths in libvirt's network XML.

Source: https://libvirt.org/formatnetwork.html#addressing and network.rng in libvirt's schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Items,
    Nested,
    Scalar,
    Values,
    declare,
)

YES_NO = ("yes", "no")

# The four types of RFC 8415 (section 11), as libvirt's schema has them (basictypes.rng).
_BYTES = r"(:[0-9A-Fa-f]{1,2})"
_HARDWARE = r"0{1,2}:0?[1-9A-Fa-f]"
_DUID = rf"0{{1,2}}:0?(1:{_HARDWARE}{_BYTES}{{10,12}}|2{_BYTES}{{5,128}}|3:{_HARDWARE}{_BYTES}{{6,8}}|4{_BYTES}{{16}})"
DNS_NAME = r"[A-Za-z0-9_*][A-Za-z0-9._*-]*"


def values_of(*names: str) -> Any:
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
class Bootp:
    """What a guest boots from: a file, at the host or at another server."""

    file: Optional[str] = declare(Scalar(kinds.Text(), "@file", required=True))
    server: Optional[str] = declare(Scalar(kinds.Address(), "@server"))


@dataclass(frozen=True)
class Dhcp:
    ranges: Optional[tuple[DhcpRange, ...]] = declare(Items(DhcpRange, "range", values_of("start", "end"), "the range"))
    hosts: Optional[tuple[DhcpHost, ...]] = declare(
        Items(DhcpHost, "host", lambda host: host.mac or host.id or host.name, "the fixed lease of")
    )
    bootp: Optional[Bootp] = declare(Nested(Bootp, "bootp"))


@dataclass(frozen=True)
class Ip:
    """One address of the host on the network, and what is served there."""

    address: Optional[str] = declare(Scalar(kinds.InterfaceAddress(), "@address", required=True))
    local_ptr: Optional[bool] = declare(Scalar(kinds.Boolean(), "@localPtr", YES_NO))
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
        Values(kinds.Text(DNS_NAME, "a host name"), "hostname", ordered=True, required=True)
    )


@dataclass(frozen=True)
class DnsForwarder:
    """Where dnsmasq asks: for everything (``addr`` only), or for one domain."""

    addr: Optional[str] = declare(Scalar(kinds.Address(), "@addr"))
    domain: Optional[str] = declare(Scalar(kinds.Text(DNS_NAME, "a domain name"), "@domain"))


@dataclass(frozen=True)
class DnsTxt:
    name: Optional[str] = declare(
        Scalar(kinds.Text(r"[^ ,]+", "a name for a TXT record: no blanks, no commas"), "@name", required=True)
    )
    value: Optional[str] = declare(Scalar(kinds.Text(), "@value", required=True))


@dataclass(frozen=True)
class DnsSrv:
    """Where a service of the domain is found (RFC 2782)."""

    # The characters are those of virNetworkDNSSrvDefParseXML() in libvirt's src/conf/network_conf.c.
    service: Optional[str] = declare(
        Scalar(kinds.Text(r"[A-Za-z0-9_+/*-]{1,512}", "the name of a service, such as ldap"), "@service")
    )
    protocol: Optional[str] = declare(Scalar(kinds.Choice("tcp", "udp"), "@protocol"))
    domain: Optional[str] = declare(Scalar(kinds.Text(DNS_NAME, "a domain name"), "@domain"))
    target: Optional[str] = declare(Scalar(kinds.Text(DNS_NAME, "a host name"), "@target"))
    port: Optional[int] = declare(Scalar(kinds.Integer(1, 65535, zero_unsets=True), "@port"))
    priority: Optional[int] = declare(Scalar(kinds.Integer(0, 65535, zero_unsets=True), "@priority"))
    weight: Optional[int] = declare(Scalar(kinds.Integer(0, 65535, zero_unsets=True), "@weight"))


@dataclass(frozen=True)
class Dns:
    enable: Optional[bool] = declare(Scalar(kinds.Boolean(), "@enable", YES_NO))
    forward_plain_names: Optional[bool] = declare(Scalar(kinds.Boolean(), "@forwardPlainNames", YES_NO))
    # libvirt runs dnsmasq with strict-order: forwarders are asked in the order they stand.
    forwarders: Optional[tuple[DnsForwarder, ...]] = declare(
        Items(DnsForwarder, "forwarder", values_of("domain", "addr"), "the forwarder", ordered=True)
    )
    txts: Optional[tuple[DnsTxt, ...]] = declare(Items(DnsTxt, "txt", lambda txt: txt.name, "the TXT record"))
    srvs: Optional[tuple[DnsSrv, ...]] = declare(
        Items(DnsSrv, "srv", values_of("service", "protocol", "domain", "target"), "the SRV record")
    )
    hosts: Optional[tuple[DnsHost, ...]] = declare(Items(DnsHost, "host", lambda host: host.ip, "the DNS entry of"))
