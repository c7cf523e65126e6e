# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo, inside its sandbox: playbook, guest, lease, connection to the outside, playbook again, summary."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import demo_summary, mounts, network
from .guest import Guest, GuestError
from .outside import OutsideServer

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "build/collections"
PLAYBOOK = "virtnet.hypervisor.nat"

NETWORK = "demo"
BRIDGE = "virbr-demo"
GATEWAY = "192.168.150.1"
GUEST = "demo-guest"
MAC = "52:54:00:de:70:01"
ADDRESS = "192.168.150.20"
SERVER_PORT = 8000

# What a user would write into the inventory.
VARIABLES = {
    # A sandbox brings its own libvirt, and cannot reach Debian's packages.
    "host_packages_install": False,
    "nat_networks": [
        {
            "name": NETWORK,
            "bridge": {"name": BRIDGE},
            "domain": {"name": "demo.example", "local_only": True},
            "ips": [
                {
                    "address": f"{GATEWAY}/24",
                    "dhcp": {
                        "ranges": [{"start": "192.168.150.100", "end": "192.168.150.199"}],
                        "hosts": [{"mac": MAC, "name": GUEST, "ip": ADDRESS}],
                    },
                }
            ],
            "dns": {"hosts": [{"ip": GATEWAY, "names": ["hypervisor.demo.example"]}]},
        }
    ],
}

INVENTORY = """---
hypervisors:
  hosts:
    hypervisor:
      ansible_connection: local
      ansible_python_interpreter: /usr/bin/python3
"""

PLAYBOOK_HINT = "Ansible's message above says which task it was."
GUEST_HINT = "The end of the guest's console and of libvirtd's log are above."


class DemoFailed(Exception):
    """Something the demo shows did not come true."""


def main() -> int:
    folder = Path(mounts.SCRATCH) / "demo"
    folder.mkdir()
    (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (folder / "variables.json").write_text(json.dumps(VARIABLES), encoding="utf-8")
    (folder / "ansible.cfg").touch()
    try:
        _show(folder)
    except DemoFailed:
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the sandbox and all in it are gone", file=sys.stderr)
        return 130
    return 0


def _show(folder: Path) -> None:
    with _step(f"Running the playbook {PLAYBOOK}: a NAT network with DHCP and DNS", PLAYBOOK_HINT):
        _playbook(folder)

    with _step(f"Booting a guest on network {NETWORK} (a real QEMU guest, a few seconds)", GUEST_HINT):
        guest = Guest(GUEST, [(NETWORK, MAC)])
        guest.wait_until_booted(120)

    with _step("Waiting for its DHCP lease", GUEST_HINT):
        address = guest.wait_for_address(timeout=120)
        lease = _lease(address)
        _say(f"the guest has {address}, which is the fixed lease of its MAC address {MAC}")
        if address != ADDRESS:
            raise DemoFailed(f"the guest got {address} and not its fixed lease {ADDRESS}")

    with _step("Asking the network's DNS server from the guest", GUEST_HINT):
        answer = guest.check(f"nslookup hypervisor.demo.example {GATEWAY}")
        if GATEWAY not in answer.partition("Name:")[2]:
            raise DemoFailed(f"the name did not resolve:\n{answer}")
        _say(f"hypervisor.demo.example is {GATEWAY}")

    where = f"{network.OUTSIDE_ADDRESS} port {SERVER_PORT}"
    with _step(f"The guest opens a TCP connection to a server in the outside namespace, {where}", GUEST_HINT):
        with OutsideServer(SERVER_PORT) as server:
            guest.check(f"nc {server.address} {server.port} </dev/null")
            seen = server.wait_for_connection()
        _say(f"the server saw {seen.address}: the hypervisor's address in place of the guest's {address}")
        if seen.address != network.UPLINK_ADDRESS:
            raise DemoFailed(f"the server saw {seen.address} and not the translated address {network.UPLINK_ADDRESS}")

    with _step("Running the same playbook again: nothing is left to do", PLAYBOOK_HINT):
        changed = _playbook(folder)
        if changed:
            raise DemoFailed(f"the second run changed {changed} things")

    print(
        demo_summary.text(
            network=NETWORK,
            bridge=BRIDGE,
            gateway=GATEWAY,
            tap=guest.tap(),
            guest=GUEST,
            mac=MAC,
            address=address,
            lease=lease,
            uplink=network.UPLINK,
            uplink_address=network.UPLINK_ADDRESS,
            server=network.OUTSIDE_ADDRESS,
            port=SERVER_PORT,
            seen=seen.address,
        )
    )


@contextlib.contextmanager
def _step(title: str, hint: str) -> Iterator[None]:
    print(f"\n==> {title}", flush=True)
    started = time.monotonic()
    try:
        yield
    except (DemoFailed, GuestError, OSError, subprocess.SubprocessError) as error:
        if hint == GUEST_HINT:
            _show_end_of(Path(mounts.SCRATCH) / "guests" / GUEST / "console.log")
            _show_end_of(Path("/var/log/libvirt/libvirtd.log"))
        print(f"\nThe demo failed at this step: {title}\n{error}\n{hint}", file=sys.stderr)
        print("To look around in a sandbox yourself: make sandbox CMD=bash", file=sys.stderr, flush=True)
        raise DemoFailed from error
    _say(f"done in {time.monotonic() - started:.1f} s")


def _show_end_of(log: Path) -> None:
    if log.exists():
        _say(f"The end of {log}:")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]:
            _say("  " + line)


def _say(text: str) -> None:
    print(f"    {text}", flush=True)


def _playbook(folder: Path) -> int:
    """Run it with its output shown; how many tasks changed something."""
    command = [str(ROOT / "build/venv/bin/ansible-playbook"), "--inventory", "inventory.yml"]
    command += ["--extra-vars", "@variables.json", PLAYBOOK]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
    }
    # The whole of a task would be starred out to the width of the terminal.
    environment.setdefault("COLUMNS", "80")
    changed = None
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                _say(line.rstrip())
            recap = re.search(r"\bchanged=(\d+)", line)
            if recap:
                changed = int(recap.group(1))
    if process.returncode != 0 or changed is None:
        raise DemoFailed(f"ansible-playbook {PLAYBOOK} ended with exit code {process.returncode}")
    return changed


def _lease(address: str) -> str:
    """The lease as libvirt has it."""
    listing = subprocess.run(
        ["virsh", "--quiet", "--connect", "qemu:///system", "net-dhcp-leases", NETWORK],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listing.splitlines():
        if f" {address}/" in line:
            date, clock = line.split()[:2]
            return f"{address}, until {date} {clock}"
    raise DemoFailed(f"libvirt does not list a lease for {address}:\n{listing}")
