# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine is: its NICs, its cables, and the QEMU command that runs it. Nothing here has an effect."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from virtnet_sandbox import cpio

from .emulator import Emulator
from .image import Image

LOOPBACK = "127.0.0.1"
MEMORY_MIB = 1536
# From here on the NICs' places on the PCI bus: lab/image/files/etc/systemd/network names them by that.
FIRST_SLOT = 0x10
# The cables between the two machines, beside the NIC `mgmt`.
CABLES = ("trunk", "uplink")

KERNEL_PARAMETERS = (
    "root=/dev/vda rw console=ttyS0 panic=10 "
    "mitigations=off nokaslr random.trust_cpu=on audit=0 selinux=0 apparmor=0 fsck.mode=skip"
)


@dataclass(frozen=True)
class Machine:
    name: str
    release: str
    number: int

    @property
    def machine_id(self) -> str:
        """Of systemd: the same each time, so that nothing takes this for a first boot."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.lab.example").hex

    def mac(self, nic: int) -> str:
        return f"52:54:00:1a:{self.number:02x}:{nic:02x}"


MACHINES = (Machine("debian12", "bookworm", 12), Machine("debian13", "trixie", 13))


@dataclass(frozen=True)
class Cable:
    """One end of a cable: UDP ports on loopback. The other end has them the other way round."""

    here: int
    there: int


@dataclass(frozen=True)
class Ports:
    """What a machine uses of the host's loopback."""

    ssh: int
    cables: Mapping[str, Cable]


def command(emulator: Emulator, machine: Machine, image: Image, folder: Path, ports: Ports) -> list[str]:
    """The QEMU command. `folder` has the machine's overlay and initrd, and gets its console."""
    netdevs = [f"user,id=mgmt,ipv6=off,hostname={machine.name},hostfwd=tcp:{LOOPBACK}:{ports.ssh}-:22"]
    netdevs += [_datagrams(name, ports.cables[name]) for name in CABLES]
    return [
        *emulator.command,
        *("-name", machine.name, "-machine", "q35", "-smp", "2", "-m", str(MEMORY_MIB)),
        *("-uuid", str(uuid.UUID(machine.machine_id))),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(image.kernel), "-initrd", str(folder / "initrd"), "-append", KERNEL_PARAMETERS),
        *("-drive", f"if=none,id=disk,file={_escaped(folder / 'disk.qcow2')},format=qcow2,cache=unsafe,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=disk"),
        *("-device", "virtio-rng-pci"),
        *("-serial", f"file:{folder / 'console.log'}"),
        *(part for netdev in netdevs for part in ("-netdev", netdev)),
        *(
            part
            for nic, name in enumerate(("mgmt", *CABLES))
            for part in ("-device", f"virtio-net-pci,netdev={name},mac={machine.mac(nic)},addr={FIRST_SLOT + nic:#x}")
        ),
    ]


def _datagrams(name: str, cable: Cable) -> str:
    local = f"local.type=inet,local.host={LOOPBACK},local.port={cable.here}"
    return f"dgram,id={name},{local},remote.type=inet,remote.host={LOOPBACK},remote.port={cable.there}"


def _escaped(path: Path) -> str:
    """In QEMU's options, a comma within a value is written twice."""
    return str(path).replace(",", ",,")


def seed(machine: Machine, host_key: bytes, authorized_key: bytes) -> bytes:
    """What makes a machine itself: an archive for the end of the initrd, laid over the disk at each boot."""
    names = f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {machine.name}\n"
    return cpio.archive(
        {
            "seed/etc/hostname": cpio.File(f"{machine.name}\n".encode()),
            "seed/etc/hosts": cpio.File(names.encode()),
            "seed/etc/machine-id": cpio.File(f"{machine.machine_id}\n".encode()),
            "seed/etc/ssh/ssh_host_ed25519_key": cpio.File(host_key),
            "seed/root/.ssh/authorized_keys": cpio.File(authorized_key),
        }
    )
