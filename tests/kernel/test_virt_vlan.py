# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_vlan against a real kernel with 802.1Q. The oracles are ip, bridge, and the frames on the cable.

eth1  ----  far1 in the namespace `switch`, which knows VLANs by itself
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import on_the_way, start_module
from harness.places import ROOT
from harness.traffic import pinging_from_host
from test_virt_net_kit import run

# Tools.


def ip(*arguments: str, check: bool = True) -> str:
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0 or not check, f"ip {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def batch(text: str, namespace: str | None = None, *, check: bool = True) -> None:
    """Several ip commands, one per line. Without ``check``, one that fails does not end them."""
    where = ["-n", namespace] if namespace else []
    force = [] if check else ["-force"]
    subprocess.run(["ip", *where, *force, "-batch", "-"], input=text, text=True, check=check, capture_output=not check)


def link(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(ip("-j", "-d", "link", "show", "dev", name))
    return found[0]


def identity(name: str) -> tuple[str, int, str]:
    """Parent, ID and protocol, as iproute2 spells it."""
    found = link(name)
    assert found["linkinfo"]["info_kind"] == "vlan"
    data = found["linkinfo"]["info_data"]
    return found["link"], data["id"], data["protocol"]


def is_up(name: str) -> bool:
    return "UP" in link(name)["flags"]


def exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def vlans() -> set[str]:
    return {each["ifname"] for each in json.loads(ip("-j", "link", "show", "type", "vlan")) if each}


def ports(name: str) -> set[str]:
    entries = json.loads(subprocess.run(["bridge", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    return {entry["ifname"] for entry in entries if entry.get("master") == name}


def addresses(name: str) -> set[str]:
    """All but link-local ones that the kernel made."""
    (found,) = json.loads(ip("-j", "addr", "show", "dev", name))
    return {
        f"{each['local']}/{each['prefixlen']}"
        for each in found["addr_info"]
        if not (each["family"] == "inet6" and each["scope"] == "link")
    }


def task(*, check: bool = False, **options: Any) -> dict[str, Any]:
    """The result of the module, run in this process."""
    return run("virt_vlan", check=check, **options)


def vlan(**options: Any) -> dict[str, Any]:
    """Run the module for eth1 and ID 59 or what is given instead, for good."""
    result = task(**({"parent": "eth1", "id": 59, **options} if "vlans" not in options else options))
    assert "failed" not in result, result["msg"]
    return result


def refused(**options: Any) -> str:
    """The one error of a task that changes nothing."""
    found = settled()
    foretold, result = task(check=True, **options), task(**options)
    assert result["failed"] is True
    message: str = result["msg"]
    assert message.startswith("Nothing was changed: "), message
    assert foretold.get("msg", message) == message
    assert without_clocks(state()) == found
    return message.removeprefix("Nothing was changed: ")


# Everything that VLANs can change. One shell for all, because starting programs takes the longest on this kernel.
_STATE = "ip -j -d addr; ip -j route show table all; ip -j -6 route show table all; bridge -j link; bridge -j vlan"


def state() -> str:
    return subprocess.run(["sh", "-ec", _STATE], capture_output=True, text=True, check=True).stdout


def settled(timeout: float = 15) -> str:
    """The host's state when no device is on its way up any more."""
    deadline = time.monotonic() + timeout
    while on_the_way(json.loads(ip("-j", "-d", "addr"))) and time.monotonic() < deadline:
        time.sleep(0.3)
    return without_clocks(state())


def without_clocks(text: str) -> str:
    """Without what runs by itself: timers of bridges and lifetimes."""
    return re.sub(r'"(\w+_timer|valid_life_time|preferred_life_time)":[0-9.]+', "", text)


def steps_of(**options: Any) -> list[str]:
    """The steps of a run which check mode foretells without a touch, and after which the same run has nothing to do."""
    found = settled()
    foretold = vlan(check=True, **options)
    assert without_clocks(state()) == found
    result = vlan(**options)
    assert result["changed"] == foretold["changed"] == bool(result["steps"])
    assert result["steps"] == foretold["steps"]
    assert result["diff"] == foretold["diff"]
    again = vlan(**options)
    assert (again["changed"], again["steps"], again["diff"]) == (False, [], [])
    assert again["vlans"] == result["vlans"]
    steps: list[str] = result["steps"]
    return steps


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    """Nothing here is about guests or networks, so removing the links is enough."""
    yield
    own = ("lo", "uplink0")
    names = [each["ifname"] for each in json.loads(ip("-j", "link")) if each["ifname"] not in own]
    # What was on a device that is gone already is gone too.
    batch("".join(f"link delete {name}\n" for name in names), check=False)


DAD_SETTINGS = [f"/proc/sys/net/ipv6/conf/{name}/accept_dad" for name in ("all", "default")]


@pytest.fixture(autouse=True)
def _devices() -> Iterator[None]:
    """A trunk to a switch, another card, and IPv6 addresses that do not change their state by themselves."""
    written = {path: path.read_text() for path in map(Path, DAD_SETTINGS)}
    for path in written:
        path.write_text("0\n")
    batch(
        "netns add switch\n"
        "link add eth1 address 02:00:00:00:0e:01 type veth peer name far1 netns switch\n"
        "link add eth2 address 02:00:00:00:0e:02 type veth peer name far2\n"
        "link set eth1 up\nlink set eth2 up\n"
    )
    batch("link set far1 up\n", "switch")
    yield
    for path, value in written.items():
        path.write_text(value)
    for name in ip("netns", "list").split():
        if name in ("switch", "guest"):
            ip("netns", "delete", name)


# The frames on the cable: of each UDP datagram the tags, outermost first, and its text. The kernel hands over the
# outermost tag beside the frame (struct tpacket_auxdata, include/uapi/linux/if_packet.h).
_SNIFF = """
import socket, struct, sys
cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
cable.setsockopt(263, 8, 1)
cable.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    frame, aside, _flags, _sender = cable.recvmsg(2048, 128)
    tags = []
    for _level, kind, data in aside:
        status, _length, _snap, _mac, _net, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
        if kind == 8 and status & 0x10:
            tags.append(f"{tpid:x}:{tci & 4095}")
    place = 12
    while frame[place:place + 2] in (b"\\x81\\x00", b"\\x88\\xa8"):
        tags.append(f"{frame[place:place + 2].hex()}:{int.from_bytes(frame[place + 2:place + 4], 'big') & 4095}")
        place += 4
    if frame[place:place + 2] == b"\\x08\\x00" and frame[place + 11] == 17:
        print(" ".join(tags), frame[place + 30:].rstrip(b"\\0").decode("ascii", "replace"), flush=True)
"""

_SEND = """
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for _turn in range(20):
    out.sendto(sys.argv[2].encode(), (sys.argv[1], 7777))
    time.sleep(0.1)
"""


def tags_of(address: str, *, sent_in: str | None = None, seen_in: str = "switch", on: str = "far1") -> str:
    """Tags of the datagrams that are sent to an address, as they are on the cable. Empty without a tag."""
    word = f"to-{address}"
    sniff = ["ip", "netns", "exec", seen_in, sys.executable, "-c", _SNIFF, on]
    with subprocess.Popen(sniff, stdout=subprocess.PIPE, text=True) as sniffing:
        assert sniffing.stdout is not None
        assert sniffing.stdout.readline() == "ready\n"
        send = [sys.executable, "-c", _SEND, address, word]
        with subprocess.Popen([*(["ip", "netns", "exec", sent_in] if sent_in else []), *send]) as sending:
            for line in sniffing.stdout:
                tags, _blank, text = line.rstrip("\n").rpartition(" ")
                if text == word:
                    break
            sending.terminate()
        sniffing.terminate()
    return tags.strip()


# Making and changing.


class TestNew:
    def test_one(self) -> None:
        assert steps_of() == ["create VLAN eth1.59: ID 59 on eth1"]
        assert identity("eth1.59") == ("eth1", 59, "802.1Q")
        assert is_up("eth1.59")
        found = link("eth1.59")
        assert (found["mtu"], found["address"]) == (1500, "02:00:00:00:0e:01")
        assert addresses("eth1.59") == set()

    def test_with_everything(self) -> None:
        steps = steps_of(
            name="guests{id}",
            protocol="802.1ad",
            mac="02-00-00-00-00-AA",
            mtu=1400,
            up=True,
            addresses=["192.0.2.1/255.255.255.0", "2001:DB8:0:0::1/64"],
        )
        assert steps == [
            "create VLAN guests59: ID 59 on eth1 by 802.1ad",
            "add address 192.0.2.1/24 to VLAN guests59",
            "add address 2001:db8::1/64 to VLAN guests59",
        ]
        assert identity("guests59") == ("eth1", 59, "802.1ad")
        found = link("guests59")
        assert (found["mtu"], found["address"]) == (1400, "02:00:00:00:00:aa")
        assert addresses("guests59") == {"192.0.2.1/24", "2001:db8::1/64"}

    def test_in_a_bridge(self) -> None:
        batch("link add br59 type bridge\nlink set br59 up\n")
        assert steps_of(bridge="br{id}") == ["create VLAN eth1.59: ID 59 on eth1, port of bridge br59"]
        assert ports("br59") == {"eth1.59"}

    def test_that_is_down(self) -> None:
        batch("link set eth1 down\n")
        assert steps_of(up=False) == ["create VLAN eth1.59: ID 59 on eth1"]
        assert not is_up("eth1.59")
        assert not is_up("eth1")

    def test_brings_its_parent_up(self) -> None:
        vlan(id=1, up=False, addresses=["2001:db8:1::1/64"])
        batch("link set eth1 down\n")
        declared = [{"parent": "eth1", "id": 59}, {"parent": "eth1", "id": 1, "up": False}]
        assert steps_of(vlans=declared) == [
            "bring up eth1, the parent of VLAN eth1.59",
            "create VLAN eth1.59: ID 59 on eth1",
            "change VLAN eth1.1: down",
            "put address 2001:db8:1::1/64 back on VLAN eth1.1",
        ]
        assert (is_up("eth1"), is_up("eth1.59"), is_up("eth1.1")) == (True, True, False)
        assert addresses("eth1.1") == {"2001:db8:1::1/64"}

    def test_ranges(self) -> None:
        declared = [{"parent": "eth1", "ids": "59,89,100-119"}, {"parent": "eth2", "ids": "7-9", "name": "seven{id}"}]
        assert len(steps_of(vlans=declared)) == 25
        expected = {f"eth1.{number}": ("eth1", number, "802.1Q") for number in (59, 89, *range(100, 120))}
        expected |= {f"seven{number}": ("eth2", number, "802.1Q") for number in (7, 8, 9)}
        assert {name: identity(name) for name in vlans()} == expected

    def test_802_1q_in_802_1ad_in_any_order(self) -> None:
        inner, outer = {"parent": "outer", "ids": "10,20"}, {"parent": "eth1", "id": 100, "name": "outer"}
        assert steps_of(vlans=[inner, {**outer, "protocol": "802.1ad"}]) == [
            "create VLAN outer: ID 100 on eth1 by 802.1ad",
            "create VLAN outer.10: ID 10 on outer",
            "create VLAN outer.20: ID 20 on outer",
        ]
        assert identity("outer") == ("eth1", 100, "802.1ad")
        assert identity("outer.10") == ("outer", 10, "802.1Q")


class TestChange:
    @pytest.mark.parametrize(
        ("option", "first", "second", "read"),
        [
            ("mtu", 1400, 1450, lambda: link("eth1.59")["mtu"]),
            ("mac", "02:00:00:00:00:aa", "02:00:00:00:00:bb", lambda: link("eth1.59")["address"]),
            ("bridge", "br1", "", lambda: link("eth1.59").get("master", "")),
            ("up", False, True, lambda: is_up("eth1.59")),
        ],
    )
    def test_one_option(self, option: str, first: Any, second: Any, read: Callable[[], Any]) -> None:
        batch("link add br1 type bridge\n")
        vlan()
        # What the kernel changes along with these.
        others = {"mtu", "address", "master", "operstate", "flags", "promiscuity", "allmulti", "linkmode", "qdisc"}
        for value in (first, second, first):
            before = link("eth1.59")
            words = {True: "up", False: "down", "": "no bridge"}.get(value, f"{option} {value}")
            assert steps_of(**{option: value}) == [f"change VLAN eth1.59: {words}"]
            assert read() == value
            after = link("eth1.59")
            kept = set(before) - others - {"linkinfo"}
            assert {name: before[name] for name in kept} == {name: after.get(name) for name in kept}
            assert before["linkinfo"]["info_data"] == after["linkinfo"]["info_data"]

    def test_all_at_once_is_one_message(self) -> None:
        batch("link add br1 type bridge\n")
        vlan(up=False)
        assert steps_of(bridge="br1", mac="02:00:00:00:00:aa", mtu=1400) == [
            "change VLAN eth1.59: bridge br1, mac 02:00:00:00:00:aa, mtu 1400, up"
        ]

    def test_what_is_not_declared_is_left_alone(self) -> None:
        batch("link add br1 type bridge\n")
        vlan(
            bridge="br1", mac="02:00:00:00:00:aa", mtu=1400, protocol="802.1ad", addresses=["192.0.2.1/24"], force=True
        )
        vlan(id=60, addresses=["198.51.100.129/25"], force=True)
        found = settled()
        assert steps_of() == []
        assert without_clocks(state()) == found

    def test_addresses(self) -> None:
        vlan(addresses=["192.0.2.1/24", "2001:db8::1/64"])
        batch("addr add 192.0.2.77/24 dev eth1.59 valid_lft 900 preferred_lft 900\n")
        assert steps_of(addresses=["192.0.2.2/24", "2001:db8::1/80"]) == [
            "remove address 2001:db8::1/64 from VLAN eth1.59",
            "add address 192.0.2.2/24 to VLAN eth1.59",
            "add address 2001:db8::1/80 to VLAN eth1.59",
            "remove address 192.0.2.1/24 from VLAN eth1.59",
        ]
        assert addresses("eth1.59") == {"192.0.2.2/24", "2001:db8::1/80", "192.0.2.77/24"}
        vlan(addresses=[])
        assert addresses("eth1.59") == {"192.0.2.77/24"}

    def test_taken_down_it_keeps_its_addresses(self) -> None:
        vlan(addresses=["192.0.2.1/24", "2001:db8::1/64"])
        vlan(up=False)
        assert addresses("eth1.59") == {"192.0.2.1/24", "2001:db8::1/64"}
        vlan(up=False, addresses=["192.0.2.1/24", "2001:db8::2/64"])
        vlan()
        assert addresses("eth1.59") == {"192.0.2.1/24", "2001:db8::2/64"}

    def test_mtu_of_stacked_ones(self) -> None:
        batch("link set eth1 mtu 9000\n")
        outer, inner = {"parent": "eth1", "id": 59}, {"parent": "eth1.59", "id": 5}
        vlan(vlans=[outer, inner])
        assert link("eth1.59.5")["mtu"] == 9000
        assert len(steps_of(vlans=[{**inner, "mtu": 1400}, {**outer, "mtu": 2000}])) == 2
        assert len(steps_of(vlans=[{**inner, "mtu": 8000}, {**outer, "mtu": 9000}])) == 2
        assert steps_of(vlans=[inner, {**outer, "mtu": 7000}]) == ["change VLAN eth1.59: mtu 7000"]
        assert (link("eth1.59")["mtu"], link("eth1.59.5")["mtu"]) == (7000, 7000)

    def test_bridge_of_guests_keeps_its_mac_and_its_taps(self) -> None:
        batch(
            "link add br1 type bridge\ntuntap add vnet0 mode tap\n"
            "link set vnet0 address fe:00:00:00:00:01 master br1\nlink set br1 up\n"
        )
        mac = link("br1")["address"]
        vlan(bridge="br1")
        vlan(mac="02:00:00:00:00:01")
        assert ports("br1") == {"vnet0", "eth1.59"}
        assert link("br1")["address"] == mac
        vlan(bridge="")
        assert ports("br1") == {"vnet0"}
        assert link("br1")["address"] == mac

    def test_from_bridge_to_bridge(self) -> None:
        batch("link add br1 type bridge\nlink add br2 type bridge\n")
        vlan(bridge="br1")
        assert "it is a port of br1 already" in refused(parent="eth1", id=59, bridge="br2")
        assert steps_of(bridge="br2", force=True) == ["change VLAN eth1.59: bridge br2"]
        assert (ports("br1"), ports("br2")) == (set(), {"eth1.59"})


class TestRemoval:
    def test_by_name_and_by_id(self) -> None:
        vlan(vlans=[{"parent": "eth1", "ids": "1-3"}, {"parent": "eth1.1", "id": 5}, {"parent": "eth2", "id": 1}])
        gone = [
            {"name": "eth1.1.5", "state": "absent"},
            {"parent": "eth1", "ids": "1,3-9", "state": "absent"},
            {"parent": "eth2", "id": 1, "state": "absent", "protocol": "802.1q"},
        ]
        assert steps_of(vlans=gone) == ["remove VLANs eth1.1.5, eth1.1, eth1.3, eth2.1"]
        assert vlans() == {"eth1.2"}

    def test_with_others_on_it(self) -> None:
        vlan()
        vlan(parent="eth1.59", id=5)
        message = refused(name="eth1.59", state="absent")
        assert "these are on it and would go along: eth1.59.5" in message
        result = vlan(name="eth1.59", state="absent", force=True)
        assert result["steps"] == ["remove VLAN eth1.59, and what is on it: eth1.59.5"]
        assert vlans() == set()

    def test_with_a_guest_s_macvtap_on_it(self) -> None:
        vlan()
        batch("link add link eth1.59 name macvtap0 type macvtap mode bridge\nlink set macvtap0 up\n")
        assert "would go along: macvtap0" in refused(name="eth1.59", state="absent")
        assert "would go down too: macvtap0" in refused(parent="eth1", id=59, up=False)
        batch("link add br1 type bridge\n")
        assert "it carries macvtap0" in refused(parent="eth1", id=59, bridge="br1")

    def test_another_name_in_its_place(self) -> None:
        vlan()
        message = refused(parent="eth1", id=59, name="guests")
        assert "the ID 59 on eth1 by 802.1q is there under the name 'eth1.59'" in message
        declared = [{"parent": "eth1", "id": 59, "name": "guests"}, {"name": "eth1.59", "state": "absent"}]
        assert len(steps_of(vlans=declared)) == 2
        assert vlans() == {"guests"}


# Bad input: one clear error each, and nothing is changed.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parent": "eth1", "id": 0}, "VLAN 'eth1.0': id: 0 is not between 1 and 4094."),
        ({"parent": "eth1", "id": 4095}, "VLAN 'eth1.4095': id: 4095 is not between 1 and 4094."),
        ({"vlans": [{"parent": "eth1", "ids": "59-50"}]}, "vlans[0]: ids: '59-50' ends before it begins. Write 50-59."),
        (
            {"parent": "eth1", "id": 59, "name": "a-name-of-16-byt"},
            (
                "VLAN 'a-name-of-16-byt': name: 'a-name-of-16-byt' has 16 bytes, and the kernel takes at most 15. "
                "Choose a shorter name."
            ),
        ),
        (
            {"parent": "eth9", "id": 59, "up": False},
            "VLAN 'eth9.59': parent: this host has no device 'eth9'. Make it first, or name another",
        ),
        (
            {"parent": "eth1", "id": 59, "bridge": "br9"},
            "VLAN 'eth1.59': bridge: this host has no bridge 'br9'. Make it first",
        ),
        (
            {"parent": "lo", "id": 59},
            (
                "VLAN 'lo.59': parent: 'lo' is not an Ethernet device (the loopback device), and only these have "
                "VLANs. Name another"
            ),
        ),
        (
            {"parent": "eth1", "id": 59, "mtu": 1501},
            (
                "VLAN 'eth1.59': mtu: 1501 is more than the 1500 of its parent 'eth1', and the kernel takes no more. "
                "Raise the parent's first, or choose a smaller one"
            ),
        ),
        (
            {"parent": "eth1", "id": 59, "addresses": ["198.51.100.2/24"]},
            (
                "VLAN 'eth1.59': addresses[198.51.100.2/24]: the subnet 198.51.100.0/24 overlaps 198.51.100.0/24 of "
                "uplink0. Choose another subnet, or give force: true where your routes tell the two apart"
            ),
        ),
        (
            {"parent": "eth1", "id": 59, "name": "br1"},
            (
                "VLAN 'br1': name: this host's device of that name is not a VLAN but of the kind bridge. Choose "
                "another name"
            ),
        ),
        (
            {"parent": "eth1", "id": 7, "name": "there"},
            (
                "VLAN 'there': name: this host's VLAN of that name has the ID 8 on eth2 by 802.1q, and this cannot be "
                "changed. Choose another name, or remove that one first with state: absent"
            ),
        ),
        (
            {"vlans": [{"parent": "eth1", "id": 1}, {"parent": "eth1", "id": 2, "bridge": "eth2"}]},
            "VLAN 'eth1.2': bridge: 'eth2' is not a Linux bridge but of the kind veth. Name another",
        ),
        (
            {"parent": "br1", "id": 2, "bridge": "br1"},
            "VLAN 'br1.2': bridge: the VLAN is on 'br1' itself, and cannot be its port. Name another",
        ),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    batch("link add br1 type bridge\nlink add link eth2 name there type vlan id 8\n")
    if "has no" in message:
        # An earlier task of the play may make it: then check mode only warns.
        assert task(**options)["msg"] == f"Nothing was changed: {message}"
        assert task(check=True, **options)["changed"] is True
    else:
        assert refused(**options) == message


def test_all_problems_at_once() -> None:
    message = task(vlans=[{"parent": "eth9", "ids": "1-9"}, {"parent": "lo", "id": 1}, {"parent": "eth1", "id": 1}])
    assert message["msg"].startswith("Nothing was changed, 2 problems: VLANs 'eth9.1', 'eth9.2', 'eth9.3' and 6 more: ")
    assert vlans() == set()


# On the cable.


class TestTraffic:
    def test_the_host_s_own(self) -> None:
        vlan(addresses=["10.59.0.1/24"])
        vlan(id=60, name="ad", protocol="802.1ad", addresses=["10.60.0.1/24"])
        vlan(parent="ad", id=7, addresses=["10.7.0.1/24"])
        assert tags_of("10.59.0.255") == "8100:59"
        assert tags_of("10.60.0.255") == "88a8:60"
        assert tags_of("10.7.0.255") == "88a8:60 8100:7"

    def test_a_guest_s_through_its_bridge(self) -> None:
        batch(
            "netns add guest\nlink add vnet0 type veth peer name eth0 netns guest\nlink add br59 type bridge\n"
            "link set br59 up\nlink set vnet0 master br59 up\n"
        )
        batch("addr add 10.59.0.9/24 dev eth0\nlink set eth0 up\n", "guest")
        batch("link add link far1 name v59 type vlan id 59\naddr add 10.59.0.2/24 dev v59\nlink set v59 up\n", "switch")
        vlan(bridge="br59")
        assert tags_of("10.59.0.255", sent_in="guest") == "8100:59"
        # And back, without the tag.
        assert tags_of("10.59.0.9", sent_in="switch", seen_in="guest", on="eth0") == ""
        assert ports("br59") == {"vnet0", "eth1.59"}

    def test_changes_lose_no_packet(self) -> None:
        batch("link add link far1 name v59 type vlan id 59\naddr add 10.59.0.2/24 dev v59\nlink set v59 up\n", "switch")
        vlan(addresses=["10.59.0.1/24"])
        with pinging_from_host("10.59.0.2") as ping:
            vlan(mtu=1400)
            vlan(mac="02:00:00:00:00:aa", addresses=["10.59.0.1/24", "2001:db8:59::1/64"])
            vlan(vlans=[{"parent": "eth1", "ids": "1-20"}, {"parent": "eth1", "id": 59, "addresses": ["10.59.0.3/24"]}])
            vlan(vlans=[{"parent": "eth1", "ids": "1-20", "state": "absent"}])
        assert ping.lost == 0, ping


# Many, interrupted, and at once.


MANY = [{"parent": "eth1", "ids": "1-200", "bridge": "br{id}"}, {"parent": "eth1.7", "ids": "1-20"}]


def bridges(first: int, last: int) -> None:
    batch("".join(f"link add br{number} type bridge\n" for number in range(first, last + 1)))


def test_many_with_their_bridges() -> None:
    bridges(1, 200)
    result = vlan(vlans=MANY)
    assert len(result["vlans"]) == 220
    entries = json.loads(subprocess.run(["bridge", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    assert {each["ifname"]: each["master"] for each in entries} == {f"eth1.{n}": f"br{n}" for n in range(1, 201)}
    assert vlan(vlans=MANY)["changed"] is False
    result = vlan(vlans=[{**each, "state": "absent"} for each in MANY])
    assert len(result["steps"]) == 1
    assert vlans() == set()
    assert exists("br7")


def killed_at(count: int, options: dict[str, Any], *, grows: bool) -> bool:
    """Run the module, and kill it as soon as there are so many VLANs. Whether it was still running then."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            task(**options)
        finally:
            os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        present = sum(1 for name in os.listdir("/sys/class/net") if name.startswith("eth1."))
        if present >= count if grows else present <= count:
            os.kill(child, signal.SIGKILL)
            _pid, status = os.waitpid(child, 0)
            return os.WIFSIGNALED(status)
    return False


def test_run_that_was_killed_is_completed_by_the_next() -> None:
    bridges(1, 200)
    expected = {f"eth1.{number}" for number in range(1, 201)} | {f"eth1.7.{number}" for number in range(1, 21)}
    killed = 0
    for count in (1, 30, 100, 199, 219):
        killed += killed_at(count, {"vlans": MANY}, grows=True)
        vlan(vlans=MANY)
        assert vlans() == expected
        assert all(is_up(name) for name in ("eth1.1", "eth1.200", "eth1.7.20"))
        assert ports("br200") == {"eth1.200"}
        assert vlan(vlans=MANY)["changed"] is False
        absent = [{**each, "state": "absent"} for each in MANY]
        killed += killed_at(219 - count, {"vlans": absent}, grows=False)
        vlan(vlans=absent)
        assert vlans() == set()
    assert killed > 0


def test_two_runs_at_once() -> None:
    """The second waits for the first, and finds everything done."""
    options = {"vlans": [{"parent": "eth1", "ids": "1-50"}]}
    both = [start_module("virt_vlan", options) for _turn in range(2)]
    results = [json.loads(process.communicate(timeout=120)[0].splitlines()[-1]) for process in both]
    assert sorted(result.get("changed") for result in results) == [False, True]


# Documentation.


def documentation(part: str) -> Any:
    text = (ROOT / "plugins/modules/virt_vlan.py").read_text(encoding="utf-8")
    match = re.search(rf'{part} = r"""(.*?)"""', text, re.DOTALL)
    assert match
    return yaml.safe_load(match[1])


def test_examples() -> None:
    """Each is foretold by check mode without touching anything, does something, and does nothing the second time."""
    for example in documentation("EXAMPLES"):
        full_name, options = next(item for item in example.items() if item[0] != "name")
        module = full_name.rpartition(".")[2]
        found = settled()
        foretold = run(module, check=True, **options)
        assert without_clocks(state()) == found
        done = run(module, **options)
        assert done["steps"] == foretold["steps"] != []
        assert run(module, **options)["steps"] == []
    assert vlans() == {"eth1.59", "eth1.70"}
    assert addresses("eth1.59") == {"192.168.59.1/24", "2001:db8:59::1/64"}
    assert ports("br70") == {"eth1.70"}


def test_every_option_is_in_an_example() -> None:
    documented = documentation("DOCUMENTATION")["options"]["vlans"]["suboptions"]
    shown: set[str] = set()
    for example in documentation("EXAMPLES"):
        options = example.get("virtnet.hypervisor.virt_vlan", {})
        for each in options.get("vlans", [options]):
            shown |= set(each)
    assert shown == set(documented)
