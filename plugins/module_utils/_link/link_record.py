# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Records as attributes of rtnetlink messages, by their declared places: one attribute, or several between blanks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import ETHER_TYPES, EtherType, Seconds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.kinds import Boolean, Kind
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import Scalar, declarations

R = TypeVar("R")

# What the kernel counts a second in, on every architecture that runs guests.
_USER_HZ = 100

# Attributes of the nested IFLA_INFO_DATA begin with the kind of the link.
_OF_KIND = "IFLA_BR_"


def read_record(record: type[R], message: Any, data: Any) -> R:
    """The scalar properties of a link, of its message and of the part that is particular to its kind."""
    values: dict[str, Any] = {}
    for name, kind, is_of_kind, places in _places(record):
        source = data if is_of_kind else message
        values[name] = _together([_read(kind, source, place) for place in places])
    return record(**values)


_PLACES: dict[type, tuple[tuple[str, Kind, bool, tuple[str, ...]], ...]] = {}


def _places(record: type) -> tuple[tuple[str, Kind, bool, tuple[str, ...]], ...]:
    """Of each scalar property its name and kind, and where it stands."""
    if record not in _PLACES:
        _PLACES[record] = tuple(
            (name, declared.kind, declared.place.startswith(_OF_KIND), tuple(declared.place.split()))
            for name, declared in declarations(record)
            if isinstance(declared, Scalar)
        )
    return _PLACES[record]


def _read(kind: Kind, source: Any, place: str) -> Any:
    value = source.get_attr(place)
    return None if value is None else _from_kernel(kind, value)


def _together(values: Sequence[Any]) -> Any:
    """The value that attributes with one option have in common, None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None


def attributes(record: Any) -> dict[str, Any]:
    """Arguments of pyroute2's ``link()`` for the scalar properties that the record has, without its name."""
    found: dict[str, Any] = {}
    for name, declared in declarations(type(record)):
        value = getattr(record, name)
        if isinstance(declared, Scalar) and value is not None and declared.place != "IFLA_IFNAME":
            found.update(dict.fromkeys(declared.place.split(), _to_kernel(declared.kind, value)))
    if any(place.startswith(_OF_KIND) for place in found):
        found["kind"] = "bridge"
    return found


def _from_kernel(kind: Kind, value: Any) -> Any:
    if isinstance(kind, Boolean):
        # 2 is the spanning tree protocol done by a program.
        return value != 0
    if isinstance(kind, Seconds):
        whole, rest = divmod(value, _USER_HZ)
        return value / _USER_HZ if rest else whole
    if isinstance(kind, EtherType):
        return next((name for name, number in ETHER_TYPES.items() if number == value), None)
    return value


def _to_kernel(kind: Kind, value: Any) -> Any:
    if isinstance(kind, Boolean):
        return int(value)
    if isinstance(kind, Seconds):
        return round(value * _USER_HZ)
    if isinstance(kind, EtherType):
        return ETHER_TYPES[value]
    return value
