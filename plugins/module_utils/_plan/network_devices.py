# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Devices on the bridges of libvirt's networks that no guest of this connection has. Pure.

They are as good as guests: containers of libvirt's LXC driver, which is another connection, QEMU started by hand, or
what an administrator has plugged in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import OWN_BRIDGE_MODES
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import GuestNic, SeenHypervisor, SeenLink


def other_ports(seen: SeenHypervisor) -> dict[str, list[SeenLink]]:
    """By the name of the network, the ports of its running bridge that are no known guest's."""
    known = {nic.device for nic in seen.nics}
    bridges = {
        network.live.bridge_name: network.name
        for network in seen.networks.values()
        if network.active and network.live and network.live.mode in OWN_BRIDGE_MODES and network.live.bridge_name
    }
    found: dict[str, list[SeenLink]] = {}
    for link in (seen.links or {}).values():
        # libvirt before 6.8 has a tap of its own on each bridge, which keeps the bridge's MAC address.
        if link.master in bridges and link.name not in known and link.name != f"{link.master}-nic":
            found.setdefault(bridges[link.master], []).append(link)
    return found


def with_other_ports(
    seen: SeenHypervisor, ports: Mapping[str, Sequence[SeenLink]], options: Mapping[str, PortOptions]
) -> SeenHypervisor:
    """Take these ports for interfaces of guests without a name. ``options`` are the kernel's of such ports."""
    nics = [
        GuestNic(
            domain="",
            mac=link.mac or "",
            network=name,
            device=link.name,
            mtu=link.mtu,
            isolated=bool(link.name in options and options[link.name].isolated),
        )
        for name, links in ports.items()
        for link in sorted(links, key=lambda link: link.name)
    ]
    return replace(seen, nics=(*seen.nics, *nics))
