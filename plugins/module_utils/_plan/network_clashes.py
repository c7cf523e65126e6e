# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What stands in the way of a network on its host: devices, and the names and addresses of others. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    OWN_BRIDGE_MODES,
    DeclaredNetwork,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import Ip
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Problem

Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def device_problems(declared: DeclaredNetwork, network: Network, seen: SeenHypervisor) -> Iterator[Problem]:
    """Devices that must be there before the network starts, or that are there but not of its making."""
    if seen.links is None:
        return
    name, known = declared.name, seen.networks.get(declared.name)
    where, forward = f"network {name!r}: ", network.forward or Forward()
    for number, ip in enumerate(network.ips or ()):
        if declared.state == "active" and ip.tftp_root in seen.missing_folders:
            text = f"{where}ips[{number}].tftp_root: this host has no folder {ip.tftp_root!r}. Make it first"
            yield Problem(text, missing=True)
    if known and known.active and (known.newest.forward, known.newest.bridge_name) == (forward, network.bridge_name):
        return  # It runs as it is: what came and went since then is not for this task to refuse.
    devices = [("forward.dev", forward.dev)] if forward.dev else []
    devices += [(f"forward.interfaces[{each}]", each) for each in forward.interfaces or ()]
    devices += [("forward.pf", forward.pf)] if forward.pf else []
    if network.mode == "bridge" and network.bridge_name:
        devices.append(("bridge.name", network.bridge_name))
    for option, device in devices:
        link = seen.links.get(device)
        if link is None:
            yield Problem(
                f"{where}{option}: this host has no device {device!r}. Make it first, or name another", missing=True
            )
        elif option == "bridge.name":
            yield from _bridge_kind_problems(where, network, link)
        elif option == "forward.dev" and _is_port(link, seen):
            yield Problem(
                f"{where}{option}: {device!r} is a port of {link.master}, and what is routed leaves through that. "
                f"Name {link.master}"
            )
        elif option.startswith("forward.interfaces") and link.master:
            yield Problem(
                f"{where}{option}: {device!r} is a port of {link.master}, and macvtap needs it for itself. "
                "Take it out of there, or name another"
            )
    # A bridge of another network is reported as a clash of names.
    of_networks = {each.live.bridge_name for each in seen.networks.values() if each.live}
    bridge = network.bridge_name
    if network.mode in OWN_BRIDGE_MODES and bridge in seen.links and bridge not in of_networks:
        yield Problem(
            f"{where}bridge.name: {bridge!r} exists on this host and is not libvirt's. "
            f"libvirt makes the bridge of a network in mode {network.mode} itself: choose another name"
        )


def _bridge_kind_problems(where: str, network: Network, link: SeenLink) -> Iterator[Problem]:
    ports = [network.virtualport, *(group.virtualport for group in network.portgroups or ())]
    types = {port.type for port in ports if port is not None}
    if link.kind not in ("bridge", "openvswitch"):
        kind = link.kind or "a network card"
        yield Problem(f"{where}bridge.name: {link.name!r} is not a bridge but {kind}. Name a bridge")
    elif link.kind == "bridge" and "openvswitch" in types:
        yield Problem(
            f"{where}virtualport.type: {link.name!r} is a Linux bridge, and its ports are not Open vSwitch's. Set "
            "type: none, or name an Open vSwitch bridge"
        )
    elif link.kind == "openvswitch" and not types:
        yield Problem(
            f"{where}bridge.name: {link.name!r} is an Open vSwitch bridge, and libvirt has to be told. Set "
            "virtualport.type: openvswitch"
        )


def uuid_clashes(declared: Sequence[DeclaredNetwork], seen: SeenHypervisor) -> Iterator[Problem]:
    """libvirt tells networks apart by their UUIDs too."""
    owners = {known.uuid: name for name, known in seen.networks.items()}
    for each in declared:
        uuid, known = each.network.uuid, seen.networks.get(each.name)
        if uuid is None or each.state == "absent":
            continue
        if known is not None and known.uuid != uuid:
            yield Problem(
                f"network {each.name!r}: uuid: the network has {known.uuid}, which never changes. Remove the option, "
                "or remove the network first"
            )
        elif owners.setdefault(uuid, each.name) != each.name:
            yield Problem(
                f"network {each.name!r}: uuid: {uuid} is the UUID of network {owners[uuid]!r}. Leave it out, and "
                "libvirt makes one up"
            )


def _is_port(link: SeenLink, seen: SeenHypervisor) -> bool:
    """Whether the device has no traffic of its own. One in a VRF has, although that is its master."""
    master = (seen.links or {}).get(link.master or "")
    return master is not None and master.kind != "vrf"


def _claims(
    declared: Sequence[DeclaredNetwork], after: Mapping[str, Optional[Network]], seen: SeenHypervisor
) -> Iterator[tuple[str, Network, bool, bool]]:
    """(name, network, declared, runs) of each network there will be, and of each copy that goes on running."""
    for each in declared:
        network, known = after[each.name], seen.networks.get(each.name)
        if network is not None:
            runs = each.state == "active" or each.autostart is True
            if each.state == "present":
                runs = runs or bool(known and (known.active or known.autostart))
            yield each.name, network, True, runs
            if known and known.live and each.state != "inactive" and each.if_restart_needed != "restart":
                yield each.name, known.live, False, True
    for name, known in seen.networks.items():
        if name not in after:
            for copy in (known.config, known.live):
                if copy is not None:
                    yield name, copy, False, known.active or known.autostart


def bridge_clashes(
    declared: Sequence[DeclaredNetwork], after: Mapping[str, Optional[Network]], seen: SeenHypervisor
) -> Iterator[Problem]:
    """A bridge name belongs to one network, whether it runs or not: libvirt refuses it twice at the definition."""
    owners: dict[str, str] = {}
    claims = sorted(_claims(declared, after, seen), key=lambda claim: claim[2])
    for name, network, is_declared, _runs in claims:
        bridge = network.bridge_name
        if not bridge or network.mode not in OWN_BRIDGE_MODES:
            continue
        owner, known = owners.setdefault(bridge, name), seen.networks.get(name)
        if owner != name and is_declared and not (known and known.newest.bridge_name == bridge):
            yield Problem(
                f"network {name!r}: bridge.name: {bridge!r} is the bridge of network {owner!r}. Choose another name"
            )


def subnet_clashes(
    declared: Sequence[DeclaredNetwork], after: Mapping[str, Optional[Network]], seen: SeenHypervisor
) -> Iterator[Problem]:
    """Two networks that run cannot share addresses, nor can one with the host: routes would lead to one of them."""
    taken: list[tuple[str, str, Subnet]] = list(_host_subnets(seen))
    claims = sorted(_claims(declared, after, seen), key=lambda claim: claim[2])
    for name, network, is_declared, runs in claims:
        if not runs or network.mode not in OWN_BRIDGE_MODES:
            continue
        for ip in network.ips or ():
            subnet = ipaddress.ip_interface(ip.address or "").network
            clash = next((each for each in taken if each[0] != name and subnet.overlaps(each[2])), None)
            if clash and is_declared and not _runs_already(name, ip, seen):
                yield Problem(
                    f"network {name!r}: ips[{ip.address}].address: the subnet {subnet} overlaps {clash[2]} of "
                    f"{clash[1]}. Choose another subnet"
                )
            taken.append((name, f"network {name!r}", subnet))
    yield from _route_clashes(declared, after, seen)


def _route_clashes(
    declared: Sequence[DeclaredNetwork], after: Mapping[str, Optional[Network]], seen: SeenHypervisor
) -> Iterator[Problem]:
    """libvirt starts no network whose subnet or route the host reaches another way (networkCheckRouteCollision)."""
    bridges = {each.live.bridge_name for each in seen.networks.values() if each.live}
    routes = {route.destination: route.device for route in seen.routes if route.device not in bridges}
    for each in declared:
        network, known = after[each.name], seen.networks.get(each.name)
        if network is None or (known and known.live and _places(known.live) == _places(network)):
            continue
        subnets = [(ip.address, ipaddress.ip_interface(ip.address or "").network) for ip in network.ips or ()]
        wanted = [(f"ips[{address}]", str(subnet)) for address, subnet in subnets]
        wanted += [(f"routes[{route.address}]", route.address or "") for route in network.routes or ()]
        for option, destination in wanted:
            if destination in routes:
                yield Problem(
                    f"network {each.name!r}: {option}.address: the host has a route to {destination} already, through "
                    f"{routes[destination]}. Remove that route, or choose another subnet"
                )


def _places(network: Network) -> tuple[list[object], list[object]]:
    return [ip.address for ip in network.ips or ()], [route.address for route in network.routes or ()]


def _runs_already(name: str, ip: Ip, seen: SeenHypervisor) -> bool:
    known = seen.networks.get(name)
    return bool(known and known.live and ip.address in [each.address for each in known.live.ips or ()])


def _host_subnets(seen: SeenHypervisor) -> Iterator[tuple[str, str, Subnet]]:
    """Subnets of the host's devices, without the bridges that libvirt's networks have made."""
    of_networks = {each.live.bridge_name for each in seen.networks.values() if each.live}
    for link in (seen.links or {}).values():
        if link.name in of_networks:
            continue
        for address in link.addresses:
            subnet = ipaddress.ip_interface(address).network
            if not subnet.is_link_local and not subnet.is_loopback:
                yield "", f"the host's device {link.name}", subnet
