# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Guests' taps and bridges."""

from __future__ import annotations

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import index_of, netlink_errors, opened


def plug(device: str, bridge: str) -> None:
    """Make a tap a port of the bridge, with the bridge's MTU, as libvirt does (src/util/virnetdevtap.c)."""
    with opened() as route, netlink_errors(ApplyFailed, f"make {device} a port of {bridge}"):
        master = index_of(route, bridge)
        mtu = list(route.get_links(master))[0].get_attr("IFLA_MTU")  # noqa: RUF015 (as in index_of)
        route.link("set", index=index_of(route, device), master=master, mtu=mtu, state="up")
