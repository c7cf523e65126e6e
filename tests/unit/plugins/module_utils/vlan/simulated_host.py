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
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    SeenBridge,
    SeenHost,
    SeenLink,
    SeenVlan,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import VlanLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import BringUp, Change
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import (
    Delete,
    PutAddress,
    RemoveAddress,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan_steps import ChangeVlan, CreateVlan


class Refused(Exception):
    """What the kernel answers with an error."""


class SimulatedHost:
    """``links`` by name, with the fields of SeenLink. ``temporary`` are those of the addresses that expire."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self.links = {
            name: _link_from(name, number, link or {})
            for number, (name, link) in enumerate(written.get("links", {}).items(), 1)
        }
        self.without_ipv6 = frozenset(written.get("without_ipv6", ()))

    def seen(self, bridges: Collection[str]) -> SeenHost:
        """As it is read for the bridges that are named."""
        links = {name: link if name in bridges else replace(link, bridge=None) for name, link in self.links.items()}
        return SeenHost(links=links, without_ipv6=self.without_ipv6)

    def do(self, step: Step) -> None:
        """Change the host as the step says. Raises Refused."""
        if isinstance(step, CreateVlan):
            self._create(step.name, step.properties)
        elif isinstance(step, ChangeVlan):
            self._vlan(step.name)
            self._set(step.name, step.properties)
        elif isinstance(step, Delete):
            for name in step.names:
                self._vlan(name)
            for name in step.names:
                self._remove(name)
        elif isinstance(step, BringUp):
            self._bring_up(step.device)
        elif isinstance(step, Change):
            link = self._link(step.name)
            assert link.bridge is not None
            assert step.properties.mac == link.mac
            self._put(link, bridge=replace(link.bridge, fixed_mac=True))
        elif isinstance(step, PutAddress):
            self._put_address(self._link(step.name), step.address)
        else:
            assert isinstance(step, RemoveAddress)
            self._remove_address(self._link(step.name), step)

    def _create(self, name: str, vlan: VlanLink) -> None:
        assert vlan.protocol is not None
        if name in self.links:
            raise Refused(f"{name} exists")
        parent = self._link(vlan.parent or "")
        key = (parent.name, vlan.id, vlan.protocol)
        if key in [(each.below, each.vlan.id, each.vlan.protocol) for each in self.links.values() if each.vlan]:
            raise Refused(f"{key} exists")
        self.links[name] = SeenLink(
            name=name,
            index=1000 + len(self.links),
            kind="vlan",
            master=None,
            mtu=parent.mtu,
            mac=parent.mac,
            up=False,
            below=parent.name,
            vlan=SeenVlan(vlan.id or 0, vlan.protocol),
        )
        self._set(name, vlan)

    def _set(self, name: str, vlan: VlanLink) -> None:
        link = self._link(name)
        parent = self._link(link.below or "")
        if vlan.mac is not None:
            link = self._put(link, mac=vlan.mac)
        if vlan.mtu is not None:
            if vlan.mtu > parent.mtu:
                raise Refused(f"an MTU of {vlan.mtu}, and {parent.name} has {parent.mtu}")
            self._limit_mtu(name, vlan.mtu)
            link = self._put(self._link(name), mtu=vlan.mtu)
        if vlan.bridge is not None:
            link = self._put(link, master=vlan.bridge or None)
            if vlan.bridge and self._link(vlan.bridge).kind != "bridge":
                raise Refused(f"{vlan.bridge} is no bridge")
        if vlan.up is True and not link.up:
            self._bring_up(name)
        elif vlan.up is False and link.up:
            self._take_down(name)

    def _limit_mtu(self, name: str, mtu: int) -> None:
        """vlan_device_event() in net/8021q/vlan.c: a smaller MTU of a device is that of its VLANs too."""
        for each in self._vlans_on(name):
            if each.mtu > mtu:
                self._put(each, mtu=mtu)
                self._limit_mtu(each.name, mtu)

    def _bring_up(self, name: str) -> None:
        link = self._link(name)
        if link.vlan is not None and not self._link(link.below or "").up:
            raise Refused(f"{link.below} is down")
        self._put(link, up=True)
        for each in self._vlans_on(name):
            self._bring_up(each.name)

    def _take_down(self, name: str) -> None:
        link = self._link(name)
        left = tuple(each for each in link.addresses if ":" not in each)
        self._put(link, up=False, addresses=left, lasting=tuple(each for each in link.lasting if each in left))
        for each in self._vlans_on(name):
            self._take_down(each.name)

    def _remove(self, name: str) -> None:
        if name in self.links:
            for each in self._vlans_on(name):
                self._remove(each.name)
            del self.links[name]

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
        self._put(link, addresses=left, lasting=tuple(each for each in link.lasting if each in left))

    def _vlans_on(self, name: str) -> list[SeenLink]:
        return [each for each in self.links.values() if each.below == name and each.vlan is not None]

    def _link(self, name: str) -> SeenLink:
        if name not in self.links:
            raise Refused(f"no device {name}")
        return self.links[name]

    def _vlan(self, name: str) -> SeenLink:
        link = self._link(name)
        if link.vlan is None:
            raise Refused(f"{name} is not a VLAN")
        return link

    def _put(self, link: SeenLink, **values: Any) -> SeenLink:
        self.links[link.name] = replace(link, **values)
        return self.links[link.name]


def _link_from(name: str, number: int, written: Mapping[str, Any]) -> SeenLink:
    written = dict(written)
    temporary, lasting = written.pop("temporary", []), written.pop("addresses", [])
    if "vlan" in written:
        parent, _dot, number_of_vlan = name.rpartition(".")
        default = int(number_of_vlan) if number_of_vlan.isdigit() else 0
        vlan = {"id": default, "protocol": "802.1q", **(written["vlan"] or {})}
        written = {"kind": "vlan", "below": parent, **written, "vlan": SeenVlan(**vlan)}
    if "bridge" in written:
        bridge = SeenBridge(Bridge(name=name), **{"fixed_mac": True, **(written["bridge"] or {})})
        written = {"kind": "bridge", **written, "bridge": bridge}
    values: dict[str, Any] = {
        "kind": None,
        "master": None,
        "mtu": 1500,
        "mac": f"02:00:00:00:01:{number:02x}",
        **written,
    }
    return SeenLink(name=name, index=number, addresses=(*lasting, *temporary), lasting=tuple(lasting), **values)
