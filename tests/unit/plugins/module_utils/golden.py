# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The YAML of golden folders, as it is written by hand: texts of several lines as blocks, lists indented."""

from __future__ import annotations

import re
from typing import Any

import yaml

_MAC = re.compile("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$")


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A MAC address is quoted, whether YAML would take this one for a number or not.
    style = "|" if text.endswith("\n") else '"' if _MAC.match(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    return "---\n" + yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=70, allow_unicode=True)
