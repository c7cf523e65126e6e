# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What of a change libvirt can do on a running network, and what is left for a restart.

The table of what virNetworkUpdate takes is in libvirt's src/conf/network_conf.c (virNetworkDefUpdate*). Of the lists,
only fixed leases and portgroups can be modified in every version, so a changed entry of another list is deleted and
added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    MACVTAP_MODES,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import (
    Dhcp,
    DhcpHost,
    DhcpRange,
    Dns,
    DnsSrv,
    Ip,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import normal

# Modes in which libvirt removes and makes again all firewall rules of the network for each change of a lease or range.
FIREWALLED_MODES = ("nat", "route", "isolated")
_REBUILDING_SECTIONS = ("ip-dhcp-host", "ip-dhcp-range")


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


_NOUNS = {
    "ip-dhcp-host": "the fixed lease",
    "ip-dhcp-range": "the DHCP range",
    "dns-host": "the DNS entry",
    "dns-txt": "the TXT record",
    "dns-srv": "the SRV record",
    "portgroup": "the portgroup",
    "forward-interface": "the device",
}


def _spell(item: Any) -> str:
    if isinstance(item, DhcpRange):
        return f"{item.start} to {item.end}"
    if isinstance(item, DhcpHost):
        return f"{item.mac or item.id or item.name} = {item.ip}"
    if isinstance(item, DnsSrv):
        return " ".join(str(part) for part in (item.service, item.protocol, item.domain, item.target) if part)
    if hasattr(item, "names"):
        return f"{item.ip} = {', '.join(item.names or ())}"
    return str(getattr(item, "name", item))


def rebuilds(changes: Iterable[LiveChange], network: Network) -> int:
    """How often libvirt removes and makes again the network's firewall rules, 0.2 to 0.5 seconds each time."""
    if network.mode not in FIREWALLED_MODES:
        return 0
    return sum(change.section in _REBUILDING_SECTIONS for change in changes)


def live_changes(
    before: Network, after: Network, *, loses_rules: bool = False, busy: frozenset[str] = frozenset()
) -> tuple[list[LiveChange], Network]:
    """The calls that bring a running network nearer from ``before`` to ``after``, and how far they bring it.

    ``loses_rules``: this libvirt forgets how to remove the network's firewall rules when DNS entries or portgroups are
    changed live (see _nft/backend.py). ``busy``: devices in use by guests, which libvirt does not take out.

    Deletions come first, so that an address or a name can pass from one entry to another.
    """
    changes: list[LiveChange] = []
    reached = before
    if not (loses_rules and before.mode in FIREWALLED_MODES):
        for part in (_dns_changes, _portgroup_changes):
            found, reached = part(reached, after)
            changes += found
    found, reached = _device_changes(reached, after, busy)
    changes += found
    wanted = {ip.address: ip for ip in after.ips or ()}
    ips = []
    for ip in before.ips or ():
        target = wanted.get(ip.address)
        if target is not None and _leases_told_apart(ip.dhcp or Dhcp()):
            found, ip = _dhcp_changes(ip, target)
            changes += found
        ips.append(ip)
    reached = replace(reached, ips=tuple(ips))
    # A portgroup that becomes the default comes after the one that was it.
    changes.sort(key=lambda change: (change.command == "add", bool(getattr(change.item, "default", False))))
    return changes, normal(reached)


def _told_apart(entries: Any, key: Any) -> bool:
    """Whether each entry can be named. libvirt reads a definition in which other hands wrote one twice."""
    keys = [key(entry) for entry in entries or ()]
    return len(keys) == len(set(keys))


def _list_changes(
    section: str, before: Any, after: Any, key: Callable[[Any], Any], ip: Optional[str] = None
) -> list[LiveChange]:
    was = {key(item): item for item in before or ()}
    becomes = {key(item): item for item in after or ()}
    changes = [LiveChange(section, "delete", item, ip) for each, item in was.items() if becomes.get(each) != item]
    changes += [LiveChange(section, "add", item, ip) for each, item in becomes.items() if was.get(each) != item]
    if section == "ip-dhcp-host":
        return _modified(changes, key, _safely_modified_leases(was, becomes))
    if section == "portgroup":
        return _modified(changes, key, {each for each in becomes if each in was})
    return changes


def _modified(changes: list[LiveChange], key: Callable[[Any], Any], keys: set[Any]) -> list[LiveChange]:
    """The changes with one modification instead of a deletion and an addition, for the entries of these keys."""
    result = []
    for change in changes:
        if key(change.item) not in keys:
            result.append(change)
        elif change.command == "add":
            result.append(replace(change, command="modify"))
    return result


# DNS.


def _dns_changes(before: Network, after: Network) -> tuple[list[LiveChange], Network]:
    was, becomes = before.dns or Dns(), after.dns or Dns()
    changes: list[LiveChange] = []
    if _told_apart(was.hosts, _address):
        changes += _list_changes("dns-host", was.hosts, becomes.hosts, _address)
        was = replace(was, hosts=becomes.hosts)
    if _told_apart(was.txts, _name):
        changes += _list_changes("dns-txt", was.txts, becomes.txts, _name)
        was = replace(was, txts=becomes.txts)
    if _services_told_apart({*(was.srvs or ()), *(becomes.srvs or ())}):
        changes += _list_changes("dns-srv", was.srvs, becomes.srvs, _service)
        was = replace(was, srvs=becomes.srvs)
    return changes, replace(before, dns=was)


def _address(entry: Any) -> Any:
    return entry.ip


def _name(entry: Any) -> Any:
    return entry.name


def _service(srv: DnsSrv) -> tuple[Optional[str], ...]:
    return srv.service, srv.protocol, srv.domain, srv.target


def _services_told_apart(srvs: set[DnsSrv]) -> bool:
    """libvirt takes a record for another that says the same and more (virNetworkDefUpdateDNSSrv)."""
    keys = {_service(srv) for srv in srvs}
    return not any(
        one != other and all(part in (None, theirs) for part, theirs in zip(one, other))
        for one in keys
        for other in keys
    )


# Portgroups and devices.


def _portgroup_changes(before: Network, after: Network) -> tuple[list[LiveChange], Network]:
    changes = _list_changes("portgroup", before.portgroups, after.portgroups, _name)
    return changes, replace(before, portgroups=after.portgroups)


def _device_changes(before: Network, after: Network, busy: frozenset[str]) -> tuple[list[LiveChange], Network]:
    """Devices of a macvtap network come and go, but for those that guests are on."""
    was, becomes = (each.forward or Forward() for each in (before, after))
    old, new = set(was.interfaces or ()), set(becomes.interfaces or ())
    if was.mode != becomes.mode or was.mode not in MACVTAP_MODES or not old or not new or was.pf or becomes.pf:
        return [], before
    changes = [LiveChange("forward-interface", "add", each) for each in sorted(new - old)]
    changes += [LiveChange("forward-interface", "delete", each) for each in sorted(old - new - busy)]
    reached = tuple(sorted(new | (old & busy)))
    return changes, replace(before, forward=replace(was, interfaces=reached))


# DHCP.


def _leases_told_apart(dhcp: Dhcp) -> bool:
    return _told_apart(dhcp.ranges, _range_key) and _told_apart(dhcp.hosts, _host_key)


def _range_key(each: DhcpRange) -> Any:
    return each.start, each.end


def _host_key(host: DhcpHost) -> Any:
    return host.mac or host.id or host.name


def _dhcp_changes(before: Ip, after: Ip) -> tuple[list[LiveChange], Ip]:
    was, becomes = before.dhcp or Dhcp(), after.dhcp or Dhcp()
    changes = [
        *_list_changes("ip-dhcp-range", was.ranges, becomes.ranges, _range_key, after.address),
        *_list_changes("ip-dhcp-host", was.hosts, becomes.hosts, _host_key, after.address),
    ]
    # Without ranges and leases there is nothing to boot by, and libvirt drops that too.
    bootp = was.bootp if becomes.ranges or becomes.hosts else None
    return changes, replace(before, dhcp=replace(becomes, bootp=bootp))


def _safely_modified_leases(was: Any, becomes: Any) -> set[Any]:
    """A fixed lease can be changed in one call, which leaves no moment without it.

    libvirt finds the entry by MAC, address or name, whichever fits first. So this is safe only where no other entry,
    old or new, has the new address or name; elsewhere the entry is deleted and added.
    """
    taken = [(each, item.ip, item.name) for entries in (was, becomes) for each, item in entries.items()]

    def is_safe(mine: Any, item: DhcpHost) -> bool:
        if not item.mac or mine not in was:
            return False
        return not any(
            each != mine and (ip == item.ip or (name is not None and name == item.name)) for each, ip, name in taken
        )

    return {mine for mine, item in becomes.items() if is_safe(mine, item)}
