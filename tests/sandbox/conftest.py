# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests that run inside a sandbox (sandbox/run -- pytest tests/sandbox)."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "sandbox"))
sys.path.insert(0, str(HERE))

if os.environ.get("VIRTNET_SANDBOX") != "1":
    pytest.exit("These tests change the network. Run them in a sandbox, as root: make test-sandbox", returncode=4)

from harness import OutsideServer, explain_comparison, wipe  # noqa: E402

pytest_assertrepr_compare = explain_comparison

LOGS = (
    ("libvirtd", "/var/log/libvirt/libvirtd.log"),
    ("guest consoles", "/run/virtnet-sandbox/guests/*/console.log"),
    ("QEMU", "/var/log/libvirt/qemu/*.log"),
)


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    """Every test finds a host without guests, networks and bridges."""
    yield
    wipe()


@pytest.fixture
def outside() -> Iterator[OutsideServer]:
    """A TCP server in the outside namespace."""
    with OutsideServer() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what libvirt and the guests said."""
    report = yield
    if report.failed:
        for title, pattern in LOGS:
            for path in sorted(Path("/").glob(pattern.lstrip("/"))):
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-25:]
                report.sections.append((f"{title}: {path}", "\n".join(lines)))
    return report
