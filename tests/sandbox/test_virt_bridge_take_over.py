# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge takes over the addresses and routes of the host's uplink, with traffic going on. The oracle is ip."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import host_state, module, settled_state
from test_virt_bridge import (
    _PING,
    DAD_SETTINGS,
    addresses,
    batch,
    bridge,
    host,
    ip,
    link,
    lost,
    ports,
    reaches,
    start_ping,
    task,
    warnings_of,
)

UPLINK = "eth9"
OWN = {"10.9.0.2/24", "10.9.7.1/32", "2001:db8:9::2/64"}
# The host at the other end is the router. There are a default route of each family, one with all options, one in
# another table, one on the link, and one that a routing daemon made.
ROUTES = f"""route add default via 10.9.0.1 dev {UPLINK} metric 50
route add default via 2001:db8:9::1 dev {UPLINK} metric 60
route add 10.77.0.0/16 via 10.9.0.1 dev {UPLINK} src 10.9.7.1 mtu 1400
route add 10.78.0.0/16 via 10.9.0.1 dev {UPLINK} table 77
route add 10.79.0.0/16 dev {UPLINK} proto static
route add 10.80.0.0/16 via 10.9.0.1 dev {UPLINK} proto bird
route add 2001:db8:77::/48 via fe80::1 dev {UPLINK}
"""


@pytest.fixture(autouse=True)
def _uplink() -> Iterator[None]:
    written = {path: path.read_text() for path in map(Path, DAD_SETTINGS)}
    for path in written:
        path.write_text("0\n")
    host("router", UPLINK, "10.9.0.1/24", "2001:db8:9::1/64", "fe80::1/64")
    batch(
        f"link set {UPLINK} up\n"
        + "".join(f"addr add {each} dev {UPLINK}{' nodad' * (':' in each)}\n" for each in sorted(OWN))
        + ROUTES
    )
    yield
    for path, value in written.items():
        path.write_text(value)
    ip("link", "delete", "br0", check=False)
    ip("netns", "delete", "host-router")


def routes(device: str) -> set[str]:
    """All routes through the device but those that the kernel makes, without its name."""
    lines = [line for family in "46" for line in ip(f"-{family}", "route", "show", "table", "all").splitlines()]
    found = {re.sub(rf" dev {device}\b", "", line).strip() for line in lines if f" dev {device} " in f"{line} "}
    return {
        re.sub(r" (linkdown|pref medium|scope link|proto boot)", "", line)
        for line in found
        if "proto kernel" not in line and not line.startswith(("local", "broadcast", "multicast", "anycast"))
    }


class Echo:
    """A TCP connection from the router to this host that carries a line every 5 ms, and gets it back."""

    _CLIENT = """
import socket, struct, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.settimeout(10)
count = 0
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    connection.sendall(b"%08d" % count)
    got = b""
    while len(got) < 8:
        piece = connection.recv(8 - len(got))
        if not piece:
            sys.exit("the connection was closed")
        got += piece
    count += 1
    time.sleep(0.005)
# tcpi_total_retrans of struct tcp_info, include/uapi/linux/tcp.h.
print(struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0])
"""

    def __init__(self, address: str, seconds: float) -> None:
        self._listener = socket.create_server(
            (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        threading.Thread(target=self._serve, daemon=True).start()
        port = str(self._listener.getsockname()[1])
        command = ["ip", "netns", "exec", "host-router", sys.executable, "-c", self._CLIENT]
        self._client = subprocess.Popen([*command, address, port, str(seconds)], stdout=subprocess.PIPE, text=True)
        self._sent_again = 0

    def _serve(self) -> None:
        connection, _peer = self._listener.accept()
        with connection:
            while data := connection.recv(1024):
                connection.sendall(data)
                self._sent_again = sent_again(connection)

    @property
    def goes_on(self) -> bool:
        return self._client.poll() is None

    def lost(self) -> int:
        """How many segments had to be sent again, over the whole life of the connection."""
        out, _err = self._client.communicate(timeout=60)
        assert self._client.returncode == 0
        self._listener.close()
        return int(out) + self._sent_again


def sent_again(connection: socket.socket) -> int:
    """tcpi_total_retrans of struct tcp_info, include/uapi/linux/tcp.h."""
    return int(struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0])


def own_ping(address: str, count: int, interval: float) -> subprocess.Popen[str]:
    """From this host."""
    command = [sys.executable, "-c", _PING, address, str(count), str(interval)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def traffic() -> tuple[list[Echo], list[subprocess.Popen[str]]]:
    """For eight seconds, a connection from the router and pings in both directions, of both families, every 5 ms."""
    seconds, interval = 8.0, 0.005
    count = int(seconds / interval * 0.8)
    streams = [Echo("10.9.0.2", seconds), Echo("2001:db8:9::2", seconds)]
    pings = [start_ping("router", each, count, interval) for each in ("10.9.0.2", "2001:db8:9::2")]
    return streams, [*pings, *(own_ping(each, count, interval) for each in ("10.9.0.1", "2001:db8:9::1"))]


def test_everything_moves_and_nothing_is_lost() -> None:
    """Then the kernel refuses a part, and everything goes back, again without a loss."""
    batch(f"link set {UPLINK} mtu 1450\n")
    moving, mac = routes(UPLINK), link(UPLINK)["address"]
    assert len(moving) == 7
    assert reaches("router", "10.9.0.2")
    streams, pings = traffic()
    strict = Path("/proc/sys/net/ipv4/conf/all/rp_filter")
    kept, _written = strict.read_text(), strict.write_text("1\n")

    result = bridge(take_over=UPLINK, stp=True)
    assert all(stream.goes_on for stream in streams), "the change took longer than the connections"
    assert strict.write_text(kept)
    assert (result["steps"][0], len(result["steps"])) == ("create bridge br0", 3)
    assert addresses("br0") == OWN
    assert addresses(UPLINK) == set()
    assert (routes("br0"), routes(UPLINK)) == (moving, set())
    assert (link("br0")["address"], link("br0")["mtu"], ports("br0")) == (mac, 1450, {UPLINK})
    assert link("br0")["linkinfo"]["info_data"]["stp_state"] == 1
    assert set(result["bridges"][0]["addresses"]) == OWN

    assert [stream.lost() for stream in streams] == [0, 0]
    assert [lost(each) for each in pings] == [0, 0, 0, 0]
    assert bridge(take_over=UPLINK)["changed"] is False
    assert Path("/proc/sys/net/ipv4/conf/br0/rp_filter").read_text() == "0\n"


def spoil_last_request(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very last request becomes one that no kernel takes: an address without an address."""
    prepared = room._prepared

    def spoiled(*arguments: Any, **options: Any) -> Any:
        move = prepared(*arguments, **options)
        return replace(move, switch=[*move.switch, replace(move.switch[0], kind=20, body=bytes(8))])

    monkeypatch.setattr(room, "_prepared", spoiled)


def test_refusal_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    state, moving = addresses(UPLINK), routes(UPLINK)
    bridge()
    # The module was run in this process, which so has its parts.
    room = importlib.import_module("ansible_collections.virtnet.hypervisor.plugins.module_utils._link.take_over")
    spoil_last_request(room, monkeypatch)
    stream, pings = Echo("10.9.0.2", 4), start_ping("router", "10.9.0.2", 500, 0.005)
    result = task(name="br0", take_over=UPLINK)
    assert "everything was put back" in result["msg"]
    assert (addresses(UPLINK), routes(UPLINK)) == (state, moving)
    assert (addresses("br0"), ports("br0"), routes("br0")) == (set(), set(), set())
    assert stream.lost() == 0
    assert lost(pings) == 0
    monkeypatch.undo()
    assert bridge(take_over=UPLINK)["changed"] is True
    assert (addresses("br0"), routes("br0")) == (OWN, moving)
    ip("link", "delete", "br0")


def test_lists_and_leases() -> None:
    """What DHCP and routers gave keeps its time to live; what the lists have no room for goes only by force."""
    batch(
        f"addr add 10.9.3.77/24 dev {UPLINK} valid_lft 900 preferred_lft 800\n"
        f"addr add 2001:db8:93::77/64 dev {UPLINK} valid_lft 900 preferred_lft 800 nodad\n"
        f"route add 2001:db8:78::/48 via fe80::1 dev {UPLINK} proto ra expires 700\n"
        f"link set {UPLINK} up\nlink add br0 type bridge\nlink set br0 mtu 1300 address 02:00:00:00:00:cc\n"
    )
    Path(f"/proc/sys/net/ipv6/conf/{UPLINK}/accept_ra").write_text("2\n")
    options: dict[str, Any] = {
        "name": "br0",
        "take_over": UPLINK,
        "addresses": ["10.9.0.2/24", "10.9.7.1/32"],
        "routes": [
            {"destination": "default", "gateway": "10.9.0.1", "metric": 50},
            {"destination": "10.79.0.0/16"},
            {"destination": "10.81.0.0/16", "gateway": "10.9.0.1"},
        ],
    }
    before = host_state()
    refused = task(**options)["msg"]
    assert f"take_over: {UPLINK} has 2001:db8:9::2/64, which the bridge would not get" in refused
    assert "routes that the bridge would not get, because they are not in routes: 10.77.0.0/16 via 10.9.0.1" in refused
    assert host_state() == before
    mac = link(UPLINK)["address"]
    result = module("virt_bridge", {**options, "force": True})
    assert "10.9.3.77/24, 2001:db8:93::77/64 came to eth9 by DHCP or from a router" in warnings_of(result)[0]
    assert addresses("br0") == {"10.9.0.2/24", "10.9.7.1/32", "10.9.3.77/24", "2001:db8:93::77/64"}
    (entry,) = json.loads(ip("-j", "addr", "show", "dev", "br0"))
    times = {each["local"]: each["valid_life_time"] for each in entry["addr_info"]}
    assert all(850 < times[leased] <= 900 for leased in ("10.9.3.77", "2001:db8:93::77"))
    found = {re.sub(r"expires \d+sec", "expires", line) for line in routes("br0")}
    assert found == {
        "default via 10.9.0.1 metric 50",
        "10.78.0.0/16 via 10.9.0.1 table 77",
        "10.79.0.0/16 proto static",
        "10.80.0.0/16 via 10.9.0.1 proto bird",
        "10.81.0.0/16 via 10.9.0.1 proto static",
        "2001:db8:78::/48 via fe80::1 proto ra metric 1024 expires",
    }
    assert routes(UPLINK) == set()
    assert (link("br0")["address"], link("br0")["mtu"]) == (mac, 1500)
    assert Path("/proc/sys/net/ipv6/conf/br0/accept_ra").read_text() == "2\n"
    assert task(**options)["changed"] is False


def killed(pieces: int, **options: Any) -> None:
    """A run that is killed right after some pieces of its move."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            room: Any = importlib.import_module(
                "ansible_collections.virtnet.hypervisor.plugins.module_utils._link.take_over"
            )
            do, left = room._do, pieces

            def counted(*arguments: Any) -> None:
                nonlocal left
                do(*arguments)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            room._do = counted
            task(**options)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_run_that_was_killed_is_completed_by_the_next(pieces: int) -> None:
    """Right after each of the three pieces of the move."""
    moving = routes(UPLINK)
    task(name="br9")
    killed(pieces, name="br0", take_over=UPLINK)
    result = bridge(take_over=UPLINK)
    assert result["changed"] is (pieces < 3)
    assert (addresses("br0"), addresses(UPLINK)) == (OWN, set())
    assert (routes("br0"), routes(UPLINK)) == (moving, set())
    assert bridge(take_over=UPLINK)["changed"] is False
    assert reaches("router", "10.9.0.2")


# The way back.


def test_everything_goes_back_and_nothing_is_lost() -> None:
    before, moving = host_state(), routes(UPLINK)
    bridge(take_over=UPLINK)
    assert reaches("router", "10.9.0.2")
    streams, pings = traffic()
    strict = Path("/proc/sys/net/ipv4/conf/all/rp_filter")
    kept, _written = strict.read_text(), strict.write_text("1\n")

    declared: dict[str, Any] = {"name": "br0", "state": "absent", "take_over": UPLINK}
    foretold = task(check=True, **declared)
    assert "msg" not in foretold, foretold["msg"]
    assert (addresses("br0"), addresses(UPLINK)) == (OWN, set())
    result = task(**declared)
    assert all(stream.goes_on for stream in streams), "the change took longer than the connections"
    assert strict.write_text(kept)
    assert foretold["steps"] == result["steps"]
    assert foretold["diff"] == result["diff"]
    assert (len(result["steps"]), result["steps"][1]) == (2, "remove bridge br0")
    assert set(yaml.safe_load(result["diff"][0]["after"])[f"addresses_of_{UPLINK}"]) == OWN
    assert (addresses(UPLINK), routes(UPLINK)) == (OWN, moving)
    assert [stream.lost() for stream in streams] == [0, 0]
    assert [lost(each) for each in pings] == [0, 0, 0, 0]
    assert host_state() == before
    assert task(**declared)["changed"] is False


def test_only_what_is_declared_goes_back() -> None:
    """The others go with the bridge, and so does what cannot be without them."""
    bridge(take_over=UPLINK)
    bridge(addresses=[*OWN, "203.0.113.1/28"])
    back = {"10.9.0.2/24", "2001:db8:9::2/64"}
    result = task(name="br0", state="absent", take_over=UPLINK, addresses=sorted(back))
    assert "203.0.113.1" not in result["steps"][0]
    assert addresses(UPLINK) == back
    assert "default via 10.9.0.1 metric 50" in routes(UPLINK)
    assert not any("10.77.0.0/16" in route for route in routes(UPLINK)), "its source was 10.9.7.1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"take_over": "eth77"}, "take_over: this host has no device 'eth77', so nothing can be given back to it."),
        ({"take_over": "lo"}, "take_over: lo is not a port of the bridge, so what the bridge has cannot be given back"),
        ({"take_over": UPLINK, "addresses": ["10.9.0.3/24"]}, "addresses: 10.9.0.3/24 cannot be given back to eth9"),
        ({}, "the host's default route is through it: default via 10.9.0.1"),
    ],
)
def test_bad_ways_back(options: dict[str, Any], message: str) -> None:
    bridge(take_over=UPLINK)
    before = settled_state()
    refused = task(name="br0", state="absent", **options)["msg"]
    assert refused.startswith("Nothing was changed")
    assert message in refused
    assert host_state() == before


def test_an_address_that_goes_back_is_not_free() -> None:
    bridge(take_over=UPLINK)
    declared = [
        {"name": "br0", "state": "absent", "take_over": UPLINK},
        {"name": "br1", "addresses": ["10.9.0.9/24"]},
    ]
    assert "10.9.0.9/24" in task(bridges=declared)["msg"]


@pytest.mark.parametrize("pieces", [1, 2])
def test_way_back_that_was_killed_is_completed_by_the_next(pieces: int) -> None:
    before, moving = host_state(), routes(UPLINK)
    bridge(take_over=UPLINK)
    declared: dict[str, Any] = {"name": "br0", "state": "absent", "take_over": UPLINK}
    killed(pieces, **declared)
    assert task(**declared)["changed"] is True
    assert (addresses(UPLINK), routes(UPLINK)) == (OWN, moving)
    assert host_state() == before


def test_way_back_that_is_refused_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = routes(UPLINK)
    bridge(take_over=UPLINK)
    room = importlib.import_module("ansible_collections.virtnet.hypervisor.plugins.module_utils._link.take_over")
    spoil_last_request(room, monkeypatch)
    stream, pings = Echo("10.9.0.2", 4), start_ping("router", "10.9.0.2", 500, 0.005)
    result = task(name="br0", state="absent", take_over=UPLINK)
    assert f"the kernel refuses to give back to {UPLINK} what br0 has" in result["msg"]
    assert "everything was put back" in result["msg"]
    assert (addresses("br0"), routes("br0"), ports("br0")) == (OWN, moving, {UPLINK})
    assert (addresses(UPLINK), routes(UPLINK)) == (set(), set())
    assert stream.lost() == 0
    assert lost(pings) == 0
