# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every topology: check mode touches nothing, a second run changes nothing, and all can go again."""

from __future__ import annotations

import contextlib
import difflib
import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from virtnet_sandbox import kernel
from virtnet_sandbox.network import OUTSIDE_ADDRESS, OUTSIDE_NAMESPACE

from .examples import define_nat_network
from .host import host_state, virsh
from .playbooks import PlaybookRun, playbook

# libvirt turns on the forwarding of a network's IPv6, and never off, so it is on before.
_HYPERVISOR = {"virtnet_hosts": "all", "host_packages_install": False, "host_forwarding_ipv6": True}
_SHARED_SETTINGS = [
    Path("/proc/sys/net/ipv4/ip_forward"),
    Path("/proc/sys/net/ipv6/conf/all/forwarding"),
    Path("/proc/sys/net/ipv4/conf/uplink0/proxy_arp"),
    *sorted(Path("/proc/sys/net/bridge").glob("bridge-nf-call-*")),
]
_DEVICE_SETTINGS = ("ipv4/conf/*/*", "ipv6/conf/*/*", "bridge/*")
# The kernel makes it up anew for each device.
_NOT_SETTINGS = ("stable_secret",)
_ETH_P_ALL = 3
_ARP, _IPV6 = 0x0806, 0x86DD
_LINK_LOCAL = b"\xfe\x80"


def topology_state() -> dict[str, str]:
    """The state of the host at rest, with the kernel's settings for each of its devices."""
    _wait_for_addresses()
    state = host_state()
    for pattern in _DEVICE_SETTINGS:
        for path in sorted(Path("/proc/sys/net").glob(pattern)):
            if path.name not in _NOT_SETTINGS:
                state[str(path)] = path.read_text(encoding="ascii")
    return state


def _wait_for_addresses(timeout: float = 30) -> None:
    """A new IPv6 address is tentative for a second or two."""
    deadline = time.monotonic() + timeout
    while subprocess.run(["ip", "-6", "addr", "show", "tentative"], capture_output=True, check=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextlib.contextmanager
def hypervisor() -> Iterator[dict[Path, str]]:
    """What every topology stands on: a host that the role `host` has been on. Yields its settings, for many tests."""
    before = _settings()
    play = "---\n- name: The role alone\n  hosts: all\n  gather_facts: false\n  roles: [virtnet.hypervisor.host]\n"
    playbook(play, extra_vars=_HYPERVISOR).succeeded()
    try:
        yield _settings()
    finally:
        _put_back(before)
        for path in Path("/etc/sysctl.d").glob("6?-virtnet-*.conf"):
            path.unlink()


@contextlib.contextmanager
def used_hypervisor(settings: Mapping[Path, str]) -> Iterator[None]:
    """For one test: its libvirt had a network once, which leaves libvirt's folders and its empty chains behind."""
    _put_back(settings)
    define_nat_network("first", "virbr-first", "192.168.77")
    virsh("net-autostart", "first")
    virsh("net-destroy", "first")
    virsh("net-undefine", "first")
    yield
    _put_back(settings)
    for path in Path("/etc/sysctl.d").glob("61-virtnet-*.conf"):
        path.unlink()


def _settings() -> dict[Path, str]:
    return {path: path.read_text(encoding="ascii") for path in _SHARED_SETTINGS}


def _put_back(settings: Mapping[Path, str]) -> None:
    for path, text in settings.items():
        path.write_text(text, encoding="ascii")


def topology(name: str, variables: dict[str, Any], **options: Any) -> PlaybookRun:
    """One run of the topology's playbook."""
    return playbook(f"virtnet.hypervisor.{name}", extra_vars={**_HYPERVISOR, **variables}, **options)


def built(name: str, variables: dict[str, Any]) -> PlaybookRun:
    """The topology is declared: first in check mode, then for real, then again. The real run is returned."""
    before = topology_state()
    checked = topology(name, variables, check=True, diff=True).succeeded()
    touched = differences(before, topology_state())
    assert not touched, touched
    real = topology(name, variables, diff=True).succeeded()
    assert checked.changed == real.changed, f"{checked.stdout}\n{real.stdout}"
    again = topology(name, variables).succeeded()
    assert again.changed == 0, again.stdout
    return real


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The lines that are not the same, with what they are from."""
    return [
        f"{key}: {line}"
        for key in sorted(before.keys() | after.keys())
        for line in difflib.ndiff(before.get(key, "").splitlines(), after.get(key, "").splitlines())
        if line[0] in "+-"
    ]


@contextlib.contextmanager
def capture(device: str, namespace: str = OUTSIDE_NAMESPACE) -> Iterator[list[bytes]]:
    """The frames that pass a device during the block, but for what IPv6 does on a link by itself."""
    frames: list[bytes] = []
    ended = threading.Event()
    listener = packet_socket(namespace, device)

    def listen() -> None:
        listener.settimeout(0.2)
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                frame = listener.recv(65535)
                if not _of_the_link(frame):
                    frames.append(frame)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield frames
    finally:
        ended.set()
        thread.join()
        listener.close()


def packet_socket(namespace: str, device: str) -> socket.socket:
    """A socket belongs to the namespace that its thread was in when it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        if namespace:
            with open(f"/run/netns/{namespace}", encoding="ascii") as file:
                kernel.setns(file.fileno(), kernel.CLONE_NEWNET)
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        listener.bind((device, 0))
        made.append(listener)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _of_the_link(frame: bytes) -> bool:
    """Neighbour and router discovery, and reports of multicast groups, from a link-local address or none."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    return kind == _IPV6 and (frame[22:24] == _LINK_LOCAL or frame[22:38] == bytes(16))


def arp_answers(address: str, wait: float = 2) -> list[str]:
    """The MAC addresses that answer for an address when the outside asks for it."""
    own = _outside_mac()
    request = (
        b"\xff" * 6 + own + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1)
        + own + socket.inet_aton(OUTSIDE_ADDRESS) + bytes(6) + socket.inet_aton(address)
    )  # fmt: skip
    asker = packet_socket(OUTSIDE_NAMESPACE, "outside0")
    with asker, capture("outside0") as frames:
        asker.send(request)
        time.sleep(wait)
    answered = socket.inet_aton(address)
    return [
        frame[22:28].hex(":")
        for frame in frames
        if frame[12:14] == struct.pack("!H", _ARP) and frame[20:22] == b"\0\2" and frame[28:32] == answered
    ]


def _outside_mac() -> bytes:
    command = ["ip", "-n", OUTSIDE_NAMESPACE, "-j", "link", "show", "outside0"]
    link = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    return bytes.fromhex(link["address"].replace(":", ""))
