# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's lock, with real processes, in a folder of the test's own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _lock
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import LockTimeout, VirtNetError

SOMEBODY = 54321


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the lock of an ordinary user goes. Root's is in /run, and that one belongs to the machine, not to tests."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / "virtnet.hypervisor"
    if os.geteuid() == 0:
        path.mkdir(mode=0o700)
        os.chown(path, SOMEBODY, -1)
        monkeypatch.setattr(_lock.os, "geteuid", lambda: SOMEBODY)
    return path


@contextlib.contextmanager
def holder() -> Iterator[multiprocessing.process.BaseProcess]:
    """Another process that holds the lock until it is killed."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()

    def hold(said: Connection) -> None:
        with _lock.host_lock():
            said.send("held")
            time.sleep(60)

    process = fork.Process(target=hold, args=(theirs,))
    process.start()
    try:
        assert ours.poll(10)
        yield process
    finally:
        process.kill()
        process.join()


def test_one_at_a_time() -> None:
    with _lock.host_lock(), pytest.raises(LockTimeout), _lock.host_lock(timeout=0):
        pass
    with _lock.host_lock(timeout=0):
        pass


def test_the_timeout_names_the_holder(folder: Path) -> None:
    with holder() as process, pytest.raises(LockTimeout) as error, _lock.host_lock(timeout=0.3):
        pass
    assert f"(process {process.pid})" in str(error.value)
    assert str(folder / "lock") in str(error.value)


def test_a_waiting_run_goes_on_when_the_lock_is_free() -> None:
    fork = multiprocessing.get_context("fork")
    log = fork.Queue()

    def run(number: int) -> None:
        with _lock.host_lock(timeout=10):
            log.put((number, "in"))
            time.sleep(0.2)
            log.put((number, "out"))

    processes = [fork.Process(target=run, args=(number,)) for number in range(3)]
    for process in processes:
        process.start()
    lines = [log.get(timeout=10) for _line in range(6)]
    for process in processes:
        process.join()
    assert [line[1] for line in lines] == ["in", "out"] * 3
    assert [line[0] for line in lines[::2]] == [line[0] for line in lines[1::2]]


def test_the_lock_of_a_killed_holder_is_free() -> None:
    with holder() as process:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        with _lock.host_lock(timeout=0):
            pass


def test_the_lock_is_free_after_an_error() -> None:
    with pytest.raises(RuntimeError), _lock.host_lock():
        raise RuntimeError
    with _lock.host_lock(timeout=0):
        pass


def test_nobody_else_can_take_it(folder: Path) -> None:
    with _lock.host_lock():
        assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_instead_of_the_lock_is_refused(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "lock").symlink_to(target)
    with pytest.raises(VirtNetError) as error, _lock.host_lock():
        pass
    assert str(folder / "lock") in str(error.value)
    assert target.read_text() == "precious"


def test_a_link_instead_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(VirtNetError, match="is not a folder of this user"), _lock.host_lock():
        pass
    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setattr(_lock.os, "geteuid", lambda: SOMEBODY + 1)
    with pytest.raises(VirtNetError, match="is not a folder of this user"), _lock.host_lock():
        pass


def test_without_a_place_for_the_folder_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    with pytest.raises(VirtNetError, match="cannot be made"), _lock.host_lock():
        pass
