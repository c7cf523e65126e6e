# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VLANs on a trunk, each with a bridge: one task per module, ip -batch, networkd's files, and a loop of commands.

sandbox/run --kernel -- build/venv/bin/python benchmarks/vlans.py [--pairs 10 100 1000] [--loop-up-to 100]

See README.md for the same in a virtual machine, where networkd runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NETWORKD = Path("/run/systemd/network")
# Others have files there, too.
OWN_FILES = "10-benchmark-"
TRUNK = "trunk0"
MOMENTS = ("create", "no change", "change of one", "delete")
# The Python of the targets, which has Debian's libraries. Ansible's own are in the virtual environment.
PYTHON = "/usr/bin/python3"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": ":".join(str(path) for path in (ROOT / "build/venv/lib").glob("python3*/site-packages")),
}

# What a module does between its start and its result. Prints seconds: imports, then the work.
ENGINE = """
import json, sys, time
began = time.perf_counter()
sys.path.insert(0, sys.argv[1])
from ansible_collections.virtnet.hypervisor.plugins.module_utils import _bridge_task, _run, _vlan_task
import pyroute2
imported = time.perf_counter()
changed = False
for kind, objects in json.load(sys.stdin):
    opened = _bridge_task.bridge_task(objects) if kind == "bridges" else _vlan_task.vlan_task({"vlans": objects})
    with opened as task:
        changed = bool(_run.converge(task, check_mode=False).steps) or changed
print(json.dumps([imported - began, time.perf_counter() - imported, changed]))
"""


def declared(count: int, moment: str) -> list[tuple[str, list[dict[str, object]]]]:
    """The two tasks, each with what it declares."""
    if moment == "delete":
        vlans: list[dict[str, object]] = [{"parent": TRUNK, "ids": f"1-{count}", "state": "absent"}]
        return [("vlans", vlans), ("bridges", [{"name": f"br{each}", "state": "absent"} for each in ids(count)])]
    vlans = [{"parent": TRUNK, "ids": f"1-{count}", "bridge": "br{id}"}]
    if moment == "change of one":
        vlans = [
            {"parent": TRUNK, "ids": f"2-{count}", "bridge": "br{id}"},
            {"parent": TRUNK, "id": 1, "bridge": "br1", "mtu": 1400},
        ]
    return [("bridges", [{"name": f"br{each}"} for each in ids(count)]), ("vlans", vlans)]


def ids(count: int) -> Iterable[int]:
    return range(1, count + 1)


def by_hand(count: int, moment: str) -> list[str]:
    """What somebody gives to ip for the same."""
    if moment == "create":
        bridges = [f"link add br{each} up type bridge" for each in ids(count)]
        return bridges + [
            f"link add link {TRUNK} name {TRUNK}.{each} up master br{each} type vlan id {each}" for each in ids(count)
        ]
    if moment == "change of one":
        return [f"link set {TRUNK}.1 mtu 1400"]
    if moment == "delete":
        return [f"link delete {name}" for each in ids(count) for name in (f"{TRUNK}.{each}", f"br{each}")]
    return []


def links() -> dict[str, tuple[str | None, int]]:
    """Bridge and MTU of each device of the benchmark."""
    listed = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout)
    return {
        each["ifname"]: (each.get("master"), each["mtu"])
        for each in listed
        if re.fullmatch(rf"br\d+|{TRUNK}\.\d+", each["ifname"])
    }


def expected(count: int, moment: str) -> dict[str, tuple[str | None, int]]:
    """What `links` should be after a step."""
    found: dict[str, tuple[str | None, int]] = {}
    if moment != "delete":
        for each in ids(count):
            mtu = 1400 if each == 1 and moment == "change of one" else 1500
            # A bridge without an MTU of its own follows its ports.
            found |= {f"br{each}": (None, mtu), f"{TRUNK}.{each}": (f"br{each}", mtu)}
    return found


def check(count: int, moment: str, side: str) -> None:
    """Stop where the side has not made what it should have."""
    if links() != expected(count, moment):
        sys.exit(f"{side}: {moment} of {count}: the devices are not as they should be")


def ip_batch(count: int, moment: str) -> float:
    lines = "".join(f"{line}\n" for line in by_hand(count, moment))
    command = ["ip", "-batch", "-"] if lines else ["ip", "-j", "-d", "link"]
    began = time.perf_counter()
    subprocess.run(command, input=lines, text=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def engine(count: int, moment: str) -> tuple[float, float]:
    """Seconds of the work, and of Python's start with its imports."""
    began = time.perf_counter()
    done = subprocess.run(
        [PYTHON, "-c", ENGINE, str(ROOT / "build/collections")],
        input=json.dumps(declared(count, moment)),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    whole = time.perf_counter() - began
    _imports, work, changed = json.loads(done.stdout)
    if changed != (moment != "no change"):
        sys.exit(f"the engine: {moment} of {count}: changed is {changed}")
    return work, whole - work


def play(tasks: list[dict[str, object]]) -> float:
    """Seconds of a whole run of ansible-playbook with Ansible's own defaults."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        playbook, config = scratch / "playbook.yml", scratch / "ansible.cfg"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        config.write_text("")
        environment = {
            **ENVIRONMENT,
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(scratch / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build/collections"),
            "ANSIBLE_PYTHON_INTERPRETER": PYTHON,
            "LC_ALL": "C.UTF-8",
        }
        command = [PYTHON, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", str(playbook)]
        began = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        seconds = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"ansible-playbook failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return seconds


def our_tasks(count: int, moment: str) -> float:
    modules = {"bridges": "virtnet.hypervisor.virt_bridge", "vlans": "virtnet.hypervisor.virt_vlan"}
    return play([{modules[kind]: {kind: objects}} for kind, objects in declared(count, moment)])


def loop(count: int, moment: str) -> float:
    """A command for each device. That it has nothing to do, it finds out by looking at each."""
    lines = by_hand(count, moment) or [f"-j -d link show {name}" for name in links()]
    return play([{"ansible.builtin.command": "ip {{ item }}", "loop": lines, "changed_when": moment != "no change"}])


def networkd_runs() -> bool:
    """Whether systemd-networkd manages networks here."""
    command = ["systemctl", "is-active", "--quiet", "systemd-networkd"]
    try:
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def networkd_files(count: int, moment: str) -> dict[str, str]:
    """What somebody writes for networkd, by the file's name without its prefix."""
    if moment == "delete":
        return {}
    # Links as ip makes them: without an address, and up without a carrier.
    bare = "LinkLocalAddressing=no\nConfigureWithoutCarrier=yes\nIPv6AcceptRA=no\n"
    vlans = "".join(f"VLAN={TRUNK}.{each}\n" for each in ids(count))
    files = {f"{TRUNK}.network": f"[Match]\nName={TRUNK}\n[Network]\n{bare}{vlans}"}
    for each in ids(count):
        mtu = "[Link]\nMTUBytes=1400\n" if each == 1 and moment == "change of one" else ""
        files |= {
            f"br{each}.netdev": f"[NetDev]\nName=br{each}\nKind=bridge\n",
            f"br{each}.network": f"[Match]\nName=br{each}\n[Network]\n{bare}",
            f"{TRUNK}.{each}.netdev": f"[NetDev]\nName={TRUNK}.{each}\nKind=vlan\n[VLAN]\nId={each}\n",
            f"{TRUNK}.{each}.network": f"[Match]\nName={TRUNK}.{each}\n{mtu}[Network]\nBridge=br{each}\n{bare}",
        }
    return files


def networkd(count: int, moment: str) -> float:
    """Files that are new or other than before, a reload, and the wait until the devices are there."""
    files = {OWN_FILES + name: text for name, text in networkd_files(count, moment).items()}
    began = time.perf_counter()
    NETWORKD.mkdir(exist_ok=True)
    for path in NETWORKD.glob(f"{OWN_FILES}*"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        path = NETWORKD / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    # Of many devices it ends with a timeout, while networkd still makes them.
    subprocess.run(["networkctl", "reload"], check=False, stderr=subprocess.DEVNULL)
    if moment == "delete":
        # It leaves devices whose file is gone.
        subprocess.run(["networkctl", "delete", *links()], check=True)
    deadline = began + 1800
    while links() != expected(count, moment) and time.perf_counter() < deadline:
        time.sleep(0.02)
    return time.perf_counter() - began


def timed(count: int, side: str, run: Callable[[int, str], float]) -> dict[str, float]:
    found = {}
    for moment in MOMENTS:
        found[moment] = run(count, moment)
        check(count, moment, side)
    return found


def compare(count: int, *, with_playbook: bool, with_networkd: bool, with_loop: bool) -> None:
    """Print the figures of one number of pairs."""
    starts: list[float] = []

    def timed_engine(number: int, moment: str) -> float:
        work, start = engine(number, moment)
        starts.append(start)
        return work

    limit = timed(count, "ip -batch", ip_batch)
    work = timed(count, "the engine", timed_engine)
    columns = {"ip -batch": limit, "engine": work}
    if with_playbook:
        columns["playbook"] = timed(count, "one task per module", our_tasks)
    if with_networkd:
        columns["networkd"] = timed(count, "networkd", networkd)
    if with_loop:
        columns["loop of ip"] = timed(count, "the loop", loop)
    print(f"\n{count} VLANs, each with its bridge; seconds, and the engine's ratio to ip -batch\n")
    print(f"{'':16}" + "".join(f"{name:>12}" for name in columns) + f"{'ratio':>8}")
    for moment in MOMENTS:
        cells = "".join(f"{seconds[moment]:12.3f}" for seconds in columns.values())
        print(f"{moment:16}{cells}{work[moment] / limit[moment]:8.1f}")
    print(f"Python's start with its imports, beside the engine: {sum(starts) / len(starts):.2f} s", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[10, 100, 1000], help="default: 10 100 1000")
    parser.add_argument(
        "--loop-up-to", type=int, default=100, help="the loop is slow: up to how many pairs to wait for it"
    )
    parser.add_argument("--playbook-up-to", type=int, default=1000, help="the same for playbooks of ours")
    parser.add_argument("--networkd-up-to", type=int, default=1000, help="the same for networkd, where it runs")
    parser.add_argument("--on-this-machine", action="store_true", help="run outside of a sandbox, in a virtual machine")
    arguments = parser.parse_args()
    if os.environ.get("VIRTNET_SANDBOX") != "1" and not arguments.on_this_machine:
        sys.exit("This makes and removes network devices. Run it in a sandbox: see benchmarks/README.md")
    networkd_up_to = arguments.networkd_up_to if networkd_runs() else 0
    if not networkd_up_to:
        print("systemd-networkd does not run here, and is left out.")
    cable = f"link add {TRUNK} type veth peer name far0\nlink set {TRUNK} up\nlink set far0 up\n"
    subprocess.run(["ip", "-batch", "-"], input=cable, text=True, check=True)
    empty = play([{"ansible.builtin.ping": {}}])
    for count in arguments.pairs:
        compare(
            count,
            with_playbook=count <= arguments.playbook_up_to,
            with_networkd=count <= networkd_up_to,
            with_loop=count <= arguments.loop_up_to,
        )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nA playbook that only pings took {empty:.1f} s. Linux {os.uname().release}, load {load}.")


if __name__ == "__main__":
    main()
