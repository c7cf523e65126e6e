# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for machines that hang, or end, as they boot. Programs that only sleep stand for the machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtnet_lab import lab, process
from virtnet_lab.common import LabError
from virtnet_lab.machine import MACHINES

MACHINE = MACHINES[0]


class Sleepers(lab.Lab):
    """Machines that can be logged into from boot number ``good`` on."""

    def __init__(self, folder: Path, good: int) -> None:
        super().__init__("unit")
        self.folder, self._good, self.boots = folder, good, 0
        self.started: dict[str, process.Process] = {}
        (folder / MACHINE.name).mkdir()

    def processes(self) -> dict[str, process.Process]:
        return self.started

    def ssh(self, machine: str, arguments: list[str]) -> list[str]:
        return ["sh", "-c", f"test {self.boots} -ge {self._good}", machine, *arguments]

    def boot(self) -> None:
        for each in self.started.values():
            each.end()
        self.boots += 1
        (self.folder / MACHINE.name / "console.log").write_text(f"boot number {self.boots}\n", encoding="utf-8")
        self.started[MACHINE.name] = process.start(["sleep", "60"], self.folder / MACHINE.name / "qemu.log")

    def wait(self) -> None:
        self.boot()
        self._wait(MACHINE, time.monotonic(), self.boot)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "_PATIENCE", 0)


@pytest.fixture
def sleepers(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sleepers]:
    machines = Sleepers(tmp_path, request.param)
    yield machines
    for each in machines.started.values():
        each.end()


@pytest.mark.parametrize("sleepers", [1, 2, 3], indirect=True)
def test_one_that_hangs_boots_again(sleepers: Sleepers, request: pytest.FixtureRequest) -> None:
    sleepers.wait()
    assert sleepers.boots == request.node.callspec.params["sleepers"]


@pytest.mark.parametrize("sleepers", [4], indirect=True)
def test_one_that_always_hangs_is_told_with_its_last_words(sleepers: Sleepers) -> None:
    with pytest.raises(LabError, match=r"(?s)debian12 cannot be logged into.*boot number 3"):
        sleepers.wait()
    assert sleepers.boots == 3


@pytest.mark.parametrize("sleepers", [2], indirect=True)
def test_one_that_has_ended_does_not_boot_again(sleepers: Sleepers) -> None:
    sleepers.boot()
    sleepers.started[MACHINE.name].end()
    with pytest.raises(LabError, match="debian12 has ended"):
        sleepers._wait(MACHINE, time.monotonic(), sleepers.boot)
    assert sleepers.boots == 1
