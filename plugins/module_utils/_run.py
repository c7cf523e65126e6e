# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The one flow: read, plan, apply, verify. Check mode is the same flow, ended before the first step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import (
    ApplyFailed,
    InvalidDeclaration,
    VerifyFailed,
    VirtNetError,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._lock import host_lock
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._yaml import to_yaml


class Task(Protocol):
    """What a module hands over: one pass of reading with planning, and the doing of one step."""

    def plan(self) -> Plan:
        """Read the present state once and plan from it."""

    def apply(self, step: Step) -> None:
        """Do one step."""

    def report(self, plan: Plan) -> Mapping[str, Any]:
        """Further values for the result: what the steps of the plan did, or would do."""


def converge(task: Task, *, check_mode: bool) -> Plan:
    """Bring the host to the declared state, or say what would be done.

    Returns the plan that was carried out, with the result as it was read afterwards.

    Raises InvalidDeclaration before the first change, ApplyFailed and VerifyFailed after it.
    """
    # Reading needs no lock, and in check mode not even the lock file may appear.
    with contextlib.nullcontext() if check_mode else host_lock():
        plan = task.plan()
        refused = [problem.text for problem in plan.problems if not (check_mode and problem.missing)]
        if refused:
            raise InvalidDeclaration(refused)
        if check_mode or not plan.steps:
            return replace(plan, result={**plan.result, **task.report(plan)})
        _apply(task, plan)
        found = task.plan()
        _verify(found)
        return replace(plan, result={**found.result, **task.report(plan)})


def _apply(task: Task, plan: Plan) -> None:
    for number, step in enumerate(plan.steps, 1):
        try:
            task.apply(step)
        except VirtNetError as error:
            done = "; ".join(each.words for each in plan.steps[: number - 1]) or "nothing"
            raise ApplyFailed(
                f"Step {number} of {len(plan.steps)} failed: {step.words}: {error}. Done before it: {done}. "
                "Running the task again continues from here"
            ) from error


def _verify(left: Plan) -> None:
    if left.steps:
        raise VerifyFailed(
            "All steps were done, but the state read afterwards is not the declared one. Still to do: "
            + "; ".join(f"{step.words}" for step in left.steps)
            + _differences(left)
        )


def _differences(plan: Plan) -> str:
    return "".join(
        f"\n{each.title}, found:\n{to_yaml(each.before)}declared:\n{to_yaml(each.after)}" for each in plan.differences
    )


def result_of(plan: Plan) -> dict[str, Any]:
    """The module's result in Ansible's terms."""
    return {
        "changed": bool(plan.steps),
        "diff": [
            {
                "before_header": each.title,
                "after_header": each.title,
                "before": to_yaml(each.before),
                "after": to_yaml(each.after),
            }
            for each in plan.differences
        ],
        "steps": [step.words for step in plan.steps],
        **plan.result,
    }


def run_module(module: AnsibleModule, open_task: Callable[[], contextlib.AbstractContextManager[Task]]) -> None:
    """Run the flow for a module and leave with its result."""
    try:
        with open_task() as task:
            plan = converge(task, check_mode=module.check_mode)
    except VirtNetError as error:
        module.fail_json(msg=str(error))
        raise  # fail_json does not return; this is for readers and type checkers.
    for warning in plan.warnings:
        module.warn(warning)
    if module.check_mode:
        for problem in plan.problems:
            module.warn(problem.text)
    module.exit_json(**result_of(plan))
