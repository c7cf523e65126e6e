# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A VLAN sub-interface, each property declared once. The places are attributes of rtnetlink messages.

Source of the attributes: include/uapi/linux/if_link.h and if_addr.h in the kernel. What the kernel takes is in
net/8021q/vlan_netlink.c and vlan.c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import ETHER_TYPES, EtherType
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Scalar,
    Values,
    declare,
    from_options,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan_ids import (
    FIRST_VLAN,
    LAST_VLAN,
    VlanIds,
    vlan_ids,
)

PROTOCOLS = ETHER_TYPES
DEFAULT_PROTOCOL = "802.1q"

# What stands for the ID in a name.
_PLACEHOLDER = "{id}"


class VlanMac(kinds.Mac):
    def canonical(self, value: Any) -> str:
        mac = super().canonical(value)
        if not mac:
            raise ValueError("this cannot be empty, because a VLAN always has one. Omit it to leave it alone")
        return mac


@dataclass(frozen=True)
class VlanLink:
    """``bridge`` is empty where the task takes the sub-interface out of the one it is in."""

    name: Optional[str] = declare(Scalar(kinds.InterfaceName(), "IFLA_IFNAME"))
    parent: Optional[str] = declare(Scalar(kinds.InterfaceName(), "IFLA_LINK"))
    id: Optional[int] = declare(Scalar(kinds.Integer(FIRST_VLAN, LAST_VLAN), "IFLA_VLAN_ID"))
    protocol: Optional[str] = declare(Scalar(EtherType(), "IFLA_VLAN_PROTOCOL"))
    bridge: Optional[str] = declare(Scalar(kinds.InterfaceName(), "IFLA_MASTER"))
    mac: Optional[str] = declare(Scalar(VlanMac(), "IFLA_ADDRESS"))
    # 68 is the least IPv4 asks of a link (RFC 791), 65535 the most the kernel's VLAN takes.
    mtu: Optional[int] = declare(Scalar(kinds.Integer(68, 65535), "IFLA_MTU"))
    up: Optional[bool] = declare(Scalar(kinds.Boolean(), "IFF_UP"))
    # Of the addresses' own messages.
    addresses: Optional[tuple[str, ...]] = declare(Values(kinds.InterfaceAddress(), "IFA_LOCAL"))


@dataclass(frozen=True)
class DeclaredVlan:
    """A VLAN as one task declares it. ``is_named``: its name was given, and is not made of the parent and the ID."""

    vlan: VlanLink
    state: str = "present"
    force: bool = False
    is_named: bool = True

    @property
    def name(self) -> str:
        return self.vlan.name or ""


def declared_vlans(elements: Sequence[Mapping[str, Any]], problems: list[str]) -> list[DeclaredVlan]:
    """The VLANs that the elements stand for, canonical, in the user's order. What is refused goes into ``problems``."""
    declared = [
        each for number, element in enumerate(elements) for each in _vlans_of(_Element(element, number), problems)
    ]
    counts: dict[str, int] = {}
    for each in declared:
        counts[each.name] = counts.get(each.name, 0) + 1
    problems += [f"vlans: {name!r} is declared twice. Keep one." for name, count in counts.items() if count > 1]
    return declared


@dataclass(frozen=True)
class _Element:
    """What the user wrote for one VLAN, or for one each of several IDs. ``number`` is its place in the list."""

    options: Mapping[str, Any]
    number: int

    def given(self, option: str) -> bool:
        return self.options.get(option) not in (None, "")

    @property
    def where(self) -> str:
        if self.given("name"):
            return f"VLAN {str(self.options['name'])!r}: "
        if self.given("parent") and self.given("id"):
            return f"VLAN {self.default_name(self.options['id'])!r}: "
        return f"vlans[{self.number}]: "

    def default_name(self, number: int) -> str:
        return f"{self.options.get('parent')}.{number}"

    def spelled(self, option: str, number: int) -> Optional[str]:
        """The option's text for the VLAN of that ID."""
        text = self.options.get(option)
        return None if text is None else str(text).replace(_PLACEHOLDER, str(number))


def _vlans_of(element: _Element, problems: list[str]) -> list[DeclaredVlan]:
    reason = _incomplete(element)
    if reason:
        problems.append(f"{element.where}{reason}.")
        return []
    numbers: list[Optional[int]] = [element.options.get("id")]
    if element.options.get("ids") is not None:
        try:
            numbers = [*_ids(str(element.options["ids"]))]
        except ValueError as error:
            problems.append(f"{element.where}ids: {error}.")
            return []
        reason = _one_for_all(element, len(numbers))
        if reason:
            problems.append(f"{element.where}{reason}.")
            return []
    declared: list[DeclaredVlan] = []
    for number in numbers:
        found: list[str] = []
        declared.append(_declared(element, number, found))
        if found:
            # The other IDs' would be the same.
            problems += found
            return []
    return declared


def _declared(element: _Element, number: Optional[int], problems: list[str]) -> DeclaredVlan:
    options = dict(element.options)
    if number is not None:
        name = element.spelled("name", number) or element.default_name(number)
        options.update(id=number, name=name, bridge=element.spelled("bridge", number))
    return DeclaredVlan(
        vlan=from_options(VlanLink, options, f"VLAN {options['name']!r}: ", problems),
        state=options.get("state") or "present",
        force=bool(options.get("force")),
        is_named=element.given("name"),
    )


def _incomplete(element: _Element) -> Optional[str]:
    if element.given("id") and element.given("ids"):
        return "ids: it stands beside id. Keep one"
    has_id = element.given("id") or element.options.get("ids") is not None
    if element.options.get("state") == "absent":
        if element.given("name") and (has_id or _PLACEHOLDER not in str(element.options["name"])):
            return None
        if element.given("parent") and has_id:
            return None
        return "name: this is missing. Give it, or parent and id"
    if not element.given("parent"):
        return "parent: this is missing. Name the device that the VLAN is on"
    if not has_id:
        return "id: this is missing. Give the VLAN's ID"
    return None


def _one_for_all(element: _Element, count: int) -> Optional[str]:
    """What cannot be the same for each of several VLANs."""
    if count == 1:
        return None
    if element.given("name") and _PLACEHOLDER not in str(element.options["name"]):
        return f"name: it would be that of {count} VLANs. Put {_PLACEHOLDER} into it, such as vlan{_PLACEHOLDER}"
    if element.options.get("addresses"):
        return f"addresses: they would be those of {count} VLANs. Give each VLAN with addresses an element of its own"
    return None


def _ids(text: str) -> list[int]:
    """All IDs of a text such as ``59,89,100-199``. Raises ValueError with a sentence."""
    canonical = VlanIds().canonical(text)
    if not canonical:
        raise ValueError("this cannot be empty. Write the IDs as in 59,89,100-199")
    return sorted(vlan_ids(canonical))
