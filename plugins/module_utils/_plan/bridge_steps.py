# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes the kernel can be asked for on a bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import HostRoute
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep


@dataclass(frozen=True)
class Create(LinkStep):
    """Make the bridge with the scalar properties given, and bring it up, all in one message."""

    properties: Bridge


@dataclass(frozen=True)
class Change(LinkStep):
    """Set the scalar properties given. Setting the MAC address that the bridge has makes it stay."""

    properties: Bridge


@dataclass(frozen=True)
class BringUp(LinkStep):
    """``device`` is the bridge itself or one of its ports."""

    device: str


@dataclass(frozen=True)
class AddPort(LinkStep):
    """Make the device a port and bring it up."""

    port: str


@dataclass(frozen=True)
class RemovePort(LinkStep):
    port: str


class VlanEntry(NamedTuple):
    """VLANs from ``first`` to ``last``. Only one that stands alone may be the ``pvid``."""

    first: int
    last: int
    untagged: bool
    pvid: bool


@dataclass(frozen=True)
class SetVlans(LinkStep):
    """Put the VLANs of a port, or of the bridge itself, and then remove others, which need not be there."""

    port: str
    put: tuple[VlanEntry, ...]
    remove: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Isolate(LinkStep):
    """Keep a port from the other isolated ports, or no longer."""

    port: str
    isolated: bool


@dataclass(frozen=True)
class PutRoute(LinkStep):
    """Add the route to the main table, or replace the one with its destination and metric."""

    route: Route


@dataclass(frozen=True)
class RemoveRoute(LinkStep):
    """It may be gone already: the kernel removes routes along with addresses."""

    route: Route


@dataclass(frozen=True)
class TakeOver(LinkStep):
    """Make the uplink a port, and the bridge what the host is reached by, without a gap.

    ``addresses`` and ``routes`` are what moves. The uplink keeps none but its link-local addresses. ``ports`` are
    changes of the new port that belong right behind its becoming one.
    """

    uplink: str
    addresses: tuple[str, ...] = ()
    routes: tuple[HostRoute, ...] = ()
    ports: tuple[LinkStep, ...] = ()


@dataclass(frozen=True)
class GiveBack(LinkStep):
    """Make a port the uplink again that the host is reached by, and no port, without a gap.

    ``addresses`` and ``routes`` are what moves. The bridge keeps none but its link-local addresses.
    """

    uplink: str
    addresses: tuple[str, ...] = ()
    routes: tuple[HostRoute, ...] = ()
