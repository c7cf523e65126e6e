# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""DHCP leases as libvirt knows them (virNetworkGetDHCPLeases)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed

try:
    import libvirt
except ImportError:
    libvirt = None  # _deps.require() reports it before anything here is called.


def read_leases(connection: libvirt.virConnect, name: str) -> list[dict[str, Any]]:
    """Leases of a network, in the order of the addresses. None where no DHCP is served, or the driver knows none."""
    try:
        leases = connection.networkLookupByName(name).DHCPLeases()
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_NO_NETWORK):
            return []
        raise ReadFailed(f"libvirt refuses to list the leases of network {name!r}: {error}") from error
    return sorted((_lease(lease) for lease in leases), key=lambda lease: (lease["family"], lease["ip"]))


def _lease(lease: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "family": "ipv6" if lease["type"] == libvirt.VIR_IP_ADDR_TYPE_IPV6 else "ipv4",
        "mac": lease["mac"],
        "ip": lease["ipaddr"],
        "prefix": lease["prefix"],
        "hostname": lease["hostname"],
        "client_id": lease["clientid"],
        "iaid": lease["iaid"],
        "expiry": _moment(lease["expirytime"]),
    }


def _moment(seconds: int) -> Optional[str]:
    """A time in ISO 8601, UTC. None for a lease that does not end."""
    if not seconds:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
