# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles host and nat and the playbook nat, on a hypervisor that is empty at first."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Guest, OutsideServer, PlaybookRun, host_state, playbook, virsh
from harness.places import COLLECTIONS, TARGET_PYTHON, scratch

COLLECTION = COLLECTIONS / "ansible_collections/virtnet/hypervisor"
SETTINGS = Path("/etc/sysctl.d/60-virtnet-hypervisor.conf")
RULES = Path("/etc/udev/rules.d/60-virtnet-hypervisor.rules")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
FORWARD_6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")
ACCEPT_RA = Path("/proc/sys/net/ipv6/conf/uplink0/accept_ra")
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
  gather_facts: false
  tasks:
    - name: Include it
      ansible.builtin.include_role:
        name: virtnet.hypervisor.host
"""


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """The kernel and /etc of a host that no role has seen."""
    before = {path: path.read_text() for path in (*BRIDGE_CALLS, FORWARD, FORWARD_6, ACCEPT_RA)}
    yield
    for path, text in before.items():
        path.write_text(text)
    SETTINGS.unlink(missing_ok=True)
    RULES.unlink(missing_ok=True)


def nat(networks: list[dict[str, Any]], **options: Any) -> PlaybookRun:
    variables = {"virtnet_hosts": "all", "host_packages_install": False, "nat_networks": networks}
    return playbook("virtnet.hypervisor.nat", extra_vars=variables, **options)


def host(variables: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **options: Any) -> PlaybookRun:
    play = yaml.safe_load(HOST)
    if facts:
        gather = {"name": "Gather what is not made up", "ansible.builtin.setup": {"gather_subset": ["!all", "min"]}}
        made_up = {"name": "Make up a host", "ansible.builtin.set_fact": {**facts, "cacheable": True}}
        play[0]["pre_tasks"] = [gather, made_up]
    return playbook(yaml.safe_dump(play), extra_vars={"host_packages_install": False, **(variables or {})}, **options)


def specification(role: str) -> dict[str, Any]:
    text = (COLLECTION / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")
    options: dict[str, Any] = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return options


def shape(options: dict[str, Any]) -> dict[str, Any]:
    """What a value has to look like, without the words about it."""
    return {
        name: {
            **{key: option[key] for key in ("type", "elements", "choices", "required") if key in option},
            "options": shape(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }


def refused(run: PlaybookRun, *reasons: str) -> None:
    """The run failed in the one task that refuses, with these reasons, and before anything was changed."""
    assert (run.failed, run.changed) == (1, 0), run.stdout
    (task,) = [task for task in run.tasks if task.outcome == "failed"]
    assert task.name.endswith("Refuse a host that cannot do what is asked"), run.stdout
    text = " ".join(task.result["msg"].split())
    assert text.startswith("Nothing was changed. "), text
    for reason in reasons:
        assert reason in text, text


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def hidden_by(cover: Path, *paths: str | Path) -> Iterator[None]:
    """Something else in the place of files or folders. The sandbox has its own mounts."""
    covered: list[str] = []
    try:
        for path in paths:
            subprocess.run(["mount", "--bind", cover, path], check=True)
            covered.append(str(path))
        yield
    finally:
        for path in covered:
            subprocess.run(["umount", path], check=True)


def programs(*names: str) -> list[str]:
    return [path for path in map(shutil.which, names) if path]


class TestNat:
    def test_playbook_builds_networks_that_guests_use(self, outside: OutsideServer) -> None:
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

    def test_takes_a_network_away(self) -> None:
        nat(NETWORKS).succeeded()
        gone = nat([{"name": "second", "state": "absent"}]).succeeded()
        assert gone.changed == 1
        assert virsh("net-list", "--all", "--name").split() == ["lab"]

    def test_refuses_another_mode(self) -> None:
        run = nat([{"name": "lab", "forward": {"mode": "route"}, "ips": [{"address": "192.168.50.1/24"}]}])
        assert run.failed == 1
        assert "value of mode must be one of: nat, got: route" in run.stdout
        assert virsh("net-list", "--all", "--name").split() == []

    def test_refuses_an_option_that_does_not_exist(self) -> None:
        run = nat([{"name": "lab", "adress": "192.168.50.1/24"}])
        assert run.failed == 1
        assert "nat_networks.adress. Supported parameters include:" in run.stdout

    def test_refuses_to_do_nothing_by_mistake(self) -> None:
        """A misspelled variable is noticed."""
        run = playbook(
            "virtnet.hypervisor.nat",
            extra_vars={"virtnet_hosts": "all", "host_packages_install": False, "nat_network": NETWORKS},
        )
        assert run.failed == 1
        assert "missing required arguments: nat_networks" in run.stdout

    def test_returns_what_virt_net_returned(self) -> None:
        play = """---
- name: The role, and somebody who uses its result
  hosts: all
  gather_facts: false
  roles:
    - role: virtnet.hypervisor.nat
  tasks:
    - name: Say what is there
      ansible.builtin.debug:
        msg: "{{ nat_result.networks | map(attribute='name') | join('+') }} {{ nat_result.steps | length }}"
"""
        run = playbook(play, extra_vars={"nat_networks": NETWORKS}).succeeded()
        assert run.of("debug")[0].result["msg"] == "lab+second 6"

    def test_defaults_of_the_action_group_reach_the_modules(self) -> None:
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

    def test_options_are_those_of_the_module(self) -> None:
        source = ast.parse((COLLECTION / "plugins/modules/virt_net.py").read_text(encoding="utf-8"))
        texts = {
            target.id: node.value.value
            for node in source.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        options = yaml.safe_load(str(texts["DOCUMENTATION"]))["options"]["networks"]["suboptions"]
        # What is no NAT network is not for this role.
        options["forward"]["suboptions"]["mode"]["choices"] = ["nat"]
        for name in ("interfaces", "addresses", "pf", "managed", "driver"):
            del options["forward"]["suboptions"][name]
        for name in ("vlan", "virtualport"):
            del options[name], options["portgroups"]["suboptions"][name]
        assert shape(specification("nat")["nat_networks"]["options"]) == shape(options)


class TestHost:
    def test_makes_the_settings_of_the_kernel_permanent(self) -> None:
        variables = {"host_forwarding_ipv6": True}
        before = (host_state(), [path.read_text() for path in BRIDGE_CALLS], FORWARD_6.read_text())
        assert host(variables, check=True, diff=True).succeeded().changed > 0
        assert (host_state(), [path.read_text() for path in BRIDGE_CALLS], FORWARD_6.read_text()) == before

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

    def test_writes_a_rule_for_a_module_that_comes_later(self) -> None:
        RULES.parent.mkdir(parents=True, exist_ok=True)
        host().succeeded()
        assert 'KERNEL=="br_netfilter"' in RULES.read_text()
        assert f"--load={SETTINGS}" in RULES.read_text()

    def test_leaves_alone_what_it_is_not_asked_for(self) -> None:
        for path in BRIDGE_CALLS:
            path.write_text("1\n")
        run = host({"host_bridge_netfilter": None, "host_forwarding_ipv4": False}).succeeded()
        assert run.changed == 0
        assert FORWARD.read_text() == "0\n"
        assert [path.read_text() for path in BRIDGE_CALLS] == ["1\n"] * len(BRIDGE_CALLS)
        assert not SETTINGS.exists()
        assert not RULES.exists()

    def test_takes_back_its_files(self) -> None:
        RULES.parent.mkdir(parents=True, exist_ok=True)
        host().succeeded()
        assert SETTINGS.exists()
        assert RULES.exists()
        taken_back = host({"host_bridge_netfilter": None, "host_forwarding_ipv4": False}).succeeded()
        assert taken_back.changed == 1
        assert not SETTINGS.exists()
        assert not RULES.exists()
        assert FORWARD.read_text() == "1\n", "something else may need it"

    def test_lets_the_firewall_see_bridged_frames_where_wanted(self) -> None:
        for path in BRIDGE_CALLS:
            path.write_text("0\n")
        host({"host_bridge_netfilter": True}).succeeded()
        assert [path.read_text() for path in BRIDGE_CALLS] == ["1\n"] * len(BRIDGE_CALLS)

    def test_fails_when_libvirt_does_not_answer(self) -> None:
        run = host({"host_uri": "qemu:///nowhere"})
        assert run.failed == 1
        assert "libvirt does not answer at 'qemu:///nowhere'" in run.stdout

    def test_check_mode_goes_as_far_as_it_can_without_libvirt(self) -> None:
        before = host_state()
        wanted = ["virtnet-no-such-package"]
        run = playbook(
            "virtnet.hypervisor.nat",
            extra_vars={"virtnet_hosts": "all", "host_packages": wanted, "nat_networks": NETWORKS},
            check=True,
            diff=True,
        ).succeeded()
        (named, last) = [task for task in run.of("debug") if task.outcome == "ok"]
        assert named.changed
        assert named.result["msg"] == wanted
        assert "libvirt does not run here yet" in last.result["msg"]
        assert not [task for task in run.of("virt_net") if task.outcome == "ok"]
        assert host_state() == before

    def test_asks_for_no_package_that_is_there(self) -> None:
        installed = ["libvirt-clients", "dnsmasq-base"]
        run = host({"host_packages_install": True, "host_packages": installed}, check=True).succeeded()
        assert not [task for task in run.of("debug") if task.outcome == "ok"]

    @pytest.mark.parametrize("distribution", ["Debian", "Ubuntu", "RedHat", "Suse"])
    def test_knows_the_packages_of(self, distribution: str) -> None:
        known = yaml.safe_load((COLLECTION / f"roles/host/vars/{distribution}.yml").read_text(encoding="utf-8"))
        names = " ".join(known["host_distribution_packages"])
        for part in ("libvirt", "qemu", "dnsmasq", "nftables", "lxml", "pyroute2"):
            assert part in names


class TestUplinks:
    """A host that forwards IPv6 keeps the default route that it has from router advertisements."""

    @pytest.fixture(autouse=True)
    def _no_route_of_its_own(self) -> Iterator[None]:
        ip("-6", "route", "del", "default")
        yield
        ip("-6", "route", "flush", "default")
        ip("-6", "addr", "flush", "dev", "uplink0", "dynamic")
        ip("-6", "route", "add", "default", "via", "2001:db8:100::1", "dev", "uplink0")

    @pytest.fixture
    def router(self) -> Iterator[None]:
        """A router outside, which says that it is one every few seconds."""
        command = ["ip", "netns", "exec", "outside", "dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground"]
        command += ["--user=root", "--pid-file", "--port=0", "--interface=outside0", "--bind-interfaces"]
        command += ["--enable-ra", "--dhcp-range=2001:db8:100::,ra-only", "--ra-param=outside0,4,60"]
        command += [f"--dhcp-leasefile={scratch()}/outside.leases"]
        with subprocess.Popen(command) as process:
            yield
            process.terminate()

    def test_the_kernel_reads_them(self, router: None) -> None:
        ACCEPT_RA.write_text("1\n")
        assert _eventually(_default_route_from_router)

        host({"host_forwarding_ipv6": True}, check=True).succeeded()
        assert ACCEPT_RA.read_text() == "1\n"

        host({"host_forwarding_ipv6": True}).succeeded()
        assert FORWARD_6.read_text() == "1\n"
        assert ACCEPT_RA.read_text() == "2\n"
        assert _default_route_from_router()
        lines = SETTINGS.read_text().splitlines()
        assert lines.index("-net/ipv6/conf/uplink0/accept_ra = 2") < lines.index("net/ipv6/conf/all/forwarding = 1")
        # It is not only the old route that is still there.
        ip("-6", "route", "del", "default", "dev", "uplink0", "proto", "ra")
        assert _eventually(_default_route_from_router)

        # Its place in the file does not depend on the router being there.
        ip("-6", "route", "del", "default", "dev", "uplink0", "proto", "ra")
        again = host({"host_forwarding_ipv6": True}).succeeded()
        assert again.changed == 0, again.stdout

        # And it would be lost without the role.
        FORWARD_6.write_text("0\n")
        assert _eventually(_default_route_from_router)
        ACCEPT_RA.write_text("1\n")
        FORWARD_6.write_text("1\n")
        assert not _default_route_from_router()

    def test_networkd_reads_them(self) -> None:
        """The kernel is told to leave them to a daemon, and that one does so as long as the host does not forward."""
        ACCEPT_RA.write_text("0\n")
        ip("-6", "route", "add", "default", "via", "fe80::1", "dev", "uplink0", "proto", "ra")
        index = Path("/sys/class/net/uplink0/ifindex").read_text().strip()
        state = Path("/run/systemd/netif/links") / index
        file = scratch() / "10-uplink.network"
        state.parent.mkdir(parents=True)
        try:
            state.write_text(f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n")
            file.write_text("[Match]\nName=uplink0\n")
            refused(
                host({"host_forwarding_ipv6": True}),
                "systemd-networkd ignores router advertisements on uplink0 once the host forwards IPv6",
                f"Say IPv6AcceptRA=yes in {file}",
            )
            assert FORWARD_6.read_text() == "0\n"
            file.write_text("[Match]\nName=uplink0\n[Network]\nIPv6AcceptRA=yes\n")
            host({"host_forwarding_ipv6": True}).succeeded()
            assert ACCEPT_RA.read_text() == "0\n"
            assert "accept_ra" not in SETTINGS.read_text()
        finally:
            shutil.rmtree("/run/systemd/netif")


def _default_route_from_router() -> bool:
    return ip("-6", "route", "show", "default", "proto", "ra") != ""


def _eventually(condition: Callable[[], bool], timeout: float = 30) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class TestRefusals:
    """What a host cannot do is refused in one message, before anything is changed."""

    @pytest.fixture(autouse=True)
    def _unchanged(self) -> Iterator[None]:
        before = (host_state(), FORWARD_6.read_text(), [path.read_text() for path in BRIDGE_CALLS])
        yield
        assert (host_state(), FORWARD_6.read_text(), [path.read_text() for path in BRIDGE_CALLS]) == before

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"python_version": "3.8.10"}, "Modules would run with Python 3.8.10, and need 3.9."),
            ({"system": "FreeBSD"}, "This host runs FreeBSD, and libvirt makes networks on Linux only."),
        ],
    )
    def test_of_facts(self, facts: dict[str, Any], message: str) -> None:
        refused(host(facts=facts), message)

    def test_unknown_distribution(self) -> None:
        run = host({"host_packages_install": True}, facts={"os_family": "Archlinux", "distribution": "Archlinux"})
        refused(run, "The package names for Archlinux are not known. Set host_packages, or install")

    def test_old_distribution(self) -> None:
        # Should it not be refused, it has nothing to install.
        variables = {"host_packages_install": True, "host_packages": ["libvirt-clients"]}
        run = host(variables, facts={"distribution_major_version": "11"})
        refused(run, "The libvirt or the Python of Debian 11 is too old; 12 is the first release to have newer ones.")

    def test_not_root(self) -> None:
        play = yaml.safe_load(HOST)
        play[0].update(
            {
                "become": True,
                "become_user": "nobody",
                "become_method": "ansible.builtin.su",
                "vars": {"ansible_become_flags": "-s /bin/sh", "ansible_remote_tmp": "/run/virtnet-sandbox/tmp/nobody"},
            }
        )
        run = playbook(yaml.safe_dump(play), extra_vars={"host_packages_install": False})
        refused(run, "The role needs root on the host. Set become: true.")

    def test_no_libvirt_no_libraries_no_kernel_at_once(self, tmp_path: Path) -> None:
        libraries = ("/usr/lib/python3/dist-packages/lxml", "/usr/lib/python3/dist-packages/pyroute2")
        with (
            hidden_by(Path("/dev/null"), *programs("libvirtd", "virtnetworkd", "modprobe")),
            hidden_by(tmp_path, *libraries, "/sys/module"),
        ):
            run = host()
        refused(
            run,
            "This kernel has no bridge support (CONFIG_BRIDGE).",
            "libvirt is not installed. Install it, or set host_packages_install to true.",
            "/usr/bin/python3 has no lxml, pyroute2.",
        )

    def test_old_libvirt(self, tmp_path: Path) -> None:
        old = tmp_path / "libvirtd"
        old.write_text("#!/bin/sh\necho 'libvirtd (libvirt) 7.0.0'\n")
        old.chmod(0o755)
        with hidden_by(old, *programs("libvirtd")):
            run = host()
        refused(run, "libvirt 7.0.0 is installed, and 8.0 is the oldest that is supported.")

    def test_no_tap(self) -> None:
        # /dev is the machine's own, also for the sandboxes beside this one.
        subprocess.run(["mount", "-t", "tmpfs", "nothing", "/dev/net"], check=True)
        try:
            run = host()
        finally:
            subprocess.run(["umount", "/dev/net"], check=True)
        refused(run, "There is no /dev/net/tun (CONFIG_TUN), so guests cannot be plugged in.")

    def test_kernel_settings_that_cannot_be_written(self) -> None:
        subprocess.run(["mount", "-o", "remount,bind,ro", "/proc/sys/net"], check=True)
        try:
            run = host()
        finally:
            subprocess.run(["mount", "-o", "remount,bind,rw", "/proc/sys/net"], check=True)
        refused(run, "net/ipv4/ip_forward", "under /proc/sys cannot be written. If this host is a container")

    def test_another_file_with_the_last_word(self) -> None:
        other = Path("/etc/sysctl.d/99-hardening.conf")
        earlier = Path("/etc/sysctl.d/10-defaults.conf")
        earlier.write_text("net.ipv4.ip_forward = 0\n")
        other.write_text("# net.ipv4.ip_forward=1\nnet.ipv4.conf.all.forwarding = 0\n-net.ipv4.ip_forward=0\n")
        try:
            run = host()
        finally:
            other.unlink()
            earlier.unlink()
        refused(run, f"{other} says net/ipv4/ip_forward = 0, and has the last word after a reboot.")

    def test_containers_that_nobody_thought_of(self) -> None:
        ip("link", "add", "docker0", "type", "bridge")
        try:
            run = host()
        finally:
            ip("link", "delete", "docker0")
        refused(run, "docker0: containers run here", "Set host_bridge_netfilter to null")


def test_containers_with_a_decision() -> None:
    for path in BRIDGE_CALLS:
        path.write_text("1\n")
    ip("link", "add", "docker0", "type", "bridge")
    host({"host_bridge_netfilter": None}).succeeded()
    assert [path.read_text() for path in BRIDGE_CALLS] == ["1\n"] * len(BRIDGE_CALLS)
    host({"host_bridge_netfilter": False}).succeeded()
    assert [path.read_text() for path in BRIDGE_CALLS] == ["0\n"] * len(BRIDGE_CALLS)


LOADED = "LoadState=loaded"
IDLE = {"UnitFileState": "enabled", "ActiveState": "inactive"}
OFF = {"UnitFileState": "disabled", "ActiveState": "inactive"}
RUNS = {"UnitFileState": "enabled", "ActiveState": "active"}


class TestDaemons:
    """Which units are enabled and started, with a systemctl that tells what it is given."""

    @pytest.mark.parametrize(
        ("uri", "known", "enable", "start"),
        [
            pytest.param("qemu:///system", {}, None, None, id="nothing installed"),
            pytest.param(
                "qemu:///system",
                {"libvirtd.service": OFF, "libvirtd.socket": OFF},
                ["libvirtd.service", "libvirtd.socket"],
                ["libvirtd.socket"],
                id="libvirtd off",
            ),
            pytest.param(
                "qemu:///system",
                {"libvirtd.service": IDLE, "libvirtd.socket": RUNS},
                [],
                [],
                id="libvirtd ended itself without work and its socket waits",
            ),
            pytest.param(
                "qemu:///system",
                {"libvirtd.service": OFF, "virtqemud.service": RUNS, "virtqemud.socket": RUNS}
                | {"virtnetworkd.service": OFF, "virtnetworkd.socket": RUNS},
                ["virtnetworkd.service"],
                [],
                id="modular, networks would not come with the host",
            ),
            pytest.param(
                "qemu:///system",
                {"libvirtd.service": RUNS, "virtqemud.service": OFF, "virtnetworkd.service": OFF},
                [],
                [],
                id="both installed, libvirtd chosen",
            ),
            pytest.param(
                "lxc:///system",
                {"virtqemud.service": OFF, "virtlxcd.service": OFF, "virtlxcd.socket": OFF}
                | {"virtnetworkd.service": OFF, "virtnetworkd.socket": OFF},
                ["virtnetworkd.service", "virtnetworkd.socket", "virtlxcd.service", "virtlxcd.socket"],
                ["virtnetworkd.socket", "virtlxcd.socket"],
                id="modular for containers",
            ),
        ],
    )
    def test_units(
        self,
        tmp_path: Path,
        uri: str,
        known: dict[str, dict[str, str]],
        enable: list[str] | None,
        start: list[str] | None,
    ) -> None:
        lines = [
            f"Id={unit}\n{LOADED}\n" + "".join(f"{k}={v}\n" for k, v in each.items()) for unit, each in known.items()
        ]
        lines.append("Id=other.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n")
        systemctl = tmp_path / "systemctl"
        systemctl.write_text("#!/bin/sh\ncat <<'end'\n" + "\n".join(lines) + "end\n")
        systemctl.chmod(0o755)
        wanted: dict[str, Any] = {"uri": uri, "file": str(SETTINGS), "packages": [], "bridge_netfilter": None}
        wanted |= {"forwarding_ipv4": False, "forwarding_ipv6": False}
        found = subprocess.run(
            [TARGET_PYTHON, COLLECTION / "roles/host/files/look.py", json.dumps(wanted)],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        units = json.loads(found.stdout)["units"]
        assert units == {"found": enable is not None, "enable": enable or [], "start": start or []}
