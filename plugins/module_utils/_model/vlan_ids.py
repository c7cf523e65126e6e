# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sets of VLAN ids, spelled as ranges: ``1,59,100-199``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds

# IEEE 802.1Q: 0 is no VLAN, and 4095 is reserved. The kernel agrees, br_vlan_valid_id() in net/bridge/br_private.h.
FIRST_VLAN, LAST_VLAN = 1, 4094


class VlanIds(kinds.Kind):
    """VLAN ids and ranges of them, canonically in order and joined. Empty for none."""

    def canonical(self, value: Any) -> str:
        ids: set[int] = set()
        for part in str(value).split(","):
            if part.strip():
                first, last = _range(part.strip())
                ids.update(range(first, last + 1))
        return spelled_ids(ids)

    def is_unset(self, value: Any) -> bool:
        return False


def _range(text: str) -> tuple[int, int]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
        raise ValueError(f"{text!r} is neither a VLAN id nor a range of them. Write them as in 59,89,100-199")
    begin, end = int(first), int(last or first)
    for each in (begin, end):
        if not FIRST_VLAN <= each <= LAST_VLAN:
            raise ValueError(f"{each} is no VLAN id. These are {FIRST_VLAN} to {LAST_VLAN}")
    if begin > end:
        raise ValueError(f"{text!r} ends before it begins. Write {end}-{begin}")
    return begin, end


def vlan_ids(text: str) -> set[int]:
    """The ids of a canonical text."""
    return {number for first, last in id_ranges(text) for number in range(first, last + 1)}


def id_ranges(text: str) -> Iterator[tuple[int, int]]:
    """First and last id of each range of a canonical text."""
    for part in filter(None, text.split(",")):
        first, _dash, last = part.partition("-")
        yield int(first), int(last or first)


def spelled_ids(ids: Iterable[int]) -> str:
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in joined(ids))


def joined(ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of ids that follow each other."""
    first = last = 0
    for number in sorted(ids):
        if first and number == last + 1:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last
