# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all unit tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(__file__).resolve().parents[2] / "build" / ".hypothesis")
# The same examples each time, so that a red run is red again. HYPOTHESIS_PROFILE=explore looks for new ones.
common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", common, derandomize=True, database=None, max_examples=100)
settings.register_profile("explore", common, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept", action="store_true", help="write what was found into the golden folders; then read the difference"
    )


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether a golden folder takes over what was found."""
    return bool(request.config.getoption("--accept"))
