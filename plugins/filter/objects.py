# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import VlanIds, vlan_ids

DOCUMENTATION = r"""
name: objects
short_description: The objects for a module that a shorter list stands for
version_added: 0.1.0
author:
  - The virtnet.hypervisor contributors (@virtnet)
description:
  - Makes a list that a module of this collection takes, such as C(bridges) of M(virtnet.hypervisor.virt_bridge), out
    of a list whose entries are about several modules, or about many VLANs.
  - An entry with C(ids) is repeated for each of these VLAN IDs. C({id\}) in its values stands for the ID.
positional: _input, as
options:
  _input:
    description: Dictionaries. C(ids) in them are VLAN IDs and ranges of these, such as V(59,89,100-199).
    type: list
    elements: dict
    required: true
  as:
    description:
      - What one dictionary of the result looks like.
      - A value that is C({key\}) stands for that value of the entry, whatever its type. It is left out where the entry
        has none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: A bridge for each of the VLANs
  virtnet.hypervisor.virt_bridge:
    bridges: "{{ trunks | virtnet.hypervisor.objects({'name': '{bridge}', 'mtu': '{mtu}'}) }}"
  vars:
    trunks:
      - ids: "59,100-102"
        bridge: br{id}
      - ids: "89"
        bridge: br-storage
        mtu: 9000
"""

RETURN = r"""
_value:
  description: One dictionary for each object, in the order of the entries and then of the IDs.
  type: list
  elements: dict
"""

_NAME = re.compile(r"{(\w+)}")
_MISSING = object()


def objects(entries: Sequence[Mapping[str, Any]], shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_filled(shape, values) for entry in entries for values in _each(entry)]


def _each(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "ids" not in entry:
        yield entry
        return
    try:
        ids = sorted(vlan_ids(VlanIds().canonical(entry["ids"])))
    except ValueError as error:
        raise AnsibleFilterError(f"ids: {error}.") from error
    if not ids:
        raise AnsibleFilterError("ids: no VLAN ID is given. Write them as in 59,89,100-199.")
    for number in ids:
        values = {
            key: value.replace("{id}", str(number)) if isinstance(value, str) else value for key, value in entry.items()
        }
        yield {**values, "id": number}


def _filled(shape: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: _value(wanted, values) for key, wanted in shape.items()}
    return {key: value for key, value in filled.items() if value is not _MISSING}


def _value(wanted: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(wanted, Mapping):
        return _filled(wanted, values)
    if isinstance(wanted, list):
        return [_value(each, values) for each in wanted]
    found = _NAME.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        return wanted
    value = values.get(found.group(1))
    return _MISSING if value is None else value


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"objects": objects}
