# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one module of the installed collection, as a target would, without a playbook around it (about 0.3 s)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible

from .places import COLLECTIONS, TARGET_PYTHON

# The two names are how ansible-core hands over arguments (the second since 2.19).
_START = """
import json, runpy, sys
from ansible.module_utils import basic
call = json.load(sys.stdin)
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": call["arguments"]}).encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module(call["module"], run_name="__main__", alter_sys=True)
"""


class ModuleCrashed(AssertionError):
    """The module ended without a result; the text has its traceback."""


def module(
    name: str,
    arguments: Mapping[str, Any],
    *,
    check: bool = False,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The module's result. `virt_net` is one of the collection's, `ansible.builtin.stat` is one of ansible-core's."""
    process = start_module(name, arguments, check=check, environment=environment)
    out, err = process.communicate()
    result = _last_object(out)
    if result is None:
        raise ModuleCrashed(f"{name} ended with {process.returncode} and no result:\n{out}{err}")
    return result


def start_module(
    name: str,
    arguments: Mapping[str, Any],
    *,
    check: bool = False,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start it without waiting, for tests that kill it or run two."""
    path = f"{Path(ansible.__file__).parent.parent}:{COLLECTIONS}"
    process = subprocess.Popen(
        [TARGET_PYTHON, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
    )
    assert process.stdin is not None
    full = {
        **arguments,
        "_ansible_check_mode": check,
        "_ansible_diff": True,
        "_ansible_remote_tmp": os.environ["TMPDIR"],
    }
    json.dump({"module": _path(name), "arguments": full}, process.stdin)
    process.stdin.close()
    # communicate() would try to flush it.
    process.stdin = None
    return process


def _path(name: str) -> str:
    if "." not in name:
        name = f"virtnet.hypervisor.{name}"
    if name.startswith("ansible.builtin."):
        return f"ansible.modules.{name.removeprefix('ansible.builtin.')}"
    namespace, collection, module_name = name.split(".")
    return f"ansible_collections.{namespace}.{collection}.plugins.modules.{module_name}"


def _last_object(out: str) -> dict[str, Any] | None:
    for line in reversed(out.splitlines()):
        if line.startswith("{"):
            try:
                result: dict[str, Any] = json.loads(line)
            except ValueError:
                return None
            return result
    return None
