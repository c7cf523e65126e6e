# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What of a change libvirt can do on a running network, and what is left for a restart.

The table of what virNetworkUpdate takes is in libvirt's src/conf/network_conf.c (virNetworkDefUpdate*). Ranges and DNS
hosts cannot be modified (DNS hosts only since 11.x), so a changed one is deleted and added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    Dhcp,
    DhcpHost,
    DhcpRange,
    Dns,
    Ip,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import normal

# From 10.4, with the nftables backend, a live change of a DNS entry makes libvirt forget how to remove the network's
# firewall rules: they stay when the network stops. virNetworkObjSetFwRemoval() in networkUpdate(), seen in 11.3.
_DNS_UPDATE_LOSES_RULES_SINCE = 10_004_000


@dataclass(frozen=True)
class LiveChange:
    """One call of virNetworkUpdate, without the copy it is for."""

    section: str
    command: str
    item: Any
    ip: Optional[str] = None

    @property
    def words(self) -> str:
        return f"{self.command} {_NOUNS[self.section]} {_spell(self.item)}"


_NOUNS = {"ip-dhcp-host": "the fixed lease", "ip-dhcp-range": "the DHCP range", "dns-host": "the DNS entry"}


def _spell(item: Any) -> str:
    if hasattr(item, "start"):
        return f"{item.start} to {item.end}"
    if isinstance(item, DhcpHost):
        return f"{item.mac or item.id or item.name} = {item.ip}"
    return f"{item.ip} = {', '.join(item.names or ())}"


def live_changes(before: Network, after: Network, *, version: int) -> tuple[list[LiveChange], Network]:
    """The calls that bring a running network nearer from ``before`` to ``after``, and how far they bring it.

    Deletions come first, so that an address or a name can pass from one entry to another.
    """
    changes: list[LiveChange] = []
    reached = before
    dns_after, dns_before = after.dns or Dns(), before.dns or Dns()
    if version < _DNS_UPDATE_LOSES_RULES_SINCE and _told_apart(dns_before.hosts, lambda host: host.ip):
        changes += _list_changes("dns-host", dns_before.hosts, dns_after.hosts, lambda host: host.ip, None)
        reached = replace(reached, dns=replace(dns_before, hosts=dns_after.hosts))
    wanted = {ip.address: ip for ip in after.ips or ()}
    ips = []
    for ip in before.ips or ():
        target = wanted.get(ip.address)
        if target is not None and _leases_told_apart(ip.dhcp or Dhcp()):
            changes += _dhcp_changes(ip, target)
            ip = replace(ip, dhcp=target.dhcp)
        ips.append(ip)
    reached = replace(reached, ips=tuple(ips))
    changes.sort(key=lambda change: change.command == "add")
    return changes, normal(reached)


def _told_apart(entries: Any, key: Any) -> bool:
    """Whether each entry can be named. libvirt reads a definition in which other hands wrote one twice."""
    keys = [key(entry) for entry in entries or ()]
    return len(keys) == len(set(keys))


def _leases_told_apart(dhcp: Dhcp) -> bool:
    return _told_apart(dhcp.ranges, _range_key) and _told_apart(dhcp.hosts, _host_key)


def _range_key(each: DhcpRange) -> Any:
    return each.start, each.end


def _host_key(host: DhcpHost) -> Any:
    return host.mac or host.id or host.name


def _dhcp_changes(before: Ip, after: Ip) -> list[LiveChange]:
    was, becomes = before.dhcp or Dhcp(), after.dhcp or Dhcp()
    return [
        *_list_changes("ip-dhcp-range", was.ranges, becomes.ranges, _range_key, after.address),
        *_list_changes("ip-dhcp-host", was.hosts, becomes.hosts, _host_key, after.address),
    ]


def _list_changes(section: str, before: Any, after: Any, key: Any, ip: Optional[str]) -> list[LiveChange]:
    was = {key(item): item for item in before or ()}
    becomes = {key(item): item for item in after or ()}
    changes = [LiveChange(section, "delete", item, ip) for each, item in was.items() if becomes.get(each) != item]
    changes += [LiveChange(section, "add", item, ip) for each, item in becomes.items() if was.get(each) != item]
    return _as_modifications(changes, was, becomes, key) if section == "ip-dhcp-host" else changes


def _as_modifications(changes: list[LiveChange], was: Any, becomes: Any, key: Any) -> list[LiveChange]:
    """A fixed lease can be changed in one call, which leaves no moment without it.

    libvirt finds the entry by MAC, address or name, whichever fits first. So this is safe only where no other entry,
    old or new, has the new address or name; elsewhere the entry is deleted and added.
    """
    taken = [(each, item.ip, item.name) for entries in (was, becomes) for each, item in entries.items()]

    def is_safe(change: LiveChange) -> bool:
        mine, item = key(change.item), change.item
        if not item.mac or mine not in was or mine not in becomes:
            return False
        return not any(
            each != mine and (ip == item.ip or (name is not None and name == item.name)) for each, ip, name in taken
        )

    safe = {key(change.item) for change in changes if change.command == "add" and is_safe(change)}
    result = []
    for change in changes:
        if key(change.item) not in safe:
            result.append(change)
        elif change.command == "add":
            result.append(replace(change, command="modify"))
    return result
