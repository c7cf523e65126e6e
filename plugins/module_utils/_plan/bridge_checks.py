# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused before the first change, for all declared bridges at once. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    MAX_PORTS,
    STP_FORWARD_DELAY,
    Bridge,
    DeclaredBridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.addresses import (
    Claim,
    addresses_twice,
    ipv6_is_off,
    small_mtu,
    subnet_clashes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_ports import why_no_port
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

# By name; None where there is none.
Bridges = Mapping[str, Optional[Bridge]]


def check_bridges(declared: Sequence[DeclaredBridge], before: Bridges, after: Bridges, seen: SeenHost) -> list[Problem]:
    """Every reason why the bridges, as they would be after this run, cannot be had."""
    problems: list[Problem] = []
    for each in declared:
        bridge = after[each.name]
        if bridge is not None:
            texts = [*_time_problems(each, bridge), *_address_problems(each, bridge)]
            problems += [Problem(f"bridge {each.name!r}: {text}") for text in texts]
            problems += _ipv6_problems(each, before[each.name], bridge, seen)
            problems += _port_problems(each, before, after, seen)
    problems += _shared_ports(declared, after)
    problems += _subnet_clashes(declared, before, after, seen)
    return problems


# One bridge by itself.


def _time_problems(declared: DeclaredBridge, bridge: Bridge) -> Iterator[str]:
    least, most = STP_FORWARD_DELAY
    delay = declared.bridge.forward_delay
    if delay is not None and bridge.stp and not least <= delay <= most:
        yield (
            f"forward_delay: {delay} is not between {least} and {most}, and the kernel takes no other with the "
            "spanning tree protocol on. Choose one of these, or turn it off with stp: false"
        )


def _address_problems(declared: DeclaredBridge, bridge: Bridge) -> Iterator[str]:
    yield from addresses_twice(declared.bridge.addresses)
    yield from small_mtu("bridge", declared.bridge.mtu, bridge.addresses)


def _ipv6_problems(
    declared: DeclaredBridge, before: Optional[Bridge], bridge: Bridge, seen: SeenHost
) -> Iterator[Problem]:
    present = None if before is None else before.addresses or ()
    return ipv6_is_off(f"bridge {declared.name!r}", declared.name, present, bridge.addresses, seen)


# Ports.


def _port_problems(declared: DeclaredBridge, before: Bridges, after: Bridges, seen: SeenHost) -> Iterator[Problem]:
    """Devices that must be there first, or that cannot be ports."""
    name, wanted = declared.name, declared.bridge.ports or ()
    for port in wanted:
        link = seen.links.get(port)
        is_uplink = port == declared.take_over
        where = f"bridge {name!r}: " + (f"take_over: {port}:" if is_uplink else f"ports[{port}]:")
        if port == name:
            yield Problem(f"{where} a bridge cannot be a port of itself. Remove it")
        elif after.get(port) is not None or (link is not None and link.kind == "bridge"):
            yield Problem(f"{where} it is a bridge, and these cannot be ports. Use a veth pair to connect two bridges")
        elif link is None:
            yield Problem(f"{where} this host has no device {port!r}. Make it first, or name another", missing=True)
        elif link.master != name:
            text = why_no_port(link, seen) or _taken(link, before, after)
            if not text and not is_uplink:
                text = _cut_off(declared, link)
            if text:
                yield Problem(f"{where} {text}")
    known, bridge = before[name] or Bridge(), after[name] or Bridge()
    present = {link.name for link in seen.ports_of(name)}
    count = len({*(bridge.ports or ())} | (present - {*(known.ports or ())}))
    if count > max(MAX_PORTS, len(present)):
        yield Problem(
            f"bridge {name!r}: ports: it would have {count}, and {MAX_PORTS} is the most. Use several bridges"
        )


def _taken(link: SeenLink, before: Bridges, after: Bridges) -> Optional[str]:
    """Whose port it is, unless this very task takes it from there."""
    if link.master is None:
        return None
    if link.master in after and link.name in ((before[link.master] or Bridge()).ports or ()):
        owner = after[link.master]
        if owner is None or link.name not in (owner.ports or ()):
            return None
    return f"it is a port of {link.master} already. Take it out of there first, or name another"


def _cut_off(declared: DeclaredBridge, link: SeenLink) -> Optional[str]:
    addresses = [text for text in link.addresses if not ipaddress.ip_interface(text).is_link_local]
    if not addresses or declared.force:
        return None
    return (
        f"the device carries addresses of this host, {', '.join(addresses)}, and as a port it no longer receives what "
        f"is sent to them: you may cut yourself off. Have the bridge take them over with take_over: {link.name}, or "
        "give force: true to do it all the same"
    )


def _shared_ports(declared: Sequence[DeclaredBridge], after: Bridges) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for each in declared:
        if after[each.name] is None:
            continue
        for port in each.bridge.ports or ():
            owner = owners.setdefault(port, each.name)
            if owner != each.name:
                yield Problem(
                    f"bridge {each.name!r}: ports[{port}]: it is declared as a port of {owner!r} too. Keep one"
                )


# Subnets.


def _subnet_clashes(
    declared: Sequence[DeclaredBridge], before: Bridges, after: Bridges, seen: SeenHost
) -> Iterator[Problem]:
    claims, leaving = [], {}
    for each in declared:
        known, bridge = before[each.name] or Bridge(), after[each.name]
        if bridge is None:
            link = seen.links.get(each.name)
            leaving[each.name] = {*link.addresses} if link is not None else set()
            if each.take_over is not None:
                # They stay the host's, on its uplink.
                wanted = each.bridge.addresses
                leaving[each.name] = set() if wanted is None else leaving[each.name] - {*wanted}
            continue
        leaving[each.name] = {*(known.addresses or ())} - {*(bridge.addresses or ())}
        come = [text for text in each.bridge.addresses or () if text not in (known.addresses or ())]
        claims.append(Claim(f"bridge {each.name!r}", each.name, come, each.force, bridge.ports or ()))
    return subnet_clashes(claims, leaving, seen)
