# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab needs: places, and how progress and failure are told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "lab" / "image"


class LabError(Exception):
    """It cannot go on; the message says why, and what to do."""


def cache() -> Path:
    """Where images are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "virtnet.hypervisor" / "lab"


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str], problem: str) -> str:
    """What a command printed. Where it fails, `problem` and the end of what it said are raised."""
    try:
        done = subprocess.run(
            command, check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError as error:
        raise LabError(f"{problem}: {command[0]} is missing. Run: make setup") from error
    if done.returncode != 0:
        raise LabError(f"{problem}. {command[0]} ended with {done.returncode}:\n{tail(done.stdout)}")
    return done.stdout


def tail(text: str, lines: int = 20) -> str:
    return "\n".join(text.rstrip().splitlines()[-lines:])
