# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specification that the declared properties give, and the one-or-many form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import declarations
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import (
    URI,
    declared_objects,
    one_or_many,
    record_spec,
)

SPEC = {
    "name": {"type": "str", "required": True},
    "size": {"type": "int"},
    "parts": {"type": "list", "elements": "dict", "options": {"key": {"type": "str", "required": True}}},
}


def objects(options: dict[str, Any]) -> list[Any]:
    """What the module gets from these options. Raises ValueError with what Ansible says."""
    arguments = one_or_many("things", SPEC, uri=URI)
    assert arguments.pop("supports_check_mode") is True
    validated = ArgumentSpecValidator(**arguments).validate(options)
    if validated.error_messages:
        raise ValueError(" ".join(validated.error_messages))
    return declared_objects(validated.validated_parameters, "things")


def test_one() -> None:
    (only,) = objects({"name": "a", "size": "3"})
    assert (only["name"], only["size"], only["parts"]) == ("a", 3, None)


def test_many_in_the_users_order() -> None:
    found = objects({"things": [{"name": "b"}, {"name": "a", "size": 1}]})
    assert [(each["name"], each["size"]) for each in found] == [("b", None), ("a", 1)]


def test_none_of_many() -> None:
    assert objects({"things": []}) == []


def test_what_belongs_to_the_task_goes_with_both_forms() -> None:
    assert objects({"uri": "test:///default", "name": "a"})
    assert objects({"uri": "test:///default", "things": [{"name": "a"}]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: name, things"),
        ({"size": 1}, "one of the following is required: name, things"),
        ({"name": "a", "things": []}, "mutually exclusive: name|things"),
        ({"size": 1, "things": [{"name": "a"}]}, "mutually exclusive: size|things"),
        ({"things": [{"size": 1}]}, "missing required arguments: name found in things"),
        ({"name": "a", "parts": [{}]}, "missing required arguments: key found in parts"),
        ({"things": [{"name": "a", "uri": "test:///default"}]}, "uri"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        objects(options)


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(InvalidDeclaration) as refused:
        objects({"things": [{"name": "a"}, {"name": "b"}, {"name": "a"}]})
    assert refused.value.problems == ["things: 'a' is declared twice. Keep one"]


def test_no_option_has_a_default() -> None:
    """Ansible would fill it in, and an option that is written beside the list could not be told from it."""

    def defaults(spec: dict[str, Any], path: str) -> list[str]:
        own = [f"{path}{name}" for name, option in spec.items() if "default" in option]
        inner = [defaults(option["options"], f"{path}{name}.") for name, option in spec.items() if "options" in option]
        return own + [each for found in inner for each in found]

    assert defaults(record_spec(Network), "") == []


def test_every_declared_property_is_an_option() -> None:
    spec = record_spec(Network)
    assert list(spec) == [name for name, _declared in declarations(Network)]
    assert spec["name"] == {"required": True, "type": "str"}
    assert spec["mtu"] == {"type": "int"}
    assert spec["bridge"]["options"]["stp"] == {"type": "bool"}
    assert spec["forward"]["options"]["interfaces"] == {"type": "list", "elements": "str"}
    assert spec["ips"]["elements"] == "dict"
    assert spec["ips"]["options"]["dhcp"]["options"]["ranges"]["options"]["lease"]["options"]["unit"] == {
        "type": "str",
        "choices": ["seconds", "minutes", "hours"],
    }
