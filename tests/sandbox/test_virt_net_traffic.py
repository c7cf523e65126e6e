# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net on a network whose guests talk all the time: what each kind of change costs in packets.

One guest pings another one and the outside twenty times a second, the host pings that guest, and the guest has a
connection to the host and one to the outside that carry data both ways. The bridge has the spanning tree protocol on,
as libvirt makes it unless told otherwise, and bridged packets pass the firewall (br_netfilter), as on hosts with
containers.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness import Guest, OutsideServer, Ping, module, wipe
from harness.traffic import INTERVAL, HostServer, Stream, broken, pinging, pinging_from_host, streaming
from test_virt_net_kit import (
    change,
    definition,
    documents,
    ip,
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

HOST = "192.168.50.1"
TALKER, OTHER = "192.168.50.11", "192.168.50.12"
# A pause of the network that people who work on a guest notice, in seconds.
TOO_LONG = 2.0

Guests = tuple[Guest, Guest]
Servers = tuple[OutsideServer, OutsideServer]

RESTART = [
    "change the definition of network lab",
    "hold the firewall rules of network lab while it restarts",
    "stop network lab for a restart",
    "start network lab again",
    "let go of the firewall rules of network lab",
]

_TRACKING = """
table inet own-firewall {
  chain forward {
    type filter hook forward priority 10; policy accept;
    ct state established counter
  }
}
"""


def declared(
    *,
    lists: dict[str, dict[str, Any]] | None = None,
    hosts: list[dict[str, Any]] | None = None,
    subnet: str = "192.168.50",
    host: int = 1,
    stp: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """The network with one entry more in some of its lists. It says all that a test here changes."""

    def more(name: str) -> list[dict[str, Any]]:
        return [lists[name]] if lists and name in lists else []

    dhcp = {
        "ranges": [span(100, 149, subnet), *more("ranges")],
        "hosts": [lease(10, subnet), *more("leases"), *(hosts or [])],
    }
    lab = nat(
        bridge=None,
        domain={"name": "lab.example", "local_only": True},
        dns={"hosts": [{"ip": HOST, "names": ["gateway"]}, *more("names")], "txts": more("txts"), "srvs": more("srvs")},
        **{
            "mtu": 0,
            "portgroups": more("portgroups"),
            "dnsmasq_options": [],
            "if_restart_needed": "restart",
            **options,
        },
    )
    lab["bridge"] = {"name": "virbr-lab", "stp": stp}
    return lab | {"ips": [{"address": f"{subnet}.{host}/24", "dhcp": dhcp}]}


@pytest.fixture(autouse=True)
def _empty_host() -> None:
    """The guests stay for the whole file."""


@pytest.fixture(scope="module")
def guests() -> Iterator[Guests]:
    succeed(run(**declared()))
    with Guest("talker", ["lab"], dhcp=False) as talker, Guest("other", ["lab"], dhcp=False) as other:
        for guest, address in ((talker, TALKER), (other, OTHER)):
            guest.check(f"ip link set eth0 up; ip addr add {address}/24 dev eth0; ip route add default via {HOST}")
        yield talker, other
    wipe()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with HostServer(HOST) as host, OutsideServer() as outside:
        yield host, outside


@contextlib.contextmanager
def tracking() -> Iterator[None]:
    """A world that finds the guests' subnet, and a host whose own firewall tracks connections.

    In the mode route no rule of libvirt's needs tracking, and the kernel stops it: connections that were translated end
    with the translation.
    """
    subprocess.run(["nft", "-f", "-"], input=_TRACKING, text=True, check=True)
    ip("-n", "outside", "route", "add", "192.168.50.0/24", "via", "198.51.100.2")
    yield
    ip("-n", "outside", "route", "delete", "192.168.50.0/24")
    subprocess.run(["nft", "delete", "table", "inet", "own-firewall"], check=True)


@dataclass
class Traffic:
    """What became of the traffic during a change."""

    host: Ping = field(default_factory=Ping)
    between: Ping = field(default_factory=Ping)
    outside: Ping = field(default_factory=Ping)
    streams: list[Stream] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@contextlib.contextmanager
def traffic(guests: Guests, servers: Servers, *, host_stays: bool = True) -> Iterator[Traffic]:
    """Traffic of all kinds, or only between the guests where the host is to have another address."""
    talker, _other = guests
    found = Traffic()
    with contextlib.ExitStack() as stack:
        if host_stays:
            found.streams = stack.enter_context(streaming(talker, *servers))
            assert broken(found.streams) == []
            found.host = stack.enter_context(pinging_from_host(TALKER))
            found.outside = stack.enter_context(pinging(talker, OutsideServer.address))
        found.between = stack.enter_context(pinging(talker, OTHER))
        yield found
        found.broken = broken(found.streams)
        # What is lost right after the last change counts too.
        time.sleep(1)


def assert_plugged_in(guests: Guests, found: dict[str, dict[str, Any]]) -> None:
    """Each guest's tap is a port of the bridge, and the bridge does not make it wait."""
    for guest in guests:
        port = found.get(guest.tap(), {})
        assert (port.get("master"), port.get("state")) == ("virbr-lab", "forwarding"), guest.name


# Changes that libvirt makes on the running network.


@dataclass(frozen=True)
class Kind:
    """A list, two values of one entry of it, and where libvirt's document and dnsmasq have the value."""

    entries: str
    added: dict[str, Any]
    changed: dict[str, Any]
    path: str
    values: tuple[str, str]
    query: str | None = None


LDAP = {"service": "ldap", "protocol": "tcp", "domain": "lab.example", "target": "hub.lab.example"}
KINDS = {
    "fixed lease": Kind(
        "leases",
        lease(33),
        {**lease(33), "name": "web"},
        "ip/dhcp/host[@ip='192.168.50.33']/@name",
        ("guest33", "web"),
    ),
    "DHCP range": Kind(
        "ranges",
        span(150, 159),
        span(150, 169),
        "ip/dhcp/range[@start='192.168.50.150']/@end",
        ("192.168.50.159", "192.168.50.169"),
    ),
    "DNS host": Kind(
        "names",
        {"ip": "192.168.50.77", "names": ["hub.lab.example"]},
        {"ip": "192.168.50.78", "names": ["hub.lab.example"]},
        "dns/host[hostname='hub.lab.example']/@ip",
        ("192.168.50.77", "192.168.50.78"),
        "nslookup hub.lab.example",
    ),
    "TXT record": Kind(
        "txts",
        {"name": "info.lab.example", "value": "first"},
        {"name": "info.lab.example", "value": "second"},
        "dns/txt/@value",
        ("first", "second"),
        "nslookup -type=txt info.lab.example",
    ),
    "SRV record": Kind(
        "srvs",
        {**LDAP, "port": 389},
        {**LDAP, "port": 636},
        "dns/srv/@port",
        ("389", "636"),
        "nslookup -type=srv _ldap._tcp.lab.example",
    ),
    "portgroup": Kind(
        "portgroups",
        {"name": "web", "bandwidth": {"inbound": {"average": 1000}}},
        {"name": "web", "bandwidth": {"inbound": {"average": 2000}}},
        "portgroup/bandwidth/inbound/@average",
        ("1000", "2000"),
    ),
}


@dataclass
class Live:
    """What became of the traffic during three changes, and what was seen after each of them."""

    name: str
    traffic: Traffic
    running: list[list[str]] = field(default_factory=list)
    defined: list[list[str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]


@pytest.fixture(scope="class", params=KINDS)
def live(request: pytest.FixtureRequest, guests: Guests, servers: Servers) -> Live:
    """One entry added, changed and removed."""
    kind = KINDS[request.param]
    succeed(run(**declared()))
    assert Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text(encoding="ascii") == "1\n"
    with traffic(guests, servers) as found:
        live = Live(request.param, found)
        for entry in (kind.added, kind.changed, None):
            change(**declared(lists={kind.entries: entry} if entry else None, if_restart_needed="fail"))
            live.running.append(xpath(running(), kind.path))
            live.defined.append(xpath(definition(), kind.path))
            if kind.query:
                live.answers.append(guests[0].run(f"{kind.query} {HOST}").output)
    return live


class TestLive:
    def test_no_packet_is_lost_on_the_network(self, live: Live) -> None:
        assert live.traffic.host.sent > 20
        assert live.traffic.between.sent > 20
        assert (live.traffic.host.lost, live.traffic.between.lost) == (0, 0)

    def test_no_packet_is_lost_to_the_outside(self, live: Live) -> None:
        """For a lease or a range libvirt takes all rules of the network away and makes them again."""
        outside = live.traffic.outside
        print(f"{live.name}: {outside.lost} of {outside.sent} packets to the outside lost")
        assert outside.sent > 20
        assert outside.lost == 0

    def test_connections_survive(self, live: Live) -> None:
        assert len(live.traffic.streams) == 2
        assert live.traffic.broken == []

    def test_both_documents_and_the_dns_have_it(self, live: Live) -> None:
        added, changed = live.kind.values
        assert live.running == [[added], [changed], []]
        assert live.defined == [[added], [changed], []]
        if live.kind.query:
            found = [[value for value in (added, changed) if value in answer] for answer in live.answers]
            assert found == [[added], [changed], []]


# Changes that take a restart, with if_restart_needed: restart.

RESTARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "MTU": ({}, {"mtu": 1400}),
    "nat to route": ({}, {"forward": {"mode": "route"}}),
    "route to nat": ({"forward": {"mode": "route"}}, {}),
    "subnet": ({}, {"subnet": "192.168.51", "host": 254}),
    "STP on": ({"stp": False}, {"stp": True}),
}


@dataclass
class Restarted:
    """``ports`` are those of bridges right after the change."""

    name: str
    traffic: Traffic
    result: dict[str, Any]
    ports: dict[str, dict[str, Any]]


@pytest.fixture(scope="class", params=RESTARTS)
def restarted(request: pytest.FixtureRequest, guests: Guests, servers: Servers) -> Iterator[Restarted]:
    """The change, and a second run that finds nothing to do."""
    before, after = RESTARTS[request.param]
    succeed(run(**declared(**before)))
    with (
        tracking() if "route" in request.param else contextlib.nullcontext(),
        traffic(guests, servers, host_stays="subnet" not in after) as found,
    ):
        result, plugged = change(**declared(**after)), ports()
    yield Restarted(request.param, found, result, plugged)
    succeed(run(**declared()))


class TestRestart:
    def test_the_pause_is_short(self, restarted: Restarted) -> None:
        pings = {"guest to guest": restarted.traffic.between}
        if restarted.name != "subnet":
            pings |= {"host to guest": restarted.traffic.host, "guest to outside": restarted.traffic.outside}
        for way, ping in pings.items():
            print(f"{restarted.name}, {way}: {ping.lost} of {ping.sent} packets lost")
            assert ping.sent > 20, way
            assert ping.lost * INTERVAL < TOO_LONG, way

    def test_connections_survive(self, restarted: Restarted) -> None:
        # Where the host is to have another address, a connection to it has no way to survive.
        assert len(restarted.traffic.streams) == (0 if restarted.name == "subnet" else 2)
        assert restarted.traffic.broken == []

    def test_guests_are_plugged_in_again(self, restarted: Restarted, guests: Guests) -> None:
        assert_plugged_in(guests, restarted.ports)
        mtu = 1400 if restarted.name == "MTU" else 1500
        assert [links()[guest.tap()]["mtu"] for guest in guests] == [mtu, mtu]
        # Ports are made to forward at once by having the protocol off for that moment.
        assert links()["virbr-lab"]["linkinfo"]["info_data"]["stp_state"] == 1

    def test_the_result_says_who_was_plugged_in_and_how_long_it_took(
        self, restarted: Restarted, guests: Guests
    ) -> None:
        # Only translated connections depend on rules that are there all the time.
        expected = [step for step in RESTART if restarted.name != "route to nat" or "firewall rules" not in step]
        assert [step for step in restarted.result["steps"] if "plug" not in step] == expected
        told = {each["device"]: dict(each) for each in restarted.result["replugged"]}
        assert len(told) == len(restarted.result["replugged"]) == 2
        for guest in guests:
            entry = told[guest.tap()]
            gap = entry.pop("gap")
            print(f"{restarted.name}: {gap} s")
            assert 0 < gap < TOO_LONG
            assert entry == {"network": "lab", "guest": guest.name, "mac": guest.mac(), "device": guest.tap()}


LEASES = [lease(number) for number in range(20, 40)]


class TestManyLeases:
    """libvirt takes one lease at a time, and makes the firewall rules again for each."""

    @pytest.fixture(autouse=True)
    def _without_them(self, guests: Guests) -> None:
        succeed(run(**declared()))

    def test_one_restart_brings_all_where_it_may(self, guests: Guests, servers: Servers) -> None:
        with traffic(guests, servers) as found:
            result, plugged = change(**declared(hosts=LEASES)), ports()
        plugs = [f"plug {guest.tap()} of guest {guest.name} into virbr-lab" for guest in guests]
        assert sorted(result["steps"]) == sorted(RESTART + plugs)
        assert len(xpath(running(), "ip/dhcp/host")) == 21
        assert_plugged_in(guests, plugged)
        assert found.broken == []
        assert found.between.lost * INTERVAL < TOO_LONG

    def test_otherwise_each_is_a_live_change_and_a_warning_tells_what_that_costs(self) -> None:
        result = succeed(module("virt_net", declared(hosts=LEASES, if_restart_needed="defer")))
        assert len([step for step in result["steps"] if step.startswith("add the fixed lease")]) == 20
        assert not [step for step in result["steps"] if "restart" in step]
        assert "for each of the 20 changes of leases and ranges" in str(result["warnings"])
        assert len(xpath(running(), "ip/dhcp/host")) == 21


class TestFailedRestart:
    """dnsmasq does not start with an option it does not know, and the network is put back as it ran."""

    def test_the_network_runs_as_before(self, guests: Guests, servers: Servers) -> None:
        succeed(run(**declared()))
        before = documents()
        with traffic(guests, servers) as found:
            result = run(**declared(dnsmasq_options=["no-such-option"]))
            plugged = ports()
            assert result["failed"]
        assert "start network lab again" in result["msg"]
        assert (
            "The network runs again as before, with other, talker, and its definition is the old one" in result["msg"]
        )
        assert states()["lab"] == ("active", "yes", "yes")
        assert documents() == before
        assert_plugged_in(guests, plugged)
        assert found.broken == []
        assert 0 < found.between.lost < found.between.sent
        unchanged(**declared())
