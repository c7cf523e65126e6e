# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A restart of a running network: what it was, kept to be put back, and the records of its guests' ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt import network_xml, xml_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.apply import forget_what_runs
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import libvirt_errors
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import definition
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import GuestNic

try:
    import libvirt
except ImportError:
    libvirt = None  # _deps.require() reports it before anything here is called.


@dataclass(frozen=True)
class Documents:
    """Both copies of a network as XML: what runs, and what the next start takes (None for a transient network)."""

    live: str
    config: Optional[str]


def documents(connection: libvirt.virConnect, name: str) -> Documents:
    """Of a network that runs."""
    with libvirt_errors(ApplyFailed, f"to describe network {name}"):
        network = connection.networkLookupByName(name)
        return Documents(live=str(network.XMLDesc(0)), config=definition(network))


def put_back(connection: libvirt.virConnect, name: str, before: Documents) -> None:
    """Start a stopped network as it ran, and define what was defined. Raises ApplyFailed."""
    with libvirt_errors(ApplyFailed, f"to put back network {name}"):
        root = network_xml.parse_network(before.live, where=f"network {name!r}")
        forget_what_runs(root)
        connection.networkDefineXML(xml_record.serialize(root)).create()
        if before.config is not None:
            connection.networkDefineXML(before.config)


def renew_port(connection: libvirt.virConnect, nic: GuestNic) -> None:
    """Have libvirt (>= 10.8) record again that the guest is on its network.

    An update of the interface to what it is does it. The whole element is given: libvirt takes what is left out for
    what is to be removed.
    """
    with libvirt_errors(ApplyFailed, f"to record that guest {nic.domain} is on network {nic.network}"):
        domain = connection.lookupByName(nic.domain)
        root = xml_record.parse(domain.XMLDesc(0), where=f"guest {nic.domain!r}")
        for interface in root.iterfind("devices/interface"):
            mac, source = interface.find("mac"), interface.find("source")
            if mac is not None and source is not None and mac.get("address") == nic.mac:
                # Where it is on the network now is libvirt's to find out.
                for stale in ("portid", "bridge"):
                    source.attrib.pop(stale, None)
                domain.updateDeviceFlags(xml_record.serialize(interface), libvirt.VIR_DOMAIN_AFFECT_LIVE)
                return
