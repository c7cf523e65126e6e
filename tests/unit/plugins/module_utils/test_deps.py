# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries that are there, that another Python has, and that are nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _deps


class Left(Exception):
    """How a module's process ends."""


class ModuleStub:
    def fail_json(self, *, msg: str) -> NoReturn:
        raise Left(msg)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which library other Pythons were asked for. None of them has it."""
    asked: list[str] = []

    def probe(_interpreters: Any, name: str) -> None:
        asked.append(name)

    def respawn(interpreter: str) -> NoReturn:
        raise Left(f"respawned under {interpreter}")

    monkeypatch.setattr(_deps, "has_respawned", lambda: False)
    monkeypatch.setattr(_deps, "probe_interpreters_for_module", probe)
    monkeypatch.setattr(_deps, "respawn_module", respawn)
    return asked


def require(*names: str) -> None:
    module: Any = ModuleStub()
    _deps.require(module, names)


def test_what_is_there_is_taken(probed: list[str]) -> None:
    require("libvirt", "lxml")
    assert probed == []


def test_each_missing_library_is_named_with_its_packages(probed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deps, "_importable", lambda _name: False)
    with pytest.raises(Left) as failed:
        require("libvirt", "lxml")
    assert probed == ["libvirt"]
    for part in ("libvirt-python", "python3-libvirt", "python3-lxml", "required Python library"):
        assert part in str(failed.value)


@pytest.mark.usefixtures("probed")
def test_a_python_that_has_it_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deps, "_importable", lambda name: name != "libvirt")
    monkeypatch.setattr(_deps, "probe_interpreters_for_module", lambda _interpreters, _name: "/usr/bin/python3")
    with pytest.raises(Left, match="respawned under /usr/bin/python3"):
        require("libvirt", "lxml")


def test_it_respawns_once_only(probed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deps, "_importable", lambda _name: False)
    monkeypatch.setattr(_deps, "has_respawned", lambda: True)
    with pytest.raises(Left, match="required Python library"):
        require("libvirt")
    assert probed == []


@pytest.mark.usefixtures("probed")
def test_a_library_that_is_broken_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a binding is that was compiled for another Python."""
    (tmp_path / "broken_binding.py").write_text("import its_compiled_part_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(_deps._PACKAGES, "broken_binding", ("a", "b"))
    with pytest.raises(Left, match="broken_binding"):
        require("broken_binding")
