# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Guests' taps and bridges."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import host_files
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.netlink import (
    NetlinkError,
    index_of,
    netlink_errors,
    opened,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import Vlan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import GuestNic


def plug(nic: GuestNic, bridge: str, *, own: bool, static: bool) -> None:
    """Make a guest's tap a port of the bridge, as libvirt does when it starts the guest (src/util/virnetdevtap.c).

    The tap gets the MTU of its interface, or else the bridge's, and the port the interface's isolation and VLAN tags.

    ``own``: only guests are on the bridge, so that its spanning tree need not be waited for. ``static``: the bridge is
    told the guest's address and does not learn (macTableManager).
    """
    device = nic.device or ""
    with contextlib.ExitStack() as stack:
        if own:
            stack.enter_context(host_files.forwarding_at_once(bridge))
        route = stack.enter_context(opened())
        stack.enter_context(netlink_errors(ApplyFailed, f"make {device} a port of {bridge}"))
        index, master = index_of(device), index_of(bridge)
        mtu = nic.mtu or next(link.get_attr("IFLA_MTU") for link in route.get_links() if link.index == master)
        route.link("set", index=index, master=master, mtu=mtu, state="up")
        if nic.vlan is not None and nic.vlan.tags:
            _set_tags(route, index, nic.vlan)
        if static:
            host_files.keep_port_from_learning(device)
            route.fdb("replace", ifindex=index, lladdr=nic.mac, flags=_NTF_MASTER, state=_NUD_STATIC)
    if nic.isolated:
        host_files.isolate_port(device)


# include/uapi/linux/neighbour.h: NUD_NOARP and NUD_REACHABLE, as virNetDevBridgeFDBAddDel() writes them.
_NTF_MASTER, _NUD_STATIC = 0x04, 0x40 | 0x02


def _set_tags(route: Any, index: int, vlan: Vlan) -> None:
    """The port's VLANs, as virNetDevBridgeSetupVlans() in libvirt's src/util/virnetdevbridge.c has them."""
    tags = vlan.tags or ()
    is_trunk = bool(vlan.trunk) or len(tags) > 1
    with contextlib.suppress(NetlinkError):  # Where the bridge has another default VLAN, or none.
        route.vlan_filter("del", index=index, vlan_info={"vid": 1})
    for tag in tags:
        info: dict[str, Any] = {"vid": tag.id}
        if not is_trunk or tag.native_mode == "untagged":
            info["flags"] = ["pvid", "untagged"]
        elif tag.native_mode:
            info["flags"] = ["pvid"]
        route.vlan_filter("add", index=index, vlan_info=info)
