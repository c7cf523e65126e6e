# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook bridge_vlan, as far as a kernel without VLANs goes: what is refused. tests/kernel has the rest."""

from __future__ import annotations

from typing import Any

import pytest
from harness import virsh
from harness.roles import module_options, specification
from harness.topologies import differences, topology, topology_state

TRUNK: dict[str, Any] = {"parent": "uplink0", "ids": "59,89", "bridge": "br{id}", "network": "vlan{id}"}
AWARE: dict[str, Any] = {
    "name": "br-trunk",
    "uplink": "uplink0",
    "vids": "59,89",
    "network": "trunk",
    "portgroups": [{"name": "vlan59", "vlan": {"tags": [{"id": 59}]}}],
}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param(
            {"bridge_vlan_aware": [AWARE]},
            "Nothing was changed. bridge_vlan_aware: the tags of guests on a Linux bridge need libvirt 11.0 or newer, "
            "and this is {version}.",
            id="tags that libvirt would not set",
        ),
        pytest.param(
            {"bridge_vlan_trunk": [TRUNK]},
            "Nothing was changed. Declare bridge_vlan_trunks or bridge_vlan_aware.",
            id="nothing, by mistake",
        ),
        pytest.param({"bridge_vlan_trunks": [{**TRUNK, "ids": "59,4095"}]}, "4095 is no VLAN id", id="no VLAN"),
        pytest.param({"bridge_vlan_trunks": [{**TRUNK, "ids": ""}]}, "no VLAN ID is given", id="no ids"),
    ],
)
def test_refuses(variables: dict[str, Any], message: str) -> None:
    version = virsh("version", "--daemon").partition("daemon: ")[2].strip()
    assert version.startswith(("8.", "9.", "10.")), "libvirt 11 sets these tags"
    settings = {"host_forwarding_ipv4": False, "host_forwarding_ipv6": False, "host_bridge_netfilter": None}
    before = topology_state()
    run = topology("bridge_vlan", {**settings, **variables})
    assert run.failed == 1
    assert message.format(version=version) in " ".join(run.stdout.split())
    assert differences(before, topology_state()) == []


def test_portgroups_are_those_of_the_module() -> None:
    options = module_options("virt_net", "networks")["portgroups"]
    del options["options"]["virtualport"]
    assert specification("bridge_vlan")["bridge_vlan_aware"]["options"]["portgroups"] == options
