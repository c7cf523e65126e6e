# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net takes a network with a running guest from mode to mode, and the firewall is what libvirt makes for the last.

What libvirt makes for a mode is taken from a network of the same name, bridge and addresses that virsh defined, started
and removed. A rule of the mode before that stays behind would let packets pass, or refuse them, for good.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from harness import Guest, wipe
from test_virt_net_kit import by_hand, change, forget_networks, lease, nat, ports, run, running, span, succeed, xpath

Rules = dict[str, Any]

DOCUMENT = """
<network>
  <name>lab</name>
  {forward}
  <bridge name='virbr-lab' stp='off'/>
  <ip address='192.168.50.1' prefix='24'><dhcp><range start='192.168.50.100' end='192.168.50.199'/></dhcp></ip>
  {six}
</network>
"""
FORWARD = {
    "nat": "<forward mode='nat'/>",
    "nat with IPv6": "<forward mode='nat'><nat ipv6='yes'/></forward>",
    "route": "<forward mode='route'/>",
    "open": "<forward mode='open'/>",
    "isolated": "",
}
SIX = "fd00:50::1"
WAY = ("nat", "route", "open", "isolated", "nat")


def rules() -> Rules:
    """The firewall in the words of three programs, without what moves by itself."""
    return {
        **{program: _saved(program) for program in ("iptables-save", "ip6tables-save")},
        "nft": _without_moving(json.loads(_output("nft", "-j", "list", "ruleset"))["nftables"]),
    }


def _saved(program: str) -> list[str]:
    lines = [line for line in _output(program).splitlines() if not line.startswith("#")]
    return [re.sub(r"\[\d+:\d+\]", "", line).strip() for line in lines]


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _without_moving(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_moving(item) for item in value if not (isinstance(item, dict) and "counter" in item)]
    if isinstance(value, dict):
        return {key: _without_moving(item) for key, item in value.items() if key != "handle"}
    return value


def in_use(found: Rules) -> bool:
    """Whether there is a rule about the network."""
    return "virbr-lab" in str(found) or "192.168.50" in str(found) or SIX.removesuffix("1") in str(found)


def declared(mode: str, *, six: bool = False, **options: Any) -> dict[str, Any]:
    forward: dict[str, Any] = {"mode": mode.partition(" ")[0]}
    if six and forward["mode"] == "nat":
        forward["nat"] = {"ipv6": True}
    hosts = options.pop("hosts", [])
    lab = nat(dhcp={"ranges": [span(100, 199)], "hosts": hosts}, forward=forward, if_restart_needed="restart")
    if six:
        lab["ips"].append({"address": f"{SIX}/64"})
    return lab | {"bridge": {"name": "virbr-lab", "stp": False}} | options


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    wipe()


@dataclass(frozen=True)
class Reference:
    """What libvirt makes by mode, and what is there without the network. ``six``: with an IPv6 address too."""

    six: bool
    by_mode: dict[str, Rules]
    nothing: Rules


@pytest.fixture(scope="module", params=[False, True], ids=["IPv4", "IPv4 and IPv6"])
def reference(request: pytest.FixtureRequest) -> Reference:
    six = bool(request.param)
    by_mode: dict[str, Rules] = {}
    left: list[Rules] = []
    for mode in ("nat with IPv6" if six else "nat", "route", "open", "isolated"):
        extra = f"<ip family='ipv6' address='{SIX}' prefix='64'/>" if six else ""
        by_hand(DOCUMENT.format(forward=FORWARD[mode], six=extra), start=True)
        by_mode[mode.partition(" ")[0]] = rules()
        forget_networks()
        # libvirt makes its chains, empty, with the first network, and keeps them.
        left.append(rules())
    assert left == left[:1] * 4
    assert not in_use(left[0])
    assert by_mode["open"] == left[0]
    # If two modes looked the same, the tests here could not tell them apart.
    assert len({json.dumps(found) for found in by_mode.values()}) == 4
    return Reference(six, by_mode, left[0])


def test_after_each_step_the_rules_are_those_of_a_fresh_start(reference: Reference) -> None:
    """And nothing is left when the network goes."""
    six = reference.six
    succeed(run(**declared("nat", six=six)))
    assert rules() == reference.by_mode["nat"]
    with Guest("modes", ["lab"]) as guest:
        guest.wait_for_address()
        for mode in WAY[1:]:
            result = change(**declared(mode, six=six))
            assert rules() == reference.by_mode[mode], mode
            assert [entry["device"] for entry in result["replugged"]] == [guest.tap()]
            assert ports()[guest.tap()]["master"] == "virbr-lab"
            guest.check("ping -c 1 -W 5 192.168.50.1")
        change(name="lab", state="absent", force=True)
        assert rules() == reference.nothing


def test_a_live_change_before_the_step_leaves_no_rule_behind(reference: Reference) -> None:
    """libvirt makes its rules again for each fixed lease that changes, and later removes what it made last."""
    six = reference.six
    succeed(run(**declared("nat", six=six)))
    for number, (before, after) in enumerate(itertools.pairwise(WAY), 20):
        hosts = [lease(number)]
        result = change(**declared(before, six=six, hosts=hosts))
        assert "stop network lab for a restart" not in result["steps"]
        assert xpath(running(), "ip/dhcp/host/@ip") == [f"192.168.50.{number}"]
        assert rules() == reference.by_mode[before], f"{before}, after a live change"
        change(**declared(after, six=six, hosts=hosts))
        assert rules() == reference.by_mode[after], after
    change(name="lab", state="absent")
    assert rules() == reference.nothing


def test_a_restart_that_fails_puts_the_rules_back(reference: Reference) -> None:
    six = reference.six
    succeed(run(**declared("nat", six=six)))
    assert run(**declared("route", six=six, dnsmasq_options=["no-such-option"]))["failed"]
    assert rules() == reference.by_mode["nat"]
    change(name="lab", state="absent")
    assert rules() == reference.nothing
