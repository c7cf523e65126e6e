# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many networks in one task, and in a loop over community.libvirt's virt_net, side by side. See README.md.

build/venv/bin/python benchmarks/fetch.py
sandbox/run -- build/venv/bin/python benchmarks/networks.py [--networks 200]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parent.parent
# What fetch.py has unpacked, the newest last.
FETCHED = sorted((ROOT / "build" / "benchmark").glob("ansible-*"))
SCRATCH = Path(os.environ.get("VIRTNET_SANDBOX_DIR", "/nonexistent")) / "benchmark"
CALL = re.compile(r" : (vir[A-Z]\w+):\d+ : ")
# What asks the daemon for networks or changes them. The rest is the client's own bookkeeping.
ASKS = re.compile(
    r"virConnectOpen(Auth|ReadOnly)?$|virConnectList|virConnectNumOf|virNetwork(?!Free|Ref|GetName|GetUUID)"
)


MOMENTS = ("create", "second run")


@dataclass(frozen=True)
class Side:
    """One of the two ways, as a task."""

    title: str
    collections: Path
    task: dict[str, object]


@dataclass(frozen=True)
class Run:
    """What a run of ansible-playbook came to."""

    seconds: float
    changed: int
    calls: Counter[str]


def addresses(number: int) -> dict[str, str]:
    """Name, bridge and addresses of a network."""
    subnet = f"10.{100 + number // 250}.{number % 250}"
    return {
        "name": f"bench{number}",
        "bridge": f"virbr-b{number}",
        "host": f"{subnet}.1",
        "start": f"{subnet}.100",
        "end": f"{subnet}.199",
        "guest": f"{subnet}.10",
        "mac": f"52:54:00:00:{number // 250:02x}:{number % 250:02x}",
    }


def as_options(number: int) -> dict[str, object]:
    """The network in the options of this collection."""
    each = addresses(number)
    return {
        "name": each["name"],
        "state": "present",
        "forward": {"mode": "nat"},
        "bridge": {"name": each["bridge"]},
        "ips": [
            {
                "address": f"{each['host']}/24",
                "dhcp": {
                    "ranges": [{"start": each["start"], "end": each["end"]}],
                    "hosts": [{"mac": each["mac"], "name": "web", "ip": each["guest"]}],
                },
            }
        ],
    }


def as_xml(number: int) -> dict[str, str]:
    """The same network as community.libvirt wants it."""
    xml = (
        "<network><name>{name}</name><forward mode='nat'/><bridge name='{bridge}'/>"
        "<ip address='{host}' netmask='255.255.255.0'><dhcp><range start='{start}' end='{end}'/>"
        "<host mac='{mac}' name='web' ip='{guest}'/></dhcp></ip></network>"
    )
    return {"name": f"bench{number}", "xml": xml.format(**addresses(number))}


def ours_of(count: int) -> Side:
    """This collection: one task with a list."""
    task: dict[str, object] = {"virtnet.hypervisor.virt_net": {"networks": [as_options(each) for each in range(count)]}}
    return Side("virtnet.hypervisor, one task", ROOT / "build" / "collections", task)


def theirs_of(count: int) -> Side:
    """The collection that it is compared with: a task for each network."""
    task: dict[str, object] = {
        "community.libvirt.virt_net": {"command": "define", "name": "{{ item.name }}", "xml": "{{ item.xml }}"},
        "loop": [as_xml(each) for each in range(count)],
        "loop_control": {"label": "{{ item.name }}"},
    }
    return Side("community.libvirt, a loop", FETCHED[-1], task)


def run(side: Side, *, count_calls: bool) -> Run:
    """Run the side's playbook with Ansible's own defaults. Counting the calls into libvirt takes time of its own."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    playbook, log, config = SCRATCH / "playbook.yml", SCRATCH / "libvirt.log", SCRATCH / "ansible.cfg"
    task = {"name": "Have the networks", **side.task}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    config.write_text("")
    log.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(SCRATCH / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_COLLECTIONS_PATH": str(side.collections),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    }
    if count_calls:
        environment |= {"LIBVIRT_LOG_FILTERS": "1:libvirt", "LIBVIRT_LOG_OUTPUTS": f"1:file:{log}"}
    command = [str(ROOT / "build/venv/bin/ansible-playbook"), "-i", "localhost,", "-c", "local", str(playbook)]
    began = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    seconds = time.monotonic() - began
    recap = re.search(r"changed=(\d+) .*failed=0", done.stdout)
    if done.returncode != 0 or recap is None:
        sys.exit(f"{side.title} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    lines = log.read_text().splitlines() if count_calls else []
    calls = Counter(found[1] for line in lines if (found := CALL.search(line)) and ASKS.match(found[1]))
    return Run(seconds, int(recap[1]), calls)


def defined() -> list[str]:
    """Names of the networks there are. A connection of its own each time, so that nothing is kept."""
    connection = libvirt.open("qemu:///system")
    try:
        return sorted(network.name() for network in connection.listAllNetworks())
    finally:
        connection.close()


def remove() -> None:
    """Remove the networks of the benchmark."""
    connection = libvirt.open("qemu:///system")
    try:
        for network in connection.listAllNetworks():
            network.undefine()
    finally:
        connection.close()


def both_runs(side: Side, count: int, *, count_calls: bool) -> dict[str, Run]:
    """Create the networks and run again, with the state checked after each."""
    remove()
    expected = sorted(addresses(number)["name"] for number in range(count))
    found = {}
    for moment in MOMENTS:
        found[moment] = run(side, count_calls=count_calls)
        if defined() != expected:
            sys.exit(f"{side.title}: {moment}: {len(defined())} networks are there instead of {count}")
    if found["second run"].changed:
        sys.exit(f"{side.title}: the second run says that it changed something")
    remove()
    return found


def prove_one_pass(counted: dict[str, Run]) -> None:
    """Stop where a pass over libvirt is more than one: one before the changes, one behind them to verify."""
    for moment, passes in zip(MOMENTS, (2, 1), strict=True):
        calls = counted[moment].calls
        if (calls["virConnectOpen"], calls["virConnectListAllNetworks"]) != (1, passes):
            sys.exit(f"{moment}: expected 1 connection and {passes} passes, found {dict(calls)}")


def report(count: int, few: int, timed: list[dict[str, Run]], counted: list[dict[str, Run]]) -> None:
    """Print the figures of both sides, ours first."""
    titles = [ours_of(0).title, theirs_of(0).title]
    print(f"\n{count} NAT networks, defined but not started; whole runs of ansible-playbook\n")
    print(f"{'':12}{titles[0]:>32}{titles[1]:>32}{'ratio':>9}")
    for moment in MOMENTS:
        mine, other = (side[moment].seconds for side in timed)
        print(f"{moment:12}{mine:>30.1f} s{other:>30.1f} s{other / mine:>8.1f}x")
    print(f"\nAsked of libvirt: connections, passes over all networks, calls (for {count} and for {few} networks)\n")
    for moment in MOMENTS:
        cells = []
        for side in counted:
            calls = side[moment].calls
            cells.append(f"{calls['virConnectOpen']}, {calls['virConnectListAllNetworks']}, {sum(calls.values())}")
        print(f"{moment:12}{cells[0]:>32}{cells[1]:>32}")
    print(f"\ncommunity.libvirt of {FETCHED[-1].name}, libvirt {libvirt.getVersion()}")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores, load over 1, 5 and 15 minutes: {load}.")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=200, help="how many (default: 200)")
    count = parser.parse_args().networks
    few = min(count, 10)
    if os.environ.get("VIRTNET_SANDBOX") != "1":
        sys.exit("This makes and removes networks. Run it in a sandbox: see benchmarks/README.md")
    if not FETCHED:
        sys.exit("community.libvirt is missing. Run: build/venv/bin/python benchmarks/fetch.py")
    alone = run(Side("ping", FETCHED[-1], {"ansible.builtin.ping": {}}), count_calls=False)
    timed, counted = [], []
    for side in (ours_of(count), theirs_of(count)):
        print(f"benchmark: {side.title}", flush=True)
        timed.append(both_runs(side, count, count_calls=False))
    # Counting takes time of its own. In a loop each network costs what every other costs: a few tell it.
    for side, number in ((ours_of(count), count), (theirs_of(few), few)):
        counted.append(both_runs(side, number, count_calls=True))
    prove_one_pass(counted[0])
    report(count, few, timed, counted)
    print(f"A playbook that only pings took {alone.seconds:.1f} s.")


if __name__ == "__main__":
    main()
