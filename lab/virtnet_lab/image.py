# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a machine: a Debian with libvirt, made from packages and kept in the user's cache.

An image is named after a hash of everything it is made from, so that a changed recipe makes a new one. Machines boot
its kernel and its initrd, with a throw-away overlay of its disk. It never changes, and there are no keys in it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from virtnet_sandbox import cpio, kernel_modules

from . import debian
from .common import RECIPE, run

# What the first process needs to see the disk. What the kernel has no module for is built into it.
MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
DISK_SIZE = "4G"


@dataclass(frozen=True)
class Image:
    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"


def key(release: str, sources: Mapping[str, bytes]) -> str:
    """The hash of what an image is made from: names of files and their contents."""
    digest = hashlib.sha256(release.encode())
    for name in sorted(sources):
        digest.update(b"\0%s\0%d\0" % (name.encode(), len(sources[name])) + sources[name])
    return digest.hexdigest()[:12]


def recipe() -> dict[str, bytes]:
    files = [Path(module.__file__ or "") for module in (sys.modules[__name__], debian, cpio, kernel_modules)]
    sources = {file.name: file.read_bytes() for file in files}
    for file in RECIPE.rglob("*"):
        if file.is_file():
            sources[str(file.relative_to(RECIPE))] = file.read_bytes()
    return sources


def packages(listing: str) -> list[str]:
    """The names in the file `packages`: one a line, besides comments."""
    lines = (line.partition("#")[0].strip() for line in listing.splitlines())
    return [line for line in lines if line]


def ensure(release: str) -> Image:
    """The cached image of a Debian release, or a new one."""
    name = f"{release}-{key(release, recipe())}"
    return Image(debian.cached(name, f"the image of {release}", lambda work, done: _build(release, work, Image(done))))


def _build(release: str, work: Path, done: Image) -> None:
    root = work / "root"
    _install(release, root)
    _extract_kernel(root, done)
    run(
        # A journal is for those who keep the disk.
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(root), str(done.disk), DISK_SIZE],
        f"the disk of {release} could not be made",
    )


def _install(release: str, root: Path) -> None:
    names = packages((RECIPE / "packages").read_text(encoding="utf-8"))
    options = ["--variant=minbase", f"--customize-hook={RECIPE / 'customize'}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{unused}/*" for unused in ("doc", "info", "locale", "man")]
    debian.install(release, names, root, options)


def _extract_kernel(root: Path, image: Image) -> None:
    modules = next((root / "usr/lib/modules").iterdir())
    entries: dict[str, cpio.File | cpio.Link] = {
        "bin/busybox": cpio.File((root / "usr/bin/busybox").read_bytes(), executable=True),
        "bin/sh": cpio.Link("busybox"),
        "init": cpio.File((RECIPE / "init").read_bytes(), executable=True),
        "etc/modules": cpio.File("\n".join(MODULES).encode()),
        # Mount points the first process needs before it can make any.
        **{f"{folder}/.keep": cpio.File(b"") for folder in ("dev", "proc", "sys")},
        **kernel_modules.collect(modules, MODULES),
    }
    image.initrd.write_bytes(cpio.archive(entries))
    shutil.copyfile(root / "boot" / f"vmlinuz-{modules.name}", image.kernel)
