# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_bridge against the real kernel. The oracles are ip, bridge, virsh and ping."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import CLOCKS, Guest, host_state, module, playbook, settled_state, virsh
from harness.examples import define_nat_network
from harness.places import COLLECTIONS, ROOT
from test_virt_net_kit import run

# Tools.


def ip(*arguments: str, check: bool = True) -> str:
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0 or not check, f"ip {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def batch(text: str) -> None:
    """Several ip commands, one per line."""
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)


def link(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(ip("-j", "-d", "link", "show", "dev", name))
    return found[0]


def exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def settings(name: str) -> dict[str, Any]:
    """The bridge's own settings, in the kernel's hundredths of a second."""
    data: dict[str, Any] = link(name)["linkinfo"]["info_data"]
    return data


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
    return run("virt_bridge", check=check, **options)


def bridge(name: str = "br0", /, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module for one bridge, for good."""
    result = task(check=check, **{"name": name, **options})
    assert "failed" not in result, result["msg"]
    return result


def warnings_of(result: dict[str, Any]) -> list[str]:
    """Their texts, however this ansible-core packs them."""
    return [json.dumps(warning) for warning in result.get("warnings", ())]


def steps_of(name: str = "br0", /, **options: Any) -> list[str]:
    """The steps of a run, after which the same run has nothing to do."""
    foretold = bridge(name, check=True, **options)
    result = bridge(name, **options)
    assert result["changed"] == foretold["changed"] == bool(result["steps"])
    assert result["steps"] == foretold["steps"]
    assert result["diff"] == foretold["diff"]
    again = bridge(name, **options)
    assert (again["changed"], again["steps"], again["diff"]) == (False, [], [])
    assert again["bridges"] == result["bridges"]
    steps: list[str] = result["steps"]
    return steps


@pytest.fixture(autouse=True)
def _devices() -> Iterator[None]:
    """Four network cards, and IPv6 addresses that do not change their state by themselves."""
    written = {path: path.read_text() for path in map(Path, DAD_SETTINGS)}
    for path in written:
        path.write_text("0\n")
    batch(
        "".join(
            f"link add eth{number} address 02:00:00:00:0e:0{number} type veth peer name far{number}\n"
            for number in range(1, 5)
        )
    )
    yield
    for path, value in written.items():
        path.write_text(value)
    for name in ip("netns", "list").split():
        if name.startswith("host-"):
            ip("netns", "delete", name)


TABLES = ("ip", "ip6", "arp")
DAD_SETTINGS = [f"/proc/sys/net/ipv6/conf/{name}/accept_dad" for name in ("all", "default")]


def eventually(condition: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def host(name: str, port: str, *own: str) -> None:
    """A machine on a cable: a namespace whose eth0 is the other end of the port."""
    ip("netns", "add", f"host-{name}")
    ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", f"host-{name}")
    batch(f"link set {port} up\n")
    for address in own:
        # Without a search for duplicates, whose time a busy machine makes longer than any wait.
        ip("-n", f"host-{name}", "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    ip("-n", f"host-{name}", "link", "set", "eth0", "up")


# Debian's minimal systems have no ping. Prints how many echo requests were sent, and how many were answered.
_PING = """
import select, socket, struct, sys, time
address, count, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
six = ":" in address
family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
ping = socket.socket(family, socket.SOCK_RAW, protocol)
ping.connect((address, 0))
answered = set()
def listen(seconds):
    end = time.monotonic() + seconds
    while len(answered) < count and select.select([ping], [], [], max(0, end - time.monotonic()))[0]:
        packet = ping.recv(2048)
        packet = packet if six else packet[20:]
        if packet[0] == (129 if six else 0):
            answered.add(struct.unpack("!H", packet[6:8])[0])
for number in range(count):
    body = struct.pack("!HH", 7, number)
    total = (0 if six else 8 << 8) + 7 + number
    checksum = 0 if six else ~((total >> 16) + (total & 0xFFFF)) & 0xFFFF
    ping.send(bytes([128 if six else 8, 0]) + struct.pack("!H", checksum) + body)
    listen(interval)
listen(1)
print(count, len(answered))
"""


def start_ping(name: str, address: str, count: int, interval: float = 0.02) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", f"host-{name}", sys.executable, "-c", _PING, address, str(count), str(interval)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lost(process: subprocess.Popen[str]) -> int:
    out, _err = process.communicate(timeout=60)
    sent, received = map(int, out.split())
    return sent - received


def reaches(name: str, address: str) -> bool:
    return lost(start_ping(name, address, 3, 0.3)) < 3


# Making and changing.


class TestNew:
    def test_without_anything(self) -> None:
        assert steps_of() == ["create bridge br0"]
        assert link("br0")["linkinfo"]["info_kind"] == "bridge"
        assert "UP" in link("br0")["flags"]
        assert ports("br0") == set()
        assert addresses("br0") == set()

    def test_with_everything(self) -> None:
        steps = steps_of(
            ports=["eth2", "eth1"],
            addresses=["192.0.2.1/255.255.255.0", "2001:DB8:0:0::1/64"],
            mac="02-00-00-00-00-AA",
            mtu=1400,
            stp=True,
            forward_delay=4,
            hello_time=1,
            max_age=6,
            priority=4096,
            ageing_time=60,
            mcast_snooping=False,
            nf_call=True,
            routes=[
                {"destination": "default", "gateway": "192.0.2.254", "metric": 900},
                {"destination": "2001:db8:77::/48", "gateway": "fe80::1", "source": "2001:db8::1"},
                {"destination": "198.18.0.9"},
            ],
            port_options=[{"name": "eth2", "isolated": True}],
        )
        assert steps == [
            "create bridge br0",
            "add port eth1 to bridge br0",
            "add port eth2 to bridge br0",
            "isolate port eth2 of bridge br0",
            "change bridge br0: mtu 1400",
            "add address 192.0.2.1/24 to bridge br0",
            "add address 2001:db8::1/64 to bridge br0",
            "add route 198.18.0.9/32 of bridge br0",
            "add route default via 192.0.2.254 metric 900 of bridge br0",
            "add route 2001:db8:77::/48 via fe80::1 source 2001:db8::1 of bridge br0",
        ]
        found = settings("br0")
        assert (found["mcast_snooping"], found["nf_call_iptables"], found["nf_call_arptables"]) == (0, 1, 1)
        assert [link(port)["linkinfo"]["info_slave_data"]["isolated"] for port in ("eth1", "eth2")] == [False, True]
        assert {name: found[name] for name in ("stp_state", "priority", "forward_delay", "hello_time", "max_age")} == {
            "stp_state": 1,
            "priority": 4096,
            "forward_delay": 400,
            "hello_time": 100,
            "max_age": 600,
        }
        assert found["ageing_time"] == 6000
        assert (link("br0")["address"], link("br0")["mtu"]) == ("02:00:00:00:00:aa", 1400)
        assert ports("br0") == {"eth1", "eth2"}
        assert {"UP"} <= set(link("eth1")["flags"]) & set(link("eth2")["flags"])
        assert addresses("br0") == {"192.0.2.1/24", "2001:db8::1/64"}
        (entry,) = json.loads(ip("-j", "-4", "addr", "show", "br0"))
        assert entry["addr_info"][0]["broadcast"] == "192.0.2.255"

    def test_many_in_one_task(self) -> None:
        bridges: list[dict[str, Any]] = [
            {"name": f"br{number}", "addresses": [f"192.168.{number}.1/24"], "stp": bool(number % 2)}
            for number in range(30)
        ]
        result = task(bridges=bridges)
        assert [each["name"] for each in result["bridges"]] == [each["name"] for each in bridges]
        for each in bridges:
            assert addresses(each["name"]) == set(each["addresses"])
            assert settings(each["name"])["stp_state"] == int(each["stp"])
        again = task(bridges=list(reversed(bridges)))
        assert again["changed"] is False
        result = task(bridges=[{"name": each["name"], "state": "absent"} for each in bridges])
        assert len(result["steps"]) == 1
        assert not any(exists(each["name"]) for each in bridges)
        assert exists("eth1")

    def test_mac_is_that_of_the_first_port(self) -> None:
        bridge(ports=["eth3", "eth2"])
        assert link("br0")["address"] == "02:00:00:00:0e:03"
        # The kernel by itself would take the lowest.
        batch("link set eth1 master br0\n")
        assert link("br0")["address"] == "02:00:00:00:0e:03"

    def test_mac_without_ports_is_the_same_each_time_and_stays(self) -> None:
        bridge("br0")
        bridge("br1")
        first = link("br0")["address"]
        assert int(first[:2], 16) & 3 == 2
        assert first != link("br1")["address"]
        batch("tuntap add vnet0 mode tap\nlink set vnet0 address 00:00:00:00:00:01\nlink set vnet0 master br0\n")
        assert link("br0")["address"] == first
        ip("link", "delete", "br0")
        bridge("br0")
        assert link("br0")["address"] == first

    def test_mtu_does_not_follow_the_ports(self) -> None:
        batch("link set eth1 mtu 9000\nlink set eth2 mtu 1300\n")
        bridge(ports=["eth1"], mtu=1500)
        assert link("br0")["mtu"] == 1500
        assert steps_of(ports=["eth1", "eth2"], mtu=1500) == [
            "add port eth2 to bridge br0",
            "change bridge br0: mtu 1500",
        ]
        assert link("br0")["mtu"] == 1500


class TestChange:
    @pytest.mark.parametrize(
        ("option", "first", "second", "read"),
        [
            ("stp", True, False, lambda: bool(settings("br0")["stp_state"])),
            ("forward_delay", 4, 0, lambda: settings("br0")["forward_delay"] // 100),
            ("hello_time", 1, 10, lambda: settings("br0")["hello_time"] // 100),
            ("max_age", 6, 40, lambda: settings("br0")["max_age"] // 100),
            ("priority", 0, 65535, lambda: settings("br0")["priority"]),
            ("ageing_time", 0, 1_000_000, lambda: settings("br0")["ageing_time"] // 100),
            ("mcast_snooping", False, True, lambda: bool(settings("br0")["mcast_snooping"])),
            ("nf_call", True, False, lambda: {settings("br0")[f"nf_call_{each}tables"] for each in TABLES} == {1}),
            ("mtu", 1400, 9000, lambda: link("br0")["mtu"]),
            ("mac", "02:00:00:00:00:aa", "02:00:00:00:00:bb", lambda: link("br0")["address"]),
        ],
    )
    def test_one_option(self, option: str, first: Any, second: Any, read: Callable[[], Any]) -> None:
        bridge(ports=["eth1"])
        for value in (first, second, first):
            before = {**settings("br0"), **link("br0")}
            spelled = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
            assert steps_of(**{option: value}) == [f"change bridge br0: {option} {spelled}"]
            assert read() == value
            after = {**settings("br0"), **link("br0")}
            changed = {name for name in before if before[name] != after.get(name)} - CLOCKS
            kernel_names = {
                "stp": {"stp_state"},
                "mac": {"address"},
                "nf_call": {f"nf_call_{each}tables" for each in TABLES},
            }
            assert changed - {"linkinfo", "bridge_id", "root_id"} == kernel_names.get(option, {option})

    def test_all_at_once_is_one_message(self) -> None:
        bridge()
        assert steps_of(stp=True, forward_delay=5, hello_time=3, mac="02:00:00:00:00:aa", ageing_time=9) == [
            "change bridge br0: mac 02:00:00:00:00:aa, stp on, forward_delay 5, hello_time 3, ageing_time 9"
        ]

    def test_short_delay_and_protocol(self) -> None:
        """The kernel refuses a short delay with the protocol on, and lengthens one when it is turned on."""
        bridge(stp=True, forward_delay=15)
        assert steps_of(stp=False, forward_delay=0) == [
            "change bridge br0: stp off",
            "change bridge br0: forward_delay 0",
        ]
        assert steps_of(stp=True) == ["change bridge br0: stp on, forward_delay 2"]
        assert settings("br0")["forward_delay"] == 200
        bridge(stp=False, forward_delay=1)
        assert steps_of(stp=True, forward_delay=3) == ["change bridge br0: stp on, forward_delay 3"]

    def test_bridge_that_is_down(self) -> None:
        batch("link add br0 type bridge\n")
        assert steps_of() == ["bring up bridge br0"]
        assert "UP" in link("br0")["flags"]

    def test_port_that_is_down(self) -> None:
        bridge(ports=["eth1"])
        batch("link set eth1 down\n")
        assert steps_of(ports=["eth1"]) == ["bring up port eth1 of bridge br0"]

    def test_bridge_that_is_not_the_root(self) -> None:
        """The kernel shows the times of the root, so whether the declared ones are set is not known."""
        bridge("br1", ports=["far1"], stp=True, priority=0, hello_time=1, forward_delay=2)
        bridge("br0", ports=["eth1"], stp=True, priority=60000, hello_time=5, forward_delay=9, ageing_time=700)
        eventually(lambda: settings("br0")["root_port"] == 1)
        result = module("virt_bridge", {"name": "br0", "hello_time": 5, "forward_delay": 9})
        assert (result["changed"], len(warnings_of(result))) == (False, 1)
        assert "another bridge is the root of the spanning tree" in warnings_of(result)[0]
        assert steps_of("br0", hello_time=5, priority=50000) == ["change bridge br0: priority 50000"]
        # When the ports begin to forward, learned addresses are forgotten sooner for a while.
        eventually(lambda: settings("br0")["topology_change"] == 1)
        assert settings("br0")["ageing_time"] == 400
        result = module("virt_bridge", {"name": "br0", "ageing_time": 700})
        assert (result["changed"], len(warnings_of(result))) == (False, 1)
        assert "the spanning tree is changing" in warnings_of(result)[0]

    def test_mac_of_a_bridge_made_by_others_is_fixed_before_its_ports_change(self) -> None:
        batch("link add br0 type bridge\nlink set br0 up\nlink set eth2 master br0\nlink set eth2 up\n")
        assert link("br0")["address"] == "02:00:00:00:0e:02"
        assert steps_of(ports=["eth1", "eth3"]) == [
            "keep the MAC address 02:00:00:00:0e:02 of bridge br0",
            "remove port eth2 from bridge br0",
            "add port eth1 to bridge br0",
            "add port eth3 to bridge br0",
        ]
        assert link("br0")["address"] == "02:00:00:00:0e:02"

    def test_mac_that_is_there_by_chance_is_fixed(self) -> None:
        batch("link add br0 type bridge\nlink set br0 up\nlink set eth2 master br0\n")
        assert steps_of(mac="02:00:00:00:0e:02") == ["keep the MAC address 02:00:00:00:0e:02 of bridge br0"]
        batch("link set eth1 master br0\n")
        assert link("br0")["address"] == "02:00:00:00:0e:02"

    def test_what_is_not_declared_stays(self) -> None:
        batch(
            "link add br0 type bridge stp_state 1 forward_delay 700 ageing_time 100 group_fwd_mask 8 mcast_snooping 0\n"
            "link set br0 up mtu 1450 alias mine\nlink set eth1 master br0\n"
            "addr add 192.0.2.1/24 dev br0\naddr add 2001:db8::1/64 dev br0\nlink set eth1 up\n"
        )
        before = link("br0")
        assert steps_of() == []
        assert steps_of(priority=7) == ["change bridge br0: priority 7"]
        after = link("br0")
        for name in ("mtu", "ifalias", "address", "flags", "group"):
            assert before.get(name) == after.get(name)
        for name in ("forward_delay", "ageing_time", "group_fwd_mask", "mcast_snooping", "stp_state"):
            assert before["linkinfo"]["info_data"][name] == after["linkinfo"]["info_data"][name]
        assert ports("br0") == {"eth1"}
        assert addresses("br0") == {"192.0.2.1/24", "2001:db8::1/64"}


class TestPorts:
    def test_exact_and_emptied(self) -> None:
        bridge(ports=["eth1", "eth2"])
        assert steps_of(ports=["eth3", "eth2"]) == ["remove port eth1 from bridge br0", "add port eth3 to bridge br0"]
        assert ports("br0") == {"eth2", "eth3"}
        assert steps_of() == []
        assert steps_of(ports=[]) == ["remove port eth2 from bridge br0", "remove port eth3 from bridge br0"]
        assert ports("br0") == set()
        assert "UP" in link("eth2")["flags"]

    def test_only_added(self) -> None:
        bridge(ports=["eth1"])
        assert steps_of(ports=["eth2"], purge_ports=False) == ["add port eth2 to bridge br0"]
        assert ports("br0") == {"eth1", "eth2"}
        assert steps_of(ports=[], purge_ports=False) == []

    def test_taps_and_devices_named_for_guests_stay(self) -> None:
        bridge(ports=["eth1"])
        batch(
            "tuntap add mytap mode tap\nlink set mytap master br0\n"
            "link add vnet7 type veth peer name p7\nlink set vnet7 master br0\n"
            "link add vif1.0 type ifb\nlink set vif1.0 master br0\n"
        )
        assert steps_of(ports=[]) == ["remove port eth1 from bridge br0"]
        assert ports("br0") == {"mytap", "vnet7", "vif1.0"}
        assert bridge(ports=[])["bridges"][0]["ports"] == ["mytap", "vif1.0", "vnet7"]

    def test_devices_of_containers_stay_and_are_reported(self) -> None:
        bridge(ports=["eth1"])
        host("a", "veth0a1b")
        batch("link set veth0a1b master br0\n")
        result = module("virt_bridge", {"name": "br0", "ports": []})
        assert result["steps"] == ["remove port eth1 from bridge br0"]
        assert len(warnings_of(result)) == 1
        assert "veth0a1b is not declared and stays" in warnings_of(result)[0]
        assert ports("br0") == {"veth0a1b"}

    def test_moves_in_one_task(self) -> None:
        bridge("br0", ports=["eth1", "eth2"])
        bridge("br2", ports=["eth3"])
        result = task(
            bridges=[
                {"name": "br1", "ports": ["eth1", "eth3"]},
                {"name": "br0", "ports": ["eth2"]},
                {"name": "br2", "state": "absent"},
            ],
        )
        assert result["steps"] == [
            "remove port eth1 from bridge br0",
            "remove bridge br2",
            "create bridge br1",
            "add port eth1 to bridge br1",
            "add port eth3 to bridge br1",
        ]
        assert (ports("br0"), ports("br1")) == ({"eth2"}, {"eth1", "eth3"})

    def test_device_with_addresses_by_force(self) -> None:
        batch("addr add 192.0.2.10/24 dev eth1\nlink set eth1 up\n")
        assert steps_of(ports=["eth1"], addresses=["192.0.2.10/24"], force=True) == [
            "create bridge br0",
            "add port eth1 to bridge br0",
            "add address 192.0.2.10/24 to bridge br0",
        ]
        assert ports("br0") == {"eth1"}

    def test_running_guest_stays_connected(self) -> None:
        host("a", "eth9", "10.9.0.1/24")
        bridge(ports=["eth9"])
        xml = "<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>"
        with Guest("bridged", interfaces=[xml], dhcp=False) as guest:
            guest.check("ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up")
            (tap,) = ports("br0") - {"eth9"}
            eventually(lambda: reaches("a", "10.9.0.2"))
            pinging = start_ping("a", "10.9.0.2", 150)
            bridge(stp=True, forward_delay=4)
            bridge(priority=100, hello_time=1, ageing_time=20)
            bridge(mac="02:00:00:00:00:aa", addresses=["10.9.0.3/24", "2001:db8:9::3/64"])
            bridge(ports=["eth9", "eth1"])
            bridge(ports=["eth9"], stp=False, forward_delay=0, addresses=[])
            assert pinging.poll() is None, "the changes took longer than the ping"
            assert lost(pinging) == 0
            assert ports("br0") == {"eth9", tap}
            refused = task(name="br0", state="absent")
            assert f"guests or containers are connected to it: eth9, {tap}" in refused["msg"]
            assert reaches("a", "10.9.0.2")


class TestTraffic:
    def test_two_hosts_and_this_one(self) -> None:
        host("a", "port-a", "10.9.0.1/24", "2001:db8:9::1/64")
        host("b", "port-b", "10.9.0.2/24", "2001:db8:9::2/64")
        bridge(ports=["port-a", "port-b"], addresses=["10.9.0.3/24", "2001:db8:9::3/64"])
        for address in ("10.9.0.2", "10.9.0.3", "2001:db8:9::2", "2001:db8:9::3"):
            assert reaches("a", address), address
        batch("link set port-b nomaster\n")
        assert not reaches("a", "10.9.0.2")
        bridge(ports=["port-a", "port-b"])
        assert reaches("a", "10.9.0.2")

    def test_changes_lose_no_packet(self) -> None:
        host("a", "port-a", "10.9.0.1/24")
        host("b", "port-b", "10.9.0.2/24")
        bridge(ports=["port-a", "port-b"])
        assert reaches("a", "10.9.0.2")
        changes = Path("/sys/class/net/port-a/carrier_changes").read_text()
        pinging = start_ping("a", "10.9.0.2", 300, 0.005)
        bridge(stp=True, forward_delay=4, hello_time=1)
        bridge(mtu=1400)
        bridge(mac="02:00:00:00:00:bb", ageing_time=10)
        bridge(ports=["port-a", "port-b", "eth1"], addresses=["10.9.0.3/24"])
        bridge(ports=["port-a", "port-b"], addresses=["10.9.0.4/24"], stp=False)
        assert pinging.poll() is None, "the changes took longer than the ping"
        assert lost(pinging) == 0
        assert Path("/sys/class/net/port-a/carrier_changes").read_text() == changes


class TestAddresses:
    def test_exact_and_emptied(self) -> None:
        bridge(addresses=["192.0.2.1/24", "2001:db8::1/64"])
        assert steps_of(addresses=["192.0.2.1/24", "203.0.113.1/24"]) == [
            "add address 203.0.113.1/24 to bridge br0",
            "remove address 2001:db8::1/64 from bridge br0",
        ]
        assert addresses("br0") == {"192.0.2.1/24", "203.0.113.1/24"}
        bridge(addresses=[])
        assert addresses("br0") == set()

    def test_order_and_spelling_mean_nothing(self) -> None:
        bridge(addresses=["192.0.2.1/24", "2001:db8::1/64"])
        assert bridge(addresses=["2001:0DB8:0::1/64", "192.0.2.1/255.255.255.0"])["changed"] is False

    def test_routes_survive_a_new_address(self) -> None:
        bridge(ports=["eth1"], addresses=["192.0.2.1/24"])
        batch("link set far1 up\nroute add 10.77.0.0/16 via 192.0.2.254\n")
        bridge(addresses=["192.0.2.2/24"])
        assert addresses("br0") == {"192.0.2.2/24"}
        assert "10.77.0.0/16 via 192.0.2.254" in ip("route")

    def test_others_of_a_subnet_survive_the_first(self) -> None:
        bridge(addresses=["192.0.2.1/24"])
        batch("addr add 192.0.2.2/24 dev br0\naddr add 192.0.2.77/24 dev br0 valid_lft 900 preferred_lft 900\n")
        promote = Path("/proc/sys/net/ipv4/conf/br0/promote_secondaries")
        assert promote.read_text() == "0\n"
        assert steps_of(addresses=["192.0.2.2/24"]) == ["remove address 192.0.2.1/24 from bridge br0"]
        assert addresses("br0") == {"192.0.2.2/24", "192.0.2.77/24"}
        assert promote.read_text() == "0\n"

    def test_other_prefix(self) -> None:
        bridge(addresses=["192.0.2.1/24", "2001:db8::1/64"])
        bridge(addresses=["192.0.2.1/25", "2001:db8::1/80"])
        assert addresses("br0") == {"192.0.2.1/25", "2001:db8::1/80"}

    def test_not_ours(self) -> None:
        bridge(ports=["eth1"])
        batch(
            "addr add 192.0.2.77/24 dev br0 valid_lft 900 preferred_lft 900\n"
            "addr add 2001:db8::77/64 dev br0 valid_lft 900 preferred_lft 900\n"
            "addr add 169.254.7.7/16 dev br0\naddr add fe80::7/64 dev br0\n"
            "addr add 10.7.0.1 peer 10.7.0.2 dev br0\n"
        )
        before = ip("-o", "addr", "show", "br0").count("inet")
        assert steps_of(addresses=[]) == []
        assert ip("-o", "addr", "show", "br0").count("inet") == before

    def test_leased_address_is_made_permanent(self) -> None:
        bridge()
        batch(
            "addr add 192.0.2.77/24 dev br0 valid_lft 900 preferred_lft 900\n"
            "addr add 2001:db8::77/64 dev br0 valid_lft 900 preferred_lft 900\n"
        )
        assert steps_of(addresses=["192.0.2.77/24", "2001:db8::77/64"]) == [
            "make address 192.0.2.77/24 of bridge br0 permanent",
            "make address 2001:db8::77/64 of bridge br0 permanent",
        ]
        assert "900" not in ip("addr", "show", "br0")

    def test_link_local_address_may_be_declared(self) -> None:
        bridge()
        assert steps_of(addresses=["fe80::1/64"]) == ["add address fe80::1/64 to bridge br0"]

    def test_single_address_on_several_bridges(self) -> None:
        both = ["198.51.100.2/32", "2001:db8:100::2/128"]
        for name in ("br0", "br1"):
            assert len(steps_of(name, addresses=both)) == 3
            assert addresses(name) == set(both)

    def test_overlap_by_force(self) -> None:
        bridge(addresses=["198.51.100.65/26"], force=True)
        assert addresses("br0") == {"198.51.100.65/26"}


def routes_of(name: str) -> set[str]:
    """Without those that the kernel makes."""
    lines = [line for family in "46" for line in ip(f"-{family}", "route", "show", "dev", name).splitlines()]
    return {re.sub(r" (linkdown|pref medium|scope link)", "", line).strip() for line in lines if "kernel" not in line}


class TestRoutes:
    def test_exact_replaced_and_emptied(self) -> None:
        bridge(ports=["eth1"], addresses=["192.0.2.1/24", "2001:db8::1/64"])
        batch(
            "link set far1 up\nroute add 10.1.0.0/16 via 192.0.2.7\nroute add 10.2.0.0/16 dev br0\n"
            "route add 10.3.0.0/16 via 192.0.2.7 proto dhcp\nroute add 10.4.0.0/16 via 192.0.2.7 proto bird\n"
            "route add 10.5.0.0/16 via 192.0.2.7 table 5\nroute add 2001:db8:1::/48 via 2001:db8::7\n"
            "route add 2001:db8:3::/48 via 2001:db8::7 proto ra\nroute add 2001:db8:4::/48 dev br0\n"
        )
        others = {line for line in routes_of("br0") if "proto" in line and "static" not in line}
        assert len(others) == 3
        assert steps_of() == []
        wanted: list[dict[str, Any]] = [
            {"destination": "10.1.0.0/16", "gateway": "192.0.2.8"},
            {"destination": "10.2.0.0/255.255.0.0"},
            {"destination": "2001:DB8:1::/48", "gateway": "2001:db8::8"},
            {"destination": "2001:db8:4::/48", "gateway": "2001:db8::8"},
            {"destination": "default", "gateway": "2001:db8::8", "metric": 7},
            {"destination": "10.3.0.0/16", "gateway": "192.0.2.7"},
        ]
        assert steps_of(routes=wanted) == [
            "change route 10.1.0.0/16 via 192.0.2.8 of bridge br0",
            "change route 2001:db8:1::/48 via 2001:db8::8 of bridge br0",
            "remove route 2001:db8:4::/48 of bridge br0",
            "change route 2001:db8:4::/48 via 2001:db8::8 of bridge br0",
            "add route ::/0 via 2001:db8::8 metric 7 of bridge br0",
        ]
        assert routes_of("br0") - others == {
            "10.1.0.0/16 via 192.0.2.8 proto static",
            "10.2.0.0/16",
            "2001:db8:1::/48 via 2001:db8::8 proto static metric 1024",
            "2001:db8:4::/48 via 2001:db8::8 proto static metric 1024",
            "default via 2001:db8::8 proto static metric 7",
        }
        wanted = [{**each, "metric": 0} if "10." in each["destination"] else each for each in wanted]
        assert bridge(routes=wanted)["changed"] is False
        assert len(steps_of(routes=[])) == 5
        assert routes_of("br0") == others
        assert "10.5.0.0/16 via 192.0.2.7" in ip("route", "show", "table", "5")

    def test_source_waits_for_its_address(self) -> None:
        for path in DAD_SETTINGS:
            Path(path).write_text("1\n")
        batch("link set far1 up\n")
        route = {"destination": "2001:db8:1::/48", "gateway": "2001:db8::8", "source": "2001:db8::1"}
        bridge(ports=["eth1"], addresses=["2001:db8::1/64"], routes=[route])
        assert routes_of("br0") == {"2001:db8:1::/48 via 2001:db8::8 proto static src 2001:db8::1 metric 1024"}

    def test_gateway_that_a_route_leads_to(self) -> None:
        routes = [{"destination": "172.31.1.1"}, {"destination": "default", "gateway": "172.31.1.1", "metric": 5}]
        bridge(ports=["eth1"], addresses=["192.0.2.1/32"], routes=routes)
        assert "default via 172.31.1.1 proto static metric 5" in routes_of("br0")

    def test_move_to_another_bridge(self) -> None:
        route = {"destination": "10.1.0.0/16"}
        bridge("br1", addresses=["192.0.2.1/32"], routes=[route])
        result = task(bridges=[{"name": "br0", "routes": [route]}, {"name": "br1", "routes": []}])
        assert "failed" not in result, result["msg"]
        assert (routes_of("br0"), routes_of("br1")) == ({"10.1.0.0/16 proto static"}, set())


class TestPortOptions:
    def test_isolation(self) -> None:
        """Of a guest too; what is not named stays as it is."""
        host("a", "port-a", "10.9.0.1/24")
        host("b", "port-b", "10.9.0.2/24")
        host("c", "port-c", "10.9.0.3/24")
        bridge(ports=["port-a", "port-b", "port-c"])
        both = [{"name": name, "isolated": True} for name in ("port-a", "port-b")]
        assert steps_of(port_options=both) == [f"isolate port {name} of bridge br0" for name in ("port-a", "port-b")]
        assert (reaches("a", "10.9.0.3"), reaches("a", "10.9.0.2")) == (True, False)
        assert steps_of(port_options=[]) == []
        assert steps_of(port_options=[{"name": "port-b", "isolated": False}]) == [
            "no longer isolate port port-b of bridge br0"
        ]
        assert reaches("a", "10.9.0.2")
        assert bridge(port_options=[{"name": "port-a"}])["changed"] is False


class TestAbsent:
    def test_removed_and_gone(self) -> None:
        bridge(ports=["eth1"], addresses=["192.0.2.1/24"])
        assert steps_of(state="absent") == ["remove bridge br0"]
        assert not exists("br0")
        assert exists("eth1")
        assert "master" not in link("eth1")

    def test_with_guests_by_force(self) -> None:
        bridge()
        batch("tuntap add vnet0 mode tap\nlink set vnet0 master br0\n")
        assert steps_of(state="absent", force=True) == ["remove bridge br0"]
        assert exists("vnet0")

    def test_with_the_default_route_by_force(self) -> None:
        bridge(addresses=["192.0.2.1/24"])
        batch("route add default via 192.0.2.254 metric 900\n")
        result = task(name="br0", state="absent")
        assert (
            "state: it cannot be removed, because the host's default route is through it: default via" in result["msg"]
        )
        assert steps_of(state="absent", force=True) == ["remove bridge br0"]


# Refusing.

TAKEN = "link add br1 type bridge\nlink set eth1 master br1\n"

REFUSED = [
    ("", {"name": "br0123456789abcdef"}, "name: 'br0123456789abcdef' has 18 bytes, and the kernel takes at most 15"),
    (
        "",
        {"name": "eth1"},
        "bridge 'eth1': name: this host's device of that name is not a Linux bridge but of the kind",
    ),
    ("", {"name": "eth1", "state": "absent", "force": True}, "is not a Linux bridge but of the kind veth"),
    ("", {"name": "lo"}, "is not a Linux bridge but the loopback device"),
    ("", {"name": "br0", "ports": ["eth9"]}, "ports[eth9]: this host has no device 'eth9'. Make it first"),
    ("", {"name": "br0", "ports": ["lo"]}, "ports[lo]: the loopback device cannot be a port"),
    ("", {"name": "br0", "ports": ["br0"]}, "ports[br0]: a bridge cannot be a port of itself"),
    (TAKEN, {"name": "br0", "ports": ["br1"]}, "ports[br1]: it is a bridge, and these cannot be ports"),
    (TAKEN, {"name": "br0", "ports": ["eth1"]}, "ports[eth1]: it is a port of br1 already"),
    (TAKEN, {"name": "br0", "ports": ["eth1"], "force": True}, "ports[eth1]: it is a port of br1 already"),
    (
        "tuntap add tun0 mode tun\n",
        {"name": "br0", "ports": ["tun0"]},
        "ports[tun0]: it is not an Ethernet device (tun)",
    ),
    (
        "link add link eth1 name mv0 type macvtap\n",
        {"name": "br0", "ports": ["mv0"]},
        "ports[mv0]: a device of the kind macvtap cannot be a port",
    ),
    (
        "link add link eth1 name mv0 type macvlan\n",
        {"name": "br0", "ports": ["eth1"]},
        "ports[eth1]: it carries mv0, and a device with macvlan or macvtap devices on it cannot be a port",
    ),
    (
        "",
        {"name": "br0", "ports": ["uplink0"]},
        "ports[uplink0]: the device carries addresses of this host, 198.51.100.2/24, 2001:db8:100::2/64, and as a port",
    ),
    ("", {"name": "br0", "stp": True, "forward_delay": 1}, "forward_delay: 1 is not between 2 and 30"),
    ("", {"name": "br0", "forward_delay": 31}, "forward_delay: 31 is not between 0 and 30"),
    ("", {"name": "br0", "hello_time": 11}, "hello_time: 11 is not between 1 and 10"),
    ("", {"name": "br0", "max_age": 5}, "max_age: 5 is not between 6 and 40"),
    ("", {"name": "br0", "priority": 65536}, "priority: 65536 is not between 0 and 65535"),
    ("", {"name": "br0", "ageing_time": -1}, "ageing_time: -1 is not between 0 and 1000000"),
    ("", {"name": "br0", "mtu": 67}, "mtu: 67 is not between 68 and 65535"),
    ("", {"name": "br0", "mtu": 1000, "addresses": ["2001:db8::1/64"]}, "mtu: 1000 is less than the 1280 that IPv6"),
    ("", {"name": "br0", "mac": "01:00:5e:00:00:01"}, "mac: '01:00:5e:00:00:01' is a multicast MAC address"),
    ("", {"name": "br0", "addresses": ["192.0.2.1"]}, "addresses[0]: '192.0.2.1' has no prefix"),
    (
        "",
        {"name": "br0", "addresses": ["192.0.2.0/24"]},
        "addresses[0]: '192.0.2.0/24' is the network 192.0.2.0/24 itself",
    ),
    (
        "",
        {"name": "br0", "addresses": ["2001:db8::1/64", "2001:db8::1/80"]},
        "addresses[2001:db8::1/80]: 2001:db8::1 stands there already, as 2001:db8::1/64",
    ),
    (
        "",
        {"name": "br0", "addresses": ["198.51.100.65/26"]},
        "addresses[198.51.100.65/26]: the subnet 198.51.100.64/26 overlaps 198.51.100.0/24 of uplink0",
    ),
    (
        "link add br0 type bridge\ntuntap add vnet0 mode tap\nlink set vnet0 master br0\n",
        {"name": "br0", "state": "absent"},
        "state: it cannot be removed, because guests or containers are connected to it: vnet0. Disconnect or",
    ),
    ("", {"bridges": [{"name": "br0"}, {"name": "br0"}]}, "bridges: 'br0' is declared twice"),
    (
        "",
        {"name": "br0", "vlan_filtering": True, "port_options": [{"name": "br0", "vids": "7"}]},
        "vlan_filtering, port_options[br0]: this host's kernel has no VLANs on bridges (CONFIG_BRIDGE_VLAN_FILTERING)",
    ),
    ("link add br0 type bridge\n", {"name": "br0", "default_pvid": 0}, "default_pvid: this host's kernel has no VLANs"),
    ("", {"name": "br0", "port_options": [{"name": "eth1"}]}, "port_options[eth1]: eth1 is not a port of the bridge"),
    (
        "",
        {"name": "br0", "routes": [{"destination": "default", "gateway": "192.0.2.1", "metric": 4}]},
        "routes[default].gateway: 192.0.2.1 is in no subnet of the bridge, which has no addresses",
    ),
    (
        "",
        {
            "name": "br0",
            "addresses": ["192.0.2.1/24"],
            "routes": [{"destination": "default", "gateway": "192.0.2.254"}],
        },
        "routes[default]: this host has a route to there with the metric 0 through uplink0 already",
    ),
    ("", {"name": "br0", "take_over": "eth9"}, "take_over: eth9: this host has no device 'eth9'"),
    (TAKEN, {"name": "br0", "take_over": "eth1"}, "take_over: eth1: it is a port of br1 already"),
    (
        "",
        {"name": "br0", "take_over": "uplink0", "addresses": ["198.51.100.2/24"], "routes": []},
        "take_over: uplink0 has 2001:db8:100::2/64, which the bridge would not get, because it is not in addresses",
    ),
    (
        "route add 10.7.0.0/16 nexthop via 198.51.100.3 dev uplink0 nexthop via 198.51.100.4 dev uplink0\n",
        {"name": "br0", "take_over": "uplink0"},
        "take_over: routes through uplink0 have several ways or share one: 10.7.0.0/16",
    ),
    ("", {"bridges": [{"name": "br0"}], "stp": True}, "parameters are mutually exclusive: stp|bridges"),
    ("", {"stp": True}, "one of the following is required: name, bridges"),
    (
        "",
        {"bridges": [{"name": "br0", "ports": ["eth1"]}, {"name": "br1", "ports": ["eth1"]}]},
        "ports[eth1]: it is declared as a port of 'br0' too",
    ),
    (
        "",
        {"bridges": [*({"name": f"br{number}"} for number in range(19)), {"name": "br19", "hello_time": 0}]},
        "bridge 'br19': hello_time: 0 is not between 1 and 10",
    ),
]


class TestRefused:
    @pytest.mark.parametrize(("before", "options", "message"), REFUSED, ids=range(len(REFUSED)))
    def test_and_nothing_is_changed(self, before: str, options: dict[str, Any], message: str) -> None:
        if before:
            batch(before)
        state = settled_state()
        result = task(**options)
        assert result["failed"] is True
        assert message in result["msg"]
        assert host_state() == state

    def test_all_problems_at_once(self) -> None:
        result = task(
            bridges=[
                {"name": "br0", "ports": ["eth9", "uplink0"]},
                {"name": "br1", "addresses": ["198.51.100.9/24"]},
                {"name": "eth1"},
            ],
        )
        assert result["msg"].startswith("Nothing was changed, 4 problems: ")

    def test_bridge_of_libvirt(self) -> None:
        define_nat_network("lab", bridge="virbr7")
        state = settled_state()
        result = task(name="virbr7", state="absent", force=True)
        assert "state: it is the bridge of libvirt's network 'lab'" in result["msg"]
        assert host_state() == state
        virsh("net-destroy", "lab")

    def test_bridge_that_libvirt_only_uses(self) -> None:
        bridge()
        path = Path(os.environ["TMPDIR"], "network.xml")
        path.write_text("<network><name>host</name><forward mode='bridge'/><bridge name='br0'/></network>")
        virsh("net-create", str(path))
        assert steps_of(state="absent") == ["remove bridge br0"]

    def test_without_ipv6(self) -> None:
        default = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        default.write_text("1\n")
        try:
            result = task(name="br0", addresses=["2001:db8::1/64"])
            assert "IPv6 is off there. Set the sysctl net.ipv6.conf.default.disable_ipv6 to 0 first" in result["msg"]
            assert not exists("br0")
        finally:
            default.write_text("0\n")

    def test_missing_port_is_a_warning_in_check_mode(self) -> None:
        result = module("virt_bridge", {"name": "br0", "ports": ["eth9"]}, check=True)
        assert result["steps"] == ["create bridge br0", "add port eth9 to bridge br0"]
        assert "this host has no device 'eth9'" in warnings_of(result)[0]

    def test_without_pyroute2(self, tmp_path: Path) -> None:
        (tmp_path / "pyroute2.py").write_text("raise ImportError\n")
        import ansible

        path = f"{tmp_path}:{Path(ansible.__file__).parent.parent}:{COLLECTIONS}"
        result = module("virt_bridge", {"name": "br0"}, environment={"PYTHONPATH": path})
        assert "pyroute2 >= 0.5.14 on PyPI, python3-pyroute2 on Debian" in result["msg"]


# Check mode, and runs that are cut short.

STATES: dict[str, tuple[str, dict[str, Any]]] = {
    "new": ("", {"name": "br0", "ports": ["eth1"], "addresses": ["192.0.2.1/24"], "mtu": 1400, "stp": True}),
    "changed": (
        """link add br0 type bridge stp_state 1
link set br0 up
link set eth3 master br0
link set eth2 master br0
addr add 192.0.2.9/24 dev br0
addr add 192.0.2.8/24 dev br0
addr add 2001:db8::1/64 dev br0
""",
        {
            "name": "br0",
            "ports": ["eth1", "eth4", "eth3"],
            "addresses": ["192.0.2.8/24", "192.0.2.1/24", "2001:db8::1/80"],
            "mtu": 1400,
            "stp": False,
            "forward_delay": 0,
            "priority": 1,
        },
    ),
    "removed": (
        "link add br0 type bridge\nlink set br0 up\nlink set eth1 master br0\nlink add br1 type bridge\n",
        {"bridges": [{"name": "br0", "state": "absent"}, {"name": "br1", "state": "absent"}]},
    ),
    "many": (
        "link add br2 type bridge\nlink set eth1 master br2\nlink add br3 type bridge\naddr add 192.0.2.1/24 dev br3\n",
        {
            "bridges": [
                {"name": "br0", "ports": ["eth1"], "addresses": ["192.0.2.1/24"]},
                {"name": "br1", "ports": ["eth2"], "mtu": 1300},
                {"name": "br2", "ports": []},
                {"name": "br3", "state": "absent"},
                {"name": "br4", "state": "absent"},
            ]
        },
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_check_mode_touches_nothing(case: str) -> None:
    before, options = STATES[case]
    if before:
        batch(before)
    shutil.rmtree("/run/virtnet.hypervisor", ignore_errors=True)
    state = settled_state()
    foretold = task(check=True, **options)
    assert foretold["changed"] is True
    assert host_state() == state
    assert not Path("/run/virtnet.hypervisor").exists(), "the lock was made"
    result = task(**options)
    assert (result["steps"], result["diff"]) == (foretold["steps"], foretold["diff"])


def killed_after(changes: int, options: dict[str, Any]) -> bool:
    """Run the module and kill it right after so many changes of the kernel's state. False when it made fewer."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            import pyroute2

            # The module is run in this process, which so has its parts.
            task(name="br9", state="absent")
            room = importlib.import_module(
                "ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink"
            )
            left = changes

            def counted(method: Callable[..., Any], count: Callable[[Any], int]) -> Callable[..., Any]:
                def call(self: Any, first: Any, *arguments: Any, **values: Any) -> Any:
                    nonlocal left
                    answer = method(self, first, *arguments, **values)
                    left -= count(first)
                    if left <= 0 < left + count(first):
                        os.kill(os.getpid(), signal.SIGKILL)
                    return answer

                return call

            # Several requests may go to the kernel in one piece.
            room.Socket.change = counted(room.Socket.change, len)
            pyroute2.IPRoute.addr = counted(pyroute2.IPRoute.addr, lambda command: int(command not in ("get", "dump")))
            task(**options)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("case", STATES)
def test_run_that_was_killed_is_completed_by_the_next(case: str) -> None:
    before, options = STATES[case]
    changes = 0
    while True:
        changes += 1
        if before:
            batch(before)
        killed = killed_after(changes, options)
        if killed:
            result = task(**options)
            assert "failed" not in result, (changes, result["msg"])
        again = task(**options)
        assert again["changed"] is False, (changes, again["steps"])
        if case == "changed":
            assert ports("br0") == {"eth1", "eth3", "eth4"}
            assert addresses("br0") == {"192.0.2.8/24", "192.0.2.1/24", "2001:db8::1/80"}
        if not killed:
            break
        for number in range(5):
            ip("link", "delete", f"br{number}", check=False)
    assert changes > {"new": 4, "changed": 9, "removed": 3, "many": 7}[case]


def test_two_runs_at_once() -> None:
    """The second waits for the first, and finds everything done."""
    from harness import start_module

    options = {"bridges": [{"name": f"br{number}", "addresses": [f"10.{number}.0.1/16"]} for number in range(20)]}
    both = [start_module("virt_bridge", options) for _turn in range(2)]
    results = [json.loads(process.communicate(timeout=60)[0].splitlines()[-1]) for process in both]
    assert sorted(result.get("changed") for result in results) == [False, True]


# Documentation.


def examples() -> list[dict[str, Any]]:
    text = (ROOT / "plugins/modules/virt_bridge.py").read_text(encoding="utf-8")
    match = re.search(r'EXAMPLES = r"""(.*?)"""', text, re.DOTALL)
    assert match
    tasks: list[dict[str, Any]] = yaml.safe_load(match[1])
    return tasks


# What the examples find: cards, an uplink with an address, and guests.
FOR_EXAMPLES = """link add br-old type bridge
link add eth0 type veth peer name far0
link set eth0 up
link set far0 up
addr add 192.0.2.10/24 dev eth0
route add 203.0.113.0/24 via 192.0.2.1 dev eth0
tuntap add vnet0 mode tap
tuntap add vnet1 mode tap
"""
GUESTS_COME = "link set vnet0 master br-guests\nlink set vnet1 master br-guests\n"


def test_examples() -> None:
    """Each is foretold by check mode without touching anything, does something, and does nothing the second time."""
    batch(FOR_EXAMPLES)
    # tests/kernel has those that need VLANs.
    for number, example in enumerate(each for each in examples() if not needs_vlans(each)):
        if number == 1:
            batch(GUESTS_COME)
        options = example["virtnet.hypervisor.virt_bridge"]
        state = settled_state()
        foretold = task(check=True, **options)
        assert host_state() == state
        done = task(**options)
        assert done["steps"] == foretold["steps"] != []
        assert task(**options)["steps"] == []


def test_examples_as_a_playbook() -> None:
    batch(FOR_EXAMPLES)
    shown = [each for each in examples() if not needs_vlans(each)]
    tasks = [{**example, "name": f"{example['name']}: {turn}"} for example in shown for turn in ("once", "again")]
    plug = [{"ansible.builtin.command": f"ip {line}"} for line in GUESTS_COME.splitlines()]
    play = {"hosts": "hypervisor", "gather_facts": False, "tasks": [*tasks[:2], *plug, *tasks[2:]]}
    done = playbook("---\n" + yaml.safe_dump([play]), diff=True).succeeded()
    assert [each.changed for each in done.of("virt_bridge")] == [True, False] * len(shown)
    assert ports("br-guests") == {"eth1", "vnet0", "vnet1"}
    assert ports("br-storage") == {"eth2", "eth3"}
    assert (exists("br-lan"), addresses("eth0")) == (False, {"192.0.2.10/24"}), "given back by the example after it"
    assert not exists("br-closed")
    assert not exists("br-old")
    assert "master" not in link("eth4")


def needs_vlans(example: dict[str, Any]) -> bool:
    return "vlan_filtering" in example["virtnet.hypervisor.virt_bridge"]


def test_every_option_is_in_an_example() -> None:
    text = (ROOT / "plugins/modules/virt_bridge.py").read_text(encoding="utf-8")
    match = re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.DOTALL)
    assert match
    documented = yaml.safe_load(match[1])["options"]["bridges"]["suboptions"]
    shown: set[str] = set()
    for example in examples():
        options = example["virtnet.hypervisor.virt_bridge"]
        for each in options.get("bridges", [options]):
            shown |= set(each)
    assert shown == set(documented)
