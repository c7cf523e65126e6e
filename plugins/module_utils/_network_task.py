# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_net does: networks read in one pass, planned, and changed step by step."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import (
    ApplyFailed,
    InvalidDeclaration,
    VirtNetError,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.apply import apply_network_step, bridge_of
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import connected, is_this_host
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.network_xml import parse_network, read_network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import read_hypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.restart import (
    Documents,
    documents,
    put_back,
    renew_port,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.plug import plug
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read import read_links
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_port_options import read_port_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_routes import read_routes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    DeclaredNetwork,
    Network,
    declared_network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    from_options,
    to_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import nat_subnets
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.backend import LOSES_RULES_SINCE, uses_nftables
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.hold import can_hold, hold, is_held, release
from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.stale import count_stale, sweep
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import record_spec
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network import needs_links, plan_networks
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_devices import (
    other_ports,
    with_other_ports,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Hold,
    NetworkStep,
    Plug,
    Release,
    Start,
    Stop,
    Sweep,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Step

# Options of one network: its properties, and what the task may do to have them. The model has the defaults, so that
# an option written beside the list form is noticed and refused.
NETWORK_SPEC: dict[str, Any] = {
    **record_spec(Network),
    "state": {"type": "str", "choices": ["active", "inactive", "present", "absent"]},
    "autostart": {"type": "bool"},
    "force": {"type": "bool"},
    "if_restart_needed": {"type": "str", "choices": ["defer", "restart", "fail"]},
    "xml": {"type": "str"},
}


@contextlib.contextmanager
def network_task(uri: str, objects: Sequence[Mapping[str, Any]]) -> Iterator[NetworkTask]:
    """The declared networks at the hypervisor of ``uri``. What can be refused without asking it, is refused first."""
    problems: list[str] = []
    declared = [declared_network(options, problems) for options in objects]
    if problems:
        raise InvalidDeclaration(problems)
    declared = [_with_document(each, problems) for each in declared]
    if problems:
        raise InvalidDeclaration(problems)
    with connected(uri) as connection:
        yield NetworkTask(connection, declared, sees_devices=is_this_host(uri))


class NetworkTask:
    """A task on networks, over one connection. ``sees_devices``: whether the hypervisor's devices are this host's."""

    def __init__(self, connection: Any, declared: Sequence[DeclaredNetwork], *, sees_devices: bool) -> None:
        self._connection, self._declared, self._sees_devices = connection, declared, sees_devices

        self._running: frozenset[str] = frozenset()
        self._before: dict[str, Documents] = {}
        self._stopped: dict[str, float] = {}
        self._gaps: dict[Plug, float] = {}

    def plan(self) -> Plan:
        seen = read_hypervisor(self._connection)
        self._running = frozenset(each.name for each in seen.networks.values() if each.active)
        if not self._sees_devices:
            # What is not known is taken for the worse.
            return plan_networks(self._declared, replace(seen, loses_rules=seen.version >= LOSES_RULES_SINCE))
        has_nftables = seen.version >= LOSES_RULES_SINCE and uses_nftables()
        seen = replace(
            seen,
            held=is_held(),
            can_hold=not has_nftables and can_hold(),
            loses_rules=has_nftables,
            stale_rules=count_stale(nat_subnets(seen.networks.values())) if has_nftables else 0,
        )
        if needs_links(self._declared, seen):
            folders = self._missing_folders()
            seen = replace(seen, links=read_links(), routes=read_routes(), missing_folders=folders)
            others = other_ports(seen)
            if others:
                options = read_port_options({link.name for links in others.values() for link in links})
                seen = with_other_ports(seen, others, options)
        return plan_networks(self._declared, seen)

    def _missing_folders(self) -> frozenset[str]:
        roots = {ip.tftp_root for each in self._declared for ip in each.network.ips or () if ip.tftp_root}
        return frozenset(root for root in roots if not os.path.isdir(root))

    def apply(self, step: Step) -> None:
        if isinstance(step, Plug):
            self._plug(step)
        elif isinstance(step, Hold):
            hold(step.bridge, step.subnets)
        elif isinstance(step, Release):
            release()
        elif isinstance(step, Sweep):
            sweep(step.subnets)
        elif isinstance(step, NetworkStep):
            self._change(step)

    def _change(self, step: NetworkStep) -> None:
        if isinstance(step, (Define, Stop)):
            self._remember(step.name)
        if isinstance(step, Stop):
            self._stopped[step.name] = time.monotonic()
        try:
            apply_network_step(self._connection, step)
        except ApplyFailed as error:
            put_back_so_far = f". {self._put_back(step)}" if isinstance(step, Start) and step.after_stop else ""
            if is_held():
                release()
            raise ApplyFailed(f"{error}{put_back_so_far}") from error

    def _remember(self, name: str) -> None:
        """Keep what runs and what is defined, until a restart has succeeded."""
        if name in self._running and name not in self._before:
            self._before[name] = documents(self._connection, name)

    def _plug(self, step: Plug) -> None:
        bridge = step.bridge or bridge_of(self._connection, step.name)
        plug(step.nic, bridge, own=step.own, static=step.static)
        if step.name in self._stopped:
            self._gaps[step] = time.monotonic() - self._stopped[step.name]
        if step.renew:
            renew_port(self._connection, step.nic)

    def _put_back(self, failed: Start) -> str:
        """Have the network run again as it did, with its guests. Says how far that went."""
        try:
            put_back(self._connection, failed.name, self._before[failed.name])
            for step in failed.plugs:
                self._plug(replace(step, bridge=None))
        except VirtNetError as error:
            return f"It could not be put back as it ran: {error}. Start it by hand (virsh net-start {failed.name})"
        guests = f", with {', '.join(sorted({step.nic.owner for step in failed.plugs}))}" if failed.plugs else ""
        return f"The network runs again as before{guests}, and its definition is the old one"

    def report(self, plan: Plan) -> Mapping[str, Any]:
        return {
            "restarted": [step.name for step in plan.steps if isinstance(step, Start) and step.after_stop],
            "replugged": [self._replugged(step) for step in plan.steps if isinstance(step, Plug)],
        }

    def _replugged(self, step: Plug) -> dict[str, Any]:
        gap = {"gap": round(self._gaps[step], 3)} if step in self._gaps else {}
        return {
            "network": step.name,
            "guest": step.nic.domain or None,
            "mac": step.nic.mac,
            "device": step.nic.device,
            **gap,
        }


def _with_document(declared: DeclaredNetwork, problems: list[str]) -> DeclaredNetwork:
    """Take over what the document in ``xml`` says, with the options written beside it on top."""
    if declared.xml is None:
        return declared
    where = f"network {declared.name!r}: xml"
    found = read_network(parse_network(declared.xml, where=where))
    if found.name not in (None, declared.name):
        raise InvalidDeclaration([f"{where}: the document names the network {found.name!r}. Make the two names one"])
    options = {**to_options(found), "name": declared.name}
    # What is written in a document is held to the same rules as an option.
    from_options(Network, options, f"{where}: ", problems)
    return replace(declared, network=becomes(found, declared.network))
