# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net where a change takes a restart of the network: deferred, refused, or done with guests plugged in again."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Guest, OutsideServer, libvirtd, module, virsh, wipe
from test_virt_net_kit import (
    assert_valid,
    by_hand,
    change,
    definition,
    forget_networks,
    ip,
    lease,
    links,
    nat,
    ports,
    refuse,
    run,
    running,
    span,
    states,
    succeed,
    unchanged,
    xpath,
)

RESTART = [
    "hold the firewall rules of network lab while it restarts",
    "stop network lab for a restart",
    "start network lab again",
    "let go of the firewall rules of network lab",
]


class TestRestartNeeded:
    """Without guests."""

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> Iterator[None]:
        yield
        forget_networks()

    def test_defer_is_the_default_and_tells_so_until_the_restart(self) -> None:
        succeed(run(**nat()))
        result = module("virt_net", nat(mtu=1400))
        assert result["changed"]
        assert (result["pending_restart"], result["restarted"]) == (["lab"], [])
        assert result["networks"][0]["pending_restart"] is True
        assert "network 'lab': mtu: defined, and takes effect when the network starts next" in str(result["warnings"])
        assert xpath(definition(), "mtu/@size") == ["1400"]
        assert xpath(running(), "mtu/@size") == []
        for how in ({}, {"if_restart_needed": "defer"}):
            result = module("virt_net", nat(mtu=1400, **how))
            assert (result["changed"], result["pending_restart"]) == (False, ["lab"])
            assert "takes effect when the network starts next" in str(result["warnings"])
        # It is pending for who declares it, and not for who does not.
        assert module("virt_net", nat())["pending_restart"] == []

        virsh("net-destroy", "lab")
        virsh("net-start", "lab")
        result = module("virt_net", nat(mtu=1400))
        assert (result["changed"], result["pending_restart"]) == (False, [])
        assert "warnings" not in result
        assert links()["virbr-lab"]["mtu"] == 1400

    def test_a_deferred_change_can_be_had_later(self) -> None:
        succeed(run(**nat()))
        succeed(run(**nat(mtu=1400)))
        assert "mtu" in refuse(**nat(mtu=1400, if_restart_needed="fail"))
        result = change(**nat(mtu=1400, if_restart_needed="restart"))
        assert result["steps"] == RESTART
        assert result["pending_restart"] == []
        assert links()["virbr-lab"]["mtu"] == 1400

    def test_a_deferred_change_can_be_taken_back(self) -> None:
        succeed(run(**nat(mtu=1400)))
        assert succeed(run(**nat(mtu=9000)))["pending_restart"] == ["lab"]
        result = change(**nat(mtu=1400))
        assert result["pending_restart"] == []

    def test_fail_refuses_and_names_what(self) -> None:
        succeed(run(**nat()))
        message = refuse(**nat(mtu=1400, bridge="virbr-new", if_restart_needed="fail"))
        assert "network 'lab': bridge, mtu: libvirt cannot change this on a running network" in message
        assert "if_restart_needed: restart (guests are re-plugged) or defer (takes effect at the next start)" in message

    def test_fail_lets_live_changes_pass(self) -> None:
        succeed(run(**nat()))
        change(**nat(dhcp={"hosts": [lease(9)]}, if_restart_needed="fail"))

    def test_a_live_change_is_made_beside_a_deferred_one(self) -> None:
        succeed(run(**nat()))
        result = change(**nat(mtu=1400, dhcp={"ranges": [span(100, 199)], "hosts": [lease(9)]}))
        assert result["pending_restart"] == ["lab"]
        for document in (running(), definition()):
            assert xpath(document, "ip/dhcp/host/@ip") == ["192.168.50.9"]
            assert xpath(document, "ip/dhcp/range/@start") == ["192.168.50.100"]
        assert xpath(running(), "mtu/@size") == []

    @pytest.mark.parametrize(
        "options",
        [
            {"mtu": 1400},
            {"mac": "52:54:00:aa:bb:0c"},
            {"domain": {"name": "x.example"}},
            {"bridge": {"name": "virbr-new"}},
            {"bridge": {"name": "virbr-lab", "stp": False}},
            {"forward": {"mode": "route"}},
            {"forward": {"mode": "nat", "dev": "uplink0"}},
            {"routes": [{"address": "10.1.0.0/16", "gateway": "192.168.50.9"}]},
            {"ips": [{"address": "192.168.50.2/25"}]},
            {"ips": [{"address": "192.168.50.1/24"}, {"address": "fd00:50::1/64"}]},
            {"dns": {"enable": False}},
            {"dns": {"forwarders": [{"addr": "192.0.2.1"}]}},
            {"forward": {"mode": "nat", "nat": {"ipv6": True}}},
        ],
        ids=lambda options: str(options)[:60].replace(" ", ""),
    )
    def test_restart_brings_it_now(self, options: dict[str, Any]) -> None:
        succeed(run(**nat()))
        result = change(**{**nat(if_restart_needed="restart"), **options})
        assert result["steps"] == ["change the definition of network lab", *RESTART]
        assert result["pending_restart"] == []
        # What runs is what is defined.
        assert _facts(running()) == _facts(definition())
        assert states()["lab"] == ("active", "yes", "yes")

    def test_devices_that_are_no_guest_s_are_plugged_in_again(self) -> None:
        """A container's end of a veth pair, isolated, and an idle tap: as libvirt's LXC driver and others have them."""
        succeed(run(**nat()))
        others = ("veth-box", "tap-box")
        ip("link", "add", "veth-box", "mtu", "1420", "type", "veth", "peer", "name", "eth-box")
        ip("tuntap", "add", "tap-box", "mode", "tap")
        for name in others:
            ip("link", "set", name, "master", "virbr-lab", "up")
        ip("link", "set", "veth-box", "type", "bridge_slave", "isolated", "on")
        assert "tap-box (a device of no guest of this connection), veth-box" in refuse(name="lab", state="inactive")
        assert "Disconnect or stop them" in refuse(name="lab", state="absent")

        result = change(**nat(mtu=1400, if_restart_needed="restart"))
        assert result["restarted"] == ["lab"]
        assert [each["device"] for each in result["replugged"]] == sorted(others)
        assert [each["guest"] for each in result["replugged"]] == [None, None]
        assert {links()[name]["master"] for name in others} == {"virbr-lab"}
        assert links()["veth-box"]["mtu"] == 1420
        details = subprocess.run(["bridge", "-d", "link"], capture_output=True, text=True, check=True).stdout
        assert [" isolated on " in f"{part} " for part in details.split("veth-box")[1:2]] == [True]
        succeed(run(name="lab", state="absent", force=True))
        for name in others:
            ip("link", "delete", name)

    def test_no_restart_of_what_is_not_to_run(self) -> None:
        succeed(run(**nat()))
        result = change(**nat(mtu=1400, state="inactive", if_restart_needed="restart"))
        assert result["steps"] == ["change the definition of network lab", "stop network lab"]
        result = change(**nat(mtu=9000, state="present", if_restart_needed="restart"))
        assert result["steps"] == ["change the definition of network lab"]

    def test_a_definition_that_others_changed_is_set_right_without_a_restart(self) -> None:
        succeed(run(**nat(mtu=1400)))
        by_hand(definition().replace("1400", "9000"))
        result = change(**nat(mtu=1400, if_restart_needed="restart"))
        assert result["steps"] == ["change the definition of network lab"]


def _facts(document: str) -> list[str]:
    """The lines of a document without the port range that libvirt shows in the definition only."""
    lines = re.sub(r"<port start='1024' end='65535'/>|</?nat>", "", document).split("\n")
    return [re.sub(r"/?>$", "", line.strip()).rstrip("/") for line in lines if line.strip() and "</forward" not in line]


class TestGuests:
    """One guest with three NICs on the network: a plain one, an isolated one with an MTU of its own, and one that names
    the bridge instead of the network."""

    PLAIN = "<interface type='network'><source network='lab'/><model type='virtio'/></interface>"
    ISOLATED = (
        "<interface type='network'><source network='lab'/><model type='virtio'/><mtu size='1300'/>"
        "<port isolated='yes'/></interface>"
    )
    BRIDGE = "<interface type='bridge'><source bridge='virbr-lab'/><model type='virtio'/></interface>"

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> None:
        """The guest stays for the whole class."""

    @pytest.fixture(scope="class")
    def guest(self) -> Iterator[Guest]:
        succeed(run(**self.declared()))
        with Guest("restart", interfaces=[self.PLAIN, self.ISOLATED, self.BRIDGE], dhcp=False) as guest:
            guest.wait_until_booted()
            # One NIC is enough to talk; the others would answer for it.
            guest.check("ip link set eth1 down; ip link set eth2 down; ip link set eth0 up")
            guest.check("ip addr add 192.168.50.20/24 dev eth0; ip route add default via 192.168.50.1")
            yield guest
        wipe()

    mtus = itertools.count(1400)

    def restart(self) -> int:
        """Change what takes a restart, and return the new MTU."""
        mtu = next(self.mtus)
        change(**self.declared(mtu=mtu, if_restart_needed="restart"))
        return mtu

    @staticmethod
    def declared(**options: Any) -> dict[str, Any]:
        # Without the spanning tree a new port forwards at once.
        lab = nat(dhcp={"ranges": [span(100, 199)]}, mac="52:54:00:aa:bb:50")
        return {**lab, "bridge": {"name": "virbr-lab", "stp": False}, **options}

    @pytest.fixture(autouse=True)
    def _as_it_was(self, guest: Guest) -> None:
        succeed(run(**self.declared(if_restart_needed="restart")))
        for index, isolated in ((0, "off"), (1, "on"), (2, "off")):
            ip("link", "set", guest.tap(index), "master", "virbr-lab")
            subprocess.run(["bridge", "link", "set", "dev", guest.tap(index), "isolated", isolated], check=True)
        ip("link", "set", guest.tap(1), "mtu", "1300")

    def test_taps_are_ports_again_and_the_guest_talks(self, guest: Guest) -> None:
        guest.check("ping -c 1 -W 5 192.168.50.1")
        mtu = next(self.mtus)
        result = change(**self.declared(mtu=mtu, if_restart_needed="restart"))
        assert f"plug {guest.tap()} of guest restart into virbr-lab" in result["steps"]
        port = ports()[guest.tap()]
        assert (port["master"], port["mtu"]) == ("virbr-lab", mtu)
        assert links()["virbr-lab"]["mtu"] == mtu
        guest.check("ping -c 1 -W 5 192.168.50.1")

    def test_an_isolated_port_is_isolated_again(self, guest: Guest) -> None:
        """Otherwise guests that were kept apart reach each other from now on."""
        assert ports()[guest.tap(1)]["isolated"] is True
        self.restart()
        assert ports()[guest.tap(1)]["isolated"] is True
        assert ports()[guest.tap(0)]["isolated"] is False

    def test_an_mtu_of_the_interface_stays(self, guest: Guest) -> None:
        self.restart()
        assert ports()[guest.tap(1)]["mtu"] == 1300

    def test_a_guest_that_names_the_bridge_is_plugged_in_too(self, guest: Guest) -> None:
        self.restart()
        assert ports().get(guest.tap(2), {}).get("master") == "virbr-lab"

    def test_the_bridge_gets_another_name(self, guest: Guest) -> None:
        change(**self.declared(bridge={"name": "virbr-new"}, if_restart_needed="restart"))
        assert ports()[guest.tap()]["master"] == "virbr-new"
        guest.check("ping -c 1 -W 5 192.168.50.1")

    def test_taps_that_others_left_without_a_bridge_are_plugged_in(self, guest: Guest) -> None:
        virsh("net-destroy", "lab")
        virsh("net-start", "lab")
        assert guest.tap() not in ports()
        foreseen = succeed(run(check=True, **self.declared()))
        assert guest.tap() not in ports()
        result = change(**self.declared())
        assert foreseen["steps"] == result["steps"]
        assert f"plug {guest.tap()} of guest restart into virbr-lab" in result["steps"]
        assert ports()[guest.tap()]["master"] == "virbr-lab"
        assert ports()[guest.tap(1)]["isolated"] is True
        guest.check("ping -c 1 -W 5 192.168.50.1")

    def test_taps_are_plugged_into_a_network_that_was_stopped(self, guest: Guest) -> None:
        virsh("net-destroy", "lab")
        change(**self.declared())
        assert ports()[guest.tap()]["master"] == "virbr-lab"

    def test_taps_are_plugged_into_a_network_that_was_removed(self, guest: Guest) -> None:
        """The run that makes the network again is the one that plugs in."""
        virsh("net-destroy", "lab")
        virsh("net-undefine", "lab")
        change(**self.declared())
        assert ports()[guest.tap()]["master"] == "virbr-lab"

    def test_taps_are_plugged_into_a_new_network_whose_bridge_libvirt_names(self, guest: Guest) -> None:
        virsh("net-destroy", "lab")
        virsh("net-undefine", "lab")
        change(**{**self.declared(), "bridge": {"stp": False}})
        assert ports()[guest.tap()]["master"] == xpath(running(), "bridge/@name")[0]
        succeed(run(**self.declared(if_restart_needed="restart")))

    def test_the_guest_is_known_to_libvirt_as_before(self, guest: Guest) -> None:
        """A restart of the daemon must find nothing to mend."""
        self.restart()
        before = {tap: ports()[tap]["master"] for tap in (guest.tap(0), guest.tap(1))}
        libvirtd("restart")
        assert {tap: ports()[tap]["master"] for tap in before} == before
        assert guest.running
        unchanged(**self.declared())
        guest.check("ping -c 1 -W 5 192.168.50.1")

    @pytest.mark.parametrize("state", ["present", "inactive"])
    def test_nothing_is_plugged_into_what_does_not_run(self, guest: Guest, state: str) -> None:
        virsh("net-destroy", "lab")
        assert not [step for step in succeed(run(**self.declared(state=state)))["steps"] if "plug" in step]


class TestModesWithTraffic:
    """Each mode with what it does to a connection of a guest, on one network with one running guest."""

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> Iterator[None]:
        yield
        wipe()

    @staticmethod
    def reaches(guest: Guest, outside: OutsideServer, wait: int = 5) -> str | None:
        """The address under which the outside sees the guest, if it does."""
        before = len(outside.connections)
        found = guest.run(f"echo x | nc -w {wait} {outside.address} {outside.port} | head -n 1")
        if len(outside.connections) == before:
            return None
        assert outside.peers[-1] in found.output
        return outside.peers[-1]

    def test_modes(self, outside: OutsideServer) -> None:
        def declared(mode: str) -> dict[str, Any]:
            lab = nat(dhcp={"ranges": [span(100, 199)]}, forward={"mode": mode}, if_restart_needed="restart")
            return lab | {"bridge": {"name": "virbr-lab", "stp": False}}

        # The way back for what is not translated.
        ip("-n", "outside", "route", "add", "192.168.50.0/24", "via", "198.51.100.2")
        try:
            succeed(run(**declared("nat")))
            with Guest("modes", ["lab"]) as guest:
                address = guest.wait_for_address()
                assert self.reaches(guest, outside) == "198.51.100.2"
                change(**declared("route"))
                assert self.reaches(guest, outside) == address
                change(**declared("open"))
                assert self.reaches(guest, outside) == address
                change(**declared("isolated"))
                assert self.reaches(guest, outside, wait=1) is None
                guest.check("ping -c 1 -W 5 192.168.50.1")
                change(**declared("nat"))
                assert self.reaches(guest, outside) == "198.51.100.2"
                assert_valid(definition())
        finally:
            ip("-n", "outside", "route", "delete", "192.168.50.0/24")
