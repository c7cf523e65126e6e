# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options as YAML text for the diff.

Ansible shows a dict in a diff as JSON, users write YAML, and PyYAML need not be there for the Python that runs
modules. Only dicts, lists and scalars from the options occur: block style with JSON scalars, which are YAML, will do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Plain scalars that no YAML 1.1 reader takes for a number, a boolean, a date, an anchor or a mapping.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+()-]+)*\Z", re.ASCII)
_ADDRESS = re.compile(r"[0-9a-f]*[a-f.:][0-9a-f.:]*(/[0-9]+)?\Z")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SEXAGESIMAL_OR_NUMBER = re.compile(
    r"[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z|[0-9_]*\.?[0-9_]*(e[0-9.]*)?\Z|0b[01]*\Z"
)
# What JSON has as it is and YAML only escaped: control characters, line ends of YAML 1.1, what is no character.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def to_yaml(value: Mapping[str, Any]) -> str:
    """Block style YAML with a final newline; empty text for an empty mapping."""
    return "".join(line + "\n" for line in _lines(value)) if value else ""


def _lines(value: Any) -> list[str]:
    lines: list[str] = []
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if _is_block(inner):
                indent = "" if isinstance(inner, list) else "  "
                lines.append(f"{name}:")
                lines.extend(indent + line for line in _lines(inner))
            else:
                lines.append(f"{name}: {_scalar(inner)}")
        return lines
    for inner in value:
        block = _lines(inner) if _is_block(inner) else [_scalar(inner)]
        lines.append("- " + block[0])
        lines.extend("  " + line for line in block[1:])
    return lines


def _is_block(value: Any) -> bool:
    return isinstance(value, (Mapping, Sequence)) and not isinstance(value, str) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.match(value) and value.lower() not in _RESERVED
        address = _ADDRESS.match(value) and not _SEXAGESIMAL_OR_NUMBER.match(value) and not value.endswith(":")
        if plain or (address and value[0] != ":"):
            return value
    return _ESCAPED.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False))
