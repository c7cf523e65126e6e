# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the documentation of virt_net and virt_net_info run, and a second time they change nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import playbook
from harness.places import BIN, COLLECTIONS
from test_virt_net_kit import (
    assert_all_valid,
    assert_valid,
    change,
    dnsmasq,
    forget_networks,
    handed_over,
    lookup,
    open_vswitch,
    states,
    virtual_functions,
)


def documentation(name: str) -> dict[str, Any]:
    """Of the installed module, by Ansible's own reader."""
    found = subprocess.run(
        [BIN / "ansible-doc", "--json", "--type", "module", f"virtnet.hypervisor.{name}"],
        capture_output=True,
        text=True,
        check=True,
        env={
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
        },
    )
    result: dict[str, Any] = json.loads(found.stdout)[f"virtnet.hypervisor.{name}"]
    return result


def tasks_of(name: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = yaml.safe_load(documentation(name)["examples"])
    return tasks


def play(tasks: list[dict[str, Any]]) -> str:
    return "---\n" + yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}], sort_keys=False)


@pytest.fixture
def _devices() -> Iterator[None]:
    """What the examples name and a sandbox has none of: a folder, and virtual functions of a card."""
    networks = [network for task in tasks_of("virt_net") for network in networks_of(task)]
    folders = [ip["tftp_root"] for network in networks for ip in network.get("ips", []) if "tftp_root" in ip]
    functions = [address for network in networks for address in network.get("forward", {}).get("addresses", [])]
    assert folders
    subprocess.run(["mount", "-t", "tmpfs", "none", "/srv"], check=True)
    try:
        for folder in folders:
            Path(folder).mkdir(parents=True)
        with virtual_functions(*functions):
            yield
    finally:
        subprocess.run(["umount", "--lazy", "/srv"], check=True)


def networks_of(task: dict[str, Any]) -> list[dict[str, Any]]:
    options = task["virtnet.hypervisor.virt_net"]
    networks: list[dict[str, Any]] = options.get("networks", [options])
    return networks


def _needs_open_vswitch(task: dict[str, Any]) -> bool:
    return any(network.get("virtualport", {}).get("type") == "openvswitch" for network in networks_of(task))


@pytest.mark.usefixtures("_devices")
def test_examples_of_virt_net() -> None:
    tasks = [task for task in tasks_of("virt_net") if not _needs_open_vswitch(task)]
    assert len(tasks) >= 5
    foreseen = playbook(play(tasks), check=True, diff=True).succeeded()
    assert foreseen.changed > 0
    assert states() == {}
    first = playbook(play(tasks), diff=True).succeeded()
    assert first.changed == len(tasks)
    assert_all_valid()
    # Two of the examples are about one network: the last word of each is what a second play has to find. The host's
    # whole state is in its last tasks, so those are what is run again.
    again = playbook(play(_last_words(tasks))).succeeded()
    assert [task.name for task in again.tasks if task.changed] == []
    assert lookup("_ldap._tcp.corp.example", "SRV", "192.168.55.1") == ["10 0 389 dc1.corp.example"]
    assert lookup("corp.example", "TXT", "192.168.55.1") == ["v=spf1 -all"]
    assert "dhcp-option=option:ntp-server,192.168.55.1" in dnsmasq("corp")
    assert {"tftp-root=/srv/tftp", "dhcp-boot=pxelinux.0"} <= set(dnsmasq("install"))
    forget_networks()


def test_examples_of_virt_net_on_open_vswitch() -> None:
    """This kernel has none, so that the module has to be told."""
    networks = [network for task in tasks_of("virt_net") if _needs_open_vswitch(task) for network in networks_of(task)]
    assert networks
    for network in networks:
        with open_vswitch(network["bridge"]["name"]), handed_over() as given:
            change(**network)
            assert_valid(given[0])
            assert_all_valid()
            forget_networks()


def _last_words(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the tasks whose network a later one declares anew."""
    seen: set[str] = set()
    kept = []
    for task in reversed(tasks):
        names = {each["name"] for each in networks_of(task)}
        if not names <= seen:
            kept.append(task)
        seen |= names
    return kept[::-1]


def test_examples_of_virt_net_info() -> None:
    networks = {"name": "default", "forward": {"mode": "nat"}, "ips": [{"address": "192.168.122.1/24"}]}
    tasks = [{"name": "A network to read", "virtnet.hypervisor.virt_net": networks}, *tasks_of("virt_net_info")]
    playbook(play(tasks)).succeeded()
    again = playbook(play(tasks)).succeeded()
    assert again.changed == 0
    assert again.of("virt_net_info")[0].result["networks"][0]["name"] == "default"


def test_what_the_documentation_promises_to_return_is_returned() -> None:
    networks = {"name": "default", "forward": {"mode": "nat"}, "ips": [{"address": "192.168.122.1/24"}]}
    tasks: list[dict[str, Any]] = [{"virtnet.hypervisor.virt_net": networks}, {"virtnet.hypervisor.virt_net_info": {}}]
    result = playbook(play(tasks)).succeeded()
    for name in ("virt_net", "virt_net_info"):
        (task,) = result.of(name)
        for key, value in documentation(name)["return"].items():
            assert key in task.result
            for inner in value.get("contains", {}):
                assert not task.result[key] or inner in task.result[key][0]
