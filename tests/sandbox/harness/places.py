# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the things under test are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COLLECTIONS = ROOT / "build/collections"

# pytest runs in the environment that has ansible-core; its links are kept, because they are what makes it one.
BIN = Path(sys.executable).parent

# What targets have, and the only Python that sees Debian's libvirt bindings.
TARGET_PYTHON = "/usr/bin/python3"


def scratch() -> Path:
    """Ends with the sandbox."""
    return Path(os.environ["TMPDIR"])
