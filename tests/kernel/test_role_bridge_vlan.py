# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook bridge_vlan on a trunk. Guests are namespaces with a port of the bridge."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import PlaybookRun, playbook, virsh
from harness.examples import define_network

TRUNK: dict[str, Any] = {"parent": "trunk0", "ids": "59,89,100-101", "bridge": "br{id}", "network": "vlan{id}"}
IDS = (59, 89, 100, 101)


ROLE = """---
- name: The role alone, which is all that is new here
  hosts: all
  gather_facts: false
  roles: [virtnet.hypervisor.bridge_vlan]
"""


@pytest.fixture(autouse=True)
def _trunk() -> Iterator[None]:
    """trunk0 leads to the outside, which has an address in VLAN 59 and one in VLAN 89."""
    run("ip link add trunk0 mtu 9004 type veth peer name trunk1 netns outside")
    run("ip link set trunk0 addrgenmode none up")
    run("ip -n outside link set trunk1 addrgenmode none mtu 9004 up")
    for number in (59, 89):
        run(f"ip -n outside link add link trunk1 name trunk1.{number} type vlan id {number}")
        run(f"ip -n outside link set trunk1.{number} addrgenmode none up")
        run(f"ip -n outside address add 10.0.{number}.1/24 dev trunk1.{number}")
    # libvirt keeps the folders that the first network makes it make.
    define_network("<network><name>first</name><forward mode='bridge'/><bridge name='br-first'/></network>")
    virsh("net-autostart", "first")
    virsh("net-undefine", "first")
    yield
    for name in guests():
        run(f"ip netns delete {name}")


def role(variables: dict[str, Any], **options: Any) -> PlaybookRun:
    return playbook(ROLE, extra_vars=variables, diff=True, **options)


def built(variables: dict[str, Any]) -> None:
    """As for every topology: check mode touches nothing, and a second run changes nothing."""
    before = settled()
    checked = role(variables, check=True).succeeded()
    assert state() == before
    assert role(variables).succeeded().changed == checked.changed
    again = role(variables).succeeded()
    assert again.changed == 0, again.stdout


def settled() -> list[str]:
    """The state at rest: the kernel looks at the carrier of a new device once a second."""
    before, now = None, state()
    while now != before:
        time.sleep(2)
        before, now = now, state()
    return now


def state() -> list[str]:
    """Links, addresses, VLANs, and libvirt's networks. This kernel has no firewall."""
    devices = re.sub(r'"\w+_timer": *[0-9.]+,?', "", run("ip -j -d address"))
    files = [str(path) for path in sorted(Path("/etc").glob("libvirt/qemu/networks/**/*"))]
    listed = [devices, run("ip -j route show table all"), run("bridge -j vlan"), virsh("net-list", "--all")]
    return listed + files + [virsh("net-dumpxml", name) for name in virsh("net-list", "--all", "--name").split()]


def run(command: str) -> str:
    return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


def guests() -> list[str]:
    names = [line.split()[0] for line in run("ip netns list").splitlines()]
    return [name for name in names if name != "outside"]


def links() -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in json.loads(run("ip -j -d link"))}


def guest(name: str, bridge: str, address: str) -> None:
    run(f"ip netns add {name}")
    run(f"ip link add v{name} mtu 9000 type veth peer name eth0 netns {name}")
    run(f"ip link set v{name} master {bridge} addrgenmode none up")
    run(f"ip -n {name} link set eth0 addrgenmode none mtu 9000 up")
    run(f"ip -n {name} address add {address} dev eth0")


def reaches(name: str, address: str, size: int = 56) -> bool:
    """Whether a guest gets an answer: a UDP packet to a port where nobody is, that the other end says so about."""
    script = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)\n"
        # IP_MTU_DISCOVER, IP_PMTUDISC_DO: in one packet or not at all.
        "s.setsockopt(socket.IPPROTO_IP, 10, 2); s.connect((sys.argv[1], 9))\n"
        "try:\n  s.send(bytes(int(sys.argv[2]))); s.recv(1)\n"
        "except ConnectionRefusedError: print('reached')\n"
        "except OSError: pass\n"
    )
    command = ["ip", "netns", "exec", name, "/usr/bin/python3", "-c", script, address, str(size)]
    return any("reached" in subprocess.check_output(command, text=True) for _attempt in range(2))


def test_a_bridge_for_each_vlan() -> None:
    before = state()
    built({"bridge_vlan_trunks": [TRUNK]})
    there = links()
    for number in IDS:
        vlan, bridge = there[f"trunk0.{number}"], there[f"br{number}"]
        assert vlan["linkinfo"]["info_data"]["id"] == number
        assert (vlan["link"], vlan["master"]) == ("trunk0", f"br{number}")
        assert "UP" in vlan["flags"]
        assert "UP" in bridge["flags"]
        assert [name for name, link in there.items() if link.get("master") == f"br{number}"] == [f"trunk0.{number}"]
        document = virsh("net-dumpxml", f"vlan{number}")
        assert "<forward mode='bridge'/>" in document
        assert f"<bridge name='br{number}'/>" in document
    assert virsh("net-list", "--autostart", "--name").split() == sorted(f"vlan{number}" for number in IDS)

    guest("g59", "br59", "10.0.59.9/24")
    guest("g89", "br89", "10.0.89.9/24")
    guest("h89", "br89", "10.0.59.8/24")
    assert reaches("g59", "10.0.59.1")
    assert reaches("g89", "10.0.89.1")
    assert not reaches("g59", "10.0.59.8"), "a guest in VLAN 89 with an address of VLAN 59"
    assert not reaches("h89", "10.0.59.1")

    for name in guests():
        run(f"ip link delete v{name}")
    role({"bridge_vlan_trunks": [{**TRUNK, "state": "absent"}]}).succeeded()
    assert state() == before
