# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated networks at a real libvirt: what the plan lets pass is defined as declared, over whatever was there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from harness.places import COLLECTIONS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_virt_net_kit import (
    assert_valid,
    definition,
    documents,
    forget_networks,
    handed_over,
    ip,
    run,
    succeed,
    unchanged,
    virtual_functions,
)

if str(COLLECTIONS) not in sys.path:
    sys.path.insert(0, str(COLLECTIONS))
generated = importlib.import_module(
    "ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.strategies"
).options

# libvirt looks for these on the host.
DEVICES = ("eth0", "eth1", "eth2", "eth3")
FUNCTIONS = ("0000:03:10.1", "0000:03:10.3", "0001:af:1f.7")

many = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="module", autouse=True)
def _devices() -> Iterator[None]:
    for device in DEVICES:
        ip("link", "add", device, "type", "ifb")
    with virtual_functions(*FUNCTIONS):
        yield
    for device in DEVICES:
        ip("link", "delete", device)


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def declare(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a network that is defined and does not run."""
    return {"name": "lab", "state": "present", **options}


def accepted(options: dict[str, Any]) -> bool:
    """Run. False where the plan refuses; whatever else fails is a failure here too."""
    result = run(**declare(options))
    if result.get("failed"):
        assert result["msg"].startswith("Nothing was changed"), result["msg"]
        return False
    return True


@many
@given(generated, st.none() | generated)
def test_each_over_each(options: dict[str, Any], before: dict[str, Any] | None) -> None:
    forget_networks()
    with handed_over() as given_to_libvirt:
        if before is not None:
            assume(accepted(before))
        assume(accepted(options))
    for document in given_to_libvirt:
        assert_valid(document)
    unchanged(**declare(options))
    shown = definition()
    # What libvirt shows, taken as a document, is what is there.
    unchanged(**declare({"xml": shown}))
    assert definition() == shown
    # What is told of it makes the same network where there was none.
    (told,) = succeed(run("virt_net_info"))["declarations"]
    succeed(run(name="lab", state="absent"))
    assert documents() == {}
    succeed(run(**told))
    # Free lists may come in another order.
    assert sorted(definition().splitlines()) == sorted(shown.splitlines())
