# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes the kernel can be asked for on a VLAN sub-interface. Each is one message."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import VlanLink
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep


@dataclass(frozen=True)
class CreateVlan(LinkStep):
    """Make the sub-interface with the scalar properties given, a port of its bridge and up as far as they say so."""

    properties: VlanLink


@dataclass(frozen=True)
class ChangeVlan(LinkStep):
    """Set the scalar properties given. An empty ``bridge`` takes the sub-interface out of the one it is in."""

    properties: VlanLink
