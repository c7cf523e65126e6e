# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one flow, with tasks whose plans are given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import pytest

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _run
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import (
    ApplyFailed,
    InvalidDeclaration,
    Unreachable,
    VerifyFailed,
    VirtNetError,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Difference, Plan, Problem, Step

MAKE, START = Step("make it"), Step("start it")
CHANGE = Plan(
    steps=[MAKE, START],
    differences=[Difference("thing a", {"state": "absent"}, {"state": "active", "ports": []})],
    warnings=["soon"],
    result={"things": ["planned"]},
)
DONE = Plan(result={"things": ["found"]})


class GivenTask:
    """A task that plans what it is given, one plan after the other, and writes down what happens."""

    def __init__(self, log: list[str], *plans: Plan, refuses: str = "") -> None:
        self._log, self._plans, self._refuses = log, list(plans), refuses

    def plan(self) -> Plan:
        self._log.append("plan")
        return self._plans.pop(0)

    def apply(self, step: Step) -> None:
        if step.words == self._refuses:
            raise VirtNetError("no room")
        self._log.append(step.words)

    def report(self, plan: Plan) -> dict[str, Any]:
        return {"steps_reported": len(plan.steps)}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened, the lock included."""
    lines: list[str] = []

    @contextlib.contextmanager
    def lock() -> Iterator[None]:
        lines.append("lock")
        yield
        lines.append("unlock")

    monkeypatch.setattr(_run, "host_lock", lock)
    return lines


def test_read_plan_apply_verify_under_the_lock(log: list[str]) -> None:
    plan = _run.converge(GivenTask(log, CHANGE, DONE), check_mode=False)
    assert log == ["lock", "plan", "make it", "start it", "plan", "unlock"]
    assert [step.words for step in plan.steps] == ["make it", "start it"]
    assert plan.result == {"things": ["found"], "steps_reported": 2}, "the result is the one that was read afterwards"


def test_check_mode_ends_before_the_first_step_and_takes_no_lock(log: list[str]) -> None:
    plan = _run.converge(GivenTask(log, CHANGE), check_mode=True)
    assert log == ["plan"]
    assert plan.steps is CHANGE.steps
    assert plan.result == {"things": ["planned"], "steps_reported": 2}


def test_nothing_to_do_is_read_once(log: list[str]) -> None:
    _run.converge(GivenTask(log, DONE), check_mode=False)
    assert log == ["lock", "plan", "unlock"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_problems_refuse_before_the_first_step(log: list[str], check_mode: bool) -> None:
    plan = Plan(steps=[MAKE], problems=[Problem("a is wrong"), Problem("b is wrong")])
    with pytest.raises(InvalidDeclaration) as refused:
        _run.converge(GivenTask(log, plan), check_mode=check_mode)
    assert str(refused.value) == "Nothing was changed, 2 problems: a is wrong | b is wrong"
    assert "make it" not in log


def test_what_is_missing_is_a_problem_of_a_real_run_only(log: list[str]) -> None:
    plan = Plan(steps=[MAKE], problems=[Problem("no br0", missing=True)])
    assert _run.converge(GivenTask(log, plan), check_mode=True).problems is plan.problems
    with pytest.raises(InvalidDeclaration) as refused:
        _run.converge(GivenTask(log, plan), check_mode=False)
    assert str(refused.value) == "Nothing was changed: no br0"


def test_a_failed_step_says_what_was_done_before(log: list[str]) -> None:
    with pytest.raises(ApplyFailed) as failed:
        _run.converge(GivenTask(log, CHANGE, refuses="start it"), check_mode=False)
    assert str(failed.value) == (
        "Step 2 of 2 failed: start it: no room. Done before it: make it. Running the task again continues from here"
    )
    with pytest.raises(ApplyFailed, match="Done before it: nothing"):
        _run.converge(GivenTask(log, CHANGE, refuses="make it"), check_mode=False)


def test_what_was_not_taken_is_said_with_both_states(log: list[str]) -> None:
    left = Plan(steps=[START], differences=[Difference("thing a", {"state": "inactive"}, {"state": "active"})])
    with pytest.raises(VerifyFailed) as failed:
        _run.converge(GivenTask(log, CHANGE, left), check_mode=False)
    assert "Still to do: start it" in str(failed.value)
    assert "thing a, found:\nstate: inactive\ndeclared:\nstate: active\n" in str(failed.value)


def test_the_result_is_in_the_terms_of_ansible() -> None:
    assert _run.result_of(CHANGE) == {
        "changed": True,
        "diff": [
            {
                "before_header": "thing a",
                "after_header": "thing a",
                "before": "state: absent\n",
                "after": "state: active\nports: []\n",
            }
        ],
        "steps": ["make it", "start it"],
        "things": ["planned"],
    }
    assert _run.result_of(DONE) == {"changed": False, "diff": [], "steps": [], "things": ["found"]}


class Left(Exception):
    """How a module's process ends."""


class ModuleStub:
    """The part of AnsibleModule that the flow uses."""

    def __init__(self, *, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.warnings: list[str] = []
        self.left: dict[str, Any] = {}

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: Any) -> NoReturn:
        self.left = result
        raise Left

    def fail_json(self, *, msg: str) -> NoReturn:
        self.left = {"failed": msg}
        raise Left


def run(module: Any, log: list[str], plans: Sequence[Plan], error: Exception | None = None) -> None:
    @contextlib.contextmanager
    def opened() -> Iterator[GivenTask]:
        if error is not None:
            raise error
        yield GivenTask(log, *plans)

    with pytest.raises(Left):
        _run.run_module(module, opened)


def test_a_module_leaves_with_its_result(log: list[str]) -> None:
    module = ModuleStub(check_mode=False)
    run(module, log, [CHANGE, DONE])
    assert module.left["changed"] is True
    assert module.left["things"] == ["found"]
    assert module.warnings == ["soon"]


def test_in_check_mode_what_is_missing_is_a_warning(log: list[str]) -> None:
    module = ModuleStub(check_mode=True)
    run(module, log, [Plan(steps=[MAKE], problems=[Problem("no br0", missing=True)], warnings=["soon"])])
    assert module.left["changed"] is True
    assert module.warnings == ["soon", "no br0"]


def test_a_module_fails_with_the_engines_message(log: list[str]) -> None:
    module = ModuleStub(check_mode=False)
    run(module, log, [], Unreachable("libvirt does not answer"))
    assert module.left == {"failed": "libvirt does not answer"}
