# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of the declared properties, with the properties of a network as the example."""

from __future__ import annotations

import random
from dataclasses import make_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt import xml_record
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model import kinds
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import Domain, Network
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import (
    Dhcp,
    DhcpHost,
    Dns,
    DnsForwarder,
    Ip,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import (
    Values,
    declare,
    declared_part,
    from_options,
    newer_than,
    normal,
    overlay,
    to_options,
)
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils import strategies


def record(options: strategies.Options) -> Network:
    problems: list[str] = []
    found = from_options(Network, {"name": "lab", **options}, "", problems)
    assert problems == []
    return found


records = st.builds(record, strategies.options)


@given(records, records)
def test_declaring_again_changes_nothing(a: Network, b: Network) -> None:
    assert overlay(overlay(a, b), b) == overlay(a, b)


@given(records)
def test_nothing_declared_changes_nothing(a: Network) -> None:
    assert overlay(normal(a), Network()) == normal(a)


@given(records)
def test_over_nothing_comes_what_is_declared(a: Network) -> None:
    assert overlay(Network(), a) == normal(a)


@given(records)
def test_a_network_declared_as_it_is_changes_nothing(a: Network) -> None:
    assert overlay(normal(a), normal(a)) == normal(a)


@given(records)
def test_normal_is_normal(a: Network) -> None:
    assert normal(normal(a)) == normal(a)


@given(records, records)
def test_the_declared_part_holds_what_is_declared(a: Network, b: Network) -> None:
    after = overlay(a, b)
    assert overlay(declared_part(after, b), b) == overlay(Network(), declared_part(after, b))
    assert declared_part(declared_part(after, b), b) == declared_part(after, b)


@given(records, records)
def test_a_change_is_in_the_declared_part(a: Network, b: Network) -> None:
    before, after = normal(a), overlay(normal(a), b)
    assert (before == after) == (declared_part(before, b) == declared_part(after, b))


@given(records)
def test_the_options_of_a_record_give_the_record(a: Network) -> None:
    assert record(to_options(normal(a))) == normal(a)


@given(strategies.options, st.randoms(use_true_random=False))
def test_the_order_of_options_means_nothing(options: strategies.Options, shuffler: random.Random) -> None:
    """Except where it counts: servers are asked in turn, the first name is found, and dnsmasq reads line by line."""
    assert record(shuffled(options, shuffler)) == record(options)


def shuffled(value: Any, shuffler: random.Random, name: str = "") -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        shuffler.shuffle(items)
        return {key: shuffled(inner, shuffler, key) for key, inner in items}
    if isinstance(value, list):
        inner_values = [shuffled(inner, shuffler) for inner in value]
        if name not in ("forwarders", "names", "dnsmasq_options"):
            shuffler.shuffle(inner_values)
        return inner_values
    return value


def test_an_undeclared_value_of_a_listed_item_stays() -> None:
    current = Network(
        ips=(Ip("10.0.0.1/24", dhcp=Dhcp(hosts=(DhcpHost("52:54:00:00:00:01", name="a", ip="10.0.0.2"),))),)
    )
    desired = Network(ips=(Ip("10.0.0.1/24", dhcp=Dhcp(hosts=(DhcpHost("52:54:00:00:00:01", ip="10.0.0.3"),))),))
    after = overlay(current, desired)
    assert to_options(after)["ips"][0]["dhcp"]["hosts"] == [{"mac": "52:54:00:00:00:01", "name": "a", "ip": "10.0.0.3"}]


def test_an_item_that_is_not_listed_goes() -> None:
    current = Network(ips=(Ip("10.0.0.1/24"), Ip("10.0.1.1/24")))
    assert overlay(current, Network(ips=(Ip("10.0.1.1/24"),))).ips == (normal(Ip("10.0.1.1/24")),)
    assert overlay(current, Network(ips=())).ips == ()


def test_the_order_of_forwarders_is_kept() -> None:
    servers = (DnsForwarder("9.9.9.9"), DnsForwarder("1.1.1.1"))
    after = overlay(Network(dns=Dns(forwarders=servers[::-1])), Network(dns=Dns(forwarders=servers)))
    assert after.dns is not None
    assert after.dns.forwarders == servers


def test_a_group_in_which_nothing_is_left_goes() -> None:
    assert overlay(Network(domain=Domain(name="lab.example")), Network(domain=Domain(name=""))).domain is None


def test_options_newer_than_the_backend_are_found_where_they_are() -> None:
    assert list(newer_than(Network(title="The lab"), 9_006_000)) == [("title", 9_007_000)]
    assert list(newer_than(Network(title="The lab"), 9_007_000)) == []
    assert list(newer_than(Network(), 8_000_000)) == []


OWNER, COST = "http://example.com/owner", "http://example.com/cost"
ADA, GRACE = (f'<owner xmlns="{OWNER}">{name}</owner>' for name in ("Ada", "Grace"))
CENTRE = f'<cost xmlns="{COST}" centre="17"></cost>'


@pytest.mark.parametrize(
    ("before", "declared", "after"),
    [
        (None, {OWNER: ADA}, {OWNER: ADA}),
        ({COST: CENTRE}, {OWNER: ADA}, {COST: CENTRE, OWNER: ADA}),
        ({COST: CENTRE, OWNER: ADA}, {OWNER: GRACE}, {COST: CENTRE, OWNER: GRACE}),
        ({COST: CENTRE, OWNER: ADA}, {OWNER: ""}, {COST: CENTRE}),
        ({OWNER: ADA}, {OWNER: ""}, None),
        ({OWNER: ADA}, {COST: ""}, {OWNER: ADA}),
        ({OWNER: ADA}, {}, {OWNER: ADA}),
    ],
)
def test_each_namespace_is_declared_on_its_own(before: Any, declared: Any, after: Any) -> None:
    found = overlay(normal(Network(metadata=before)), Network(metadata=declared))
    assert found.metadata == after


def test_only_declared_namespaces_are_of_the_declared_part() -> None:
    network = Network(metadata={COST: CENTRE, OWNER: ADA})
    assert declared_part(network, Network(metadata={OWNER: ""})).metadata == {OWNER: ADA}
    assert declared_part(network, Network(metadata={"http://example.com/other": ""})).metadata is None
    assert declared_part(network, Network()).metadata is None


def test_the_elements_of_namespaces_are_canonical() -> None:
    indented = f"<?xml version='1.0'?>\n<owner xmlns='{OWNER}'>\n  <of>see the <b>wiki</b> first</of>\n</owner>\n"
    found = record({"metadata": {OWNER: indented, COST: ""}})
    canonical = f'<owner xmlns="{OWNER}"><of>see the <b>wiki</b> first</of></owner>'
    assert found.metadata == {OWNER: canonical, COST: ""}
    assert to_options(normal(found))["metadata"] == {OWNER: canonical}


def test_an_element_of_another_namespace_is_refused_by_its_key() -> None:
    problems: list[str] = []
    from_options(Network, {"name": "lab", "metadata": {OWNER: CENTRE}}, "", problems)
    assert problems == [
        f"metadata[{OWNER}]: the element <{{{COST}}}cost> is not in the namespace '{OWNER}'. Give it that xmlns."
    ]


def test_values_within_an_element_are_a_list_as_any_other() -> None:
    current = record({"dnsmasq_options": ["no-hosts", "log-dhcp"]})
    assert overlay(current, Network()).dnsmasq_options == ("no-hosts", "log-dhcp")
    assert overlay(current, record({"dnsmasq_options": ["log-dhcp", "no-hosts"]})) != current
    assert overlay(current, record({"dnsmasq_options": []})).dnsmasq_options == ()
    assert record({"dnsmasq_options": ["b", "a", "b"]}).dnsmasq_options == ("b", "a")


@pytest.mark.parametrize(
    ("within", "place", "document"),
    [
        ("", "entry", "<record><entry>b</entry><entry>a</entry></record>"),
        ("list", "entry", "<record><list><entry>b</entry><entry>a</entry></list></record>"),
        ("list", "entry/@value", '<record><list><entry value="b"/><entry value="a"/></list></record>'),
    ],
)
def test_where_values_stand(within: str, place: str, document: str) -> None:
    cls = make_dataclass(
        "Record", [("values", tuple, declare(Values(kinds.Text(), place, ordered=True, within=within)))], frozen=True
    )
    element = xml_record.parse("<record/>", where="new")
    xml_record.write(element, cls(values=()), cls(values=("b", "a")))
    assert xml_record.serialize(element) == document
    assert xml_record.read(cls, element) == cls(values=("b", "a"))
    xml_record.write(element, cls(values=("b", "a")), cls(values=()))
    assert xml_record.serialize(element) == "<record/>"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": ""}, "name: this cannot be empty. Give a value."),
        ({}, "name: this is missing. Give a value."),
        (
            {"name": "a", "routes": [{"address": "10.0.0.0/8", "gateway": ""}]},
            "routes[0].gateway: this cannot be empty",
        ),
        ({"name": "a", "routes": [{"address": "10.0.0.0/8"}]}, "routes[0].gateway: this is missing. Give a value."),
        (
            {"name": "a", "dns": {"hosts": [{"ip": "10.0.0.1", "names": []}]}},
            "dns.hosts[0].names: this cannot be empty",
        ),
        ({"name": "a", "mtu": 1}, "mtu: 1 is not between 68 and 65535."),
        ({"name": "a", "ips": [{"address": "10.0.0.1/8"}, {"address": "10.0.0.1/9"}]}, "ips[1]: the address 10.0.0.1"),
    ],
)
def test_problems_name_the_option(options: dict[str, Any], problem: str) -> None:
    problems: list[str] = []
    from_options(Network, options, "", problems)
    assert len(problems) == 1
    assert problems[0].startswith(problem)
