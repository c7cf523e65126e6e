# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Argument specifications from the declared properties, and the one-or-many form every module has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    ByNamespace,
    Items,
    Nested,
    Scalar,
    declarations,
)

URI = {"type": "str", "default": "qemu:///system"}


def record_spec(record: type) -> dict[str, Any]:
    """Argument specification of the declared properties of a record."""
    spec: dict[str, Any] = {}
    for name, declared in declarations(record):
        option: dict[str, Any] = {"required": True} if declared.required else {}
        if isinstance(declared, Nested):
            option.update(type="dict", options=record_spec(declared.record))
        elif isinstance(declared, ByNamespace):
            option["type"] = "dict"
        elif isinstance(declared, Items):
            option.update(type="list", elements="dict", options=record_spec(declared.record))
        elif isinstance(declared, Scalar):
            option["type"] = declared.kind.option_type
            if declared.kind.choices:
                option["choices"] = list(declared.kind.choices)
        else:
            option.update(type="list", elements=declared.kind.option_type)
        spec[name] = option
    return spec


def one_or_many(plural: str, spec: Mapping[str, Any], **common: Any) -> dict[str, Any]:
    """Arguments for AnsibleModule: the object's options at the top, or a list of such objects under ``plural``.

    ``common`` are options of the module, whatever its objects. The object's options have no defaults here: only so
    can one that is written beside the list be told from one that is not there.
    """
    top = {name: {key: value for key, value in option.items() if key != "required"} for name, option in spec.items()}
    return {
        "argument_spec": {**common, **top, plural: {"type": "list", "elements": "dict", "options": dict(spec)}},
        "mutually_exclusive": [(name, plural) for name in spec],
        "required_one_of": [("name", plural)],
        "supports_check_mode": True,
    }


def declared_objects(params: Mapping[str, Any], plural: str) -> list[Mapping[str, Any]]:
    """The objects the task declares, in the user's order. A name twice is refused."""
    objects = params[plural] if params.get(plural) is not None else [params]
    names = [str(each["name"]).strip() for each in objects]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise InvalidDeclaration([f"{plural}: {name!r} is declared twice. Keep one" for name in twice])
    return list(objects)
