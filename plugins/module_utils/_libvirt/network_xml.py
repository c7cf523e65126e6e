# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The ``<network>`` document: the declared properties, and what one of them implies for another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt import xml_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    MACVTAP_MODES,
    OWN_BRIDGE_MODES,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import normal

if TYPE_CHECKING:
    from lxml import etree


def parse_network(text: str, *, where: str) -> etree._Element:
    """Root of a ``<network>`` document. Raises InvalidDeclaration for anything else."""
    root = xml_record.parse(text, where=where)
    if root.tag != "network":
        raise InvalidDeclaration([f"{where}: the root element is <{root.tag!s}>. Give a <network> document"])
    return root


def read_network(root: etree._Element) -> Network:
    network = xml_record.read(Network, root)
    return replace(network, forward=_one_spelling(network.forward or Forward(), root))


def _one_spelling(forward: Forward, root: etree._Element) -> Forward:
    """libvirt names a forward device twice, in ``@dev`` and as the first ``<interface>``; here it has one place.

    That is ``dev`` where guests' traffic is routed out of it, ``interfaces`` where guests are put on it. A
    ``<forward>`` without a mode is NAT; none at all is an isolated network.
    """
    if root.find("forward") is None:
        return normal(Forward(mode="isolated"))
    mode = forward.mode or "nat"
    if mode != "hostdev":
        forward = replace(forward, managed=None)  # libvirt reads it everywhere and keeps it in a hostdev pool only.
    if forward.pf:
        # While the network runs, libvirt lists the functions of the device beside it.
        return normal(replace(forward, mode=mode, dev=None, interfaces=(), addresses=()))
    devices = forward.interfaces or ((forward.dev,) if forward.dev else ())
    if mode in MACVTAP_MODES:
        return normal(replace(forward, mode=mode, dev=None, interfaces=devices))
    if mode not in OWN_BRIDGE_MODES:
        return normal(replace(forward, mode=mode))
    return normal(replace(forward, mode=mode, dev=forward.dev or (devices[0] if devices else None), interfaces=()))


def devices_in_use(text: str) -> list[str]:
    """Devices of a running network's pool that guests are on."""
    if "connections=" not in text:
        return []
    root = parse_network(text, where="network")
    return [found.get("dev", "") for found in root.iterfind("forward/interface[@connections]")]


def write_network(root: etree._Element, after: Network) -> None:
    """Change the document to hold ``after``, a complete record; what is not declared stays as it is."""
    before = read_network(root)
    if after.mode == "isolated":
        for element in root.findall("forward"):
            root.remove(element)
        before, after = replace(before, forward=None), replace(after, forward=None)
    else:
        _let_go_of_second_spelling(root, before, after)
        before = replace(
            before, forward=xml_record.read(Forward, found) if (found := root.find("forward")) is not None else None
        )
    xml_record.write(root, before, after)


def _let_go_of_second_spelling(root: etree._Element, before: Network, after: Network) -> None:
    """When the devices or the mode change, drop the spelling that would contradict the new one."""
    element: Optional[etree._Element] = root.find("forward")
    if element is None or before.forward is None or after.forward is None:
        return
    changed = (before.mode, before.forward.dev, before.forward.interfaces, before.forward.pf) != (
        after.mode,
        after.forward.dev,
        after.forward.interfaces,
        after.forward.pf,
    )
    if after.mode in MACVTAP_MODES:
        if changed:
            element.attrib.pop("dev", None)
    else:
        for interface in element.findall("interface"):
            if changed:
                element.remove(interface)
    if after.mode != "nat":
        # libvirt refuses <nat> in every other mode, and writes one (the port range) into each NAT network itself.
        for nat in element.findall("nat"):
            element.remove(nat)
