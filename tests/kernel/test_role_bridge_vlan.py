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
import yaml
from harness import PlaybookRun, playbook, virsh
from harness.examples import define_network
from harness.places import ROOT

TRUNK: dict[str, Any] = {"parent": "trunk0", "ids": "59,89,100-101", "bridge": "br{id}", "network": "vlan{id}"}
AWARE: dict[str, Any] = {"name": "br-trunk", "uplink": "trunk0", "vids": "59,89"}
# The other end of trunk0 is in another namespace, which is what containers have.
GONE = {**AWARE, "state": "absent", "force": True}
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


def test_large_packets_and_tags_in_tags() -> None:
    """802.1Q in 802.1ad: the outer tag is a VLAN of the trunk, and the inner ones are VLANs of that."""
    run("ip link add link trunk0 name prov200 mtu 9000 type vlan protocol 802.1ad id 200")
    run("ip link set prov200 addrgenmode none up")
    run("ip -n outside link add link trunk1 name prov200 mtu 9000 up type vlan protocol 802.1ad id 200")
    run("ip -n outside link add link prov200 name cust59 mtu 9000 up type vlan id 59")
    run("ip -n outside address add 10.1.59.1/24 dev cust59")
    run("ip -n outside link set trunk1.59 mtu 9000")
    large = {**TRUNK, "ids": "59", "mtu": 9000}
    inner = {"parent": "prov200", "ids": "59", "name": "c{id}", "bridge": "br-c{id}", "mtu": 9000}
    outer = {"parent": "trunk0", "ids": "300", "name": "prov{id}", "bridge": "br-{id}", "protocol": "802.1ad"}
    built({"bridge_vlan_trunks": [large, inner, outer]})
    there = links()
    assert [there[name]["mtu"] for name in ("br59", "trunk0.59", "br-c59", "c59")] == [9000] * 4
    assert there["prov300"]["linkinfo"]["info_data"]["protocol"] == "802.1ad"
    guest("g59", "br59", "10.0.59.9/24")
    guest("c59g", "br-c59", "10.1.59.9/24")
    assert reaches("g59", "10.0.59.1", 8972)
    assert reaches("c59g", "10.1.59.1", 8972)
    run("ip -n c59g address add 10.0.59.8/24 dev eth0")
    assert not reaches("c59g", "10.0.59.1")
    run("ip link delete vg59")
    removed = role({"bridge_vlan_trunks": [{**outer, "state": "absent"}]}).succeeded()
    assert removed.changed > 0
    assert not {"prov300", "br-300"} & links().keys()
    assert "c59" in links()


def test_over_leftovers_of_another_topology() -> None:
    """The trunk was in a bridge that filters VLANs, and one of the VLANs in a bridge of its own."""
    role({"bridge_vlan_aware": [AWARE]}).succeeded()
    role({"bridge_vlan_aware": [GONE]}).succeeded()
    run("ip link add br-old type bridge")
    run("ip link add link trunk0 name trunk0.59 type vlan id 59")
    run("ip link set trunk0.59 master br-old")
    refused = role({"bridge_vlan_trunks": [TRUNK]})
    assert refused.failed == 1
    assert "br-old" in refused.stdout
    built({"bridge_vlan_trunks": [{**TRUNK, "force": True}]})
    assert links()["trunk0.59"]["master"] == "br59"
    guest("g59", "br59", "10.0.59.9/24")
    assert reaches("g59", "10.0.59.1")


def test_one_bridge_that_filters() -> None:
    before = state()
    built({"bridge_vlan_aware": [AWARE]})
    there = links()["br-trunk"]
    assert there["linkinfo"]["info_data"]["vlan_filtering"] == 1
    assert there["linkinfo"]["info_data"]["vlan_default_pvid"] == 0
    (uplink,) = json.loads(run("bridge -j vlan show dev trunk0"))
    assert uplink["vlans"] == [{"vlan": 59}, {"vlan": 89}]

    # What libvirt 11 does for a guest with a tag.
    guest("g59", "br-trunk", "10.0.59.9/24")
    guest("g0", "br-trunk", "10.0.59.8/24")
    run("bridge vlan add vid 59 pvid untagged dev vg59")
    assert reaches("g59", "10.0.59.1")
    assert not reaches("g0", "10.0.59.1"), "no tag, no VLAN"
    assert role({"bridge_vlan_aware": [AWARE]}).succeeded().changed == 0, "the tags of guests are not ours"
    assert reaches("g59", "10.0.59.1")

    for name in guests():
        run(f"ip link delete v{name}")
    role({"bridge_vlan_aware": [GONE]}).succeeded()
    assert state() == before


DOCUMENTS = ("docs/docsite/rst/guide_bridge_vlan.rst", "roles/bridge_vlan/README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_are_true(document: str) -> None:
    """One after the other, as a reader does them. libvirt 9 refuses the one that it cannot do."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(
        r"^```yaml\n(.*?)^```|^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", text, re.MULTILINE | re.DOTALL
    )
    examples = [yaml.safe_load(markdown or rest) for markdown, rest in found]
    assert examples
    for content in examples:
        if isinstance(content, dict) and "bridge_vlan_aware" in content:
            assert "need libvirt 11.0 or newer" in " ".join(role(content).stdout.split())
        elif isinstance(content, dict):
            built(content)
        else:
            play = {"name": "Tasks", "hosts": "all", "gather_facts": False}
            plays = [{**content[0], "hosts": "all"}] if "hosts" in content[0] else [{**play, "tasks": content}]
            variables = {"host_packages_install": False, "host_bridge_netfilter": None}
            playbook("---\n" + yaml.safe_dump(plays, sort_keys=False), extra_vars=variables).succeeded()
