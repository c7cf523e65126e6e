# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system of the sandbox: the host's, except what libvirt, the network and roles write to."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess

from . import devices, kernel

SCRATCH = "/run/virtnet-sandbox"
HOSTNAME = "sandbox"

LIBVIRT_CONFIGURATION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "etc")
LIBVIRT_STATE = ("/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt")


def make_private() -> None:
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    _proc_and_sys()
    # The sockets, locks and pid files of the host's daemons are out of reach, and so is its D-Bus.
    _tmpfs("/run")
    os.mkdir(SCRATCH)
    devices.make_private(f"{SCRATCH}/stage")
    _tmpfs("/dev/shm", mode="1777")
    for directory, mode in (("tmp", 0o1777), ("guests", 0o755)):
        os.mkdir(f"{SCRATCH}/{directory}")
        os.chmod(f"{SCRATCH}/{directory}", mode)
    for directory in ("/run/lock", "/run/libvirt"):
        os.makedirs(directory)
    os.chmod("/run/lock", 0o1777)
    _etc()
    for directory in LIBVIRT_STATE:
        if not os.path.isdir(directory):
            _open_for_new_entries(os.path.dirname(directory))
            os.mkdir(directory)
        _tmpfs(directory)
    for directory in ("boot", "dnsmasq", "network", "qemu"):
        os.mkdir(f"/var/lib/libvirt/{directory}")


def _proc_and_sys() -> None:
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    # Kernel settings outside the network belong to the host.
    kernel.mount("/proc/sys", "/proc/sys", flags=kernel.MS_BIND)
    kernel.mount("/proc/sys/net", "/proc/sys/net", flags=kernel.MS_BIND)
    kernel.mount("none", "/proc/sys", flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY)
    # A sysfs mounted in the new network namespace shows its links. With the old one go the control groups, in
    # which libvirt would leave directories behind.
    with contextlib.suppress(OSError):
        kernel.unmount("/sys", kernel.MNT_DETACH)
    kernel.mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def _etc() -> None:
    """A copy of /etc, so that what a role makes permanent ends with the sandbox."""
    copy = f"{SCRATCH}/etc"
    os.mkdir(copy)
    _tmpfs(copy)
    subprocess.run(["cp", "-ax", "/etc/.", copy], check=True)
    kernel.mount(copy, "/etc", flags=kernel.MS_BIND)
    kernel.unmount(copy)
    os.rmdir(copy)

    shutil.rmtree("/etc/libvirt", ignore_errors=True)
    shutil.copytree(LIBVIRT_CONFIGURATION, "/etc/libvirt")
    _libvirt_account()
    socket.sethostname(HOSTNAME)
    with open("/etc/hosts", "a", encoding="utf-8") as hosts:
        hosts.write(f"127.0.1.1 {HOSTNAME}\n")


def _libvirt_account() -> None:
    """Debian's libvirtd refuses to start without it, and only the package that also starts the service makes it."""
    try:
        pwd.getpwnam("libvirt-qemu")
    except KeyError:
        with open("/etc/passwd", "a", encoding="utf-8") as accounts:
            accounts.write("libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin\n")
        with open("/etc/group", "a", encoding="utf-8") as groups:
            groups.write("libvirt-qemu:x:64055:\n")


def _tmpfs(target: str, mode: str = "0755") -> None:
    kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"mode={mode}")


def _open_for_new_entries(directory: str) -> None:
    """Let new entries of this directory live in memory, while those it has stay the host's."""
    entries = list(os.scandir(directory))
    stage = f"{SCRATCH}/stage"
    os.mkdir(stage)
    _tmpfs(stage)
    for entry in entries:
        inside = os.path.join(stage, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), inside)
            continue
        if entry.is_dir():
            os.mkdir(inside)
        else:
            os.close(os.open(inside, os.O_CREAT | os.O_WRONLY))
        kernel.mount(entry.path, inside, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount(stage, directory, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.unmount(stage, kernel.MNT_DETACH)
    os.rmdir(stage)
