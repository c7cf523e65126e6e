# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a bridge keeps for each of its ports, and for itself: VLANs and isolation.

Source of the attributes: include/uapi/linux/if_link.h and if_bridge.h in the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import Scalar, declare
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import LAST_VLAN, VlanIds


@dataclass(frozen=True)
class PortOptions:
    """``pvid`` 0 is none: what arrives without a tag is dropped."""

    name: Optional[str] = declare(Scalar(kinds.InterfaceName(), "IFLA_IFNAME", required=True))
    vids: Optional[str] = declare(Scalar(VlanIds(), "IFLA_BRIDGE_VLAN_INFO"))
    pvid: Optional[int] = declare(Scalar(kinds.Integer(0, LAST_VLAN), "BRIDGE_VLAN_INFO_PVID"))
    untagged: Optional[str] = declare(Scalar(VlanIds(), "BRIDGE_VLAN_INFO_UNTAGGED"))
    isolated: Optional[bool] = declare(Scalar(kinds.Boolean(), "IFLA_BRPORT_ISOLATED"))

    @property
    def has_vlans(self) -> bool:
        return not (self.vids is None and self.pvid is None and self.untagged is None)
