# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The kernel's messages about links and addresses, of which only what is asked for is decoded.

A link has some sixty attributes and a bridge fifty more. pyroute2 decodes them all, which for a thousand bridges takes
ten times as long as ``ip`` needs, so that a dump is read here and only changes go through pyroute2.

Source of the numbers: include/uapi/linux/if_link.h and if_addr.h in the kernel.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    GET_ADDRESS,
    GET_LINK,
    Socket,
    attribute,
    attributes,
)

Decoder = Callable[[bytes], Any]

# struct ifinfomsg: family, type, index, flags, change. struct ifaddrmsg: family, prefix length, flags, scope, index.
IFINFOMSG = struct.Struct("=BxHiII")
IFADDRMSG = struct.Struct("=4BI")

_IFLA_EXT_MASK, _SKIP_STATISTICS = 29, 1 << 3


def _unsigned(form: str) -> Decoder:
    packed = struct.Struct(form)
    return lambda data: packed.unpack_from(data)[0]


_U8, _U16, _BE16, _U32, _S32 = (_unsigned(form) for form in ("=B", "=H", "!H", "=I", "=i"))


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="surrogateescape")


def _hardware_address(data: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in data)


def _address(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


class Attributes:
    """Those of one message or of one nested attribute, decoded when they are asked for."""

    def __init__(self, data: bytes, known: Mapping[str, tuple[int, Decoder]]) -> None:
        self._found = dict(attributes(data))
        self._known = known

    def get_attr(self, name: str) -> Any:
        """The attribute of that name, None where the message has none."""
        number, decode = self._known[name]
        data = self._found.get(number)
        return None if data is None else decode(data)


_OF_DATA: Mapping[str, tuple[int, Decoder]] = {
    "IFLA_BR_FORWARD_DELAY": (1, _U32),
    "IFLA_BR_HELLO_TIME": (2, _U32),
    "IFLA_BR_MAX_AGE": (3, _U32),
    "IFLA_BR_AGEING_TIME": (4, _U32),
    "IFLA_BR_STP_STATE": (5, _U32),
    "IFLA_BR_PRIORITY": (6, _U16),
    "IFLA_BR_VLAN_FILTERING": (7, _U8),
    "IFLA_BR_VLAN_PROTOCOL": (8, _BE16),
    "IFLA_BR_ROOT_ID": (10, bytes),
    "IFLA_BR_BRIDGE_ID": (11, bytes),
    "IFLA_BR_TOPOLOGY_CHANGE": (14, _U8),
    "IFLA_BR_MCAST_SNOOPING": (23, _U8),
    "IFLA_BR_NF_CALL_IPTABLES": (36, _U8),
    "IFLA_BR_NF_CALL_IP6TABLES": (37, _U8),
    "IFLA_BR_NF_CALL_ARPTABLES": (38, _U8),
    "IFLA_BR_VLAN_DEFAULT_PVID": (39, _U16),
    "IFLA_VLAN_ID": (1, _U16),
    "IFLA_VLAN_PROTOCOL": (5, _BE16),
}
_OF_INFO: Mapping[str, tuple[int, Decoder]] = {
    "IFLA_INFO_KIND": (1, _text),
    "IFLA_INFO_DATA": (2, lambda data: Attributes(data, _OF_DATA)),
}
_OF_LINK: Mapping[str, tuple[int, Decoder]] = {
    "IFLA_ADDRESS": (1, _hardware_address),
    "IFLA_IFNAME": (3, _text),
    "IFLA_MTU": (4, _U32),
    "IFLA_LINK": (5, _U32),
    "IFLA_MASTER": (10, _U32),
    "IFLA_LINKINFO": (18, lambda data: Attributes(data, _OF_INFO)),
    "IFLA_GROUP": (27, _U32),
    "IFLA_LINK_NETNSID": (37, _S32),
}
_OF_ADDRESS: Mapping[str, tuple[int, Decoder]] = {
    "IFA_ADDRESS": (1, _address),
    "IFA_LOCAL": (2, _address),
}


class LinkMessage(Attributes):
    """``hardware``: ARPHRD_*, ``flags``: IFF_*."""

    def __init__(self, data: bytes) -> None:
        _family, self.hardware, self.index, self.flags, _change = IFINFOMSG.unpack_from(data)
        super().__init__(data[IFINFOMSG.size :], _OF_LINK)


class AddressMessage(Attributes):
    """``index`` is that of the link, ``flags``: IFA_F_*."""

    def __init__(self, data: bytes) -> None:
        _family, self.prefix_length, self.flags, _scope, self.index = IFADDRMSG.unpack_from(data)
        super().__init__(data[IFADDRMSG.size :], _OF_ADDRESS)


def links(route: Socket) -> list[LinkMessage]:
    """All links. Raises ReadFailed."""
    asked = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, struct.pack("=I", _SKIP_STATISTICS))
    return [LinkMessage(data) for data in route.dump(GET_LINK, asked)]


def addresses(route: Socket) -> list[AddressMessage]:
    """All IPv4 and IPv6 addresses. Raises ReadFailed."""
    return [AddressMessage(data) for data in route.dump(GET_ADDRESS, IFADDRMSG.pack(0, 0, 0, 0, 0))]
