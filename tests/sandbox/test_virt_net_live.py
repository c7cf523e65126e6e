# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net on a network with a guest: what libvirt can change on a running network costs the guest little or nothing.

Nothing is lost on the network itself, nor to the outside: for each change of a lease or a range libvirt takes the
network's firewall rules away and puts them back, and a copy of them stands in meanwhile.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import Guest, OutsideServer, wipe
from test_virt_net_kit import (
    change,
    definition,
    in_process_of_its_own,
    lease,
    nat,
    run,
    running,
    span,
    succeed,
    unchanged,
    xpath,
)

FAMILIES = ("iptables", "ip6tables")
MAC = "52:54:00:00:50:21"
OWN = {"mac": MAC, "name": "live", "ip": "192.168.50.33"}


def declared(
    *, ranges: list[dict[str, Any]], hosts: list[dict[str, Any]], names: dict[str, list[str]]
) -> dict[str, Any]:
    return nat(
        # Without it the kernel lets a new port wait for seconds.
        bridge=None,
        domain={"name": "lab.example", "local_only": True},
        dhcp={"ranges": ranges, "hosts": hosts},
        dns={"hosts": [{"ip": ip, "names": each} for ip, each in names.items()]},
    ) | {"bridge": {"name": "virbr-lab", "stp": False}}


BASE: dict[str, Any] = {"ranges": [span(100, 199)], "hosts": [lease(10)], "names": {"192.168.50.1": ["gateway"]}}


@pytest.fixture(autouse=True)
def _empty_host() -> None:
    """The guest stays for the whole file."""


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    succeed(run(**declared(**BASE)))
    with Guest("live", [("lab", MAC)]) as guest:
        guest.wait_for_address()
        yield guest
    wipe()


@contextmanager
def no_packet_lost(guest: Guest, target: str) -> Iterator[None]:
    """Twenty packets a second, each counted by its number. Only the ones still on their way at the end are left out."""
    ping = guest.background(f"exec ping -i 0.05 {target}")
    ping.wait_for_output("seq=9 ")
    yield
    ping.signal("INT")
    came = [int(number) for number in re.findall(r"seq=(\d+) ", ping.wait().output)]
    assert len(came) > 10
    assert sorted(set(range(came[0], came[-1] + 1)) - set(came)) == []


def updates(result: dict[str, Any]) -> list[str]:
    """Steps that are calls of libvirt."""
    return [step for step in result["steps"] if not step.startswith(("hold the", "let go of"))]


def firewall() -> list[str]:
    """All rules, without counters, with the copy's name if it is there."""
    saved = [subprocess.run([f"{family}-save"], capture_output=True, text=True, check=True) for family in FAMILIES]
    return [line.partition(" [")[0] for each in saved for line in each.stdout.splitlines() if line[0] in ":-*"]


def no_restart(result: dict[str, Any]) -> None:
    assert result["pending_restart"] == []
    assert not [step for step in result["steps"] if "stop" in step or "start" in step or "definition" in step]


CHANGES: dict[str, dict[str, Any]] = {
    "fixed leases more": {"hosts": [lease(10), OWN]},
    "fixed leases changed": {"hosts": [lease(10, name="web"), OWN]},
    "DNS entries more": {"names": {"192.168.50.1": ["gateway"], "fd00::1": ["gateway"], "192.168.50.2": ["hub"]}},
    "DNS entries changed": {"hosts": [], "names": {"192.168.50.1": ["gateway", "gw"], "192.168.50.2": ["hub"]}},
    "no DNS entries": {"hosts": [], "names": {}},
    "ranges changed": {"ranges": [span(60, 69, lease={"expiry": 3, "unit": "hours"}), span(100, 150)]},
}


def test_live_changes_lose_no_packet_on_the_network(guest: Guest) -> None:
    succeed(run(**declared(**BASE)))
    with no_packet_lost(guest, "192.168.50.1"):
        for change_of in CHANGES.values():
            now = declared(**{**BASE, **change_of})
            no_restart(change(**now))
            for document in (running(), definition()):
                assert sorted(xpath(document, "ip/dhcp/host/@ip")) == sorted(
                    host["ip"] for host in now["ips"][0]["dhcp"]["hosts"]
                )
                assert sorted(xpath(document, "dns/host/@ip")) == sorted(host["ip"] for host in now["dns"]["hosts"])
                assert len(xpath(document, "ip/dhcp/range/@start")) == len(now["ips"][0]["dhcp"]["ranges"])


def test_changes_of_names_lose_no_packet_to_the_outside(guest: Guest) -> None:
    succeed(run(**declared(**BASE)))
    with no_packet_lost(guest, "198.51.100.1"):
        for names in [change_of["names"] for change_of in CHANGES.values() if "names" in change_of]:
            no_restart(change(**declared(**{**BASE, "names": names})))


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"hosts": [lease(10), lease(11)]}, 1),
        ({"hosts": [lease(10, name="web")]}, 1),
        ({"hosts": [lease(10, ip="192.168.50.12")]}, 1),
        ({"hosts": [lease(10, lease={"expiry": 3, "unit": "hours"})]}, 1),
        ({"hosts": []}, 1),
        ({"ranges": [span(60, 69), span(100, 199)]}, 1),
        ({"ranges": [span(100, 150)]}, 2),
        ({"names": {"192.168.50.1": ["gateway"], "192.168.50.2": ["hub"]}}, 1),
    ],
    ids=lambda value: str(value)[:50].replace(" ", "") if isinstance(value, dict) else None,
)
def test_no_more_calls_than_needed(options: dict[str, Any], calls: int) -> None:
    """Each call for a lease or a range rebuilds the firewall."""
    succeed(run(**declared(**BASE)))
    result = succeed(run(check=True, **declared(**{**BASE, **options})))
    assert len(updates(result)) == calls
    no_restart(result)


def test_the_way_to_the_outside_stays_open(guest: Guest) -> None:
    """libvirt takes away the network's firewall rules for each lease and range. A copy of them stands in."""
    succeed(run(**declared(**BASE)))
    before = firewall()
    with no_packet_lost(guest, "198.51.100.1"):
        change(**declared(**{**BASE, "hosts": [OWN], "ranges": [span(100, 180)]}))
    assert firewall() == before, "the copy is gone, and nothing else changed"


def test_a_new_connection_finds_its_way_while_the_rules_are_made_anew(guest: Guest) -> None:
    """Each ping is a process with a number of its own, so that the firewall knows none of them."""
    succeed(run(**declared(**BASE)))
    pings = guest.background("while true; do ping -c 1 -W 1 198.51.100.1 >/dev/null && echo came || echo lost; done")
    pings.wait_for_output("came")
    for number in (60, 61, 62):
        change(**declared(**{**BASE, "hosts": [OWN, lease(number)]}))
    pings.signal("KILL")
    found = pings.wait().output.split()
    assert found.count("came") > 10
    assert "lost" not in found


def test_an_unchanged_network_loses_no_packet(guest: Guest) -> None:
    succeed(run(**declared(**BASE)))
    with no_packet_lost(guest, "198.51.100.1"):
        for _attempt in range(3):
            unchanged(with_=in_process_of_its_own, **declared(**BASE))


def test_a_lasting_connection_survives_new_names(guest: Guest, outside: OutsideServer) -> None:
    succeed(run(**declared(**BASE)))
    client = guest.background(f"(while :; do echo x; usleep 50000; done) | nc {outside.address} {outside.port}")
    connection = outside.wait_for_connection()
    assert connection.address == "198.51.100.2"
    for names in ({}, {"192.168.50.9": ["nine"]}):
        change(**declared(**{**BASE, "names": names}))
    before = connection.received
    guest.run("sleep 1")
    assert connection.open
    assert connection.received > before
    client.signal("TERM")


def test_a_new_fixed_lease_is_what_the_guest_gets(guest: Guest) -> None:
    succeed(run(**declared(**BASE)))
    renew = "udhcpc -n -q -f -t 10 -T 1 -i eth0 -s /etc/dhcp-event"
    change(**declared(**{**BASE, "hosts": [OWN]}))
    guest.check(renew)
    assert guest.wait_for_address() == "192.168.50.33"
    change(**declared(**{**BASE, "hosts": [{**OWN, "ip": "192.168.50.44"}]}))
    guest.check(renew)
    assert guest.wait_for_address() == "192.168.50.44"
    # The last fixed lease goes, and then the last range; <dhcp> with nothing in it serves nobody.
    change(**declared(**{**BASE, "hosts": []}))
    guest.check(renew)
    change(**declared(ranges=[], hosts=[], names=BASE["names"]))
    assert xpath(running(), "ip/dhcp/range | ip/dhcp/host") == []
    assert guest.run(renew.replace("-t 10", "-t 2")).rc != 0
    change(**declared(**BASE))
    guest.check(renew)
    assert 100 <= int(guest.wait_for_address().rpartition(".")[2]) <= 199


def test_new_names_are_what_the_guest_finds(guest: Guest) -> None:
    succeed(run(**declared(**BASE)))
    change(**declared(**{**BASE, "names": {"192.168.50.9": ["zeta.lab.example", "alpha.lab.example"]}}))
    for name in ("zeta.lab.example", "alpha.lab.example"):
        assert "192.168.50.9" in guest.check(f"nslookup {name} 192.168.50.1")
    # An address has one name, and that is the first one declared.
    assert "zeta" in guest.check("nslookup 192.168.50.9 192.168.50.1")
    assert "alpha" not in guest.check("nslookup 192.168.50.9 192.168.50.1")
    change(**declared(**{**BASE, "names": {}}))
    assert "192.168.50.9" not in guest.run("nslookup zeta.lab.example 192.168.50.1").output


def test_dhcp_moves_to_another_address_of_the_network() -> None:
    """Both addresses are there; only where DHCP is served changes, and libvirt takes one place for it."""
    two = nat(name="two", bridge="virbr-two", subnet="192.168.60")
    two["ips"] = [
        {"address": "192.168.60.1/24", "dhcp": {"ranges": [span(9, 19, "192.168.60")]}},
        {"address": "192.168.61.1/24"},
    ]
    succeed(run(**two))
    two["ips"] = [
        {"address": "192.168.60.1/24", "dhcp": {"ranges": [], "hosts": []}},
        {
            "address": "192.168.61.1/24",
            "dhcp": {"ranges": [span(9, 19, "192.168.61")], "hosts": [lease(5, "192.168.61")]},
        },
    ]
    no_restart(change(**two))
    assert xpath(running("two"), "ip[dhcp]/@address") == ["192.168.61.1"]
    change(name="two", state="absent")


def test_ipv6_leases_change_live() -> None:
    def six(*hosts: dict[str, Any]) -> dict[str, Any]:
        dhcp = {"ranges": [{"start": "fd00:60::100", "end": "fd00:60::1ff"}], "hosts": list(hosts)}
        return nat("six", bridge="virbr-six") | {"ips": [{"address": "fd00:60::1/64", "dhcp": dhcp}]}

    first = {"id": "00:03:00:01:52:54:00:00:60:01", "ip": "fd00:60::10"}
    second = {"name": "named", "ip": "fd00:60::11"}
    succeed(run(**six(first, second)))
    for hosts in ([{**first, "ip": "fd00:60::12"}, second], [{**second, "ip": "fd00:60::13"}], []):
        no_restart(change(**six(*hosts)))
        assert sorted(xpath(running("six"), "ip/dhcp/host/@ip")) == sorted(host["ip"] for host in hosts)
    change(name="six", state="absent")


def test_three_hundred_fixed_leases() -> None:
    """Made in one definition, and one of them changed by one call."""
    hosts = [
        {"mac": f"52:54:00:01:{n // 256:02x}:{n % 256:02x}", "name": f"g{n}", "ip": f"10.60.{n // 250}.{n % 250 + 2}"}
        for n in range(300)
    ]
    many = nat("many", bridge="virbr-many") | {"ips": [{"address": "10.60.255.1/16", "dhcp": {"hosts": hosts}}]}
    change(**many)
    hosts[150] = {**hosts[150], "name": "renamed"}
    result = change(**many)
    assert len(updates(result)) == 1
    no_restart(result)
    assert xpath(running("many"), "ip/dhcp/host[@name='renamed']/@ip") == [hosts[150]["ip"]]
    change(name="many", state="absent")
