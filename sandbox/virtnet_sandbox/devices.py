# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A /dev of the sandbox's own, because the kernel has one for the whole machine and names macvtap devices by number.

Interface numbers are counted per network namespace, so two sandboxes would both have a /dev/tap5, and the node in the
machine's /dev belongs to whichever was first. Here the nodes follow the sandbox's own interfaces.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat

from . import kernel

_NETLINK_KOBJECT_UEVENT = 15
_FROM_KERNEL = 1


def make_private(stage: str) -> None:
    """Replace /dev by a copy of itself without macvtap nodes. The folders in it are the same as outside."""
    os.mkdir(stage)
    kernel.mount("tmpfs", stage, "tmpfs", kernel.MS_NOSUID, "mode=0755")
    for entry in os.scandir("/dev"):
        if entry.name.startswith("tap"):
            continue
        inside = f"{stage}/{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(entry.path), inside)
        elif stat.S_ISDIR(status.st_mode):
            os.mkdir(inside)
            kernel.mount(entry.path, inside, flags=kernel.MS_BIND | kernel.MS_REC)
        elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            os.mknod(inside, status.st_mode, status.st_rdev)
            # mknod() obeys the umask.
            os.chmod(inside, stat.S_IMODE(status.st_mode))
            os.chown(inside, status.st_uid, status.st_gid)
    kernel.mount(stage, "/dev", flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.unmount(stage, kernel.MNT_DETACH)
    os.rmdir(stage)


def start_macvtap_nodes() -> None:
    """Start the process that makes and removes the nodes of macvtap interfaces, as udev does on a host."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_KOBJECT_UEVENT)
    events.bind((0, _FROM_KERNEL))
    if os.fork() != 0:
        events.close()
        return
    try:
        # Out of reach of the terminal's Ctrl-C, and of its pipes: a reader waits until the last writer is gone.
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        kernel.set_process_name("sandbox-nodes")
        while True:
            _follow(events.recv(65536))
    finally:
        os._exit(1)


def _follow(event: bytes) -> None:
    values = dict(part.split("=", 1) for part in event.decode(errors="replace").split("\0") if "=" in part)
    if values.get("SUBSYSTEM") != "macvtap" or "DEVNAME" not in values:
        return
    node = "/dev/" + values["DEVNAME"].removeprefix("/dev/")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(node)
    if values.get("ACTION") == "add":
        os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(int(values["MAJOR"]), int(values["MINOR"])))
