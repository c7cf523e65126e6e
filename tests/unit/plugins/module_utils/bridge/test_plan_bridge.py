# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner of bridges against plan_bridge/: a case is a folder and needs no code.

declared.yml is what stands in the task. seen.yml is the host as it was read (see simulated_host.py); without it there
is nothing. expected.yml is what the planner answers, as shown() below writes it. What is not in it must be empty;
``bridges``, the bridges as the task returns them, may be left out. Where something is refused, only that counts.

Each plan is also carried out on the simulated host, which refuses what the kernel refuses. Planned again from there,
and from the host as it is when the run is killed after any of the steps, nothing may be left to do in the end.
"""

from __future__ import annotations

import copy
import cProfile
import pstats
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _bridge_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.bridge import DeclaredBridge, declared_bridge
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge import plan_bridges
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import result_of
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.bridge.simulated_host import SimulatedHost
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.golden import as_yaml

CASES = sorted(Path(__file__).with_name("plan_bridge").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Path, accept: bool) -> None:
    options = yaml.safe_load((case / "declared.yml").read_text())
    written = yaml.safe_load((case / "seen.yml").read_text()) if (case / "seen.yml").exists() else {}
    expected = yaml.safe_load((case / "expected.yml").read_text()) if (case / "expected.yml").exists() else {}
    host = SimulatedHost(written)
    try:
        declared = declarations(options)
    except InvalidDeclaration as refused:
        found: dict[str, Any] = {"problems": refused.problems}
    else:
        plan = planned(declared, host)
        found = shown(plan)
        if not plan.problems:
            check_carried_out(declared, host, plan)
    if "bridges" not in expected:
        found.pop("bridges", None)
    if accept and found != expected:
        (case / "expected.yml").write_text(as_yaml(found))
        return
    assert found == expected, "\nFound in whole:\n" + as_yaml(found)


def test_more_ports_than_a_bridge_can_have() -> None:
    host = SimulatedHost({"links": {f"eth{number}": {} for number in range(1024)}})
    for ports, problems in (
        (1023, []),
        (1024, ["bridge 'br0': ports: it would have 1024, and 1023 is the most. Use several bridges"]),
    ):
        declared = declarations({"name": "br0", "ports": [f"eth{number}" for number in range(ports)]})
        assert [problem.text for problem in planned(declared, host).problems] == problems


def test_a_thousand_bridges_take_ten_times_as_long_as_a_hundred() -> None:
    """Give or take: the tenth part must not be free. Counted in calls, which no other load of the machine changes."""

    def calls(count: int) -> int:
        links = {f"p{number}": {"kind": "tun", "master": f"br{number}"} for number in range(count)}
        links.update({f"eth{number}": {} for number in range(count)})
        for number in range(count):
            links[f"br{number}"] = {"bridge": {}, "addresses": [f"10.{number // 256}.{number % 256}.1/24"]}
        host = SimulatedHost({"links": links, "vlans": True})
        options = [
            {
                "name": f"br{number}",
                "ports": [f"eth{number}"],
                "addresses": [f"10.{100 + number // 256}.{number % 256}.1/24"],
                "routes": [
                    {"destination": f"10.{200 + number // 256}.{number % 256}.0/24"},
                ],
                "port_options": [{"name": f"p{number}", "vids": "59", "isolated": True}],
            }
            for number in range(count)
        ]
        declared = declarations({"bridges": options})
        seen = host.seen([each.name for each in declared])
        profile = cProfile.Profile()
        profile.enable()
        plan = plan_bridges(declared, seen)
        profile.disable()
        assert (len(plan.problems), len(plan.steps)) == (0, 6 * count)
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(1000) < 12 * calls(100)


def check_carried_out(declared: Sequence[DeclaredBridge], host: SimulatedHost, plan: Plan) -> None:
    for killed_after in range(len(plan.steps) + 1):
        changed = copy.deepcopy(host)
        for step in plan.steps[:killed_after]:
            changed.do(step)
        for step in planned(declared, changed).steps:
            changed.do(step)
        left = planned(declared, changed)
        assert [step.words for step in left.steps] == [], f"steps are left after a kill after {killed_after}"
        check_mac_addresses(declared, host, changed)
        check_routes(changed)
    for before, after in zip(plan.result["bridges"], left.result["bridges"]):
        # What the kernel chooses for a new bridge is not known beforehand.
        assert before.items() <= after.items()


def check_mac_addresses(declared: Sequence[DeclaredBridge], before: SimulatedHost, after: SimulatedHost) -> None:
    for each in declared:
        is_kept = each.bridge.mac is None and each.take_over is None
        if is_kept and each.name in before.links and each.name in after.links:
            assert before.links[each.name].mac == after.links[each.name].mac


def check_routes(host: SimulatedHost) -> None:
    """A bridge that had IPv4 addresses, and has some, was never without."""
    for name in host.lost_routes & set(host.links):
        assert not [each for each in host.links[name].addresses if ":" not in each]


def declarations(options: Mapping[str, Any]) -> list[DeclaredBridge]:
    """As the module comes to them."""
    arguments = one_or_many("bridges", _bridge_task.BRIDGE_SPEC)
    arguments.pop("supports_check_mode")
    validated = ArgumentSpecValidator(**arguments).validate(options)
    if validated.error_messages:
        raise InvalidDeclaration(validated.error_messages)
    problems: list[str] = []
    objects = declared_objects(validated.validated_parameters, "bridges")
    declared = [declared_bridge(each, problems) for each in objects]
    if problems:
        raise InvalidDeclaration(problems)
    return declared


def planned(declared: Sequence[DeclaredBridge], host: SimulatedHost) -> Plan:
    return plan_bridges(declared, host.seen([each.name for each in declared]))


def shown(plan: Plan) -> dict[str, Any]:
    result = result_of(plan)
    problems = [problem.text for problem in plan.problems if not problem.missing]
    if problems:
        return {"problems": problems}
    found = {
        "steps": [{type(step).__name__: step.words} for step in plan.steps],
        "diff": {each["after_header"]: {"before": each["before"], "after": each["after"]} for each in result["diff"]},
        "missing": [problem.text for problem in plan.problems if problem.missing],
        "warnings": list(plan.warnings),
        "bridges": result["bridges"],
    }
    return {name: value for name, value in found.items() if value}
