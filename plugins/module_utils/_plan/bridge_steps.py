# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes the kernel can be asked for on a bridge."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import Bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step


@dataclass(frozen=True)
class BridgeStep(Step):
    name: str


@dataclass(frozen=True)
class Create(BridgeStep):
    """Make the bridge with the scalar properties given, and bring it up, all in one message."""

    properties: Bridge


@dataclass(frozen=True)
class Change(BridgeStep):
    """Set the scalar properties given. Setting the MAC address that the bridge has makes it stay."""

    properties: Bridge


@dataclass(frozen=True)
class BringUp(BridgeStep):
    """``device`` is the bridge itself or one of its ports."""

    device: str


@dataclass(frozen=True)
class AddPort(BridgeStep):
    """Make the device a port and bring it up."""

    port: str


@dataclass(frozen=True)
class RemovePort(BridgeStep):
    port: str


@dataclass(frozen=True)
class PutAddress(BridgeStep):
    """Add the address, or let the one there is last."""

    address: str


@dataclass(frozen=True)
class RemoveAddress(BridgeStep):
    """``alone``: no other address of the bridge is in the same IPv4 subnet."""

    address: str
    alone: bool = True


@dataclass(frozen=True)
class Delete(BridgeStep):
    """Remove ``name`` and the ``others``, together, because the kernel waits for each removal that comes alone."""

    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.others)
