# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of writing records into documents, with generated networks."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.network_xml import (
    parse_network,
    read_network,
    write_network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._libvirt.xml_record import serialize
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    DeclaredNetwork,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import from_options
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_checks import check_networks
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils import strategies

# Elements that are not declared, before, between and behind those that are.
FOREIGN = (
    "<network from='later'><!-- first --><name>lab</name><later release='99'><has>more</has></later>"
    "<o:wner xmlns:o='http://example.com/'>x</o:wner><!-- last --></network>"
)


def declared(options: strategies.Options) -> Network:
    return from_options(Network, {"name": "lab", **options}, "", [])


def is_accepted(network: Network) -> bool:
    """Whether the plan lets it pass: only then is it written."""
    seen = SeenHypervisor(version=11_003_000)
    return not check_networks([DeclaredNetwork(network, state="present")], {"lab": network}, seen)


networks = st.builds(
    lambda options: becomes(Network(forward=Forward(mode="isolated")), declared(options)), strategies.options
).filter(is_accepted)


@given(networks)
def test_what_is_written_is_what_is_read(network: Network) -> None:
    root = parse_network("<network/>", where="new")
    write_network(root, network)
    assert read_network(root) == network
    assert read_network(parse_network(serialize(root), where="again")) == network


@given(networks)
def test_writing_what_is_there_changes_nothing(network: Network) -> None:
    root = parse_network("<network/>", where="new")
    write_network(root, network)
    text = serialize(root)
    write_network(root, network)
    assert serialize(root) == text


@given(networks, strategies.options)
def test_a_change_in_place_gives_what_was_declared(network: Network, options: strategies.Options) -> None:
    root = parse_network("<network/>", where="new")
    write_network(root, network)
    after = becomes(read_network(root), declared(options))
    assume(is_accepted(after))
    write_network(root, after)
    assert read_network(root) == after


@given(networks, networks)
def test_what_is_not_declared_survives_every_change(first: Network, second: Network) -> None:
    root = parse_network(FOREIGN, where="foreign")
    write_network(root, first)
    write_network(root, second)
    write_network(root, Network(name="lab", forward=Forward(mode="isolated")))
    assert serialize(root) == serialize(parse_network(FOREIGN, where="foreign"))
