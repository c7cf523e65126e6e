# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of networks, before and after, in xml_network/: a case is a folder and needs no code.

in.xml is the document there is (without it, a new one is made), declared.yml the options, out.xml the document that
is to be defined. Both are compared in libvirt's own indentation, but with the order of elements, comments and all that
is not declared. What libvirt's schema says of out.xml is asked of libvirt's own tool. With --accept, pytest writes
out.xml itself, to be read before it is kept.

Together the documents hold every element and attribute that the schema has, also those that are no option.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from lxml import etree

from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.network_xml import (
    parse_network,
    read_network,
    write_network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.xml_record import serialize
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Forward, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    ByNamespace,
    Items,
    Nested,
    Scalar,
    Values,
    declarations,
    from_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes

CASES = sorted(Path(__file__).with_name("xml_network").iterdir())
SCHEMAS = Path("/usr/share/libvirt/schemas")
RNG = "{http://relaxng.org/ns/structure/1.0}"

# libvirt knows the network by them.
NEVER_CHANGES = ("name", "uuid")

# What schemas older than the option refuse: the element, its attribute, and the first version that has it.
NEWER_THAN_SOME_SCHEMAS = [
    ("title", None),  # 9.7
    ("description", None),  # 9.7
    ("domain", "register"),  # 10.1
    ("forward/driver", "model"),  # 10.0
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_document(case: Path, accept: bool) -> None:
    root, before = document(case)
    after = becomes(before, declared(case))
    write_network(root, after)
    if accept:
        (case / "out.xml").write_text(pretty(serialize(root)))
    expected = (case / "out.xml").read_text()
    assert pretty(serialize(root)) == pretty(expected), "\nFound in whole:\n" + pretty(serialize(root))
    assert read_network(root) == after, "what was written is not what is read"
    write_network(root, after)
    assert pretty(serialize(root)) == pretty(expected), "writing it again changes the document"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_schema_of_libvirt_accepts_it(case: Path, tmp_path: Path) -> None:
    root = etree.fromstring((case / "out.xml").read_text())
    forget_what_the_schema_does_not_know(root)
    (tmp_path / "network.xml").write_bytes(etree.tostring(root))
    command = ["virt-xml-validate", str(tmp_path / "network.xml"), "network"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_every_declared_property_is_set_changed_and_removed() -> None:
    done = {step for case in CASES for step in changes(document(case)[1], out(case), Network)}
    missing = sorted(set(wanted(Network)) - done)
    assert not missing, "no pair in xml_network/ does this: " + ", ".join(missing)


def test_the_documents_hold_all_of_the_schema() -> None:
    held = {
        place for case in CASES for file in case.glob("*.xml") for place in places(etree.fromstring(file.read_text()))
    }
    missing = sorted(schema_places() - held)
    assert not missing, "no document in xml_network/ has this: " + ", ".join(missing)


def test_the_schema_is_read_as_far_as_it_goes() -> None:
    found = schema_places()
    assert {"network/@ipv6", "network/name", "network/metadata", "network/options/option/@value"} <= found
    assert "network/portgroup/virtualport/parameters/@managerid" in found
    assert "network/ip/dhcp/host/lease/@unit" in found


# The schema of libvirt.


@functools.cache
def schema_places() -> frozenset[str]:
    """Elements and attributes below <network> in the schema of this machine, as "network/ip/@address"."""
    root = etree.parse(SCHEMAS / "network.rng").getroot()
    files = [root, *(etree.parse(SCHEMAS / each.get("href", "")).getroot() for each in root.iter(f"{RNG}include"))]
    defined: dict[str, list[etree._Element]] = {}
    for file in files:
        for define in file.iter(f"{RNG}define"):
            defined.setdefault(define.get("name", ""), []).append(define)
    return frozenset(allowed_places(defined["network"], "", defined))


def allowed_places(
    nodes: Iterable[etree._Element], path: str, defined: Mapping[str, list[etree._Element]]
) -> Iterator[str]:
    """What the schema's ``nodes`` allow below ``path``. An element of any name (metadata has them) is no place."""
    for node in nodes:
        name = node.get("name", "")
        if node.tag == f"{RNG}ref":
            yield from allowed_places(defined[name], path, defined)
        elif node.tag == f"{RNG}attribute" and name:
            yield f"{path}@{name}"
        elif node.tag == f"{RNG}element" and name:
            yield path + name
            yield from allowed_places(node, f"{path}{name}/", defined)
        elif node.tag not in (f"{RNG}attribute", f"{RNG}element"):
            yield from allowed_places(node.iterchildren(etree.Element), path, defined)


def places(element: etree._Element, path: str = "") -> Iterator[str]:
    """What a document has, in the same words."""
    name = etree.QName(element).localname
    yield path + name
    yield from (f"{path}{name}/@{attribute}" for attribute in element.attrib)
    for child in element.iterchildren(etree.Element):
        yield from places(child, f"{path}{name}/")


def forget_what_the_schema_does_not_know(root: etree._Element) -> None:
    for tag, attribute in NEWER_THAN_SOME_SCHEMAS:
        if f"network/{tag}" + (f"/@{attribute}" if attribute else "") in schema_places():
            continue
        for element in root.findall(tag):
            if attribute:
                element.attrib.pop(attribute, None)
            if not attribute or not element.attrib:
                element.getparent().remove(element)


# Documents.


def pretty(text: str) -> str:
    root = etree.fromstring(text, etree.XMLParser(remove_blank_text=True))
    for element in root.iter(etree.Element):
        if not len(element) and not (element.text or "").strip():
            element.text = None
    return str(etree.tostring(root, encoding="unicode", pretty_print=True))


def document(case: Path) -> tuple[etree._Element, Network]:
    """The document of the case and the network in it. A new one is isolated until it says something else."""
    if not (case / "in.xml").exists():
        return parse_network("<network/>", where=case.name), Network(forward=Forward(mode="isolated"))
    root = parse_network((case / "in.xml").read_text(), where=case.name)
    return root, read_network(root)


def out(case: Path) -> Network:
    return read_network(parse_network((case / "out.xml").read_text(), where=case.name))


def declared(case: Path) -> Network:
    problems: list[str] = []
    network = from_options(Network, yaml.safe_load((case / "declared.yml").read_text()), "", problems)
    assert problems == []
    return network


# What was done to which property, as "set ips.dhcp.ranges.start".


def changes(before: Optional[Any], after: Optional[Any], record: type, path: str = "") -> Iterator[str]:
    """What a pair does to the properties below ``path``."""
    for name, how in declarations(record):
        was, becomes_ = (None if owner is None else getattr(owner, name) for owner in (before, after))
        if isinstance(how, Nested):
            yield from changes(was, becomes_, how.record, f"{path}{name}.")
        elif isinstance(how, Items):
            old, new = ({how.key(item): item for item in items or ()} for items in (was, becomes_))
            for key in {**old, **new}:
                yield from changes(old.get(key), new.get(key), how.record, f"{path}{name}.")
        elif isinstance(how, Values):
            yield from (f"set {path}{name}" for _each in set(becomes_ or ()) - set(was or ()))
            yield from (f"removed {path}{name}" for _each in set(was or ()) - set(becomes_ or ()))
        elif isinstance(how, ByNamespace):
            for uri in {**(was or {}), **(becomes_ or {})}:
                yield f"{change((was or {}).get(uri), (becomes_ or {}).get(uri))} {path}{name}"
        else:
            yield f"{change(was, becomes_)} {path}{name}"


def change(was: Any, becomes_: Any) -> str:
    if was == becomes_:
        return "kept"
    return "set" if was is None else "removed" if becomes_ is None else "changed"


def wanted(record: type, path: str = "", items: Optional[Items] = None) -> Iterator[str]:
    """What the pairs have to do: all that can be done to a property."""
    for name, how in declarations(record):
        if isinstance(how, (Nested, Items)):
            yield from wanted(how.record, f"{path}{name}.", how if isinstance(how, Items) else None)
            continue
        if path + name != "forward.mode":  # There is always one.
            yield f"set {path}{name}"
        if isinstance(how, (Values, ByNamespace)) or items is not None:
            yield f"removed {path}{name}"
        if isinstance(how, ByNamespace):
            yield f"changed {path}{name}"
        if isinstance(how, Scalar) and not is_key(name, record, items) and path + name not in NEVER_CHANGES:
            if not isinstance(how.kind, kinds.Flag):
                yield f"changed {path}{name}"
            if any(how.kind.is_unset(value) for value in ("", 0, False, "none")):
                yield f"removed {path}{name}"


def is_key(name: str, record: type, items: Optional[Items]) -> bool:
    """Whether an item with another value there is another item, so that the value cannot change."""
    return items is not None and items.key(record(**{name: "1"})) != items.key(record())
