# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the host, as its own tools tell it, and the way back to an empty one."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import stat
import subprocess
import time
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from .places import ROOT

# What the sandbox starts with, see sandbox/virtnet_sandbox/network.py.
_OWN_LINKS = ("lo", "uplink0")

# The running clocks of bridges and of their ports; everything else in `ip -d` stands still while nothing is changed.
CLOCKS = {
    *("hello_timer", "tcn_timer", "topology_change_timer", "gc_timer"),
    # The first of these runs for 15 s also without STP: br_make_forwarding() in net/bridge/br_stp.c starts it.
    *("forward_delay_timer", "message_age_timer", "hold_timer"),
}


def virsh(*arguments: str, check: bool = True) -> str:
    result = subprocess.run(
        ["virsh", "--quiet", "--connect", "qemu:///system", *arguments], capture_output=True, text=True, check=False
    )
    if check and result.returncode != 0:
        raise AssertionError(f"virsh {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def libvirtd(action: str) -> None:
    """start, stop, kill or restart."""
    subprocess.run([ROOT / "sandbox/libvirtd", action], check=True)


def host_state() -> dict[str, str]:
    """Everything a network can change on a host. Equal before and after means: nothing was touched."""
    state = {
        "net-list": virsh("net-list", "--all"),
        "ip addr": _told_by_ip("-d", "addr"),
        "ip route": _told_by_ip("route", "show", "table", "all"),
        "ip -6 route": _told_by_ip("-6", "route"),
        "nft": _output("nft", "--stateless", "list", "ruleset"),
        "ip_forward": Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii"),
    }
    for name in _names("net-list"):
        state[f"net-dumpxml {name}"] = virsh("net-dumpxml", name)
        state[f"net-dumpxml --inactive {name}"] = virsh("net-dumpxml", "--inactive", name)
        state[f"net-info {name}"] = virsh("net-info", name)
    for folder in (Path("/etc/libvirt"), Path("/etc/sysctl.d")):
        for path in sorted(folder.rglob("*")):
            state[str(path)] = _fingerprint(path)
    return state


def settled_state(timeout: float = 15) -> dict[str, str]:
    """The state of the host once what was made before has come to rest."""
    deadline = time.monotonic() + timeout
    before, state = None, host_state()
    while state != before or on_the_way(json.loads(state["ip addr"])):
        if time.monotonic() > deadline:
            changing = "\n".join(difference(before or {}, state)) or on_the_way(json.loads(state["ip addr"]))
            raise AssertionError(f"The host did not come to rest within {timeout} s: {changing}")
        time.sleep(0.3)
        before, state = state, host_state()
    return state


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What changed between two states of the host, in lines with what is around them."""
    return [
        line
        for part in sorted({*before, *after})
        for line in difflib.unified_diff(
            before.get(part, "").splitlines(), after.get(part, "").splitlines(), part, part, lineterm=""
        )
    ]


def explain_comparison(op: str, left: object, right: object) -> list[str] | None:
    """For pytest: two states that are not equal, told by the few lines that differ."""
    if op == "==" and isinstance(left, dict) and isinstance(right, dict) and "ip addr" in left and "ip addr" in right:
        return [
            "the state of the host is the same on both sides (-: only on the right, +: only on the left)",
            *difference(right, left),
        ]
    return None


def on_the_way(links: Iterable[Mapping[str, Any]]) -> list[str]:
    """The devices, of those in `ip -j -d addr`, which the kernel will still change by itself.

    It sets the operational state, and with it the flag NO-CARRIER, up to a second after the carrier changed
    (net/core/link_watch.c), and looks for duplicates of an IPv6 address for about as long.
    """
    found = list(links)
    bridges_with_ports = {link["master"] for link in found if "master" in link}
    return [
        link["ifname"]
        for link in found
        if _waits_for_its_state(link, bridges_with_ports) or _looks_for_duplicates(link)
    ]


def _waits_for_its_state(link: Mapping[str, Any], bridges_with_ports: Container[str]) -> bool:
    info = link.get("linkinfo", {})
    # Others, such as dummies, never tell of their state: theirs is UNKNOWN for ever.
    if info.get("info_kind") not in ("bridge", "veth", "vlan"):
        return False
    if "LOWER_UP" not in link["flags"]:
        return link["operstate"] not in ("DOWN", "LOWERLAYERDOWN")
    rest = ["UP"]
    is_lonely_bridge = info["info_kind"] == "bridge" and link["ifname"] not in bridges_with_ports
    if is_lonely_bridge and not info["info_data"]["stp_state"]:
        # As it was made: the kernel first looks at the carrier of a bridge when it gets a port.
        rest.append("UNKNOWN")
    return link["operstate"] not in rest


def _looks_for_duplicates(link: Mapping[str, Any]) -> bool:
    # Without a carrier it waits for one, and what it found once stays.
    return "LOWER_UP" in link["flags"] and any(
        address.get("tentative") and not address.get("dadfailed") for address in link["addr_info"]
    )


def wipe() -> None:
    """Remove every guest, network and link that is not the sandbox's own."""
    libvirtd("start")
    running = _names("list", "--state-running", "--state-paused")
    for name in _names("list", "--all"):
        if name in running:
            virsh("destroy", name)
        # A guest that was only started, not defined, is gone by now.
        virsh("undefine", name, check=False)
    active = _names("net-list", all_of_them=False)
    for name in _names("net-list"):
        if name in active:
            virsh("net-destroy", name)
        virsh("net-undefine", name, check=False)
    with contextlib.suppress(OSError):
        # libvirt makes it for the first network that starts with the host, and keeps it.
        Path("/etc/libvirt/qemu/networks/autostart").rmdir()
    for link in json.loads(_output("ip", "-j", "link")):
        if link["ifname"] not in _OWN_LINKS:
            # Removing one end of a veth pair takes the other along.
            subprocess.run(["ip", "link", "delete", link["ifname"]], stderr=subprocess.DEVNULL, check=False)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0\n", encoding="ascii")
    for log in (*Path("/run/virtnet-sandbox/guests").glob("*/*"), *Path("/var/log/libvirt/qemu").glob("*.log")):
        log.unlink()


def _names(command: str, *arguments: str, all_of_them: bool = True) -> list[str]:
    if all_of_them and not arguments:
        arguments = ("--all",)
    return [line for line in virsh(command, *arguments, "--name").splitlines() if line]


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _told_by_ip(*arguments: str) -> str:
    """A fact a line, for the comparison."""
    return json.dumps(_without_clocks(json.loads(_output("ip", "-j", *arguments))), indent=1)


def _without_clocks(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_clocks(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_clocks(item) for key, item in value.items() if key not in CLOCKS}
    return value


def _fingerprint(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link to {path.readlink()}"
    if stat.S_ISDIR(mode):
        return f"folder {mode:o}"
    return f"file {mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
