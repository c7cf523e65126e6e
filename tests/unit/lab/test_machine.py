# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU command of a machine, and which QEMU is taken."""

from __future__ import annotations

import configparser
import itertools
from pathlib import Path

import pytest
from virtnet_lab import emulator, machine
from virtnet_lab.image import Image

FIRST, SECOND = machine.MACHINES
FOLDER = Path("/state/debian12")
EMULATOR = emulator.Emulator(("qemu", "-accel", "tcg"), hardware=False)
HERE = machine.Ports(2201, {"trunk": machine.Cable(5001, 5002), "uplink": machine.Cable(6001, 6002)})
LINKS = Path(__file__).resolve().parents[3] / "lab/image/files/etc/systemd/network"


def options(one: machine.Machine = FIRST, folder: Path = FOLDER) -> list[tuple[str, str]]:
    """The options that have a value."""
    command = machine.command(EMULATOR, one, Image(Path("/cache/image")), folder, HERE)
    assert command[:3] == list(EMULATOR.command)
    return [(name, value) for name, value in itertools.pairwise(command) if not value.startswith("-")]


def values(name: str, **more: object) -> list[str]:
    return [value for option, value in options(**more) if option == name]  # type: ignore[arg-type]


def test_login_is_forwarded_from_loopback_only() -> None:
    assert values("-netdev")[0].endswith("hostfwd=tcp:127.0.0.1:2201-:22")


def test_a_cable_sends_from_one_port_of_loopback_to_the_other() -> None:
    assert values("-netdev")[1] == (
        "dgram,id=trunk,local.type=inet,local.host=127.0.0.1,local.port=5001,"
        "remote.type=inet,remote.host=127.0.0.1,remote.port=5002"
    )


def test_nics_are_where_the_image_names_them() -> None:
    at = {}
    for device in values("-device"):
        kind, *pairs = device.split(",")
        settings = dict(pair.split("=", 1) for pair in pairs)
        if kind == "virtio-net-pci":
            at[f"pci-0000:00:{int(settings['addr'], 16):02x}.0"] = settings["netdev"]
    named = {}
    for file in LINKS.glob("*.link"):
        link = configparser.ConfigParser()
        link.read(file)
        named[link["Match"]["Path"]] = link["Link"]["Name"]
    assert at == named
    assert sorted(at.values()) == ["mgmt", "trunk", "uplink"]


def test_machines_share_no_address_and_no_identity() -> None:
    macs = [one.mac(nic) for one in machine.MACHINES for nic in range(3)]
    assert len(set(macs)) == len(macs)
    assert FIRST.machine_id != SECOND.machine_id


def test_comma_in_a_path_does_not_end_the_option() -> None:
    (drive,) = values("-drive", folder=Path("/a,b"))
    assert "file=/a,,b/disk.qcow2,format=qcow2" in drive


def test_own_files_are_in_the_archive_and_the_private_key_of_login_is_not() -> None:
    seed = machine.seed(FIRST, b"HOST KEY", b"PUBLIC KEY")
    for part in (b"seed/etc/hostname\0", b"debian12\n", b"HOST KEY", b"PUBLIC KEY", FIRST.machine_id.encode()):
        assert part in seed


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\n", 7),
        ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)\n", 10),
        ("something else", 0),
    ],
)
def test_version_is_read(text: str, major: int) -> None:
    assert emulator.major(text) == major


def test_unpacked_emulator_uses_nothing_of_the_host() -> None:
    assert all(part.startswith(("/cache/qemu/", "-")) for part in emulator.unpacked(Path("/cache/qemu")))
