# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_net_info does: networks as they are, in the names of virt_net's options, with leases and guests."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import connected
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.leases import read_leases
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import read_hypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import to_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor, SeenNetwork


def networks_info(uri: str, name: Optional[str]) -> list[dict[str, Any]]:
    """All networks at the hypervisor, or the one named (an empty list where there is none), in the order of names."""
    with connected(uri) as connection:
        seen = read_hypervisor(connection)
        return [
            {**_description(seen, network), "leases": read_leases(connection, network.name) if network.active else []}
            for network in sorted(seen.networks.values(), key=lambda each: each.name)
            if name in (None, network.name)
        ]


def _description(seen: SeenHypervisor, network: SeenNetwork) -> dict[str, Any]:
    return {
        **to_options(network.newest),
        "state": "active" if network.active else "inactive",
        "autostart": network.autostart,
        "persistent": network.persistent,
        "uuid": network.uuid,
        "guests": [
            {"name": nic.domain, "mac": nic.mac, "device": nic.device}
            for nic in seen.nics
            if nic.network == network.name
        ],
    }
