# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed, with SIGKILL, before or after any of its steps: the next run repairs what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible
import pytest
from harness import Guest, virsh, wipe
from harness.places import COLLECTIONS, TARGET_PYTHON
from test_virt_net_kit import (
    definition,
    forget_networks,
    lease,
    links,
    nat,
    ports,
    run,
    running,
    span,
    states,
    succeed,
    unchanged,
    xpath,
)

# The module as it is, with an engine that ends itself before the step of this number.
DRIVER = """
import json, os, runpy, signal, sys
from ansible.module_utils import basic
from ansible_collections.virtnet.hypervisor.plugins.module_utils import _network_task
call = json.load(sys.stdin)
left = [call["point"]]
apply, plan = _network_task.NetworkTask.apply, _network_task.NetworkTask.plan
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def counted(self, step):
    if left[0] == 0:
        die()
    apply(self, step)
    left[0] -= 1
def read_again(self):
    if left[0] == 0 and done:
        die()
    done.append(1)
    return plan(self)
done = []
_network_task.NetworkTask.apply, _network_task.NetworkTask.plan = counted, read_again
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": call["arguments"]}).encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module("ansible_collections.virtnet.hypervisor.plugins.modules.virt_net", run_name="__main__", alter_sys=True)
"""


def killed(arguments: Mapping[str, Any], point: int) -> bool:
    """Run until ``point`` steps are done. Whether it came to that."""
    path = f"{Path(ansible.__file__).parent.parent}:{COLLECTIONS}"
    full = {
        **arguments,
        "_ansible_check_mode": False,
        "_ansible_diff": True,
        "_ansible_remote_tmp": os.environ["TMPDIR"],
    }
    result = subprocess.run(
        [TARGET_PYTHON, "-c", DRIVER],
        input=json.dumps({"point": point, "arguments": full}),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode == -signal.SIGKILL


def at_every_point(prepare: Callable[[], object], arguments: Mapping[str, Any], check: Callable[[], object]) -> int:
    """Kill a run at each point; the next one finishes it, and the one after that has nothing to do."""
    point = 0
    while True:
        prepare()
        was_killed = killed(arguments, point)
        result = succeed(run(**arguments))
        check()
        unchanged(**arguments)
        if not was_killed:
            assert not result["changed"]
            return point
        point += 1


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def test_the_driver_does_what_the_module_does() -> None:
    assert not killed(nat(), 99)
    unchanged(**nat())


def test_creation() -> None:
    lab = nat(dhcp={"ranges": [span(100, 199)], "hosts": [lease(9)]})

    def check() -> None:
        assert states() == {"lab": ("active", "yes", "yes")}
        assert xpath(running(), "ip/dhcp/host/@ip") == ["192.168.50.9"]
        assert "virbr-lab" in links()

    # Before each of the three steps, and after the last.
    assert at_every_point(forget_networks, lab, check) == 4


def test_creation_of_many() -> None:
    networks = [{"name": f"net{n}", "bridge": {"name": f"virbr{n}"}} for n in range(2)]
    assert at_every_point(forget_networks, {"networks": networks}, lambda: None) == 7
    assert set(states().values()) == {("active", "yes", "yes")}


def test_live_changes() -> None:
    before = nat(dhcp={"hosts": [lease(9)]}, dns={"hosts": [{"ip": "192.168.50.1", "names": ["a"]}]})
    after = nat(
        dhcp={"ranges": [span(100, 150)], "hosts": [lease(9, name="web")]},
        dns={"hosts": [{"ip": "192.168.50.1", "names": ["b"]}]},
    )

    def prepare() -> None:
        forget_networks()
        succeed(run(**before))

    def check() -> None:
        for document in (running(), definition()):
            assert xpath(document, "ip/dhcp/range/@end") == ["192.168.50.150"]
            assert xpath(document, "ip/dhcp/host/@name") == ["web"]
            assert xpath(document, "dns/host/hostname") == ["b"]
        saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        assert "LIBVIRT_FWI -o virbr-lab" in saved
        assert "VIRTNET" not in saved, "the copy of the rules is left by none of the killed runs"

    # The rules are held and let go; the name goes and comes; the range comes, and the lease changes.
    assert at_every_point(prepare, after, check) == 7


def test_a_change_of_the_definition_beside_live_changes() -> None:
    after = nat(mtu=1400, dhcp={"hosts": [lease(9), lease(10)]})

    def prepare() -> None:
        forget_networks()
        succeed(run(**nat()))

    def check() -> None:
        for document in (running(), definition()):
            assert sorted(xpath(document, "ip/dhcp/host/@ip")) == ["192.168.50.10", "192.168.50.9"]
        assert xpath(definition(), "mtu/@size") == ["1400"]

    assert at_every_point(prepare, after, check) >= 3


@pytest.mark.parametrize("transient", [False, True])
def test_removal(transient: bool) -> None:
    def prepare() -> None:
        succeed(run(**nat()))
        if transient:
            virsh("net-undefine", "lab")

    def check() -> None:
        assert states() == {}
        assert "virbr-lab" not in links()

    assert at_every_point(prepare, {"name": "lab", "state": "absent"}, check) == (2 if transient else 3)


def test_a_network_goes_and_another_takes_its_place() -> None:
    bridge = {"name": "virbr-lab"}
    networks = [{"name": "new", "bridge": bridge}, {"name": "old", "state": "absent"}]

    def prepare() -> None:
        forget_networks()
        succeed(run(name="old", bridge=bridge))

    assert at_every_point(prepare, {"networks": networks}, lambda: None) == 6
    assert states() == {"new": ("active", "yes", "yes")}


class TestRestartWithAGuest:
    @pytest.fixture(autouse=True)
    def _empty_host(self) -> None:
        """The guest stays for the whole class."""

    @pytest.fixture(scope="class")
    def guest(self) -> Iterator[Guest]:
        succeed(run(**self.declared(1500)))
        with Guest("killed", ["lab"]) as guest:
            guest.wait_for_address()
            yield guest
        wipe()

    @staticmethod
    def declared(mtu: int) -> dict[str, Any]:
        lab = nat(dhcp={"ranges": [span(100, 199)]}, mtu=mtu, if_restart_needed="restart")
        return {**lab, "bridge": {"name": "virbr-lab", "stp": False}}

    def test_restart(self, guest: Guest) -> None:
        mtus = iter(range(1401, 1500))

        def prepare() -> None:
            succeed(run(**self.declared(1500)))
            assert ports()[guest.tap()]["master"] == "virbr-lab"

        def check() -> None:
            assert ports()[guest.tap()]["master"] == "virbr-lab"
            assert links()["virbr-lab"]["mtu"] == mtu
            guest.check("ping -c 1 -W 5 192.168.50.1")

        mtu = next(mtus)
        # Definition, stop, start, and the guest's tap.
        assert at_every_point(prepare, self.declared(mtu), check) == 7

    def test_removal_by_force(self, guest: Guest) -> None:
        arguments = {"name": "lab", "state": "absent", "force": True}
        assert at_every_point(lambda: run(**self.declared(1500)), arguments, lambda: None) == 3
        assert states() == {}
