# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net_info: what it tells is what libvirt and the guests have, and virt_net takes it back without a change."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Guest, host_state, module, virsh, wipe
from test_virt_net_kit import (
    by_hand,
    change,
    documents,
    forget_networks,
    ip,
    lease,
    nat,
    run,
    span,
    succeed,
    unchanged,
    xpath,
)
from test_virt_net_kit import definition as definition_of

# What is told beside the options of virt_net.
FULL = nat(
    mtu=1400,
    mac="52:54:00:aa:bb:01",
    domain={"name": "lab.example", "local_only": True},
    dhcp={"ranges": [span(100, 199, lease={"expiry": 2, "unit": "hours"})], "hosts": [lease(10), lease(11)]},
    routes=[{"address": "10.1.0.0/16", "gateway": "192.168.50.9", "metric": 3}],
    dns={"forwarders": [{"addr": "192.0.2.1"}], "hosts": [{"ip": "192.168.50.1", "names": ["gateway"]}]},
)


def info(**arguments: Any) -> list[dict[str, Any]]:
    result = succeed(run("virt_net_info", **arguments))
    assert result["changed"] is False
    networks: list[dict[str, Any]] = result["networks"]
    return networks


def without_empty_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_empty_lists(each) for key, each in value.items() if each != []}
    return [without_empty_lists(each) for each in value] if isinstance(value, list) else value


def declarations() -> list[dict[str, Any]]:
    """What can be given back to virt_net."""
    found: list[dict[str, Any]] = succeed(run("virt_net_info"))["declarations"]
    return found


class TestNetworks:
    @pytest.fixture(autouse=True)
    def _empty_host(self) -> Iterator[None]:
        yield
        forget_networks()

    def test_none(self) -> None:
        assert info() == []

    def test_all_in_the_order_of_their_names(self) -> None:
        succeed(run(networks=[{"name": name, "state": "present"} for name in ("b", "c", "a")]))
        assert [network["name"] for network in info()] == ["a", "b", "c"]

    def test_one(self) -> None:
        succeed(run(networks=[{"name": name, "state": "present"} for name in ("lab", "lab2")]))
        assert [network["name"] for network in info(name="lab")] == ["lab"]
        assert info(name="la") == []
        assert info(name="") == []

    def test_what_it_tells(self) -> None:
        succeed(run(**FULL))
        (network,) = info()
        assert network["uuid"] == virsh("net-uuid", "lab").strip()
        assert (network["state"], network["autostart"], network["persistent"]) == ("active", True, True)
        assert network["leases"] == []
        assert network["guests"] == []
        for name in ("mtu", "mac", "domain", "routes", "dns", "ips"):
            has, told = ({"value": owner[name]} for owner in (network, FULL))
            assert without_empty_lists(has) == told, name
        assert network["forward"]["mode"] == "nat"
        assert network["bridge"]["name"] == "virbr-lab"

    def test_a_transient_network(self) -> None:
        by_hand("<network><name>lab</name></network>", transient=True)
        assert declarations() == [], "declaring it would make it persistent"
        (network,) = info()
        assert (network["state"], network["autostart"], network["persistent"]) == ("active", False, False)

    @pytest.mark.parametrize(
        "declared",
        [
            FULL,
            {"name": "lab"},
            {"name": "lab", "forward": {"mode": "vepa", "interfaces": ["uplink0"]}},
            {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}},
            nat(ips=[{"address": "fd00:50::1/64", "dhcp": {"hosts": [{"name": "six", "ip": "fd00:50::9"}]}}]),
            nat(
                forward={"mode": "nat", "dev": "uplink0", "nat": {"ipv6": True, "ports": {"start": 2000, "end": 3000}}}
            ),
            nat(forward={"mode": "open"}, state="inactive", autostart=True),
            nat(ips=[{"address": "192.168.50.1/24"}, {"address": "192.168.51.1/24"}]),
            nat(dns={"enable": False}),
        ],
        ids=lambda declared: json.dumps(declared)[16:70],
    )
    def test_given_back_it_changes_nothing(self, declared: dict[str, Any]) -> None:
        ip("link", "add", "br-host", "type", "bridge")
        try:
            succeed(run(**declared))
            (network,) = declarations()
            unchanged(**network)
            # Nor does it on a second host, where the first run makes the same network.
            before = xpath(definition_of(), "//@*[not(name()='uuid')]")
            succeed(run(name="lab", state="absent"))
            succeed(run(**network))
            assert xpath(definition_of(), "//@*[not(name()='uuid')]") == before
        finally:
            forget_networks()
            ip("link", "delete", "br-host")

    def test_what_waits_for_a_restart(self) -> None:
        succeed(run(**nat()))
        assert info()[0]["pending"] == []
        succeed(run(**nat(mtu=1400)))
        assert info()[0]["pending"] == [{"option": "mtu", "running": None, "defined": 1400}]
        unchanged(**declarations()[0])
        assert info()[0]["pending"], "giving it back restarts nothing"
        succeed(run(**nat(mtu=1400, if_restart_needed="restart")))
        assert info()[0]["pending"] == []

    def test_it_touches_nothing_in_check_mode_or_out_of_it(self) -> None:
        succeed(run(**nat(state="present")))
        before = host_state(), documents()
        for check in (False, True):
            assert module("virt_net_info", {}, check=check)["networks"]
        assert (host_state(), documents()) == before

    def test_a_network_others_have_changed_shows_its_definition(self) -> None:
        """The definition is what the options are about, and what the next start takes."""
        succeed(run(**nat(mtu=1400)))
        succeed(run(**nat(mtu=9000)))
        assert info()[0]["mtu"] == 9000


class TestLeases:
    """Of one real guest with an address from a range, one with a fixed lease and one without a lease."""

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> None:
        """The guest stays for the whole class."""

    @pytest.fixture(scope="class")
    def guest(self) -> Iterator[Guest]:
        hosts = [lease(33, mac="52:54:00:00:50:33", name="fixed")]
        succeed(run(**nat(dhcp={"ranges": [span(100, 199)], "hosts": hosts})))
        succeed(run(**nat("quiet", bridge="virbr-quiet", subnet="192.168.60")))
        ip("link", "add", "br-host", "type", "bridge")
        succeed(run(name="bridged", forward={"mode": "bridge"}, bridge={"name": "br-host"}))
        nics: list[str | tuple[str, str]] = [
            ("lab", "52:54:00:00:50:21"),
            ("lab", "52:54:00:00:50:33"),
            "quiet",
            "bridged",
        ]
        with Guest("tenant", nics) as guest:
            guest.wait_for_address("eth0")
            guest.wait_for_address("eth1")
            yield guest
        wipe()

    def test_leases(self, guest: Guest) -> None:
        (network,) = info(name="lab")
        by_mac = {each["mac"]: each for each in network["leases"]}
        assert set(by_mac) == {"52:54:00:00:50:21", "52:54:00:00:50:33"}
        ranged, fixed = by_mac["52:54:00:00:50:21"], by_mac["52:54:00:00:50:33"]
        assert ranged["ip"] == guest.wait_for_address("eth0")
        assert fixed["ip"] == guest.wait_for_address("eth1") == "192.168.50.33"
        assert fixed["hostname"] == "fixed"
        assert "tenant" in (ranged["hostname"], fixed["hostname"]) or ranged["hostname"] is None
        for each in (ranged, fixed):
            assert (each["family"], each["prefix"], each["iaid"]) == ("ipv4", 24, None)
            assert each["client_id"] == f"01:{each['mac']}"
            moment = datetime.datetime.fromisoformat(each["expiry"].replace("Z", "+00:00"))
            assert moment > datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017
        listed = virsh("net-dhcp-leases", "lab")
        assert ranged["ip"] in listed
        assert fixed["ip"] in listed

    def test_guests(self, guest: Guest) -> None:
        nics = guest.nics()
        found = {network["name"]: network["guests"] for network in info()}
        assert found["lab"] == [{"name": "tenant", "mac": nic["mac"], "device": nic["tap"]} for nic in nics[:2]]
        assert found["quiet"] == [{"name": "tenant", "mac": nics[2]["mac"], "device": nics[2]["tap"]}]
        assert found["bridged"] == [{"name": "tenant", "mac": nics[3]["mac"], "device": nics[3]["tap"]}]

    def test_a_network_without_dhcp_has_no_leases(self, guest: Guest) -> None:
        assert info(name="quiet")[0]["leases"] == []
        assert info(name="bridged")[0]["leases"] == []

    def test_a_lease_that_does_not_end(self, guest: Guest) -> None:
        endless = lease(34, mac="52:54:00:00:50:33", name="fixed", lease={"expiry": 0})
        change(**nat(dhcp={"ranges": [span(100, 199)], "hosts": [endless]}))
        guest.check("udhcpc -n -q -f -t 10 -T 1 -i eth1 -s /etc/dhcp-event")
        leases = {each["ip"]: each for each in info(name="lab")[0]["leases"]}
        assert leases["192.168.50.34"]["expiry"] is None
