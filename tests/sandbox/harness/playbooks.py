# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook for real, with the installed collection, and get its results as data."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .places import BIN, COLLECTIONS, TARGET_PYTHON, scratch

_INVENTORY = f"""---
all:
  hosts:
    hypervisor:
      ansible_connection: local
      ansible_python_interpreter: {TARGET_PYTHON}
"""


@dataclass(frozen=True)
class Task:
    """One task on one host. `result` is what the module returned."""

    host: str
    name: str
    action: str
    outcome: str
    result: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@dataclass
class PlaybookRun:
    rc: int
    stdout: str
    tasks: list[Task] = field(default_factory=list)
    # Per host: ok, changed, failures, unreachable, skipped, rescued, ignored.
    stats: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return sum(counts["changed"] for counts in self.stats.values())

    @property
    def failed(self) -> int:
        return sum(counts["failures"] + counts["unreachable"] for counts in self.stats.values())

    def of(self, action: str) -> list[Task]:
        """The tasks that called this module, by its short or its full name."""
        return [task for task in self.tasks if task.action == action or task.action.rsplit(".", 1)[-1] == action]

    def succeeded(self) -> PlaybookRun:
        assert self.rc == 0, self.stdout
        return self


def playbook(
    source: str | Path,
    *arguments: str,
    check: bool = False,
    diff: bool = False,
    extra_vars: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> PlaybookRun:
    """`source` is the text of a playbook, a path, or a name like virtnet.hypervisor.nat. The host is `hypervisor`."""
    with tempfile.TemporaryDirectory(prefix="playbook-", dir=scratch()) as name:
        folder = Path(name)
        inventory = folder / "inventory.yml"
        inventory.write_text(_INVENTORY, encoding="utf-8")
        (folder / "ansible.cfg").touch()
        if isinstance(source, str) and "\n" in source:
            book = folder / "playbook.yml"
            book.write_text(source, encoding="utf-8")
            source = book
        command = [str(BIN / "ansible-playbook"), "--inventory", str(inventory), *arguments]
        command += ["--check"] * check + ["--diff"] * diff
        if extra_vars:
            command += ["--extra-vars", json.dumps(extra_vars)]
        record = folder / "record.jsonl"
        result = subprocess.run(
            [*command, str(source)],
            cwd=folder,
            env={**os.environ, **_settings(folder), "HARNESS_RECORD": str(record), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        run = PlaybookRun(result.returncode, result.stdout)
        if record.exists():
            for line in record.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                if "stats" in entry:
                    run.stats = entry["stats"]
                else:
                    run.tasks.append(Task(**entry))
        return run


def _settings(folder: Path) -> dict[str, str]:
    """Nothing of the user's own configuration, and no file outside the sandbox."""
    return {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "1",
    }
