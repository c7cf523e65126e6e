# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The VLANs and the isolation of bridges' ports, and of the bridges themselves, in one dump.

Source of the numbers: include/uapi/linux/if_link.h, if_bridge.h and rtnetlink.h in the kernel.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Mapping

from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    GET_LINK,
    IFINFO,
    Socket,
    attribute,
    attributes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge_port import PortOptions
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import spelled_ids

_IFNAME, _PROTINFO, _AF_SPEC, _EXT_MASK = 3, 12, 26, 29
# RTEXT_FILTER_BRVLAN_COMPRESSED: ranges are told as such.
_COMPRESSED_VLANS = 4
_BRPORT_ISOLATED = 33
VLAN_INFO = 2
# struct bridge_vlan_info: flags, id.
VLAN = struct.Struct("=HH")
PVID, UNTAGGED, RANGE_BEGIN, RANGE_END = 0x2, 0x4, 0x8, 0x10


def read_port_options(names: Collection[str]) -> Mapping[str, PortOptions]:
    """What the kernel keeps for those of the named devices that are ports or bridges. Raises ReadFailed."""
    found: dict[str, PortOptions] = {}
    request = IFINFO.pack(socket.AF_BRIDGE, 0, 0, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _COMPRESSED_VLANS))
    with Socket() as kernel:
        for message in kernel.dump(GET_LINK, request):
            told = dict(attributes(message[IFINFO.size :]))
            name = told[_IFNAME].rstrip(b"\0").decode(errors="replace")
            if name in names:
                found[name] = _options(name, told)
    return found


def _options(name: str, told: Mapping[int, bytes]) -> PortOptions:
    vids: set[int] = set()
    untagged: set[int] = set()
    pvid = first = 0
    for kind, payload in attributes(told.get(_AF_SPEC, b"")):
        if kind != VLAN_INFO:
            continue
        flags, number = VLAN.unpack(payload)
        if flags & RANGE_BEGIN:
            first = number
            continue
        ids = range(first if flags & RANGE_END else number, number + 1)
        vids.update(ids)
        if flags & UNTAGGED:
            untagged.update(ids)
        if flags & PVID:
            pvid = number
    isolated = dict(attributes(told.get(_PROTINFO, b""))).get(_BRPORT_ISOLATED)
    return PortOptions(
        name=name,
        vids=spelled_ids(vids),
        pvid=pvid,
        untagged=spelled_ids(untagged),
        isolated=None if isolated is None else isolated != b"\0",
    )
