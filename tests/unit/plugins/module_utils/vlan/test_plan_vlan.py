# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner of VLANs against plan_vlan/: a case is a folder and needs no code.

declared.yml is what stands in the task. seen.yml is the host as it was read (see simulated_host.py); without it there
is eth1. expected.yml is what the planner answers, as shown() below writes it. What is not in it must be empty;
``vlans``, the VLANs as the task returns them, may be left out. Where something is refused, only that counts.

Each plan is also carried out on the simulated host, which refuses what the kernel refuses. Planned again from there,
and from the host as it is when the run is killed after any of the steps, nothing may be left to do in the end.

With --accept, pytest writes expected.yml itself. It is for messages that changed, and no replacement for reading them.
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
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import InvalidDeclaration
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.vlan import DeclaredVlan, declared_vlans
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.vlan import plan_vlans
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import result_of
from ansible_collections.virtnet.hypervisor.plugins.module_utils._vlan_task import vlan_arguments
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.golden import as_yaml
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.vlan.simulated_host import SimulatedHost

CASES = sorted(Path(__file__).with_name("plan_vlan").iterdir())
NOTHING_YET: dict[str, Any] = {"links": {"eth1": {}}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Path, accept: bool) -> None:
    options = yaml.safe_load((case / "declared.yml").read_text())
    written = yaml.safe_load((case / "seen.yml").read_text()) if (case / "seen.yml").exists() else NOTHING_YET
    path = case / "expected.yml"
    expected = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
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
    if "vlans" not in expected:
        found.pop("vlans", None)
    if accept and found != expected:
        path.write_text(as_yaml(found))
    assert accept or found == expected, "\nFound in whole:\n" + as_yaml(found)


def check_carried_out(declared: Sequence[DeclaredVlan], host: SimulatedHost, plan: Plan) -> None:
    for killed_after in range(len(plan.steps) + 1):
        changed = copy.deepcopy(host)
        for step in plan.steps[:killed_after]:
            changed.do(step)
        for step in planned(declared, changed).steps:
            changed.do(step)
        left = planned(declared, changed)
        assert [step.words for step in left.steps] == [], f"steps are left after a kill after {killed_after}"
    for before, after in zip(plan.result["vlans"], left.result["vlans"]):
        # What the kernel chooses for a new VLAN is not known beforehand.
        assert before.items() <= after.items()
    check_others(declared, host, changed)


def check_others(declared: Sequence[DeclaredVlan], before: SimulatedHost, after: SimulatedHost) -> None:
    """What is not declared is as it was, but for what is on a declared device or under it, and for bridges' MACs."""
    names = {each.name for each in declared}
    near = names | {each.vlan.parent for each in declared} | {each.vlan.bridge for each in declared}
    for name, link in before.links.items():
        if name not in near and link.below not in near:
            assert after.links[name] == link


def declarations(options: Mapping[str, Any]) -> list[DeclaredVlan]:
    """As the module comes to them."""
    arguments = vlan_arguments()
    arguments.pop("supports_check_mode")
    validated = ArgumentSpecValidator(**arguments).validate(options)
    if validated.error_messages:
        raise InvalidDeclaration(validated.error_messages)
    problems: list[str] = []
    parameters = validated.validated_parameters
    elements = parameters["vlans"] if parameters.get("vlans") is not None else [parameters]
    declared = declared_vlans(elements, problems)
    if problems:
        raise InvalidDeclaration(problems)
    return declared


def planned(declared: Sequence[DeclaredVlan], host: SimulatedHost) -> Plan:
    return plan_vlans(declared, host.seen([each.vlan.bridge or "" for each in declared]))


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
        "vlans": result["vlans"],
    }
    return {name: value for name, value in found.items() if value}


# What holds of every plan, whatever is declared and whatever is there.

PARENTS = {"eth1": {}, "eth2": {"mtu": 9000, "up": False}, "eth3": {"mtu": 1400}}
BRIDGES = {"br1": {"bridge": {"fixed_mac": False}}, "br2": {"bridge": {}}, "tap1": {"kind": "tun", "master": "br1"}}

elements = st.fixed_dictionaries(
    {"parent": st.sampled_from([*PARENTS, "outer"]), "id": st.integers(1, 4)},
    optional={
        "name": st.sampled_from(["outer", "a", "b"]),
        "protocol": st.sampled_from(["802.1q", "802.1ad"]),
        "bridge": st.sampled_from(["br1", "br2", ""]),
        "mac": st.sampled_from(["02:00:00:00:00:aa", "02:00:00:00:00:bb"]),
        "mtu": st.sampled_from([1280, 1400, 1500, 9000]),
        "up": st.booleans(),
        "addresses": st.lists(
            st.sampled_from(["192.0.2.1/24", "192.0.2.2/24", "198.51.100.1/24", "2001:db8::1/64", "2001:db8:1::1/64"]),
            max_size=2,
        ),
        "state": st.sampled_from(["present", "present", "absent"]),
        "force": st.booleans(),
    },
)
tasks = st.lists(elements, min_size=1, max_size=4)


def done(task: Sequence[Mapping[str, Any]], host: SimulatedHost) -> tuple[list[DeclaredVlan], Plan]:
    """The task on the host, if it is one that is not refused."""
    try:
        declared = declarations({"vlans": list(task)})
    except InvalidDeclaration:
        assume(False)
    plan = planned(declared, host)
    assume(not plan.problems)
    for step in plan.steps:
        host.do(step)
    return declared, plan


@given(tasks, tasks)
def test_a_task_over_another_gives_the_second(first: list[Any], second: list[Any]) -> None:
    host = SimulatedHost({"links": {**PARENTS, **BRIDGES}})
    done(first, host)
    before = copy.deepcopy(host)
    declared, plan = done(second, host)
    assert planned(declared, host).steps == []
    check_carried_out(declared, before, plan)
    for each in declared:
        link = host.links.get(each.name)
        if each.state == "absent":
            assert link is None
            continue
        assert link is not None
        assert link.vlan is not None
        wanted = each.vlan
        assert (link.below, link.vlan.id) == (wanted.parent, wanted.id)
        assert link.up is (wanted.up is not False)
        for value, has in ((wanted.mac, link.mac), (wanted.mtu, link.mtu), (wanted.protocol, link.vlan.protocol)):
            assert value in (None, has)
        assert wanted.bridge in (None, link.master or "")
        assert wanted.addresses is None or set(wanted.addresses) == set(link.lasting)


@given(tasks, tasks)
def test_the_diff_is_there_when_and_only_when_there_are_steps(first: list[Any], second: list[Any]) -> None:
    host = SimulatedHost({"links": {**PARENTS, **BRIDGES}})
    done(first, host)
    _declared, plan = done(second, host)
    assert bool(plan.steps) == bool(plan.differences)
    for each in plan.differences:
        assert each.before != each.after


@given(tasks)
def test_the_order_of_the_list_does_not_matter(task: list[Any]) -> None:
    hosts = [SimulatedHost({"links": {**PARENTS, **BRIDGES}}) for _turn in range(2)]
    done(task, hosts[0])
    done(task[::-1], hosts[1])
    one, other = ({name: link.__dict__ | {"index": 0} for name, link in host.links.items()} for host in hosts)
    for link in (*one.values(), *other.values()):
        link.update(addresses=set(link["addresses"]), lasting=set(link["lasting"]))
    assert one == other


# Many at once.


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_thousand_vlans_take_ten_times_as_long_as_a_hundred(state: str) -> None:
    """Give or take: the tenth part must not be free. Counted in calls, which no other load of the machine changes."""

    def calls(count: int) -> int:
        bridges: dict[str, Any] = {f"br{number}": {"bridge": {}} for number in range(1, count + 1)}
        host = SimulatedHost({"links": {"eth1": {}, **bridges}})
        vlans = [
            {"parent": "eth1", "id": number, "bridge": f"br{number}", "force": True, "state": state}
            | {"addresses": [f"10.{number >> 8}.{number & 255}.1/24"]}
            for number in range(1, count + 1)
        ]
        declared = declarations({"vlans": vlans})
        if state == "absent":
            there: dict[str, Any] = {each.name: {"vlan": {}, "addresses": each.vlan.addresses} for each in declared}
            host.links.update(SimulatedHost({"links": there}).links)
        seen = host.seen(bridges)
        profile = cProfile.Profile()
        profile.enable()
        plan = plan_vlans(declared, seen)
        profile.disable()
        assert not plan.problems
        assert plan.steps
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(1000) < 12 * calls(100)
