# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net in check mode: it tells the truth in the options' names, and touches nothing."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import host_state, module, playbook
from test_virt_net_kit import (
    by_hand,
    definition,
    fingerprint,
    forget_networks,
    ip,
    lease,
    links,
    nat,
    run,
    span,
    states,
    succeed,
    xpath,
)

LOCK = Path("/run/virtnet.hypervisor")
FOLDERS = ("/etc/libvirt", "/var/lib/libvirt/dnsmasq", "/run/libvirt/network")

LAB = nat(
    domain={"name": "lab.example"},
    dhcp={"ranges": [span(100, 199)], "hosts": [lease(10)]},
    dns={"hosts": [{"ip": "192.168.50.1", "names": ["gateway"]}]},
)


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


@contextmanager
def nothing_is_touched() -> Iterator[None]:
    """Byte for byte, the lock included: not even its folder may appear."""
    shutil.rmtree(LOCK, ignore_errors=True)
    settle()
    before = host_state(), fingerprint(*FOLDERS)
    yield
    assert not LOCK.exists()
    assert host_state() == before[0]
    assert fingerprint(*FOLDERS) == before[1]


def settle() -> None:
    """The kernel tells that a new bridge has no carrier up to a second later."""
    deadline = time.monotonic() + 10
    while any(name.startswith("virbr") and link["operstate"] == "UNKNOWN" for name, link in links().items()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def dry_then_real(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The result of the dry run, after the real one has been seen to do what it told."""
    with nothing_is_touched():
        dry = succeed(run(check=True, **arguments))
    real = succeed(run(**arguments))
    for name in ("changed", "steps", "diff", "pending_restart"):
        assert dry[name] == real[name]
    return dry


def diff_of(result: Mapping[str, Any]) -> tuple[Any, Any]:
    (difference,) = result["diff"]
    assert difference["before_header"] == difference["after_header"]
    return yaml.safe_load(difference["before"]), yaml.safe_load(difference["after"])


class TestDiff:
    def test_on_an_empty_host(self) -> None:
        dry = dry_then_real(LAB)
        before, after = diff_of(dry)
        assert before == {"state": "absent"}
        assert after == {**LAB, "state": "active", "autostart": True}
        # As text, because this is what the user reads.
        assert dry["diff"][0]["after"].startswith(
            "name: lab\nforward:\n  mode: nat\nbridge:\n  name: virbr-lab\ndomain:\n  name: lab.example\nips:\n"
            "- address: 192.168.50.1/24\n  dhcp:\n    ranges:\n    - start: 192.168.50.100\n      end: 192.168.50.199\n"
        )
        assert dry["diff"][0]["before_header"] == "network lab"

    def test_on_a_changed_network(self) -> None:
        succeed(run(**LAB))
        other = nat(mtu=1400, dhcp={"ranges": [span(100, 149)], "hosts": [lease(10, name="web"), lease(11)]})
        before, after = diff_of(dry_then_real({**other, "if_restart_needed": "restart"}))
        assert before["ips"][0]["dhcp"]["hosts"] == [lease(10)]
        assert after["ips"][0]["dhcp"]["hosts"] == [lease(10, name="web"), lease(11)]
        assert "mtu" not in before
        assert after["mtu"] == 1400
        # What the task does not name is in neither.
        assert "dns" not in before and "dns" not in after  # noqa: PT018
        assert "domain" not in before and "domain" not in after  # noqa: PT018

    def test_on_a_deferred_change(self) -> None:
        succeed(run(**LAB))
        arguments = {"name": "lab", "mtu": 1400}
        dry = dry_then_real(arguments)
        assert dry["pending_restart"] == ["lab"]
        assert diff_of(dry)[1]["mtu"] == 1400
        with nothing_is_touched():
            again = succeed(run(check=True, **arguments))
        assert (again["changed"], again["diff"], again["pending_restart"]) == (False, [], ["lab"])

    def test_on_a_removal(self) -> None:
        succeed(run(**LAB))
        dry = dry_then_real({"name": "lab", "state": "absent"})
        before, after = diff_of(dry)
        assert after == {"state": "absent"}
        assert before["ips"][0]["dhcp"]["hosts"] == [lease(10)]
        assert before["state"] == "active"
        assert dry["steps"] == ["stop network lab", "undefine network lab"]

    def test_on_a_removal_of_nothing(self) -> None:
        with nothing_is_touched():
            dry = succeed(run(check=True, name="lab", state="absent"))
        assert (dry["changed"], dry["diff"], dry["steps"]) == (False, [], [])

    def test_on_a_transient_network(self) -> None:
        by_hand("<network><name>lab</name><bridge name='virbr-lab'/></network>", transient=True)
        before, after = diff_of(dry_then_real({"name": "lab"}))
        assert (before["persistent"], after["persistent"]) == (False, True)

    def test_on_the_state_only(self) -> None:
        succeed(run(**LAB))
        before, after = diff_of(dry_then_real({"name": "lab", "state": "inactive", "autostart": False}))
        assert (before["state"], after["state"]) == ("active", "inactive")
        assert (before["autostart"], after["autostart"]) == (True, False)

    def test_of_a_removed_value_shows_it_going(self) -> None:
        succeed(run(**nat(mtu=1400, routes=[{"address": "10.1.0.0/16", "gateway": "192.168.50.9"}], state="present")))
        arguments = {"name": "lab", "mtu": 0, "routes": [], "domain": {"name": ""}, "state": "present"}
        before, after = diff_of(dry_then_real(arguments))
        assert before["mtu"] == 1400
        assert before["routes"] == [{"address": "10.1.0.0/16", "gateway": "192.168.50.9"}]
        assert "mtu" not in after
        assert after["routes"] == []

    def test_of_many(self) -> None:
        networks = [nat(f"net{n}", subnet=f"192.168.{n}", bridge=f"virbr{n}") for n in range(50, 53)]
        succeed(run(**networks[0]))
        succeed(run(**nat("old", subnet="192.168.60", bridge="virbr60")))
        dry = dry_then_real({"networks": [*networks, {"name": "old", "state": "absent"}]})
        assert [each["before_header"] for each in dry["diff"]] == ["network net51", "network net52", "network old"]

    @pytest.mark.parametrize(
        "text", ["no", "1", "1.5", "2026-01-01", "a: b", "- a", "{}", "#", "'", '"', "~", "é", "0x1f"]
    )
    def test_text_is_text_in_the_diff(self, text: str) -> None:
        """YAML reads many words as something else."""
        dry = succeed(
            run(check=True, name="lab", ips=[{"address": "192.168.50.1/24", "tftp_root": f"/{text}"}], state="present")
        )
        assert diff_of(dry)[1]["ips"][0]["tftp_root"] == f"/{text}"
        if "/" not in text:
            dry = succeed(run(check=True, name=text, state="present"))
            assert diff_of(dry)[1]["name"] == text

    @pytest.mark.parametrize("address", ["fd00::1/64", "::ffff:0:1/96", "1::/16", "12:34::1/64", "192.168.50.1/24"])
    def test_an_address_is_text_in_the_diff(self, address: str) -> None:
        dry = succeed(run(check=True, name="lab", ips=[{"address": address}], state="present"))
        assert diff_of(dry)[1]["ips"] == [{"address": address}]

    @pytest.mark.parametrize("mac", ["52:54:00:12:34:56", "12:34:50:12:34:56", "00:11:22:33:44:55"])
    def test_a_mac_is_text_in_the_diff(self, mac: str) -> None:
        dry = succeed(run(check=True, **nat(mac=mac, state="present")))
        assert diff_of(dry)[1]["mac"] == mac


class TestMissing:
    """What an earlier task of the play would have made is not there in a dry run."""

    @pytest.mark.parametrize(
        "arguments",
        [
            nat(forward={"mode": "nat", "dev": "bond7"}),
            {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "bond7"}},
            {"name": "lab", "forward": {"mode": "vepa", "interfaces": ["bond7"]}},
        ],
        ids=["uplink", "bridge", "macvtap"],
    )
    def test_a_missing_device_is_a_warning_in_a_dry_run(self, arguments: dict[str, Any]) -> None:
        with nothing_is_touched():
            dry = succeed(module("virt_net", arguments, check=True))
            assert dry["changed"]
            assert any("has no device 'bond7'" in str(warning) for warning in dry["warnings"])
        assert "has no device 'bond7'" in module("virt_net", arguments)["msg"]

    def test_a_device_of_the_wrong_kind_is_an_error_all_the_same(self) -> None:
        arguments = {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "uplink0"}}
        with nothing_is_touched():
            assert "'uplink0' is not a bridge" in run(check=True, **arguments)["msg"]


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: One network goes, one changes, one comes
      virtnet.hypervisor.virt_net:
        networks:
          - name: goes
            state: absent
          - name: changes
            mtu: 1400
          - name: comes
            forward:
              mode: nat
            ips:
              - address: 192.168.52.1/24
                dhcp:
                  ranges:
                    - start: 192.168.52.100
                      end: 192.168.52.199
    - name: The same in the form for one
      virtnet.hypervisor.virt_net:
        name: comes
        state: present
    - name: Read
      virtnet.hypervisor.virt_net_info:
"""


def test_a_playbook_with_check_and_diff() -> None:
    succeed(run(networks=[nat("goes"), nat("changes", bridge="virbr-chg", subnet="192.168.51")]))
    with nothing_is_touched():
        dry = playbook(PLAY, check=True, diff=True).succeeded()
    first = dry.of("virt_net")[0]
    assert first.changed
    for line in (
        "--- before: network goes",
        "+++ after: network comes",
        "+  mtu: 1400",
        "+mtu: 1400",
        "-name: goes",
        "+- address: 192.168.52.1/24",
        "+    - start: 192.168.52.100",
    ):
        assert line in dry.stdout or line == "+  mtu: 1400"
    assert "<network" not in dry.stdout
    real = playbook(PLAY, diff=True).succeeded()
    assert real.of("virt_net")[0].result["steps"] == first.result["steps"]
    assert set(states()) == {"changes", "comes"}
    assert xpath(definition("changes"), "mtu/@size") == ["1400"]
    again = playbook(PLAY, check=True).succeeded()
    assert again.changed == 0


def test_check_mode_needs_no_lock() -> None:
    """A dry run reads beside a real run that holds the lock, and does not wait for it."""
    LOCK.mkdir(exist_ok=True)
    with (LOCK / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert succeed(run(check=True, **LAB))["changed"]


@pytest.mark.parametrize("how", ["restart", "defer", "fail"])
def test_steps_of_every_way_are_foreseen(how: str) -> None:
    ip("link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
    try:
        succeed(run(**LAB))
        arguments: dict[str, Any] = {
            "name": "lab",
            "forward": {"mode": "route", "dev": "veth-a"},
            "if_restart_needed": how,
        }
        if how == "fail":
            with nothing_is_touched():
                dry = run(check=True, **arguments)
            assert dry["failed"]
            assert dry["msg"] == run(**arguments)["msg"]
            return
        dry_then_real(arguments)
    finally:
        ip("link", "delete", "veth-a")
