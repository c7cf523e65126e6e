# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of unpacked or installed Debian packages, and the user's cache of what was made from them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .common import LabError, cache, run, say

UNUSED_DAYS = 30


def mirror() -> str:
    """Where this machine gets Debian's main section from: all releases are in one place. Raises LabError."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages", "Component: main"]
    listed = run(asked, "apt could not be asked for its mirror").splitlines()
    # Updates that matter for security are in a place of their own, which has none of the rest.
    found = [line.split()[0] for line in listed if not line.endswith("-security")]
    if not found:
        raise LabError("apt on this machine knows no mirror of Debian. The lab needs one in /etc/apt/sources.list")
    return found[0]


def install(release: str, packages: Sequence[str], root: Path, options: Sequence[str]) -> None:
    """Have mmdebstrap make a folder of a release with these packages and what they depend on."""
    # What it mounts, and what it starts, shall not outlive it, however it ends.
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    options = ['--aptopt=Apt::Install-Recommends "false"', "--dpkgopt=force-unsafe-io", *options]
    run(
        # The kernel's package shall make no initrd: ours is smaller.
        [
            *(*apart, "env", "INITRD=No", "mmdebstrap", "--quiet", "--mode=root", "--format=directory", *options),
            *("--include=" + ",".join(packages), release, str(root), mirror()),
        ],
        f"the packages of {release} could not be installed",
    )


def cached(name: str, what: str, build: Callable[[Path, Path], None]) -> Path:
    """The folder `name` of the cache. When it is not there, `build` gets a folder to work in, and this one to fill."""
    folder = cache() / name
    if not folder.is_dir():
        cache().mkdir(parents=True, exist_ok=True)
        with (cache() / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _make(folder, what, build)
    os.utime(folder)
    return folder


def _make(folder: Path, what: str, build: Callable[[Path, Path], None]) -> None:
    if os.geteuid() != 0:
        raise LabError(f"{what} is not there yet, and only root can make it. Run: sudo lab/run images")
    say(f"making {what} (once, kept in {cache()})")
    began = time.monotonic()
    _forget_unused()
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=cache()))
    try:
        done = work / "done"
        done.mkdir()
        build(work, done)
        done.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{what} is there ({time.monotonic() - began:.0f} s)")


def _forget_unused() -> None:
    """Remove what nobody has used for a while: most of it is of older recipes."""
    for folder in cache().iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - UNUSED_DAYS * 86400:
            shutil.rmtree(folder, ignore_errors=True)
