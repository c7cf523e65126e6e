# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh and Ansible are told. ssh itself reads the configuration: `ssh -G` connects to nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import yaml
from virtnet_lab import access, process

PORTS = {"debian12": 2201, "debian13": 2202}


def test_ssh_reads_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "config").write_text(access.config(PORTS, folder, Path("/run/sockets")), encoding="utf-8")
    command = ["ssh", "-F", str(folder / "config"), "-G", "debian13"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    read = dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)
    assert (read["hostname"], read["port"], read["user"]) == ("127.0.0.1", "2202", "root")
    assert read["hostkeyalias"] == "debian13"
    assert read["identityfile"] == f"{folder}/id_ed25519"
    assert read["userknownhostsfile"] == f"{folder}/known_hosts"
    assert read["stricthostkeychecking"] == "true"
    assert read["controlpath"] == "/run/sockets/ssh-debian13"


def test_every_machine_is_known_by_the_key_that_was_made() -> None:
    assert (
        access.known_hosts(PORTS, "ssh-ed25519 AAAA comment\n")
        == "debian12 ssh-ed25519 AAAA\ndebian13 ssh-ed25519 AAAA\n"
    )


def test_inventory_has_the_machines_in_one_group() -> None:
    text = access.inventory(PORTS, Path("/state"))
    assert yaml.safe_load(text) == json.loads(text)
    group = json.loads(text)["all"]["children"]["hypervisors"]
    assert list(group["hosts"]) == ["debian12", "debian13"]
    assert group["vars"]["ansible_ssh_common_args"] == "-F '/state/ssh_config'"


def test_a_process_of_another_time_is_not_the_one_that_was_started(tmp_path: Path) -> None:
    started = process.start(["sleep", "60"], tmp_path / "log")
    try:
        assert started.running
        assert not process.Process(started.pid, started.began - 1).running
    finally:
        started.end()
    assert not started.running
    os.waitpid(started.pid, 0)
