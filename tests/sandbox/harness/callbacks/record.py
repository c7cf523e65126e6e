# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible callback: writes every result as one line of JSON, beside what is printed for people."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: Write results as lines of JSON
description:
  - Writes every result to the file that the environment variable E(HARNESS_RECORD) names.
requirements: []
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._task(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._task(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._task(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._task(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write({"stats": {host: stats.summarize(host) for host in stats.processed}})

    def _task(self, result: Any, outcome: str) -> None:
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        returned = getattr(result, "result", None) or result._result
        self._write(
            {
                "host": host.get_name(),
                "name": task.get_name(),
                "action": task.action,
                "outcome": outcome,
                "result": json.loads(self._dump_results(returned, indent=0, sort_keys=False)),
            }
        )

    def _write(self, entry: dict[str, Any]) -> None:
        with open(os.environ["HARNESS_RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(entry) + "\n")
