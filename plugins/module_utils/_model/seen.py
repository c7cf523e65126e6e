# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was read of the host and its hypervisor, before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Network


@dataclass(frozen=True)
class GuestNic:
    """A running guest's interface on a libvirt network. ``device`` is the tap on the host."""

    domain: str
    mac: str
    network: str
    device: Optional[str]


@dataclass(frozen=True)
class SeenNetwork:
    """A network as libvirt has it. ``config`` is what the next start takes, ``live`` what runs; one may be missing."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    config: Optional[Network]
    live: Optional[Network]

    @property
    def persistent(self) -> bool:
        return self.config is not None

    @property
    def newest(self) -> Network:
        """The persistent definition where there is one, otherwise the running one."""
        return self.config or self.live or Network(name=self.name)


@dataclass(frozen=True)
class SeenLink:
    """A network device of the host. ``kind`` is the kernel's name for its type, None for hardware."""

    name: str
    index: int
    kind: Optional[str]
    master: Optional[str]
    mtu: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeenHypervisor:
    """One pass over libvirt. ``links`` is None where the host's devices were not, or cannot be, read."""

    version: int
    networks: Mapping[str, SeenNetwork] = field(default_factory=dict)
    nics: tuple[GuestNic, ...] = ()
    links: Optional[Mapping[str, SeenLink]] = None
