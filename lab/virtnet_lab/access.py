# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh and Ansible have to be told to reach the machines. Nothing here has an effect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .machine import LOOPBACK

# One connection for all that follows: without hardware virtualisation, each new one takes seconds.
_COMMON = """\
    HostName {loopback}
    User root
    IdentityFile "{folder}/id_ed25519"
    IdentitiesOnly yes
    PreferredAuthentications publickey
    UserKnownHostsFile "{folder}/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    CheckHostIP no
    KexAlgorithms curve25519-sha256
    Ciphers aes128-gcm@openssh.com
    LogLevel ERROR
    ControlMaster auto
    ControlPath "{sockets}/ssh-%n"
    ControlPersist 1h
    ServerAliveInterval 15
    ServerAliveCountMax 8
"""


def config(ports: Mapping[str, int], folder: Path, sockets: Path) -> str:
    """A file for `ssh -F`: the port of each machine, and what they have in common."""
    hosts = "".join(f"Host {name}\n    Port {port}\n    HostKeyAlias {name}\n" for name, port in ports.items())
    common = _COMMON.format(loopback=LOOPBACK, folder=folder, sockets=sockets)
    return f"{hosts}Host {' '.join(ports)}\n{common}"


def known_hosts(names: Mapping[str, int], public_key: str) -> str:
    kind, blob = public_key.split()[:2]
    return "".join(f"{name} {kind} {blob}\n" for name in names)


def inventory(ports: Mapping[str, int], folder: Path) -> str:
    """An inventory with the group `hypervisors`. JSON, which is YAML as well."""
    variables = {
        # Ansible asks for no privileges then that it has.
        "ansible_user": "root",
        "ansible_ssh_common_args": f"-F '{folder}/ssh_config'",
        # The default asks for a connection of its own, and for compression.
        "ansible_ssh_args": "",
        "ansible_ssh_pipelining": True,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    hosts = {name: {"ansible_host": name} for name in ports}
    return json.dumps({"all": {"children": {"hypervisors": {"hosts": hosts, "vars": variables}}}}, indent=2) + "\n"
