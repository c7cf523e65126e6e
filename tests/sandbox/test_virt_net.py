# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net: networks come, stay as they are in every spelling, change state and go."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from harness import libvirtd, module, virsh
from test_virt_net_kit import (
    assert_all_valid,
    assert_valid,
    by_hand,
    change,
    definition,
    documents,
    forget_networks,
    handed_over,
    in_process_of_its_own,
    lease,
    links,
    nat,
    run,
    running,
    span,
    states,
    succeed,
    unchanged,
    xpath,
)

LAB = nat(
    mac="52:54:00:aa:bb:01",
    domain={"name": "lab.example", "local_only": True},
    dhcp={
        "ranges": [span(100, 149), span(160, 199, lease={"expiry": 2, "unit": "hours"})],
        "hosts": [lease(10), lease(11), lease(12)],
    },
    dns={"hosts": [{"ip": "192.168.50.1", "names": ["gateway"]}, {"ip": "192.168.50.2", "names": ["registry", "hub"]}]},
)

# Without an address there is no dnsmasq to wait for.
PLAIN = "<network><name>lab</name><bridge name='virbr-lab'/></network>"


class TestNatNetwork:
    def test_one_task_makes_it(self) -> None:
        with handed_over() as given:
            result = succeed(run(**LAB))
        assert result["changed"]
        assert result["steps"] == ["define network lab", "start network lab", "start network lab with the host"]
        assert result["pending_restart"] == []
        assert states() == {"lab": ("active", "yes", "yes")}
        assert len(given) == 1
        assert_valid(given[0])
        assert_all_valid()

        document = running()
        assert xpath(document, "forward/@mode") == ["nat"]
        assert xpath(document, "mac/@address") == ["52:54:00:aa:bb:01"]
        assert xpath(document, "ip/dhcp/range/@start") == ["192.168.50.100", "192.168.50.160"]
        assert xpath(document, "ip/dhcp/range[@start='192.168.50.160']/lease/@expiry") == ["2"]
        assert sorted(xpath(document, "ip/dhcp/host/@ip")) == ["192.168.50.10", "192.168.50.11", "192.168.50.12"]
        assert xpath(document, "dns/host[@ip='192.168.50.1']/hostname") == ["gateway"]
        assert xpath(document, "domain/@localOnly") == ["yes"]
        bridge = links()["virbr-lab"]
        assert bridge["address"] == "52:54:00:aa:bb:01"
        assert "UP" in bridge["flags"]
        assert [(a["local"], a["prefixlen"]) for a in bridge["addr_info"]] == [("192.168.50.1", 24)]

    def test_second_run_changes_nothing(self) -> None:
        assert module("virt_net", LAB)["changed"]
        unchanged(with_=in_process_of_its_own, **LAB)

    def test_a_killed_libvirtd_changes_nothing(self) -> None:
        succeed(run(**LAB))
        before = documents()
        libvirtd("kill")
        libvirtd("start")
        assert documents() == before
        unchanged(with_=in_process_of_its_own, **LAB)
        # The network must still be one that can be changed.
        change(**{**LAB, "dns": {"hosts": []}})

    def test_another_order_changes_nothing(self) -> None:
        succeed(run(**LAB))
        unchanged(**_reversed(LAB))

    @pytest.mark.parametrize(
        "spell",
        [
            lambda mac: mac.upper(),
            lambda mac: mac.replace(":", "-"),
            lambda mac: mac.upper().replace(":", "-"),
            lambda mac: f" {mac} ",
        ],
        ids=["upper case", "dashes", "upper case and dashes", "blanks around"],
    )
    def test_another_spelling_of_macs_changes_nothing(self, spell: Any) -> None:
        succeed(run(**LAB))
        other = copy.deepcopy(LAB)
        other["mac"] = spell(LAB["mac"])
        for host in other["ips"][0]["dhcp"]["hosts"]:
            host["mac"] = spell(host["mac"])
        unchanged(**other)

    @pytest.mark.parametrize("address", ["192.168.50.1/255.255.255.0", " 192.168.50.1/24 "])
    def test_another_spelling_of_the_address_changes_nothing(self, address: str) -> None:
        succeed(run(**LAB))
        other = copy.deepcopy(LAB)
        other["ips"][0]["address"] = address
        unchanged(**other)

    @pytest.mark.parametrize(
        ("address", "first", "last", "host", "route"),
        [
            ("FD00:50::1/64", "fd00:50:0:0:0:0:0:100", "fd00:50::01ff", "fd00:0050::10", "FD00:99:0::/48"),
            ("fd00:50:0:0:0:0:0:1/64", "FD00:50::100", "FD00:50::1FF", "fd00:50:0::0:10", "fd00:0099::/48"),
        ],
    )
    def test_another_spelling_of_ipv6_changes_nothing(
        self, address: str, first: str, last: str, host: str, route: str
    ) -> None:
        def declared(address: str, first: str, last: str, host: str, route: str) -> dict[str, Any]:
            dhcp = {"ranges": [{"start": first, "end": last}], "hosts": [{"name": "six", "ip": host}]}
            return nat(ips=[{"address": address, "dhcp": dhcp}], routes=[{"address": route, "gateway": host}])

        succeed(run(**declared("fd00:50::1/64", "fd00:50::100", "fd00:50::1ff", "fd00:50::10", "fd00:99::/48")))
        unchanged(**declared(address, first, last, host, route))

    def test_what_is_not_declared_is_left_alone(self) -> None:
        succeed(run(**LAB))
        before = definition()
        unchanged(name="lab")
        unchanged(name="lab", ips=[{"address": "192.168.50.1/24"}])
        unchanged(name="lab", dns={}, domain={}, bridge={}, forward={})
        unchanged(name="lab", ips=[{"address": "192.168.50.1/24", "dhcp": {}}])
        assert definition() == before

    def test_result_describes_the_network_with_what_libvirt_made_up(self) -> None:
        result = succeed(run(**nat(bridge=None)))
        (network,) = result["networks"]
        assert network["bridge"]["name"] == xpath(running(), "bridge/@name")[0]
        assert network["mac"] == xpath(running(), "mac/@address")[0]
        assert (network["name"], network["state"], network["autostart"]) == ("lab", "active", True)
        assert network["pending_restart"] is False


def _reversed(value: Any) -> Any:
    """The same options in the opposite order, lists included.

    Not the names of one address: the first of them is what is found for the address.
    """
    if isinstance(value, dict):
        return {key: inner if key == "names" else _reversed(inner) for key, inner in reversed(value.items())}
    return [_reversed(inner) for inner in reversed(value)] if isinstance(value, list) else value


class TestState:
    """Every state from every state, with autostart."""

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> Any:
        yield
        forget_networks()

    START: ClassVar[dict[str, Callable[[], None]]] = {
        "nothing": lambda: None,
        "inactive": lambda: by_hand(PLAIN),
        "active": lambda: by_hand(PLAIN, start=True),
        "transient": lambda: by_hand(PLAIN, transient=True),
    }

    @pytest.mark.parametrize("start", START)
    @pytest.mark.parametrize(
        ("state", "autostart", "end"),
        [
            ("active", None, ("active", "yes", "yes")),
            ("active", True, ("active", "yes", "yes")),
            ("active", False, ("active", "no", "yes")),
            ("inactive", None, ("inactive", "no", "yes")),
            ("inactive", True, ("inactive", "yes", "yes")),
            ("present", None, (None, "no", "yes")),
            ("present", True, (None, "yes", "yes")),
            ("absent", None, None),
        ],
    )
    def test_state(
        self, start: str, state: str, autostart: bool | None, end: tuple[str | None, str, str] | None
    ) -> None:
        self.START[start]()
        before = documents()
        declared: dict[str, Any] = {
            "name": "lab",
            "state": state,
            **({} if autostart is None else {"autostart": autostart}),
        }
        foreseen = succeed(run(check=True, **declared))
        assert documents() == before
        result = succeed(run(**declared))
        assert foreseen["steps"] == result["steps"]
        if end is None:
            assert states() == {}
        else:
            active = end[0] or ("active" if start in ("active", "transient") else "inactive")
            assert states() == {"lab": (active, *end[1:])}
            assert result["networks"][0]["state"] == active
        unchanged(**declared)

    @pytest.mark.parametrize("state", ["present", "inactive"])
    def test_autostart_is_left_alone_unless_the_network_is_to_be_active(self, state: str) -> None:
        succeed(run(name="lab"))
        succeed(run(name="lab", state=state))
        assert states()["lab"][1] == "yes"

    def test_a_transient_network_keeps_its_uuid_and_mac_when_it_becomes_persistent(self) -> None:
        by_hand(PLAIN, transient=True)
        uuid, mac = virsh("net-uuid", "lab"), xpath(running(), "mac/@address")
        change(name="lab")
        assert virsh("net-uuid", "lab") == uuid
        assert xpath(definition(), "mac/@address") == mac

    def test_a_transient_network_is_changed_and_restarted(self) -> None:
        by_hand(PLAIN, transient=True)
        change(name="lab", mtu=1400, if_restart_needed="restart")
        assert xpath(running(), "mtu/@size") == ["1400"]
        assert links()["virbr-lab"]["mtu"] == 1400


class TestMany:
    def test_many_come_and_go_in_one_run(self) -> None:
        networks = [nat(f"net{n}", subnet=f"192.168.{n}", bridge=f"virbr{n}") for n in range(50, 54)]
        # Forty more that do not run, so that the list is long and the test is not.
        networks += [{"name": f"idle{n}", "state": "present", "autostart": False} for n in range(40)]
        change(networks=networks)
        assert set(states()) == {each["name"] for each in networks}
        assert list(states().values()).count(("active", "yes", "yes")) == 4
        result = succeed(run(networks=[{"name": each["name"], "state": "absent"} for each in networks]))
        assert len(result["networks"]) == 44
        assert states() == {}

    def test_only_what_differs_is_changed(self) -> None:
        networks = [nat(f"net{n}", subnet=f"192.168.{n}", bridge=f"virbr{n}", state="present") for n in range(50, 54)]
        succeed(run(networks=networks))
        networks[2]["ips"][0]["dhcp"] = {"hosts": [lease(9, "192.168.52")]}
        result = change(networks=networks)
        assert all("net52" in step for step in result["steps"])
        assert [diff["before_header"] for diff in result["diff"]] == ["network net52"]

    def test_an_empty_list_does_nothing(self) -> None:
        unchanged(networks=[])

    @pytest.mark.parametrize("way", [1, -1])
    def test_a_removed_network_makes_room(self, way: int) -> None:
        succeed(run(**nat("old")))
        change(networks=[nat("new"), {"name": "old", "state": "absent"}][::way])
        assert set(states()) == {"new"}

    @pytest.mark.parametrize("way", [1, -1])
    def test_a_stopped_network_makes_room_for_a_subnet(self, way: int) -> None:
        """Nothing of what is declared overlaps in the end."""
        succeed(run(**nat("old")))
        old = {"name": "old", "state": "inactive", "autostart": False}
        change(networks=[nat("new", bridge="virbr-new"), old][::way])
        assert states() == {"new": ("active", "yes", "yes"), "old": ("inactive", "no", "yes")}

    @pytest.mark.parametrize("way", [1, -1])
    def test_a_renamed_bridge_makes_room_for_its_name(self, way: int) -> None:
        succeed(run(**nat("old", bridge="virbr-a")))
        networks = [
            nat("old", bridge="virbr-b", if_restart_needed="restart"),
            nat("new", bridge="virbr-a", subnet="192.168.60"),
        ]
        change(networks=networks[::way])
        assert {"virbr-a", "virbr-b"} <= set(links())

    @pytest.mark.parametrize("what", ["bridges", "subnets"])
    def test_two_networks_swap(self, what: str) -> None:
        """It is carried out or refused, but no network may be left stopped halfway."""
        first, second = nat("a", bridge="virbr-a"), nat("b", bridge="virbr-b", subnet="192.168.60")
        succeed(run(networks=[first, second]))
        key = "bridge" if what == "bridges" else "ips"
        first[key], second[key] = second[key], first[key]
        wanted = [{**each, "if_restart_needed": "restart"} for each in (first, second)]
        before = documents()
        result = run(networks=wanted)
        assert {state for state, _autostart, _persistent in states().values()} == {"active"}
        if result.get("failed"):
            assert result["msg"].startswith("Nothing was changed")
            assert documents() == before
        else:
            unchanged(networks=wanted)

    @pytest.mark.parametrize("what", ["bridge", "subnet"])
    def test_what_a_deferred_change_will_free_is_not_free_yet(self, what: str) -> None:
        """The first network runs on with its old bridge and subnet until somebody restarts it."""
        succeed(run(**nat("a", bridge="virbr-a")))
        before = documents()
        if what == "bridge":
            networks = [nat("a", bridge="virbr-c"), nat("b", bridge="virbr-a", subnet="192.168.60")]
        else:
            networks = [nat("a", bridge="virbr-a", subnet="192.168.60"), nat("b", bridge="virbr-b")]
        result = run(networks=networks)
        assert result.get("failed")
        assert result["msg"].startswith("Nothing was changed")
        assert documents() == before


class TestNames:
    """Names that XML, shells, YAML and options of commands have trouble with."""

    @pytest.fixture(autouse=True)
    def _empty_host(self) -> Any:
        yield
        forget_networks()

    NAMES = ("a&b", "a<b>", "a'b", 'a"b', "a b", "-lead", "--help", "ünï", "名前", "a;b", "$(id)", "..", ".", "a%b")
    MORE = ("{{ x }}", "a\\b", "#hash", "no", "1", "a: b", "a\u2028b", "x" * 200)

    @pytest.mark.parametrize("name", NAMES + MORE)
    def test_odd_name(self, name: str) -> None:
        with handed_over() as given:
            change(**nat(name, dhcp={"hosts": [lease(9)]}, state="present", autostart=True))
            change(**nat(name, dhcp={"hosts": []}, state="present", autostart=False))
        for document in (*given, definition(name)):
            assert xpath(document, "name") == [name]
            assert_valid(document)
        assert list(documents()) == [name]
        assert succeed(run("virt_net_info", name=name))["networks"][0]["name"] == name
        change(name=name, state="absent")
        assert documents() == {}

    @pytest.mark.parametrize("name", ["a<&>'\"b", "--help", "..", "ünï 名前"])
    def test_odd_name_of_a_running_network(self, name: str) -> None:
        change(**nat(name, dhcp={"hosts": [lease(9)]}))
        change(**nat(name, dhcp={"hosts": [lease(8)]}))
        change(name=name, state="absent")
        assert documents() == {}
