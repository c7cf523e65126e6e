# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused before the first change, for all declared bridges at once. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import (
    IPV6_MTU,
    MAX_PORTS,
    STP_FORWARD_DELAY,
    Bridge,
    DeclaredBridge,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
# By name; None where there is none.
Bridges = Mapping[str, Optional[Bridge]]

# Kinds that take over what arrives at the device below them, as a bridge does, and so exclude one.
_STACKED_KINDS = ("macvlan", "macvtap", "ipvlan", "ipvtap")
_UNFIT_KINDS = ("macvtap", "ipvtap", "ipvlan")


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
    owners: dict[str, str] = {}
    for text in declared.bridge.addresses or ():
        host = str(ipaddress.ip_interface(text).ip)
        owner = owners.setdefault(host, text)
        if owner != text:
            yield f"addresses[{text}]: {host} stands there already, as {owner}. Keep one"
    if bridge.mtu is not None and bridge.mtu < IPV6_MTU and declared.bridge.mtu is not None:
        ipv6 = [text for text in bridge.addresses or () if ":" in text]
        if ipv6:
            yield (
                f"mtu: {bridge.mtu} is less than the {IPV6_MTU} that IPv6 needs, and the bridge has {', '.join(ipv6)}. "
                "Choose a larger one"
            )


def _ipv6_problems(
    declared: DeclaredBridge, before: Optional[Bridge], bridge: Bridge, seen: SeenHost
) -> Iterator[Problem]:
    present = (before and before.addresses) or ()
    come = [text for text in bridge.addresses or () if ":" in text and text not in present]
    if come and declared.name in seen.without_ipv6:
        setting = f"net.ipv6.conf.{declared.name if before else 'default'}.disable_ipv6"
        yield Problem(
            f"bridge {declared.name!r}: addresses[{', '.join(come)}]: IPv6 is off there. Set the sysctl {setting} to 0 "
            "first",
            missing=True,
        )


# Ports.


def _port_problems(declared: DeclaredBridge, before: Bridges, after: Bridges, seen: SeenHost) -> Iterator[Problem]:
    """Devices that must be there first, or that cannot be ports."""
    name, wanted = declared.name, declared.bridge.ports or ()
    for port in wanted:
        link = seen.links.get(port)
        where = f"bridge {name!r}: ports[{port}]:"
        if port == name:
            yield Problem(f"{where} a bridge cannot be a port of itself. Remove it")
        elif after.get(port) is not None or (link is not None and link.kind == "bridge"):
            yield Problem(f"{where} it is a bridge, and these cannot be ports. Use a veth pair to connect two bridges")
        elif link is None:
            yield Problem(f"{where} this host has no device {port!r}. Make it first, or name another", missing=True)
        elif link.master != name:
            text = _unfit(link, seen) or _taken(link, before, after) or _cut_off(declared, link)
            if text:
                yield Problem(f"{where} {text}")
    known, bridge = before[name] or Bridge(), after[name] or Bridge()
    present = {link.name for link in seen.ports_of(name)}
    count = len({*(bridge.ports or ())} | (present - {*(known.ports or ())}))
    if count > max(MAX_PORTS, len(present)):
        yield Problem(
            f"bridge {name!r}: ports: it would have {count}, and {MAX_PORTS} is the most. Use several bridges"
        )


def _unfit(link: SeenLink, seen: SeenHost) -> Optional[str]:
    """Why the kernel would not take the device into any bridge."""
    if link.loopback:
        return "the loopback device cannot be a port. Name another"
    if not link.ethernet:
        return (
            f"it is not an Ethernet device ({link.kind or 'its hardware is of another type'}), and only these can be "
            "ports. Name another"
        )
    if link.kind in _UNFIT_KINDS:
        return f"a device of the kind {link.kind} cannot be a port. Name the device that it is on"
    stacked = [each.name for each in seen.stacked_on(link.name) if each.kind in _STACKED_KINDS]
    if stacked:
        return (
            f"it carries {', '.join(stacked)}, and a device with macvlan or macvtap devices on it cannot be a port. "
            "Remove these first, or name another"
        )
    return None


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
        "is sent to them: you may cut yourself off. Over another way to the host, remove them from the device and give "
        "them to the bridge in addresses, or give force: true to do it all the same"
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
    """Two devices in one subnet: the host would reach the hosts of it through one of them only."""
    taken = list(_staying_subnets(before, after, seen))
    for each in declared:
        bridge, known = after[each.name], before[each.name]
        if bridge is None or each.bridge.addresses is None:
            continue
        present = (known and known.addresses) or ()
        for text, subnet in _subnets([text for text in each.bridge.addresses if text not in present]):
            clash = next(
                (
                    (device, other)
                    for device, master, other in taken
                    # What is left on the bridge's own ports is dead there.
                    if each.name not in (device, master) and device not in (bridge.ports or ())
                    if subnet.overlaps(other)
                ),
                None,
            )
            if clash and not each.force:
                yield Problem(
                    f"bridge {each.name!r}: addresses[{text}]: the subnet {subnet} overlaps {clash[1]} of {clash[0]}. "
                    "Choose another subnet, or give force: true where your routes tell the two apart"
                )
            taken.append((each.name, "", subnet))


def _staying_subnets(before: Bridges, after: Bridges, seen: SeenHost) -> Iterator[tuple[str, str, Subnet]]:
    """(device, its master, subnet) of all that is there and stays."""
    for link in seen.links.values():
        gone: set[str] = set()
        if before.get(link.name) is not None:
            bridge = after[link.name]
            if bridge is None:
                continue
            gone = {*((before[link.name] or Bridge()).addresses or ())} - {*(bridge.addresses or ())}
        for _text, subnet in _subnets([text for text in link.addresses if text not in gone]):
            yield link.name, link.master or "", subnet


def _subnets(addresses: Sequence[str]) -> Iterator[tuple[str, Subnet]]:
    """Those that make a route: neither a link's own nor a single address, which several bridges may share."""
    for text in addresses:
        network = ipaddress.ip_interface(text).network
        if not (network.is_link_local or network.is_loopback or network.prefixlen == network.max_prefixlen):
            yield text, network
