# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of virt_bridge: how they are spelled, and what they come from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.virtnet.hypervisor.plugins.module_utils._bridge_task import BRIDGE_SPEC
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import declared_bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import to_options
from ansible_collections.virtnet.hypervisor.plugins.modules import virt_bridge

DOCUMENTED = yaml.safe_load(virt_bridge.DOCUMENTATION)["options"]


def test_one_and_many_have_the_same_options() -> None:
    many = DOCUMENTED["bridges"]["suboptions"]
    assert set(many) == set(DOCUMENTED) - {"bridges"}
    for name, option in many.items():
        if name != "name":
            assert option == DOCUMENTED[name]


@pytest.mark.parametrize("name", sorted(BRIDGE_SPEC))
def test_documented_as_declared(name: str) -> None:
    documented = DOCUMENTED["bridges"]["suboptions"][name]
    assert documented["type"] == BRIDGE_SPEC[name]["type"]
    assert documented.get("choices") == BRIDGE_SPEC[name].get("choices")
    assert documented.get("elements") == BRIDGE_SPEC[name].get("elements")
    assert documented.get("required", False) == BRIDGE_SPEC[name].get("required", False)
    # The model has the defaults, or an option beside the list could not be noticed.
    assert "default" not in documented


@pytest.mark.parametrize(
    ("option", "written", "canonical"),
    [
        ("mac", "02-00-00-00-00-AA", "02:00:00:00:00:aa"),
        ("mac", " 02:00:00:00:00:Aa ", "02:00:00:00:00:aa"),
        ("addresses", ["192.0.2.1/255.255.255.0"], ["192.0.2.1/24"]),
        ("addresses", ["2001:0DB8:0:0::1/64", "2001:db8::1/64"], ["2001:db8::1/64"]),
        ("addresses", ["192.0.2.2/24", "192.0.2.1/24"], ["192.0.2.1/24", "192.0.2.2/24"]),
        ("ports", ["eth2", "eth1", "eth2"], ["eth1", "eth2"]),
        ("ports", [], []),
        ("addresses", [], []),
        ("forward_delay", 0, 0),
        ("forward_delay", 30, 30),
        ("hello_time", 1, 1),
        ("hello_time", 10, 10),
        ("max_age", 6, 6),
        ("max_age", 40, 40),
        ("priority", 0, 0),
        ("priority", 65535, 65535),
        ("ageing_time", 0, 0),
        ("ageing_time", 1_000_000, 1_000_000),
        ("mtu", 68, 68),
        ("mtu", 65535, 65535),
        ("stp", False, False),
    ],
)
def test_canonical(option: str, written: Any, canonical: Any) -> None:
    problems: list[str] = []
    declared = declared_bridge({"name": "br0", option: written}, problems)
    assert problems == []
    assert to_options(declared.bridge) == {"name": "br0", option: canonical}


@pytest.mark.parametrize(
    ("option", "written", "problem"),
    [
        ("forward_delay", 31, "31 is not between 0 and 30."),
        ("hello_time", 0, "0 is not between 1 and 10."),
        ("hello_time", 11, "11 is not between 1 and 10."),
        ("max_age", 5, "5 is not between 6 and 40."),
        ("max_age", 41, "41 is not between 6 and 40."),
        ("priority", -1, "-1 is not between 0 and 65535."),
        ("priority", 65536, "65536 is not between 0 and 65535."),
        ("ageing_time", 1_000_001, "1000001 is not between 0 and 1000000."),
        ("mtu", 0, "0 is not between 68 and 65535."),
        ("mtu", 65536, "65536 is not between 68 and 65535."),
        ("mac", "", "this cannot be empty, because a bridge always has one. Omit it to leave it alone."),
        ("mac", "ff:ff:ff:ff:ff:ff", "'ff:ff:ff:ff:ff:ff' is a multicast MAC address."),
        ("ports", ["a/b"], "'a/b' is not a name for a network device."),
        ("ports", ["0123456789abcdef"], "'0123456789abcdef' has 16 bytes"),
        ("addresses", ["192.0.2.1"], "'192.0.2.1' has no prefix."),
        ("addresses", ["192.0.2.1/33"], "'192.0.2.1/33' is not an address with a prefix"),
        ("name", "br 0", "'br 0' is not a name for a network device."),
    ],
)
def test_refused(option: str, written: Any, problem: str) -> None:
    problems: list[str] = []
    declared_bridge({"name": "br0", option: written}, problems)
    name = written if option == "name" else "br0"
    where = f"bridge {name!r}: {option}" + ("[0]" if isinstance(written, list) else "")
    assert [each[: len(where) + 2 + len(problem)] for each in problems] == [f"{where}: {problem}"]


def test_defaults() -> None:
    declared = declared_bridge({"name": "br0", "ports": ["eth2", "eth1"]}, [])
    assert (declared.state, declared.purge_ports, declared.force, declared.first_port) == (
        "present",
        True,
        False,
        "eth2",
    )
    assert declared_bridge({"name": "br0", "purge_ports": False}, []).purge_ports is False
    assert declared_bridge({"name": "br0"}, []).first_port is None
