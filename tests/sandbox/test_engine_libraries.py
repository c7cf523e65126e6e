# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python libraries that the target lacks: found under the system's Python, or named in one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PlaybookRun, host_state, playbook
from test_virt_net_kit import forget_networks, states

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: One network
      virtnet.hypervisor.{module}:
        {arguments}
"""
VIRT_NET = PLAY.format(module="virt_net", arguments="{name: lab, bridge: {name: virbr-lab}}")
INFO = PLAY.format(module="virt_net_info", arguments="{}")

# A Python that sees all of the system's packages but some, in a mount namespace of its own.
WITHOUT = """#!/bin/sh
exec unshare --mount sh -ec '
    packages=/usr/lib/python3/dist-packages
    mkdir -p {folder}/all {folder}/some
    mount --bind $packages {folder}/all
    mount -t tmpfs tmpfs {folder}/some
    for entry in {folder}/all/*; do
        case ${{entry##*/}} in {patterns}) ;; *) ln -s "$entry" {folder}/some/ ;; esac
    done
    mount --bind {folder}/some $packages
    exec /usr/bin/python3 "$@"' python3 "$@"
"""

# A Python without any packages, such as one that was built from source.
BARE = """#!/bin/sh
exec /usr/bin/python3 -S "$@"
"""

PATTERNS = {"libvirt": "libvirt*", "lxml": "lxml*", "pyroute2": "pyroute2*|pr2modules*"}


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def run_with(interpreter: str, play: str, folder: Path) -> PlaybookRun:
    path = folder / "python3"
    path.write_text(interpreter, encoding="utf-8")
    path.chmod(0o755)
    return playbook(play, extra_vars={"ansible_python_interpreter": str(path)})


def without(library: str, folder: Path) -> str:
    return WITHOUT.format(folder=folder, patterns=PATTERNS[library])


@pytest.mark.parametrize("library", ["libvirt", "lxml"])
@pytest.mark.parametrize(("play", "module"), [(VIRT_NET, "virt_net"), (INFO, "virt_net_info")])
def test_a_missing_library_is_named(library: str, play: str, module: str, tmp_path: Path) -> None:
    before = host_state()
    result = run_with(without(library, tmp_path), play, tmp_path)
    (task,) = result.of(module)
    assert task.outcome == "failed"
    message = task.result["msg"]
    assert f"Failed to import the required Python library ({library}" in message
    assert f"python3-{library} on Debian" in message
    assert "Traceback" not in result.stdout
    assert host_state() == before


def test_all_missing_libraries_are_named_at_once(tmp_path: Path) -> None:
    both = WITHOUT.format(folder=tmp_path, patterns="|".join([PATTERNS["libvirt"], PATTERNS["lxml"]]))
    (task,) = run_with(both, VIRT_NET, tmp_path).of("virt_net")
    assert "python3-libvirt on Debian" in task.result["msg"]
    assert "python3-lxml on Debian" in task.result["msg"]


def test_the_library_for_devices_is_named_where_it_is_needed(tmp_path: Path) -> None:
    before = host_state()
    result = run_with(without("pyroute2", tmp_path), VIRT_NET, tmp_path)
    (task,) = result.of("virt_net")
    assert task.outcome == "failed"
    assert "pyroute2 (>= 0.5.14) is missing" in task.result["msg"]
    assert "python3-pyroute2 on Debian" in task.result["msg"]
    assert "Traceback" not in result.stdout
    assert host_state() == before
    # Reading networks needs none.
    (task,) = run_with(without("pyroute2", tmp_path), INFO, tmp_path).of("virt_net_info")
    assert task.outcome == "ok"


def test_another_python_goes_on_under_the_systems(tmp_path: Path) -> None:
    result = run_with(BARE, VIRT_NET, tmp_path).succeeded()
    assert result.changed == 1
    assert states() == {"lab": ("active", "yes", "yes")}
