# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Messages of rtnetlink that change routes and addresses, new ones and copies of what the kernel told.

Source of the numbers: include/uapi/linux/rtnetlink.h and if_addr.h in the kernel.
"""

from __future__ import annotations

import errno
import ipaddress
import struct
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_routes import (
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTMSG,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    CREATE,
    DELETE_ADDRESS,
    DELETE_ROUTE,
    IFADDR,
    NEW_ADDRESS,
    NEW_ROUTE,
    REPLACE,
    Request,
    attribute,
    attributes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route

_MAIN_TABLE, _STATIC, _UNICAST = 254, 4, 1
_EVERYWHERE, _ON_LINK, _ANY_SCOPE = 0, 253, 255
_CACHEINFO, _EXPIRES = 12, 23
# struct rta_cacheinfo: clntref, lastuse, expires (in hundredths of a second), error, used, id, ts, tsage.
_ROUTE_TIMES = struct.Struct("=IIiIIIII")
_USER_HZ = 100
# Flags that are an order rather than a state: RTNH_F_ONLINK.
_KEPT_ROUTE_FLAGS = 0x4

IFA_ADDRESS, IFA_LOCAL, _LABEL, _FLAGS = 1, 2, 3, 8
_NO_DAD = 0x2
# IFA_F_HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE and MCAUTOJOIN: those that the kernel takes from outside.
_KEPT_ADDRESS_FLAGS = 0x10 | 0x100 | 0x200 | 0x400
MANAGE_TEMPORARY, NO_PREFIX_ROUTE = 0x100, 0x200
_TEMPORARY_PREFIX = 64
_NAME_BYTES = 15


def route_message(route: Route, index: int, *, remove: bool) -> Request:
    """Put a route of the main table, in place of the one with its destination and metric, or remove it."""
    network = ipaddress.ip_network(route.destination or "")
    family = {4: 2, 6: 10}[network.version]
    scope = _ON_LINK if route.gateway is None and network.version == 4 else _EVERYWHERE
    scope = _ANY_SCOPE if remove else scope
    body = RTMSG.pack(family, network.prefixlen, 0, 0, _MAIN_TABLE, 0 if remove else _STATIC, scope, _UNICAST, 0)
    body += attribute(RTA_DST, network.network_address.packed)
    for kind, address in ((RTA_GATEWAY, route.gateway), (RTA_PREFSRC, route.source)):
        if address is not None:
            body += attribute(kind, ipaddress.ip_address(address).packed)
    body += attribute(RTA_PRIORITY, struct.pack("=I", route.metric or 0)) + attribute(RTA_OIF, struct.pack("=i", index))
    if remove:
        return Request(DELETE_ROUTE, body, tolerated=(errno.ESRCH,))
    return Request(NEW_ROUTE, body, CREATE | REPLACE)


# Copies, for a move from one link to another.


def copied_route(message: bytes, index: int) -> Request:
    """The route of a message, put through another link beside the present one. That it is there already is no error."""
    header = list(RTMSG.unpack_from(message))
    header[-1] &= _KEPT_ROUTE_FLAGS
    body = RTMSG.pack(*header)
    for kind, payload in attributes(message[RTMSG.size :]):
        if kind == RTA_OIF:
            body += attribute(RTA_OIF, struct.pack("=i", index))
        elif kind == _CACHEINFO:
            expires = _ROUTE_TIMES.unpack_from(payload)[2] // _USER_HZ
            body += attribute(_EXPIRES, struct.pack("=I", expires)) if expires > 0 else b""
        else:
            body += attribute(kind, payload)
    return Request(NEW_ROUTE, body, CREATE, (errno.EEXIST,))


def route_removal(message: bytes, index: int) -> Request:
    """Remove the route of a message from a link. That it is gone already is no error."""
    copy = copied_route(message, index)
    return Request(DELETE_ROUTE, copy.body, tolerated=(errno.ESRCH,))


def copied_address(message: bytes, index: int, names: tuple[str, str]) -> Request:
    """The address of a message, put on another link. ``names`` are the present link's and the other's.

    It needs no search for duplicates: it is in use.
    """
    family, prefix, _short, scope, _index = IFADDR.unpack_from(message)
    body = b""
    flags = address_flags(message) & _KEPT_ADDRESS_FLAGS | _NO_DAD
    if prefix != _TEMPORARY_PREFIX:
        flags &= ~MANAGE_TEMPORARY
    for kind, payload in attributes(message[IFADDR.size :]):
        if kind == _LABEL:
            label = _renamed(payload.rstrip(b"\0").decode(errors="replace"), names)
            body += attribute(_LABEL, label.encode() + b"\0") if label else b""
        elif kind != _FLAGS:
            body += attribute(kind, payload)
    body += attribute(_FLAGS, struct.pack("=I", flags))
    return Request(NEW_ADDRESS, IFADDR.pack(family, prefix, flags & 0xFF, scope, index) + body, CREATE | REPLACE)


def address_removal(message: bytes, index: int) -> Request:
    """Remove the address of a message from a link. That it is gone already is no error."""
    family, prefix, *_rest = IFADDR.unpack_from(message)
    body = IFADDR.pack(family, prefix, 0, 0, index)
    for kind, payload in attributes(message[IFADDR.size :]):
        if kind in (IFA_ADDRESS, IFA_LOCAL):
            body += attribute(kind, payload)
    return Request(DELETE_ADDRESS, body, tolerated=(errno.EADDRNOTAVAIL,))


def address_flags(message: bytes) -> int:
    told = dict(attributes(message[IFADDR.size :]))
    return int(struct.unpack("=I", told[_FLAGS])[0]) if _FLAGS in told else int(IFADDR.unpack_from(message)[2])


def _renamed(label: str, names: tuple[str, str]) -> Optional[str]:
    """The label of an address for its new device, which by custom begins with the device's name."""
    old, new = names
    label = new + label[len(old) :] if label.startswith(old) else label
    return label if len(label.encode()) <= _NAME_BYTES else None
