# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nat takes the options of virt_net, and says so in an argument specification of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task import NETWORK_SPEC

SPECIFICATION = Path(__file__).resolve().parents[2] / "roles/nat/meta/argument_specs.yml"


def test_networks_have_the_options_of_virt_net() -> None:
    role = yaml.safe_load(SPECIFICATION.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    declared = _bare(role["nat_networks"]["options"])
    # A NAT network has the mode nat, no guests on devices, and no document in which it could have another mode.
    expected = {name: option for name, option in _bare(NETWORK_SPEC).items() if name != "xml"}
    forward = expected["forward"]["options"]
    forward["mode"] = {**forward["mode"], "choices": ["nat"]}
    del forward["interfaces"]
    assert declared == expected


def _bare(options: Mapping[str, Any]) -> dict[str, Any]:
    """The specification without its texts."""
    result = {}
    for name, option in options.items():
        result[name] = {key: value for key, value in option.items() if key != "description"}
        if "options" in option:
            result[name]["options"] = _bare(option["options"])
    return result
