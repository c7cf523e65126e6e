# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One pass over libvirt: its networks in both copies, and which running guests are on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt import network_xml, xml_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import libvirt_errors
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import OWN_BRIDGE_MODES, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_ports import Vlan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    GuestNic,
    SeenHypervisor,
    SeenNetwork,
)

if TYPE_CHECKING:
    from lxml import etree

try:
    import libvirt
except ImportError:
    libvirt = None  # _deps.require() reports it before anything here is called.


def read_hypervisor(connection: libvirt.virConnect) -> SeenHypervisor:
    """All networks and the running guests' interfaces on them. The host's links are not libvirt's: see _link."""
    with libvirt_errors(ReadFailed, "to list its networks"):
        networks = [seen for network in connection.listAllNetworks() if (seen := _network(network)) is not None]
    return SeenHypervisor(
        version=connection.getLibVersion(),
        networks={network.name: network for network in networks},
        nics=tuple(_guest_nics(connection, _owners_of_bridges(networks))),
    )


def definition(network: libvirt.virNetwork) -> Optional[str]:
    """The persistent definition as XML, None for a transient network."""
    if not network.isPersistent():
        return None
    try:
        return str(network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE))
    except libvirt.libvirtError as error:
        # The test driver has one copy only, and knows no flag for the other.
        if error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:
            raise
        return str(network.XMLDesc(0))


def _network(network: libvirt.virNetwork) -> Optional[SeenNetwork]:
    """None where it went away since it was listed."""
    try:
        name, active, config = network.name(), bool(network.isActive()), definition(network)
        live = str(network.XMLDesc(0)) if active else None
        return SeenNetwork(
            name=name,
            uuid=network.UUIDString(),
            active=active,
            # libvirt answers the question for a transient network with an error.
            autostart=config is not None and bool(network.autostart()),
            config=_read(name, config),
            live=_read(name, live),
            hides_config=active and network.connect().getType() == "TEST",
            busy=frozenset(network_xml.devices_in_use(live)) if live else frozenset(),
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
            raise
        return None


def _read(name: str, text: Optional[str]) -> Optional[Network]:
    return network_xml.read_network(network_xml.parse_network(text, where=f"network {name!r}")) if text else None


def _owners_of_bridges(networks: Iterable[SeenNetwork]) -> Mapping[str, str]:
    """The network that makes each bridge: a guest that names the bridge depends on the network all the same."""
    return {
        copy.bridge_name: network.name
        for network in networks
        for copy in (network.config, network.live)
        if copy is not None and copy.bridge_name and copy.mode in OWN_BRIDGE_MODES
    }


def _guest_nics(connection: libvirt.virConnect, owners: Mapping[str, str]) -> Iterator[GuestNic]:
    """Interfaces of running guests on a network. The list of network ports is no source: a restart loses it."""
    try:
        domains = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return  # A driver for networks only.
        raise ReadFailed(f"libvirt refuses to list its guests: {error}") from error
    for domain in domains:
        try:
            root = xml_record.parse(domain.XMLDesc(0), where=f"guest {domain.name()!r}")
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                continue  # It went away since it was listed.
            raise ReadFailed(f"libvirt refuses to describe the guest {domain.name()!r}: {error}") from error
        for interface in root.iterfind("devices/interface"):
            # The type is what the network made of it: 'bridge' on a bridge of the host, 'direct' with macvtap.
            network, bridge = _attribute(interface, "source", "network"), None
            if network is None:
                bridge = _attribute(interface, "source", "bridge")
                if bridge is None:
                    continue
                # A network that makes the bridge may have been removed under the guest, or be the one that comes now.
                network = owners.get(bridge, "")
            yield GuestNic(
                domain=domain.name(),
                mac=_attribute(interface, "mac", "address") or "",
                network=network,
                device=_attribute(interface, "target", "dev"),
                mtu=int(_attribute(interface, "mtu", "size") or 0) or None,
                isolated=_attribute(interface, "port", "isolated") == "yes",
                bridge=bridge,
                vlan=None if (vlan := interface.find("vlan")) is None else xml_record.read(Vlan, vlan),
            )


def _attribute(element: etree._Element, tag: str, attribute: str) -> Optional[str]:
    child = element.find(tag)
    return None if child is None else child.get(attribute)
