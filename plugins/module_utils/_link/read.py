# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's links and their addresses, each dumped once."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import host_files
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.link_record import read_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.messages import (
    AddressMessage,
    Attributes,
    LinkMessage,
    addresses,
    links,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import IFF_UP, Socket
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    SeenBridge,
    SeenHost,
    SeenLink,
    SeenVlan,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import PROTOCOLS

# include/uapi/linux/if.h, if_arp.h and if_addr.h.
_IFF_LOOPBACK = 0x8
_ARPHRD_ETHER = 1
_IFA_F_PERMANENT = 0x80

_PROTOCOLS = {number: name for name, number in PROTOCOLS.items()}


@dataclass
class _Addresses:
    """The addresses of one link."""

    all: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)


def read_links() -> Mapping[str, SeenLink]:
    """All links by name. Raises ReadFailed."""
    return _read(())


def read_host(bridges: Collection[str], *, with_ipv6: Collection[str] = ()) -> SeenHost:
    """All links, with the properties of the bridges that are named. Raises ReadFailed.

    Of the devices in ``with_ipv6`` it is told whether they take IPv6 addresses. Their files cost more than their links.
    """
    seen = _read(bridges)
    return SeenHost(
        links=seen,
        libvirt_bridges=host_files.libvirt_bridges(),
        without_ipv6=frozenset(name for name in with_ipv6 if host_files.takes_no_ipv6(name, exists=name in seen)),
        machine_id=host_files.machine_id(),
    )


def with_fixed_macs(seen: SeenHost, bridges: Collection[str]) -> SeenHost:
    """Tell of those of the bridges that were read whether their MAC address follows their ports."""
    found = {
        name: replace(link, bridge=replace(link.bridge, fixed_mac=host_files.mac_was_set(name, index=link.index)))
        for name in bridges
        if (link := seen.links.get(name)) is not None and link.bridge is not None
    }
    return replace(seen, links={**seen.links, **found}) if found else seen


def _read(bridges: Collection[str]) -> Mapping[str, SeenLink]:
    found: dict[int, _Addresses] = {}
    with Socket() as route:
        messages = links(route)
        for message in addresses(route):
            _add_address(found.setdefault(message.index, _Addresses()), message)
    names = {message.index: message.get_attr("IFLA_IFNAME") for message in messages}
    return {
        names[message.index]: _link(message, names, found.get(message.index, _Addresses()), bridges)
        for message in messages
    }


def _add_address(found: _Addresses, message: AddressMessage) -> None:
    # On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always this host's.
    local, other = message.get_attr("IFA_LOCAL"), message.get_attr("IFA_ADDRESS")
    text = str(ipaddress.ip_interface(f"{local or other}/{message.prefix_length}"))
    found.all.append(text)
    if message.flags & _IFA_F_PERMANENT and local in (None, other):
        found.lasting.append(text)


def _link(message: LinkMessage, names: Mapping[int, str], found: _Addresses, bridges: Collection[str]) -> SeenLink:
    name, info = names[message.index], message.get_attr("IFLA_LINKINFO")
    kind = None if info is None else info.get_attr("IFLA_INFO_KIND")
    elsewhere = message.get_attr("IFLA_LINK_NETNSID") is not None
    return SeenLink(
        name=name,
        index=message.index,
        kind=kind,
        master=names.get(message.get_attr("IFLA_MASTER")),
        mtu=message.get_attr("IFLA_MTU"),
        addresses=tuple(found.all),
        lasting=tuple(found.lasting),
        mac=message.get_attr("IFLA_ADDRESS"),
        up=bool(message.flags & IFF_UP),
        ethernet=message.hardware == _ARPHRD_ETHER,
        loopback=bool(message.flags & _IFF_LOOPBACK),
        # An index of another namespace says nothing here.
        below=None if elsewhere else names.get(message.get_attr("IFLA_LINK")),
        other_namespace=elsewhere,
        bridge=_bridge(message, info.get_attr("IFLA_INFO_DATA")) if kind == "bridge" and name in bridges else None,
        vlan=_vlan(info.get_attr("IFLA_INFO_DATA")) if kind == "vlan" else None,
    )


def _bridge(message: LinkMessage, data: Attributes) -> SeenBridge:
    return SeenBridge(
        properties=read_record(Bridge, message, data),
        is_root=data.get_attr("IFLA_BR_ROOT_ID") == data.get_attr("IFLA_BR_BRIDGE_ID"),
        tree_changes=bool(data.get_attr("IFLA_BR_TOPOLOGY_CHANGE")),
    )


def _vlan(data: Attributes) -> SeenVlan:
    return SeenVlan(data.get_attr("IFLA_VLAN_ID"), _PROTOCOLS[data.get_attr("IFLA_VLAN_PROTOCOL")])
