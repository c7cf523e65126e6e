# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The changes libvirt can be asked for on a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import GuestNic
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step


@dataclass(frozen=True)
class NetworkStep(Step):
    name: str


@dataclass(frozen=True)
class Plug(NetworkStep):
    """Put a running guest's tap back on the network's bridge.

    ``bridge`` is None where libvirt is yet to name it. ``own``: it is the bridge that libvirt makes for the network, so
    that only guests are on it. ``static``: the bridge does not learn, libvirt keeps its table (macTableManager).
    ``renew``: this libvirt knows which guests are on a network from records, which a restart loses.
    """

    nic: GuestNic
    bridge: Optional[str]
    own: bool = True
    static: bool = False
    renew: bool = False


@dataclass(frozen=True)
class Define(NetworkStep):
    """Make ``network`` the persistent definition, in the document there is, or in ``base`` for a new one."""

    network: Network
    base: Optional[str] = None


@dataclass(frozen=True)
class Update(NetworkStep):
    """One change of a part that libvirt can change in place (virNetworkUpdate).

    ``section`` is libvirt's name for the part, ``ip`` the host address it belongs to, ``live`` and ``config`` the
    copies that change.
    """

    section: str
    command: str
    item: Any
    ip: Optional[str]
    live: bool
    config: bool


@dataclass(frozen=True)
class Hold(NetworkStep):
    """Have a copy of the network's firewall rules in force while libvirt makes its own anew."""

    bridge: str
    subnets: tuple[str, ...]


@dataclass(frozen=True)
class Release(Step):
    """Remove that copy."""


@dataclass(frozen=True)
class Sweep(Step):
    """Remove nftables rules that libvirt left of networks that are gone. ``subnets`` run with NAT: theirs stay."""

    subnets: frozenset[str]


@dataclass(frozen=True)
class Describe(NetworkStep):
    """Change title or description of the running copy (virNetworkSetMetadata, since libvirt 9.7). '' removes it."""

    kind: str
    text: str


@dataclass(frozen=True)
class Start(NetworkStep):
    """``after_stop``: the second half of a restart. Where it fails, the network is put back as it ran before.

    ``plugs`` are then to be done again.
    """

    after_stop: bool = False
    plugs: tuple[Plug, ...] = ()


@dataclass(frozen=True)
class Stop(NetworkStep):
    pass


@dataclass(frozen=True)
class Undefine(NetworkStep):
    pass


@dataclass(frozen=True)
class SetAutostart(NetworkStep):
    on: bool
