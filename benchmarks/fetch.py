# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get community.libvirt, which the benchmark compares with, into build/benchmark.

    build/venv/bin/python benchmarks/fetch.py

It comes out of the package `ansible` on PyPI, which holds it among some hundred collections: 60 MB once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "12.3.0"
ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / "build" / "benchmark" / f"ansible-{VERSION}"
INSIDE = "ansible_collections/community/libvirt/"


def main() -> None:
    """Download the package and unpack the one collection, unless it is there."""
    if (COLLECTIONS / INSIDE / "MANIFEST.json").exists():
        return
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as download:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "--no-deps", "--only-binary=:all:", "--dest", download, f"ansible=={VERSION}"], check=True
        )
        (wheel,) = Path(download).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(INSIDE)]
            archive.extractall(COLLECTIONS, names)
    print(f"benchmark: community.libvirt of ansible {VERSION} is in {COLLECTIONS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
