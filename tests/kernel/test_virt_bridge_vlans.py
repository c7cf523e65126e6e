# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VLANs on bridges against a kernel that has them. The oracles are bridge, ip and packets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import host_state, module, settled_state
from test_virt_bridge import (
    DAD_SETTINGS,
    addresses,
    batch,
    bridge,
    examples,
    host,
    ip,
    link,
    lost,
    ports,
    reaches,
    settings,
    start_ping,
    steps_of,
    task,
    warnings_of,
)

ACCESS = {"pvid": 59, "untagged": "59", "vids": "59"}


@pytest.fixture(autouse=True)
def _no_search_for_duplicates() -> Iterator[None]:
    for path in map(Path, DAD_SETTINGS):
        path.write_text("0\n")
    yield
    for name in ip("netns", "list").split():
        if name.startswith("host-"):
            ip("netns", "delete", name)


def vlans(name: str) -> dict[int, set[str]]:
    """The VLANs of a port with their flags."""
    command = ["bridge", "-j", "vlan", "show", "dev", name]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {
        number: {flag for flag in entry.get("flags", ()) if flag}
        for device in found
        for entry in device["vlans"]
        for number in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)
    }


def tagged_host(name: str, port: str, *numbers: int) -> None:
    """A machine that talks in VLANs: 10.N.0.9 in each."""
    host(name, port)
    for number in numbers:
        ip("-n", f"host-{name}", "link", "add", "link", "eth0", f"v{number}", "type", "vlan", "id", str(number))
        ip("-n", f"host-{name}", "addr", "add", f"10.{number}.0.9/24", "dev", f"v{number}")
        ip("-n", f"host-{name}", "link", "set", f"v{number}", "up")


BOTH = {"PVID", "Egress Untagged"}


def test_vlans_are_exact() -> None:
    host("a", "port-a")
    host("b", "port-b")
    batch("tuntap add vnet0 mode tap\n")
    trunk = {"name": "port-a", "vids": "59,89, 100-199,101-300", "pvid": 0}
    steps = steps_of(
        ports=["port-a", "port-b"],
        vlan_filtering=True,
        default_pvid=7,
        port_options=[trunk, {"name": "br0", **ACCESS}],
    )
    assert steps == [
        "create bridge br0",
        "set VLANs of bridge br0 itself: 59, pvid 59, untagged 59",
        "add port port-a to bridge br0",
        "set VLANs of port port-a of bridge br0: 59,89,100-300",
        "add port port-b to bridge br0",
    ]
    assert vlans("port-a") == {number: set() for number in [59, 89, *range(100, 301)]}
    assert (vlans("port-b"), vlans("br0")) == ({7: BOTH}, {59: BOTH})
    assert (settings("br0")["vlan_filtering"], settings("br0")["vlan_default_pvid"]) == (1, 7)

    # A guest's port, what an element omits, and what is not named.
    batch("link set vnet0 master br0\n")
    assert vlans("vnet0") == {7: BOTH}
    result = bridge(port_options=[{"name": "vnet0", "vids": "7,59"}, {"name": "port-a", "isolated": True}])
    assert result["steps"] == [
        "isolate port port-a of bridge br0",
        "set VLANs of port vnet0 of bridge br0: 7,59, pvid 7, untagged 7",
    ]
    assert vlans("vnet0") == {7: BOTH, 59: set()}
    assert "pvid: 7" in result["diff"][0]["after"]
    assert len(vlans("port-a")) == 203
    assert steps_of(port_options=[{"name": "vnet0", "pvid": 59, "untagged": "59,7"}]) != []
    assert vlans("vnet0") == {7: {"Egress Untagged"}, 59: BOTH}
    steps_of(port_options=[{"name": "vnet0", "pvid": 0, "untagged": ""}])
    assert vlans("vnet0") == {7: set(), 59: set()}
    steps_of(port_options=[{"name": "vnet0", "vids": "", "pvid": 0}, {"name": "br0", "vids": ""}])
    assert (vlans("vnet0"), vlans("br0")) == ({}, {})
    # All there are, every other one untagged: no range spans two.
    odd = ",".join(map(str, range(1, 4095, 2)))
    steps_of(port_options=[{"name": "port-b", "vids": "1-4094", "untagged": odd, "pvid": 4094}])
    found = vlans("port-b")
    assert (len(found), found[1], found[2], found[4094]) == (4094, {"Egress Untagged"}, set(), {"PVID"})


def test_default_and_protocol() -> None:
    host("a", "port-a")
    host("b", "port-b")
    batch("link add br0 type bridge\nlink set br0 up\nlink set port-a master br0\nlink set port-b master br0\n")
    assert vlans("port-a") == {1: BOTH}
    steps = steps_of(default_pvid=0, vlan_filtering=True, port_options=[{"name": "port-a", "vids": "59", "pvid": 59}])
    assert steps == [
        "change bridge br0: default_pvid 0",
        "set VLANs of port port-a of bridge br0: 59, pvid 59",
        "change bridge br0: vlan_filtering on",
    ]
    assert (vlans("port-a"), vlans("port-b"), vlans("br0")) == ({59: {"PVID"}}, {}, {})
    # While VLANs are filtered, and against what the kernel gives the declared port.
    steps_of(default_pvid=5, port_options=[{"name": "port-a", "vids": "59", "pvid": 59}])
    assert (vlans("port-a"), vlans("port-b"), vlans("br0")) == ({59: {"PVID"}}, {5: BOTH}, {5: BOTH})
    steps_of(default_pvid=6, port_options=[{"name": "port-b", "untagged": ""}])
    assert (vlans("port-a"), vlans("port-b"), vlans("br0")) == ({59: {"PVID"}}, {6: {"PVID"}}, {6: BOTH})
    assert steps_of(vlan_protocol="802.1ad") == ["change bridge br0: vlan_protocol 802.1ad"]
    assert settings("br0")["vlan_protocol"] == "802.1ad"
    assert steps_of(vlan_filtering=False, vlan_protocol="802.1q") != []
    assert (settings("br0")["vlan_filtering"], settings("br0")["vlan_protocol"]) == (0, "802.1Q")
    result = module("virt_bridge", {"name": "br0", "port_options": [{"name": "port-a", "vids": "60", "pvid": 0}]})
    assert result["changed"] is True
    assert "the VLANs have no effect" in warnings_of(result)[0]


def test_packets_stay_in_their_vlans_and_none_is_lost_on_the_way() -> None:
    host("a", "port-a", "10.59.0.1/24")
    host("b", "port-b", "10.59.0.2/24")
    host("c", "port-c", "10.59.0.3/24")
    tagged_host("t", "port-t", 59, 89)
    # Every host reaches all others, and the tagged one only itself, until VLANs are heeded.
    bridge(ports=["port-a", "port-b", "port-c", "port-t"])
    assert reaches("a", "10.59.0.2")
    assert reaches("a", "10.59.0.3")
    assert not reaches("t", "10.59.0.1")
    pings = start_ping("a", "10.59.0.2", 600, 0.005)
    steps = steps_of(
        vlan_filtering=True,
        default_pvid=0,
        port_options=[
            {"name": "port-a", **ACCESS},
            {"name": "port-b", **ACCESS},
            {"name": "port-c", "vids": "89", "pvid": 89, "untagged": "89"},
            {"name": "port-t", "vids": "59,89", "pvid": 0},
            {"name": "br0", **ACCESS},
        ],
        addresses=["10.59.0.100/24"],
    )
    assert pings.poll() is None, "the change took longer than the ping"
    assert lost(pings) == 0
    assert steps[-2:] == ["change bridge br0: vlan_filtering on", "add address 10.59.0.100/24 to bridge br0"]
    assert all(reaches("a", each) for each in ("10.59.0.2", "10.59.0.9", "10.59.0.100"))
    assert not reaches("a", "10.59.0.3")
    ip("-n", "host-c", "addr", "add", "10.89.0.3/24", "dev", "eth0")
    assert reaches("t", "10.89.0.3")
    assert not reaches("c", "10.59.0.100")
    # From one VLAN to another: nothing of the new one is lost on the way of the others.
    pings = start_ping("t", "10.59.0.1", 400, 0.005)
    bridge(port_options=[{"name": "port-c", **ACCESS}, {"name": "port-t", "vids": "59"}])
    assert lost(pings) == 0
    assert reaches("c", "10.59.0.100")
    bridge(port_options=[{"name": "port-a", "isolated": True}, {"name": "port-b", "isolated": True}])
    assert not reaches("a", "10.59.0.2")
    assert reaches("a", "10.59.0.3")


def test_takeover_by_a_bridge_with_vlans() -> None:
    host("router", "eth9", "10.59.0.1/24")
    batch("link set eth9 up\naddr add 10.59.0.2/24 dev eth9\nroute add default via 10.59.0.1 dev eth9 metric 9\n")
    assert reaches("router", "10.59.0.2")
    mac, pings = link("eth9")["address"], start_ping("router", "10.59.0.2", 600, 0.005)
    steps = steps_of(
        take_over="eth9",
        vlan_filtering=True,
        default_pvid=0,
        port_options=[{"name": "eth9", "vids": "59,89", "pvid": 59, "untagged": "59"}, {"name": "br0", **ACCESS}],
    )
    assert pings.poll() is None, "the change took longer than the ping"
    assert len(steps) == 3
    assert lost(pings) == 0
    assert (addresses("br0"), addresses("eth9"), ports("br0")) == ({"10.59.0.2/24"}, set(), {"eth9"})
    assert link("br0")["address"] == mac
    assert vlans("eth9") == {59: BOTH, 89: set()}
    assert "default via 10.59.0.1 dev br0 metric 9" in ip("route")


def test_examples() -> None:
    """Those that need this kernel: foretold by check mode without a touch, done, and not done again."""
    batch("link add eth5 type veth peer name far5\n")
    shown = [each["virtnet.hypervisor.virt_bridge"] for each in examples()]
    shown = [each for each in shown if "vlan_filtering" in each]
    assert shown
    for options in shown:
        state = settled_state()
        foretold = task(check=True, **options)
        assert host_state() == state
        done = task(**options)
        assert done["steps"] == foretold["steps"] != []
        assert task(**options)["steps"] == []
