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
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import from_options, overlay
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenBridge, SeenHost, SeenLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import (
    AddPort,
    BringUp,
    Change,
    Create,
    RemovePort,
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


class Refused(Exception):
    """What the kernel answers with an error."""


class SimulatedHost:
    """``links`` by name. A link that has ``bridge`` is one, with the options in it, and the default for all others."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self.links = {
            name: _link_from(name, number, link or {})
            for number, (name, link) in enumerate(written.get("links", {}).items(), 1)
        }
        self.rest = {name: value for name, value in written.items() if name != "links"}
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
            self._put(port, master=step.name, up=True)
            self._ports_changed(step.name)
        elif isinstance(step, RemovePort):
            port = self._link(step.port)
            if port.master != step.name:
                raise Refused(f"{port.name} is not a port of {step.name}")
            self._put(port, master=None)
            self._ports_changed(step.name)
        elif isinstance(step, PutAddress):
            self._put_address(self._link(step.name), step.address)
        else:
            assert isinstance(step, RemoveAddress)
            self._remove_address(self._link(step.name), step)

    def _create(self, step: Create) -> None:
        if step.name in self.links:
            raise Refused(f"{step.name} exists")
        default = Bridge(name=step.name, **_DEFAULTS)
        bridge = SeenBridge(default, fixed_mac=step.properties.mac is not None)
        self.links[step.name] = SeenLink(
            step.name, 1000 + len(self.links), "bridge", None, 1500, mac=default.mac, bridge=bridge
        )
        self._change(step.name, step.properties)

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
        fixed = True if wanted.mac is not None else link.bridge.fixed_mac
        self._put(
            link,
            bridge=replace(link.bridge, properties=after, fixed_mac=fixed),
            mac=wanted.mac or link.mac,
            mtu=wanted.mtu or link.mtu,
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


def _link_from(name: str, number: int, written: Mapping[str, Any]) -> SeenLink:
    """``temporary`` are those of the addresses that expire."""
    written = dict(written)
    temporary, bridge = written.pop("temporary", []), written.pop("bridge", None)
    lasting = written.pop("addresses", [])
    values: dict[str, Any] = {
        "kind": None if bridge is None else "bridge",
        "master": None,
        "mtu": 1500,
        "mac": f"02:00:00:00:01:{number:02x}",
        **written,
    }
    return SeenLink(
        name=name,
        index=number,
        addresses=(*lasting, *temporary),
        lasting=tuple(lasting),
        bridge=None if bridge is None else _bridge_from(name, values, bridge),
        **values,
    )


def _bridge_from(name: str, link: Mapping[str, Any], written: Mapping[str, Any]) -> SeenBridge:
    options = {**_DEFAULTS, **written, "name": name, "mtu": link["mtu"], "mac": link["mac"]}
    others = {key: options.pop(key) for key in ("is_root", "tree_changes", "fixed_mac") if key in options}
    problems: list[str] = []
    properties = from_options(Bridge, options, "seen.yml: ", problems)
    assert not problems, problems
    return SeenBridge(properties, **{"fixed_mac": True, **others})
