# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Routes of the host's main table through one of its links: which are a task's to remove, and the steps. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route, shown_destination
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import MAIN_TABLE, HostRoute, SeenHost
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import PutRoute, RemoveRoute
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem, Step

_DEFAULTS = ("0.0.0.0/0", "::/0")


def own_routes(name: str, wanted: Sequence[Route], seen: SeenHost) -> tuple[Route, ...]:
    """The routes that an exact list is about: those made by hand, and those that are declared, whoever made them."""
    found = [each for each in seen.routes_through(name) if each.table == MAIN_TABLE and not each.is_shared]
    return sorted_routes(each.route for each in found if each.by_hand or each.route in wanted)


def sorted_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    return tuple(sorted(set(routes), key=lambda route: (route.key, route.gateway or "")))


def is_default(route: HostRoute) -> bool:
    return route.table == MAIN_TABLE and route.route.destination in _DEFAULTS


def change_routes(title: str, name: str, old: Sequence[Route], new: Sequence[Route]) -> list[Step]:
    """A route that is replaced is never missing. Those without a gateway come first, because gateways may need them."""
    keys = {route.key: route for route in old}
    come = sorted((route for route in new if route not in old), key=lambda route: route.gateway is not None)
    replaced = {route.key for route in come}
    steps: list[Step] = []
    for route in come:
        present = keys.get(route.key)
        if present is not None and not _replaces(route, present):
            steps.append(_remove(title, name, present))
        verb = "add" if present is None else "change"
        steps.append(PutRoute(f"{verb} route {route.words} of {title}", name, route))
    gone = [route for route in old if route not in new and (route.key not in replaced or keys[route.key] != route)]
    return steps + [_remove(title, name, route) for route in gone]


def _replaces(route: Route, present: Route) -> bool:
    """IPv6 takes a route for the replacement of another only where both have gateways (rt6_qualify_for_ecmp())."""
    return ":" not in (route.destination or "") or bool(route.gateway and present.gateway)


def _remove(title: str, name: str, route: Route) -> RemoveRoute:
    return RemoveRoute(f"remove route {route.words} of {title}", name, route)


# What is refused.


def route_problems(title: str, wanted: Sequence[Route], addresses: Collection[str]) -> Iterator[Problem]:
    """Routes whose gateway or source the device with these addresses cannot have."""
    hosts = {str(ipaddress.ip_interface(text).ip) for text in addresses}
    for route in wanted:
        where = f"{title}: routes[{shown_destination(route.destination or '')}]"
        if route.gateway in hosts:
            yield Problem(f"{where}.gateway: {route.gateway} is this host's own. Name the router's address")
        elif route.gateway is not None and not reachable(route.gateway, addresses, wanted):
            yield Problem(
                f"{where}.gateway: {route.gateway} is in no subnet of the bridge, which has "
                f"{', '.join(addresses) or 'no addresses'}. Give the bridge an address of its subnet in addresses, or "
                f"declare a route to {route.gateway} without a gateway"
            )
        if route.source is not None and route.source not in hosts:
            yield Problem(f"{where}.source: {route.source} is not an address of the bridge. Add it to addresses")


def reachable(gateway: str, addresses: Collection[str], routes: Iterable[Route]) -> bool:
    """Whether the gateway is on the link itself."""
    ip = ipaddress.ip_address(gateway)
    if ip.version == 6 and ip.is_link_local:
        return True
    networks = [ipaddress.ip_interface(text).network for text in addresses]
    networks += [ipaddress.ip_network(route.destination or "") for route in routes if route.gateway is None]
    return any(ip in network for network in networks)


def route_clashes(
    wanted: Mapping[str, Sequence[Route]],
    gone: Collection[str],
    leaving: Mapping[str, Collection[Route]],
    seen: SeenHost,
) -> Iterator[Problem]:
    """The kernel has one route to a destination with one metric.

    ``wanted`` are the declared routes by bridge, ``gone`` the devices that keep none, ``leaving`` the routes that the
    task takes away from a device.
    """
    owners: dict[str, str] = {}
    for each in seen.routes if any(wanted.values()) else ():
        for device in each.devices:
            is_left = device not in gone and each.route not in leaving.get(device, ())
            if each.table == MAIN_TABLE and is_left and not (device in wanted and each.route in wanted[device]):
                owners[each.route.key] = device
    for name, routes in wanted.items():
        for route in routes:
            owner = owners.setdefault(route.key, name)
            if owner != name:
                yield Problem(
                    f"bridge {name!r}: routes[{shown_destination(route.destination or '')}]: this host has a route to "
                    f"there with the metric {route.metric} through {owner} already. Give this one another metric, or "
                    "remove that one"
                )
