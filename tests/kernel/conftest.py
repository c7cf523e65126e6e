# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests that need 802.1Q or bridges that filter VLANs (sandbox/run --kernel -- pytest tests/kernel).

The place is a sandbox like that of tests/sandbox, and what helps there helps here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS.parent / "sandbox"))
sys.path.insert(0, str(TESTS / "sandbox"))

if os.environ.get("VIRTNET_SANDBOX") != "1" or not Path("/proc/net/vlan").is_dir():
    pytest.exit("These tests need a sandbox on a kernel with 802.1Q. Run them as root: make test-kernel", returncode=4)

from harness import explain_comparison, wipe  # noqa: E402

pytest_assertrepr_compare = explain_comparison


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    """Every test finds a host without guests, networks and bridges."""
    yield
    wipe()
