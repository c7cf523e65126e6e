# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner of networks against plan_network/: a case is a folder and needs no code.

declared.yml is what stands in the task. seen.yml is the hypervisor as it was read (see simulated.py); without it there
is nothing on the host. expected.yml is what the planner answers, as shown() below writes it. What is not in it must be
empty; ``networks``, the networks as the task returns them, may be left out.

Each plan is also carried out on the simulated hypervisor, which refuses what libvirt refuses. Planned again from
there, nothing may be left to do: that is the engine's verification after a real run.

With --accept, pytest writes expected.yml itself. It is for messages that changed, and no replacement for reading them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _network_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import URI, declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import Plug, Update
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan, Step
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import result_of
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.golden import as_yaml
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.simulated import (
    after_step,
    hypervisor_from,
)

CASES = sorted(Path(__file__).with_name("plan_network").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Path, monkeypatch: pytest.MonkeyPatch, accept: bool) -> None:
    options = yaml.safe_load((case / "declared.yml").read_text())
    seen = hypervisor_from(yaml.safe_load((case / "seen.yml").read_text()) if (case / "seen.yml").exists() else {})
    expected = yaml.safe_load((case / "expected.yml").read_text()) if (case / "expected.yml").exists() else {}
    try:
        plan = planned(options, seen, monkeypatch)
    except InvalidDeclaration as refused:
        found: dict[str, Any] = {"problems": refused.problems}
    else:
        found = shown(plan)
        if not any(not problem.missing for problem in plan.problems):
            for step in plan.steps:
                seen = after_step(seen, step)
            again = planned(options, seen, monkeypatch)
            assert [step.words for step in again.steps] == [], "steps are left after all of them were done"
            assert again.result == plan.result
    if "networks" not in expected:
        found.pop("networks", None)
    if accept and found != expected:
        (case / "expected.yml").write_text(as_yaml(found))
        return
    assert found == expected, "\nFound in whole:\n" + as_yaml(found)


def planned(options: Mapping[str, Any], seen: SeenHypervisor, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a task with these options, as the module comes to it. Only the reading is replaced."""
    arguments = one_or_many("networks", _network_task.NETWORK_SPEC, uri=URI)
    arguments.pop("supports_check_mode")
    validated = ArgumentSpecValidator(**arguments).validate(options)
    if validated.error_messages:
        raise InvalidDeclaration(validated.error_messages)

    @contextlib.contextmanager
    def connected(_uri: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(_network_task, "connected", connected)
    monkeypatch.setattr(_network_task, "read_hypervisor", lambda _connection: hidden(seen))
    monkeypatch.setattr(_network_task, "read_links", lambda: seen.links)
    monkeypatch.setattr(_network_task, "read_routes", lambda: seen.routes)
    monkeypatch.setattr(_network_task, "uses_nftables", lambda: seen.loses_rules)
    monkeypatch.setattr(_network_task, "can_hold", lambda: seen.can_hold)
    monkeypatch.setattr(_network_task, "is_held", lambda: seen.held)
    monkeypatch.setattr(_network_task, "count_stale", lambda _subnets: seen.stale_rules)
    monkeypatch.setattr(_network_task.NetworkTask, "_missing_folders", lambda _task: seen.missing_folders)
    uri = "qemu:///system" if seen.links is not None else "qemu+ssh://far/system"
    with _network_task.network_task(uri, declared_objects(validated.validated_parameters, "networks")) as task:
        return task.plan()


def hidden(seen: SeenHypervisor) -> SeenHypervisor:
    """Without what is of the host's kernel and files, which is read later and only where it is needed."""
    return SeenHypervisor(version=seen.version, networks=seen.networks, nics=seen.nics)


def shown(plan: Plan) -> dict[str, Any]:
    result = result_of(plan)
    found = {
        "steps": [{kind(step): step.words} for step in plan.steps],
        "diff": {each["after_header"]: {"before": each["before"], "after": each["after"]} for each in result["diff"]},
        "problems": [problem.text for problem in plan.problems if not problem.missing],
        "missing": [problem.text for problem in plan.problems if problem.missing],
        "warnings": list(plan.warnings),
        "pending_restart": result["pending_restart"],
        "networks": result["networks"],
    }
    return {name: value for name, value in found.items() if value}


def kind(step: Step) -> str:
    """The type of a step, for an update the copies of the definition that it changes, and what is special of a plug."""
    if isinstance(step, Update):
        return "Update " + " and ".join(copy for copy in ("live", "config") if getattr(step, copy))
    if isinstance(step, Plug):
        special = {"shared": not step.own, "static": step.static, "renew": step.renew}
        return " ".join(["Plug", *(word for word, holds in special.items() if holds)])
    return type(step).__name__
