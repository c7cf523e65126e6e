# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_net_info does: networks as they are, in the names of virt_net's options, with leases and guests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import connected
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.leases import read_leases
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import read_hypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    Forward,
    Nat,
    Network,
    PortRange,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import to_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor, SeenNetwork


def networks_info(uri: str, name: Optional[str]) -> dict[str, list[dict[str, Any]]]:
    """All networks at the hypervisor, or the one named (an empty list where there is none), in the order of names."""
    with connected(uri) as connection:
        seen = read_hypervisor(connection)
        found = [each for _name, each in sorted(seen.networks.items()) if name in (None, each.name)]
        return {
            "networks": [
                {
                    **_declaration(network),
                    **_observation(seen, network),
                    "leases": read_leases(connection, network.name) if network.active else [],
                }
                for network in found
            ],
            # Declaring a transient network would make it persistent.
            "declarations": [_declaration(network) for network in found if network.persistent],
        }


def _declaration(network: SeenNetwork) -> dict[str, Any]:
    """What virt_net would have to be told for the network to be as it is."""
    return {
        **to_options(network.newest),
        "state": "active" if network.active else "inactive",
        "autostart": network.autostart,
    }


def _observation(seen: SeenHypervisor, network: SeenNetwork) -> dict[str, Any]:
    return {
        "persistent": network.persistent,
        "uuid": network.uuid,
        "guests": [
            {"name": nic.domain, "mac": nic.mac, "device": nic.device}
            for nic in seen.nics
            if nic.network == network.name
        ],
        "pending": _pending(network),
    }


def _started(network: Network) -> Network:
    """What libvirt makes of a definition when it starts it: it writes down the source ports that it uses by default."""
    forward = network.forward or Forward()
    nat = forward.nat or Nat()
    if network.mode != "nat" or nat.ports is not None:
        return network
    return replace(network, forward=replace(forward, nat=replace(nat, ports=PortRange(1024, 65535))))


def _pending(network: SeenNetwork) -> list[dict[str, Any]]:
    """The options in which what runs differs from what the next start takes."""
    if network.live is None or network.config is None:
        return []
    running, defined = to_options(network.live), to_options(_started(network.config))
    return [
        {"option": option, "running": running.get(option), "defined": defined.get(option)}
        for option in {**running, **defined}
        if running.get(option) != defined.get(option)
    ]
