# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook routed: guests that the outside reaches at their own addresses."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Guest, OutsideServer, PlaybookRun, virsh
from harness.roles import network_options, specification
from harness.topologies import arp_answers, built, differences, hypervisor, topology, topology_state, used_hypervisor
from virtnet_sandbox.network import OUTSIDE_ADDRESS, OUTSIDE_ADDRESS_6, UPLINK_ADDRESS, UPLINK_ADDRESS_6
from virtnet_sandbox.network import UPLINK as UPLINK_DEVICE

SETTINGS = Path("/etc/sysctl.d/61-virtnet-routed.conf")
PROXY_ARP = "/proc/sys/net/ipv4/conf/{}/proxy_arp"

LAB: dict[str, Any] = {
    "name": "lab",
    "bridge": {"name": "virbr-lab"},
    "ips": [
        {"address": "192.168.70.1/24", "dhcp": {"ranges": [{"start": "192.168.70.100", "end": "192.168.70.199"}]}},
        {"address": "2001:db8:70::1/64"},
    ],
}
UPLINK: dict[str, Any] = {
    "name": "uplink0",
    "guests": [{"name": "one", "address": "198.51.100.10", "mac": "52:54:00:00:64:10"}],
}


@pytest.fixture(scope="module", autouse=True)
def _hypervisor() -> Iterator[dict[Path, str]]:
    with hypervisor() as settings:
        yield settings


@pytest.fixture(autouse=True)
def _used_hypervisor(_hypervisor: dict[Path, str]) -> Iterator[None]:
    with used_hypervisor(_hypervisor):
        yield
    run_outside("ip", "route", "flush", "via", "198.51.100.2")
    run_outside("ip", "-6", "route", "flush", "via", "2001:db8:100::2")


def run_outside(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", "netns", "exec", "outside", *command], capture_output=True, text=True, check=False)


def notes(run: PlaybookRun) -> list[str]:
    (told,) = [
        task for task in run.of("debug") if task.name.endswith("Tell what is to be done outside and in the guests")
    ]
    lines: list[str] = told.result["msg"]
    return lines


def do_on_router(lines: list[str]) -> None:
    """What the role tells the user to do on the router, word for word."""
    for line in lines:
        command = line.partition("On your router: ")[2]
        if command:
            done = run_outside(*command.split())
            assert done.returncode == 0, done.stderr


def test_the_outside_reaches_guests_of_a_routed_network(outside: OutsideServer) -> None:
    before = topology_state()
    told = notes(built("routed", {"routed_networks": [LAB]}))
    assert "On your router: ip route add 192.168.70.0/24 via 198.51.100.2" in told
    assert "On your router: ip -6 route add 2001:db8:70::/64 via 2001:db8:100::2" in told
    do_on_router(told)
    with Guest("web", ["lab"]) as guest:
        address = guest.wait_for_address(timeout=120)
        # No translation: this is how the outside sees the guest, and where it reaches it.
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == address
        assert reached_from_outside(guest, address)
    topology("routed", {"routed_networks": [{"name": "lab", "state": "absent"}]}).succeeded()
    assert differences(before, topology_state()) == []


def reached_from_outside(guest: Guest, address: str, port: int = 8080) -> bool:
    """A connection from outside to the guest, which sees the outside's own address."""
    server = guest.background(f"nc -l -p {port} -e sh -c 'cat >/dev/null; echo served'")
    connect = f"s = socket.create_connection(('{address}', {port}), 10)"
    script = f"import socket; {connect}; s.shutdown(1); print(s.recv(100))"
    for _attempt in range(20):
        done = run_outside("/usr/bin/python3", "-c", script)
        if "served" in done.stdout:
            return True
    server.signal("KILL")
    return False


def test_one_address_for_each_guest(outside: OutsideServer) -> None:
    before = topology_state()
    told = notes(built("routed", {"routed_uplinks": [UPLINK]}))
    assert Path(PROXY_ARP.format("uplink0")).read_text() == "1\n"
    assert "-net/ipv4/conf/uplink0/proxy_arp = 1\n" in SETTINGS.read_text()
    (definition,) = [line.partition(": ")[2] for line in told if line.startswith("For the guest one: ")]
    (commands,) = [line.partition(": ")[2] for line in told if line.startswith("In the guest one: ")]
    assert not arp_answers("198.51.100.10"), "the guest does not run yet"
    with Guest("one", interfaces=[definition], dhcp=False) as guest:
        guest.check(f"ip link set eth0 up; {commands}")
        assert guest.mac() == "52:54:00:00:64:10"
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == "198.51.100.10"
        assert reached_from_outside(guest, "198.51.100.10")
        uplink = Path("/sys/class/net/uplink0/address").read_text().strip()
        assert arp_answers("198.51.100.10") == [uplink]
        assert arp_answers("198.51.100.11") == [], "nobody has this address"
        assert arp_answers("203.0.113.9") == [], "the host has a route there, and it is no guest"
        others = Path("/proc/sys/net/ipv4/conf").glob("*/proxy_arp")
        assert [path.parent.name for path in others if path.read_text() != "0\n"] == ["uplink0"]
    built("routed", {"routed_uplinks": [{"name": "uplink0", "state": "absent"}]})
    assert differences(before, topology_state()) == []


def test_over_the_leftovers_of_nat(outside: OutsideServer) -> None:
    """The network of before translated. Its guest stays, and is seen with its own address from now on."""
    topology("nat", {"nat_networks": [{**LAB, "bridge": {"name": "virbr-lab", "stp": False}}]}).succeeded()
    with Guest("web", ["lab"]) as guest:
        address = guest.wait_for_address(timeout=120)
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == "198.51.100.2"
        told = notes(built("routed", {"routed_networks": [{"name": "lab", "if_restart_needed": "restart"}]}))
        do_on_router(told)
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection(2).address == address
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"masquerade|192\.168\.70\.0/24.*snat", rules)


def test_takes_back_only_what_is_its_own() -> None:
    """A setting that somebody else has changed since, and that of another uplink, stay."""
    topology("routed", {"routed_uplinks": [UPLINK, {"name": "lo"}]}).succeeded()
    topology("routed", {"routed_uplinks": [{"name": "lo", "state": "absent"}]}).succeeded()
    assert Path(PROXY_ARP.format("lo")).read_text() == "0\n"
    assert Path(PROXY_ARP.format("uplink0")).read_text() == "1\n"
    assert "uplink0" in SETTINGS.read_text()
    assert '"lo"' not in SETTINGS.read_text()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"routed_uplinks": [{"name": "uplink0", "guests": [{"name": "one", "address": "2001:db8:100::10"}]}]},
        {"routed_uplinks": [{"name": "uplink0", "guests": [{"name": "one", "address": "198.51.100.10/24"}]}]},
    ],
)
def test_refuses(variables: dict[str, Any]) -> None:
    before = topology_state()
    run = topology("routed", variables)
    assert run.failed == 1
    assert "Nothing was changed. Declare routed_networks, routed_bridges or routed_uplinks" in " ".join(
        run.stdout.split()
    )
    assert differences(before, topology_state()) == []


def test_refuses_another_mode() -> None:
    run = topology("routed", {"routed_networks": [{"name": "lab", "forward": {"mode": "nat"}}]})
    assert run.failed == 1
    assert "value of mode must be one of: route, open, got: nat" in run.stdout
    assert virsh("net-list", "--all", "--name").split() == []


def test_options_are_those_of_the_module() -> None:
    options = network_options(modes=["route", "open"], forward=["mode", "dev"])
    assert specification("routed")["routed_networks"]["options"] == options


def host(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def _uplink() -> Iterator[None]:
    """The sandbox's uplink is given back what a bridge has taken over."""
    yield
    subprocess.run(["ip", "link", "delete", "br0"], check=False)
    commands = (
        f"link set {UPLINK_DEVICE} nomaster",
        f"addr replace {UPLINK_ADDRESS}/24 dev {UPLINK_DEVICE}",
        f"addr replace {UPLINK_ADDRESS_6}/64 dev {UPLINK_DEVICE} nodad",
        f"route replace default via {OUTSIDE_ADDRESS} dev {UPLINK_DEVICE}",
        f"route replace ::/0 via {OUTSIDE_ADDRESS_6} dev {UPLINK_DEVICE}",
    )
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


@pytest.mark.usefixtures("_uplink")
def test_a_bridge_takes_over_the_only_network_card(outside: OutsideServer) -> None:
    """Guests have a subnet of their own on the bridge that the uplink is a port of, and the host leads them out."""
    bridge: dict[str, Any] = {
        "name": "br0",
        "take_over": "uplink0",
        "addresses": ["198.51.100.2/24", "203.0.113.1/28", "2001:db8:100::2/64"],
        "stp": False,
        "forward_delay": 0,
        "network": "routed",
    }
    before = topology_state()
    built("routed", {"routed_bridges": [bridge]})
    links = {link["ifname"]: link for link in json.loads(host("ip", "-j", "address"))}
    assert links["uplink0"]["master"] == "br0"
    assert {each["local"] for each in links["br0"]["addr_info"]} >= {"198.51.100.2", "203.0.113.1", "2001:db8:100::2"}
    assert "via 198.51.100.1 dev br0" in host("ip", "route", "show", "default")
    run_outside("ip", "route", "add", "203.0.113.0/28", "via", "198.51.100.2")
    with Guest("one", ["routed"], dhcp=False) as guest:
        guest.check("ip link set eth0 up; ip address add 203.0.113.10/28 dev eth0")
        guest.check("ip route add default via 203.0.113.1")
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == "203.0.113.10"
        assert reached_from_outside(guest, "203.0.113.10")
    # Without the guests' gateway, which goes with the bridge.
    back = {**bridge, "state": "absent", "addresses": ["198.51.100.2/24", "2001:db8:100::2/64"]}
    built("routed", {"routed_bridges": [back]})
    run_outside("ip", "route", "delete", "203.0.113.0/28")
    assert differences(before, topology_state()) == []
