# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes the kernel can be asked for on a link, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step


@dataclass(frozen=True)
class LinkStep(Step):
    name: str


@dataclass(frozen=True)
class PutAddress(LinkStep):
    """Add the address, or let the one there is last."""

    address: str


@dataclass(frozen=True)
class RemoveAddress(LinkStep):
    """``alone``: no other address of the link is in the same IPv4 subnet."""

    address: str
    alone: bool = True


@dataclass(frozen=True)
class Delete(LinkStep):
    """Remove ``name`` and the ``others``, together, because the kernel waits for each removal that comes alone."""

    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.others)
