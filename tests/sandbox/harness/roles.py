# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of what a role declares, and of what the module behind it takes: without the words about it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import yaml

from .places import COLLECTIONS

_COLLECTION = COLLECTIONS / "ansible_collections/virtnet/hypervisor"


def specification(role: str) -> dict[str, Any]:
    text = (_COLLECTION / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")
    return _shape(yaml.safe_load(text)["argument_specs"]["main"]["options"])


def module_options(module: str, many: str) -> dict[str, Any]:
    """The options of one of many objects, such as those of `networks` in virt_net."""
    source = ast.parse((_COLLECTION / f"plugins/modules/{module}.py").read_text(encoding="utf-8"))
    (text,) = [
        str(node.value.value)
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == "DOCUMENTATION"
    ]
    return _shape(yaml.safe_load(text)["options"][many]["suboptions"])


def network_options(modes: Sequence[str], forward: Sequence[str]) -> dict[str, Any]:
    """The options of a libvirt network of these modes, which are not about VLANs and devices of the host."""
    options = module_options("virt_net", "networks")
    every = options["forward"]["options"]
    options["forward"]["options"] = {name: every[name] for name in forward}
    every["mode"]["choices"] = list(modes)
    for name in ("vlan", "virtualport"):
        del options[name], options["portgroups"]["options"][name]
    return options


def _shape(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **{key: option[key] for key in ("type", "elements", "choices", "required") if key in option},
            "options": _shape(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }
