# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The firewall's programs. Nothing else in the collection runs one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed

# A shell that has no /usr/sbin in its PATH must not decide what is used.
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_TIMEOUT_S = 60


def program(name: str) -> str:
    """Its path, empty where there is none."""
    return shutil.which(name, path=_PATH) or ""


def run(command: Sequence[str], text: str = "") -> str:
    """What the command prints when it is given the text. Raises ApplyFailed."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ApplyFailed(f"{' '.join(command)} fails: {error}") from error
    if done.returncode != 0:
        raise ApplyFailed(f"{' '.join(command)} fails: {done.stderr.strip()}")
    return done.stdout
