# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a guest's port gets from its network: bandwidth, VLAN tags, parameters of the switch, named sets of these.

The places are paths in libvirt's network XML. Source: https://libvirt.org/formatnetwork.html (from "Quality of service"
to "Portgroups") and networkcommon.rng in libvirt's schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Items,
    Nested,
    Scalar,
    declare,
)

YES_NO = ("yes", "no")
# The limits of tc, as virNetDevBandwidthRateValidate() in libvirt's src/conf/netdev_bandwidth_conf.c has them.
_MOST_KB_PER_SECOND, _MOST_KIB = 1 << 54, 0xFFFFFFFF >> 10


def _rate() -> kinds.Kind:
    return kinds.Integer(1, _MOST_KB_PER_SECOND, zero_unsets=True)


@dataclass(frozen=True)
class Rate:
    """``average`` and ``peak`` in kB (1000 bytes) per second, ``burst`` in KiB: what may be sent at the peak."""

    average: Optional[int] = declare(Scalar(_rate(), "@average"))
    peak: Optional[int] = declare(Scalar(_rate(), "@peak"))
    burst: Optional[int] = declare(Scalar(kinds.Integer(1, _MOST_KIB, zero_unsets=True), "@burst"))


@dataclass(frozen=True)
class Bandwidth:
    """Seen from the guest: ``inbound`` is what it receives. Of a network, the sum of its guests and the outside."""

    inbound: Optional[Rate] = declare(Nested(Rate, "inbound"))
    outbound: Optional[Rate] = declare(Nested(Rate, "outbound"))


@dataclass(frozen=True)
class VlanTag:
    # 0 is a frame with a priority only, 4095 is reserved; libvirt takes both, no switch does.
    id: Optional[int] = declare(Scalar(kinds.Integer(1, 4094), "@id", required=True))
    native_mode: Optional[str] = declare(
        Scalar(kinds.Choice("none", "tagged", "untagged", unset="none"), "@nativeMode")
    )


@dataclass(frozen=True)
class Vlan:
    """One tag is put on and taken off by the host; with ``trunk`` the guest sends the tags itself."""

    trunk: Optional[bool] = declare(Scalar(kinds.Flag(), "@trunk", YES_NO))
    tags: Optional[tuple[VlanTag, ...]] = declare(Items(VlanTag, "tag", lambda tag: tag.id, "the VLAN tag"))


# Which parameters each type has: virNetDevVPortProfileCheckNoExtras() in libvirt's src/util/virnetdevvportprofile.c.
PARAMETERS_OF = {
    "openvswitch": ("interface_id", "profile_id"),
    "802.1Qbg": ("manager_id", "type_id", "type_id_version", "instance_id"),
    "802.1Qbh": ("profile_id",),
    "midonet": ("interface_id",),
}
PARAMETERS = tuple(sorted({name for names in PARAMETERS_OF.values() for name in names}))


@dataclass(frozen=True)
class VirtualPort:
    """What a switch other than the kernel's bridge has to know of a port."""

    type: Optional[str] = declare(
        Scalar(kinds.Choice("none", "openvswitch", "802.1Qbg", "802.1Qbh", "midonet", unset="none"), "@type")
    )
    manager_id: Optional[int] = declare(Scalar(kinds.Integer(0, 0xFF), "parameters/@managerid"))
    type_id: Optional[int] = declare(Scalar(kinds.Integer(0, 0xFFFFFF), "parameters/@typeid"))
    type_id_version: Optional[int] = declare(Scalar(kinds.Integer(0, 0xFF), "parameters/@typeidversion"))
    instance_id: Optional[str] = declare(Scalar(kinds.Uuid(), "parameters/@instanceid"))
    interface_id: Optional[str] = declare(Scalar(kinds.Uuid(), "parameters/@interfaceid"))
    # libvirt keeps it in 40 bytes, with the final NUL: LIBVIRT_IFLA_VF_PORT_PROFILE_MAX.
    profile_id: Optional[str] = declare(
        Scalar(kinds.Text(r".{1,39}", "a profile of at most 39 characters"), "parameters/@profileid")
    )


@dataclass(frozen=True)
class PortGroup:
    """A named set of properties that a guest's interface can ask for."""

    name: Optional[str] = declare(
        Scalar(kinds.Text(r"[A-Za-z0-9_.\\:/-]+", "a name of letters, digits and _ . - : /"), "@name", required=True)
    )
    default: Optional[bool] = declare(Scalar(kinds.Flag(), "@default", YES_NO))
    trust_guest_rx_filters: Optional[bool] = declare(Scalar(kinds.Boolean(), "@trustGuestRxFilters", YES_NO))
    vlan: Optional[Vlan] = declare(Nested(Vlan, "vlan"))
    virtualport: Optional[VirtualPort] = declare(Nested(VirtualPort, "virtualport"))
    bandwidth: Optional[Bandwidth] = declare(Nested(Bandwidth, "bandwidth"))
