# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's routes.

Source of the numbers: include/uapi/linux/rtnetlink.h in the kernel.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import netlink_errors, opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import GET_ROUTE, Socket, attributes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import HostRoute, SeenRoute

_RT_TABLE_MAIN = 254
_RTPROT_KERNEL = 2

# struct rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags.
RTMSG = struct.Struct("=8BI")
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_MULTIPATH = 1, 4, 5, 6, 7, 9
RTA_TABLE, RTA_VIA, RTA_NH_ID = 15, 18, 30
_LOCAL_TABLE, _UNICAST, _CLONED = 255, 1, 0x200
# struct rtnexthop: length, flags, hops, index.
_NEXTHOP = struct.Struct("=HBBi")
_NUMBER = struct.Struct("=I")


def read_routes() -> tuple[SeenRoute, ...]:
    """IPv4 routes of the main table, which are those that libvirt looks at."""
    with opened() as route, netlink_errors(ReadFailed, "list the routes"):
        names = {link.index: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
        return tuple(
            SeenRoute(f"{message.get_attr('RTA_DST')}/{message['dst_len']}", names.get(message.get_attr("RTA_OIF"), ""))
            for message in route.get_routes(family=socket.AF_INET, table=_RT_TABLE_MAIN)
            if message.get_attr("RTA_DST") and message["proto"] != _RTPROT_KERNEL
        )


def read_host_routes(names: Mapping[int, str]) -> tuple[HostRoute, ...]:
    """All routes through the host's links, whose ``names`` are told by index, of all tables but the kernel's own.

    Raises ReadFailed.
    """
    with Socket() as kernel:
        return tuple(route for message in route_messages(kernel) if (route := host_route(message, names)) is not None)


def route_messages(kernel: Socket) -> Iterator[bytes]:
    """The messages of both families, from ``struct rtmsg`` on."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for message in kernel.dump(GET_ROUTE, RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            found, *_rest, kind, flags = RTMSG.unpack_from(message)
            # A kernel without IPv6 answers for all its families.
            if found == family and kind == _UNICAST and not flags & _CLONED:
                yield message


def host_route(message: bytes, names: Mapping[int, str]) -> Optional[HostRoute]:
    """The route of a message. None for what is in the kernel's own table, or goes through no link that is known."""
    family, length, _source, _tos, short_table, protocol, _scope, _kind, _flags = RTMSG.unpack_from(message)
    told = dict(attributes(message[RTMSG.size :]))
    table = _NUMBER.unpack(told[RTA_TABLE])[0] if RTA_TABLE in told else short_table
    hops = list(_next_hops(told))
    devices = tuple(dict.fromkeys(names[index] for index in hops if index in names))
    if table == _LOCAL_TABLE or not devices:
        return None
    address = told.get(RTA_DST, bytes(4 if family == socket.AF_INET else 16))
    via = told[RTA_VIA][2:] if RTA_VIA in told else None
    return HostRoute(
        Route(
            destination=f"{ipaddress.ip_address(address)}/{length}",
            gateway=_address(told.get(RTA_GATEWAY, via)),
            metric=_NUMBER.unpack(told[RTA_PRIORITY])[0] if RTA_PRIORITY in told else 0,
            source=_address(told.get(RTA_PREFSRC)),
        ),
        devices=devices,
        table=table,
        protocol=protocol,
        is_shared=len(hops) > 1 or RTA_NH_ID in told,
    )


def _next_hops(told: Mapping[int, bytes]) -> Iterator[int]:
    """The index of the link of each way that the route has."""
    hops = told.get(RTA_MULTIPATH, b"")
    if not hops and RTA_OIF in told:
        yield _NUMBER.unpack(told[RTA_OIF])[0]
    position = 0
    while position + _NEXTHOP.size <= len(hops):
        length, _flags, _hops, index = _NEXTHOP.unpack_from(hops, position)
        yield index
        position += max(length + -length % 4, _NEXTHOP.size)


def _address(packed: Optional[bytes]) -> Optional[str]:
    return None if packed is None else str(ipaddress.ip_address(packed))
