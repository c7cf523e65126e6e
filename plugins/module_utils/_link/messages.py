# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The kernel's messages about links and addresses, of which only what is asked for is decoded, and changes of links.

A link has some sixty attributes and a bridge fifty more. pyroute2 decodes them all, which for a thousand bridges takes
ten times as long as ``ip`` needs, and to write a change it needs as long as the kernel does to carry it out. So what a
task does a thousand times is done here, and the rest through pyroute2.

Source of the numbers: include/uapi/linux/if_link.h and if_addr.h in the kernel.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    CREATE,
    DELETE_LINK,
    EXCLUSIVE,
    GET_ADDRESS,
    GET_LINK,
    IFADDR,
    IFF_UP,
    IFINFO,
    NEW_LINK,
    Request,
    Socket,
    attribute,
    attributes,
    nested,
)

Decoder = Callable[[bytes], Any]
Encoder = Callable[[Any], bytes]
Known = Mapping[str, tuple[int, Decoder, Encoder]]

_IFLA_EXT_MASK, _SKIP_STATISTICS = 29, 1 << 3


def _number(form: str) -> tuple[Decoder, Encoder]:
    packed = struct.Struct(form)
    return lambda data: packed.unpack_from(data)[0], packed.pack


_U8, _U16, _BE16, _U32, _S32 = (_number(form) for form in ("=B", "=H", "!H", "=I", "=i"))
_TEXT: tuple[Decoder, Encoder] = (
    lambda data: data.rstrip(b"\0").decode(errors="surrogateescape"),
    lambda text: text.encode(errors="surrogateescape") + b"\0",
)
_HARDWARE_ADDRESS: tuple[Decoder, Encoder] = (
    lambda data: ":".join(f"{byte:02x}" for byte in data),
    lambda text: bytes.fromhex(text.replace(":", "")),
)
_BYTES: tuple[Decoder, Encoder] = (bytes, bytes)
_ADDRESS: tuple[Decoder, Encoder] = (
    lambda data: str(ipaddress.ip_address(data)),
    lambda text: ipaddress.ip_address(text).packed,
)


class Attributes:
    """Those of one message or of one nested attribute, decoded when they are asked for."""

    def __init__(self, data: bytes, known: Known) -> None:
        self._found = dict(attributes(data))
        self._known = known

    def get_attr(self, name: str) -> Any:
        """The attribute of that name, None where the message has none."""
        number, decode, _encode = self._known[name]
        data = self._found.get(number)
        return None if data is None else decode(data)


# IFLA_LINKINFO, IFLA_INFO_KIND and IFLA_INFO_DATA.
_INFO, _KIND, _DATA = 18, 1, 2
_OF_DATA: Known = {
    "IFLA_BR_FORWARD_DELAY": (1, *_U32),
    "IFLA_BR_HELLO_TIME": (2, *_U32),
    "IFLA_BR_MAX_AGE": (3, *_U32),
    "IFLA_BR_AGEING_TIME": (4, *_U32),
    "IFLA_BR_STP_STATE": (5, *_U32),
    "IFLA_BR_PRIORITY": (6, *_U16),
    "IFLA_BR_VLAN_FILTERING": (7, *_U8),
    "IFLA_BR_VLAN_PROTOCOL": (8, *_BE16),
    "IFLA_BR_ROOT_ID": (10, *_BYTES),
    "IFLA_BR_BRIDGE_ID": (11, *_BYTES),
    "IFLA_BR_TOPOLOGY_CHANGE": (14, *_U8),
    "IFLA_BR_MCAST_SNOOPING": (23, *_U8),
    "IFLA_BR_NF_CALL_IPTABLES": (36, *_U8),
    "IFLA_BR_NF_CALL_IP6TABLES": (37, *_U8),
    "IFLA_BR_NF_CALL_ARPTABLES": (38, *_U8),
    "IFLA_BR_VLAN_DEFAULT_PVID": (39, *_U16),
    "IFLA_VLAN_ID": (1, *_U16),
    "IFLA_VLAN_PROTOCOL": (5, *_BE16),
}
_OF_INFO: Known = {
    "IFLA_INFO_KIND": (_KIND, *_TEXT),
    "IFLA_INFO_DATA": (_DATA, lambda data: Attributes(data, _OF_DATA), _BYTES[1]),
}
_OF_LINK: Known = {
    "IFLA_ADDRESS": (1, *_HARDWARE_ADDRESS),
    "IFLA_IFNAME": (3, *_TEXT),
    "IFLA_MTU": (4, *_U32),
    "IFLA_LINK": (5, *_U32),
    "IFLA_MASTER": (10, *_U32),
    "IFLA_LINKINFO": (_INFO, lambda data: Attributes(data, _OF_INFO), _BYTES[1]),
    "IFLA_GROUP": (27, *_U32),
    "IFLA_LINK_NETNSID": (37, *_S32),
}
_OF_ADDRESS: Known = {
    "IFA_ADDRESS": (1, *_ADDRESS),
    "IFA_LOCAL": (2, *_ADDRESS),
}


class LinkMessage(Attributes):
    """``hardware``: ARPHRD_*, ``flags``: IFF_*."""

    def __init__(self, data: bytes) -> None:
        _family, self.hardware, self.index, self.flags, _change = IFINFO.unpack_from(data)
        super().__init__(data[IFINFO.size :], _OF_LINK)


class AddressMessage(Attributes):
    """``index`` is that of the link, ``flags``: IFA_F_*."""

    def __init__(self, data: bytes) -> None:
        _family, self.prefix_length, self.flags, _scope, self.index = IFADDR.unpack_from(data)
        super().__init__(data[IFADDR.size :], _OF_ADDRESS)


def links(kernel: Socket) -> list[LinkMessage]:
    """All links. Raises ReadFailed."""
    asked = IFINFO.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, struct.pack("=I", _SKIP_STATISTICS))
    return [LinkMessage(data) for data in kernel.dump(GET_LINK, asked)]


def addresses(kernel: Socket) -> list[AddressMessage]:
    """All IPv4 and IPv6 addresses. Raises ReadFailed."""
    return [AddressMessage(data) for data in kernel.dump(GET_ADDRESS, IFADDR.pack(0, 0, 0, 0, 0))]


# What a change of a link says of a link of its kind, beside the attributes by their names: as pyroute2 spells it.
_SPELLED = {
    "ifname": "IFLA_IFNAME",
    "master": "IFLA_MASTER",
    "link": "IFLA_LINK",
    "address": "IFLA_ADDRESS",
    "mtu": "IFLA_MTU",
    "group": "IFLA_GROUP",
    "vlan_id": "IFLA_VLAN_ID",
    "vlan_protocol": "IFLA_VLAN_PROTOCOL",
}


def link_request(command: str, *, index: int = 0, kind: str = "", state: str = "", **values: Any) -> Request:
    """``add``, ``set`` or ``del`` of a link with the values of its attributes, spelled as for pyroute2's ``link()``."""
    spelled = {_SPELLED.get(name, name): value for name, value in values.items()}
    own = _packed({name: value for name, value in spelled.items() if name in _OF_LINK}, _OF_LINK)
    particular = _packed({name: value for name, value in spelled.items() if name not in _OF_LINK}, _OF_DATA)
    if kind:
        own += nested(_INFO, attribute(_KIND, _TEXT[1](kind)), *([nested(_DATA, particular)] if particular else []))
    header = IFINFO.pack(0, 0, index, IFF_UP if state == "up" else 0, IFF_UP if state else 0)
    request, flags = {"add": (NEW_LINK, CREATE | EXCLUSIVE), "set": (NEW_LINK, 0), "del": (DELETE_LINK, 0)}[command]
    return Request(request, header + own, flags)


def _packed(values: Mapping[str, Any], known: Known) -> bytes:
    return b"".join(attribute(known[name][0], known[name][2](value)) for name, value in values.items())
