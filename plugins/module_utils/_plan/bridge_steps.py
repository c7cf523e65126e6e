# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes the kernel can be asked for on a bridge."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.link_steps import LinkStep


@dataclass(frozen=True)
class Create(LinkStep):
    """Make the bridge with the scalar properties given, and bring it up, all in one message."""

    properties: Bridge


@dataclass(frozen=True)
class Change(LinkStep):
    """Set the scalar properties given. Setting the MAC address that the bridge has makes it stay."""

    properties: Bridge


@dataclass(frozen=True)
class BringUp(LinkStep):
    """``device`` is the bridge itself or one of its ports."""

    device: str


@dataclass(frozen=True)
class AddPort(LinkStep):
    """Make the device a port and bring it up."""

    port: str


@dataclass(frozen=True)
class RemovePort(LinkStep):
    port: str
