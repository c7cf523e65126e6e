# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of libvirt's nftables rules are of networks that are gone. The rules are in the words of nft -j."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._nft.stale import stale_among

COUNTER = {"counter": {"packets": 7, "bytes": 42}}


def rule(chain: str, handle: int, *expressions: dict[str, Any]) -> dict[str, Any]:
    return {"family": "ip", "table": "libvirt_network", "chain": chain, "handle": handle, "expr": [*expressions]}


def interface(key: str, name: str | int) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": name}}


def address(field: str, subnet: str, op: str = "==") -> dict[str, Any]:
    addr, _slash, length = subnet.partition("/")
    left = {"payload": {"protocol": "ip", "field": field}}
    return {"match": {"op": op, "left": left, "right": {"prefix": {"addr": addr, "len": int(length)}}}}


def masquerade(handle: int, subnet: str) -> dict[str, Any]:
    return rule(
        "guest_nat", handle, address("saddr", subnet), address("daddr", subnet, "!="), COUNTER, {"masquerade": None}
    )


def handles(rules: list[dict[str, Any]], *subnets: str) -> list[int]:
    return [each["handle"] for each in stale_among(rules, set(subnets))]


def test_rules_of_a_device_that_is_gone() -> None:
    rules = [
        rule("forward", 1, {"jump": {"target": "guest_input"}}),
        rule("guest_input", 2, interface("oif", "virbr-lab"), COUNTER, {"reject": None}),
        rule("guest_input", 3, interface("oif", "15"), COUNTER, {"reject": None}),
        rule("guest_output", 4, address("saddr", "192.168.50.0/24"), interface("iif", 15), {"accept": None}),
        rule("guest_cross", 5, interface("iif", 15), interface("oif", 15), {"accept": None}),
    ]
    assert handles(rules, "192.168.50.0/24") == [3, 4, 5]


def test_translation_of_a_subnet_that_is_gone() -> None:
    rules = [masquerade(1, "192.168.50.0/24"), masquerade(2, "192.168.51.0/24")]
    assert handles(rules, "192.168.51.0/24") == [1]
    assert handles(rules, "192.168.50.0/24", "192.168.51.0/24") == []


def test_of_two_rules_alike_the_second_is_the_old_one() -> None:
    """libvirt inserts at the head. What the counters say does not tell rules apart."""
    second = masquerade(2, "192.168.50.0/24")
    second["expr"][2] = {"counter": {"packets": 0, "bytes": 0}}
    assert handles([masquerade(1, "192.168.50.0/24"), second], "192.168.50.0/24") == [2]


def test_rules_of_others_stay() -> None:
    rules = [
        rule("guest_nat", 1, interface("oif", 15), {"masquerade": None}),
        rule("of_mine", 2, interface("iif", 15), {"drop": None}),
        rule("guest_nat", 3, address("daddr", "10.0.0.0/8"), {"return": None}),
    ]
    assert handles(rules) == []
