# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A route of the host through one of its links.

Source of the attributes and numbers: include/uapi/linux/rtnetlink.h in the kernel.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import Scalar, declare

# What the kernel makes of a route without a metric: net/ipv4/fib_semantics.c, and IP6_RT_PRIO_USER in ipv6_route.h.
_METRICS = {4: 0, 6: 1024}


class Destination(kinds.NetworkAddress):
    """A network in CIDR form, a single address, or ``default``."""

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if text == "default":
            return text
        try:
            return str(ipaddress.ip_network(ipaddress.ip_address(text)))
        except ValueError:
            return super().canonical(text)


class HostAddress(kinds.Address):
    """An address that is given; omitting the option is how there is none."""

    def canonical(self, value: Any) -> str:
        address = super().canonical(value)
        if not address:
            raise ValueError("this cannot be empty. Omit it for none")
        return address


@dataclass(frozen=True)
class Route:
    """Complete, ``destination`` is a network and ``metric`` is there."""

    destination: Optional[str] = declare(Scalar(Destination(), "RTA_DST", required=True))
    gateway: Optional[str] = declare(Scalar(HostAddress(), "RTA_GATEWAY"))
    metric: Optional[int] = declare(Scalar(kinds.Integer(0, 2**32 - 1), "RTA_PRIORITY"))
    source: Optional[str] = declare(Scalar(HostAddress(), "RTA_PREFSRC"))

    @property
    def key(self) -> str:
        """What the kernel tells the routes of a table apart by."""
        return f"{self.destination} metric {self.metric}" if self.metric is not None else str(self.destination)

    @property
    def words(self) -> str:
        version = ipaddress.ip_network(self.destination or "").version
        parts = [shown_destination(self.destination or "")]
        parts += [f"via {self.gateway}"] if self.gateway else []
        parts += [f"metric {self.metric}"] if self.metric != _METRICS[version] else []
        parts += [f"source {self.source}"] if self.source else []
        return " ".join(parts)


def shown_destination(destination: str) -> str:
    return "default" if destination == "0.0.0.0/0" else destination


def completed(route: Route) -> Route:
    """The route with what its options mean where they are omitted or short."""
    destination = route.destination or ""
    if destination == "default":
        destination = "::/0" if ":" in f"{route.gateway}{route.source}" else "0.0.0.0/0"
    version = ipaddress.ip_network(destination).version
    # With IPv6, the kernel takes 0 for no metric.
    metric = route.metric or _METRICS[version]
    return replace(route, destination=destination, metric=metric)


def route_problems(route: Route) -> Iterator[str]:
    """What cannot be in a route by itself. It is complete."""
    version = ipaddress.ip_network(route.destination or "").version
    for option in ("gateway", "source"):
        address = getattr(route, option)
        if address is None:
            continue
        ip = ipaddress.ip_address(address)
        if ip.version != version:
            yield f"{option}: {address} is not IPv{version}, as the destination {route.destination} is. Use one that is"
        elif ip.is_multicast or ip.is_loopback or ip.is_unspecified:
            yield f"{option}: {address} is no host's address. Use one that is"
