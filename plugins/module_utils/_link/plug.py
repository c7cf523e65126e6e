# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Guests' taps and bridges."""

from __future__ import annotations

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import host_files
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import index_of, netlink_errors, opened
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import GuestNic


def plug(nic: GuestNic, bridge: str) -> None:
    """Make a guest's tap a port of the bridge, as libvirt does when it starts the guest (src/util/virnetdevtap.c).

    The tap gets the MTU of its interface, or else the bridge's, and the port the interface's isolation.
    """
    device = nic.device or ""
    with opened() as route, netlink_errors(ApplyFailed, f"make {device} a port of {bridge}"):
        master = index_of(route, bridge)
        bridges = list(route.get_links(master))
        mtu = nic.mtu or bridges[0].get_attr("IFLA_MTU")
        route.link("set", index=index_of(route, device), master=master, mtu=mtu, state="up")
    if nic.isolated:
        host_files.isolate_port(device)
