# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Canonical forms of values, and the sentences with which values are refused."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds

URI = "http://example.com/owner"

CANONICAL: list[tuple[kinds.Kind, Any, Any]] = [
    (kinds.Text(), "  a title ", "a title"),
    (kinds.Text(), 7, "7"),
    (kinds.Text(r"/.*", "an absolute path"), "", ""),
    (kinds.Choice("nat", "route"), "nat", "nat"),
    (kinds.Integer(0, 30), "30", 30),
    (kinds.Integer(68, 65535, zero_unsets=True), 0, 0),
    (kinds.InterfaceName(), "br-lab.100", "br-lab.100"),
    (kinds.InterfaceName(), "a" * 15, "a" * 15),
    (kinds.InterfaceName(), "", ""),
    (kinds.Mac(), "52:54:00:AB:CD:EF", "52:54:00:ab:cd:ef"),
    (kinds.Mac(), " 52-54-00-ab-cd-ef", "52:54:00:ab:cd:ef"),
    (kinds.Mac(), "", ""),
    (kinds.Address(), "FD00:0:0::0001", "fd00::1"),
    (kinds.Address(), " 10.0.0.1 ", "10.0.0.1"),
    (kinds.InterfaceAddress(), "192.168.50.1/255.255.255.0", "192.168.50.1/24"),
    (kinds.InterfaceAddress(), "FD00::1/64", "fd00::1/64"),
    (kinds.NetworkAddress(), "10.1.0.0/255.255.0.0", "10.1.0.0/16"),
    (kinds.NetworkAddress(), "::/0", "::/0"),
    (kinds.Choice("none", "vfio", unset="none"), "none", "none"),
    (kinds.Flag(), False, False),
    (kinds.Uuid(), "6A5B2F0E2F0B4C529D5D0123456789AB", "6a5b2f0e-2f0b-4c52-9d5d-0123456789ab"),
    (kinds.Uuid(), " 6a5b2f0e-2f0b-4c52-9d5d-0123456789ab ", "6a5b2f0e-2f0b-4c52-9d5d-0123456789ab"),
    (kinds.Uuid(), "", ""),
    (kinds.PciAddress(), "0000:03:10.1", "0000:03:10.1"),
    (kinds.PciAddress(), " 03:1F.7", "0000:03:1f.7"),
    (kinds.PciAddress(), "AF01:00:00.0", "af01:00:00.0"),
    (kinds.Prose(), "  One line.\n\n\tAnother.\n", "One line.\n\n\tAnother."),
    (kinds.Prose(), "\n", ""),
    (kinds.ForeignXml(URI), "", ""),
    (kinds.ForeignXml(URI), f"<a xmlns='{URI}'/>", f'<a xmlns="{URI}"></a>'),
    (
        kinds.ForeignXml(URI),
        f"<o:a  y='2' x=\"1\" xmlns:o='{URI}'>\n  <!-- gone -->\n  <o:b/>\n</o:a>\n",
        f'<o:a xmlns:o="{URI}" x="1" y="2"><o:b></o:b></o:a>',
    ),
]


@pytest.mark.parametrize(("kind", "given_", "canonical"), CANONICAL)
def test_canonical(kind: kinds.Kind, given_: Any, canonical: Any) -> None:
    assert kind.canonical(given_) == canonical
    assert kind.canonical(canonical) == canonical, "the canonical form is not canonical"


REFUSED: list[tuple[kinds.Kind, Any, str]] = [
    (kinds.Text(), "two\nlines", "'two\\nlines' holds a control character. Remove it"),
    (kinds.Text(r"\S+", "a host name"), "a b", "'a b' is not a host name"),
    (kinds.Choice("nat", "route"), "NAT", "'NAT' is not one of nat, route"),
    (kinds.Integer(0, 30), 31, "31 is not between 0 and 30"),
    (kinds.Integer(0, 30), -1, "-1 is not between 0 and 30"),
    (kinds.Integer(0, 30), "many", "'many' is not a whole number"),
    (kinds.InterfaceName(), "a" * 16, "has 16 bytes, and the kernel takes at most 15. Choose a shorter name"),
    (kinds.InterfaceName(), "brücke-im-labor", "has 16 bytes"),
    (kinds.InterfaceName(), "br/0", "'br/0' is not a name for a network device"),
    (kinds.InterfaceName(), "-br0", "begin with a letter, a digit or '_'"),
    (kinds.InterfaceName(), "br%d", "is not a name for a network device"),
    (kinds.InterfaceName(), "br0\n", "is not a name for a network device"),
    (kinds.InterfaceName(), ".", "is not a name for a network device"),
    (kinds.Mac(), "52:54:00:ab:cd", "is not a MAC address. Write six bytes"),
    (kinds.Mac(), "52:54:00:ab:cd:eg", "is not a MAC address"),
    (kinds.Mac(), "01:00:5e:00:00:01", "is a multicast MAC address"),
    (kinds.Mac(), 190840414, "Put the MAC address in quotes"),
    (kinds.Address(), "10.0.0.1/24", "is not an IPv4 or IPv6 address"),
    (kinds.Address(), "10.0.0.256", "is not an IPv4 or IPv6 address"),
    (kinds.InterfaceAddress(), "10.0.0.1", "'10.0.0.1' has no prefix. Write it with one, such as 10.0.0.1/24"),
    (kinds.InterfaceAddress(), "10.0.0.1/33", "is not an address with a prefix"),
    (kinds.NetworkAddress(), "10.1.0.0", "'10.1.0.0' has no prefix"),
    (kinds.NetworkAddress(), "10.1.2.3/16", "'10.1.2.3/16' is an address inside a network. Write 10.1.0.0/16"),
    (kinds.NetworkAddress(), "ten/8", "'ten/8' is not a network"),
    (kinds.Flag(), "yes", "'yes' is neither true nor false"),
    (kinds.Choice("none", "vfio", unset="none"), "uio", "'uio' is not one of none, vfio"),
    (kinds.Choice("none", "vfio", unset="none"), "", "'' is not one of none, vfio"),
    (kinds.Uuid(), "lab", "'lab' is not a UUID, such as 6a5b2f0e-2f0b-4c52-9d5d-0123456789ab"),
    (kinds.Uuid(), "6a5b2f0e-2f0b-4c52-9d5d-0123456789a", "is not a UUID"),
    (kinds.PciAddress(), "", "'' is not the address of a PCI device, such as 0000:03:10.1 (lspci -D shows it)"),
    (kinds.PciAddress(), "0000:03:20.1", "is not the address of a PCI device"),
    (kinds.PciAddress(), "0000:03:10.8", "is not the address of a PCI device"),
    (kinds.PciAddress(), "00000:03:10.1", "is not the address of a PCI device"),
    (kinds.PciAddress(), "0000:03:10.1\n0", "is not the address of a PCI device"),
    (kinds.Prose(), "a \x07 bell", "the text holds a control character. Remove it"),
    (kinds.ForeignXml(URI), "<a/>", f"the element <a> is not in the namespace '{URI}'. Give it that xmlns"),
    (kinds.ForeignXml(URI), "<a xmlns='http://example.com/owners'/>", "is not in the namespace"),
    (kinds.ForeignXml(""), "<a/>", "is not in the namespace ''"),
    (kinds.ForeignXml(URI), f"<a xmlns='{URI}'/><b/>", "this is not one well-formed XML element: junk after"),
    (kinds.ForeignXml(URI), "owner: Ada", "this is not one well-formed XML element"),
    (kinds.ForeignXml(URI), f"<!DOCTYPE a><a xmlns='{URI}'/>", "the element has a DOCTYPE. Remove it"),
]


@pytest.mark.parametrize(("kind", "given_", "sentence"), REFUSED)
def test_refused(kind: kinds.Kind, given_: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        kind.canonical(given_)


@pytest.mark.parametrize(
    ("kind", "value", "unset"),
    [
        (kinds.Text(), "", True),
        (kinds.Text(), "a", False),
        (kinds.Address(), "", True),
        (kinds.Choice("", "a"), "", False),
        (kinds.Boolean(), False, False),
        (kinds.Integer(0, 30), 0, False),
        (kinds.Integer(68, 90, zero_unsets=True), 0, True),
        (kinds.Integer(68, 90, zero_unsets=True), 68, False),
        (kinds.Flag(), False, True),
        (kinds.Flag(), True, False),
        (kinds.Choice("none", "vfio", unset="none"), "none", True),
        (kinds.Choice("none", "vfio", unset="none"), "vfio", False),
        (kinds.Choice("none", "vfio"), "none", False),
        (kinds.Prose(), "", True),
        (kinds.ForeignXml(URI), "", True),
    ],
)
def test_which_values_remove_a_property(kind: kinds.Kind, value: Any, unset: bool) -> None:
    assert kind.is_unset(value) is unset


def forms(kind: kinds.Kind, spellings: set[str]) -> set[str]:
    """The canonical forms of the spellings, and "refused" where one is refused."""
    found = set()
    for each in spellings:
        try:
            found.add(str(kind.canonical(each)))
        except ValueError:
            found.add("refused")
    return found


@given(st.ip_addresses(), st.data())
def test_all_spellings_of_an_address_have_one_canonical_form(address: Any, data: st.DataObject) -> None:
    prefix = data.draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    widths = [str(prefix), str(network.netmask)] if address.version == 4 else [str(prefix)]
    spellings = {f"{host}/{width}" for host in (str(address), address.exploded.upper()) for width in widths}
    assert forms(kinds.InterfaceAddress(), spellings) in ({f"{address}/{prefix}"}, {"refused"})
    assert kinds.NetworkAddress().canonical(f"{network.network_address}/{prefix}") == str(network)


@given(st.binary(min_size=6, max_size=6))
def test_all_spellings_of_a_mac_have_one_canonical_form(raw: bytes) -> None:
    text = raw.hex(":")
    dashes = text.replace(":", "-")
    assert forms(kinds.Mac(), {text, text.upper(), dashes, dashes.upper()}) in ({text}, {"refused"})


@given(st.uuids())
def test_all_spellings_of_a_uuid_have_one_canonical_form(value: uuid.UUID) -> None:
    text = str(value)
    assert forms(kinds.Uuid(), {text, text.upper(), value.hex, value.hex.upper()}) == {text}


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0x1F), st.integers(0, 7))
def test_all_spellings_of_a_pci_address_have_one_canonical_form(domain: int, bus: int, slot: int, part: int) -> None:
    text = f"{domain:04x}:{bus:02x}:{slot:02x}.{part}"
    spellings = {text, text.upper(), *([text[5:]] if domain == 0 else [])}
    assert forms(kinds.PciAddress(), spellings) == {text}
