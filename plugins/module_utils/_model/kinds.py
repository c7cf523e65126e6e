# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Kinds of values: how an option is spelled canonically and what is refused.

Two spellings of one value (MAC case, netmask or prefix, a long IPv6 address) have one canonical form, so that comparing
is ``==``. ``canonical`` raises ``ValueError`` with a sentence for the user.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import Any, Optional, Union
from xml.dom import minidom
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

# The kernel's limit is IFNAMSIZ (include/uapi/linux/if.h), 16 with the final NUL; dev_valid_name() in net/core/dev.c
# also refuses '/', ':' and white space. A '%' is a name template to the kernel, a leading '-' an option to every tool.
_INTERFACE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z", re.ASCII)
INTERFACE_NAME_BYTES = 15

Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


class Kind:
    """A kind of value. ``option_type`` is the type in the argument specification."""

    option_type = "str"
    choices: Optional[tuple[str, ...]] = None

    def canonical(self, value: Any) -> Any:
        return value

    def is_unset(self, value: Any) -> bool:
        """Whether the user asks with this value for the property to be removed."""
        return bool(value == "")


class Text(Kind):
    def __init__(self, pattern: Optional[str] = None, hint: str = "") -> None:
        self._pattern = re.compile(pattern + r"\Z") if pattern else None
        self._hint = hint

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if text and any(ord(char) < 32 for char in text):
            raise ValueError(f"{text!r} holds a control character. Remove it")
        if text and self._pattern and not self._pattern.match(text):
            raise ValueError(f"{text!r} is not {self._hint}")
        return text


class Prose(Kind):
    """Text of any number of lines."""

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if any(ord(char) < 32 and char not in "\n\t" for char in text):
            raise ValueError("the text holds a control character. Remove it")
        return text


class Choice(Kind):
    """One of some words. With ``unset``, that word asks for the property to be removed."""

    def __init__(self, *choices: str, unset: Optional[str] = None) -> None:
        self.choices, self._unset = choices, unset

    def canonical(self, value: Any) -> str:
        if value not in (self.choices or ()):
            raise ValueError(f"{value!r} is not one of {', '.join(self.choices or ())}")
        return str(value)

    def is_unset(self, value: Any) -> bool:
        return self._unset is not None and bool(value == self._unset)


class Boolean(Kind):
    option_type = "bool"

    def canonical(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValueError(f"{value!r} is neither true nor false")

    def is_unset(self, value: Any) -> bool:
        return False


class Flag(Boolean):
    """Something that is there or not: to the backend, false is the same as nothing."""

    def is_unset(self, value: Any) -> bool:
        return value is False


class Integer(Kind):
    """A whole number. With ``zero_unsets``, 0 asks for the property to be removed."""

    option_type = "int"

    def __init__(self, minimum: int, maximum: int, *, zero_unsets: bool = False) -> None:
        self._minimum, self._maximum, self._zero_unsets = minimum, maximum, zero_unsets

    def canonical(self, value: Any) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if self.is_unset(number) or self._minimum <= number <= self._maximum:
            return number
        raise ValueError(f"{number} is not between {self._minimum} and {self._maximum}")

    def is_unset(self, value: Any) -> bool:
        return self._zero_unsets and value == 0


class Uuid(Kind):
    """A UUID, canonically in lower case with dashes. One that is not ``removable`` cannot be empty."""

    def __init__(self, *, removable: bool = True) -> None:
        self._removable = removable

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        try:
            return str(uuid.UUID(text)) if text or not self._removable else ""
        except ValueError:
            raise ValueError(f"{text!r} is not a UUID, such as 6a5b2f0e-2f0b-4c52-9d5d-0123456789ab") from None


class PciAddress(Kind):
    """The place of a device on the PCI bus as lspci shows it, ``0000:03:10.1``, canonically with the domain."""

    _pattern = re.compile(r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])\Z")

    def canonical(self, value: Any) -> str:
        text = str(value).strip().lower()
        match = self._pattern.match(text)
        if (match is None and isinstance(value, (int, float))) or re.fullmatch(r"[0-9.]+", text):
            # YAML 1.1 reads 0000:03:10.1 as a number to the base 60.
            raise ValueError(
                f"{text!r} is a number. Put the PCI address in quotes: YAML reads one of digits as a number"
            )
        if match is None:
            raise ValueError(f"{text!r} is not the address of a PCI device, such as 0000:03:10.1 (lspci -D shows it)")
        return f"{match[1] or '0000'}:{match[2]}:{match[3]}.{match[4]}"


class ForeignXml(Kind):
    """An element of another program's, in the namespace ``uri``. Canonical XML (C14N 2.0) without indentation.

    Blanks are indentation where an element holds nothing but elements. Elsewhere they are the other program's text.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if not text:
            return ""
        if "<!DOCTYPE" in text:
            raise ValueError("the element has a DOCTYPE. Remove it")
        try:
            root = ElementTree.fromstring(text)
            document = minidom.parseString(text.encode())
            _remove_indentation(document)
            canonical = str(ElementTree.canonicalize(document.toxml()))
        except (ElementTree.ParseError, ExpatError) as error:
            raise ValueError(f"this is not one well-formed XML element: {error}") from None
        if not self._uri or not root.tag.startswith(f"{{{self._uri}}}"):
            raise ValueError(f"the element <{root.tag}> is not in the namespace {self._uri!r}. Give it that xmlns")
        return canonical


def _remove_indentation(element: Any) -> None:
    texts = [node for node in element.childNodes if node.nodeType in (node.TEXT_NODE, node.CDATA_SECTION_NODE)]
    elements = [node for node in element.childNodes if node.nodeType == node.ELEMENT_NODE]
    if elements and not any(node.data.strip() for node in texts):
        for node in texts:
            element.removeChild(node)
    for each in elements:
        _remove_indentation(each)


class InterfaceName(Kind):
    """Name of a network device, 1 to 15 bytes."""

    def canonical(self, value: Any) -> str:
        name = str(value)
        if not name:
            return name
        size = len(name.encode())
        if size > INTERFACE_NAME_BYTES:
            raise ValueError(
                f"{name!r} has {size} bytes, and the kernel takes at most {INTERFACE_NAME_BYTES}. Choose a shorter name"
            )
        if not _INTERFACE_NAME.match(name):
            raise ValueError(
                f"{name!r} is not a name for a network device. Use letters, digits, '_', '.' and '-', "
                "and begin with a letter, a digit or '_'"
            )
        if name in ("all", "default"):
            # Folders of these names in /proc/sys/net/ipv4/conf are not about a device.
            raise ValueError(f"{name!r} is a name that the kernel keeps for its settings of devices. Choose another")
        return name


class Mac(Kind):
    """An Ethernet address, canonically in lower case with colons. Multicast addresses are refused."""

    _pattern = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")

    def canonical(self, value: Any) -> str:
        text = str(value).strip().lower().replace("-", ":")
        if not text:
            return text
        if text.isdigit():
            # YAML 1.1 reads 52:54:00:12:34:56 as a number to the base 60.
            raise ValueError(
                f"{value!r} is a number. Put the MAC address in quotes: YAML reads one of digits as a number"
            )
        if not self._pattern.match(text):
            raise ValueError(f"{value!r} is not a MAC address. Write six bytes, such as 52:54:00:12:34:56")
        if text == "00:00:00:00:00:00":
            raise ValueError(f"{value!r} is no device's MAC address. Use one such as 52:54:00:12:34:56")
        if int(text[:2], 16) & 1:
            raise ValueError(
                f"{value!r} is a multicast MAC address. Use one whose first byte is even, such as 52:54:00:..."
            )
        return text


class Address(Kind):
    """An IPv4 or IPv6 address without a prefix."""

    def canonical(self, value: Any) -> str:
        if value == "":
            return ""
        try:
            return str(ipaddress.ip_address(str(value).strip()))
        except ValueError:
            raise ValueError(f"{value!r} is not an IPv4 or IPv6 address") from None


class InterfaceAddress(Kind):
    """An address with its prefix, ``192.168.50.1/24``. A netmask after the slash is the same."""

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if "/" not in text:
            raise ValueError(f"{text!r} has no prefix. Write it with one, such as {text}/24")
        if "%" in text:
            raise ValueError(f"{text!r} names a device. Write the address alone")
        try:
            interface = ipaddress.ip_interface(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not an address with a prefix, such as 192.168.50.1/24 or 2001:db8::1/64"
            ) from None
        reason = _why_no_host_has(interface)
        if reason:
            raise ValueError(f"{text!r} {reason}. Write the address that the host shall have")
        return str(interface)


def _why_no_host_has(interface: Interface) -> Optional[str]:
    """Why the address is none that a device of a host could have on its network."""
    ip, network = interface.ip, interface.network
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified:
        return f"is {'a multicast' if ip.is_multicast else 'the loopback' if ip.is_loopback else 'no'} address"
    if interface.version == 4 and network.prefixlen < 31:
        if ip == network.network_address:
            return f"is the network {network} itself"
        if ip == network.broadcast_address:
            return f"is the broadcast address of {network}"
    return None


class NetworkAddress(Kind):
    """A network in CIDR form, ``10.1.0.0/16``: no bits may be set behind the prefix."""

    def canonical(self, value: Any) -> str:
        text = str(value).strip()
        if "/" not in text:
            raise ValueError(f"{text!r} has no prefix. Write it with one, such as 10.1.0.0/16")
        try:
            return str(ipaddress.ip_network(text))
        except ValueError:
            pass
        try:
            meant = ipaddress.ip_interface(text).network
        except ValueError:
            raise ValueError(f"{text!r} is not a network, such as 10.1.0.0/16 or 2001:db8::/48") from None
        raise ValueError(f"{text!r} is an address inside a network. Write {meant}")
