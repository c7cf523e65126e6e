# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Addresses of the host on its links: which are a task's to remove, the steps, and what is refused. Pure.

``title`` is what messages call the device: its kind, and its name as it is spelled there.
"""

from __future__ import annotations

import bisect
import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import PutAddress, RemoveAddress
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem, Step

Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# The least MTU of a device with IPv6 (RFC 8200).
_IPV6_MTU = 1280


def is_link_local(address: str) -> bool:
    return ipaddress.ip_interface(address).is_link_local


def own_and_kept(link: SeenLink, declared: Optional[Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses that an exact list is about, and those that stay whatever is declared.

    The latter expire, or belong to a point-to-point link. Link-local ones that are not declared are in neither.
    """
    lasting = [each for each in link.lasting if each in (declared or ()) or not is_link_local(each)]
    mine = {*lasting, *(declared or ())}
    kept = tuple(each for each in link.addresses if each not in mine and not is_link_local(each))
    return tuple(sorted(set(lasting))), kept


@dataclass(frozen=True)
class AddressChange:
    """What happens to the addresses of a link. ``lasts`` are those that are there and shall not expire any more."""

    steps: Sequence[Step] = ()
    lasts: Sequence[str] = ()


def new_addresses(title: str, name: str, addresses: Sequence[str]) -> list[Step]:
    """Steps for a link that is made in the same plan."""
    return [PutAddress(f"add address {address} to {title}", name, address) for address in addresses]


def change_addresses(
    title: str, link: SeenLink, old: Sequence[str], new: Sequence[str], kept: Sequence[str]
) -> AddressChange:
    """New addresses come before old ones go: without any, the kernel drops all routes through the link."""
    name = link.name
    gone = [address for address in old if address not in new]
    come = [address for address in new if address not in old]
    lasts = [address for address in come if address in link.addresses]
    # IPv6 knows an address once per device, whatever its prefix.
    hosts = {_host(address) for address in come}
    first = [address for address in gone if ":" in address and _host(address) in hosts]
    steps: list[Step] = [_remove(title, name, address, [*old, *kept]) for address in first]
    for address in come:
        if address in lasts:
            steps.append(PutAddress(f"make address {address} of {title} permanent", name, address))
        else:
            steps += new_addresses(title, name, [address])
    steps += [_remove(title, name, address, [*old, *come, *kept]) for address in gone if address not in first]
    return AddressChange(steps, lasts)


def _host(address: str) -> str:
    return address.partition("/")[0]


def _remove(title: str, name: str, address: str, present: Sequence[str]) -> RemoveAddress:
    network = ipaddress.ip_interface(address).network
    others = [each for each in present if each != address and ipaddress.ip_interface(each).network == network]
    alone = network.version == 6 or not others
    return RemoveAddress(f"remove address {address} from {title}", name, address, alone)


# What is refused of one device by itself.


def addresses_twice(declared: Optional[Sequence[str]]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for text in declared or ():
        host = str(ipaddress.ip_interface(text).ip)
        owner = owners.setdefault(host, text)
        if owner != text:
            yield f"addresses[{text}]: {host} stands there already, as {owner}. Keep one"


def small_mtu(noun: str, mtu: Optional[int], addresses: Optional[Sequence[str]]) -> Iterator[str]:
    """``mtu`` is the declared one, ``addresses`` those that the device has in the end."""
    ipv6 = [text for text in addresses or () if ":" in text]
    if mtu is not None and mtu < _IPV6_MTU and ipv6:
        yield (
            f"mtu: {mtu} is less than the {_IPV6_MTU} that IPv6 needs, and the {noun} has {', '.join(ipv6)}. "
            "Choose a larger one"
        )


def ipv6_is_off(
    title: str, name: str, present: Optional[Sequence[str]], wanted: Optional[Sequence[str]], seen: SeenHost
) -> Iterator[Problem]:
    """``present`` is None for a device that is made in this run."""
    come = [text for text in wanted or () if ":" in text and text not in (present or ())]
    if come and name in seen.without_ipv6:
        setting = f"net.ipv6.conf.{'default' if present is None else name}.disable_ipv6"
        yield Problem(
            f"{title}: addresses[{', '.join(come)}]: IPv6 is off there. Set the sysctl {setting} to 0 first",
            missing=True,
        )


# What is refused for the subnets of all devices.


@dataclass(frozen=True)
class Claim:
    """The ``addresses`` that a task declares for a device and that it does not have yet.

    ``parts`` are devices that belong to it, as ports do to a bridge: what addresses they have are dead there.
    """

    title: str
    device: str
    addresses: Sequence[str]
    force: bool = False
    parts: Collection[str] = ()


def subnet_clashes(
    claims: Sequence[Claim], leaving: Mapping[str, Collection[str]], seen: SeenHost
) -> Iterator[Problem]:
    """Two devices in one subnet: the host would reach the hosts of it through one of them only.

    ``leaving`` are the addresses that the task takes away from a device, all of them when it removes the device.
    """
    if not any(claim.addresses for claim in claims):
        return
    taken = _Taken()
    for link in seen.links.values():
        gone = leaving.get(link.name, ())
        for _text, subnet in _subnets([text for text in link.addresses if text not in gone]):
            taken.add(subnet, link.name, link.master or "")
    for claim in claims:
        for text, subnet in _subnets(claim.addresses):
            clash = taken.overlap(subnet, claim)
            if clash and not claim.force:
                yield Problem(
                    f"{claim.title}: addresses[{text}]: the subnet {subnet} overlaps {clash.subnet} of {clash.device}. "
                    "Choose another subnet, or give force: true where your routes tell the two apart"
                )
            taken.add(subnet, claim.device, "")


@dataclass(frozen=True, order=True)
class _Owner:
    # In this order they are told.
    number: int
    subnet: Subnet
    device: str
    master: str


class _Taken:
    """Which subnets there are and whose. Finding those that overlap one does not look at all the others.

    Two subnets overlap only where one is within the other.
    """

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int, int], list[_Owner]] = {}
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}
        # (version, first address, prefix length)
        self._ordered: list[tuple[int, int, int]] = []
        self._count = 0

    def add(self, subnet: Subnet, device: str, master: str) -> None:
        key = (subnet.version, int(subnet.network_address), subnet.prefixlen)
        if key not in self._owners:
            self._owners[key] = []
            self._lengths[subnet.version].add(subnet.prefixlen)
            bisect.insort(self._ordered, key)
        self._count += 1
        self._owners[key].append(_Owner(self._count, subnet, device, master))

    def overlap(self, subnet: Subnet, claim: Claim) -> Optional[_Owner]:
        """The first of the others' that overlaps it."""
        owners = [owner for key in self._overlapping(subnet) for owner in self._owners[key]]
        return min(
            (
                owner
                for owner in owners
                if claim.device not in (owner.device, owner.master) and owner.device not in claim.parts
            ),
            default=None,
        )

    def _overlapping(self, subnet: Subnet) -> Iterator[tuple[int, int, int]]:
        version, first = subnet.version, int(subnet.network_address)
        for length in self._lengths[version]:
            if length < subnet.prefixlen:
                bits = subnet.max_prefixlen - length
                around = (version, first >> bits << bits, length)
                if around in self._owners:
                    yield around
        last = int(subnet.broadcast_address)
        start = bisect.bisect_left(self._ordered, (version, first, subnet.prefixlen))
        for position in range(start, len(self._ordered)):
            if self._ordered[position][:2] > (version, last):
                break
            yield self._ordered[position]


def _subnets(addresses: Sequence[str]) -> Iterator[tuple[str, Subnet]]:
    """Those that make a route: neither a link's own nor a single address, which several devices may share."""
    for text in addresses:
        network = ipaddress.ip_interface(text).network
        if not (network.is_link_local or network.is_loopback or network.prefixlen == network.max_prefixlen):
            yield text, network
