# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net with running guests on networks of every kind: nothing cuts them off unless the task says so.

One guest has a NIC on a NAT network, one on a macvtap network, one on a bridge of the host, and one on the bridge of a
second NAT network by the bridge's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Guest, virsh, wipe
from test_virt_net_kit import (
    change,
    definition,
    ip,
    nat,
    ports,
    refuse,
    run,
    running,
    states,
    succeed,
    unchanged,
    xpath,
)

NETWORKS: dict[str, dict[str, Any]] = {
    "nat": nat("nat", bridge="virbr-nat"),
    "macvtap": {"name": "macvtap", "forward": {"mode": "bridge", "interfaces": ["uplink0"]}},
    "bridged": {"name": "bridged", "forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}},
    "by-bridge": nat("by-bridge", bridge="virbr-by", subnet="192.168.60"),
}
NIC = "<interface type='network'><source network='{}'/><model type='virtio'/></interface>"
INTERFACES = [
    *(NIC.format(name) for name in ("nat", "macvtap", "bridged")),
    "<interface type='bridge'><source bridge='virbr-by'/><model type='virtio'/></interface>",
]


@pytest.fixture(autouse=True)
def _empty_host() -> None:
    """The guest stays for the whole file."""


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    ip("link", "add", "br-host", "type", "bridge")
    ip("link", "add", "br-other", "type", "bridge")
    succeed(run(networks=list(NETWORKS.values())))
    with Guest("busy", interfaces=INTERFACES, dhcp=False) as guest:
        yield guest
    wipe()


@pytest.fixture(autouse=True)
def _as_it_was(guest: Guest) -> None:
    """Whatever a failed test did to the networks: they are there again, and the guest is on them."""
    wanted = [{**each, "if_restart_needed": "restart"} for each in NETWORKS.values()]
    if run(networks=wanted).get("failed"):
        for name in NETWORKS:
            virsh("net-destroy", name, check=False)
            virsh("net-undefine", name, check=False)
        run(networks=wanted)
    for name, index in (("nat", 0), ("bridged", 2), ("by-bridge", 3)):
        ip("link", "set", guest.tap(index), "master", NETWORKS[name]["bridge"]["name"])


class TestInUse:
    @pytest.mark.parametrize("name", NETWORKS)
    @pytest.mark.parametrize(("state", "word"), [("absent", "removed"), ("inactive", "stopped")])
    def test_refused(self, guest: Guest, name: str, state: str, word: str) -> None:
        for force in (None, False):
            message = refuse(name=name, state=state, force=force)
            assert (
                f"network '{name}': state: it cannot be {word}, because running guests are connected: busy." in message
            )
            assert "force: true" in message

    @pytest.mark.parametrize("name", NETWORKS)
    def test_refused_with_others(self, guest: Guest, name: str) -> None:
        refuse(networks=[nat("new", bridge="virbr-new", subnet="192.168.70"), {"name": name, "state": "absent"}])
        assert "new" not in states()

    @pytest.mark.parametrize("name", NETWORKS)
    def test_force_stops_it(self, guest: Guest, name: str) -> None:
        change(**NETWORKS[name], state="inactive", force=True)
        assert states()[name][0] == "inactive"
        # Run again, it is whole again.
        succeed(run(**NETWORKS[name]))
        self._whole(guest, name)

    @pytest.mark.parametrize("name", NETWORKS)
    def test_force_removes_it(self, guest: Guest, name: str) -> None:
        change(name=name, state="absent", force=True)
        assert name not in states()
        succeed(run(**NETWORKS[name]))
        self._whole(guest, name)

    def _whole(self, guest: Guest, name: str) -> None:
        assert states()[name][0] == "active"
        unchanged(**NETWORKS[name])
        if name != "macvtap":
            index = list(NETWORKS).index(name)
            assert ports()[guest.tap(index)]["master"] == NETWORKS[name]["bridge"]["name"]

    def test_a_guest_that_does_not_run_is_in_nobodys_way(self, guest: Guest) -> None:
        guest.stop()
        try:
            change(name="nat", state="inactive")
        finally:
            succeed(run(**NETWORKS["nat"]))
            guest.start()


class TestRestart:
    def test_a_macvtap_network_is_not_restarted_under_a_guest(self, guest: Guest) -> None:
        """The guest's device is made by libvirt as the guest starts, and cannot be made again by others."""
        message = refuse(name="macvtap", forward={"mode": "private"}, if_restart_needed="restart")
        assert "network 'macvtap'" in message
        assert "busy" in message
        assert "if_restart_needed: defer" in message

    def test_a_macvtap_network_is_not_made_another_kind_under_a_guest(self, guest: Guest) -> None:
        other = nat("macvtap", bridge="virbr-x", subnet="192.168.80")
        message = refuse(**other, if_restart_needed="restart")
        assert "busy" in message

    def test_a_change_of_a_macvtap_network_can_wait(self, guest: Guest) -> None:
        result = change(name="macvtap", forward={"mode": "private"})
        assert result["pending_restart"] == ["macvtap"]
        change(name="macvtap", forward={"mode": "bridge"})

    def test_a_guest_moves_to_another_bridge_of_the_host(self, guest: Guest) -> None:
        assert ports()[guest.tap(2)]["master"] == "br-host"
        change(name="bridged", bridge={"name": "br-other"}, if_restart_needed="restart")
        assert xpath(running("bridged"), "bridge/@name") == ["br-other"]
        assert ports()[guest.tap(2)]["master"] == "br-other"

    def test_a_guest_stays_on_its_bridge_while_a_change_is_deferred(self, guest: Guest) -> None:
        result = change(name="bridged", bridge={"name": "br-other"})
        assert result["pending_restart"] == ["bridged"]
        assert ports()[guest.tap(2)]["master"] == "br-host"
        assert xpath(definition("bridged"), "bridge/@name") == ["br-other"]
        change(name="bridged", bridge={"name": "br-host"})

    def test_other_ports_of_a_bridge_are_not_touched(self, guest: Guest) -> None:
        """A port that is no guest's is nobody's to plug; a restart takes it off all the same, and says so."""
        ip("link", "add", "veth-p", "type", "veth", "peer", "name", "veth-q")
        try:
            ip("link", "set", "veth-p", "master", "br-host")
            unchanged(**NETWORKS["bridged"])
            assert ports()["veth-p"]["master"] == "br-host"
        finally:
            ip("link", "delete", "veth-p")
