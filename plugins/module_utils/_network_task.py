# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What virt_net does: networks read in one pass, planned, and changed step by step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.apply import apply_network_step, bridge_of
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.connection import connected, is_this_host
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.network_xml import parse_network, read_network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.read import read_hypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.plug import plug
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read import read_links
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
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import record_spec
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network import needs_links, plan_networks
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import NetworkStep, Plug
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

    def plan(self) -> Plan:
        seen = read_hypervisor(self._connection)
        if self._sees_devices and needs_links(self._declared, seen):
            seen = replace(seen, links=read_links(), routes=read_routes(), missing_folders=self._missing_folders())
        return plan_networks(self._declared, seen)

    def _missing_folders(self) -> frozenset[str]:
        roots = {ip.tftp_root for each in self._declared for ip in each.network.ips or () if ip.tftp_root}
        return frozenset(root for root in roots if not os.path.isdir(root))

    def apply(self, step: Step) -> None:
        if isinstance(step, Plug):
            plug(step.nic, step.bridge or bridge_of(self._connection, step.name))
        elif isinstance(step, NetworkStep):
            apply_network_step(self._connection, step)


def _with_document(declared: DeclaredNetwork, problems: list[str]) -> DeclaredNetwork:
    """Take over what the document in ``xml`` says, with the options written beside it on top."""
    if declared.xml is None:
        return declared
    where = f"network {declared.name!r}: xml"
    found = read_network(parse_network(declared.xml, where=where))
    if found.name not in (None, declared.name):
        raise InvalidDeclaration([f"{where}: the document names the network {found.name!r}. Make the two names one"])
    options = {**to_options(found), "name": declared.name}
    if found.mode == "hostdev":
        options.pop("forward")  # A mode there is no option for is taken over with the rest of the document.
    # What is written in a document is held to the same rules as an option.
    from_options(Network, options, f"{where}: ", problems)
    return replace(declared, network=becomes(found, declared.network))
