# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's links and their addresses, each dumped once."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import host_files
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.link_record import read_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import netlink_errors, opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    SeenBridge,
    SeenHost,
    SeenLink,
    SeenVlan,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import PROTOCOLS

# include/uapi/linux/if.h, if_arp.h and if_addr.h.
_IFF_UP = 0x1
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
    """All links by name, over a socket of its own."""
    with opened() as route:
        return _read(route, ())


def read_host(route: Any, bridges: Collection[str]) -> SeenHost:
    """All links, with the properties of the bridges that are named."""
    links = _read(route, bridges)
    return SeenHost(
        links=links,
        libvirt_bridges=host_files.libvirt_bridges(),
        without_ipv6=frozenset(name for name in bridges if host_files.takes_no_ipv6(name, exists=name in links)),
        machine_id=host_files.machine_id(),
    )


def _read(route: Any, bridges: Collection[str]) -> Mapping[str, SeenLink]:
    with netlink_errors(ReadFailed, "list the network devices"):
        messages = list(route.get_links())
        addresses: dict[int, _Addresses] = {}
        for message in route.get_addr():
            _add_address(addresses.setdefault(message["index"], _Addresses()), message)
    names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
    links = [_link(message, names, addresses.get(message["index"], _Addresses()), bridges) for message in messages]
    return {link.name: link for link in links}


def _add_address(addresses: _Addresses, message: Any) -> None:
    # On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always this host's.
    local, other = message.get_attr("IFA_LOCAL"), message.get_attr("IFA_ADDRESS")
    text = str(ipaddress.ip_interface(f"{local or other}/{message['prefixlen']}"))
    addresses.all.append(text)
    if message["flags"] & _IFA_F_PERMANENT and local in (None, other):
        addresses.lasting.append(text)


def _link(message: Any, names: Mapping[int, str], addresses: _Addresses, bridges: Collection[str]) -> SeenLink:
    name, info = names[message["index"]], message.get_attr("IFLA_LINKINFO")
    kind = None if info is None else info.get_attr("IFLA_INFO_KIND")
    elsewhere = message.get_attr("IFLA_LINK_NETNSID") is not None
    return SeenLink(
        name=name,
        index=message["index"],
        kind=kind,
        master=names.get(message.get_attr("IFLA_MASTER")),
        mtu=message.get_attr("IFLA_MTU"),
        addresses=tuple(addresses.all),
        lasting=tuple(addresses.lasting),
        mac=message.get_attr("IFLA_ADDRESS"),
        up=bool(message["flags"] & _IFF_UP),
        ethernet=message["ifi_type"] == _ARPHRD_ETHER,
        loopback=bool(message["flags"] & _IFF_LOOPBACK),
        # An index of another namespace says nothing here.
        below=None if elsewhere else names.get(message.get_attr("IFLA_LINK")),
        other_namespace=elsewhere,
        bridge=_bridge(message, name) if kind == "bridge" and name in bridges else None,
        vlan=_vlan(info) if kind == "vlan" else None,
    )


def _bridge(message: Any, name: str) -> SeenBridge:
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    return SeenBridge(
        properties=read_record(Bridge, message, data),
        is_root=data.get_attr("IFLA_BR_ROOT_ID") == data.get_attr("IFLA_BR_BRIDGE_ID"),
        tree_changes=bool(data.get_attr("IFLA_BR_TOPOLOGY_CHANGE")),
        fixed_mac=host_files.mac_was_set(name, index=message["index"]),
    )


def _vlan(info: Any) -> SeenVlan:
    data = info.get_attr("IFLA_INFO_DATA")
    return SeenVlan(data.get_attr("IFLA_VLAN_ID"), _PROTOCOLS[data.get_attr("IFLA_VLAN_PROTOCOL")])
