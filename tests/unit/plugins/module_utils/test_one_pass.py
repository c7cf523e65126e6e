# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""However many networks a task declares: one pass over libvirt, and one dump of the host's devices.

Counted at libvirt's own binding, with its test driver behind it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _network_task, _run

URI = "test:///default"
MANY = 200
TASK = [
    {"name": f"lab{n}", "state": "present", "bridge": {"name": f"virbr-l{n}"}, "ips": [{"address": f"10.{n}.0.1/24"}]}
    for n in range(MANY)
]
# What asks the daemon: a call each.
CALLS = {
    "virConnect": (
        "listAllNetworks",
        "listNetworks",
        "listDefinedNetworks",
        "networkLookupByName",
        "networkLookupByUUIDString",
        "networkDefineXML",
        "listAllDomains",
    ),
    "virNetwork": ("XMLDesc", "isActive", "isPersistent", "autostart", "create", "destroy", "update", "setAutostart"),
    "virDomain": ("XMLDesc",),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts what is asked of libvirt and of the kernel."""
    counter: Counter[str] = Counter()

    def counted(name: str, wrapped: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            counter[name] += 1
            return wrapped(*args, **kwargs)

        return call

    for owner, names in CALLS.items():
        for name in names:
            kind = getattr(libvirt, owner)
            monkeypatch.setattr(kind, name, counted(f"{owner}.{name}", getattr(kind, name)))
    monkeypatch.setattr(_run, "host_lock", contextlib.nullcontext)
    # The driver has no devices. As if it were a hypervisor of this host, whose devices are all unknown.
    monkeypatch.setattr(_network_task, "is_this_host", lambda _uri: True)
    for name in ("read_links", "read_routes"):
        nothing: Any = {} if name == "read_links" else ()
        monkeypatch.setattr(_network_task, name, counted(name, lambda nothing=nothing: nothing))
    keeper = libvirt.open(URI)
    yield counter
    for network in keeper.listAllNetworks():
        if network.name() != "default":
            network.undefine()
    keeper.close()


def run() -> tuple[str, ...]:
    with _network_task.network_task(URI, TASK) as task:
        return tuple(step.words for step in _run.converge(task, check_mode=False).steps)


def test_the_second_run_is_one_pass(calls: Counter[str]) -> None:
    run()
    calls.clear()
    assert run() == ()
    networks = MANY + 1
    assert calls["virConnect.listAllNetworks"] == 1
    assert calls["virConnect.listAllDomains"] == 1
    assert calls["virConnect.networkLookupByName"] == 0
    assert calls["virNetwork.isActive"] == calls["virNetwork.isPersistent"] == networks
    # The driver refuses the flag for the definition, so that it is asked twice for each. A real one is asked once, and
    # for the running copy once more.
    assert calls["virNetwork.XMLDesc"] <= 2 * networks + 1
    assert calls["read_links"] <= 1
    assert sum(calls.values()) < 7 * networks


def test_the_first_run_is_a_pass_before_and_one_behind(calls: Counter[str]) -> None:
    assert len(run()) == MANY
    assert calls["virConnect.networkDefineXML"] == MANY
    assert calls["virConnect.networkLookupByName"] == MANY
    assert calls["virConnect.listAllNetworks"] == 2
    assert calls["virConnect.listAllDomains"] == 2
    assert calls["read_links"] <= 2
    assert calls["read_routes"] <= 2
