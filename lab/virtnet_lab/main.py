# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: lab/run."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

from . import emulator, image
from .common import ROOT, LabError, say
from .lab import Lab
from .machine import MACHINES

NAMES = [machine.name for machine in MACHINES]

DESCRIPTION = """\
Two virtual machines, each a hypervisor with systemd, sshd and libvirt: debian12 and debian13. Their NICs are mgmt (the
way in), and trunk and uplink, two cables from one machine to the other. Labs of other names run beside each other.
"""


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", text):
        raise argparse.ArgumentTypeError("the name of a lab has up to 31 characters: a-z, 0-9 and dashes")
    return text


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab/run", description=DESCRIPTION)
    parser.add_argument("--name", type=_name, default="hand", help="which lab (default: hand)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("images", help="build the images that are not in the cache (root)")
    commands.add_parser("up", help="boot both machines, and say how to log in")
    ssh = commands.add_parser("ssh", help="log into a machine, or run a command there")
    ssh.add_argument("machine", choices=NAMES)
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    commands.add_parser("status", help="tell which machines run; fails when one does not")
    commands.add_parser("down", help="stop the machines and remove all that they have written")
    return parser.parse_args(words)


def _tell(lab: Lab) -> None:
    option = "" if lab.folder.name == "hand" else f" --name {lab.folder.name}"
    print("Log in:    " + "  or  ".join(f"lab/run{option} ssh {name}" for name in NAMES))
    print(f"Files:     scp -F {lab.ssh_config.relative_to(ROOT)} FILE {NAMES[0]}:")
    print(f"Ansible:   ansible-playbook -i {lab.inventory.relative_to(ROOT)} PLAYBOOK")
    print(f"Stop:      lab/run{option} down", flush=True)


def _status(lab: Lab) -> int:
    processes = lab.processes()
    for name in NAMES:
        process = processes.get(name)
        running = process is not None and process.running
        print(f"{name}: " + (f"runs, process {process.pid}" if process and running else "does not run"))
    return 0 if lab.running() else 1


def _run(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    if arguments.command == "images":
        emulator.choose()
        for machine in MACHINES:
            image.ensure(machine.release)
    elif arguments.command == "up":
        lab.up()
        _tell(lab)
    elif arguments.command == "ssh":
        if not lab.running():
            raise LabError("it does not run. Run: lab/run up")
        return subprocess.run(lab.ssh(arguments.machine, arguments.words), check=False).returncode
    elif arguments.command == "status":
        return _status(lab)
    else:
        lab.down()
    return 0


def main() -> int:
    # A request to end is heeded as Ctrl-C is: what was begun is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # An ordinary user's PATH on Debian has no sbin, where mke2fs lives.
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    try:
        return _run(_arguments(sys.argv[1:]))
    except LabError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
