# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whose a bridge's port is, as far as its device tells. Pure."""

from __future__ import annotations

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenLink

# Taps of every hypervisor have the kind tun, and macvtap its own; ipvtap is macvtap's sibling.
GUEST_KINDS = ("tun", "macvtap", "ipvtap")

# How the names begin that are made up for guests: libvirt's vnet0 and macvtap0 (also of its containers, whose devices
# are veths), Xen's vif1.0, and tap0 by habit.
_GUEST_NAMES = ("vnet", "macvtap", "vif", "tap")


def is_of_guest(link: SeenLink) -> bool:
    """Whether the device was made for a guest, and so is managed by what runs the guest."""
    return link.kind in GUEST_KINDS or link.name.startswith(_GUEST_NAMES)


def is_in_container(link: SeenLink) -> bool:
    """Whether the device is one end of a pair whose other end is in another network namespace."""
    return link.kind == "veth" and link.other_namespace
