# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Declared properties: each option of an object is declared once, with its kind and its place at the backend.

From the declaration come the argument specification (``_params``), the canonical form, the comparison, the diff (here)
and the reading and writing of the backend's own format. Nothing here knows what the place means: for a libvirt
object it is a path in the XML, for a link the netlink attribute.

A record is a frozen dataclass of declared properties. In a *desired* record ``None`` means "not declared: leave alone".
In a record that was *read*, ``None`` means "not there".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional, TypeVar, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.kinds import Kind

_KEY = "virtnet"


@dataclass(frozen=True)
class Scalar:
    """One value at ``place``.

    ``words`` are what the backend writes for true and false, ``since`` is the first version of it that knows the
    property, as libvirt counts (9.7.0 is 9007000), where that is above the oldest version supported.
    """

    kind: Kind
    place: str
    words: Optional[tuple[str, str]] = None
    required: bool = False
    since: int = 0


@dataclass(frozen=True)
class Values:
    """A list of plain values, each there once. ``ordered`` where the order means something to the backend.

    ``within`` is the element that wraps the list, where it has one of its own.
    """

    kind: Kind
    place: str
    ordered: bool = False
    required: bool = False
    within: str = ""

    def arranged(self, values: Iterable[Any]) -> tuple[Any, ...]:
        once = tuple(dict.fromkeys(values))
        return once if self.ordered else tuple(sorted(once))


@dataclass(frozen=True)
class Nested:
    """A group of properties at ``place``."""

    record: type
    place: str
    required: bool = False


@dataclass(frozen=True)
class Items:
    """A list of records, told apart by ``key``. ``noun`` names an item in messages.

    ``ordered`` where the order means something to the backend; elsewhere records have one canonical order.
    """

    record: type
    place: str
    key: Callable[[Any], Any]
    noun: str
    ordered: bool = False
    required: bool = False

    def arranged(self, items: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(items) if self.ordered else tuple(sorted(items, key=lambda item: str(self.key(item))))


@dataclass(frozen=True)
class ByNamespace:
    """XML of other programs inside ``place``, one element by the URI of its namespace.

    Each belongs to whoever writes it: the ones that are not declared stay, and an empty text removes one.
    """

    place: str
    required: bool = False


Declaration = Union[Scalar, Values, Nested, Items, ByNamespace]
R = TypeVar("R")


_omitted = functools.partial(dataclasses.field, default=None)


def declare(declaration: Declaration) -> Any:
    """Field of a record. Always defaults to ``None``."""
    return _omitted(metadata={_KEY: declaration})


_DECLARATIONS: dict[type, tuple[tuple[str, Declaration], ...]] = {}


def declarations(record: type) -> tuple[tuple[str, Declaration], ...]:
    """The declared properties of a record's class, by their names."""
    if record not in _DECLARATIONS:
        fields = dataclasses.fields(record)
        _DECLARATIONS[record] = tuple((each.name, each.metadata[_KEY]) for each in fields if _KEY in each.metadata)
    return _DECLARATIONS[record]


def from_options(
    record: Callable[..., R], options: Mapping[str, Any], where: str, problems: list[str], *, is_group: bool = False
) -> R:
    """Canonical record from the user's options. What is refused is added to ``problems``, ``where`` in front.

    A required value cannot be empty, except in a group (``is_group``), which is so removed as a whole.
    """
    values: dict[str, Any] = {}
    for name, declared in declarations(record):  # type: ignore[arg-type]
        given = options.get(name)
        if given is not None:
            values[name] = _canonical(declared, given, f"{where}{name}", problems, may_be_empty=is_group)
        elif declared.required:
            problems.append(f"{where}{name}: this is missing. Give a value.")
    return record(**values)


def _canonical(declared: Declaration, given: Any, where: str, problems: list[str], *, may_be_empty: bool) -> Any:
    if isinstance(declared, Nested):
        return from_options(declared.record, given, f"{where}.", problems, is_group=True)
    if isinstance(declared, Items):
        items = [from_options(declared.record, item, f"{where}[{i}].", problems) for i, item in enumerate(given)]
        seen: dict[Any, int] = {}
        for i, item in enumerate(items):
            key = declared.key(item)
            if key in seen:
                problems.append(
                    f"{where}[{i}]: {declared.noun} {_spell(key)} stands already at number {seen[key]}. Keep one."
                )
            seen.setdefault(key, i)
        return declared.arranged(items)
    if isinstance(declared, ByNamespace):
        return {
            uri: _canonical_value(kinds.ForeignXml(uri), text, f"{where}[{uri}]", problems, required=False)
            for uri, text in given.items()
        }
    if isinstance(declared, Values):
        values = [
            _canonical_value(declared.kind, value, f"{where}[{i}]", problems, required=True)
            for i, value in enumerate(given)
        ]
        if declared.required and not values:
            problems.append(f"{where}: this cannot be empty. Give a value.")
        return declared.arranged(values)
    return _canonical_value(declared.kind, given, where, problems, required=declared.required and not may_be_empty)


def _canonical_value(kind: Kind, given: Any, where: str, problems: list[str], *, required: bool) -> Any:
    try:
        value = kind.canonical(given)
        if required and value == "":
            raise ValueError("this cannot be empty. Give a value")
        return value
    except ValueError as error:
        problems.append(f"{where}: {error}.")
        return given


def _spell(key: Any) -> str:
    return " to ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)


def normal(record: R) -> R:
    """The record as it is when nothing is left to say: removed values and empty groups are ``None``, lists never."""
    values: dict[str, Any] = {}
    for name, declared in declarations(type(record)):
        value = getattr(record, name)
        if isinstance(declared, Items):
            values[name] = declared.arranged(normal(item) for item in value or ())
        elif isinstance(declared, Values):
            values[name] = declared.arranged(value or ())
        elif isinstance(declared, ByNamespace):
            values[name] = {uri: text for uri, text in (value or {}).items() if text} or None
        elif isinstance(declared, Nested):
            inner = normal(value) if value is not None else None
            values[name] = None if inner is None or inner == normal(declared.record()) else inner
        else:
            values[name] = None if value is None or declared.kind.is_unset(value) else value
    return _with(record, values)


def _with(record: R, values: Mapping[str, Any]) -> R:
    """The record with these values; itself where it has them, because most have, and a new one costs more."""
    changed = {name: value for name, value in values.items() if value != getattr(record, name)}
    return dataclasses.replace(record, **changed) if changed else record  # type: ignore[type-var]


def overlay(current: R, desired: R) -> R:
    """What ``current`` becomes when ``desired`` holds: what is not declared stays, a declared list is exact."""
    values: dict[str, Any] = {}
    for name, declared in declarations(type(desired)):
        was, wanted = getattr(current, name), getattr(desired, name)
        if wanted is None:
            values[name] = was
        elif isinstance(declared, Nested):
            values[name] = overlay(was if was is not None else declared.record(), wanted)
        elif isinstance(declared, Items):
            by_key = {declared.key(item): item for item in was or ()}
            values[name] = tuple(overlay(by_key.get(declared.key(item), declared.record()), item) for item in wanted)
        elif isinstance(declared, ByNamespace):
            values[name] = {**(was or {}), **wanted}
        else:
            values[name] = wanted
    return normal(_with(current, values))


def declared_part(record: R, desired: R) -> R:
    """``record`` without what ``desired`` does not declare. Items of a declared list that match none stay whole."""
    values: dict[str, Any] = {}
    for name, declared in declarations(type(desired)):
        has, wanted = getattr(record, name), getattr(desired, name)
        if wanted is None or has is None:
            values[name] = None
        elif isinstance(declared, Nested):
            values[name] = declared_part(has, wanted)
        elif isinstance(declared, Items):
            by_key = {declared.key(item): item for item in wanted}
            values[name] = tuple(
                declared_part(item, by_key[declared.key(item)]) if declared.key(item) in by_key else item
                for item in has
            )
        elif isinstance(declared, ByNamespace):
            values[name] = {uri: text for uri, text in has.items() if uri in wanted} or None
        else:
            values[name] = has
    return dataclasses.replace(record, **values)  # type: ignore[type-var]


def newer_than(record: Any, version: int, where: str = "") -> Iterator[tuple[str, int]]:
    """Options with a value that the backend of this version does not know, and the version that does."""
    for name, declared in declarations(type(record)):
        value = getattr(record, name)
        if value is None:
            continue
        if isinstance(declared, Nested):
            yield from newer_than(value, version, f"{where}{name}.")
        elif isinstance(declared, Items):
            for item in value:
                yield from newer_than(item, version, f"{where}{name}[{_spell(declared.key(item))}].")
        elif isinstance(declared, Scalar) and declared.since > version:
            yield f"{where}{name}", declared.since


def spell_version(version: int) -> str:
    """libvirt's number of a version, as people write it: 9000000 is 9.0.0."""
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"


def to_options(record: Any) -> dict[str, Any]:
    """The record in the names of the options, without what is not there."""
    options: dict[str, Any] = {}
    for name, declared in declarations(type(record)):
        value = getattr(record, name)
        if value is None:
            continue
        if isinstance(declared, Nested):
            value = to_options(value)
            if not value:
                continue
        elif isinstance(declared, Items):
            value = [to_options(item) for item in value]
        elif isinstance(declared, Values):
            value = list(value)
        elif isinstance(declared, ByNamespace):
            value = dict(value)
        options[name] = value
    return options
