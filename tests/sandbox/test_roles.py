# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles host and nat, and the playbook nat, on a hypervisor that is empty at first."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Guest, OutsideServer, PlaybookRun, host_state, playbook, virsh
from harness.places import COLLECTIONS

SETTINGS = Path("/etc/sysctl.d/60-virtnet-hypervisor.conf")
RULES = Path("/etc/udev/rules.d/60-virtnet-hypervisor.rules")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
FORWARD_6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")
BRIDGE_CALLS = sorted(Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"))

NETWORKS: list[dict[str, Any]] = [
    {
        "name": "lab",
        "bridge": {"name": "virbr-lab"},
        "domain": {"name": "lab.example"},
        "ips": [
            {
                "address": "192.168.50.1/24",
                "dhcp": {
                    "ranges": [{"start": "192.168.50.100", "end": "192.168.50.199"}],
                    "hosts": [{"mac": "52:54:00:00:50:10", "name": "web", "ip": "192.168.50.10"}],
                },
            }
        ],
        "dns": {"hosts": [{"ip": "192.168.50.1", "names": ["gateway"]}]},
    },
    {"name": "second", "bridge": {"name": "virbr-second"}, "ips": [{"address": "192.168.51.1/24"}]},
]

HOST = """---
- name: The role alone
  hosts: all
  tasks:
    - name: Include it
      ansible.builtin.include_role:
        name: virtnet.hypervisor.host
"""


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """The kernel and /etc of a host that no role has seen."""
    before = {path: path.read_text() for path in (*BRIDGE_CALLS, FORWARD, FORWARD_6)}
    yield
    for path, text in before.items():
        path.write_text(text)
    SETTINGS.unlink(missing_ok=True)
    RULES.unlink(missing_ok=True)


def nat(networks: list[dict[str, Any]], **options: Any) -> PlaybookRun:
    variables = {"virtnet_hosts": "all", "host_packages_install": False, "nat_networks": networks}
    return playbook("virtnet.hypervisor.nat", extra_vars=variables, **options)


def host(variables: dict[str, Any], **options: Any) -> PlaybookRun:
    return playbook(HOST, extra_vars={"host_packages_install": False, **variables}, **options)


def test_playbook_builds_networks_that_guests_use(outside: OutsideServer) -> None:
    empty = host_state()
    checked = nat(NETWORKS, check=True, diff=True).succeeded()
    assert host_state() == empty
    assert checked.changed > 0
    assert "+name: lab" in checked.stdout
    assert "192.168.50.10" in checked.stdout

    nat(NETWORKS).succeeded()
    assert FORWARD.read_text() == "1\n"
    assert virsh("net-list", "--autostart", "--name").split() == ["lab", "second"]
    for name in ("lab", "second"):
        assert "<forward mode='nat'" in virsh("net-dumpxml", name)

    with Guest("web", [("lab", "52:54:00:00:50:10")]) as guest:
        assert guest.wait_for_address(timeout=120) == "192.168.50.10"
        assert "192.168.50.1" in guest.check("nslookup gateway 192.168.50.1").partition("Name:")[2]
        guest.check(f"nc {outside.address} {outside.port} </dev/null")
        assert outside.wait_for_connection().address == "198.51.100.2"

        again = nat(NETWORKS).succeeded()
        assert again.changed == 0, again.stdout
        assert guest.run("ping -c 1 -W 2 192.168.50.1").rc == 0


def test_nat_takes_a_network_away() -> None:
    nat(NETWORKS).succeeded()
    gone = nat([{"name": "second", "state": "absent"}]).succeeded()
    assert gone.changed == 1
    assert virsh("net-list", "--all", "--name").split() == ["lab"]


def test_nat_refuses_another_mode() -> None:
    run = nat([{"name": "lab", "forward": {"mode": "route"}, "ips": [{"address": "192.168.50.1/24"}]}])
    assert run.failed == 1
    assert "value of mode must be one of: nat, got: route" in run.stdout
    assert virsh("net-list", "--all", "--name").split() == []


def test_readme_of_nat_is_true() -> None:
    """Its example runs, the second time without a change."""
    readme = COLLECTIONS / "ansible_collections/virtnet/hypervisor/roles/nat/README.md"
    example = re.search(r"```yaml\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    plays = yaml.safe_load(example.group(1))
    plays[0]["hosts"] = "all"
    text = yaml.safe_dump(plays)
    variables = {"host_packages_install": False}
    assert playbook(text, extra_vars=variables).succeeded().changed > 0
    assert "<host mac='52:54:00:00:50:10' name='web' ip='192.168.50.10'/>" in virsh("net-dumpxml", "lab")
    assert playbook(text, extra_vars=variables).succeeded().changed == 0


def test_defaults_of_the_action_group_reach_the_modules() -> None:
    play = """---
- name: One URI for all modules
  hosts: all
  gather_facts: false
  module_defaults:
    group/virtnet.hypervisor.virtnet:
      uri: test:///default
  tasks:
    - name: The test driver has a network of this name
      virtnet.hypervisor.virt_net_info:
        name: default
      register: found
    - name: See that it was asked
      ansible.builtin.assert:
        that: found.networks | length == 1
"""
    playbook(play).succeeded()


def test_host_makes_the_settings_of_the_kernel_permanent() -> None:
    variables = {"host_forwarding_ipv6": True}
    assert host(variables).succeeded().changed > 0
    assert FORWARD.read_text() == FORWARD_6.read_text() == "1\n"
    assert [path.read_text() for path in BRIDGE_CALLS] == ["0\n"] * len(BRIDGE_CALLS)
    again = host(variables).succeeded()
    assert again.changed == 0, again.stdout

    # What is in the file is what a boot would apply: procps reads it back into the kernel.
    for path in (FORWARD, FORWARD_6):
        path.write_text("0\n")
    for path in BRIDGE_CALLS:
        path.write_text("1\n")
    subprocess.run(["/sbin/sysctl", "--quiet", f"--load={SETTINGS}"], check=True)
    assert FORWARD.read_text() == FORWARD_6.read_text() == "1\n"
    assert [path.read_text() for path in BRIDGE_CALLS] == ["0\n"] * len(BRIDGE_CALLS)


def test_host_keeps_a_default_route_from_router_advertisements() -> None:
    route = ["default", "via", "fe80::1", "dev", "uplink0", "proto", "ra", "metric", "50"]
    subprocess.run(["ip", "-6", "route", "add", *route], check=True)
    try:
        host({"host_forwarding_ipv6": True}).succeeded()
        assert Path("/proc/sys/net/ipv6/conf/uplink0/accept_ra").read_text() == "2\n"
        lines = SETTINGS.read_text().splitlines()
        assert lines.index("net/ipv6/conf/uplink0/accept_ra = 2") < lines.index("net/ipv6/conf/all/forwarding = 1")
    finally:
        subprocess.run(["ip", "-6", "route", "del", *route], check=True)
        Path("/proc/sys/net/ipv6/conf/uplink0/accept_ra").write_text("1\n")


def test_host_writes_a_rule_for_a_module_that_comes_later() -> None:
    RULES.parent.mkdir(parents=True, exist_ok=True)
    host({}).succeeded()
    assert f"--load={SETTINGS}" in RULES.read_text()
    assert 'KERNEL=="br_netfilter"' in RULES.read_text()


def test_host_leaves_alone_what_it_is_not_asked_for() -> None:
    for path in BRIDGE_CALLS:
        path.write_text("1\n")
    host({"host_bridge_netfilter": None, "host_forwarding_ipv4": False}).succeeded()
    assert FORWARD.read_text() == "0\n"
    assert [path.read_text() for path in BRIDGE_CALLS] == ["1\n"] * len(BRIDGE_CALLS)
    assert not RULES.exists()


def test_host_lets_the_firewall_see_bridged_frames_where_wanted() -> None:
    for path in BRIDGE_CALLS:
        path.write_text("0\n")
    host({"host_bridge_netfilter": True}).succeeded()
    assert [path.read_text() for path in BRIDGE_CALLS] == ["1\n"] * len(BRIDGE_CALLS)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ansible_facts_override": {"effective_user_id": 1000}}, "The role needs root on the host. Set become: true."),
        (
            {"ansible_facts_override": {"python_version": "3.8.10"}},
            "Modules would run with Python 3.8.10, and need 3.9.",
        ),
        ({"ansible_facts_override": {"system": "FreeBSD"}}, "This host runs FreeBSD"),
        (
            {
                "ansible_facts_override": {"os_family": "Archlinux", "distribution": "Archlinux"},
                "host_packages_install": True,
            },
            "The package names for Archlinux are not known. Set host_packages and host_services",
        ),
    ],
)
def test_host_refuses_what_it_cannot_do(variables: dict[str, Any], message: str) -> None:
    facts = variables.pop("ansible_facts_override")
    play = yaml.safe_load(HOST)
    play[0]["pre_tasks"] = [
        {"name": f"A host with {name} {value}", "ansible.builtin.set_fact": {name: value, "cacheable": True}}
        for name, value in facts.items()
    ]
    before = host_state()
    run = playbook(yaml.safe_dump(play), extra_vars={"host_packages_install": False, **variables})
    assert run.failed == 1
    assert f"Nothing was changed. {message}" in " ".join(run.stdout.split()), run.stdout
    assert host_state() == before


def test_host_says_all_reasons_at_once(tmp_path: Path) -> None:
    """libvirt cannot be found, and neither can a kernel's tap device."""
    play = yaml.safe_load(HOST)
    play[0]["environment"] = {"PATH": str(tmp_path)}
    play[0]["pre_tasks"] = [
        {"name": "Not root", "ansible.builtin.set_fact": {"effective_user_id": 1000, "cacheable": True}}
    ]
    run = playbook(yaml.safe_dump(play), extra_vars={"host_packages_install": False})
    text = " ".join(run.stdout.split())
    assert run.failed == 1
    assert "The role needs root on the host." in text
    assert "libvirt is not installed, and host_packages_install is false." in text


def test_host_fails_when_libvirt_does_not_answer() -> None:
    run = host({"host_uri": "qemu:///nowhere"})
    assert run.failed == 1
    assert "libvirt does not answer at 'qemu:///nowhere'" in run.stdout
