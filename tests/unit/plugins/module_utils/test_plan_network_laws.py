# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds of every plan, whatever is declared and whatever is there: generated networks on the simulated host."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    DeclaredNetwork,
    Forward,
    Network,
    declared_network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import SeenHypervisor, SeenNetwork
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network import plan_networks
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_becomes import becomes
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils import strategies
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils.simulated import UUID, after_step

versions = st.sampled_from([8_000_000, 9_000_000, 11_003_000])


def network(options: strategies.Options) -> Network:
    """A network as libvirt has it: what goes with nothing is not in it."""
    return becomes(becomes(Network(forward=Forward(mode="isolated")), declared(options).network), Network())


def declared(options: strategies.Options) -> DeclaredNetwork:
    problems: list[str] = []
    found = declared_network({"name": "lab", **options}, problems)
    assert problems == []
    return found


tasks = st.builds(
    lambda options, state, restart, autostart: declared(
        {**options, "state": state, "if_restart_needed": restart, "autostart": autostart}
    ),
    strategies.options,
    st.sampled_from(["active", "inactive", "present", "absent"]),
    st.sampled_from(["defer", "restart", "fail"]),
    st.none() | st.booleans(),
)
networks = st.builds(network, strategies.options)


@st.composite
def hosts(draw: st.DrawFn) -> SeenHypervisor:
    """A host with the network or without it; stopped, running, running another copy than is defined, or transient."""
    kind = draw(st.sampled_from(["none", "stopped", "running", "running another", "transient"]))
    config = live = None
    if kind != "none":
        config = draw(networks)
        live = draw(networks) if kind == "running another" else config
    seen = SeenNetwork(
        name="lab",
        uuid=UUID,
        active=kind not in ("none", "stopped"),
        autostart=kind not in ("none", "transient") and draw(st.booleans()),
        config=None if kind == "transient" else config,
        live=None if kind == "stopped" else live,
        busy=draw(st.frozensets(st.sampled_from(["eth0", "eth1"]))),
    )
    return SeenHypervisor(
        version=draw(versions), networks={} if kind == "none" else {"lab": seen}, loses_rules=draw(st.booleans())
    )


@given(tasks, hosts())
def test_when_all_steps_are_done_nothing_is_left_to_do(task: DeclaredNetwork, host: SeenHypervisor) -> None:
    plan = plan_networks([task], host)
    assume(not plan.problems)
    for step in plan.steps:
        host = after_step(host, step)
    again = plan_networks([task], host)
    assert [step.words for step in again.steps] == []
    assert again.warnings == plan.warnings
    assert again.result == plan.result


@given(tasks, hosts(), st.data())
def test_a_killed_run_is_finished_by_the_next(task: DeclaredNetwork, host: SeenHypervisor, data: st.DataObject) -> None:
    plan = plan_networks([task], host)
    assume(not plan.problems and plan.steps)
    for step in plan.steps[: data.draw(st.integers(0, len(plan.steps) - 1), "steps before the kill")]:
        host = after_step(host, step)
    second = plan_networks([task], host)
    assert not second.problems
    for step in second.steps:
        host = after_step(host, step)
    assert plan_networks([task], host).steps == []


@given(tasks, hosts())
def test_a_change_is_shown_where_there_are_steps_and_only_there(task: DeclaredNetwork, host: SeenHypervisor) -> None:
    plan = plan_networks([task], host)
    assert bool(plan.steps) == bool(plan.differences)
    for each in plan.differences:
        assert each.before != each.after, "a change that shows no difference"


@given(tasks, hosts())
def test_what_is_declared_is_what_the_definition_becomes(task: DeclaredNetwork, host: SeenHypervisor) -> None:
    plan = plan_networks([task], host)
    assume(not plan.problems and task.state != "absent")
    for step in plan.steps:
        host = after_step(host, step)
    config = host.networks["lab"].config
    assert config is not None
    assert becomes(config, replace(task, xml=None).network) == config
