# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which QEMU runs the machines, and how.

Without hardware virtualisation, the kernel of Debian 13 (6.12) died during six of ten boots on QEMU 7.2 of Debian 12,
with one processor as with two; the cause is not known. None of a few boots on QEMU 10 did. Where QEMU is older, that of
Debian 13 is unpacked into the cache, with the libraries it needs, and run from there, not installed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from . import debian
from .common import run

PROGRAM = "qemu-system-x86_64"
# Versions between 7.2 and this one were not tried.
OLDEST = 10
RELEASE = "trixie"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Emulator:
    """The beginning of the command, with the choice of accelerator and processor in it."""

    command: tuple[str, ...]
    hardware: bool


def choose() -> Emulator:
    if hardware_virtualisation():
        return Emulator((PROGRAM, "-accel", "kvm", "-cpu", "host"), hardware=True)
    program: tuple[str, ...] = (PROGRAM,)
    if major(run([PROGRAM, "--version"], "QEMU's version cannot be told")) < OLDEST:
        program = unpacked(debian.cached(f"qemu-{RELEASE}", f"QEMU of {RELEASE}", _unpack))
    return Emulator((*program, "-accel", "tcg,thread=multi", "-cpu", "max"), hardware=False)


def major(text: str) -> int:
    """The first number of the version in what `qemu --version` prints."""
    match = re.search(r"version (\d+)\.", text)
    return int(match.group(1)) if match else 0


def unpacked(root: Path) -> tuple[str, ...]:
    """The command for a QEMU in a folder: by the folder's own loader, libraries and firmware."""
    loader = (str(root / "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", str(root / LIBRARIES))
    firmware = (part for folder in ("qemu", "seabios") for part in ("-L", str(root / "usr/share" / folder)))
    return (*loader, str(root / "usr/bin" / PROGRAM), *firmware)


def _unpack(work: Path, done: Path) -> None:
    root = work / "root"
    debian.install(RELEASE, ["libc6", "qemu-system-x86"], root, ["--variant=extract"])
    for part in ("usr/bin", "usr/lib64", LIBRARIES, "usr/share/qemu", "usr/share/seabios"):
        target = done / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / part).rename(target)


def hardware_virtualisation() -> bool:
    """Whether KVM works. The device alone says nothing: it also exists where the processor cannot do it."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return re.search(r"^flags\s.*\b(vmx|svm)\b", flags, re.MULTILINE) is not None and os.access("/dev/kvm", os.W_OK)
