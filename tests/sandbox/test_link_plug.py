# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tap gets when it is plugged in, beyond what a network of this kernel's can ask for (macTableManager)."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.places import COLLECTIONS
from test_virt_net_kit import ip, ports

if str(COLLECTIONS) not in sys.path:
    sys.path.insert(0, str(COLLECTIONS))
ENGINE = "ansible_collections.virtnet.hypervisor.plugins.module_utils"
MAC = "52:54:00:00:00:09"
STP = Path("/sys/class/net/br-plug/bridge/stp_state")


@pytest.fixture(autouse=True)
def _bridge_and_tap() -> Iterator[None]:
    ip("link", "add", "br-plug", "mtu", "1400", "up", "type", "bridge", "stp_state", "1")
    ip("tuntap", "add", "tap-plug", "mode", "tap")
    yield
    ip("link", "delete", "tap-plug")
    ip("link", "delete", "br-plug")


def plugged(*, static: bool = False, **nic: Any) -> dict[str, Any]:
    """The port as bridge shows it."""
    found = importlib.import_module(f"{ENGINE}._model.seen").GuestNic("guest", MAC, "lab", "tap-plug", **nic)
    importlib.import_module(f"{ENGINE}._link.plug").plug(found, "br-plug", own=True, static=static)
    return ports()["tap-plug"]


def forwarding_table() -> str:
    return subprocess.run(
        ["bridge", "fdb", "show", "dev", "tap-plug"], capture_output=True, text=True, check=True
    ).stdout


def test_a_port_of_a_bridge_that_learns() -> None:
    port = plugged()
    assert (port["master"], port["mtu"], port["learning"], port["flood"]) == ("br-plug", 1400, True, True)
    assert not port.get("isolated")
    assert MAC not in forwarding_table()
    assert STP.read_text() == "1\n", "the spanning tree is on again"


def test_a_port_of_a_bridge_whose_table_libvirt_keeps() -> None:
    port = plugged(static=True, isolated=True, mtu=1300)
    assert (port["mtu"], port["learning"], port["flood"], port["isolated"]) == (1300, False, False, True)
    assert f"{MAC} master br-plug static" in forwarding_table()
