# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Steps on networks, each one call of libvirt, so that a run can be killed between any two of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt import network_xml, xml_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import libvirt_errors
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import definition
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Describe,
    NetworkStep,
    SetAutostart,
    Start,
    Stop,
    Undefine,
    Update,
)

if TYPE_CHECKING:
    from lxml import etree

try:
    import libvirt
except ImportError:
    libvirt = None  # _deps.require() reports it before anything here is called.


def apply_network_step(connection: libvirt.virConnect, step: NetworkStep) -> None:
    """Do one step. Raises ApplyFailed with libvirt's reason."""
    with libvirt_errors(ApplyFailed, f"to {step.words}"):
        if isinstance(step, Define):
            _define(connection, step)
            return
        network = connection.networkLookupByName(step.name)
        if isinstance(step, Update):
            _update(network, step)
        elif isinstance(step, Describe):
            kind = getattr(libvirt, "VIR_NETWORK_METADATA_" + step.kind.upper())
            network.setMetadata(kind, step.text or None, None, None, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)
        elif isinstance(step, Start):
            network.create()
        elif isinstance(step, Stop):
            network.destroy()
        elif isinstance(step, Undefine):
            network.undefine()
        elif isinstance(step, SetAutostart):
            network.setAutostart(1 if step.on else 0)
        else:
            raise TypeError(f"{type(step).__name__} is not a step for libvirt")


def bridge_of(connection: libvirt.virConnect, name: str) -> str:
    """Name of the bridge of a running network, also where libvirt has chosen it."""
    with libvirt_errors(ApplyFailed, f"to name the bridge of network {name}"):
        return str(connection.networkLookupByName(name).bridgeName())


def _define(connection: libvirt.virConnect, step: Define) -> None:
    """Edit the document there is, so that its uuid, its mac and all that is not declared stay."""
    root = network_xml.parse_network(_document(connection, step), where=f"network {step.name!r}")
    # A document by other hands may have blanks around the name, which libvirt takes as part of it.
    for element in root.findall("name"):
        root.remove(element)
    network_xml.write_network(root, step.network)
    forget_what_runs(root)
    connection.networkDefineXML(xml_record.serialize(root))


def forget_what_runs(root: etree._Element) -> None:
    """Remove what only the document of a running network has, and libvirt's schema of a definition does not."""
    for counted in [root, *root.iter("interface", "forward", "address")]:
        counted.attrib.pop("connections", None)
    for forward in root.iterfind("forward[pf]"):
        for function in [*forward.findall("interface"), *forward.findall("address")]:
            forward.remove(function)


def _document(connection: libvirt.virConnect, step: Define) -> str:
    try:
        network = connection.networkLookupByName(step.name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
            raise
        return step.base or "<network/>"
    return definition(network) or str(network.XMLDesc(0))


_COMMANDS = {"add": "ADD_LAST", "delete": "DELETE", "modify": "MODIFY"}


def _update(network: libvirt.virNetwork, step: Update) -> None:
    """Change both copies with one call. Two are needed where others gave the addresses another order in one of them."""
    live = [_parent_index(str(network.XMLDesc(0)), step.ip)] if step.live else []
    config = [_parent_index(definition(network) or "", step.ip)] if step.config else []
    for index in sorted({*live, *config}):
        flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE if index in live else 0
        flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG if index in config else 0
        network.update(
            getattr(libvirt, "VIR_NETWORK_UPDATE_COMMAND_" + _COMMANDS[step.command]),
            getattr(libvirt, "VIR_NETWORK_SECTION_" + step.section.upper().replace("-", "_")),
            index,
            xml_record.serialize(_element(step)),
            flags,
        )


def _element(step: Update) -> etree._Element:
    if step.section == "forward-interface":
        return xml_record.element_with("interface", dev=step.item)
    return xml_record.element_of(step.section.rpartition("-")[2], _named(step))


def _named(step: Update) -> Any:
    """The entry as far as libvirt has to know it."""
    if step.section == "dns-host" and step.command == "delete":
        # libvirt looks for the address or any of the names, and refuses where that fits two entries.
        return replace(step.item, names=None)
    return step.item


def _parent_index(document: str, ip: Optional[str]) -> int:
    """Which ``<ip>`` of the document an entry belongs to. -1 lets libvirt look, for entries that have none."""
    if ip is None:
        return -1
    root = network_xml.parse_network(document, where="network")
    return [xml_record.read_address(element) for element in root.iterchildren("ip")].index(ip)
