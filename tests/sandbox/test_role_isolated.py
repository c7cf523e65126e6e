# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook isolated: guests among themselves, and with the host where it has an address there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Guest, virsh
from harness.roles import network_options, specification
from harness.topologies import (
    built,
    capture,
    differences,
    hypervisor,
    topology,
    topology_state,
    used_hypervisor,
)

SETTINGS = Path("/etc/sysctl.d/61-virtnet-isolated.conf")
OF_BRIDGE = "/proc/sys/net/ipv4/conf/{}/{}"

CLOSED: dict[str, Any] = {"name": "closed", "bridge": {"name": "virbr-closed"}, "ips": []}
WITHIN: dict[str, Any] = {
    "name": "within",
    "bridge": {"name": "virbr-within"},
    "ips": [
        {"address": "192.168.61.1/24", "dhcp": {"ranges": [{"start": "192.168.61.100", "end": "192.168.61.199"}]}},
    ],
}
STATIC: dict[str, Any] = {
    "name": "static",
    "bridge": {"name": "virbr-static"},
    "ips": [{"address": "192.168.62.1/24"}],
}
NETWORKS = [CLOSED, WITHIN, STATIC]


def isolated(networks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"isolated_networks": networks}


def gone(*names: str) -> dict[str, Any]:
    return isolated([{"name": name, "state": "absent"} for name in names])


def strictness(bridge: str) -> tuple[str, ...]:
    return tuple(Path(OF_BRIDGE.format(bridge, name)).read_text().strip() for name in ("rp_filter", "arp_ignore"))


@pytest.fixture(scope="module", autouse=True)
def _hypervisor() -> Iterator[dict[Path, str]]:
    with hypervisor() as settings:
        yield settings


@pytest.fixture(autouse=True)
def _used_hypervisor(_hypervisor: dict[Path, str]) -> Iterator[None]:
    with used_hypervisor(_hypervisor):
        yield


def test_guests_reach_each_other_and_nothing_else() -> None:
    before = topology_state()
    built("isolated", isolated(NETWORKS))
    with (
        Guest("one", ["closed"], dhcp=False) as one,
        Guest("two", ["closed"], dhcp=False) as two,
        capture("outside0") as frames,
    ):
        for guest, address in ((one, "10.99.0.1/24"), (two, "10.99.0.2/24")):
            guest.check(f"ip link set eth0 up && ip addr add {address} dev eth0")
        one.check("ping -c 2 -W 5 10.99.0.2")
        # A guest that does its best to reach the host and the outside: the host's address, as if on this link.
        one.check("ip route add 198.51.100.0/24 dev eth0 && ip route add default via 198.51.100.2 onlink dev eth0")
        for target in ("198.51.100.2", "198.51.100.1", "203.0.113.1"):
            assert one.run(f"ping -c 1 -W 2 {target}").rc != 0
        assert "lladdr" not in one.check("ip neigh show 198.51.100.2"), "the host does not answer ARP"
        # Nor does it help to know the MAC address of the bridge.
        bridge = Path("/sys/class/net/virbr-closed/address").read_text().strip()
        one.check(f"arp -i eth0 -s 198.51.100.2 {bridge}")
        for target in ("198.51.100.2", "198.51.100.1", "203.0.113.1"):
            assert one.run(f"ping -c 1 -W 2 {target}").rc != 0
    assert frames == []

    topology("isolated", gone("closed", "within", "static")).succeeded()
    assert differences(before, topology_state()) == []


def test_guests_reach_the_host_where_it_has_an_address() -> None:
    built("isolated", isolated(NETWORKS))
    assert strictness("virbr-closed") == ("1", "8")
    assert strictness("virbr-within") == strictness("virbr-static")
    with Guest("leased", ["within"]) as leased, Guest("fixed", ["static"], dhcp=False) as fixed:
        fixed.check("ip link set eth0 up && ip addr add 192.168.62.9/24 dev eth0")
        fixed.check("ping -c 1 -W 5 192.168.62.1")
        assert leased.wait_for_address(timeout=120).startswith("192.168.61.1")
        leased.check("ping -c 1 -W 5 192.168.61.1")
        with capture("outside0") as frames:
            leased.run("ip route add default via 192.168.61.1")
            assert leased.run("ping -c 2 -W 2 198.51.100.1").rc != 0
            assert leased.run("ping -c 2 -W 2 192.168.62.9").rc != 0
        assert frames == []


def test_over_the_leftovers_of_nat() -> None:
    """The guest of a NAT network is in a closed one afterwards, and on the old bridge is nothing of the old rules."""
    network = {**WITHIN, "name": "lab", "bridge": {"name": "virbr-lab", "stp": False}}
    topology("nat", {"nat_networks": [network]}).succeeded()
    with Guest("moved", ["lab"]) as guest:
        guest.wait_for_address(timeout=120)
        guest.check("ping -c 1 -W 5 198.51.100.1")
        closed = {"name": "lab", "ips": [], "if_restart_needed": "restart"}
        built("isolated", isolated([closed]))
        assert strictness("virbr-lab") == ("1", "8")
        with capture("outside0") as frames:
            assert guest.run("ping -c 2 -W 2 192.168.61.1").rc != 0
            assert guest.run("ping -c 2 -W 2 198.51.100.1").rc != 0
        assert frames == []
    assert "<ip " not in virsh("net-dumpxml", "lab")

    # And the host comes back in when it is given an address again.
    opened = {"name": "lab", "ips": [{"address": "192.168.61.1/24"}], "if_restart_needed": "restart"}
    built("isolated", isolated([opened]))
    assert strictness("virbr-lab") != ("1", "8")
    assert not SETTINGS.exists()


def test_other_networks_keep_what_they_have() -> None:
    topology("isolated", isolated([CLOSED])).succeeded()
    other = {"name": "other", "bridge": {"name": "virbr-other"}, "ips": []}
    built("isolated", isolated([other]))
    assert strictness("virbr-closed") == strictness("virbr-other") == ("1", "8")
    text = SETTINGS.read_text()
    assert "-net/ipv4/conf/virbr-closed/rp_filter = 1" in text
    assert "-net/ipv4/conf/virbr-other/arp_ignore = 8" in text
    topology("isolated", gone("other")).succeeded()
    assert "virbr-other" not in SETTINGS.read_text()
    assert "virbr-closed" in SETTINGS.read_text()
    assert virsh("net-list", "--name").split() == ["closed"]


def test_refuses_another_mode() -> None:
    before = topology_state()
    run = topology("isolated", isolated([{"name": "lab", "forward": {"mode": "nat"}}]))
    assert run.failed == 1
    assert "value of mode must be one of: isolated, got: nat" in run.stdout
    assert differences(before, topology_state()) == []


def test_options_are_those_of_the_module() -> None:
    options = network_options(modes=["isolated"], forward=["mode"])
    assert specification("isolated")["isolated_networks"]["options"] == options
