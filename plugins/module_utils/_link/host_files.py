# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What rtnetlink does not tell: small files of the kernel, of the system and of libvirt."""

from __future__ import annotations

import contextlib
import gzip
import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed

# The state of each running network of libvirt's daemons, which only root may read (src/network/bridge_driver.c).
_LIBVIRT_NETWORKS = Path("/run/libvirt/network")
# Elements of <network> itself; those in its metadata stand further to the right.
_NETWORK_NAME = re.compile(r"^    <name>(.*)</name>$", re.MULTILINE)
_NETWORK_BRIDGE = re.compile(r"^    <bridge name='([^']*)'", re.MULTILINE)
_FOREIGN_BRIDGE = re.compile(r"^    <forward [^>]*mode='bridge'", re.MULTILINE)

# NET_ADDR_SET, include/uapi/linux/netdevice.h.
_SET_BY_SOMEBODY = "3"

_SYSCTL = Path("/proc/sys/net")
_KERNEL_CONFIG = Path("/proc/config.gz")


def libvirt_bridges() -> Mapping[str, str]:
    """The bridges that libvirt made for its running networks, each with its network. A mode ``bridge`` made none."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for path in _LIBVIRT_NETWORKS.glob("*.xml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            bridge, name = _NETWORK_BRIDGE.search(text), _NETWORK_NAME.search(text)
            if bridge and name and not _FOREIGN_BRIDGE.search(text):
                found[html.unescape(bridge.group(1))] = html.unescape(name.group(1))
    return found


def machine_id() -> str:
    return _text(Path("/etc/machine-id")) or _text(Path("/var/lib/dbus/machine-id"))


def mac_was_set(name: str, *, index: int) -> Optional[bool]:
    """Whether a device's MAC address was set rather than taken from a port or by chance. None where it is not known.

    /sys may show the devices of another network namespace.
    """
    folder = Path("/sys/class/net") / name
    if _text(folder / "ifindex") != str(index):
        return None
    assigned = _text(folder / "addr_assign_type")
    return assigned == _SET_BY_SOMEBODY if assigned else None


def isolate_port(name: str) -> None:
    """Keep a port from talking to other isolated ports. IFLA_BRPORT_ISOLATED is unknown to pyroute2 0.5."""
    _write(Path("/sys/class/net") / name / "brport/isolated", "1")


def keep_port_from_learning(name: str) -> None:
    """Have the bridge neither learn addresses behind a port nor flood unknown ones to it."""
    for setting in ("learning", "unicast_flood"):
        _write(Path("/sys/class/net") / name / "brport" / setting, "0")


@contextlib.contextmanager
def forwarding_at_once(bridge: str) -> Iterator[None]:
    """Have new ports of a bridge forward from the first moment, where the spanning tree protocol makes them wait.

    They would listen and learn for at least two seconds each: the kernel knows no shorter forward delay with STP, and
    with a bridge that has it, it takes no port's state from outside (br_set_port_state in net/bridge/br_stp.c). Ports
    that forward when the protocol begins go on forwarding.
    """
    path = Path("/sys/class/net") / bridge / "bridge/stp_state"
    if _text(path) != "1":
        yield
        return
    _write(path, "0")
    try:
        yield
    finally:
        _write(path, "1")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", encoding="ascii")
    except OSError as error:
        raise ApplyFailed(f"{path} cannot be set to {text}: {error.strerror}") from error


def takes_no_ipv6(name: str, *, exists: bool) -> bool:
    """Whether IPv6 is off on a device, or would be off on a new one."""
    return _text(_SYSCTL / "ipv6/conf" / (name if exists else "default") / "disable_ipv6") != "0"


@contextlib.contextmanager
def promoting_secondaries(name: str) -> Iterator[None]:
    """Have the kernel keep a device's other IPv4 addresses of a subnet when the first one of it goes.

    Without this it removes them all (net.ipv4.conf.*.promote_secondaries, 0 unless the system says otherwise).
    """
    path = _SYSCTL / "ipv4/conf" / name / "promote_secondaries"
    before = _text(path)
    if before == "1":
        yield
        return
    try:
        path.write_text("1\n", encoding="ascii")
    except OSError as error:
        raise ApplyFailed(
            f"{path} cannot be set to 1 ({error.strerror}), and without it the kernel would remove the other addresses "
            "of the subnet too"
        ) from error
    try:
        yield
    finally:
        path.write_text(f"{before}\n", encoding="ascii")


@contextlib.contextmanager
def accepting_either_way(name: str) -> Iterator[None]:
    """Have a device take what comes from hosts to which the route is still through another one.

    Strict filtering by reverse path (net.ipv4.conf.*.rp_filter 1) would drop it. 2 is the loose one, and the larger of
    the device's and of all devices' counts.
    """
    path = _SYSCTL / "ipv4/conf" / name / "rp_filter"
    before = _text(path)
    if _text(_SYSCTL / "ipv4/conf/all/rp_filter") != "1" and before != "1":
        yield
        return
    _write(path, "2")
    try:
        yield
    finally:
        _write(path, before)


def like_uplink(uplink: str, bridge: str) -> None:
    """Have a bridge deal with router advertisements as its uplink did, whoever was in charge of that."""
    for setting in ("accept_ra", "autoconf"):
        value = _text(_SYSCTL / "ipv6/conf" / uplink / setting)
        if value and value != _text(_SYSCTL / "ipv6/conf" / bridge / setting):
            _write(_SYSCTL / "ipv6/conf" / bridge / setting, value)


def bridges_know_vlans() -> bool:
    """Whether bridges of this kernel can have VLANs, as far as it tells. Distributions' kernels can."""
    try:
        with gzip.open(_KERNEL_CONFIG, "rt", encoding="ascii") as config:
            return any(line.startswith("CONFIG_BRIDGE_VLAN_FILTERING=") for line in config)
    except OSError:
        return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
