# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of virt_vlan: how they are spelled, and what they come from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import to_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import declared_vlans
from ansible_collections.virtnet.hypervisor.plugins.module_utils._vlan_task import ELEMENT_SPEC, VLAN_SPEC
from ansible_collections.virtnet.hypervisor.plugins.modules import virt_vlan

DOCUMENTED = yaml.safe_load(virt_vlan.DOCUMENTATION)["options"]


def test_one_and_many_have_the_same_options_but_for_ids() -> None:
    many = DOCUMENTED["vlans"]["suboptions"]
    assert set(many) - {"ids"} == set(DOCUMENTED) - {"vlans"} == set(VLAN_SPEC)
    for name, option in many.items():
        assert option == DOCUMENTED.get(name, option)


@pytest.mark.parametrize("name", sorted(ELEMENT_SPEC))
def test_documented_as_declared(name: str) -> None:
    documented = DOCUMENTED["vlans"]["suboptions"][name]
    for key in ("type", "choices", "elements"):
        assert documented.get(key) == ELEMENT_SPEC[name].get(key)
    # The model has the defaults, or an option beside the list could not be noticed.
    assert "default" not in documented
    assert "required" not in documented


@pytest.mark.parametrize(
    ("option", "written", "canonical"),
    [
        ("name", "vlan{id}", "vlan59"),
        ("bridge", "br{id}", "br59"),
        ("bridge", "", ""),
        ("mac", "02-00-00-00-00-AA", "02:00:00:00:00:aa"),
        ("addresses", ["2001:0DB8:0:0::1/64", "192.0.2.1/255.255.255.0"], ["192.0.2.1/24", "2001:db8::1/64"]),
        ("addresses", [], []),
        ("protocol", "802.1ad", "802.1ad"),
        ("mtu", 68, 68),
        ("up", False, False),
    ],
)
def test_canonical(option: str, written: Any, canonical: Any) -> None:
    problems: list[str] = []
    (declared,) = declared_vlans([{"parent": "eth1", "id": 59, option: written}], problems)
    assert problems == []
    expected = {"name": "eth1.59", "parent": "eth1", "id": 59, option: canonical}
    assert to_options(declared.vlan) == expected


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [("59", [59]), ("59,89,100-102", [59, 89, 100, 101, 102]), (" 3 , 1-2,2 ", [1, 2, 3]), ("1-4094", range(1, 4095))],
)
def test_ids_stand_for_one_vlan_each(ids: str, numbers: Any) -> None:
    problems: list[str] = []
    declared = declared_vlans([{"parent": "eth1", "ids": ids, "bridge": "br{id}"}], problems)
    assert problems == []
    assert [each.vlan.id for each in declared] == [*numbers]
    assert [each.name for each in declared] == [f"eth1.{number}" for number in numbers]
    assert [each.vlan.bridge for each in declared] == [f"br{number}" for number in numbers]


def test_defaults() -> None:
    (declared,) = declared_vlans([{"parent": "eth1", "id": 59}], [])
    assert (declared.state, declared.force, declared.is_named) == ("present", False, False)
    (declared,) = declared_vlans([{"name": "v", "state": "absent"}], [])
    assert (declared.state, declared.is_named, declared.vlan.parent) == ("absent", True, None)
