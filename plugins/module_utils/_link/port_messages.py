# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Messages of rtnetlink that change a bridge's ports.

Source of the numbers: include/uapi/linux/if_link.h and if_bridge.h in the kernel.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_port_options import (
    PVID,
    RANGE_BEGIN,
    RANGE_END,
    UNTAGGED,
    VLAN,
    VLAN_INFO,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    DELETE_LINK,
    IFINFO,
    SET_LINK,
    Request,
    Socket,
    attribute,
    nested,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import Isolate, SetVlans
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep

_PROTINFO, _AF_SPEC, _ISOLATED = 12, 26, 33
# IFLA_BRIDGE_FLAGS: on the bridge itself rather than on a port.
_BRIDGE_FLAGS, _SELF = 0, 2
# What an attribute can hold, with room for the others (struct nlattr counts in 16 bits).
_ENTRIES_IN_ONE = 4000


def apply_port_step(step: LinkStep, index: Callable[[str], int]) -> None:
    """Carry out a SetVlans or an Isolate. Raises ApplyFailed with the kernel's reason."""
    with Socket() as kernel:
        answers = kernel.change(port_messages(step, index))
    refused = next((answer for answer in answers if answer is not None), None)
    if refused is not None:
        raise ApplyFailed(f"the kernel refuses to {step.words}: {refused}")


def port_messages(step: LinkStep, index: Callable[[str], int]) -> list[Request]:
    """The requests of a SetVlans or an Isolate."""
    if isinstance(step, Isolate):
        body = nested(_PROTINFO, attribute(_ISOLATED, bytes([step.isolated])))
        return [Request(SET_LINK, _header(index(step.port)) + body)]
    if not isinstance(step, SetVlans):
        raise TypeError(f"{type(step).__name__} is not a change of a port")
    flags = [attribute(_BRIDGE_FLAGS, struct.pack("=H", _SELF))] if step.port == step.name else []
    put: list[bytes] = []
    for first, last, untagged, pvid in step.put:
        put += _range(first, last, (UNTAGGED if untagged else 0) | (PVID if pvid else 0))
    remove = [entry for first, last in step.remove for entry in _range(first, last, 0)]
    return [
        Request(kind, _header(index(step.port)) + nested(_AF_SPEC, *flags, *piece))
        for kind, entries in ((SET_LINK, put), (DELETE_LINK, remove))
        for piece in _pieces(entries)
    ]


def _range(first: int, last: int, flags: int) -> list[bytes]:
    if first == last:
        return [attribute(VLAN_INFO, VLAN.pack(flags, first))]
    return [
        attribute(VLAN_INFO, VLAN.pack(flags | RANGE_BEGIN, first)),
        attribute(VLAN_INFO, VLAN.pack(flags | RANGE_END, last)),
    ]


def _pieces(entries: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(entries), _ENTRIES_IN_ONE):
        yield entries[start : start + _ENTRIES_IN_ONE]


def _header(index: int) -> bytes:
    return IFINFO.pack(socket.AF_BRIDGE, 0, index, 0, 0)
