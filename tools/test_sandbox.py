# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run each file of tests in a sandbox of its own, as many at a time as there are cores.

usage: build/venv/bin/python tools/test_sandbox.py FOLDER... [-- ARGUMENTS OF PYTEST...]
Those of tests/kernel get a sandbox on a User-Mode Linux kernel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = "build/venv/bin/pytest"
# What takes longest comes first, so that no core waits for it in the end. The rest is guessed from the size.
FIRST = (
    "test_documentation.py",
    "test_virt_vlan.py",
    "test_roles.py",
    "test_role_isolated.py",
    "test_role_routed.py",
)
NOTHING_CHOSEN = 5


def files(folders: list[str]) -> list[Path]:
    # What only holds helpers for others has no tests.
    found = [
        path.relative_to(ROOT)
        for folder in folders
        for path in (ROOT / folder).glob("test_*.py")
        if re.search(r"^ *def test_", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    found.sort(key=lambda path: -path.stat().st_size)
    return sorted(found, key=lambda path: FIRST.index(path.name) if path.name in FIRST else len(FIRST))


def run(path: Path, arguments: list[str]) -> tuple[Path, int, str, float]:
    began = time.monotonic()
    kernel = ["--kernel"] if path.parent.name == "kernel" else []
    done = subprocess.run(
        ["sandbox/run", "--die-with-parent", *kernel, "--", PYTEST, *arguments, str(path)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    return path, done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - began


def main() -> int:
    place = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    folders, arguments = sys.argv[1:place], sys.argv[place + 1 :]
    os.chdir(ROOT)
    failed, chosen = [], 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(run, path, arguments) for path in files(folders)]
        for each in as_completed(runs):
            path, code, printed, seconds = each.result()
            if code == NOTHING_CHOSEN:
                continue
            chosen += 1
            print(f"{printed.rstrip()}\n{path}: {seconds:.0f} s\n", flush=True)
            if code != 0:
                failed.append(f"{path} (exit code {code})")
    if not chosen:
        print("test_sandbox.py: no test fits the arguments", file=sys.stderr)
        return NOTHING_CHOSEN
    if failed:
        print("test_sandbox.py: failed: " + ", ".join(sorted(failed)), file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
