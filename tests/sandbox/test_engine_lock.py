# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs beside each other: one changes the host at a time, the others wait, and all end in the declared state."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libvirt
import pytest
from harness import module, playbook, start_module
from harness.places import COLLECTIONS
from test_virt_net_kit import (
    connection,
    forget_networks,
    lease,
    nat,
    run,
    running,
    span,
    states,
    succeed,
    unchanged,
    xpath,
)

LOCK = Path("/run/virtnet.hypervisor/lock")
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - virtnet.hypervisor.virt_net:
        networks: "{{ networks }}"
"""


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def room(name: str) -> Any:
    """A part of the engine, as it is installed."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    return importlib.import_module(f"ansible_collections.virtnet.hypervisor.plugins.module_utils.{name}")


def no_lock() -> None:
    if LOCK.parent.is_symlink() or LOCK.parent.is_file():
        LOCK.parent.unlink()
    shutil.rmtree(LOCK.parent, ignore_errors=True)


@contextlib.contextmanager
def held() -> Iterator[int]:
    LOCK.parent.mkdir(mode=0o700, exist_ok=True)
    with LOCK.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield os.getpid()


class TestTogether:
    def test_two_playbooks_with_the_same_networks(self) -> None:
        networks = [nat("a", bridge="virbr-a"), nat("b", bridge="virbr-b", subnet="192.168.60")]
        with ThreadPoolExecutor() as pool:
            runs = list(pool.map(lambda _: playbook(PLAY, extra_vars={"networks": networks}), range(2)))
        for each in runs:
            each.succeeded()
        # The work is done once.
        assert sorted(each.changed for each in runs) == [0, 1]
        assert states() == {"a": ("active", "yes", "yes"), "b": ("active", "yes", "yes")}
        unchanged(networks=networks)

    def test_many_runs_with_networks_of_their_own(self) -> None:
        """libvirt chooses the bridges' names; no two runs may get the same one."""
        networks = [nat(f"net{n}", subnet=f"192.168.{50 + n}", bridge=None) for n in range(6)]
        processes = [start_module("virt_net", each) for each in networks]
        results = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
        assert [result.get("changed") for result in results] == [True] * 6
        assert len(states()) == 6
        assert len({xpath(running(each["name"]), "bridge/@name")[0] for each in networks}) == 6

    def test_many_runs_with_one_network(self) -> None:
        """Each wants another lease time; one of them has the last word, and the network is whole."""
        succeed(run(**nat()))
        wanted = [nat(dhcp={"ranges": [span(100, 199)], "hosts": [lease(9, name=f"name{n}")]}) for n in range(4)]
        processes = [start_module("virt_net", each) for each in wanted]
        results = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
        assert not [result["msg"] for result in results if result.get("failed")]
        assert len(xpath(running(), "ip/dhcp/host")) == 1

    def test_one_makes_and_one_removes(self) -> None:
        processes = [start_module("virt_net", each) for each in (nat(), {"name": "lab", "state": "absent"})]
        results = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
        assert not [result["msg"] for result in results if result.get("failed")]
        assert states() in ({}, {"lab": ("active", "yes", "yes")})

    def test_reading_does_not_wait(self) -> None:
        succeed(run(**nat()))
        with held():
            assert module("virt_net_info", {})["networks"][0]["name"] == "lab"
            assert module("virt_net", nat(mtu=1400), check=True)["changed"]


class TestLock:
    def test_a_run_waits_for_the_lock(self) -> None:
        with held():
            process = start_module("virt_net", nat())
            time.sleep(2)
            assert process.poll() is None
            assert states() == {}
        result = json.loads(process.communicate()[0].splitlines()[-1])
        assert result["changed"]
        assert states() == {"lab": ("active", "yes", "yes")}

    def test_a_run_does_not_wait_for_ever(self) -> None:
        lock = room("_lock")
        with held():
            LOCK.write_text("4711", encoding="ascii")
            with pytest.raises(room("_errors").LockTimeout) as raised, lock.host_lock(timeout=0.2):
                pass
        assert "process 4711" in str(raised.value)
        assert str(LOCK) in str(raised.value)
        assert "run again" in str(raised.value)

    def test_the_lock_of_a_dead_run_is_free(self) -> None:
        LOCK.parent.mkdir(mode=0o700, exist_ok=True)
        LOCK.write_text("4711", encoding="ascii")
        succeed(run(**nat()))
        # Of two numbers, the longer one must not show through.
        assert LOCK.read_text(encoding="ascii") == str(os.getpid())

    def test_only_its_owner_can_hold_it(self) -> None:
        no_lock()
        succeed(run(**nat()))
        assert stat.S_IMODE(LOCK.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(LOCK.stat().st_mode) == 0o600

    @pytest.mark.parametrize("what", ["a link for the lock", "a file for the folder", "a link for the folder"])
    def test_what_others_put_in_its_place_is_not_followed(self, what: str, tmp_path: Path) -> None:
        no_lock()
        victim = tmp_path / "victim"
        victim.write_text("kept", encoding="ascii")
        if what == "a link for the lock":
            LOCK.parent.mkdir(mode=0o700)
            LOCK.symlink_to(victim)
        elif what == "a file for the folder":
            LOCK.parent.write_text("kept", encoding="ascii")
        else:
            LOCK.parent.symlink_to(tmp_path)
        try:
            result = module("virt_net", nat())
            assert result["failed"]
            assert "/run/virtnet.hypervisor" in result["msg"]
            assert "run again" in result["msg"]
            assert states() == {}
            assert victim.read_text(encoding="ascii") == "kept"
        finally:
            no_lock()


class TestOtherHands:
    """Administrators and other tools use libvirt at the same time, and take no lock."""

    def test_a_network_that_goes_while_it_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        succeed(run(networks=[nat(), {"name": "fleeting", "state": "present"}]))
        original = libvirt.virConnect.listAllNetworks

        def list_and_remove(self: libvirt.virConnect, *arguments: Any) -> Any:
            networks = original(self, *arguments)
            for network in networks:
                if network.name() == "fleeting":
                    other = connection()
                    other.networkLookupByName("fleeting").undefine()
                    other.close()
            return networks

        monkeypatch.setattr(libvirt.virConnect, "listAllNetworks", list_and_remove)
        result = run(**nat())
        assert not result.get("failed"), result["msg"]
        assert run("virt_net_info")["networks"]

    def test_a_step_that_fails_tells_what_was_done_before_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_network: libvirt.virNetwork) -> None:
            raise libvirt.libvirtError("the cellar is full")

        with monkeypatch.context() as patched:
            patched.setattr(libvirt.virNetwork, "create", refuse)
            result = run(**nat())
        assert result["failed"]
        assert result["msg"].startswith("Step 2 of 3 failed: start network lab: ")
        assert "the cellar is full" in result["msg"]
        assert "Done before it: define network lab." in result["msg"]
        assert states() == {"lab": ("inactive", "no", "yes")}
        assert succeed(run(**nat()))["steps"] == ["start network lab", "start network lab with the host"]

    def test_a_value_that_is_not_taken_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The run reads again what it has done, and does not believe itself."""
        original = libvirt.virConnect.networkDefineXML

        def forgetful(self: libvirt.virConnect, document: str, *rest: Any) -> Any:
            return original(self, document.replace("1400", "1300"), *rest)

        monkeypatch.setattr(libvirt.virConnect, "networkDefineXML", forgetful)
        result = run(**nat(mtu=1400))
        assert result["failed"]
        assert "the state read afterwards is not the declared one" in result["msg"]
        assert "mtu: 1300" in result["msg"]
        assert "mtu: 1400" in result["msg"]

    def test_libvirt_is_read_in_one_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        networks = [{"name": f"net{n}", "state": "present"} for n in range(30)]
        succeed(run(networks=networks))
        calls: list[str] = []

        def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                calls.append(name)
                return original(*arguments)

            return call

        for name in ("listAllNetworks", "listAllDomains", "networkLookupByName"):
            monkeypatch.setattr(libvirt.virConnect, name, counted(name, getattr(libvirt.virConnect, name)))
        unchanged(networks=networks)
        # unchanged() looks at libvirt itself, before and after.
        assert calls.count("listAllNetworks") == 3
        assert calls.count("listAllDomains") == 1
        assert calls.count("networkLookupByName") == 0
