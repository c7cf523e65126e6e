# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Records in XML: read from an element, and written into it in place.

Writing changes only what differs between two records, so elements and attributes that are not declared stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any, Optional, TypeVar

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.kinds import (
    ForeignXml,
    Integer,
    InterfaceAddress,
    NetworkAddress,
    PciAddress,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    ByNamespace,
    Items,
    Nested,
    Scalar,
    Values,
    declarations,
    normal,
)

try:
    from lxml import etree
except ImportError:
    etree = None  # type: ignore[assignment]  # _deps.require() reports it before anything here is called.

R = TypeVar("R")

# Prefixes in declared places.
_NAMESPACES = {"dnsmasq": "http://libvirt.org/schemas/network/dnsmasq/1.0"}

# What a document says of its encoding was true of a file; here it is text already.
_XML_DECLARATION = re.compile(r"\A<\?xml\s[^>]*\?>")


def parse(text: str, *, where: str) -> etree._Element:
    """Root of a document. Entities, DTDs and the network stay off, and a DOCTYPE is refused.

    lxml before 5.0 reads ``file:///`` entities by default (CVE-2014-0179 is the same mistake in libvirt itself).
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(_XML_DECLARATION.sub("", text.strip()).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise InvalidDeclaration([f"{where}: this is not well-formed XML: {error}"]) from error
    if root.getroottree().docinfo.doctype:
        raise InvalidDeclaration([f"{where}: the document has a DOCTYPE, which libvirt's format does not. Remove it"])
    return root


def serialize(element: etree._Element) -> str:
    return str(etree.tostring(element, encoding="unicode"))


def element_of(place: str, record: Any) -> etree._Element:
    """A new element named as the last part of ``place``, holding the record."""
    element = etree.Element(place.rpartition("/")[2])
    write(element, type(record)(), record)
    return element


def element_with(tag: str, **attributes: str) -> etree._Element:
    return etree.Element(tag, attributes)


def read(record: Callable[..., R], element: etree._Element) -> R:
    """The record that the element holds, canonical."""
    values: dict[str, Any] = {}
    for name, declared in declarations(record):  # type: ignore[arg-type]
        if isinstance(declared, Nested):
            child = _child(element, declared.place)
            values[name] = None if child is None else read(declared.record, child)
        elif isinstance(declared, Items):
            values[name] = declared.arranged(
                read(declared.record, child) for child in _children(element, declared.place)
            )
        elif isinstance(declared, Values):
            values[name] = tuple(_value(declared, holder) for holder in _holders(element, declared))
        elif isinstance(declared, ByNamespace):
            values[name] = {uri: _foreign_text(uri, child) for uri, child in _foreign(element, declared).items()}
        else:
            values[name] = _read_scalar(declared, element)
    return normal(record(**values))


def write(element: etree._Element, before: Any, after: Any) -> None:
    """Change the element, which holds ``before``, to hold ``after``."""
    order = [_first_tag(declared) for _name, declared in declarations(type(after))]
    for name, declared in declarations(type(after)):
        was, becomes = getattr(before, name), getattr(after, name)
        if was == becomes:
            continue
        if isinstance(declared, Nested):
            _write_nested(element, declared, was, becomes, order)
        elif isinstance(declared, Items):
            _write_items(element, declared, was or (), becomes or (), order)
        elif isinstance(declared, Values):
            _write_values(element, declared, becomes or (), order)
        elif isinstance(declared, ByNamespace):
            _write_foreign(element, declared, was or {}, becomes or {}, order)
        else:
            _write_scalar(element, declared, becomes, order)


# Places.


def _tag(place: str) -> str:
    return place.partition("/")[0]


def _first_tag(declared: Any) -> str:
    return getattr(declared, "within", "") or _tag(declared.place)


def _qualified(tag: str) -> str:
    """The tag as lxml names it, ``{uri}local`` where the place has a prefix."""
    prefix, colon, local = tag.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}" if colon else tag


def _new(tag: str) -> etree._Element:
    prefix, colon, _local = tag.partition(":")
    return etree.Element(_qualified(tag), nsmap={prefix: _NAMESPACES[prefix]} if colon else None)


def _child(element: etree._Element, tag: str) -> Optional[etree._Element]:
    return next(_children(element, tag), None)


def _children(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    return element.iterchildren(_qualified(tag))


def _add_child(element: etree._Element, tag: str, order: list[str]) -> etree._Element:
    """A new child where libvirt's schema wants it: behind its like, before what is declared later."""
    new = _new(tag)
    like = list(_children(element, tag))
    if like:
        like[-1].addnext(new)
        return new
    later = {_qualified(each) for each in order[order.index(tag) + 1 :]} if tag in order else set()
    following = next((child for child in element.iterchildren() if child.tag in later), None)
    if following is not None:
        following.addprevious(new)
    else:
        element.append(new)
    return new


def _move_last(element: etree._Element, child: etree._Element, tag: str) -> None:
    """Move a child behind its like."""
    last = list(_children(element, tag))[-1]
    if last is not child:
        last.addnext(child)


def _remove(element: etree._Element, child: etree._Element) -> None:
    """Remove a child but not the text behind it, which lxml would take along."""
    tail, before = child.tail, child.getprevious()
    element.remove(child)
    if tail and tail.strip():
        if before is not None:
            before.tail = (before.tail or "") + tail
        else:
            element.text = (element.text or "") + tail


def _prune(element: etree._Element, child: etree._Element) -> None:
    """Remove a child in which nothing is left."""
    if not child.attrib and not len(child) and not (child.text or "").strip():
        _remove(element, child)


# Scalars.


def _owner_and_attribute(place: str) -> tuple[Optional[str], Optional[str]]:
    """'@a' is (None, 'a'), 'child/@a' is ('child', 'a'), 'child' is ('child', None)."""
    tag, slash, attribute = place.partition("/")
    if slash:
        return tag, attribute[1:]
    return (None, tag[1:]) if tag.startswith("@") else (tag, None)


def _read_scalar(declared: Scalar, element: etree._Element) -> Any:
    tag, attribute = _owner_and_attribute(declared.place)
    owner = element if tag is None else _child(element, tag)
    if owner is None:
        return None
    if isinstance(declared.kind, (InterfaceAddress, NetworkAddress)):
        return read_address(owner)
    text = owner.get(attribute) if attribute else owner.text
    return None if text is None else _from_text(declared, text)


def _from_text(declared: Scalar, text: str) -> Any:
    if declared.words and text in declared.words:
        return text == declared.words[0]
    try:
        # libvirt writes some numbers with 0x, and others may have leading zeros.
        is_hex = text.strip().lower().startswith("0x")
        if isinstance(declared.kind, Integer):
            return int(text, 16 if is_hex else 10)
        return declared.kind.canonical(text)
    except ValueError:
        # Made by other hands in a form that is refused here: what stands there is what it is.
        return text


def _to_text(declared: Scalar, value: Any) -> str:
    if declared.words:
        return declared.words[0] if value else declared.words[1]
    return str(value)


def _write_scalar(element: etree._Element, declared: Scalar, value: Any, order: list[str]) -> None:
    tag, attribute = _owner_and_attribute(declared.place)
    owner = element if tag is None else _child(element, tag)
    if value is None:
        if owner is None:
            return
        if attribute:
            owner.attrib.pop(attribute, None)
        else:
            owner.text = None
        if tag is not None:
            _prune(element, owner)
        return
    if owner is None:
        owner = _add_child(element, tag or "", order)
    if isinstance(declared.kind, (InterfaceAddress, NetworkAddress)):
        _write_address(owner, value)
    elif attribute:
        owner.set(attribute, _to_text(declared, value))
    else:
        owner.text = _to_text(declared, value)


# An address is spread over the attributes address, family, and prefix or netmask.


def read_address(owner: etree._Element) -> Optional[str]:
    """The address of an ``<ip>`` or ``<route>`` with its prefix, canonical."""
    address = owner.get("address")
    if not address:
        return None
    width = owner.get("prefix") or owner.get("netmask")
    try:
        return str(ipaddress.ip_interface(f"{address}/{width or _implied_prefix(address)}"))
    except ValueError:
        return f"{address}/{width or ''}"


def _implied_prefix(address: str) -> int:
    """What libvirt assumes without prefix and netmask: virSocketAddrGetIPPrefix() in src/util/virsocketaddr.c."""
    ip = ipaddress.ip_address(address)
    if int(ip) == 0:
        return 0
    if ip.version == 6:
        return 64
    first = int(address.partition(".")[0])
    return 8 if first < 128 else 16 if first < 192 else 24


def _write_address(owner: etree._Element, value: str) -> None:
    interface = ipaddress.ip_interface(value)
    owner.set("address", str(interface.ip))
    if interface.version == 6:
        owner.set("family", "ipv6")
    elif owner.get("family") == "ipv6":
        owner.set("family", "ipv4")
    if owner.get("netmask") and interface.version == 4:
        owner.set("netmask", str(interface.netmask))
    else:
        owner.attrib.pop("netmask", None)
        owner.set("prefix", str(interface.network.prefixlen))


# Groups and lists.


def _write_nested(element: etree._Element, declared: Nested, was: Any, becomes: Any, order: list[str]) -> None:
    child = _child(element, declared.place)
    if becomes is None:
        if child is not None:
            write(child, was, normal(declared.record()))
            _prune(element, child)
        return
    if child is None:
        child = _add_child(element, declared.place, order)
    write(child, was if was is not None else declared.record(), becomes)


def _write_items(
    element: etree._Element, declared: Items, was: tuple[Any, ...], becomes: tuple[Any, ...], order: list[str]
) -> None:
    present: dict[Any, etree._Element] = {}
    for child in list(_children(element, declared.place)):
        key = declared.key(read(declared.record, child))
        if key in present:
            # Twice, by other hands. The last one is what ``was`` has for this key.
            _remove(element, present[key])
        present[key] = child
    old = {declared.key(item): item for item in was}
    wanted = {declared.key(item): item for item in becomes}
    for key, child in present.items():
        if key not in wanted:
            _remove(element, child)
    for key, item in wanted.items():
        if key not in present:
            present[key] = _add_child(element, declared.place, order)
        elif declared.ordered:
            _move_last(element, present[key], declared.place)
        write(present[key], old.get(key, declared.record()), item)


def _holders(element: etree._Element, declared: Values) -> list[etree._Element]:
    """The children that hold one value each."""
    wrapper = _child(element, declared.within) if declared.within else element
    holders = [] if wrapper is None else list(_children(wrapper, _tag(declared.place)))
    return [holder for holder in holders if _value(declared, holder) is not None]


def _value(declared: Values, holder: etree._Element) -> Any:
    if isinstance(declared.kind, PciAddress):
        return _read_pci(holder)
    attribute = _owner_and_attribute(declared.place)[1]
    text = holder.get(attribute) if attribute else holder.text
    return None if text is None else _from_text(Scalar(declared.kind, declared.place), text)


def _write_values(element: etree._Element, declared: Values, becomes: tuple[Any, ...], order: list[str]) -> None:
    tag, attribute = _owner_and_attribute(declared.place)
    present = {_value(declared, holder): holder for holder in _holders(element, declared)}
    wrapper: Optional[etree._Element] = element
    if declared.within:
        wrapper = _child(element, declared.within)
        if wrapper is None and becomes:
            wrapper = _add_child(element, declared.within, order)
    if wrapper is None:
        return
    for value, holder in present.items():
        if value not in becomes:
            _remove(wrapper, holder)
    for value in becomes:
        if value in present:
            if declared.ordered:
                _move_last(wrapper, present[value], tag or "")
            continue
        holder = _add_child(wrapper, tag or "", order)
        if isinstance(declared.kind, PciAddress):
            _write_pci(holder, value)
        elif attribute:
            holder.set(attribute, str(value))
        else:
            holder.text = str(value)
    if declared.within:
        _prune(element, wrapper)


# A PCI address is spread over the attributes domain, bus, slot and function.


def _read_pci(holder: etree._Element) -> Optional[str]:
    parts = [holder.get(name, "0") for name in ("domain", "bus", "slot", "function")]
    try:
        domain, bus, slot, function = (int(part, 0) for part in parts)
    except ValueError:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _write_pci(holder: etree._Element, value: str) -> None:
    domain, bus, rest = value.split(":")
    slot, function = rest.split(".")
    for name, part in (("type", None), ("domain", domain), ("bus", bus), ("slot", slot), ("function", function)):
        holder.set(name, "pci" if part is None else f"0x{part}")


# XML of other programs.


def _foreign(element: etree._Element, declared: ByNamespace) -> dict[str, etree._Element]:
    wrapper = _child(element, declared.place)
    children = [] if wrapper is None else list(wrapper.iterchildren(etree.Element))
    return {uri: child for child in children if (uri := etree.QName(child).namespace)}


def _foreign_text(uri: str, child: etree._Element) -> str:
    alone = etree.tostring(child, encoding="unicode", with_tail=False)
    return ForeignXml(uri).canonical(alone)


def _write_foreign(element: etree._Element, declared: ByNamespace, was: Any, becomes: Any, order: list[str]) -> None:
    wrapper = _child(element, declared.place)
    if wrapper is None:
        wrapper = _add_child(element, declared.place, order)
    present = _foreign(element, declared)
    for uri in [*was, *becomes]:
        if was.get(uri) == becomes.get(uri):
            continue
        if uri in present:
            _remove(wrapper, present.pop(uri))
        if uri in becomes:
            present[uri] = parse(becomes[uri], where=declared.place)
            wrapper.append(present[uri])
    _prune(element, wrapper)
