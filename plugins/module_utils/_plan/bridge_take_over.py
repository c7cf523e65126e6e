# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A bridge takes over what its uplink is to the host: addresses, routes, MAC address and MTU. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import DeclaredBridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    KERNEL_MADE,
    MAIN_TABLE,
    HostRoute,
    SeenHost,
    SeenLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import is_link_local
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import TakeOver
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.routes import reachable


@dataclass(frozen=True)
class Handover:
    """What a link has to give: an uplink to its bridge, or a bridge back to it.

    ``lasting`` are those of the ``addresses`` that do not expire, ``shared`` the routes that cannot move. ``dropped``
    is what the declared lists of the bridge have no room for. All addresses are spelled as they were read.
    """

    giver: SeenLink
    addresses: tuple[str, ...] = ()
    lasting: tuple[str, ...] = ()
    routes: tuple[HostRoute, ...] = ()
    shared: tuple[HostRoute, ...] = ()
    dropped: tuple[str, ...] = ()
    dropped_routes: tuple[HostRoute, ...] = ()

    @property
    def parts(self) -> list[str]:
        """What moves, in words."""
        return [*self.addresses, *(f"route {each.route.words}" for each in self.routes)]

    def shown_of(self, uplink: str) -> dict[str, list[str]]:
        """What the uplink has at one end of the move, and not at the other, for the diff."""
        shown = {
            f"addresses_of_{uplink}": [*self.addresses, *self.dropped],
            f"routes_of_{uplink}": [each.route.words for each in (*self.routes, *self.dropped_routes)],
        }
        return {name: values for name, values in shown.items() if values}

    @property
    def expiring(self) -> tuple[str, ...]:
        return tuple(each for each in self.addresses if each not in self.lasting)


def with_uplink(declared: DeclaredBridge, seen: SeenHost) -> DeclaredBridge:
    """The declaration with what ``take_over`` means for its other options."""
    uplink, bridge = seen.links.get(declared.take_over or ""), declared.bridge
    if declared.take_over is None or declared.state == "absent":
        return declared
    ports = tuple(sorted({*(bridge.ports or ()), declared.take_over}))
    effective = replace(
        declared,
        bridge=replace(bridge, ports=ports),
        # Without a list of ports, none is removed for not being in it.
        purge_ports=declared.purge_ports and bridge.ports is not None,
    )
    if uplink is None or uplink.master == declared.name:
        return effective
    present = seen.links.get(declared.name)
    return replace(
        effective,
        bridge=replace(
            effective.bridge,
            mac=bridge.mac or (uplink.mac if uplink.ethernet and present is not None else None),
            mtu=bridge.mtu or uplink.mtu,
        ),
    )


def handover(declared: DeclaredBridge, seen: SeenHost) -> Optional[Handover]:
    """What is still to be taken over. None: nothing."""
    uplink = seen.links.get(declared.take_over or "")
    if uplink is None or declared.state == "absent":
        return None
    addresses = tuple(each for each in uplink.addresses if not is_link_local(each))
    routes = made_routes(uplink.name, seen)
    if uplink.master == declared.name and not addresses and not routes:
        return None
    wanted = declared.bridge.addresses
    dropped = (
        () if wanted is None else tuple(each for each in addresses if each in uplink.lasting and each not in wanted)
    )
    moved = tuple(each for each in addresses if each not in dropped)
    own = [each for each in routes if not each.is_shared]
    left = movable_routes(declared, own, moved if dropped else None)
    return Handover(
        uplink,
        addresses=moved,
        lasting=tuple(each for each in moved if each in uplink.lasting),
        routes=tuple(left),
        shared=tuple(each for each in routes if each.is_shared),
        dropped=dropped,
        dropped_routes=tuple(each for each in own if each not in left),
    )


def made_routes(device: str, seen: SeenHost) -> list[HostRoute]:
    """The routes through a device that the kernel does not make and remove by itself."""
    return [each for each in seen.routes_through(device) if each.protocol != KERNEL_MADE]


def movable_routes(
    declared: DeclaredBridge, own: Sequence[HostRoute], addresses: Optional[Sequence[str]]
) -> list[HostRoute]:
    """Those of a device's own routes that move with its addresses; ``addresses`` are given where some do not."""
    return [each for each in own if not _is_dropped(each, declared, addresses, own)]


def _is_dropped(
    route: HostRoute, declared: DeclaredBridge, addresses: Optional[Sequence[str]], all_routes: Sequence[HostRoute]
) -> bool:
    """Whether the route is not declared, or needs an address that is dropped; ``addresses`` are given where any is."""
    wanted = declared.bridge.routes
    if wanted is not None and route.table == MAIN_TABLE and route.by_hand and route.route not in wanted:
        return True
    if addresses is None:
        return False
    hosts = {each.partition("/")[0] for each in addresses}
    if route.route.source is not None and route.route.source not in hosts:
        return True
    gateway = route.route.gateway
    return gateway is not None and not reachable(gateway, addresses, (each.route for each in all_routes))


def take_over_step(name: str, given: Handover, ports: Sequence[LinkStep]) -> TakeOver:
    uplink = given.giver.name
    words = f"take over {', '.join(given.parts)} from {uplink} into bridge {name}" if given.parts else ""
    if given.giver.master != name:
        words = f"{words}, and make it a port" if words else f"make {uplink} a port of bridge {name}"
    words = words or f"leave {uplink} to bridge {name} without addresses"
    words += "".join(f"; {step.words}" for step in ports)
    return TakeOver(words, name, uplink, given.addresses, given.routes, tuple(ports))


def take_over_problems(declared: DeclaredBridge, given: Optional[Handover]) -> Iterator[Problem]:
    if given is None:
        return
    where, uplink = f"bridge {declared.name!r}: take_over:", given.giver.name
    yield from shared_problems(where, given)
    if declared.force:
        return
    if given.dropped:
        yield Problem(
            f"{where} {uplink} has {', '.join(given.dropped)}, which the bridge would not get, because it is not in "
            "addresses. Add it there, omit addresses, or give force: true to drop it"
        )
    routes = [each for each in given.dropped_routes if not given.dropped or declared.bridge.routes is not None]
    if routes:
        yield Problem(
            f"{where} {uplink} has routes that the bridge would not get, because they are not in routes: "
            f"{', '.join(each.route.words for each in routes)}. Add them there, omit routes, or give force: true to "
            "drop them"
        )


def shared_problems(where: str, given: Handover) -> Iterator[Problem]:
    if given.shared:
        yield Problem(
            f"{where} routes through {given.giver.name} have several ways or share one: "
            f"{', '.join(each.route.words for each in given.shared)}. Replace each by a route with one way of its own"
        )


def take_over_warnings(given: Handover) -> Iterator[str]:
    if given.expiring:
        yield (
            f"take_over: {', '.join(given.expiring)} came to {given.giver.name} by DHCP or from a router, and keeps "
            "its time to live on the bridge. From now on the DHCP client must run on the bridge, not on "
            f"{given.giver.name}"
        )
