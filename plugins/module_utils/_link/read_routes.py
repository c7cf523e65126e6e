# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's routes that no address brought along."""

from __future__ import annotations

import socket

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import netlink_errors, opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenRoute

# include/uapi/linux/rtnetlink.h.
_RT_TABLE_MAIN = 254
_RTPROT_KERNEL = 2


def read_routes() -> tuple[SeenRoute, ...]:
    """IPv4 routes of the main table, which are those that libvirt looks at."""
    with opened() as route, netlink_errors(ReadFailed, "list the routes"):
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
        return tuple(
            SeenRoute(f"{message.get_attr('RTA_DST')}/{message['dst_len']}", names.get(message.get_attr("RTA_OIF"), ""))
            for message in route.get_routes(family=socket.AF_INET, table=_RT_TABLE_MAIN)
            if message.get_attr("RTA_DST") and message["proto"] != _RTPROT_KERNEL
        )
