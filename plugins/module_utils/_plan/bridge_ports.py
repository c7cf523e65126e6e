# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a device is: whose, of what sort, and whether it can be a port of a bridge. Pure."""

from __future__ import annotations

from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHost, SeenLink

# Taps of every hypervisor have the kind tun, and macvtap its own; ipvtap is macvtap's sibling.
GUEST_KINDS = ("tun", "macvtap", "ipvtap")

# Kinds that take over what arrives at the device below them, as a bridge does, and so exclude one.
_STACKED_KINDS = ("macvlan", "macvtap", "ipvlan", "ipvtap")
_UNFIT_KINDS = ("macvtap", "ipvtap", "ipvlan")

# How the names begin that are made up for guests: libvirt's vnet0 and macvtap0 (also of its containers, whose devices
# are veths), Xen's vif1.0, and tap0 by habit.
_GUEST_NAMES = ("vnet", "macvtap", "vif", "tap")


def is_of_guest(link: SeenLink) -> bool:
    """Whether the device was made for a guest, and so is managed by what runs the guest."""
    return link.kind in GUEST_KINDS or link.name.startswith(_GUEST_NAMES)


def is_in_container(link: SeenLink) -> bool:
    """Whether the device is one end of a pair whose other end is in another network namespace."""
    return link.kind == "veth" and link.other_namespace


def what_it_is(link: SeenLink) -> str:
    if link.loopback:
        return "the loopback device"
    return f"of the kind {link.kind}" if link.kind else "a network card"


def why_no_port(link: SeenLink, seen: SeenHost) -> Optional[str]:
    """Why the kernel would not take the device into any bridge."""
    if link.loopback:
        return "the loopback device cannot be a port. Name another"
    if not link.ethernet:
        return (
            f"it is not an Ethernet device ({link.kind or 'its hardware is of another type'}), and only these can be "
            "ports. Name another"
        )
    if link.kind in _UNFIT_KINDS:
        return f"a device of the kind {link.kind} cannot be a port. Name the device that it is on"
    stacked = [each.name for each in seen.stacked_on(link.name) if each.kind in _STACKED_KINDS]
    if stacked:
        return (
            f"it carries {', '.join(stacked)}, and a device with macvlan or macvtap devices on it cannot be a port. "
            "Remove these first, or name another"
        )
    return None
