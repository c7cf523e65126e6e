# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a guest: Debian's cloud kernel, and a file system of busybox and three scripts.

Both packages are downloaded and unpacked, never installed. The result is kept in the user's cache under a hash of
everything it is made from, so later runs need no network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import cpio, kernel_modules

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent / "guest"

KERNEL_PACKAGE = "linux-image-cloud-amd64"
BUSYBOX_PACKAGE = "busybox-static"
MODULES = ("virtio_pci", "virtio_net", "8021q")

_UNUSED_DAYS = 30


class ImageUnavailable(Exception):
    """There is no guest image and none could be built."""


@dataclass(frozen=True)
class GuestImage:
    kernel: Path
    initrd: Path


def cached() -> GuestImage | None:
    """The newest image of the current recipe."""
    found = sorted(_cache().glob(f"guest-{_recipe()}-*"), key=lambda path: path.stat().st_mtime)
    if not found:
        return None
    return GuestImage(kernel=found[-1] / "vmlinuz", initrd=found[-1] / "initrd")


def ensure() -> GuestImage:
    """The cached image, or a new one from Debian's packages."""
    image = cached()
    if image:
        os.utime(image.kernel.parent)
        return image
    print("sandbox: building the guest image (Debian's cloud kernel and busybox, once)", file=sys.stderr, flush=True)
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    _forget_unused(cache)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
    try:
        _build(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    image = cached()
    assert image is not None
    return image


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "virtnet.hypervisor"


def _recipe() -> str:
    sources = [
        *sorted(SCRIPTS.iterdir()),
        *(HERE / name for name in ("guest_image.py", "kernel_modules.py", "cpio.py")),
    ]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(work: Path) -> None:
    kernel_package = _download(work)
    for package in work.glob("*.deb"):
        _command(["dpkg-deb", "-x", str(package), str(work / "root")])
    root = work / "root"
    version = kernel_package.removeprefix("linux-image-")
    modules = next(
        path for path in (root / "usr/lib/modules" / version, root / "lib/modules" / version) if path.is_dir()
    )
    busybox = next(path for path in (root / "usr/bin/busybox", root / "bin/busybox") if path.is_file())

    entries: dict[str, cpio.File | cpio.Link] = {
        "bin/busybox": cpio.File(busybox.read_bytes(), executable=True),
        "bin/sh": cpio.Link("busybox"),
        "init": cpio.File((SCRIPTS / "init").read_bytes(), executable=True),
        "etc/dhcp-event": cpio.File((SCRIPTS / "dhcp-event").read_bytes(), executable=True),
        "etc/command-loop": cpio.File((SCRIPTS / "command-loop").read_bytes(), executable=True),
        # Mount points the first script needs before it can make any.
        "proc/.keep": cpio.File(b""),
        "sys/.keep": cpio.File(b""),
        "dev/.keep": cpio.File(b""),
        **kernel_modules.collect(modules, MODULES),
    }
    done = work / "image"
    done.mkdir()
    (done / "initrd").write_bytes(cpio.archive(entries))
    shutil.copyfile(root / "boot" / f"vmlinuz-{version}", done / "vmlinuz")
    try:
        done.rename(_cache() / f"guest-{_recipe()}-{version}")
    except OSError:
        # Somebody else was faster, with the same result.
        if cached() is None:
            raise


def _download(work: Path) -> str:
    """Fetch both packages; returns the name of the one with the kernel."""
    if shutil.which("apt-get") is None:
        raise ImageUnavailable("the guest image is made from Debian packages, and this machine has no apt-get.")
    kernel = _newest_kernel()
    if kernel is None:
        _command(["apt-get", "-q", "update"])
        kernel = _newest_kernel()
    if kernel is None:
        raise ImageUnavailable(
            f"apt does not know {KERNEL_PACKAGE}. See what it has with: apt-cache policy {KERNEL_PACKAGE}"
        )
    _command(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", kernel, BUSYBOX_PACKAGE], directory=work)
    return kernel


def _newest_kernel() -> str | None:
    """The package with the kernel itself, which the one with the stable name depends on."""
    listing = _command(["apt-cache", "depends", KERNEL_PACKAGE], check=False)
    match = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", listing)
    return match.group(1) if match else None


def _command(command: list[str], directory: Path | None = None, check: bool = True) -> str:
    result = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check and result.returncode != 0:
        raise ImageUnavailable(f"`{' '.join(command)}` failed:\n{result.stdout.strip()}")
    return result.stdout


def _forget_unused(cache: Path) -> None:
    oldest = time.time() - _UNUSED_DAYS * 86400
    for path in (*cache.glob("guest-*"), *cache.glob(".building-*")):
        if path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
