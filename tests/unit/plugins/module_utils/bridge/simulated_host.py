# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host made of records: read from a case's seen.yml, and changed by the planner's steps as the kernel would be.

It refuses a step that the kernel would refuse, so a plan whose steps come in the wrong order does not pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.route import Route, completed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import from_options, overlay
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    KERNEL_MADE,
    HostRoute,
    SeenBridge,
    SeenHost,
    SeenLink,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import spelled_ids, vlan_ids
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    Create,
    GiveBack,
    Isolate,
    PutRoute,
    RemovePort,
    RemoveRoute,
    SetVlans,
    TakeOver,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import (
    Delete,
    PutAddress,
    RemoveAddress,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step

# What the kernel chooses, net/bridge/br_device.c.
_DEFAULTS: dict[str, Any] = {
    "mac": "ee:ee:ee:ee:ee:ee",
    "mtu": 1500,
    "stp": False,
    "forward_delay": 15,
    "hello_time": 2,
    "max_age": 20,
    "priority": 32768,
    "ageing_time": 300,
}
# Where the kernel has VLANs on bridges.
_VLAN_DEFAULTS: dict[str, Any] = {"vlan_filtering": False, "vlan_protocol": "802.1q", "default_pvid": 1}


class Refused(Exception):
    """What the kernel answers with an error."""


class SimulatedHost:
    """``links`` by name. A link that has ``bridge`` is one, with the options in it, and the default for all others.

    ``vlans``: the kernel has them on bridges. ``port_options`` are by port, ``routes`` a list.
    """

    def __init__(self, written: Mapping[str, Any]) -> None:
        self.defaults = {**_DEFAULTS, **(_VLAN_DEFAULTS if written.get("vlans") else {})}
        self.links = {
            name: _link_from(name, number, link or {}, self.defaults)
            for number, (name, link) in enumerate(written.get("links", {}).items(), 1)
        }
        self.rest = {name: value for name, value in written.items() if name != "links"}
        self.routes = [_route_from(each) for each in self.rest.get("routes", ())]
        self.port_options = {
            name: PortOptions(name=name, **{"vids": "", "pvid": 0, "untagged": "", "isolated": False, **options})
            for name, options in self.rest.get("port_options", {}).items()
        }
        # Bridges whose MTU does not follow their ports.
        self.mtu_was_set: set[str] = set()
        # Bridges that were left without any IPv4 address for a moment, and so without their routes.
        self.lost_routes: set[str] = set()

    def seen(self, bridges: Collection[str]) -> SeenHost:
        """As it is read for the bridges that are named."""
        links = {
            name: replace(link, bridge=self._read(link) if name in bridges else None)
            for name, link in self.links.items()
        }
        return SeenHost(
            links=links,
            libvirt_bridges=self.rest.get("libvirt_bridges", {}),
            without_ipv6=frozenset(self.rest.get("without_ipv6", ())),
            machine_id=self.rest.get("machine_id", "0123456789abcdef0123456789abcdef"),
            routes=tuple(self.routes),
            port_options=dict(self.port_options),
            knows_vlans=bool(self.rest.get("vlans")),
        )

    def _read(self, link: SeenLink) -> Optional[SeenBridge]:
        if link.bridge is None:
            return None
        return replace(link.bridge, properties=replace(link.bridge.properties, mtu=link.mtu, mac=link.mac))

    def do(self, step: Step) -> None:
        """Change the host as the step says. Raises Refused."""
        if isinstance(step, Create):
            self._create(step)
        elif isinstance(step, Delete):
            for name in step.names:
                self._bridge(name)
                del self.links[name]
            for link in list(self.links.values()):
                if link.master in step.names:
                    self._put(link, master=None)
        elif isinstance(step, Change):
            self._change(step.name, step.properties)
        elif isinstance(step, BringUp):
            self._put(self._link(step.device), up=True)
        elif isinstance(step, AddPort):
            port = self._link(step.port)
            if port.master or port.kind == "bridge" or port.loopback or not port.ethernet:
                raise Refused(f"{port.name} cannot be a port now")
            self._enslave(port, step.name)
        elif isinstance(step, RemovePort):
            port = self._link(step.port)
            if port.master != step.name:
                raise Refused(f"{port.name} is not a port of {step.name}")
            self._put(port, master=None)
            self._ports_changed(step.name)
        elif isinstance(step, PutAddress):
            self._put_address(self._link(step.name), step.address)
        elif isinstance(step, SetVlans):
            self._set_vlans(step)
        elif isinstance(step, Isolate):
            self._of_port(step.name, step.port)
            self.port_options[step.port] = replace(self.port_options[step.port], isolated=step.isolated)
        elif isinstance(step, PutRoute):
            self._put_route(HostRoute(step.route, (step.name,)))
        elif isinstance(step, RemoveRoute):
            self.routes = [each for each in self.routes if (each.route, each.devices) != (step.route, (step.name,))]
        elif isinstance(step, TakeOver):
            self._take_over(step)
        elif isinstance(step, GiveBack):
            self._give_back(step)
        else:
            assert isinstance(step, RemoveAddress)
            self._remove_address(self._link(step.name), step)

    def _create(self, step: Create) -> None:
        if step.name in self.links:
            raise Refused(f"{step.name} exists")
        default = Bridge(name=step.name, **self.defaults)
        bridge = SeenBridge(default, fixed_mac=step.properties.mac is not None)
        self.links[step.name] = SeenLink(
            step.name, 1000 + len(self.links), "bridge", None, 1500, mac=default.mac, bridge=bridge
        )
        if default.default_pvid:
            self.port_options[step.name] = _fresh(step.name, default.default_pvid)
        self._change(step.name, step.properties)

    def _enslave(self, port: SeenLink, bridge: str) -> None:
        self._put(port, master=bridge, up=True)
        properties = self._properties(bridge)
        if properties.default_pvid is not None:
            self.port_options[port.name] = _fresh(port.name, properties.default_pvid)
        else:
            self.port_options[port.name] = PortOptions(name=port.name, vids="", pvid=0, untagged="", isolated=False)
        self._ports_changed(bridge)

    def _properties(self, bridge: str) -> Bridge:
        seen = self._bridge(bridge).bridge
        assert seen is not None
        return seen.properties

    def _of_port(self, bridge: str, port: str) -> None:
        if port != bridge and self._link(port).master != bridge:
            raise Refused(f"{port} is not a port of {bridge}")

    def _set_vlans(self, step: SetVlans) -> None:
        self._of_port(step.name, step.port)
        options = self.port_options.get(step.port) or PortOptions(vids="", pvid=0, untagged="")
        vids, untagged, pvid = vlan_ids(options.vids or ""), vlan_ids(options.untagged or ""), options.pvid or 0
        for entry in step.put:
            if entry.pvid and entry.first != entry.last:
                raise Refused("a range cannot be the PVID")
            for number in range(entry.first, entry.last + 1):
                vids.add(number)
                (untagged.add if entry.untagged else untagged.discard)(number)
                if entry.pvid:
                    pvid = number
                elif pvid == number:
                    pvid = 0
        for first, last in step.remove:
            gone = set(range(first, last + 1))
            vids -= gone
            untagged -= gone
            pvid = 0 if pvid in gone else pvid
        self.port_options[step.port] = PortOptions(
            name=step.port,
            vids=spelled_ids(vids),
            pvid=pvid,
            untagged=spelled_ids(untagged),
            isolated=options.isolated,
        )

    def _put_route(self, new: HostRoute) -> None:
        gateway = new.route.gateway
        own = [ipaddress.ip_interface(each).network for each in self._link(new.devices[0]).addresses]
        own += [ipaddress.ip_network(each.route.destination or "") for each in self.routes if not each.route.gateway]
        if (
            gateway
            and not gateway.startswith("fe80")
            and not any(ipaddress.ip_address(gateway) in each for each in own)
        ):
            raise Refused(f"{gateway} is unreachable")
        self.routes = [each for each in self.routes if (each.table, each.route.key) != (new.table, new.route.key)]
        self.routes.append(new)

    def _take_over(self, step: TakeOver) -> None:
        uplink = self._link(step.uplink)
        self._copy_addresses(step, step.uplink, step.name)
        if uplink.master != step.name:
            if uplink.master:
                raise Refused(f"{uplink.name} is a port already")
            self._enslave(uplink, step.name)
        for part in step.ports:
            self.do(part)
        self._move_routes(step, step.uplink, step.name)
        self._leave_link_local(step.uplink)

    def _give_back(self, step: GiveBack) -> None:
        if self._link(step.uplink).master != step.name:
            raise Refused(f"{step.uplink} is no port of {step.name}")
        self._copy_addresses(step, step.name, step.uplink)
        self._move_routes(step, step.name, step.uplink)
        self._put(self._link(step.uplink), master=None)
        self._leave_link_local(step.name)

    def _copy_addresses(self, step: Union[TakeOver, GiveBack], source: str, target: str) -> None:
        moved = [each for each in self._link(source).addresses if each in step.addresses]
        lasting = [each for each in self._link(source).lasting if each in moved]
        link = self._link(target)
        self._put(
            link,
            addresses=tuple(dict.fromkeys((*link.addresses, *moved))),
            lasting=tuple(dict.fromkeys((*link.lasting, *lasting))),
        )

    def _move_routes(self, step: Union[TakeOver, GiveBack], source: str, target: str) -> None:
        for route in list(self.routes):
            if source in route.devices and route.protocol != KERNEL_MADE:
                self.routes.remove(route)
                if route in step.routes:
                    self._put_route(replace(route, devices=(target,)))

    def _leave_link_local(self, name: str) -> None:
        left = tuple(each for each in self._link(name).addresses if each.startswith("fe80"))
        self._put(self._link(name), addresses=left, lasting=left)

    def _change(self, name: str, wanted: Bridge) -> None:
        link = self._bridge(name)
        assert link.bridge is not None
        before = link.bridge.properties
        after = overlay(before, replace(wanted, name=name))
        # The delay is looked at before the protocol is turned on or off, and only then.
        if wanted.forward_delay is not None and before.stp and not 2 <= wanted.forward_delay <= 30:
            raise Refused(f"a forward delay of {wanted.forward_delay} with the protocol on")
        if after.stp and not before.stp:
            after = replace(after, forward_delay=min(max(after.forward_delay or 0, 2), 30))
        if wanted.mtu is not None and wanted.mtu != link.mtu:
            self.mtu_was_set.add(name)
        if wanted.default_pvid is not None:
            self._default_pvid(name, before.default_pvid or 0, wanted.default_pvid)
        fixed = True if wanted.mac is not None else link.bridge.fixed_mac
        self._put(
            link,
            bridge=replace(link.bridge, properties=after, fixed_mac=fixed),
            mac=wanted.mac or link.mac,
            mtu=wanted.mtu or link.mtu,
        )

    def _default_pvid(self, name: str, old: int, new: int) -> None:
        """What follows the default: __br_vlan_set_default_pvid()."""
        for port in [name, *(each.name for each in self.links.values() if each.master == name)]:
            options = self.port_options.get(port, PortOptions(name=port, vids="", pvid=0, untagged=""))
            vids, untagged = vlan_ids(options.vids or ""), vlan_ids(options.untagged or "")
            if old and not (options.pvid == old and old in untagged):
                continue
            if new in vids:
                continue
            pvid = 0 if old else options.pvid
            vids -= {old}
            untagged -= {old}
            if new:
                vids.add(new)
                untagged.add(new)
                pvid = new
            self.port_options[port] = replace(
                options, vids=spelled_ids(vids), untagged=spelled_ids(untagged), pvid=pvid
            )

    def _ports_changed(self, name: str) -> None:
        """What follows the ports until it was set: br_mtu_auto_adjust() and br_stp_recalculate_bridge_id()."""
        link = self._bridge(name)
        assert link.bridge is not None
        ports = [port for port in self.links.values() if port.master == name]
        if name not in self.mtu_was_set:
            link = self._put(link, mtu=min((port.mtu for port in ports), default=1500))
        if not link.bridge.fixed_mac and ports:
            self._put(link, mac=min(port.mac or "" for port in ports))

    def _put_address(self, link: SeenLink, address: str) -> None:
        if ":" in address and any(
            each != address and each.partition("/")[0] == address.partition("/")[0] for each in link.addresses
        ):
            raise Refused(f"{address} is there with another prefix")
        others = tuple(each for each in link.addresses if each != address)
        self._put(link, addresses=(*others, address), lasting=(*(set(link.lasting) - {address}), address))

    def _remove_address(self, link: SeenLink, step: RemoveAddress) -> None:
        if step.address not in link.addresses:
            raise Refused(f"no address {step.address}")
        gone = {step.address}
        if step.alone and ":" not in step.address:
            # The first address of a subnet takes the others along.
            network = ipaddress.ip_interface(step.address).network
            subnet = [each for each in link.addresses if ipaddress.ip_interface(each).network == network]
            gone |= set(subnet) if subnet[0] == step.address else set()
        left = tuple(each for each in link.addresses if each not in gone)
        if not [each for each in left if ":" not in each]:
            self.lost_routes.add(link.name)
        self._put(link, addresses=left, lasting=tuple(each for each in link.lasting if each in left))

    def _link(self, name: str) -> SeenLink:
        if name not in self.links:
            raise Refused(f"no device {name}")
        return self.links[name]

    def _bridge(self, name: str) -> SeenLink:
        link = self._link(name)
        if link.bridge is None:
            raise Refused(f"{name} is not a bridge")
        return link

    def _put(self, link: SeenLink, **values: Any) -> SeenLink:
        self.links[link.name] = replace(link, **values)
        return self.links[link.name]


def _fresh(name: str, pvid: int) -> PortOptions:
    """A new port's VLANs."""
    ids = str(pvid or "")
    return PortOptions(name=name, vids=ids, pvid=pvid, untagged=ids, isolated=False)


def _route_from(written: Mapping[str, Any]) -> HostRoute:
    """``devices`` are the ways; what else belongs to a route, or to the kernel's record of it, by its name."""
    kernel = {name: written[name] for name in ("table", "protocol", "is_shared") if name in written}
    route = Route(**{name: value for name, value in written.items() if name not in (*kernel, "devices")})
    return HostRoute(completed(route), tuple(written["devices"]), **kernel)


def _link_from(name: str, number: int, written: Mapping[str, Any], defaults: Mapping[str, Any]) -> SeenLink:
    """``temporary`` are those of the addresses that expire."""
    written = dict(written)
    temporary, bridge = written.pop("temporary", []), written.pop("bridge", None)
    lasting = written.pop("addresses", [])
    values: dict[str, Any] = {
        "kind": None if bridge is None else "bridge",
        "master": None,
        "mtu": 1500,
        "mac": f"02:00:00:00:{1 + number // 256:02x}:{number % 256:02x}",
        **written,
    }
    return SeenLink(
        name=name,
        index=number,
        addresses=(*lasting, *temporary),
        lasting=tuple(lasting),
        bridge=None if bridge is None else _bridge_from(name, values, bridge, defaults),
        **values,
    )


def _bridge_from(
    name: str, link: Mapping[str, Any], written: Mapping[str, Any], defaults: Mapping[str, Any]
) -> SeenBridge:
    options = {**defaults, **written, "name": name, "mtu": link["mtu"], "mac": link["mac"]}
    others = {key: options.pop(key) for key in ("is_root", "tree_changes", "fixed_mac") if key in options}
    problems: list[str] = []
    properties = from_options(Bridge, options, "seen.yml: ", problems)
    assert not problems, problems
    return SeenBridge(properties, **{"fixed_mac": True, **others})
