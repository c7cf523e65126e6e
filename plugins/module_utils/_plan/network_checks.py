# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused before the first change, for all declared networks at once. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    DeclaredNetwork,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import Vlan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import (
    Dhcp,
    Dns,
    Ip,
    Lease,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import newer_than, spell_version
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_checks_mode import mode_problems
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_checks_ports import port_problems
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_clashes import (
    bridge_clashes,
    device_problems,
    subnet_clashes,
    uuid_clashes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

# virSocketAddrGetRange() in libvirt's src/util/virsocketaddr.c.
_RANGE_ADDRESSES = 65535
# virNetworkDHCPLeaseTimeDefParseXML() in libvirt's src/conf/network_conf.c: the least that dnsmasq takes.
_SHORTEST_LEASE = 120
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}

_SRV = {"service": "ldap", "protocol": "tcp"}

# RFC 8200, section 5.
_LEAST_IPV6_MTU = 1280
_SHORTEST_DHCPV6_PREFIX = 64


def check_networks(
    declared: Sequence[DeclaredNetwork], after: Mapping[str, Optional[Network]], seen: SeenHypervisor
) -> list[Problem]:
    """Every reason why the networks, as they would be after this run, cannot be had."""
    problems: list[Problem] = []
    for each in declared:
        network, known = after[each.name], seen.networks.get(each.name)
        if network is not None:
            # What libvirt let pass before is not for this task to refuse when it changes something else.
            accepted = set(_own_problems(known.newest, seen.version)) if known else set()
            texts = [text for text in _own_problems(network, seen.version) if text not in accepted]
            texts += _contradictions(each.network, network)
            problems += [Problem(f"network {each.name!r}: {text}") for text in texts]
            problems += device_problems(each, network, seen)
    problems += uuid_clashes(declared, seen)
    problems += bridge_clashes(declared, after, seen)
    problems += subnet_clashes(declared, after, seen)
    return problems


def _contradictions(desired: Network, after: Network) -> Iterator[str]:
    """What is declared against itself."""
    owners: list[tuple[str, Optional[Vlan]]] = [("vlan", desired.vlan)]
    owners += [(f"portgroups[{group.name}].vlan", group.vlan) for group in desired.portgroups or ()]
    for where, vlan in owners:
        if vlan and vlan.trunk is False and len(vlan.tags or ()) > 1:
            yield f"{where}.trunk: several tags are a trunk. Keep one tag, or remove trunk: false"
    tagged = {("vlan", bool(after.vlan))} | {
        (f"portgroups[{group.name}].vlan", bool(group.vlan)) for group in after.portgroups or ()
    }
    for where, vlan in owners:
        if vlan and vlan.trunk and (where, False) in tagged:
            yield f"{where}.tags: a trunk has tags. Give them, or remove trunk: true"


def _own_problems(network: Network, version: int) -> Iterator[str]:
    for option, since in newer_than(network, version):
        has, needs = spell_version(version), spell_version(since)
        yield f"{option}: libvirt {has} does not know this, {needs} does. Remove it or upgrade"
    yield from mode_problems(network, version)
    yield from port_problems(network, version)
    yield from _address_problems(network)
    yield from _route_problems(network)
    if network.domain and not network.domain.name:
        yield "domain.local_only: this is about the names of a domain. Give domain.name"
    if network.domain and network.domain.register and not network.domain.local_only:
        yield "domain.register: libvirt registers only a domain that is local. Set local_only: true, or remove it"
    yield from _dns_problems(network.dns or Dns())


def _dns_problems(dns: Dns) -> Iterator[str]:
    lists = ("forwarders", "hosts", "txts", "srvs")
    given = [name for name in lists if getattr(dns, name)]
    if dns.enable is False and given:
        emptied = " and ".join(f"dns.{name}: []" for name in given)
        yield (
            "dns.enable: a network without DNS has no entries and asks no servers. "
            f"Set {emptied}, or remove enable: false"
        )
    for number, forwarder in enumerate(dns.forwarders or ()):
        if not forwarder.addr and not forwarder.domain:
            yield f"dns.forwarders[{number}]: it has neither addr nor domain. Give one of them, or remove it"
    for srv in dns.srvs or ():
        where = f"dns.srvs[{' '.join(part for part in (srv.service, srv.protocol, srv.domain, srv.target) if part)}]"
        for option in ("service", "protocol"):
            if not getattr(srv, option):
                yield f"{where}.{option}: an SRV record needs one. Give it, such as {_SRV[option]}"
        for option in ("port", "priority", "weight"):
            if getattr(srv, option) is not None and not srv.target:
                yield f"{where}.{option}: this is about the target. Give target, or remove it"


def _address_problems(network: Network) -> Iterator[str]:
    with_dhcp: dict[int, str] = {}
    for ip in network.ips or ():
        where = f"ips[{ip.address}]"
        interface = ipaddress.ip_interface(ip.address or "")
        dhcp = ip.dhcp or Dhcp()
        if interface.version == 6:
            yield from _ipv6_problems(where, interface, ip, network)
        if dhcp.ranges or dhcp.hosts:
            if interface.version in with_dhcp:
                yield (
                    f"{where}.dhcp: libvirt serves DHCP on one IPv{interface.version} address of a network, and "
                    f"{with_dhcp[interface.version]} has it already. Keep one"
                )
            with_dhcp.setdefault(interface.version, str(ip.address))
        yield from _boot_problems(where, interface, ip)
        yield from _range_problems(where, interface, dhcp)
        yield from _lease_problems(where, interface, ip)
    nat = network.forward.nat if network.forward else None
    if nat and nat.addresses and None in (nat.addresses.start, nat.addresses.end):
        yield "forward.nat.addresses: start and end go together. Give both, or '' for both to remove them"
    elif nat and nat.addresses:
        yield from _order_problems("forward.nat.addresses", nat.addresses.start, nat.addresses.end)
        if ipaddress.ip_address(nat.addresses.start or "").version == 6:
            yield "forward.nat.addresses: libvirt takes IPv4 addresses only. Give those, or remove it"
    if nat and nat.ports and None in (nat.ports.start, nat.ports.end):
        yield "forward.nat.ports: start and end go together. Give both, or 0 for both to remove them"
    if nat and nat.ports and (nat.ports.start or 0) > (nat.ports.end or 0):
        yield f"forward.nat.ports: {nat.ports.start} is above {nat.ports.end}. Swap start and end"


def _ipv6_problems(where: str, interface: kinds.Interface, ip: Ip, network: Network) -> Iterator[str]:
    if network.mtu and network.mtu < _LEAST_IPV6_MTU:
        yield f"mtu: IPv6 needs {_LEAST_IPV6_MTU}, and {ip.address} is on a network of {network.mtu}. Raise it"
    if ip.tftp_root:
        yield f"{where}.tftp_root: libvirt serves TFTP over IPv4 only. Move it to an IPv4 address"
    if ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts) and interface.network.prefixlen < _SHORTEST_DHCPV6_PREFIX:
        yield f"{where}.dhcp: dnsmasq serves no prefix shorter than {_SHORTEST_DHCPV6_PREFIX}. Make the subnet smaller"


def _boot_problems(where: str, interface: kinds.Interface, ip: Ip) -> Iterator[str]:
    dhcp = ip.dhcp or Dhcp()
    if dhcp.bootp:
        if interface.version == 6:
            yield f"{where}.dhcp.bootp: libvirt serves it over IPv4 only. Move it to an IPv4 address"
        elif not dhcp.ranges and not dhcp.hosts:
            yield f"{where}.dhcp.bootp: no guest asks where no DHCP is served. Give ranges or hosts, or set file: ''"
        if not dhcp.bootp.file:
            yield f"{where}.dhcp.bootp.file: this is missing. Name the file to boot, or remove server (server: '')"
    # Zones of the reverse DNS begin at whole bytes or hex digits: virSocketAddrPTRDomain() in src/util/virsocketaddr.c.
    step, width = (8, 32) if interface.version == 4 else (4, 128)
    prefix = interface.network.prefixlen
    if ip.local_ptr and (prefix % step or not 0 < prefix < width):
        yield f"{where}.local_ptr: no reverse zone has a prefix of {prefix}. Use a multiple of {step}, or remove it"


def _order_problems(where: str, start: Optional[str], end: Optional[str]) -> Iterator[str]:
    first, last = ipaddress.ip_address(start or ""), ipaddress.ip_address(end or "")
    if first.version != last.version:
        yield f"{where}: {start} and {end} are not of one IP version"
    elif int(first) > int(last):
        yield f"{where}: {start} is above {end}. Swap start and end"


def _range_problems(where: str, interface: kinds.Interface, dhcp: Dhcp) -> Iterator[str]:
    ends: list[tuple[int, int, str]] = []
    for each in dhcp.ranges or ():
        name = f"{where}.dhcp.ranges[{each.start} to {each.end}]"
        yield from _order_problems(name, each.start, each.end)
        yield from _lease_time_problems(name, each.lease)
        outside = [text for text in (each.start, each.end) if ipaddress.ip_address(text or "") not in interface.network]
        if outside:
            lie = "lie" if len(outside) > 1 else "lies"
            where_they_are = f"{' and '.join(map(str, outside))} {lie} outside of {interface.network}"
            yield f"{name}: {where_they_are}. Use addresses inside it"
            continue
        first, last = int(ipaddress.ip_address(each.start or "")), int(ipaddress.ip_address(each.end or ""))
        if first <= int(interface.ip) <= last:
            yield f"{name}: the host's own address {interface.ip} is inside. Leave it out"
        network = interface.network
        if interface.version == 4 and (first == int(network.network_address) or last == int(network.broadcast_address)):
            yield f"{name}: the first and the last address of {network} are for no guest. Leave them out"
        if last - first >= _RANGE_ADDRESSES:
            yield f"{name}: libvirt takes at most {_RANGE_ADDRESSES} addresses in one range. Make it shorter"
        for other_first, other_last, other in ends:
            if first <= other_last and other_first <= last:
                yield f"{name}: it overlaps the range {other}. Make one range of the two"
        ends.append((first, last, f"{each.start} to {each.end}"))


def _lease_time_problems(where: str, lease: Optional[Lease]) -> Iterator[str]:
    seconds = (lease.expiry or 0) * _SECONDS[lease.unit or "minutes"] if lease else 0
    if 0 < seconds < _SHORTEST_LEASE:
        yield f"{where}.lease: libvirt takes two minutes at least, or 0 for a lease that does not end. Make it longer"


def _lease_problems(where: str, interface: kinds.Interface, ip: Ip) -> Iterator[str]:
    owners: dict[tuple[str, str], str] = {}
    for host in (ip.dhcp or Dhcp()).hosts or ():
        known = host.mac or host.id or host.name
        name = f"{where}.dhcp.hosts[{known}]"
        if interface.version == 4 and not (host.mac or host.name):
            yield f"{name}: a fixed lease for {host.ip} needs the guest's mac, or a name that it sends"
        if interface.version == 4 and host.id:
            yield f"{name}.id: a DUID is DHCPv6's way to know a guest. Give its mac instead"
        if interface.version == 6 and not (host.id or host.name):
            yield f"{name}: DHCPv6 does not know a guest by its MAC. Give its DUID as id, or a name that it sends"
        if interface.version == 6 and host.mac:
            yield f"{name}: libvirt takes no mac for IPv6. Give the guest's DUID as id instead"
        yield from _lease_time_problems(name, host.lease)
        address = ipaddress.ip_address(host.ip or "")
        if address not in interface.network:
            yield f"{name}.ip: {host.ip} is outside of {interface.network}. Use an address inside it"
        elif interface.version == 4 and interface.network.prefixlen < 31 and address in _not_for_guests(interface):
            yield f"{name}.ip: {host.ip} is the network's own or its broadcast address. Use another"
        if address == interface.ip:
            yield f"{name}.ip: {host.ip} is the host's own address on this network. Use another"
        for kind, value in (("ip", host.ip), ("name", host.name)):
            if value is None:
                continue
            if (kind, value) in owners:
                yield f"{name}.{kind}: {value} has a fixed lease already, for {owners[kind, value]}. Keep one"
            owners.setdefault((kind, value), str(known))


def _not_for_guests(interface: kinds.Interface) -> tuple[object, object]:
    return interface.network.network_address, interface.network.broadcast_address


def _route_problems(network: Network) -> Iterator[str]:
    subnets = [ipaddress.ip_interface(ip.address or "").network for ip in network.ips or ()]
    for route in network.routes or ():
        if not any(ipaddress.ip_address(route.gateway or "") in subnet for subnet in subnets):
            yield (
                f"routes[{route.address}].gateway: {route.gateway} is in no subnet of this network. "
                "Use the address of a guest on it"
            )
        elif ipaddress.ip_address(route.gateway or "").version != ipaddress.ip_network(route.address or "").version:
            yield (
                f"routes[{route.address}].gateway: {route.gateway} is of the other IP version. "
                "Use the address that the guest has in the version of the route"
            )
